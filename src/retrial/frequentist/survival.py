"""The whole frequentist set on one life table, as rows."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, MONTHS_PER_UNIT, TOTAL
from retrial.errors import DataError
from retrial.estimate import NAN, Estimate
from retrial.frequentist.counts import published, with_interval
from retrial.frequentist.cox import Ties, cox
from retrial.frequentist.curve_rows import curve_rows, guarded
from retrial.frequentist.kaplan_meier import kaplan_meier
from retrial.frequentist.log_rank import log_rank, mantel_haenszel, observed_expected
from retrial.frequentist.risk_sets import RiskSets, risk_sets
from retrial.frequentist.rows import CONFIDENCE_LEVEL, NO_INTERVAL, RATIO, RowMaker, exp, z_quantile
from retrial.frequentist.weibull import WeibullFit, weibull
from retrial.study.sections import Median
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

MEASURE = "hazard_ratio"


def common_horizon(table: LifeTable) -> float:
    """Longest time, in months, to which both arms of every reconstruction are followed; NaN where an arm has no patients."""
    try:
        return min(risk_sets(table, index).last_time(arm) for index in range(table.n_reconstructions) for arm in ARMS)
    except DataError:
        return NAN


def survival_estimates(
    table: LifeTable,
    endpoint: str,
    times: Sequence[float] = (),
    horizon: float | None = None,
    reconstruction: int = 0,
    level: float = CONFIDENCE_LEVEL,
    source: str = "",
) -> list[Estimate]:
    """Rows of one table: patients, events, curves, log-rank test and hazard ratios (experimental / control).

    Kaplan-Meier medians, survival at `times` and restricted means to `horizon` (months; where None, the longest follow-up that
    both arms have), hazard ratios by Cox (Breslow, Efron), one-step Mantel-Haenszel, O/E ratio and Weibull maximum likelihood.
    What a table does not determine (an arm without events, a time beyond the follow-up) is a row whose status says why.
    Raises `DataError` for a reconstruction, time, horizon or level that cannot be.
    """
    _check(times, horizon, level)
    risk, maker = risk_sets(table, reconstruction), RowMaker(endpoint, source, level)
    curve = functools.cache(lambda arm: kaplan_meier(risk, arm))
    reach = common_horizon(table.select(reconstruction)) if horizon is None else horizon
    return [
        *_size_rows(risk, maker),
        *curve_rows(curve, times, reach, maker),
        *_test_rows(risk, maker),
        *_weibull_rows(risk, maker),
    ]


def _check(times: Sequence[float], horizon: float | None, level: float) -> None:
    z_quantile(level)
    problems = [f"got the time {time}; allowed is a number of months from 0" for time in times if not 0 <= time < math.inf]
    if horizon is not None and not 0 < horizon < math.inf:
        problems.append(f"got the horizon {horizon}; allowed is a number of months above 0")
    if problems:
        raise DataError("cannot summarise a survival curve", problems)


def _size_rows(risk: RiskSets, maker: RowMaker) -> list[Estimate]:
    rows = []
    for arm in (*ARMS, TOTAL):
        events, at_risk = risk.arm(arm)
        rows += [maker.row("patients", arm, "life_table", at_risk[0], unit="patients")]
        rows += [maker.row("events", arm, "life_table", events.sum(), unit="patients")]
    return rows


def _test_rows(risk: RiskSets, maker: RowMaker) -> list[Estimate]:
    """Log-rank test, and the hazard ratios that need no distribution."""

    def by_cox(ties: Ties) -> tuple[float, float]:
        fit = cox(risk, ties)
        return fit.log_hazard_ratio, fit.se

    models: dict[str, Callable[[], tuple[float, float]]] = {
        "cox_breslow": lambda: by_cox("breslow"),
        "cox_efron": lambda: by_cox("efron"),
        "mantel_haenszel": lambda: mantel_haenszel(risk),
        "observed_expected": lambda: observed_expected(risk),
    }
    return [
        guarded(maker, "chi_square", RATIO, "log_rank", "", lambda: (log_rank(risk).chi_square, NO_INTERVAL, NAN)),
        guarded(maker, "p_value", RATIO, "log_rank", "p-value", lambda: (log_rank(risk).p, NO_INTERVAL, NAN)),
        *(row for model, fit in models.items() for row in maker.log_ratio_rows_or_failed(MEASURE, RATIO, model, fit)),
    ]


def _weibull_rows(risk: RiskSets, maker: RowMaker) -> list[Estimate]:
    """Hazard ratio, medians (with limits on the log scale) and shape of the Weibull proportional-hazards fit."""
    model = "weibull_ml"
    fit = functools.cache(lambda: weibull(risk))

    def from_log(value_of: Callable[[WeibullFit], tuple[float, float]]) -> tuple[float, tuple[float, float], float]:
        value, se_log = value_of(fit())
        factor = exp(z_quantile(maker.level) * se_log)
        return value, (value / factor, value * factor), NAN

    return [
        *maker.log_ratio_rows_or_failed(MEASURE, RATIO, model, lambda: (fit().log_hazard_ratio, fit().se)),
        guarded(
            maker, "median_survival", CONTROL, model, "months", lambda: from_log(lambda w: (w.medians[0], w.se_log_medians[0]))
        ),
        guarded(
            maker,
            "median_survival",
            EXPERIMENTAL,
            model,
            "months",
            lambda: from_log(lambda w: (w.medians[1], w.se_log_medians[1])),
        ),
        guarded(maker, "weibull_shape", TOTAL, model, "", lambda: from_log(lambda w: (w.shape, w.se_log_shape))),
    ]


def published_survival(study: Study) -> list[Estimate]:
    """Printed medians with their intervals (in months), and printed log-rank tests, of every endpoint."""
    rows = []
    for key, endpoint in study.endpoints.items():
        for arm in (*ARMS, TOTAL):
            median = getattr(endpoint.median, arm)
            if median is not None:
                rows.append(_published_median(study, key, arm, median))
        test = endpoint.test
        if test is not None:
            source = test.where or endpoint.where
            path = f"endpoints.{key}.test"
            if test.chi_square is not None:
                rows.append(published(key, "chi_square", RATIO, test.chi_square, source, f"{path}.chi_square"))
            if test.p is not None:
                rows.append(published(key, "p_value", RATIO, test.p, source, f"{path}.p", "p-value"))
    return rows


def _published_median(study: Study, key: str, arm: str, median: Median) -> Estimate:
    """A printed median and its interval, in months."""
    months, source = MONTHS_PER_UNIT[study.time_unit], median.where or study.endpoints[key].where
    row = published(key, "median_survival", arm, median.value, source, f"endpoints.{key}.median.{arm}", "months")
    row = dataclasses.replace(
        row,
        point=row.point * months,
        printed=with_interval(median.value, median.ci),
        converted="" if study.time_unit == "months" else f"from {study.time_unit}",
    )
    if median.ci is None:
        return row
    lower, upper = median.ci.lower.value * months, median.ci.upper.value * months
    return dataclasses.replace(row, lower=lower, upper=upper, level=median.level, interval_kind="confidence")
