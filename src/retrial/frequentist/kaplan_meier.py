"""Kaplan-Meier curves: survival at a time, medians with Brookmeyer-Crowley limits, restricted means with their sampling variance.

Written here and checked against lifelines, because lifelines multiplies logarithms: a curve that stands at exactly 1/2, as
those of small monthly tables do, may come out just above it, and the median one step late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retrial.errors import DataError
from retrial.frequentist.risk_sets import RiskSets
from retrial.frequentist.rows import NO_INTERVAL, z_quantile

_ROUND_OFF = 1e-9
"""S and times that differ by less are equal: round-off is a million times smaller, the steps of 10^7 patients larger."""
MEDIAN = 0.5


@dataclass(frozen=True, eq=False)
class Curve:
    """Survival S just after each time, and Greenwood's sum g = sum d / (r (r - d)), inf where S = 0: var S = S^2 g; each (T,)."""

    times: np.ndarray
    survival: np.ndarray
    greenwood: np.ndarray

    @property
    def last(self) -> float:
        """Longest recorded time, in months."""
        return float(self.times[-1])

    @property
    def reaches_zero(self) -> bool:
        return bool(self.survival[-1] == 0)


def kaplan_meier(risk: RiskSets, arm: str) -> Curve:
    """Product-limit curve of "control", "experimental" or "total" (Kaplan, Meier 1958). Raises `DataError` for an empty arm."""
    risk.last_time(arm)
    events, at_risk = risk.arm(arm)
    present = at_risk > 0
    times, d, r = risk.times[present], events[present], at_risk[present]
    survivors = r - d
    terms = np.full_like(d, np.inf)
    np.divide(d, r * survivors, out=terms, where=survivors > 0)
    return Curve(times, np.cumprod(survivors / r), np.cumsum(terms))


def _state(curve: Curve, time: float) -> tuple[float, float]:
    """S and Greenwood's sum at a time; `DataError` beyond the last time of a curve that has not reached 0, where S is unknown."""
    if not time >= 0:
        raise DataError(f"got the time {time}; allowed is a number of months from 0")
    if time > curve.last + _ROUND_OFF and not curve.reaches_zero:
        raise DataError(f"{time:g} months is beyond the last time, {curve.last:g}")
    index = int(np.searchsorted(curve.times, time + _ROUND_OFF, side="right")) - 1
    return (1.0, 0.0) if index < 0 else (float(curve.survival[index]), float(curve.greenwood[index]))


def log_log_limits(survival: float | np.ndarray, greenwood: float | np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits S^exp(+- z sqrt(g) / |log S|) of the log-log transform (Kalbfleisch, Prentice 1980); NaN where S is 0 or 1."""
    s, g = np.asarray(survival, dtype=float), np.asarray(greenwood, dtype=float)
    inside = (s > 0) & (s < 1)
    log_s = np.log(np.where(inside, s, MEDIAN))
    width = z_quantile(level) * np.sqrt(np.where(inside, g, 0.0)) / np.abs(log_s)
    return tuple(np.where(inside, np.exp(log_s * np.exp(sign * width)), np.nan) for sign in (1, -1))  # type: ignore[return-value]


def survival_at(curve: Curve, time: float, level: float) -> tuple[float, tuple[float, float], float]:
    """S(t), its log-log limits and its Greenwood SE at t months; no limits where S(t) is 1 or 0.

    Raises `DataError` where the curve ends, above 0, before t.
    """
    s, g = _state(curve, time)
    if not 0 < s < 1:
        return s, NO_INTERVAL, math.nan
    lower, upper = log_log_limits(s, g, level)
    return s, (float(lower), float(upper)), s * math.sqrt(g)


def survival_difference(
    control: Curve, experimental: Curve, time: float, level: float
) -> tuple[float, tuple[float, float], float]:
    """S_e(t) - S_c(t) with Wald limits from the two Greenwood variances. Raises `DataError` as `survival_at` does."""
    states = [_state(curve, time) for curve in (control, experimental)]
    difference = states[1][0] - states[0][0]
    se = math.sqrt(sum(s**2 * g for s, g in states if s > 0))
    if se == 0:
        return difference, NO_INTERVAL, math.nan
    half = z_quantile(level) * se
    return difference, (difference - half, difference + half), se


def first_at_most(times: np.ndarray, values: np.ndarray, bound: float) -> float:
    """First time whose value is at most `bound`; infinite where there is none (NaN values are passed over)."""
    hits = np.flatnonzero(values <= bound + _ROUND_OFF)
    return float(times[hits[0]]) if hits.size else math.inf


def median_survival(curve: Curve, level: float) -> tuple[float, tuple[float, float]]:
    """Median, the first t with S(t) <= 1/2, and its limits on the log-log scale (Brookmeyer and Crowley 1982).

    The limits are the first times at which the curve's lower and upper log-log limit are at most 1/2. A median or limit that the
    follow-up does not reach is infinite.
    """
    lower_band, upper_band = log_log_limits(curve.survival, curve.greenwood, level)
    lower_band = np.where(curve.survival == 0, 0.0, lower_band)
    limits = (first_at_most(curve.times, lower_band, MEDIAN), first_at_most(curve.times, upper_band, MEDIAN))
    return first_at_most(curve.times, curve.survival, MEDIAN), limits


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Restricted mean in months, the area under S from 0 to the horizon h, and its sampling SE (Irwin 1949).

    var = sum over event times t_i <= h of A_i^2 d_i / (r_i (r_i - d_i)), A_i the area under S from t_i to h.
    Raises `DataError` where h is not above 0, or where the curve ends, above 0, before h.
    """
    if not 0 < horizon < math.inf:
        raise DataError(f"got the horizon {horizon}; allowed is a number of months above 0")
    _state(curve, horizon)
    inside = curve.times <= horizon + _ROUND_OFF
    edges = np.concatenate([[0.0], curve.times[inside], [horizon]])
    areas = np.concatenate([[1.0], curve.survival[inside]]) * np.maximum(np.diff(edges), 0.0)
    remaining = areas[::-1].cumsum()[::-1][1:]
    terms = np.diff(np.concatenate([[0.0], np.where(np.isfinite(curve.greenwood), curve.greenwood, np.nan)]))[inside]
    variance = np.sum(np.where(remaining > 0, remaining**2 * np.nan_to_num(terms), 0.0))
    return float(areas.sum()), float(math.sqrt(variance))
