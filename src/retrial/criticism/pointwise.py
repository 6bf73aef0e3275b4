"""Log-likelihood of one patient in each occupied cell of a life table, for every posterior draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from retrial.answers import curves
from retrial.dims import ARM, ARMS, TIME
from retrial.fit.ensemble import Question
from retrial.fit.posterior_file import Observed
from retrial.fit.survival.likelihood import Hazard, SurvivalData, cell_log_likelihood, survival_data
from retrial.frequentist.spread import typical_table
from retrial.tables.life_table import LifeTable

SHARES = (0.05, 0.25, 0.75, 0.95)
"""Beside the typical table, these say how far an answer about patients moves from table to table."""
_COLUMNS_AT_ONCE = 64
"""Times looked at together: some tens of megabytes for the draws of one fit, however long the table is."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Occupied cells of one table, each an index of status (0 event, 1 censored), arm and time; `counts` patients stand in each.

    `entry` is the column of the time at which they came under observation, -1 where from the start. All arrays are (cell,), ordered
    by time.
    """

    status: np.ndarray
    arm: np.ndarray
    column: np.ndarray
    counts: np.ndarray
    entry: np.ndarray

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
        return Cells(self.status[rows], self.arm[rows], self.column[rows], self.counts[rows], self.entry[rows])

    def chunks(self) -> Iterator[np.ndarray]:
        """Rows of the cells of a few times at once, in their order."""
        columns = np.unique(self.column)
        for start in range(0, columns.size, _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            yield np.flatnonzero((self.column >= some[0]) & (self.column <= some[-1]))


def occupied_cells(data: SurvivalData) -> Cells:
    """Cells that hold somebody. Patients censored at time 0, who say nothing of any hazard, are in no cell."""
    late, counts = data.late, data.counts[:2].copy()
    if late is not None:
        np.subtract.at(counts, (late.status, late.arm, late.exit), late.count)
    column, status, arm = np.nonzero(np.moveaxis(counts, -1, 0))
    cells = Cells(status, arm, column, counts[status, arm, column], np.full(column.size, -1))
    if late is None:
        return cells
    pairs = [(cells.status, late.status), (cells.arm, late.arm), (cells.column, late.exit), (cells.counts, late.count)]
    both = Cells(*(np.append(one, two) for one, two in [*pairs, (cells.entry, late.entry)]))
    return both.take(np.argsort(both.column, kind="stable"))


def pointwise_log_likelihood(hazard: Hazard, draws: Mapping[str, np.ndarray], data: SurvivalData, cells: Cells) -> np.ndarray:
    """log p(one patient of the cell | draw), shape (draw, cell): log h - H or log(S(a) - S(b)) of an event, -H of a censoring;
    given S at a late entry, + H there.

    `draws` are (draw,) or (draw, k). The same formula for every model, whatever it was fitted with (sufficient statistics, padded
    grids), so that models can be compared.
    """
    columns, place = np.unique(cells.column, return_inverse=True)
    parameters = {name: values[..., None, None] for name, values in draws.items()}
    # a draw far out may make H or h too large for a float: its likelihood is then 0, and is treated as such
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values = cell_log_likelihood(hazard, data.times[columns], data.previous[columns], parameters, data.recorded, np)
        values = values[:, cells.status, cells.arm, place]
        late = np.flatnonzero(cells.entry >= 0)
        if late.size:
            values[:, late] += hazard_at_entry(hazard, draws, data, cells.take(late))
    return values


def hazard_at_entry(hazard: Hazard, draws: Mapping[str, np.ndarray], data: SurvivalData, cells: Cells) -> np.ndarray:
    """H at the entry of every cell, (draw, cell); all of them entered late."""
    entries, place = np.unique(cells.entry, return_inverse=True)
    return curves.cumulative_hazard(hazard, draws, data.points[entries])[:, cells.arm, place]


def patients_observed(hazard: Hazard, question: Question) -> Observed:
    """The tables of a question as patients, one by one, for the file of their posteriors."""

    def cells_of(table: int) -> tuple[SurvivalData, Cells, np.ndarray]:
        data = survival_data(question.table, table, question.recorded)
        cells = occupied_cells(data)
        return data, cells, cells.counts.astype(int)

    def log_likelihood(table: int, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        data, cells, counts = cells_of(table)
        return np.repeat(pointwise_log_likelihood(hazard, draws, data, cells), counts, axis=1)

    def observations(table: int) -> dict[str, np.ndarray]:
        data, cells, counts = cells_of(table)
        about = {ARM: np.array(ARMS)[cells.arm], "months": data.times[cells.column], "event": cells.is_event}
        if data.late is not None:
            about["entry_months"] = np.where(cells.entry >= 0, data.times[cells.entry], 0.0)
        return {name: np.repeat(values, counts) for name, values in about.items()}

    leading = leading_tables(question.table, question.weights)
    return Observed(question.table.data, question.weights, leading, log_likelihood, observations)


def leading_tables(table: LifeTable, weights: np.ndarray) -> np.ndarray:
    """The typical table, and those where `SHARES` of the weight are reached in the order of the crude log rate ratio, each once.

    log((d_e + ½) / T_e) - log((d_c + ½) / T_c), d events in T patient-months: the same tables for every model of an endpoint.
    """
    leaving = table.events + table.censored
    rates = np.log(((table.events.sum(TIME) + 0.5) / (leaving * leaving[TIME]).sum(TIME)).transpose(ARM, ...).to_numpy())
    ranked = np.argsort(rates[1] - rates[0], kind="stable")
    # rounded: which side of a share a sum of equal weights falls on is not to depend on its last bit
    reached = np.cumsum(weights[ranked] / weights.sum()).round(9)
    places = np.minimum(np.searchsorted(reached, SHARES), weights.size - 1)
    return np.array(list(dict.fromkeys([typical_table(table, weights), *ranked[places].tolist()])))
