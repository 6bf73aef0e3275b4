"""Power-scaling sensitivity: how a posterior moves when its prior, or its likelihood, is raised to a power near 1.

p_α(θ | y) ∝ p(θ)^α p(y | θ), or p(θ) p(y | θ)^α, from the draws at α = 1 by Pareto-smoothed importance weights; the sensitivity is the rate
of the cumulative Jensen-Shannon distance per doubling of α, at α = 0.99 and 1.01. Both sensitive: prior and data disagree; only the
prior: the prior is strong or the data say little.
Source: Kallioinen, Paananen, Bürkner, Vehtari 2024, Stat Comput 34:57; weights and distance as ArviZ computes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats

ALPHAS = (0.99, 1.01)
"""Powers on either side of 1, near enough for a derivative (the paper's)."""
THRESHOLD = 0.05
"""Sensitivity that matters: for a normal posterior, its mean moves by about 0.3 SD when the component counts twice (the paper's)."""
CONFLICT = "potential prior-data conflict"
STRONG_PRIOR = "strong prior or weak data"
NONE_SEEN = "none seen"
_NO_SPREAD = 1e-12
"""A log density that varies by less than this over the draws is flat: its power changes nothing."""
_AXES = (-2, -1)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Sensitivities of one quantity to prior and likelihood, and the largest Pareto k of the four sets of weights.

    k above 0.7 means that the weights, and with them the sensitivities, cannot be trusted.
    """

    prior: float
    likelihood: float
    pareto_k: float

    @property
    def diagnosis(self) -> str:
        if self.prior < THRESHOLD:
            return NONE_SEEN
        return CONFLICT if self.likelihood >= THRESHOLD else STRONG_PRIOR


def sensitivity(draws: np.ndarray, log_prior: np.ndarray, log_likelihood: np.ndarray) -> Sensitivity:
    """Of a scalar quantity's draws (chain, draw); `log_prior` and `log_likelihood` (chain, draw) are those of the same draws.

    `log_prior` may be part of the prior: only that part is scaled.
    """
    prior, k_prior = _rate(draws, log_prior)
    likelihood, k_likelihood = _rate(draws, log_likelihood)
    return Sensitivity(prior, likelihood, max(k_prior, k_likelihood))


def _rate(draws: np.ndarray, log_density: np.ndarray) -> tuple[float, float]:
    """Sensitivity to one component, and the larger Pareto k of its two sets of weights (-inf where it is flat)."""
    if np.ptp(log_density) < _NO_SPREAD:
        return 0.0, -math.inf
    centred = log_density - log_density.mean()
    weights, shapes = [], []
    for alpha in ALPHAS:
        log_weight = array_stats.power_scale_lw(centred, alpha=alpha, axis=_AXES)
        shapes.append(float(array_stats.psislw((1 - alpha) * centred, axis=_AXES)[1]))
        share = np.exp(log_weight)
        weights.append(share / share.sum())
    lower, upper = weights
    scaled = array_stats.power_scale_sense(draws, lower_w=lower, upper_w=upper, lower_alpha=ALPHAS[0], upper_alpha=ALPHAS[1])
    return float(scaled), max(shapes)


def pooled_log_density(log_density: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Log densities of draws pooled over reconstructions, each less its own reconstruction's mean.

    Every reconstruction's posterior is power-scaled by itself: its weights are normalised within it, and to first order in α - 1 the log of
    their mean is (α - 1) times the mean log density. `share` numbers the reconstruction of each draw.
    """
    means = np.bincount(share, log_density) / np.maximum(np.bincount(share), 1)
    return log_density - means[share]
