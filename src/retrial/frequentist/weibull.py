"""Weibull proportional hazards by maximum likelihood on a life table.

The profile likelihood of two arms with one shape has a single unknown, so its maximum is found to round-off in a millisecond.
lifelines' `WeibullAFTFitter`, against which this is checked, takes 0.15 s a table and stops at 1e-5: too slow for an ensemble
of tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.frequentist.risk_sets import RiskSets

_SMALLEST_SHAPE, _LARGEST_SHAPE = 1e-6, 1e6
"""Shapes searched; beyond them all events are at one time, or spread over a million powers of ten."""


@dataclass(frozen=True, slots=True)
class WeibullFit:
    """H_c(t) = log 2 (t / median_c)^shape, H_e = exp(log_hazard_ratio) H_c; SEs from the observed information.

    `medians` are (control, experimental) in months, `se_log_medians` the SEs of their logarithms.
    Another common form has log T = mu + b x + sigma W (accelerated failure time, as in R and lifelines: lambda = e^mu, rho = 1
    / sigma): shape = rho and log hazard ratio = -b rho, with delta-method variance rho^2 (var b + b^2 var log rho + 2 b cov(b,
    log rho)).
    """

    log_hazard_ratio: float
    se: float
    shape: float
    se_log_shape: float
    medians: tuple[float, float]
    se_log_medians: tuple[float, float]
    log_likelihood: float


def weibull(risk: RiskSets) -> WeibullFit:
    """Maximum likelihood of H_a(t) = e^(alpha_a) t^k with exact times: sum d log h - sum (d + c) H.

    For a given k, e^(alpha_a) = d_a / sum (d + c) t^k; the score of k, d/k + sum d log t - sum_a d_a m_a(k) with m_a the mean
    of log t weighted by (d + c) t^k, falls in k and has one root. Information about k after the alphas: J = d/k^2 + sum_a d_a
    v_a, v_a the variance of log t under the same weights; so var k = 1/J, var alpha_a = 1/d_a + m_a^2 / J, and var beta =
    1/d_e + 1/d_c + (m_e - m_c)^2 / J. Raises `DataError` where an arm has no events, where an event is at time 0, or where the
    shape runs to infinity.
    """
    _check(risk)
    arms = [_Arm.of(risk, index) for index in range(len(ARMS))]
    k = _shape(arms)
    moments = [arm.moments(k) for arm in arms]
    d, alpha = [arm.d for arm in arms], [arm.log_rate(k) for arm in arms]
    means = [mean for mean, _ in moments]
    information = sum(d) / k**2 + sum(events * variance for events, (_, variance) in zip(d, moments, strict=True))
    log_medians = [(math.log(math.log(2)) - a) / k for a in alpha]
    # log median = (log log 2 - alpha) / k: its gradient in (alpha, k) is -(1, log median) / k
    variances = [
        (1 / events + (mean - log_median) ** 2 / information) / k**2
        for events, mean, log_median in zip(d, means, log_medians, strict=True)
    ]
    value = sum(arm.d * (a + math.log(k) - 1) + (k - 1) * arm.sum_log for arm, a in zip(arms, alpha, strict=True))
    return WeibullFit(
        log_hazard_ratio=alpha[1] - alpha[0],
        se=math.sqrt(1 / d[0] + 1 / d[1] + (means[1] - means[0]) ** 2 / information),
        shape=k,
        se_log_shape=1 / (k * math.sqrt(information)),
        medians=(math.exp(log_medians[0]), math.exp(log_medians[1])),
        se_log_medians=(math.sqrt(variances[0]), math.sqrt(variances[1])),
        log_likelihood=value,
    )


@dataclass(frozen=True, eq=False)
class _Arm:
    """One arm's patients n at log times, with d events whose log times add up to `sum_log`; `longest` is the largest log time."""

    log_times: np.ndarray
    n: np.ndarray
    d: float
    sum_log: float
    longest: float

    @classmethod
    def of(cls, risk: RiskSets, index: int) -> _Arm:
        n = risk.events[index] + risk.censored[index]
        used = (n > 0) & (risk.times > 0)  # a censoring at 0 has H = 0 and says nothing
        log_times, events = np.log(risk.times[used]), risk.events[index][used]
        return cls(log_times, n[used], float(events.sum()), float(events @ log_times), float(log_times[-1]))

    def _weights(self, k: float) -> np.ndarray:
        return self.n * np.exp(k * (self.log_times - self.longest))

    def moments(self, k: float) -> tuple[float, float]:
        """Mean and variance of log t under the weights n t^k."""
        weights = self._weights(k)
        mean = float(np.average(self.log_times, weights=weights))
        return mean, float(np.average((self.log_times - mean) ** 2, weights=weights))

    def log_rate(self, k: float) -> float:
        """alpha = log(d / sum n t^k)."""
        return math.log(self.d) - math.log(self._weights(k).sum()) - k * self.longest


def _check(risk: RiskSets) -> None:
    for index, arm in enumerate(ARMS):
        if risk.events[index].sum() == 0:
            raise DataError(f"no events in the {arm} arm")
        if risk.events[index][risk.times <= 0].any():
            raise DataError("an event at time 0 has no Weibull likelihood")


def _shape(arms: list[_Arm]) -> float:
    """Root of the profile score of the shape."""
    total, sum_log = sum(arm.d for arm in arms), sum(arm.sum_log for arm in arms)

    def score(log_k: float) -> float:
        k = math.exp(log_k)
        return total / k + sum_log - sum(arm.d * arm.moments(k)[0] for arm in arms)

    low, high = math.log(_SMALLEST_SHAPE), math.log(_LARGEST_SHAPE)
    if score(high) >= 0:
        raise DataError("all events are at the longest time of their arm: the Weibull shape runs to infinity")
    return math.exp(float(brentq(score, low, high, xtol=1e-15, rtol=8.9e-16)))
