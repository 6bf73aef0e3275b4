"""Patients from a CSV to a `LifeTable`: the only reader of patient files."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.dims import ARMS, EXPERIMENTAL, MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.study.arms.names import ArmNames
from retrial.study.sections import PatientFile
from retrial.tables.life_table import LifeTable

MAX_TIME = 1e6
"""Longest time read, in the file's unit (days would make it 2,700 years): beyond it, a column was mistaken for the time."""
_OTHERS, _OTHER = "others", len(ARMS)
"""Stands for the arms that are not compared, and their number in a column of arms."""
NO_ENTRY = "none"
"""Value of `entry` that says: a column `entry` of the file is no time of entry."""
_DELIMITERS = (",", ";", "\t", "|")
_EVENT, _CENSORED = ("1", "true"), ("0", "false")
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-", "?"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_SHOWN = 10
"""Bad rows, or values of a column, named in an error."""
_SHOWN_CHARACTERS = 20
_SHOWN_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of a file as a table in months, events at time 0 still there; `step` is the smallest one between their times
    (months; NaN where all are the same).
    """

    table: LifeTable
    step: float

    @property
    def size(self) -> int:
        return int(self.table.n.sum())


def read_patients(
    path: Path,
    time_unit: str,
    layout: PatientFile | None = None,
    labels: Mapping[str, str] | None = None,
    names: ArmNames = ArmNames(),  # noqa: B008 - frozen
) -> Patients:
    """Read one patient a row and collapse them to a life table in months.

    Columns as `layout` names them: time (in its `time_unit`, else `time_unit`), event, arm and, where there is one, entry; others
    are ignored, the order of rows and columns does not matter. The file is UTF-8 with a header; columns are separated by commas,
    semicolons, tabs or bars, whichever gives the columns. `labels` are further names of the arms, label -> arm;
    `names` what the study file calls them, and its other arms, whose patients are left out.
    Raises `DataError` naming every kind of bad row with the lines of the file (line 1 is the header) and their number.
    """
    layout = PatientFile(file=path.name) if layout is None else layout
    unit = layout.time_unit or time_unit
    if unit not in MONTHS_PER_UNIT:
        raise DataError(f"got the time unit {unit!r}; allowed are {', '.join(MONTHS_PER_UNIT)} (time_unit of the study file)")
    reader = PatientReader(path, layout, {**(labels or {}), **names.roles}, names)
    time, event, arm, entry, _ = reader.columns()
    months = MONTHS_PER_UNIT[unit]
    table = LifeTable.from_patients(
        time * months, event, arm == ARMS.index(EXPERIMENTAL), None if entry is None else entry * months
    )
    return Patients(table, _smallest_step(time) * months)


def _smallest_step(time: np.ndarray) -> float:
    """Smallest difference between times, but for rounding."""
    steps = np.diff(np.unique(time))
    steps = steps[steps > 1e-9 * time.max(initial=1.0)]
    return float(steps.min()) if steps.size else math.nan


@dataclass(frozen=True, eq=False)
class PatientReader:
    """One file on its way to columns of numbers; `labels` are names of the arms, label -> arm."""

    path: Path
    layout: PatientFile
    labels: Mapping[str, str]
    names: ArmNames

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
        """Time, event 0/1, arm 0/1, entry of the patients of both arms, and which rows of the file they are; all problems at once."""
        try:
            delimiter, names = self.header()
            frame = self._cells(delimiter, names)
        except (OSError, ValueError, csv.Error) as error:
            hint = ["save the file as CSV in UTF-8"] if isinstance(error, UnicodeError) else []
            raise DataError(f"cannot read the patients in {self.path}", [str(error)[:200], *hint]) from error
        found = _Found(frame, self.path, delimiter)
        found.header_again(self.layout.event, self.layout.arm)
        entry_name = self._entry(names)
        time = self._times(found, self.layout.time, "time")
        event = self._events(found)
        arm = self._arms(found)
        entry = None
        if entry_name is not None:
            entry = self._times(found, entry_name, "entry")
            late = (entry > 0) & (entry >= time)
            name = _named("entry", entry_name)
            allowed = (
                f"a patient is observed from entry to time, and entry is before it: correct the row or delete it{self._no_entry}"
            )
            found.add(late, f"{name} not before time", allowed, entry_name)
        if frame.empty:
            found.say("got no patients; needed is at least one row in each arm")
        elif not found.problems:
            for name, role in self.names.roles.items():
                if not (arm == ARMS.index(role)).any():
                    found.say(f"arm: got nobody in {name}; needed is at least one row")
        found.raise_if_any()
        mine = arm != _OTHER
        return time[mine], event[mine], arm[mine], None if entry is None else entry[mine], mine

    def header(self) -> tuple[str, list[str]]:
        """Delimiter and columns: those of the delimiter under which the needed columns are found, else the most columns."""
        tried = []
        for delimiter in _DELIMITERS:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                rows = (row for row in csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t") if row)
                tried.append((delimiter, [name.strip() for name in next(rows, [])]))
        needed = {self.layout.time, self.layout.event, self.layout.arm}
        best = max(tried, key=lambda item: (len(needed & set(item[1])), len(item[1])))
        self._check_header(best[1])
        self._check_rows(*best)
        return best

    def _check_header(self, names: list[str]) -> None:
        wanted = {key: getattr(self.layout, key) for key in ("time", "event", "arm")}
        if self.layout.entry not in ("", NO_ENTRY):
            wanted["entry"] = self.layout.entry
        missing = {key: name for key, name in wanted.items() if name not in names}
        problems = [f"got the column {name!r} twice; allowed is once" for name in dict.fromkeys(names) if names.count(name) > 1]
        if missing:
            shown = ", ".join(repr(name[:_SHOWN_CHARACTERS]) for name in names[:_SHOWN_COLUMNS]) or "none"
            gone = ", ".join(missing.values())
            line = self._line(**{key: _alike(name, names) for key, name in missing.items()})
            problems.append(
                f"got the columns {shown}; missing {'is' if len(missing) == 1 else 'are'} {gone}; columns of other names"
                f" are named in the study file: {line}"
            )
        if problems:
            raise DataError(f"cannot use the patients in {self.path}", problems)

    def _line(self, **changed: object) -> str:
        """A line of the study file, with what is to be changed."""
        return f"patients: {_yaml({**self.layout.model_dump(exclude_defaults=True), **changed})}"

    @property
    def _no_entry(self) -> str:
        """What to do where the column was taken for times of entry by its name alone."""
        return "" if self.layout.entry else f"; where the column is no time of entry, write {self._line(entry=NO_ENTRY)}"

    def _check_rows(self, delimiter: str, names: list[str]) -> None:
        """Each row must fill every column (pandas would cut or fill rows in silence)."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            widths = set(map(len, csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t")))
        if widths <= {0, len(names)}:
            return
        ragged = [(line, len(row)) for line, row in _rows(self.path, delimiter) if len(row) != len(names)]
        shown = ", ".join(f"line {line}: {cells}" for line, cells in ragged[:_SHOWN]) + ", ..." * (len(ragged) > _SHOWN)
        problem = f"got {len(ragged)} rows with another number of cells than the header ({shown}); allowed is {len(names)}"
        if delimiter == "," and all(cells > len(names) for _, cells in ragged):
            problem += "; where commas are decimal marks, separate the columns by semicolons or tabs, or quote the numbers"
        raise DataError(f"cannot use the patients in {self.path}", [problem])

    def _entry(self, names: Sequence[str]) -> str | None:
        """Column of the entries; None where everybody is observed from time 0."""
        if self.layout.entry == NO_ENTRY:
            return None
        return self.layout.entry or ("entry" if "entry" in names else None)

    def _cells(self, delimiter: str, names: Sequence[str]) -> pd.DataFrame:
        """The needed columns: times as numbers where every one is a number, else as categories of texts, as the others are."""
        times = [self.layout.time, *(name for name in (self._entry(names),) if name is not None)]
        others = [self.layout.event, self.layout.arm]

        def read(kind: str) -> pd.DataFrame:
            # without index_col=False, pandas would take a first column for row labels where all rows end in a delimiter
            return pd.read_csv(
                self.path,
                sep=delimiter,
                names=list(names),
                header=0,
                index_col=False,
                usecols=[*times, *others],
                dtype={**dict.fromkeys(times, kind), **dict.fromkeys(others, "category")},
                na_filter=False,
                low_memory=False,
                encoding="utf-8-sig",
                skipinitialspace=delimiter != "\t",
            )

        try:
            frame = read("float64")
        except UnicodeError:
            raise
        except ValueError:
            return read("category")
        values = frame[times].to_numpy()
        # pandas takes columns of true and false for numbers
        doubtful = np.isnan(values).any() or any(np.isin(column[:_SHOWN], (0.0, 1.0)).all() for column in values.T)
        return read("category") if doubtful else frame

    def _times(self, found: _Found, column: str, key: str) -> np.ndarray:
        """Numbers from 0 to `MAX_TIME`, NaN for anything else, which is a problem."""
        cells = found.frame[column]
        name = _named(key, column)
        remedy = self._no_entry if key == "entry" else ""
        if cells.dtype == float:
            values = cells.to_numpy()
        else:
            texts, codes = [str(text).strip() for text in cells.cat.categories], cells.cat.codes.to_numpy()
            read, why = numbers(texts, self.layout.decimal)
            values, missing = read[codes], np.array([_is_missing(text) for text in texts], bool)[codes]
            from_start = " (0 for a patient observed from the start)" if key == "entry" else ""
            found.add(missing, f"{name} missing", f"fill in the cell{from_start} or delete the row{remedy}", column)
            if why:
                found.say(f"{name}: {why}, and write {self._line(decimal=',')} where a comma is the decimal mark")
            else:
                found.add(np.isnan(values) & ~missing, f"{name} that is no number", f"allowed is a number{remedy}", column)
        found.add(values < 0, f"{name} negative", "allowed is a number from 0: correct the row or delete it", column)
        found.add(values > MAX_TIME, f"{name} too large", f"allowed is a number up to {MAX_TIME:.0f}", column)
        return values

    def _events(self, found: _Found) -> np.ndarray:
        """1 for an event, 0 for a censoring, NaN for anything else, which is a problem."""
        column = self.layout.event
        cells = found.frame[column].cat
        meaning = dict.fromkeys(map(_plain, self.layout.censored or _CENSORED), 0.0)
        meaning |= dict.fromkeys(map(_plain, self.layout.events or _EVENT), 1.0)
        texts = [_plain(str(text)) for text in cells.categories]
        codes = cells.codes.to_numpy()
        values = np.array([meaning.get(text, np.nan) for text in texts], float)[codes]
        gone = np.array([_is_missing(text) and text not in meaning for text in texts], bool)[codes]
        name = _named("event", column)
        found.add(gone, f"{name} missing", "fill in the cell or delete the row", column)
        if self.layout.events:
            allowed = f"allowed are events: {_listed(self.layout.events)} and censored: {_listed(self.layout.censored)}"
        else:
            values_found = sorted(text for text in dict.fromkeys(texts) if not _is_missing(text))
            low, high = values_found if len(values_found) == len(ARMS) else ("...", "...")
            line = self._line(events=[high], censored=[low]) + " (or the other way round)" * (high != "...")
            allowed = "allowed are 1 or true (event) and 0 or false (censored); other values are said in the study file"
            allowed += f", such as {line}; the column has {_counted(found.frame[column])}"
        found.add(np.isnan(values) & ~gone, f"{name} of unknown meaning", allowed, column)
        return values

    def _arms(self, found: _Found) -> np.ndarray:
        """0 for the control arm, 1 for the experimental one, 2 for arms that are not compared, -1 for anything else, which is a problem."""
        column = self.layout.arm
        texts, codes = (
            [str(text).strip() for text in found.frame[column].cat.categories],
            found.frame[column].cat.codes.to_numpy(),
        )
        meaning = {_plain(label): arm for label, arm in {**self.labels, **self.layout.arms}.items()}
        known = [meaning.get(_plain(text)) for text in texts]
        others = {_plain(name) for name in self.names.others} - set(meaning)
        known = [_OTHERS if _plain(text) in others else arm for text, arm in zip(texts, known, strict=True)]
        values = np.array([-1 if arm is None else (*ARMS, _OTHERS).index(arm) for arm in known], int)[codes]
        unknown = [text for text, arm in zip(texts, known, strict=True) if arm is None]
        gone = np.array([arm is None and _is_missing(text) for text, arm in zip(texts, known, strict=True)], bool)[codes]
        name = _named("arm", column)
        found.add(gone, f"{name} missing", "fill in the cell or delete the row", column)
        shown = [label for label in dict.fromkeys(unknown) if not _is_missing(label)][:_SHOWN]
        line = self._line(arms={**self.layout.arms, **dict.fromkeys(shown, "...")})
        allowed = f"allowed are {' and '.join(self.names.roles)} and the labels of arms; other names are said in the study file: {line}, with"
        allowed += f" {' or '.join(self.names.roles)} for the dots; the column has {_counted(found.frame[column])}"
        found.add((values < 0) & ~gone, f"{name} of unknown name", allowed, column)
        return values


