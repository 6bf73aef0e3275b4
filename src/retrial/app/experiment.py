"""`retrial experiment NAME...`: runs experiments of the catalogue, and writes their answers."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import pandas as pd

from retrial.app.application import run_jobs
from retrial.app.catalogue import (
    ANSWER,
    PAGE,
    WORKERS,
    Experiment,
    experiment_files,
    index,
    page,
    read_answer,
    read_experiment,
    select,
    write_answer,
)
from retrial.app.door import command_line
from retrial.app.door.values import place_problems
from retrial.app.process.surroundings import tell
from retrial.errors import ConfigError, InputError, RetrialError
from retrial.store.files import write_whole
from retrial.study.problems import printable, shown

ALL = "all"
RESULTS = "results"
"""Folder of a study of the method for the tables that its program writes."""
_OWN_KEYS = ("catalogue", "output_dir", "force")
"""Keys that say where to and whether, not what is asked: with these the answer is still the catalogue's."""
_KEPT = (".csv", ".png")
_MOST = 100_000
"""Studies or simulations of a program: more than any takes in a month."""


@dataclass(frozen=True)
class Asked:
    """The command line: experiments, Hydra's overrides, where runs go, where the catalogue is (None: not written)."""

    names: tuple[str, ...]
    overrides: tuple[str, ...]
    own: Path | None
    output_dir: Path
    catalogue: Path | None


def run(arguments: Sequence[str]) -> int:
    """Run the experiments named; exit status 0, 1 (a result failed) or 2 (bad input).

    One that cannot be answered is named and leaves the others their runs; an interrupt ends them all.
    """
    status = 0
    try:
        asked = parse(arguments)
        files = experiment_files(asked.own)
        chosen = _chosen(asked.names, files)
    except RetrialError as error:
        return _refused(error)
    for experiment in chosen:
        try:
            found = _one(experiment, asked)
        except RetrialError as error:
            found = _refused(error)
        status = max(status, found)
        if found > InputError.exit_status:
            break
    return status


