"""Files of a `--config-dir`, which may come from a stranger: the one source from which Hydra reads them, each checked as it is read.

A file gives values for its group and says which other files of the groups it builds on. It cannot say where its values go, set
Hydra's own keys, name a place to write to, or point out of its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from retrial.app.door.values import value_problems
from retrial.errors import ConfigError, StudyError
from retrial.study.problems import shown
from retrial.study.text.files import is_within
from retrial.study.yaml_text import read_typed_yaml

EXPERIMENT, NO_EXPERIMENT = "experiment", "none"
GROUPS = (
    "prior",
    "evidence",
    "model",
    "sampler",
    "reconstruction",
    "answers",
    "sensitivity",
    "multiverse",
    "covariates",
    "operating",
    EXPERIMENT,
)
"""Groups that a folder of one's own may add files to; study files are data of another kind (`study.loader`)."""
PLACES = (*(group for group in GROUPS if group != EXPERIMENT), "priors", "models")
"""Keys below which a file of a group may be put (`/evidence@evidence`)."""
DEFAULTS = "defaults"
MOST_LOADS = 100
"""Files that a file builds on, directly or through others, each as often as it is reached."""
_NOT_IN_FILES = ("hydra", "output_dir", "force")
"""Keys that say how and where to run: they belong to the person who runs."""
_NONE = (EXPERIMENT, NO_EXPERIMENT)
"""Stands for no experiment, whatever a folder has under this name."""
_SCHEME = "own"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_PLACE = re.compile(rf"(?:{'|'.join(PLACES)})(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*")
_CHOICE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[.@][A-Za-z0-9_]+)*")
"""A key, or a group with the place of its file."""
_TOP = re.compile(r"(?:priors|models)\.[A-Za-z0-9][A-Za-z0-9_-]*")
"""Places of the verbs' own defaults: of these alone an experiment may choose other files."""
_DEFAULT = re.compile(r"(?:(?:(?P<override>override)|optional) +)?/?(?P<group>[^@/ ]+)(?:@(?P<place>[^@]*))?")
_HEADER = re.compile(r"^\s*#\s*@\s*(?P<said>.*?)\s*$", re.MULTILINE)
_GLOBAL = "package _global_"


def is_name(text: Any) -> bool:
    """Whether this is the name of a file in a group: no path, nothing hidden, not only dots."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_place(text: str) -> bool:
    """Whether a group's file may be put below this key."""
    return _PLACE.fullmatch(text) is not None


def names_in(group: str, own: Path | None) -> list[str]:
    """Names of the files of a group, the package's and those of a folder of one's own; none of what is no group."""
    folders = [Path(str(resources.files("retrial.conf"))), *([own] if own is not None and is_within(own / group, own) else [])]
    names = {path.stem for folder in folders if group in GROUPS for path in (folder / group).glob("*.yaml")}
    return sorted(filter(is_name, names))


def read_own(path: Path, group: str, root: Path) -> dict[str, Any]:
    """The mapping in a file of a group of a folder `root`. Raises `ConfigError` that names every problem."""
    title = f"cannot use the file {path}"
    try:
        text, tree, problems = read_typed_yaml(path, "file", root)
    except StudyError as error:
        raise ConfigError(error.title, error.problems) from error
    problems += list(_header_problems(text, group))
    problems += [line for key, value in tree.items() if key != DEFAULTS for line in value_problems({key: value})]
    problems += list(_defaults_problems(tree.get(DEFAULTS, []), group))
    if group == EXPERIMENT:
        problems += list(_experiment_problems(tree))
    if problems:
        raise ConfigError(title, list(dict.fromkeys(problems)))
    return tree


def _experiment_problems(tree: Mapping[str, Any]) -> Iterator[str]:
    """An experiment sets keys of a verb, itself and by its choices: what is asked, not how, where to, or of a file elsewhere."""
    section = tree.get(EXPERIMENT)
    choices = section.get("choices") if isinstance(section, Mapping) else None
    chosen = choices if isinstance(choices, Mapping) else {}
    for at, keys in (("", tree), (f"{EXPERIMENT}.choices.", chosen)):
        for key in keys:
            if not _CHOICE.fullmatch(key) or key.split(".")[0] in _NOT_IN_FILES:
                yield f"{at}{key}: got it in a file; allowed on the command line alone"
    for key in chosen:
        group, sign, place = key.partition("@")
        if sign and not _TOP.fullmatch(place):
            yield f"{EXPERIMENT}.choices.{key}: got a place within a file; allowed are {group} and {group}@priors.NAME or models.NAME"
    study = tree.get("study")
    names = [study.get("name")] if isinstance(study, Mapping) else []
    some = [chosen[key] for key in ("study", "study.name") if key in chosen]
    listed = [value for values in some for value in (values if isinstance(values, list) else [values])]
    if bad := [name for name in (*names, *listed) if not is_name(name)]:
        yield f"study.name: got {shown(bad[0])} in a file; allowed is the name of a study, the path of one on the command line alone"


def _header_problems(text: str, group: str) -> Iterator[str]:
    """A comment `# @package` moves a file's values to other keys: only experiments have it, which set keys of a verb."""
    for found in _HEADER.finditer(text):
        if group != EXPERIMENT or " ".join(found["said"].split()) != _GLOBAL:
            yield f"got the comment {shown(found[0].strip())}; allowed is none (experiment files have # @{_GLOBAL}): remove the line"


