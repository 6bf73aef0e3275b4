"""From what a user types to files: arguments of the verbs that need no Hydra, and the file that a study's name stands for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from retrial.errors import ConfigError, InputError, StudyError
from retrial.study.problems import shown
from retrial.study.text.files import LEADS_OUT, is_within

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
_TEXT = (".yaml", ".yml", ".json")
_ALLOWED = "allowed is a name in a study/ folder, or the path of a YAML file"
_SHOWN = 12
_LONGEST_NAME = 200
"""Bytes of a study file's name: run folders are called after it, and file systems end at 255."""


def folders_of(own: str | Path | None) -> list[Path]:
    """Folders that have a study/ folder: the user's own first, then the package's. Raises `ConfigError`."""
    if own is not None and not is_folder(own):
        raise ConfigError("cannot use the configuration", [f"--config-dir: got {shown(str(own))}; there is no such folder"])
    return [*([] if own is None else [Path(own).resolve()]), Path(str(resources.files("retrial.conf")))]


def find_study(name: str, folders: Sequence[Path]) -> Path:
    """Study file of a name in the study/ folders of the search path, or the file itself when a path is given. Raises `InputError`."""
    name = name.strip()
    for stem in dict.fromkeys((name, name.removesuffix(".yaml"))):
        if _NAME.match(stem):
            for folder in folders:
                file = folder / "study" / f"{stem}.yaml"
                if _is_file(file):
                    return _usable(file, inside=folder)
    for written in dict.fromkeys((name, name.replace("\\", "/"))):
        for path in (Path(written), Path(f"{written}.yaml")):
            if _is_file(path) and path.suffix.lower() in _TEXT:
                return _usable(path)
    raise _not_found(name, folders)


def _usable(file: Path, inside: Path | None = None) -> Path:
    """The file, unless its name cannot be that of a folder of results, or it is a link out of the folder where it was found."""
    title = f"cannot use the study file {shown(str(file))}"
    if not file.stem.isprintable() or file.stem.startswith(".") or len(file.stem.encode()) > _LONGEST_NAME:
        told = f"got the name {shown(file.name)}; allowed is one of up to {_LONGEST_NAME} bytes, not first a dot: rename it"
        raise StudyError(title, [told])
    if inside is not None and not is_within(file, inside):
        raise StudyError(title, [LEADS_OUT])
    return file


def _not_found(name: str, folders: Sequence[Path]) -> InputError:
    path = Path(name)
    if name and exists(path) and path.is_dir():
        inside = sorted(item.name for item in path.glob("*.yaml"))
        below = sorted(item.stem for item in path.glob("study/*.yaml"))
        told = f"study: got the folder {name}"
        if below:
            return StudyError("no study file", [f"{told}; write --config-dir {name} study=NAME, with a NAME of {_some(below)}"])
        return StudyError("no study file", [f"{told}; {_ALLOWED}" + (f": {path / inside[0]}" if inside else "")])
    if _is_file(path):
        told = f"study: got the file {name}; {_ALLOWED} (`retrial new study=NAME kind=full` writes one to fill in)"
        return StudyError("no study file", [told])
    known = sorted({item.stem for folder in folders for item in folder.glob("study/*.yaml")})
    if "/" in name or "\\" in name or path.suffix.lower() in _TEXT:
        beside = sorted(item.name for item in path.parent.glob("*.yaml")) if exists(path.parent) else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        more = f"; did you mean {path.parent / near[0]}?" if near else ""
        return StudyError(f"no study file {name}", [f"study: got {name!r}, which is not there; {_ALLOWED}{more}"])
    if not _NAME.match(name):
        return ConfigError("cannot use the configuration", [f"study: got {name!r}; {_ALLOWED}"])
    lower = {item.lower(): item for item in known}
    near = [lower[item] for item in difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.6)]
    more = f"; did you mean {' or '.join(near)}?" if near else ""
    own = "" if len(folders) > 1 else "; --config-dir DIR adds those of DIR/study/"
    nearby = next((item for item in (*Path().glob(f"study/{name}.yaml"), *Path().glob(f"*/study/{name}.yaml"))), None)
    if nearby is not None:
        own = f"; there is {nearby}: write --config-dir {nearby.parent.parent} study={name}"
    return StudyError(f"no study {name!r}", [f"study: allowed are {_some(known)}{own}{more}"])


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; False for a path that no file system takes."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; False for a path that no file system takes."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


_CONFIG_DIR = ("--config-dir", "-cd")


@dataclass(frozen=True, slots=True)
class Arguments:
    """Keys with their values, the folder of the user's own, and what is neither."""

    keys: Mapping[str, str]
    config_dir: Path | None
    others: tuple[str, ...]


def parsed(arguments: Sequence[str], known: Sequence[str]) -> Arguments:
    """The arguments; raises `ConfigError` for a key that is not known, an option without its value, or a key twice."""
    keys: dict[str, str] = {}
    others: list[str] = []
    problems: list[str] = []
    config_dir: Path | None = None
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, sign, value = argument.partition("=")
        if name in _CONFIG_DIR:
            if not sign and not rest:
                problems.append(f"{name}: missing; needed is a folder")
                continue
            config_dir = Path(value if sign else rest.pop(0))
        elif sign and name in known:
            if name in keys:
                problems.append(f"{name}: got it twice; allowed is once")
            keys[name] = value.strip("'\"")
        elif argument.startswith("-") or (sign and name.isidentifier()):
            problems.append(f"{name}: unknown; allowed are {', '.join(f'{key}=...' for key in known)} and --config-dir DIR")
        else:
            others.append(argument)
    if problems:
        raise ConfigError("cannot use the command line", problems)
    return Arguments(keys, config_dir, tuple(others))
