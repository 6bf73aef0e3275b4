"""LOO-PIT of censored times: the distribution of P(T <= t_i | y_-i) over the patients of a table, against the uniform one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.criticism.loo import LeaveOneOut
from retrial.dims import ARMS, TOTAL
from retrial.tables.recorded import Recorded

GROUPS = (*ARMS, TOTAL)
PREDICTED = np.linspace(0.0, 1.0, 101)[:-1]
"""Predicted probabilities at which the distribution of the PIT values is said; at 1 it is 1."""
_PIECES = 16
"""Equal parts that a recording interval is spread over: the mean of many randomised PIT values without their noise."""
_ROUNDING = 1e-9
"""Patients that sums of parts of patients may be off by."""


@dataclass(frozen=True, eq=False)
class PitCurve:
    """Of one table and group of patients, at `PREDICTED`, (predicted,).

    `observed` is the share of PIT values up to each, `at_risk` the patients whose value is not below it.
    """

    observed: np.ndarray
    at_risk: np.ndarray


def null_variance(at_risk: np.ndarray) -> np.ndarray:
    """Variance of `observed` under a right model, (1-u)² ∫_0^u dv / ((1-v) Y(v)): Greenwood's with the uniform's hazard 1 / (1-v).

    `at_risk` Y (predicted,). Takes the patients for independent of each other; infinite where nobody is at risk.
    """
    with np.errstate(divide="ignore"):
        per_patient = 1.0 / at_risk
    steps = -np.diff(np.log1p(-PREDICTED)) * (per_patient[:-1] + per_patient[1:]) / 2
    return (1 - PREDICTED) ** 2 * np.append(0.0, np.cumsum(steps))


def pit_curve(left_out: LeaveOneOut, group: str, recorded: Recorded) -> PitCurve:
    """Kaplan-Meier estimate of the distribution of the LOO-PIT values of one arm, or of both (`total`).

    A patient with an event has the value u = P(T <= t | y_-i), spread evenly over the probabilities of its recording interval
    (Czado, Gneiting, Held 2009, Biometrics 65:1254, in place of a random draw); one censored at c has a value somewhere above
    P(T <= c | y_-i), a right-censored value. Under a right model the values are uniform, so that the Kaplan-Meier estimate of
    their distribution follows the diagonal: Cox-Snell residuals (1968, JRSS B 30:248) on the probability scale, with the
    leave-one-out predictive distribution for the fitted one.
    """
    cells = left_out.cells
    mine = np.ones(cells.size, dtype=bool) if group == TOTAL else cells.arm == ARMS.index(group)
    start, end = left_out.pit_start[mine], left_out.pit_end[mine]
    is_event, counts = cells.is_event[mine], cells.counts[mine]
    if recorded == "ceiling":
        # censored at the end of its interval, not within it
        start = np.where(is_event, start, end)
    share = (np.arange(_PIECES) + 0.5) / _PIECES
    values = (start[:, None] + (end - start)[:, None] * share).ravel()
    return _kaplan_meier(values, np.repeat(is_event, _PIECES), np.repeat(counts / _PIECES, _PIECES))


def _kaplan_meier(values: np.ndarray, is_event: np.ndarray, weight: np.ndarray) -> PitCurve:
    """Product-limit estimate from weighted values, events before censorings where they tie."""
    order = np.lexsort((~is_event, values))
    values, is_event, weight = values[order], is_event[order], weight[order]
    left = np.concatenate([[0.0], np.cumsum(weight)])
    total = left[-1]
    at_risk = total - left[:-1]
    hazard = np.where(is_event, np.minimum(weight / np.maximum(at_risk, _ROUNDING), 1.0), 0.0)
    observed = 1.0 - np.concatenate([[1.0], np.cumprod(1.0 - hazard)])
    up_to = np.searchsorted(values, PREDICTED, side="right")
    below = np.searchsorted(values, PREDICTED, side="left")
    remaining = total - left[below]
    return PitCurve(observed[up_to], np.where(remaining > _ROUNDING, remaining, 0.0))
