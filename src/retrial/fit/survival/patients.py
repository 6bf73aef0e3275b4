"""Patients with covariates as a likelihood wants them: cells of one time, arm and covariate pattern each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from retrial.cells import COUNTS
from retrial.errors import DataError
from retrial.fit.survival.likelihood import COLUMN, ROW, STATUS, STATUSES, survival_data
from retrial.tables.covariates import CovariateRows
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded, recording_intervals

MOST_CELLS = 20_000
"""Cells that models are fitted to: at 20,000 a fit of three parameters takes about a minute."""


@dataclass(frozen=True, eq=False)
class PatientData:
    """`SurvivalData` of patients with covariates: a row for every time, arm and covariate pattern that some patient has.

    `times`, `previous` (row,) months and `counts` (status, row) as there; `pattern` (row,) is the place of each row's arm and covariates in
    `experimental` (pattern,), 0 or 1, and `values` (pattern, column).
    """

    times: np.ndarray
    previous: np.ndarray
    counts: np.ndarray
    recorded: Recorded
    pattern: np.ndarray
    experimental: np.ndarray
    values: np.ndarray
    columns: tuple[str, ...]

    dims: ClassVar[tuple[str, ...]] = (STATUS, ROW)

    @property
    def events(self) -> np.ndarray:
        """(1, row)."""
        return self.counts[:1]

    @property
    def points(self) -> np.ndarray:
        """(row,) months at which a censoring and an entry count."""
        return np.asarray(recording_intervals(self.times, self.previous, self.recorded)[2])

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.recorded, self.counts.shape, self.columns)

    @property
    def coords(self) -> dict[str, Any]:
        return {STATUS: list(STATUSES[: len(self.counts)]), ROW: np.arange(self.times.size), COLUMN: list(self.columns)}

    def updates(self) -> dict[str, np.ndarray]:
        """Values of the `pm.Data` made by `observe`."""
        return {"time_months": self.times, "previous_months": self.previous, COUNTS: self.counts, **self.of_rows()}

    def of_rows(self) -> dict[str, np.ndarray]:
        """Arm (row,) and covariates (row, column) of every row."""
        return {"experimental_arm": self.experimental[self.pattern].astype(float), "covariate_values": self.values[self.pattern]}


def patient_data(rows: CovariateRows, table: LifeTable, recorded: Recorded) -> PatientData:
    """The patients at the times of `table`, the life table of the same patients as a model is fitted to it.

    Patients whose cells are the same are counted together; where they stand says `patients_at`. Raises `DataError` beyond `MOST_CELLS`.
    """
    whole = survival_data(table, 0, recorded)
    told, exits, entries = patients_at(rows, table)
    patterns, pattern = np.unique(np.column_stack([rows.experimental, rows.values]), axis=0, return_inverse=True)
    pattern = pattern.ravel()[told]
    status, where, who = [1 - rows.event[told]], [exits], [pattern]
    late = entries >= 0
    if late.any():
        status, where, who = [*status, np.full(int(late.sum()), 2)], [*where, entries[late]], [*who, pattern[late]]
    places = np.column_stack([np.concatenate(where), np.concatenate(who)])
    kinds, row = np.unique(places, axis=0, return_inverse=True)
    if len(kinds) > MOST_CELLS:
        problem = f"got {len(kinds)} kinds of patients that differ by time, arm or covariates; allowed are {MOST_CELLS}"
        raise DataError("too many different patients", [f"{problem}: round times or numeric covariates in the file"])
    counts = np.zeros((len(whole.counts), len(kinds)))
    np.add.at(counts, (np.concatenate(status), row.ravel()), 1.0)
    columns = tuple(column.contrast for column in rows.columns)
    times, previous = whole.times[kinds[:, 0]], whole.previous[kinds[:, 0]]
    return PatientData(times, previous, counts, recorded, kinds[:, 1], patterns[:, 0], patterns[:, 1:], columns)


def patients_at(rows: CovariateRows, table: LifeTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is told of by a hazard (patient,), and the places of these among the table's times above 0: of their exit, and of a late entry
    (-1: under observation from the start).

    An event at time 0 stands at the first time above 0, as in the table; a censoring at 0 says nothing and is left out.
    """
    positive = table.times[table.times > 0]
    moved = np.where((rows.time <= 0) & (rows.event == 1), positive[0], rows.time)
    told = moved > 0
    entries = np.where(rows.entry[told] > 0, _nearest(positive, rows.entry[told]), -1)
    return told, _nearest(positive, moved[told]), entries


def _nearest(grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Place of the grid time that each of `times` is, but for rounding."""
    right = np.clip(np.searchsorted(grid, times), 1, max(grid.size - 1, 1))
    right = np.minimum(right, grid.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(grid[left] - times) <= np.abs(grid[right] - times), left, right)


def draws_at(parameters: Mapping[str, np.ndarray], predictor: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Draws (draw, ...) beside several values (draw, k) of the linear predictor of covariates: (draw k, ...)."""
    k = predictor.shape[1]
    return {**{key: np.repeat(value, k, axis=0) for key, value in parameters.items()}, name: predictor.ravel()}
