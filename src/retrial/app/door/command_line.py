"""The command line of a verb before Hydra sees it: its options, and every override, are among those that are admitted here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, RangeSweep, Sweep
from hydra.errors import HydraException

from retrial.app.door.own_folder import EXPERIMENT, GROUPS, is_name, is_place, names_in
from retrial.app.door.values import place_problems, value_problems
from retrial.app.find import is_folder
from retrial.errors import ConfigError
from retrial.study.problems import one_line, printable, shown

TITLE = "cannot use the command line"
LAUNCHERS = ("basic", "joblib", "submitit_local", "submitit_slurm")
"""How the jobs of a multirun may be started."""
MOST_RUNS = 10_000
"""Combinations of a multirun."""
_LONGEST, _DEEPEST = 4_000, 20
"""Characters and brackets within brackets of an override: no more than anybody types."""
_FOLDERS = ("study", "template")
"""Folders of `conf/` whose files are no configuration."""
LAUNCHER_KEYS = (
    *("n_jobs", "backend", "prefer", "verbose", "batch_size"),
    *(
        "partition",
        "qos",
        "account",
        "constraint",
        "exclude",
        "comment",
        "name",
        "timeout_min",
        "max_num_timeout",
        "signal_delay_s",
    ),
    *("nodes", "tasks_per_node", "cpus_per_task", "gpus_per_node", "mem_gb", "mem_per_cpu", "array_parallelism"),
)
"""What may be said to them; none of it is a command (`setup`, `python`), a place to write to, or an expression."""
_LAUNCHER = "hydra.launcher."
_LONG_NUMBER = re.compile(r"[0-9_]{100,}")
_OPTIONS = "--config-dir DIR, -m (--multirun) and --cfg job"


@dataclass(frozen=True)
class CommandLine:
    """What is left to be told to Hydra. `own` is the folder of `--config-dir`, `names` are words that are no override."""

    own: Path | None
    multirun: bool
    shown: bool
    overrides: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """For Hydra's own parser."""
        return [*(["--multirun"] if self.multirun else []), *(["--cfg", "job"] if self.shown else []), *self.overrides]


def read(arguments: Sequence[str], named: bool = False) -> CommandLine:
    """Options in any order among the overrides, and names where the verb has them. Raises `ConfigError` with every problem."""
    problems: list[str] = []
    folders: list[str] = []
    flags: set[str] = set()
    overrides: list[str] = []
    names: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, sign, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            if not sign and not rest:
                problems.append(f"{name}: missing; needed is a folder")
            else:
                folders.append(value if sign else rest.pop(0))
        elif argument in ("-m", "--multirun"):
            flags.add("multirun")
        elif name in ("--cfg", "-c") and (value if sign else rest[:1] and rest.pop(0)) == "job":
            flags.add("shown")
        elif argument.startswith("-"):
            problems.append(f"{printable(name)}: got an option that there is not, or not so; allowed are {_OPTIONS}")
        else:
            (names if named and is_name(argument) else overrides).append(argument)
    if len(flags) > 1:
        problems.append("--multirun: got it beside --cfg; allowed is one of them")
    problems += _folder_problems(folders)
    problems += override_problems(overrides, "multirun" in flags, Path(folders[0]) if folders else None)
    if problems:
        raise ConfigError(TITLE, list(dict.fromkeys(problems)))
    return CommandLine(
        Path(folders[0]) if folders else None, "multirun" in flags, "shown" in flags, tuple(overrides), tuple(names)
    )


def _folder_problems(folders: Sequence[str]) -> Iterator[str]:
    if len(folders) > 1:
        yield "--config-dir: got it twice; allowed is once"
    for folder in folders:
        if not is_folder(folder):
            yield f"--config-dir: got {shown(folder)}; there is no such folder"


def override_problems(overrides: Iterable[str], multirun: bool, own: Path | None = None) -> list[str]:
    """One line for every override that is none, or not admitted; `own` is the folder of `--config-dir`."""
    problems: list[str] = []
    runs = 1.0
    for text in overrides:
        try:
            override = _parsed(text)
        except ConfigError as error:
            problems += error.problems
            continue
        values = _values(override, own)
        runs *= max(1, values.number)
        if values.number > 1 and not multirun:
            problems.append(
                f"{_key(override)}: got several values; allowed is one (several runs: -m; a list: [a,b]; a text: quotes)"
            )
        problems += _problems(override, values.some)
    if runs > MOST_RUNS:
        problems.append(f"-m: got {runs:.3g} combinations; allowed are {MOST_RUNS}")
    return problems


