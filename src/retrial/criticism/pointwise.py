"""Log-likelihood of one patient in each occupied cell of a life table, for every posterior draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from retrial.fit.survival_likelihood import Hazard, SurvivalData, cell_log_likelihood

_COLUMNS_AT_ONCE = 64
"""Times looked at together: some tens of megabytes for the draws of one fit, however long the table is."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Occupied cells of one table, each an index of status (0 event, 1 censored), arm and time; `counts` patients stand in each.

    All arrays are (cell,), ordered by time.
    """

    status: np.ndarray
    arm: np.ndarray
    column: np.ndarray
    counts: np.ndarray

    @property
    def size(self) -> int:
        return self.counts.size

    @property
    def patients(self) -> float:
        return float(self.counts.sum())

    @property
    def is_event(self) -> np.ndarray:
        return self.status == 0

    def take(self, rows: np.ndarray) -> Cells:
        """Some of the cells."""
        return Cells(self.status[rows], self.arm[rows], self.column[rows], self.counts[rows])

    def chunks(self) -> Iterator[np.ndarray]:
        """Rows of the cells of a few times at once, in their order."""
        columns = np.unique(self.column)
        for start in range(0, columns.size, _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            yield np.flatnonzero((self.column >= some[0]) & (self.column <= some[-1]))


def occupied_cells(data: SurvivalData) -> Cells:
    """Cells that hold somebody. Patients censored at time 0, who say nothing of any hazard, are in no cell."""
    column, status, arm = np.nonzero(np.moveaxis(data.counts, -1, 0))
    return Cells(status, arm, column, data.counts[status, arm, column])


def pointwise_log_likelihood(hazard: Hazard, draws: Mapping[str, np.ndarray], data: SurvivalData, cells: Cells) -> np.ndarray:
    """log p(one patient of the cell | draw), shape (draw, cell): log h - H or log(S(previous) - S) of an event, -H of a censoring.

    `draws` are (draw,) or (draw, k). The same formula for every model, whatever it was fitted with (sufficient statistics, padded
    grids), so that models can be compared.
    """
    columns, place = np.unique(cells.column, return_inverse=True)
    parameters = {name: values[..., None, None] for name, values in draws.items()}
    # a draw far out may make H or h too large for a float: its likelihood is then 0, and is treated as such
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values = cell_log_likelihood(hazard, data.times[columns], data.previous[columns], parameters, data.recorded, np)
    return values[:, cells.status, cells.arm, place]
