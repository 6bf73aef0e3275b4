"""Kaplan-Meier curves: survival at a time, medians with Brookmeyer-Crowley limits, restricted means with their sampling variance.

The curve comes from `Library` or `Kernels`. It is read here, because lifelines multiplies logarithms, so that 5/6 * 4/5 * 3/4 is
1e-16 above 1/2 and the median the next step, and because its variance of a restricted mean is that of the patients' times, not of
the mean: 33.8 instead of 33.8 / 21 = 1.61 months squared for 21 patients without censoring (leukaemia, placebo, to 20 months).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retrial.errors import DataError
from retrial.frequentist.rows import NO_INTERVAL, z_quantile

_ROUND_OFF = 1e-9
"""S and times that differ by less are equal: round-off is a million times smaller, the steps of 10^7 patients larger."""
MEDIAN = 0.5


@dataclass(frozen=True, eq=False)
class Curve:
    """Survival S just after each time, Greenwood's sum g = sum d / (r (r - d)), inf where S = 0 (var S = S^2 g), and limits; each (T,).

    The limits of S are on the log(-log) scale, NaN where S is 0 or 1.
    """

    times: np.ndarray
    survival: np.ndarray
    greenwood: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def last(self) -> float:
        """Longest recorded time, in months."""
        return float(self.times[-1])

    @property
    def reaches_zero(self) -> bool:
        return bool(self.survival[-1] == 0)


def _index(curve: Curve, time: float) -> int:
    """Index of the last time up to `time`, -1 before the first; `DataError` beyond the end of a curve above 0: S is unknown there."""
    if not time >= 0:
        raise DataError(f"got the time {time}; allowed is a number of months from 0")
    if time > curve.last + _ROUND_OFF and not curve.reaches_zero:
        raise DataError(f"{time:g} months is beyond the last time, {curve.last:g}")
    return int(np.searchsorted(curve.times, time + _ROUND_OFF, side="right")) - 1


def log_log_limits(survival: np.ndarray, greenwood: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits S^exp(+- z sqrt(g) / |log S|) of the log-log transform (Kalbfleisch, Prentice 1980); NaN where S is 0 or 1."""
    inside = (survival > 0) & (survival < 1)
    log_s = np.log(np.where(inside, survival, MEDIAN))
    width = z_quantile(level) * np.sqrt(np.where(inside, greenwood, 0.0)) / np.abs(log_s)
    lower, upper = (np.where(inside, np.exp(log_s * np.exp(sign * width)), np.nan) for sign in (1, -1))
    return lower, upper


def survival_at(curve: Curve, time: float) -> tuple[float, tuple[float, float], float]:
    """S(t), its limits and its Greenwood SE at t months; no limits where S(t) is 1 or 0.

    Raises `DataError` where the curve ends, above 0, before t.
    """
    index = _index(curve, time)
    s = 1.0 if index < 0 else float(curve.survival[index])
    if not 0 < s < 1:
        return s, NO_INTERVAL, math.nan
    return s, (float(curve.lower[index]), float(curve.upper[index])), s * math.sqrt(curve.greenwood[index])


def survival_difference(
    control: Curve, experimental: Curve, time: float, level: float
) -> tuple[float, tuple[float, float], float]:
    """S_e(t) - S_c(t) with Wald limits from the two Greenwood variances. Raises `DataError` as `survival_at` does."""
    (s_c, _, se_c), (s_e, _, se_e) = (survival_at(curve, time) for curve in (control, experimental))
    se = math.hypot(*np.nan_to_num([se_c, se_e]))
    if se == 0:
        return s_e - s_c, NO_INTERVAL, math.nan
    half = z_quantile(level) * se
    return s_e - s_c, (s_e - s_c - half, s_e - s_c + half), se


def first_at_most(times: np.ndarray, values: np.ndarray, bound: float) -> float:
    """First time whose value is at most `bound`; infinite where there is none (NaN values are passed over)."""
    hits = np.flatnonzero(values <= bound + _ROUND_OFF)
    return float(times[hits[0]]) if hits.size else math.inf


def median_survival(curve: Curve) -> tuple[float, tuple[float, float]]:
    """Median, the first t with S(t) <= 1/2, and its limits on the log-log scale (Brookmeyer and Crowley 1982).

    The limits are the first times at which the curve's lower and upper limit are at most 1/2. A median or limit that the
    follow-up does not reach is infinite.
    """
    lower = np.where(curve.survival == 0, 0.0, curve.lower)
    limits = (first_at_most(curve.times, lower, MEDIAN), first_at_most(curve.times, curve.upper, MEDIAN))
    return first_at_most(curve.times, curve.survival, MEDIAN), limits


def stands_at_half(curve: Curve) -> bool:
    """Whether S is exactly 1/2 somewhere, so that programs differ about the median."""
    return bool((np.abs(curve.survival - MEDIAN) <= _ROUND_OFF).any())


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Restricted mean in months, the area under S from 0 to the horizon h, and its sampling SE (Irwin 1949).

    var = sum over event times t_i <= h of A_i^2 d_i / (r_i (r_i - d_i)), A_i the area under S from t_i to h.
    Raises `DataError` where h is not above 0, or where the curve ends, above 0, before h.
    """
    if not 0 < horizon < math.inf:
        raise DataError(f"got the horizon {horizon}; allowed is a number of months above 0")
    _index(curve, horizon)
    inside = curve.times <= horizon + _ROUND_OFF
    edges = np.concatenate([[0.0], curve.times[inside], [horizon]])
    areas = np.concatenate([[1.0], curve.survival[inside]]) * np.maximum(np.diff(edges), 0.0)
    remaining = areas[::-1].cumsum()[::-1][1:]
    terms = np.diff(np.concatenate([[0.0], np.where(np.isfinite(curve.greenwood), curve.greenwood, np.nan)]))[inside]
    variance = np.sum(np.where(remaining > 0, remaining**2 * np.nan_to_num(terms), 0.0))
    return float(areas.sum()), float(math.sqrt(variance))
