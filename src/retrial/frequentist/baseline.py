"""Baseline table: tests of the arms' comparability, and standardized differences that say how large an imbalance is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import chi2_contingency, t

from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import count_tests, one_sided, published
from retrial.frequentist.rows import CONFIDENCE_LEVEL, DIFFERENCE, RATIO, RowMaker, z_quantile
from retrial.frequentist.two_by_two import TwoByTwo
from retrial.study.fields import CountRow, MeanSD
from retrial.study.sections import BaselineVariable
from retrial.study.study import Study

SMD_MODEL = "standardized_mean_difference"


def baseline_estimates(study: Study, level: float = CONFIDENCE_LEVEL) -> list[Estimate]:
    """Rows of every baseline variable: Student's and Welch's t, or tests of counts, and standardized differences.

    Levels that exclude each other are tested as one table (Pearson; Fisher too where it is 2x2), others level by level.
    A standardized difference above 0.1 is usually read as an imbalance worth adjusting for (Austin 2009, Stat Med 28:3083).
    Raises `DataError` where an arm's n is missing.
    """
    if study.baseline is None:
        return []
    sizes = _sizes(study)
    rows: list[Estimate] = []
    for name, variable in study.baseline.variables.items():
        maker = RowMaker(f"baseline.{name}", _source(study, name, variable), level)
        rows += (
            _means(variable, sizes, maker)
            if variable.levels is None
            else _levels(variable.levels, variable.exclusive, sizes, maker)
        )
    return rows


def published_baseline(study: Study) -> list[Estimate]:
    """Printed p-values of the baseline table."""
    variables = study.baseline.variables if study.baseline is not None else {}
    return [
        replace(
            published(
                f"baseline.{name}",
                "p_value",
                DIFFERENCE if item.levels is None else RATIO,
                item.p,
                _source(study, name, item),
                f"baseline.variables.{name}.p",
                "p-value",
            ),
            note=one_sided(item),
        )
        for name, item in variables.items()
        if item.p is not None
    ]


def _sizes(study: Study) -> tuple[int, int]:
    """Patients of control and experimental arm."""
    missing = [f"arms.{arm}.n: missing; needed for the baseline table" for arm in ARMS if not study.n(arm)]
    if missing:
        raise DataError("cannot compare the baseline table", missing)
    control, experimental = (int(study.n(arm) or 0) for arm in ARMS)
    return control, experimental


def _source(study: Study, name: str, variable: BaselineVariable) -> str:
    where = variable.where or (study.baseline.where if study.baseline is not None else "")
    return ", ".join(part for part in (where, variable.label or name) if part)


def _means(variable: BaselineVariable, sizes: tuple[int, int], maker: RowMaker) -> list[Estimate]:
    control, experimental = variable.control, variable.experimental
    if control is None or experimental is None:
        return []
    return [
        *_t_test(control, experimental, sizes, maker, "student_t"),
        *_t_test(control, experimental, sizes, maker, "welch_t"),
        _smd_row(lambda: mean_smd(control, experimental), sizes, maker),
    ]


def _t_test(control: MeanSD, experimental: MeanSD, sizes: tuple[int, int], maker: RowMaker, model: str) -> list[Estimate]:
    """Difference in means with its t interval, and the test's p, at the printed means and SDs."""
    try:
        se, df = standard_error((control.sd.value, experimental.sd.value), sizes, model == "student_t")
    except DataError as error:
        return [maker.failed(quantity, DIFFERENCE, model, error.title) for quantity in ("mean_difference", "p_value")]
    difference = experimental.mean.value - control.mean.value
    half = float(t.ppf((1 + maker.level) / 2, df)) * se
    return [
        maker.row("mean_difference", DIFFERENCE, model, difference, (difference - half, difference + half), sd=se),
        maker.row("p_value", DIFFERENCE, model, float(2 * t.sf(abs(difference) / se, df)), unit="p-value"),
    ]


def standard_error(sds: tuple[float, float], sizes: tuple[int, int], equal: bool) -> tuple[float, float]:
    """SE and degrees of freedom of a difference in means: pooled variance (Student), or separate ones (Welch-Satterthwaite).

    Raises `DataError` where an arm has one patient or neither SD is above 0.
    """
    if min(sizes) < 2 or max(sds) == 0:
        raise DataError("a t-test needs two patients an arm and an SD above 0")
    (v1, v2), (n1, n2) = (sds[0] ** 2, sds[1] ** 2), sizes
    if equal:
        pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / (n1 + n2 - 2)
        return math.sqrt(pooled * (1 / n1 + 1 / n2)), n1 + n2 - 2
    a, b = v1 / n1, v2 / n2
    return math.sqrt(a + b), (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))