def _refused(error: RetrialError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status


def _say(words: str) -> None:
    # between two runs there is no logging: Hydra sets it up for each
    tell(words)


def parse(arguments: Sequence[str]) -> Asked:
    """Names, key=value overrides and --config-dir. The catalogue is written where no override changes what is asked, or where it is named."""
    line = command_line.read(arguments, named=True)
    if not line.names or line.multirun or line.shown:
        got = " ".join(map(printable, arguments)) or "no experiment"
        raise InputError(
            "cannot use the command line", [f"got {got}; allowed are names, or {ALL}, KEY=VALUE and --config-dir DIR"]
        )
    keys = command_line.pairs(line.overrides)
    for key in ("catalogue", "output_dir"):
        if key in keys and (wrong := list(place_problems(keys[key], key))):
            raise ConfigError("cannot use the command line", wrong)
    as_it_is = line.own is None and set(keys) <= set(_OWN_KEYS)
    catalogue = Path(str(keys["catalogue"])) if "catalogue" in keys else (_checkout() if as_it_is else None)
    overrides = tuple(item for item in line.overrides if not item.lstrip("+").startswith("catalogue="))
    return Asked(line.names, overrides, line.own, Path(str(keys.get("output_dir", "outputs"))), catalogue)


def _checkout() -> Path | None:
    """The catalogue of the checkout that the program runs from; None where it is installed."""
    folder = Path(str(resources.files("retrial.experiments")))
    return folder if (folder.parent / "pyproject.toml").is_file() else None


def _chosen(names: Sequence[str], files: Mapping[str, Path]) -> list[Experiment]:
    """Those named, or all that are runs of verbs: the studies of the method take hours and are named."""
    if names == (ALL,):
        known = {name: read_experiment(path) for name, path in files.items()}
        left_out = [name for name, item in known.items() if item.program]
        _say(f"left out, because they take hours: {', '.join(left_out)}")
        return [item for item in known.values() if not item.program]
    if unknown := [name for name in names if name not in files]:
        raise ConfigError("no such experiment", [f"got {', '.join(unknown)}; allowed are {', '.join(files)}, or {ALL}"])
    return [read_experiment(files[name]) for name in names]


def _one(experiment: Experiment, asked: Asked) -> int:
    """Run an experiment and write its answer; a run that did not finish leaves none."""
    folder = asked.output_dir / "experiment" / experiment.name
    status, frames = _program(experiment, asked, folder) if experiment.program else _runs(experiment, asked)
    if not frames:
        return status
    folder.mkdir(parents=True, exist_ok=True)
    write_answer(pd.concat(frames, ignore_index=True), folder / ANSWER)
    write_whole(folder / PAGE, page(experiment, read_answer(folder / ANSWER), ""))
    if asked.catalogue is not None:
        _publish(experiment, folder, asked.catalogue, asked.own)
    print(folder, flush=True)
    return status


def _runs(experiment: Experiment, asked: Asked) -> tuple[int, list[pd.DataFrame]]:
    """Every run of a verb, through the application that the command line calls."""
    status, frames = 0, []
    for number, choices in enumerate(runs := experiment.runs(), start=1):
        cell = "; ".join(f"{key}={value}" for key, value in choices.items())
        _say(f"{experiment.name}: run {number} of {len(runs)}{cell and ', '}{cell}")
        own = ["--config-dir", str(asked.own)] if asked.own is not None else []
        chosen = [f"experiment={experiment.name}", *(f"{key}={value}" for key, value in choices.items())]
        found, folders = run_jobs(experiment.verb, command_line.read([*own, *chosen, *asked.overrides]))
        status = max(status, found)
        if found > 1 or not folders:
            return status, []
        frames += [select(part, folder, cell) for folder in folders for part in experiment.answer]
    return status, frames


def _program(experiment: Experiment, asked: Asked, folder: Path) -> tuple[int, list[pd.DataFrame]]:
    """A study of the method: its program writes tables, and says what failed."""
    main = import_module(experiment.program).main
    settings = _settings(experiment, asked.overrides, inspect.signature(main).parameters)
    folder.mkdir(parents=True, exist_ok=True)
    failures: list[str] = main(folder, **settings)
    for failure in failures:
        _say(f"failed: {failure}")
    return int(bool(failures)), [select(part, folder) for part in experiment.answer]


def _settings(experiment: Experiment, overrides: Sequence[str], taken: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Settings of the file, changed by the command line; `taken` are the parameters of the program, its folder first."""
    changed = {key: value for key, value in command_line.pairs(overrides).items() if key not in _OWN_KEYS}
    settings = {**experiment.settings, **changed}
    usual = {name: item.default for name, item in list(taken.items())[1:]}
    if wrong := [line for key, value in settings.items() for line in _setting_problems(key, value, usual)]:
        raise ConfigError(f"experiment {experiment.name}", wrong)
    return settings


def _setting_problems(key: str, value: Any, usual: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a setting, whose kind is that of the program's own value."""
    most = max(2, os.cpu_count() or 1) if key == WORKERS else _MOST
    if key not in usual:
        yield f"{key}: unknown; allowed are {', '.join((*usual, *_OWN_KEYS))}"
    elif type(value) is not type(usual[key]):
        yield f"{key}: got {value if isinstance(value, float) else shown(value)}; allowed is a value such as {usual[key]!r}"
    elif type(value) is int and not 1 <= value <= most:
        yield f"{key}: got {value}; allowed is a whole number from 1 to {most}"


def _publish(experiment: Experiment, folder: Path, catalogue: Path, own: Path | None) -> None:
    """Answer, page and tables of an experiment to the catalogue, and the catalogue's own page."""
    target = catalogue / experiment.name
    target.mkdir(parents=True, exist_ok=True)
    if experiment.program:
        (target / RESULTS).mkdir(exist_ok=True)
        for path in (path for path in sorted(folder.iterdir()) if path.suffix in _KEPT and path.name != ANSWER):
            write_whole(target / RESULTS / path.name, path.read_bytes())
    write_whole(target / ANSWER, (folder / ANSWER).read_bytes())
    write_pages([experiment], catalogue, own)


def write_pages(experiments: Sequence[Experiment], catalogue: Path, own: Path | None = None) -> None:
    """Pages of experiments from their answers, and the catalogue's page of all that have a folder in it."""
    for item in experiments:
        path = catalogue / item.name / PAGE
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        answer = read_answer(path.with_name(ANSWER)) if path.with_name(ANSWER).is_file() else None
        write_whole(path, page(item, answer, before))
    known = [read_experiment(file) for name, file in experiment_files(own).items() if (catalogue / name).is_dir()]
    front = catalogue / PAGE
    write_whole(front, index(known, catalogue, front.read_text(encoding="utf-8") if front.is_file() else ""))
