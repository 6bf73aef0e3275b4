"""Kaplan-Meier rows of one life table: each arm, all patients, and the difference between the arms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import DataError
from retrial.estimate import NAN, Estimate
from retrial.frequentist.kaplan_meier import (
    Curve,
    median_survival,
    restricted_mean,
    stands_at_half,
    survival_at,
    survival_difference,
)
from retrial.frequentist.kernels import KAPLAN_MEIER as MODEL
from retrial.frequentist.rows import DIFFERENCE, NO_INTERVAL, RowMaker, z_quantile

AT_HALF = (
    "S(t) is exactly 1/2 at the median: this is the first such time, as in Stata; R and SAS take the middle of these times, "
    "lifelines their end where rounding leaves S above 1/2"
)
"""Note of a median about which programs differ."""
CurveOf = Callable[[str], Curve]
"""Curve of "control", "experimental" or "total"; raises `DataError` where the arm is empty."""
Number = tuple[float, tuple[float, float], float]
"""Point, limits, SE."""


def curve_rows(curve: CurveOf, times: Sequence[float], horizon: float, maker: RowMaker) -> list[Estimate]:
    """Medians, survival at the times, restricted means to the horizon (months), and their differences, experimental - control."""
    arms = [row for arm in (*ARMS, TOTAL) for row in _arm_rows(curve, arm, times, horizon, maker)]
    return [*arms, *_difference_rows(curve, times, horizon, maker)]


def guarded(
    maker: RowMaker, quantity: str, contrast: str, model: str, unit: str, compute: Callable[[], Number], time: float = NAN
) -> Estimate:
    """The row of `compute()`, or a failed row with the `DataError` that it raises."""
    try:
        point, interval, sd = compute()
    except DataError as error:
        return maker.failed(quantity, contrast, model, error.title, unit, time)
    return maker.row(quantity, contrast, model, point, interval, sd=sd, unit=unit, time=time)


def _arm_rows(curve: CurveOf, arm: str, times: Sequence[float], horizon: float, maker: RowMaker) -> list[Estimate]:
    def median() -> Number:
        return *median_survival(curve(arm)), NAN

    def survival(time: float) -> Number:
        return survival_at(curve(arm), time)

    def mean() -> Number:
        return _wald(*_restricted_mean(curve(arm), horizon), maker)

    middle = guarded(maker, "median_survival", arm, MODEL, "months", median)
    return [
        middle if middle.failed or not stands_at_half(curve(arm)) else replace(middle, note=AT_HALF),
        *(guarded(maker, "survival", arm, MODEL, "probability", partial(survival, time), time) for time in times),
        guarded(maker, "rmst", arm, MODEL, "months", mean, horizon),
    ]


def _difference_rows(curve: CurveOf, times: Sequence[float], horizon: float, maker: RowMaker) -> list[Estimate]:
    def medians() -> Number:
        control, experimental = (median_survival(curve(arm))[0] for arm in ARMS)
        if math.isinf(control) and math.isinf(experimental):
            raise DataError("neither arm reaches its median")
        return experimental - control, NO_INTERVAL, NAN

    def survival(time: float) -> Number:
        return survival_difference(curve(CONTROL), curve(EXPERIMENTAL), time, maker.level)

    def means() -> Number:
        (control, se_c), (experimental, se_e) = (_restricted_mean(curve(arm), horizon) for arm in ARMS)
        return _wald(experimental - control, math.hypot(se_c, se_e), maker)

    name, unit = "survival_difference", "probability"
    return [
        guarded(maker, "median_difference", DIFFERENCE, MODEL, "months", medians),
        *(guarded(maker, name, DIFFERENCE, MODEL, unit, partial(survival, time), time) for time in times),
        guarded(maker, "rmst_difference", DIFFERENCE, MODEL, "months", means, horizon),
    ]


def _restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    if math.isnan(horizon):
        raise DataError("no horizon that both arms reach: one has no patients")
    return restricted_mean(curve, horizon)


def _wald(point: float, se: float, maker: RowMaker) -> Number:
    if se == 0:
        return point, NO_INTERVAL, NAN
    half = z_quantile(maker.level) * se
    return point, (point - half, point + half), se