def mean_smd(control: MeanSD, experimental: MeanSD) -> float:
    """Standardized mean difference (m_e - m_c) / sqrt((s_e^2 + s_c^2) / 2); `DataError` where both SDs are 0."""
    spread = math.sqrt((control.sd.value**2 + experimental.sd.value**2) / 2)
    if spread == 0:
        raise DataError("both SDs are 0")
    return (experimental.mean.value - control.mean.value) / spread


def level_smd(control: np.ndarray, experimental: np.ndarray) -> float:
    """Standardized difference of a variable with K levels, from their counts (Yang and Dalton 2012, SAS Global Forum 335).

    sqrt((p_e - p_c)' S^-1 (p_e - p_c)) over K - 1 levels, S the mean of the arms' multinomial covariances. With two levels it
    carries the sign of the first: (p_e - p_c) / sqrt((p_e q_e + p_c q_c) / 2). Raises `DataError` where S is singular: no
    level is shared.
    """
    used = control + experimental > 0
    c, e = (counts[used] / max(counts.sum(), 1) for counts in (control, experimental))
    if min(control.sum(), experimental.sum()) == 0 or c.size < 2:
        raise DataError("all patients have the same level")
    covariance = sum(np.diag(p) - np.outer(p, p) for p in (c[:-1], e[:-1])) / 2
    if np.linalg.matrix_rank(covariance) < c.size - 1:
        raise DataError("the arms share no level")
    gap = (e - c)[:-1]
    distance = math.sqrt(max(0.0, float(gap @ np.linalg.solve(covariance, gap))))
    return math.copysign(distance, gap[0]) if c.size == 2 else distance


def _smd_row(smd: Callable[[], float], sizes: tuple[int, int], maker: RowMaker, interval: bool = True) -> Estimate:
    """Standardized difference d, with SE^2 = 1/n_c + 1/n_e + d^2 / (2 (n_c + n_e)) (Hedges, Olkin 1985) where it has a sign."""
    name = "standardized_mean_difference"
    try:
        d = smd()
    except DataError as error:
        return maker.failed(name, DIFFERENCE, SMD_MODEL, error.title)
    if not interval:
        return maker.row(name, DIFFERENCE, SMD_MODEL, d)
    se = math.sqrt(1 / sizes[0] + 1 / sizes[1] + d**2 / (2 * sum(sizes)))
    half = z_quantile(maker.level) * se
    return maker.row(name, DIFFERENCE, SMD_MODEL, d, (d - half, d + half), sd=se)


def _levels(levels: dict[str, CountRow], exclusive: bool, sizes: tuple[int, int], maker: RowMaker) -> list[Estimate]:
    counts = {name: (int(row.control.n), int(row.experimental.n)) for name, row in levels.items()}
    if exclusive and len(counts) > 1:
        return _exclusive_levels(np.array(list(counts.values())).T, maker)
    rows: list[Estimate] = []
    for name, (control, experimental) in counts.items():
        table = TwoByTwo(control, sizes[0], experimental, sizes[1])
        rows += _binary(table, replace(maker, endpoint=f"{maker.endpoint}.{name}"))
    return rows


def _binary(table: TwoByTwo, maker: RowMaker) -> list[Estimate]:
    sizes = (table.n_control, table.n_experimental)
    experimental, control = table.cells
    return [*count_tests(table, maker), _smd_row(lambda: level_smd(control, experimental), sizes, maker)]


def _exclusive_levels(counts: np.ndarray, maker: RowMaker) -> list[Estimate]:
    """Tests of a (2 arms, K levels) table; patients with no known level are left out, as the paper's own tests would."""
    control, experimental = counts
    sizes = (int(control.sum()), int(experimental.sum()))
    if min(sizes) > 0 and counts.shape[1] == 2:
        return _binary(TwoByTwo(int(control[0]), sizes[0], int(experimental[0]), sizes[1]), maker)
    smd = _smd_row(lambda: level_smd(control, experimental), sizes, maker, interval=False)
    used = counts[:, counts.sum(axis=0) > 0]
    name = "pearson_chi_square"
    if min(sizes) == 0 or used.shape[1] < 2:
        failed = [
            maker.failed(quantity, RATIO, name, "all patients have the same level") for quantity in ("chi_square", "p_value")
        ]
        return [*failed, smd]
    result = chi2_contingency(used, correction=False)
    note = f"{result.dof} degree{'s' * (result.dof > 1)} of freedom"
    return [
        maker.row("chi_square", RATIO, name, float(result.statistic), note=note),
        maker.row("p_value", RATIO, name, float(result.pvalue), unit="p-value", note=note),
        smd,
    ]