class _Found:
    """Problems of a file's values, each with the lines that have it; rows that were named once as no patients are passed over."""

    def __init__(self, frame: pd.DataFrame, path: Path, delimiter: str) -> None:
        self.frame, self.path, self.delimiter = frame, path, delimiter
        self.problems: list[str] = []
        self._lines: list[int] = []
        self._no_patients = np.zeros(len(frame), dtype=bool)

    def header_again(self, event: str, arm: str) -> None:
        """Name the rows that repeat the header, as files put together from several have them."""
        repeated = ((self.frame[event] == event) & (self.frame[arm] == arm)).to_numpy()
        self.add(repeated, "the header again", "delete the row", event)
        self._no_patients = repeated

    def say(self, problem: str) -> None:
        self.problems.append(problem)

    def add(self, mask: np.ndarray, what: str, allowed: str, column: str) -> None:
        """`what` in the rows of `mask`, where there are any."""
        rows = np.flatnonzero(mask & ~self._no_patients)
        if rows.size == 0:
            return
        if not self._lines:
            self._lines = [line for line, _ in _rows(self.path, self.delimiter)]
        shown = ", ".join(f"line {self._lines[row]}: {_cell(self.frame[column].iloc[row])}" for row in rows[:_SHOWN])
        more = ", ..." if rows.size > _SHOWN else ""
        self.problems.append(f"{what} in {rows.size} row{'s' * (rows.size > 1)} ({shown}{more}); {allowed}")

    def raise_if_any(self) -> None:
        if self.problems:
            raise DataError(f"cannot use the patients in {self.path}", self.problems)


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header that are not empty, each with the line of the file where it starts."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t")
        before, is_header = 0, True
        for row in reader:
            if row and not is_header:
                yield before + 1, row
            is_header = is_header and not row
            before = reader.line_num


