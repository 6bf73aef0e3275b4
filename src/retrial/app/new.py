"""`retrial new`: a commented study file to fill in."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from retrial.app.find import Arguments, exists, parsed
from retrial.errors import ConfigError, InputError
from retrial.store.files import tidy, write_whole

KINDS = ("one_ratio", "counts", "patients", "full")
DEFAULT_FOLDER = Path("mine")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def run(arguments: Sequence[str]) -> int:
    """Write the template and print the next command; exit status 0, or 2 (bad input, or a file that is there)."""
    try:
        written = new_study(parsed(arguments, ("study", "kind")))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    for path in written.files:
        print(f"written: {path}")
    print("Type your paper's numbers over the example's, delete what it does not print; then:")
    print(f"retrial check --config-dir {shlex.quote(str(written.folder))} study={written.name}")
    return 0


class Written:
    """What was written, where, under which name."""

    def __init__(self, folder: Path, name: str, files: Sequence[Path]) -> None:
        self.folder, self.name, self.files = folder, name, tuple(files)


def new_study(asked: Arguments) -> Written:
    """Write the files of a kind; raises `ConfigError` where the name or the kind is none, or a file is there."""
    name, kind = asked.keys.get("study", "").removesuffix(".yaml"), asked.keys.get("kind", "")
    folder = DEFAULT_FOLDER if asked.config_dir is None else asked.config_dir
    problems = [f"{item!r}: not understood; allowed are study=NAME, kind=KIND and --config-dir DIR" for item in asked.others]
    if not _NAME.fullmatch(name):
        told = "allowed is a name of up to 64 letters, digits, _ and -, such as mytrial"
        problems.append(f"study: {f'got {name!r}' if name else 'missing'}; {told} (the folder goes to --config-dir)")
    if kind not in KINDS:
        problems.append(f"kind: {f'got {kind!r}' if kind else 'missing'}; allowed are {', '.join(KINDS)}")
    study = folder / "study" / f"{name}.yaml"
    texts = {study: _template(f"{kind}.yaml", name)} if kind in KINDS else {}
    if kind == "patients":
        # first, so that an interrupted call can be given again
        texts = {folder / "study" / f"{name}_patients.csv": _template("patients.csv", name), **texts}
    if not problems:
        with contextlib.suppress(OSError):
            tidy(study.parent)  # what a call left that was killed after its last file
    there = [
        path
        for path in texts
        if exists(path) and (path == study or not path.is_file() or path.read_bytes() != texts[path].encode())
    ]
    problems += [f"study: {path} is there already; choose another name, or delete it" for path in there]
    if problems:
        raise ConfigError("cannot write a new study", problems)
    try:
        study.parent.mkdir(parents=True, exist_ok=True)
        for path in (path for path in texts if not exists(path)):
            write_whole(path, texts[path], new=True)
    except OSError as error:
        told = f"--config-dir: {error.strerror or error} ({error.filename or folder}); name a folder that can be written to"
        raise ConfigError("cannot write a new study", [told]) from error
    return Written(folder, name, list(texts))


def _template(file: str, name: str) -> str:
    text = resources.files("retrial.conf").joinpath("template", file).read_text(encoding="utf-8")
    return text.replace("patients.csv", f"{name}_patients.csv")
