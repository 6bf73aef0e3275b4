"""Weibull proportional hazards by maximum likelihood on a life table.

The profile likelihood of two arms with one shape has a single unknown, so its maximum is found to round-off in a millisecond.
lifelines' `WeibullAFTFitter`, which speaks on one table, takes 0.15 s and stops at 1e-7: too slow for an ensemble of tables. A
test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from retrial.dims import ARMS
from retrial.errors import DataError

LOG_LOG_2 = math.log(math.log(2))
_SMALLEST_SHAPE, _LARGEST_SHAPE = 1e-6, 1e6
"""Shapes searched; beyond them all events are at one time, or spread over a million powers of ten."""

_TRIED_SHAPES = (math.log(1e-3), math.log(1e3), 280)
"""Log shapes at which the score is looked at where it may have several roots: first, last, how many."""


@dataclass(frozen=True, slots=True)
class WeibullFit:
    """H_c(t) = log 2 (t / median_c)^shape, H_e = exp(log_hazard_ratio) H_c; SEs from the observed information.

    `medians` are (control, experimental) in months, `se_log_medians` the SEs of their logarithms.
    """

    log_hazard_ratio: float
    se: float
    shape: float
    se_log_shape: float
    medians: tuple[float, float]
    se_log_medians: tuple[float, float]

    @classmethod
    def from_accelerated(cls, parameters: np.ndarray, covariance: np.ndarray) -> WeibullFit:
        """From log T = mu + b x + W / rho (accelerated failure time, as in R and lifelines), W the log of a unit exponential.

        `parameters` (mu, b, log rho) with their covariance (3, 3). Shape = rho, log hazard ratio = -b rho, log median = mu + b x
        + log log 2 / rho; SEs by the delta method.
        """
        mu, b, log_rho = (float(value) for value in parameters)
        rho = math.exp(log_rho)
        gradients = np.array(
            [[0, -rho, -b * rho], [0, 0, 1], [1, 0, -LOG_LOG_2 / rho], [1, 1, -LOG_LOG_2 / rho]]
        )  # of log hazard ratio, log shape, log medians
        se, se_shape, se_c, se_e = (float(value) for value in np.sqrt(np.diag(gradients @ covariance @ gradients.T)))
        median = math.exp(mu + LOG_LOG_2 / rho)
        return cls(-b * rho, se, rho, se_shape, (median, median * math.exp(b)), (se_c, se_e))


def weibull(times: np.ndarray, events: np.ndarray, leaving: np.ndarray) -> WeibullFit:
    """Maximum likelihood of H_a(t) = e^(alpha_a) t^k with exact times (T,) in months: sum d log h - sum n H; d, n (2 arms, T).

    n counts who leaves at a time less who enters late there (left truncation: log S(t) - log S(entry) = H(entry) - H(t)).
    For a given k, e^(alpha_a) = d_a / sum n t^k; the score of k, d/k + sum d log t - sum_a d_a m_a(k) with m_a the mean of log t
    weighted by n t^k, falls in k and has one root. Information about k after the alphas: J = d/k^2 + sum_a d_a v_a, v_a the
    variance of log t under the same weights (with late entry the weights have signs, the score may have several roots, and the one of the
    highest likelihood is taken); so var k = 1/J, var alpha_a = 1/d_a + m_a^2 / J, and var beta = 1/d_e + 1/d_c +
    (m_e - m_c)^2 / J. Raises `DataError` where an arm has no events, where an event is at time 0, or where the shape runs to
    infinity.
    """
    _check(times, events)
    used = times > 0  # a censoring at 0 has H = 0 and says nothing
    x, d, n = np.log(times[used]), events[:, used].astype(float), leaving[:, used].astype(float)
    deaths, sum_log = d.sum(axis=1), float((d @ x).sum())
    longest = np.array([x[row > 0][-1] for row in n])

    def moments(k: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sum of n (t / longest)^k, mean and variance of log t under these weights, each (2 arms,)."""
        weights = n * np.exp(k * np.minimum(x - longest[:, None], 0.0))
        totals = weights.sum(axis=1)
        mean = weights @ x / totals
        return totals, mean, (weights * (x - mean[:, None]) ** 2).sum(axis=1) / totals

    def score(log_k: float) -> float:
        return float(deaths.sum() / math.exp(log_k) + sum_log - deaths @ moments(math.exp(log_k))[1])

    low, high = math.log(_SMALLEST_SHAPE), math.log(_LARGEST_SHAPE)

    def profile(log_k: float) -> float:
        """Log-likelihood of a shape, with the alphas that are best for it, but for a constant."""
        k = math.exp(log_k)
        return float(deaths.sum() * log_k + k * (sum_log - deaths @ longest) - deaths @ np.log(moments(k)[0]))

    if (n < 0).any():
        low, high = _bracket(score, profile)
    elif score(high) >= 0:
        raise DataError("all events are at the longest time of their arm: the Weibull shape runs to infinity")
    k = math.exp(float(brentq(score, low, high, xtol=1e-15, rtol=8.9e-16)))
    totals, mean, variance = moments(k)
    alpha = np.log(deaths / totals) - k * longest
    information = float(deaths.sum() / k**2 + deaths @ variance)
    log_medians = (LOG_LOG_2 - alpha) / k  # gradient in (alpha, k): -(1, log median) / k
    se_c, se_e = np.sqrt(1 / deaths + (mean - log_medians) ** 2 / information) / k
    return WeibullFit(
        log_hazard_ratio=float(alpha[1] - alpha[0]),
        se=math.sqrt((1 / deaths).sum() + (mean[1] - mean[0]) ** 2 / information),
        shape=k,
        se_log_shape=1 / (k * math.sqrt(information)),
        medians=(math.exp(log_medians[0]), math.exp(log_medians[1])),
        se_log_medians=(float(se_c), float(se_e)),
    )


def _bracket(score: Callable[[float], float], profile: Callable[[float], float]) -> tuple[float, float]:
    """Log shapes around the highest of the likelihood's maxima, where late entry may have given it several; `DataError` for none."""
    grid = np.linspace(*_TRIED_SHAPES)
    scores = np.array([score(log_k) for log_k in grid])
    falls = np.flatnonzero((scores[:-1] > 0) & (scores[1:] <= 0))
    if not falls.size:
        raise DataError("late entry leaves the Weibull shape undetermined: the likelihood has no maximum")
    best = max(falls, key=lambda i: profile(float(grid[i] + grid[i + 1]) / 2))
    return float(grid[best]), float(grid[best + 1])


def _check(times: np.ndarray, events: np.ndarray) -> None:
    for name, counts in zip(ARMS, events, strict=True):
        if counts.sum() == 0:
            raise DataError(f"no events in the {name} arm")
        if counts[times <= 0].any():
            raise DataError("an event at time 0 has no Weibull likelihood")
