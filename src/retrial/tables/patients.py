"""Patients from a CSV to a `LifeTable`: the only reader of patient files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.dims import ARMS, EXPERIMENTAL, MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.study.arms.names import ArmNames
from retrial.tables.life_table import LifeTable

COLUMNS = ("time", "event", "arm")
MAX_TIME = 1e6
"""Longest time read, in the file's unit (days would make it 2,700 years): beyond it, a column was mistaken for the time."""
_EVENTS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}
_SHOWN = 5
"""Bad rows named in an error."""
_SHOWN_CHARACTERS = 20
_SHOWN_COLUMNS = 8


def read_patients(path: Path, time_unit: str, names: ArmNames = ArmNames()) -> LifeTable:  # noqa: B008 - frozen
    """Read one patient a row and collapse them to a life table in months.

    Columns: `time` in `time_unit`, `event` 0/1 or false/true, `arm` control/experimental or what the study file
    calls them (`names`; patients of its other arms are left out); other columns are ignored, the order of
    rows and columns does not matter. The file is comma-separated UTF-8 with a header.
    Raises `DataError` naming every kind of bad row and the first patients that have it (patient 1 is the first below the header).
    """
    if time_unit not in MONTHS_PER_UNIT:
        raise DataError(
            f"got the time unit {time_unit!r}; allowed are {', '.join(MONTHS_PER_UNIT)} (time_unit of the study file)"
        )
    frame = _of_arms(_columns(path), names)
    time, event, arm = _time(frame["time"]), _event(frame["event"]), frame["arm"].map(str.strip).astype("category")
    problems = [
        *_bad(~((time >= 0) & (time <= MAX_TIME)), frame["time"], "time", f"a number from 0 to {MAX_TIME:.0f}"),
        *_bad(np.isnan(event), frame["event"], "event", "0 or false (censored), 1 or true (event)"),
        *_bad(~arm.isin(ARMS).to_numpy(), frame["arm"], "arm", " or ".join(names.roles)),
    ]
    if frame.empty:
        problems.append("got no patients; needed is at least one row in each arm")
    elif not problems:
        problems += [
            f"arm: got nobody in {name}; needed is at least one row"
            for name, role in names.roles.items()
            if not (arm == role).any()
        ]
    if problems:
        raise DataError(f"cannot use the patients in {path}", problems)
    return LifeTable.from_patients(time * MONTHS_PER_UNIT[time_unit], event, (arm == EXPERIMENTAL).to_numpy())


def _of_arms(frame: pd.DataFrame, names: ArmNames) -> pd.DataFrame:
    """The rows of the arms that are compared, each arm called by its role."""
    if names.are_roles and not names.others:
        return frame
    arm = frame["arm"].astype(str).str.strip()
    # a role's word that is another arm's name, or nobody's, is no role
    roles = arm.map(lambda name: names.roles.get(name, f"{name} " if name in ARMS else name)).astype("category")
    return frame.assign(arm=roles)[~arm.isin(names.others)].reset_index(drop=True)


def _columns(path: Path) -> pd.DataFrame:
    """The three columns as read, empty cells and "NA" kept as text."""
    try:
        names = _names(path)
        # without index_col=False, pandas would take a first column for row labels where all rows end in a comma
        return pd.read_csv(
            path,
            names=names,
            header=0,
            index_col=False,
            usecols=COLUMNS,
            dtype={"arm": "category"},
            na_filter=False,
            low_memory=False,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read the patients in {path}", [str(error)[:200]]) from error


def _names(path: Path) -> list[str]:
    """Columns of the header, of which each row must fill every one (pandas would cut or fill rows in silence)."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (row for row in csv.reader(file, skipinitialspace=True) if row)
        names = [name.strip() for name in next(rows, [])]
        _check_header(path, names)
        ragged = [(number, len(row)) for number, row in enumerate(rows, start=1) if len(row) != len(names)]
    if ragged:
        shown = ", ".join(f"patient {number}: {cells}" for number, cells in ragged[:_SHOWN])
        problem = f"got {len(ragged)} rows with another number of cells than the header ({shown}); allowed is {len(names)}"
        raise DataError(f"cannot use the patients in {path}", [problem])
    return names


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    problems = [f"got the column {name!r} twice; allowed is once" for name in dict.fromkeys(names) if names.count(name) > 1]
    if missing:
        hint = "; separate the columns by commas" if len(names) == 1 else ""
        shown = ", ".join(repr(name[:_SHOWN_CHARACTERS]) for name in names[:_SHOWN_COLUMNS]) or "none"
        problems.append(f"got the columns {shown}; missing {'is' if len(missing) == 1 else 'are'} {', '.join(missing)}{hint}")
    if problems:
        raise DataError(f"cannot use the patients in {path}", problems)


def _time(column: pd.Series) -> np.ndarray:
    """Times as numbers, NaN for anything else."""
    if column.dtype == bool:
        return np.full(column.size, np.nan)
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _event(column: pd.Series) -> np.ndarray:
    """1 for an event, 0 for a censoring, NaN for anything else."""
    if column.dtype == bool or pd.api.types.is_numeric_dtype(column.dtype):
        event = column.to_numpy(dtype=float)
        return np.where((event == 0) | (event == 1), event, np.nan)
    return column.astype(str).str.strip().str.lower().map(_EVENTS).to_numpy(dtype=float)


def _bad(mask: np.ndarray, column: pd.Series, name: str, allowed: str) -> list[str]:
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        return []
    shown = ", ".join(f"patient {row + 1}: {str(column.iloc[row])[:_SHOWN_CHARACTERS]!r}" for row in rows[:_SHOWN])
    more = ", ..." if rows.size > _SHOWN else ""
    return [f"{name}: got {rows.size} bad value{'s' * (rows.size > 1)} ({shown}{more}); allowed is {allowed}"]
