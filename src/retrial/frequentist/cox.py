"""Cox regression on the arm, by Newton's method on the risk sets: patients and ties cost nothing, only distinct times do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.frequentist.risk_sets import RiskSets, needs_both_arms

Ties = Literal["breslow", "efron"]
_MAX_STEPS = 100
_MAX_HALVINGS = 60
_LONGEST_STEP = 5.0
"""Steps of the log hazard ratio are cut to a factor of 150, so that a start with little information cannot overflow."""
_TOLERANCE = 1e-12
"""Newton stops when a step is this small against max(1, |beta|): quadratic convergence puts the error at round-off."""


@dataclass(frozen=True, slots=True)
class CoxFit:
    """Log hazard ratio (experimental / control), its SE, and three chi-squares (1 df) of the hypothesis that it is 0."""

    log_hazard_ratio: float
    se: float
    log_likelihood: float
    log_likelihood_null: float
    score_test: float

    @property
    def wald_test(self) -> float:
        return (self.log_hazard_ratio / self.se) ** 2

    @property
    def likelihood_ratio_test(self) -> float:
        return 2 * (self.log_likelihood - self.log_likelihood_null)


@dataclass(frozen=True, eq=False)
class _EventTimes:
    """Event times at which somebody dies: events and numbers at risk (control, experimental), each (T,)."""

    d_c: np.ndarray
    d_e: np.ndarray
    r_c: np.ndarray
    r_e: np.ndarray

    def only(self, chosen: np.ndarray) -> _EventTimes:
        return _EventTimes(self.d_c[chosen], self.d_e[chosen], self.r_c[chosen], self.r_e[chosen])


Terms = tuple[float, float, float]
"""Log-likelihood, score and information at one beta."""


def cox(risk: RiskSets, ties: Ties) -> CoxFit:
    """Maximum of Cox's partial likelihood with Breslow's or Efron's ties.

    At an event time with d_e of D events in the experimental arm and A = r_c + r_e e^beta at risk, the log-likelihood is
    beta d_e - D log A (Breslow 1974), or beta d_e - sum over l < D of log(A - (l/D) (d_c + d_e e^beta)) (Efron 1977).
    Raises `DataError` where no event happens with both arms at risk, or where the maximum is at 0 or infinity (no events in
    one arm while both are at risk).
    """
    needs_both_arms(risk)
    event_times = _event_times(risk)
    terms = _breslow if ties == "breslow" else _efron
    null, score, information = terms(event_times, 0.0)
    beta, maximum, curvature = _newton(lambda value: terms(event_times, value))
    return CoxFit(beta, 1 / math.sqrt(curvature), maximum, null, score**2 / information)


def _event_times(risk: RiskSets) -> _EventTimes:
    """Times with deaths. Where one arm alone is at risk they add a constant to the likelihood, and decide nothing about beta."""
    dying = risk.events.sum(axis=0) > 0
    together = dying & (risk.at_risk > 0).all(axis=0)
    for arm, events in zip(ARMS, risk.events[:, together], strict=True):
        if events.sum() == 0:
            raise DataError(f"no events in the {arm} arm while both arms are at risk")
    (d_c, d_e), (r_c, r_e) = risk.events[:, dying], risk.at_risk[:, dying]
    return _EventTimes(d_c, d_e, r_c, r_e)


def _newton(terms: Callable[[float], Terms]) -> tuple[float, float, float]:
    """Maximum of a concave log-likelihood from beta = 0: (beta, log-likelihood, information)."""
    beta = 0.0
    value, score, information = terms(beta)
    for _ in range(_MAX_STEPS):
        step = min(max(score / information, -_LONGEST_STEP), _LONGEST_STEP)
        for _ in range(_MAX_HALVINGS):
            new = terms(beta + step)
            if new[0] >= value - abs(value) * _TOLERANCE and new[2] > 0:
                break
            step /= 2
        beta += step
        value, score, information = new
        if abs(step) <= _TOLERANCE * max(1.0, abs(beta)):
            return beta, value, information
    raise DataError("Newton's method on the partial likelihood did not converge")


def _breslow(at: _EventTimes, beta: float) -> Terms:
    total = at.d_c + at.d_e
    risk_e = at.r_e * math.exp(beta)
    risk = at.r_c + risk_e
    share = risk_e / risk
    value = beta * at.d_e.sum() - np.sum(total * np.log(risk))
    return float(value), float(at.d_e.sum() - np.sum(total * share)), float(np.sum(total * share * (1 - share)))


def _efron(at: _EventTimes, beta: float) -> Terms:
    """Single deaths as in Breslow's likelihood, which is the same for them and cheaper; ties by `_efron_ties`."""
    tied = at.d_c + at.d_e > 1
    single, ties = _breslow(at.only(~tied), beta), _efron_ties(at.only(tied), beta)
    return single[0] + ties[0], single[1] + ties[1], single[2] + ties[2]


def _efron_ties(at: _EventTimes, beta: float) -> Terms:
    """Efron's sums over l = 0 .. D-1 in closed form (gamma, digamma, trigamma): a tie of 10^6 costs one term.

    With A = r_c + r_e e^beta, B = d_c + d_e e^beta, y = D (A - B) / B >= 0 (computed from the survivors, without cancellation):
    A - (l/D) B = (B/D) (y + D - l), and the experimental share at l is w + k / (y + D - l), w = d_e e^beta / B, k = (r_e
    e^beta - w A) D/B.
    """
    total = at.d_c + at.d_e
    theta = math.exp(beta)
    dying = at.d_c + at.d_e * theta
    risk_e, risk = at.r_e * theta, at.r_c + at.r_e * theta
    y = total * ((at.r_c - at.d_c) + (at.r_e - at.d_e) * theta) / dying
    w, k = at.d_e * theta / dying, (risk_e - at.d_e * theta / dying * risk) * total / dying
    top, bottom = y + total + 1, y + 1
    first = digamma(top) - digamma(bottom)
    second = polygamma(1, bottom) - polygamma(1, top)
    value = beta * at.d_e.sum() - np.sum(total * np.log(dying / total) + gammaln(top) - gammaln(bottom))
    score = at.d_e.sum() - np.sum(total * w + k * first)
    information = np.sum(total * w * (1 - w) + k * (1 - 2 * w) * first - k**2 * second)
    return float(value), float(score), float(information)