def numbers(texts: Sequence[str], decimal: str | None) -> tuple[np.ndarray, str]:
    """Texts as numbers, NaN for anything else; and why it cannot be told what their commas mean, where it cannot.

    Commas are decimal marks where `decimal` says so, or where no text has a point and some cannot be thousands (3,5).
    """
    commas = [text for text in texts if _WITH_COMMA.fullmatch(text) or _THOUSANDS.fullmatch(text)]
    if commas and decimal is None:
        shown = _listed(commas[:3])
        if any("." in text for text in texts if _NUMBER.fullmatch(text)):
            return np.full(len(texts), np.nan), f"got commas ({shown}) beside points; write one decimal mark only"
        if all(_THOUSANDS.fullmatch(text) for text in commas):
            return np.full(len(texts), np.nan), f"got commas ({shown}) that may stand for thousands; write no thousands separator"
        decimal = ","
    if decimal == ",":
        texts = [text.replace(",", ".") if _WITH_COMMA.fullmatch(text) else text for text in texts]
    return np.array([float(text) if _NUMBER.fullmatch(text) else np.nan for text in texts], dtype=float), ""


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(str(value)[:_SHOWN_CHARACTERS])


def _named(key: str, column: str) -> str:
    """What a column is for, and its name where that is another."""
    return key if key == column else f"{key} ({column})"


def _is_missing(text: object) -> bool:
    """Whether a cell holds nothing (empty, NA, a dot, ...)."""
    return str(text).strip().casefold() in _MISSING


def _plain(text: str) -> str:
    """A value without its case, spaces around it, and a decimal part of 0."""
    return re.sub(r"^([+-]?[0-9]+)\.0*$", r"\1", text.strip().casefold())


def _yaml(value: object) -> str:
    """A value as a study file has it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    text = str(value)
    return text if re.fullmatch(r"[\w./][\w./ +-]*", text) else json.dumps(text, ensure_ascii=False)


def _alike(name: str, names: Sequence[str]) -> str:
    """A column that differs in case only, else a word for the user's own."""
    return next((other for other in names if other.casefold() == name.casefold()), "...")


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:_SHOWN]) + ", ..." * (len(values) > _SHOWN)


def _counted(column: pd.Series) -> str:
    """Values of a column of categories, and how many rows have each."""
    counts = column.value_counts(sort=True)
    return _listed([f"{str(value).strip()[:_SHOWN_CHARACTERS] or 'nothing'} ({count})" for value, count in counts.items()])
