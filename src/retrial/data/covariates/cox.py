"""Cox regressions of patients with covariates: the frequentist voice beside the adjusted models, and what adjustment moves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from retrial.data.covariates import COMPLETE, CONDITIONAL, Adjustment
from retrial.data.kind import Fits
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.kernels import COX_EFRON
from retrial.frequentist.library import cox_with_covariates
from retrial.frequentist.rows import RATIO, RowMaker
from retrial.tables.covariates import CovariateRows

SHIFT, INFLATION, VARIANCES = "adjustment_shift", "variance_inflation", "variance_ratio"
"""Log ratio adjusted for all covariates less that adjusted for some; V_jj I_jj of the treatment in the full model, as of a printed one; and its
variance over that unadjusted, of two models."""
MEASURE = "hazard_ratio"
_NEARLY = 1e-2
"""Share of a column's spread that the others leave of it, below which its effect cannot be told from theirs: variance inflation 10,000."""
_FEWEST = 10
"""Events a column below which estimates are said to be unsteady (Peduzzi et al. 1995, J Clin Epidemiol 48:1503)."""


def cox_fits(given: Adjustment, level: float) -> Fits:
    """The rows of `cox_rows`, and what failed."""
    rows = cox_rows(given, level)
    return Fits(rows, failures=failures_of(rows))


def cox_rows(given: Adjustment, level: float) -> list[Estimate]:
    """Treatment and covariates together; the treatment adjusted for all, for all but one, for one and for none, on the same patients; what
    each adjustment moves, and by how much the covariates inflate the variance of the treatment's estimate. A regression without a
    maximum has failed rows that say why.
    """
    rows = given.rows
    source = f"{given.source}; lifelines"
    found = {kept: _fitted(rows, kept) for kept in _subsets(rows)}
    full = tuple(rows.covariates)
    made = list[Estimate]()
    for kept, fit in found.items():
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
        return "; ".join(filter(None, (error.title, _told_by_others(rows, columns, kept))))


def _told_by_others(rows: CovariateRows, columns: np.ndarray, kept: Sequence[str]) -> str:
    """Which covariate the arm and the others tell but for a part so small that a regression has no maximum; empty where none is."""
    names = ["the arm", *(column.covariate for column in rows.columns if column.covariate in kept)]
    centred = columns - columns.mean(axis=0)
    left = []
    for place in range(1, columns.shape[1]):
        others = np.delete(centred, place, axis=1)
        rest = centred[:, place] - others @ np.linalg.lstsq(others, centred[:, place], rcond=None)[0]
        left.append(float(np.linalg.norm(rest) / np.linalg.norm(centred[:, place])))
    if not left or min(left) > _NEARLY:
        return ""
    place = int(np.argmin(left)) + 1
    arm = abs(np.corrcoef(columns[:, 0], columns[:, place])[0, 1])
    by = f"the arm (correlation {arm:.6f})" if 1 - arm < _NEARLY else "the arm and the other covariates"
    return f"{names[place]} is told by {by} but for {left[place - 1]:.1g} of its spread: take it out of covariates"


def failures_of(found: Sequence[Estimate]) -> list[str]:
    """One line for every regression that has no answer."""
    return list(
        dict.fromkeys(
            f"{row.endpoint}, {row.model}, adjusted for {row.adjusted_for or 'nothing'}: {row.status}"
            for row in found
            if row.failed
        )
    )


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
    if isinstance(of_all, str):
        return
    yield maker.row(INFLATION, RATIO, COX_EFRON, float(of_all[1][0, 0] * np.linalg.inv(of_all[1])[0, 0]), unit="ratio")
    alone = found[()]
    if not isinstance(alone, str):
        yield maker.row(VARIANCES, RATIO, COX_EFRON, float(of_all[1][0, 0] / alone[1][0, 0]), unit="ratio")


def _few_events(rows: CovariateRows) -> str:
    each = float(rows.event.sum()) / (len(rows.columns) + 1)
    return "" if each >= _FEWEST else f"{each:.1f} events a coefficient: fewer than {_FEWEST} make estimates unsteady"
