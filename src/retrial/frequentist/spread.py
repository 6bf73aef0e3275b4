"""What the reconstructions of an endpoint say together: the typical estimate, and how far it moves from table to table."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from retrial.estimate import NAN, Estimate
from retrial.frequentist.kernels import Kernels
from retrial.frequentist.library import Library
from retrial.frequentist.rows import CONFIDENCE_LEVEL, TYPICAL
from retrial.frequentist.survival import common_horizon, survival_estimates
from retrial.tables.life_table import LifeTable


def spread(
    table: LifeTable,
    endpoint: str,
    times: Sequence[float] = (),
    horizon: float | None = None,
    level: float = CONFIDENCE_LEVEL,
    source: str = "",
    weights: np.ndarray | None = None,
) -> list[Estimate]:
    """Rows of `survival_estimates` on every table, summarised by `summarise`, and on a typical one; with one table, its rows as they are.

    The compiled kernels do all tables; lifelines and statsmodels the typical one, whose rows have the variant `TYPICAL`.
    `horizon` where None is the longest follow-up that both arms have in every table, so that all tables answer one question.
    """
    reach = common_horizon(table) if horizon is None else horizon
    limit = None if math.isnan(reach) else reach
    if table.n_reconstructions == 1:
        return survival_estimates(table, endpoint, times, limit, 0, level, source)
    each = range(table.n_reconstructions)
    rows = summarise([survival_estimates(table, endpoint, times, limit, index, level, source, Kernels) for index in each])
    index = typical_table(table, np.ones(len(each)) if weights is None else weights)
    where = _joined(source, f"reconstruction {index} (from 0), whose Kaplan-Meier curves are the closest to all others'")
    typical = survival_estimates(table, endpoint, times, limit, index, level, where)
    return rows + [dataclasses.replace(row, variant=TYPICAL) for row in typical if row.model in Library.said]


def typical_table(table: LifeTable, weights: np.ndarray) -> int:
    """Index of the medoid: the table with the least weighted mean area between its arms' Kaplan-Meier curves and the others'.

    Chosen by the curves, not by a printed statistic, which all tables share; a table, not an average, so that one can redo it.
    """
    survival = np.cumprod(1 - table.events.to_numpy() / np.maximum(table.at_risk.to_numpy(), 1), axis=-1)[..., :-1]
    widths = np.diff(table.times)
    return int(np.argmin([weights @ (np.abs(survival - one) @ widths).sum(axis=1) for one in survival]))


def summarise(by_table: Sequence[Sequence[Estimate]]) -> list[Estimate]:
    """Two rows for each subject and model, over the tables in which it did not fail.

    The value: medians over the tables of its point, limits and SE: the interval of a typical table.
    The range: the median point, with the smallest and the largest point as limits and interval kind "none".
    A quantity that failed in some tables says in how many and why; one that failed in all is a failed row.
    """
    grouped: dict[tuple[object, str], list[Estimate]] = {}
    for rows in by_table:
        for row in rows:
            grouped.setdefault((row.subject, row.model), []).append(row)
    return [summary for rows in grouped.values() for summary in _summary(rows, len(by_table))]


def _summary(rows: list[Estimate], tables: int) -> list[Estimate]:
    """The two summary rows of one quantity, or its one failed row."""
    good = [row for row in rows if not row.failed]
    if not good:
        return [dataclasses.replace(rows[0], status=f"{rows[0].status} (in all {tables} reconstructions)")]
    note = f"{len(good)} of {tables} reconstructions"
    if len(good) < tables:
        note += f" ({next((row.status for row in rows if row.failed), 'absent in the others')})"
    points = np.array([row.point for row in good])
    known = points[~np.isnan(points)]
    typical = dataclasses.replace(
        next((row for row in good if row.interval_kind != "none"), good[0]),
        point=_median(points),
        lower=_median(np.array([row.lower for row in good])),
        upper=_median(np.array([row.upper for row in good])),
        sd=_median(np.array([row.sd for row in good])),
        source=_joined(good[0].source, f"median over {note}"),
        note=_joined(*(f"in {n} of {len(good)} tables: {text}" for text, n in Counter(row.note for row in good).items() if text)),
    )
    moved = dataclasses.replace(
        typical,
        statistic="range",
        lower=float(known.min(initial=np.inf)) if known.size else NAN,
        upper=float(known.max(initial=-np.inf)) if known.size else NAN,
        sd=NAN,
        level=NAN,
        interval_kind="none",
        note="",
        source=_joined(good[0].source, f"median, smallest and largest over {note}"),
    )
    return [typical, moved]


def _median(values: np.ndarray) -> float:
    """Median of numbers that may be infinite (a median not reached), of those that are numbers; NaN where none is, or it lies between -∞ and ∞."""
    known = np.sort(values[~np.isnan(values)])
    if known.size == 0:
        return NAN
    low, high = known[(known.size - 1) // 2], known[known.size // 2]
    if np.isinf(low) and np.isinf(high):
        return float(low) if low == high else NAN
    return float(low) if low == high else float((low + high) / 2)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
