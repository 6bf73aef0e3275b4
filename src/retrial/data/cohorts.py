"""A two-arm count with historical controls: the data, and the control arm's prior that they make, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.interpolate import CubicSpline

from retrial.data.two_arms import TwoArms
from retrial.priors.prior import Prior
from retrial.priors.two_level import binomial_studies

COHORT = "cohort"
_LOGITS = np.linspace(-15.0, 15.0, 1501)
"""Logits at which the predictive density is tabulated; a cubic spline of its logarithm lies between."""
_OFFSET_NODES = 11
"""Gauss-Hermite nodes for the criteria's log odds ratio."""


@dataclass(frozen=True)
class BorrowedCounts:
    """Both arms' counts, earlier cohorts' counts, and by what multiple of the criteria's log odds ratio each cohort is shifted."""

    arms: TwoArms
    events: tuple[int, ...]
    n: tuple[int, ...]
    offsets: tuple[float, ...]
    robust_weight: float

    @property
    def structure(self) -> tuple[object, ...]:
        return ()

    def updates(self) -> dict[str, np.ndarray]:
        return {
            "events": np.array(self.arms.events, dtype=float),
            "n": np.array(self.arms.n, dtype=float),
            "historical_events": np.array(self.events, dtype=float),
            "historical_n": np.array(self.n, dtype=float),
            "offsets": np.array(self.offsets, dtype=float),
            "robust_weight": np.array(self.robust_weight),
        }


@dataclass(frozen=True, eq=False)
class Predictive:
    """Meta-analytic predictive distribution of the control arm's logit; `log_density` is its logarithm at any logit."""

    log_density: Callable[[np.ndarray], np.ndarray]
    between: tuple[float, float]
    """Posterior mean and SD of the between-cohort SD."""

    def probability(self, q: float) -> float:
        """Quantile of the control arm's response probability."""
        density = np.exp(self.log_density(_LOGITS))
        cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return float(1 / (1 + np.exp(-np.interp(q, cumulative / cumulative[-1], _LOGITS))))


@lru_cache(maxsize=64)
def predictive(
    events: tuple[int, ...], n: tuple[int, ...], offsets: tuple[float, ...], mean: Prior, sd: Prior, criteria: Prior
) -> Predictive:
    """Density of the next control arm's logit under logit π_h = θ_h + δ d_h, θ_h ~ N(μ, τ²), δ ~ `criteria` (normal).

    δ by Gauss-Hermite quadrature, each node weighted by the cohorts' marginal likelihood there; (μ, τ) on a grid.
    """
    nodes, weights = hermegauss(_OFFSET_NODES) if any(offsets) else (np.zeros(1), np.ones(1))
    parts, between, log_evidence = [], [], []
    for node in nodes:
        delta = criteria.number("mu") + criteria.number("sigma") * node
        fit = binomial_studies(events, n, sd, mean, shift=tuple(delta * d for d in offsets))
        parts.append(fit.pdf_next(_LOGITS))
        between.append(fit.moments_tau())
        log_evidence.append(fit.log_evidence)
    share = weights * np.exp(np.array(log_evidence) - max(log_evidence))
    share /= share.sum()
    means, sds = np.array(between).T
    tau = float(share @ means)
    spline = CubicSpline(_LOGITS, np.log(np.maximum(share @ np.array(parts), np.finfo(float).tiny)))
    return Predictive(spline, (tau, float(np.sqrt(share @ (sds**2 + means**2) - tau**2))))