def _parsed(text: str) -> Override:
    """An override as Hydra reads it. Raises `ConfigError`."""
    if len(text) > _LONGEST or _depth(text) > _DEEPEST or _LONG_NUMBER.search(text):
        told = f"{_LONGEST} characters, {_DEEPEST} brackets within each other, numbers of up to 99 digits"
        raise ConfigError(TITLE, [f"{shown(text)}: got too much; allowed are {told}"])
    if not text.isprintable():
        raise ConfigError(TITLE, [f"{printable(text)}: got a control character; allowed is printable text"])
    if "=" not in text and not text.startswith("~"):
        raise ConfigError(TITLE, [f"got {shown(text)}; allowed are KEY=VALUE and {_OPTIONS}"])
    try:
        return OverridesParser.create().parse_override(text)
    except (HydraException, ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigError(TITLE, [f"{shown(text)}: not understood: {one_line(error)[:300]}"]) from error


def pairs(overrides: Iterable[str]) -> dict[str, Any]:
    """Keys and values of overrides that were admitted."""
    return {override.key_or_group: override.value() for override in map(_parsed, overrides)}


def _depth(text: str) -> int:
    """Most brackets that are open at one place."""
    depth = most = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        most = max(most, depth)
    return most


@dataclass(frozen=True)
class _Values:
    """How many values an override has, and those that are written in it."""

    number: float
    some: tuple[Any, ...]


def _values(override: Override, own: Path | None) -> _Values:
    raw = override.value()
    if isinstance(raw, Glob):
        return _Values(max(2, len(raw.filter(names_in(override.key_or_group, own)))), (*raw.include, *raw.exclude))
    if isinstance(raw, ChoiceSweep):
        return _Values(len(raw.list), tuple(Override._convert_value(item) for item in raw.list))
    if isinstance(raw, RangeSweep):
        return _range(raw)
    # an interval, which no multirun can run through
    return _Values(math.inf, ()) if isinstance(raw, Sweep) else _Values(1, (raw,))


def _range(raw: RangeSweep) -> _Values:
    start, stop, step = (float(value or 0) for value in (raw.start, raw.stop, raw.step))
    if not step or not all(map(math.isfinite, (start, stop, step))):
        return _Values(math.inf, ())
    return _Values(max(0.0, math.ceil((stop - start) / step)), (raw.start, raw.stop))


def _key(override: Override) -> str:
    at = "" if override.package is None else f"@{override.package}"
    return printable(f"{override.key_or_group}{at}")


def _problems(override: Override, values: Sequence[Any]) -> Iterator[str]:
    """What is wrong with the key of an override, and with its values."""
    key, text = override.key_or_group, _key(override)
    if not key:
        yield f"{printable(override.input_line or text)}: got no key before the @; allowed are GROUP=NAME, such as prior=flat, and GROUP@KEY=NAME"
        return
    if re.split(r"[./]", key)[0] == "hydra":
        yield from _launcher_problems(override, values)
        return
    if key in _FOLDERS:
        yield f"{override.input_line}: got {key} as a group of the configuration; allowed is study=NAME, without a sign before it"
        return
    if override.package is not None and not is_place(override.package):
        yield f"{text}: got a place that a group cannot have; allowed are those of `retrial VERB --help`"
    if key in GROUPS:
        if bad := [value for value in values if not (value is None or is_name(value) or _is_pattern(value))]:
            yield f"{text}: got {shown(bad[0])}; allowed is the name of one file in {key}/"
        return
    if override.is_delete() and key.split(".")[0] in ("study", "seed", "output_dir", "force", EXPERIMENT):
        yield f"~{text}: got a key to be taken away that every run needs; allowed is to change it"
    for value in values if not override.is_delete() else ():
        yield from place_problems(value) if key == "output_dir" else value_problems(_nested(key, value))


def _is_pattern(value: Any) -> bool:
    """Whether this is the pattern of a multirun over files of a group, glob(*)."""
    return isinstance(value, str) and is_name(value.replace("*", "x").replace("?", "x"))


def _launcher_problems(override: Override, values: Sequence[Any]) -> Iterator[str]:
    """Hydra's own keys: how jobs of a multirun are started, and no others."""
    key = override.key_or_group
    if override.is_delete() or override.package is not None:
        yield f"{_key(override)}: got one of Hydra's own keys; allowed are hydra/launcher=NAME and hydra.launcher.KEY=VALUE"
    elif key == "hydra/launcher":
        if bad := [value for value in values if value not in LAUNCHERS]:
            yield f"{key}: got {shown(bad[0])}; allowed are {', '.join(LAUNCHERS)}"
    elif not key.startswith(_LAUNCHER) or key.removeprefix(_LAUNCHER) not in LAUNCHER_KEYS:
        told = f"hydra/launcher=NAME and hydra.launcher.KEY=VALUE with a KEY of {', '.join(LAUNCHER_KEYS)}"
        yield f"{_key(override)}: got one of Hydra's own keys; allowed are {told}"
    else:
        for value in values:
            yield from value_problems(_nested(key, value))


def _nested(key: str, value: Any) -> Any:
    """{a: {b: value}} of a.b, so that every part of the key is looked at."""
    for part in reversed(key.split(".")):
        value = {part: value.text if isinstance(value, QuotedString) else value}
    return value
