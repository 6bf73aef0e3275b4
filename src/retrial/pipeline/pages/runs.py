"""Two run folders to the page that holds them against each other (`retrial report base=FOLDER other=FOLDER`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from retrial.errors import StoreError
from retrial.report.runs.difference import differences
from retrial.report.runs.page import OneRun, write_comparison
from retrial.store.artefacts import ARTEFACTS, REPORT, artefact_of, path_of
from retrial.store.files import file_digest
from retrial.store.folders import CHECKSUM, FILES, FOLDER, MANIFEST, damage, read_manifest
from retrial.store.tables import read_table, write_table

_LARGEST = 50_000_000
"""Bytes of a manifest: a thousand times what a run writes."""
_DEEPEST = 20
"""Levels of settings within settings."""
_TABLES = "reconstruction"
_ABOUT_RUN = (FILES, CHECKSUM, FOLDER, "config", "wall_seconds")


def read_run(given: Path) -> OneRun:
    """A run folder. Raises `StoreError` that says what is missing where it holds no finished run with estimates.

    What else of its files is missing or changed is told in `OneRun.damage`.
    """
    if not given.is_dir():
        raise StoreError(f"{given} is no folder; needed is a run folder, OUTPUT_DIR/VERB/STUDY/HASH, which a verb prints last")
    file = given / MANIFEST
    if not file.is_file():
        raise StoreError(f"{given} is not a finished run folder: no {MANIFEST}{_there(given)}")
    try:
        if file.stat().st_size > _LARGEST:
            raise StoreError(f"{file} is larger than any that a run writes")
        manifest = read_manifest(given)
        told, estimates = damage(given), path_of(given, "estimates")
        if estimates.name not in manifest[FILES]:
            verb = str(manifest.get("verb"))
            writers = ARTEFACTS["estimates"].verbs
            raise StoreError(f"{given} has no {estimates.name}: `{verb}` writes none; runs of {writers} can be compared")
        if not estimates.is_file():
            raise StoreError(f"{given} is not whole: {told}")
        if file_digest(estimates) != manifest[FILES][estimates.name]:
            raise StoreError(f"{estimates} has other content than its run wrote: its numbers are no run's")
        frame = read_table(given, "estimates")
    except RecursionError as error:
        raise StoreError(f"{file} is nested deeper than any that a run writes") from error
    except OSError as error:
        raise StoreError(f"cannot read {error.filename or given}: {error.strerror}") from error
    return OneRun(str(given), manifest, pd.DataFrame() if frame is None else frame, told)


def _there(folder: Path) -> str:
    """What of a run an unfinished folder has and lacks."""
    names = [path.name for path in folder.iterdir() if path.is_file() and artefact_of(path.name)]
    missing = [ARTEFACTS[name].pattern for name in ("audit", "estimates", "report") if ARTEFACTS[name].pattern not in names]
    found = f"; there: {', '.join(sorted(names)[:12])}" if names else "; no file of a run is there"
    return f"{found}; missing: {', '.join([*missing, MANIFEST])}"


def compare(base: OneRun, other: OneRun, folder: Path) -> None:
    """Write estimates_compared.csv, settings_compared.csv and report.html. Raises `StoreError`, `DataError` for rows that no run writes."""
    moved = {name for name in {*base.manifest[FILES], *other.manifest[FILES]} if _file(base, name) != _file(other, name)}
    endpoints = {row for run in (base, other) for row in run.estimates["endpoint"].unique()}
    sampled = {endpoint for endpoint in endpoints if any(_is_table_of(name, str(endpoint)) for name in moved)}
    rows = differences(base.estimates, other.estimates, sampled)
    settings = pd.DataFrame(_settings(base, other, sorted(moved)), columns=["setting", "base", "other"])
    write_table(folder, "estimates_compared", rows)
    write_table(folder, "settings_compared", settings)
    write_comparison(base, other, rows, settings, folder)


def _is_table_of(name: str, endpoint: str) -> bool:
    return artefact_of(name) == _TABLES and name.endswith(ARTEFACTS[_TABLES].pattern.replace("{endpoint}", endpoint))


def _file(run: OneRun, name: str) -> str:
    return str(run.manifest[FILES].get(name, ""))


def _settings(base: OneRun, other: OneRun, moved: list[str]) -> Iterator[tuple[str, str, str]]:
    """Settings, then the rest of the manifests, then files: each that differs."""
    yield from _apart(base.manifest.get("config"), other.manifest.get("config"), "")
    one, two = ({name: value for name, value in run.manifest.items() if name not in _ABOUT_RUN} for run in (base, other))
    yield from _apart(one, two, "")
    for name in moved:
        if artefact_of(name) not in REPORT:
            yield f"file {name}", _file(base, name), _file(other, name)


def _apart(one: Any, two: Any, at: str) -> Iterator[tuple[str, str, str]]:
    """Keys with dots and both values in words; what only one run has is one entry, however much is below it."""
    if isinstance(one, Mapping) and isinstance(two, Mapping) and at.count(".") < _DEEPEST:
        for key in dict.fromkeys([*one, *two]):
            yield from _apart(one.get(key), two.get(key), f"{at}.{key}" if at else str(key))
    elif one != two:
        yield at or "config", "" if one is None else str(one), "" if two is None else str(two)
