"""The whole frequentist set on one life table, as rows."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from retrial.dims import ARMS, MONTHS_PER_UNIT, TOTAL
from retrial.errors import DataError
from retrial.estimate import NAN, Estimate
from retrial.frequentist.counts import one_sided, published, with_interval
from retrial.frequentist.curve_rows import curve_rows, guarded
from retrial.frequentist.kernels import KAPLAN_MEIER, LOG_RANK, WEIBULL, Kernels
from retrial.frequentist.library import voice
from retrial.frequentist.rows import CONFIDENCE_LEVEL, NO_INTERVAL, RATIO, RowMaker, exp, z_quantile
from retrial.frequentist.weibull import WeibullFit
from retrial.study.sections import Median
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading

MEASURE = "hazard_ratio"


def common_horizon(table: LifeTable) -> float:
    """Longest time, in months, to which both arms of every reconstruction are followed; NaN where an arm has no patients."""
    present = (table.at_risk > 0).to_numpy()
    last = np.where(present, table.times, -1.0).max(axis=-1).min()
    return float(last) if last >= 0 else NAN


def survival_estimates(
    table: LifeTable,
    endpoint: str,
    times: Sequence[float] = (),
    horizon: float | None = None,
    reconstruction: int = 0,
    level: float = CONFIDENCE_LEVEL,
    source: str = "",
    speaker: Callable[[LifeTable, int, float], Kernels] = voice,
) -> list[Estimate]:
    """Rows of one table: patients, events, curves, log-rank test and hazard ratios (experimental / control).

    Kaplan-Meier medians, survival at `times` and restricted means to `horizon` (months; where None, the longest follow-up that
    both arms have), hazard ratios by Cox (Breslow, Efron), one-step Mantel-Haenszel, O/E ratio and Weibull maximum likelihood.
    By lifelines and statsmodels, or by another `speaker`. What a table does not determine (an arm without events, a time beyond
    the follow-up) is a row whose status says why. Raises `DataError` for a reconstruction, time, horizon or level that cannot be.
    """
    _check(times, horizon, level)
    said = speaker(table, reconstruction, level)
    curve = functools.cache(said.curve)
    reach = common_horizon(table.select(reconstruction)) if horizon is None else horizon

    def maker(model: str) -> RowMaker:
        return RowMaker(endpoint, "; ".join(part for part in (source, said.said.get(model, "")) if part), level)

    return [
        *_size_rows(said, maker("life_table")),
        *curve_rows(curve, times, reach, maker(KAPLAN_MEIER)),
        *_test_rows(said, maker(LOG_RANK)),
        *(row for model in RatioReading for row in _ratio_rows(said, model, maker(model))),
        *_weibull_rows(functools.cache(said.weibull), maker(WEIBULL)),
    ]


def _check(times: Sequence[float], horizon: float | None, level: float) -> None:
    z_quantile(level)
    problems = [f"got the time {time}; allowed is a number of months from 0" for time in times if not 0 <= time < math.inf]
    if horizon is not None and not 0 < horizon < math.inf:
        problems.append(f"got the horizon {horizon}; allowed is a number of months above 0")
    if problems:
        raise DataError("cannot summarise a survival curve", problems)


def _size_rows(said: Kernels, maker: RowMaker) -> list[Estimate]:
    numbers = {"patients": said.counts.n, "events": said.counts.events}
    return [
        maker.row(name, arm, "life_table", count(arm), unit="patients")
        for arm in (*ARMS, TOTAL)
        for name, count in numbers.items()
    ]


def _test_rows(said: Kernels, maker: RowMaker) -> list[Estimate]:
    return [
        guarded(maker, "chi_square", RATIO, LOG_RANK, "", lambda: (said.log_rank()[0], NO_INTERVAL, NAN)),
        guarded(maker, "p_value", RATIO, LOG_RANK, "p-value", lambda: (said.log_rank()[1], NO_INTERVAL, NAN)),
    ]


def _ratio_rows(said: Kernels, model: str, maker: RowMaker) -> list[Estimate]:
    return maker.log_ratio_rows_or_failed(MEASURE, RATIO, str(model), lambda: said.log_hazard_ratio(model))


def _weibull_rows(fit: Callable[[], WeibullFit], maker: RowMaker) -> list[Estimate]:
    """Hazard ratio, medians (with limits on the log scale) and shape of the Weibull proportional-hazards fit."""

    def from_log(value: float, se_log: float) -> tuple[float, tuple[float, float], float]:
        factor = exp(z_quantile(maker.level) * se_log)
        return value, (value / factor, value * factor), NAN

    def median(arm: int) -> tuple[float, tuple[float, float], float]:
        return from_log(fit().medians[arm], fit().se_log_medians[arm])

    medians = [
        guarded(maker, "median_survival", arm, WEIBULL, "months", functools.partial(median, index))
        for index, arm in enumerate(ARMS)
    ]
    return [
        *maker.log_ratio_rows_or_failed(MEASURE, RATIO, WEIBULL, lambda: (fit().log_hazard_ratio, fit().se)),
        *medians,
        guarded(maker, "weibull_shape", TOTAL, WEIBULL, "", lambda: from_log(fit().shape, fit().se_log_shape)),
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
                p = published(key, "p_value", RATIO, test.p, source, f"{path}.p", "p-value")
                rows.append(dataclasses.replace(p, note=one_sided(test)))
    return rows


def _published_median(study: Study, key: str, arm: str, median: Median) -> Estimate:
    """A printed median and its interval, in months."""
    months, source = MONTHS_PER_UNIT[study.time_unit], median.where or study.endpoints[key].where
    row = published(key, "median_survival", arm, median.value, source, f"endpoints.{key}.median.{arm}", "months")
    row = dataclasses.replace(
        row,
        point=row.point * months if median.value.first.is_reached else math.nan,
        printed=with_interval(median.value, median.ci),
        converted="" if study.time_unit == "months" else f"from {study.time_unit}",
        note="" if median.value.first.is_reached else "not reached",
    )
    if median.ci is None:
        return row
    lower, upper = median.ci.lower.value * months, median.ci.upper.value * months
    return dataclasses.replace(row, lower=lower, upper=upper, level=median.level, interval_kind="confidence")