def _defaults_problems(raw: Any, group: str) -> Iterator[str]:
    example = "a list such as [/evidence@evidence: NAME, _self_]"
    if not isinstance(raw, list):
        yield f"{DEFAULTS}: got {shown(raw)}; allowed is {example}"
        return
    for position, item in enumerate(raw):
        at = f"{DEFAULTS}.{position}"
        if isinstance(item, Mapping) and len(item) == 1:
            ((key, name),) = item.items()
            found = _DEFAULT.fullmatch(str(key))
            if found is None or found["group"] not in GROUPS or not (found["place"] is None or is_place(found["place"])):
                told = f"/GROUP and /GROUP@KEY, with a GROUP of {', '.join(GROUPS)} and a KEY of {', '.join(PLACES)}"
                yield f"{at}: got {shown(str(key))}; allowed are {told}"
            elif found["group"] == EXPERIMENT:
                yield f"{at}: got {shown(str(key))}; an experiment builds on another by its name alone, such as [NAME, _self_]"
            elif found["override"] and (group != EXPERIMENT or not (found["place"] is None or _TOP.fullmatch(found["place"]))):
                told = "in an experiment override /GROUP, /prior@priors.NAME and /model@models.NAME"
                yield f"{at}: got {shown(str(key))}; allowed are {told}"
            elif name is not None and not is_name(name):
                yield f"{at}: got {shown(name)}; allowed is the name of a file in {found['group']}/"
        elif item != "_self_" and not is_name(item):
            yield f"{at}: got {shown(item)}; allowed is {example}"


def follow(group: str, name: str, root: Path) -> set[tuple[str, str]]:
    """Group and name of all files that a file of a folder `root` builds on, itself included. Raises `ConfigError`.

    Hydra would follow files in a circle for ever, and load a file as often as others name it.
    """
    known: dict[tuple[str, str], list[tuple[str, str]]] = {}
    loads = 0

    def visit(at: tuple[str, str], trail: tuple[tuple[str, str], ...]) -> None:
        nonlocal loads
        loads += 1
        title = f"cannot use the file {root / group / name}.yaml"
        if at in trail:
            circle = " -> ".join("/".join(item) for item in (*trail[trail.index(at) :], at))
            raise ConfigError(title, [f"{DEFAULTS}: got files that build on themselves ({circle}); allowed is no circle"])
        if loads > MOST_LOADS:
            raise ConfigError(
                title, [f"{DEFAULTS}: got more than {MOST_LOADS} files to load, one through another; allowed are fewer"]
            )
        if at not in known:
            known[at] = _built_on(*at, root)
        for item in known[at]:
            visit(item, (*trail, at))

    visit((group, name), ())
    return set(known)


def _built_on(group: str, name: str, root: Path) -> list[tuple[str, str]]:
    """Group and name of each file in the defaults of a file of the folder, else of the package; none of a file that there is not."""
    for folder in (root, Path(str(resources.files("retrial.conf")))):
        path = folder / group / f"{name}.yaml"
        if os.path.lexists(path) and (group, name) != _NONE:
            return [_reached(item, group) for item in read_own(path, group, folder).get(DEFAULTS, []) if _names_a_file(item)]
    return []


def _names_a_file(item: Any) -> bool:
    return item != "_self_" and not (isinstance(item, Mapping) and None in item.values())


def _reached(item: Any, group: str) -> tuple[str, str]:
    """Group and name of the file that an entry of defaults stands for, as `_defaults_problems` admits it."""
    if isinstance(item, Mapping):
        ((key, name),) = item.items()
        found = _DEFAULT.fullmatch(str(key))
        return found["group"] if found else "", str(name).removesuffix(".yaml")
    return group, str(item).removesuffix(".yaml")


class OwnFolder(ConfigSource):
    """Hydra's view of such a folder: the groups are there, and nothing else."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider=provider, path=path)
        self._followed: set[tuple[str, str]] = set()

    @staticmethod
    def scheme() -> str:
        return _SCHEME

    @property
    def _root(self) -> Path:
        return Path(self.path)

    def load_config(self, config_path: str) -> ConfigResult:
        group, file = self._split(config_path)
        tree = read_own(file, group, self._root)
        if tree.get(DEFAULTS) and (group, file.stem) not in self._followed:
            self._followed |= follow(group, file.stem, self._root)
        package = "_global_" if group == EXPERIMENT else None
        return ConfigResult(self.provider, self.full_path(), OmegaConf.create(tree), {"package": package})

    def available(self) -> bool:
        return self._root.is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path in GROUPS and (self._root / config_path).is_dir() and is_within(self._root / config_path, self._root)

    def is_config(self, config_path: str) -> bool:
        group, file = self._split(config_path)
        return self.is_group(group) and is_name(file.stem) and os.path.lexists(file) and (group, file.stem) != _NONE

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if results_filter is ObjectType.GROUP or not self.is_group(config_path):
            return []
        return sorted(path.stem for path in (self._root / config_path).glob("*.yaml") if is_name(path.stem))

    def _split(self, config_path: str) -> tuple[str, Path]:
        """Group and file of "GROUP/NAME"; of anything else a group that there is not."""
        group, _, name = config_path.removesuffix(".yaml").partition("/")
        return group if is_name(name) else "", self._root / group / f"{name}.yaml"


class _First(SearchPathPlugin):
    """Has the folder searched before the package's own files."""

    folder: ClassVar[Path | None] = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder is not None:
            search_path.prepend("own", f"{_SCHEME}://{self.folder}", SearchPathQuery(provider="main"))


@contextmanager
def searched_first(folder: Path | None) -> Iterator[None]:
    """Have what Hydra composes meanwhile use the files of this folder; None: those of the package only."""
    for plugin in (OwnFolder, _First):
        Plugins.instance().register(plugin)
    before, _First.folder = _First.folder, None if folder is None else folder.resolve()
    try:
        yield
    finally:
        _First.folder = before
