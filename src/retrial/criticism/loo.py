"""Leave one patient out of one reconstruction, by Pareto-smoothed importance sampling. Never between reconstructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats
from scipy.special import logsumexp

from retrial.answers import curves
from retrial.criticism.pointwise import Cells, hazard_at_entry, occupied_cells, pointwise_log_likelihood
from retrial.criticism.recording import recording_intervals
from retrial.errors import FitError
from retrial.fit.survival.likelihood import Hazard, SurvivalData

_HIGHEST_LIMIT = 0.7
"""Pareto k beyond which importance sampling is not to be trusted, however many draws (Vehtari et al. 2024)."""
_FLAT = 1e-9
"""A log-likelihood that varies less over the draws has no tail: leaving the patient out changes nothing."""
_TAIL_DRAWS = 225.0
"""Draws times relative efficiency at which the tail, 3 sqrt(draws / efficiency), is a fifth of the draws: its largest share."""


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Leave-one-patient-out prediction of one table by one fit; arrays are (cell,), each value that of ONE patient of the cell.

    elpd         log p(y_i | y_-i)
    p_loo        log p(y_i | y) - elpd: effective parameters that the patient takes
    pareto_k     tail shape of the patient's importance ratios; above `limit` the value is not to be trusted
    pit_start    P(T <= start of the recording interval | y_-i), in the patient's arm, given the entry; `pit_end` the same for its end
    """

    cells: Cells
    elpd: np.ndarray
    p_loo: np.ndarray
    pareto_k: np.ndarray
    pit_start: np.ndarray
    pit_end: np.ndarray
    limit: float

    @property
    def elpd_loo(self) -> float:
        """Σ c · elpd: c patients of a cell have the same log-likelihood."""
        return float(self.cells.counts @ self.elpd)

    @property
    def elpd_se(self) -> float:
        """sqrt(n · variance over the n patients); Vehtari, Gelman, Gabry 2017, equation 23."""
        return standard_error(self.elpd, self.cells.counts)

    @property
    def effective_parameters(self) -> float:
        return float(self.cells.counts @ self.p_loo)

    @property
    def share_above_limit(self) -> float:
        """Share of the patients whose Pareto k is above the limit, or could not be had."""
        return float(self.cells.counts @ ~(self.pareto_k <= self.limit) / self.cells.patients)


def standard_error(values: np.ndarray, counts: np.ndarray) -> float:
    """SE of Σ c v over n = Σ c patients, sqrt(n · Σ c (v - mean)² / (n - 1)); 0 of one patient."""
    mean, n = np.average(values, weights=counts), counts.sum()
    return float(np.sqrt(n * (counts @ (values - mean) ** 2) / max(n - 1.0, 1.0)))


def pareto_limit(draws: int) -> float:
    """min(1 - 1 / log10(draws), 0.7): the k that this many draws can bear (Vehtari et al. 2024, section 3.2.4)."""
    return float(min(1.0 - 1.0 / np.log10(draws), _HIGHEST_LIMIT))


def smoothed_log_weights(log_likelihood: np.ndarray, efficiency: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Normalised log weights (draw, cell) of 1 / p(y_i | draw), Pareto-smoothed, and k (cell,).

    `efficiency` is the draws' effective sample size over their number. ArviZ's PSIS; Vehtari, Simpson, Gelman, Yu, Gabry 2024,
    J. Machine Learning Research 25(72). A cell that no draw tells from another has weights 1 / draws and k = 0.
    """
    size = log_likelihood.shape[0]
    weights, k = np.full(log_likelihood.shape, -np.log(size)), np.zeros(log_likelihood.shape[1])
    steep = np.ptp(log_likelihood, axis=0) > _FLAT
    if steep.any():
        tail = min(1.0, max(efficiency, _TAIL_DRAWS / size))
        found, k[steep] = array_stats.psislw(log_likelihood[:, steep], r_eff=tail, axis=0)
        weights[:, steep] = found.T
    return weights, k


def leave_one_out(hazard: Hazard, draws: Mapping[str, np.ndarray], data: SurvivalData, efficiency: float = 1.0) -> LeaveOneOut:
    """PSIS-LOO of every patient of one table, from the draws (draw,) or (draw, k) of a fit to that table.

    log p(y_i | y_-i) = log Σ_s w_is p(y_i | θ_s), w_is smoothed from 1 / p(y_i | θ_s); PIT values with the same weights:
    Σ_s w_is F(t | θ_s). Vehtari, Gelman, Gabry 2017, Statistics and Computing 27:1413. Raises `FitError` where a draw gives a
    patient no finite likelihood.
    """
    cells = occupied_cells(data)
    parts = [_part(hazard, draws, data, cells.take(rows), efficiency) for rows in cells.chunks()]
    elpd, p_loo, k, start, end = (np.concatenate(column) for column in zip(*parts, strict=True))
    return LeaveOneOut(cells, elpd, p_loo, k, start, end, pareto_limit(next(iter(draws.values())).shape[0]))


def _part(
    hazard: Hazard, draws: Mapping[str, np.ndarray], data: SurvivalData, cells: Cells, efficiency: float
) -> tuple[np.ndarray, ...]:
    """elpd, p_loo, Pareto k and both PIT values of some cells."""
    log_likelihood = pointwise_log_likelihood(hazard, draws, data, cells)
    if not np.isfinite(log_likelihood).all():
        raise FitError("got draws without a finite log-likelihood; leave-one-out needs one of every draw and patient")
    log_weights, k = smoothed_log_weights(log_likelihood, efficiency)
    elpd = logsumexp(log_weights + log_likelihood, axis=0)
    everybody = logsumexp(log_likelihood, axis=0) - np.log(log_likelihood.shape[0])
    weights = np.exp(log_weights)
    intervals = recording_intervals(data.times, data.previous, data.recorded)
    start, end = (_probability_before(hazard, draws, data, times, cells, weights) for times in intervals)
    return elpd, everybody - elpd, k, start, end


def _probability_before(
    hazard: Hazard,
    draws: Mapping[str, np.ndarray],
    data: SurvivalData,
    times: np.ndarray,
    cells: Cells,
    weights: np.ndarray,
) -> np.ndarray:
    """P(T <= the cell's time | y_-i), of who entered late given T > entry."""
    columns, place = np.unique(cells.column, return_inverse=True)
    survival = curves.survival(hazard, draws, times[columns])[:, cells.arm, place]
    late = np.flatnonzero(cells.entry >= 0)
    if late.size:
        at_entry = hazard_at_entry(hazard, draws, data, cells.take(late))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            given = np.exp(np.minimum(np.log(survival[:, late]) + at_entry, 0.0))
        survival[:, late] = np.nan_to_num(given, nan=0.0)
    return np.clip(1.0 - (weights * survival).sum(axis=0), 0.0, 1.0)
