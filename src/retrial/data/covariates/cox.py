"""Cox regressions of patients with covariates: the frequentist voice beside the adjusted models, and what adjustment moves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from retrial.data.covariates import COMPLETE, CONDITIONAL, Adjustment
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.kernels import COX_EFRON
from retrial.frequentist.library import cox_with_covariates
from retrial.frequentist.rows import RATIO, RowMaker
from retrial.tables.covariates import CovariateRows

SHIFT, INFLATION = "adjustment_shift", "variance_inflation"
"""Log ratio adjusted for all covariates less that adjusted for some; variance of the treatment's log ratio over that unadjusted."""
MEASURE = "hazard_ratio"
_FEWEST = 10
"""Events a column below which estimates are said to be unsteady (Peduzzi et al. 1995, J Clin Epidemiol 48:1503)."""


def cox_rows(given: Adjustment, level: float) -> list[Estimate]:
    """Treatment and covariates together; the treatment adjusted for all, for all but one, for one and for none, on the same patients; what
    each adjustment moves, and by how much the covariates inflate the variance of the treatment's estimate.
    """
    rows = given.rows
    source = f"{given.source}; lifelines"
    found = {kept: _fitted(rows, kept) for kept in _subsets(rows)}
    full = tuple(rows.covariates)
    made = list[Estimate]()
    for kept, fit in found.items():
        if not kept and not rows.left_out:
            continue  # that of the endpoint's life table
        maker = RowMaker(given.endpoint, source, level, ", ".join(kept))
        made += maker.log_ratio_rows_or_failed(MEASURE, RATIO, COX_EFRON, functools.partial(_treatment, fit))
    made += _coefficients(RowMaker(given.endpoint, source, level, rows.names), rows, found[full])
    made += _moved(RowMaker(given.endpoint, source, level, rows.names), found, full)
    note = "; ".join(filter(None, (_few_events(rows), *rows.words[1:])))
    return [
        dataclasses.replace(row, variant=row.variant or (CONDITIONAL if row.adjusted_for else COMPLETE), note=note)
        for row in made
    ]


Fit = tuple[np.ndarray, np.ndarray] | str


def _subsets(rows: CovariateRows) -> list[tuple[str, ...]]:
    """All covariates first, then all but one, one alone, none."""
    every = rows.covariates
    asked = [every, *(tuple(x for x in every if x != out) for out in every), *((x,) for x in every), ()]
    return list(dict.fromkeys(asked))


def _fitted(rows: CovariateRows, kept: Sequence[str]) -> Fit:
    """Coefficients, the treatment's first, and their covariance; or why there are none."""
    places = [place for place, column in enumerate(rows.columns) if column.covariate in kept]
    columns = np.column_stack([rows.experimental.astype(float), rows.values[:, places]])
    try:
        return cox_with_covariates(rows.time, rows.event, rows.entry, columns)
    except DataError as error:
        return error.title


def _treatment(fit: Fit) -> tuple[float, float]:
    if isinstance(fit, str):
        raise DataError(fit)
    return float(fit[0][0]), float(np.sqrt(fit[1][0, 0]))


def _coefficients(maker: RowMaker, rows: CovariateRows, fit: Fit) -> Iterator[Estimate]:
    for place, column in enumerate(rows.columns, start=1):
        contrasts = {column.contrast: 1.0} if column.level else {column.contrast: 1.0, column.of_a_unit: column.scale}
        for contrast, scale in contrasts.items():
            if isinstance(fit, str):
                yield maker.failed(MEASURE, contrast, COX_EFRON, fit, "ratio")
                continue
            b, se = fit[0][place] / scale, np.sqrt(fit[1][place, place]) / scale
            yield from maker.log_ratio_rows(MEASURE, contrast, COX_EFRON, float(b), float(se))


def _moved(maker: RowMaker, found: dict[tuple[str, ...], Fit], full: tuple[str, ...]) -> Iterator[Estimate]:
    """Adjustment shifts as `multivariable` models name them, and the variance inflation; no interval, both fits are of the same patients."""
    of_all = found[full]
    for kept, fit in found.items():
        if kept == full or isinstance(of_all, str) or isinstance(fit, str):
            continue
        row = maker.row(SHIFT, RATIO, COX_EFRON, float(of_all[0][0] - fit[0][0]), unit="log ratio")
        yield dataclasses.replace(row, variant=f"from adjusted for {', '.join(kept)}" if kept else "from unadjusted")
    alone = found[()]
    if not isinstance(of_all, str) and not isinstance(alone, str):
        yield maker.row(INFLATION, RATIO, COX_EFRON, float(of_all[1][0, 0] / alone[1][0, 0]), unit="ratio")


def _few_events(rows: CovariateRows) -> str:
    each = float(rows.event.sum()) / (len(rows.columns) + 1)
    return "" if each >= _FEWEST else f"{each:.1f} events a coefficient: fewer than {_FEWEST} make estimates unsteady"
