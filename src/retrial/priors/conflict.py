"""Which prior fights the data: Box's prior predictive p and posterior mixture weights of a printed ratio."""

from __future__ import annotations

import numpy as np
from scipy import stats

from retrial.priors.effective_size import posterior_weights
from retrial.priors.prior import Prior

_POINTS = 20_001
_REACH = 12.0
"""Predictive SDs on either side that hold every density worth comparing."""


def box_p(prior: Prior, estimate: float, se: float) -> float:
    """P(m(Y) <= m(y)) under the prior predictive m of an estimate with this SE (Box 1980, J R Stat Soc A 143:383).

    m(y) = ∫ N(y; β, s²) p(β) dβ. For N(μ, σ²): 2 Φ(-|y - μ| / sqrt(s² + σ²)). Mixtures of normals by their exact predictive mixture, Student t by
    quadrature over β. Small: the estimate lies where this prior expects none.
    """
    if prior.family == "normal":
        return float(2 * stats.norm.sf(abs(estimate - prior.number("mu")) / np.hypot(se, prior.number("sigma"))))
    weights, mu, sd = _predictive(prior, se)
    spread = float(np.max(sd)) * _REACH
    y = np.linspace(min(mu.min() - spread, estimate), max(mu.max() + spread, estimate), _POINTS)
    density = stats.norm.pdf(y[:, None], mu, sd) @ weights
    here = float(stats.norm.pdf(estimate, mu, sd) @ weights)
    inside = np.where(density > here, density, 0.0)
    return float(min(1.0, max(0.0, 1 - np.trapezoid(inside, y))))


def _predictive(prior: Prior, se: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior predictive as a mixture of normals: weights, means, SDs."""
    if prior.family == "normal_mixture":
        weights, mu, sigma = (np.asarray(prior[name], dtype=float) for name in ("weights", "mu", "sigma"))
        return weights, mu, np.hypot(se, sigma)
    # a t is a scale mixture of normals: precision / σ² ~ Gamma(ν/2, ν/2), at equally probable points
    nu, count = prior.number("nu"), 400
    precision = stats.gamma.ppf((np.arange(count) + 0.5) / count, nu / 2, scale=2 / nu)
    scale = prior.number("sigma") / np.sqrt(precision)
    return np.full(count, 1 / count), np.full(count, prior.number("mu")), np.hypot(se, scale)


def conflict(prior: Prior, estimate: float, se: float) -> dict[str, float]:
    """Box's p, how many predictive SDs the estimate is from the prior's centre, and the last part's weight before and after.

    The weights are NaN where the prior is no mixture; by this project's convention the last part of a robust prior is the vague one.
    """
    before = after = float("nan")
    if prior.family == "normal_mixture":
        before, after = float(np.asarray(prior["weights"])[-1]), float(posterior_weights(prior, estimate, se)[-1])
    median = float(prior.distribution.ppf(0.5))
    return {
        "estimate": estimate,
        "se": se,
        "prior_median": median,
        "box_p": box_p(prior, estimate, se),
        "vague_weight_prior": before,
        "vague_weight_posterior": after,
    }
