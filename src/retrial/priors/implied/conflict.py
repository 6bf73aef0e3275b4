"""Which prior fights the data: Box's prior predictive p and posterior mixture weights of a printed ratio."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from retrial.priors.implied.effective_size import posterior_weights
from retrial.priors.prior import Prior

CONFLICT, LEANING, NONE_SEEN = "conflict", "notable", "none seen"
"""What the conflict table says of a prior."""
SMALL_P = 0.05
"""Box's p below which a prior is said to be in conflict with the estimate."""
NOTABLE, STRONG = 3.0, 10.0
"""Bayes factors of a mixture's vague part against the rest: above the first the data lean away from what the prior states
("substantial"), above the second they have all but discarded it ("strong"; Jeffreys, Theory of Probability, 1961, appendix B)."""
_POINTS = 20_001
_FINE = 0.1
"""Steps between even points that see every normal part, in SDs of the narrowest."""
_REACH = 12.0
"""Predictive SDs on either side that hold every density worth comparing."""


def box_p(prior: Prior, estimate: float, se: float) -> float:
    """P(m(Y) <= m(y)) under the prior predictive m of an estimate with this SE (Box 1980, J R Stat Soc A 143:383).

    m(y) = ∫ N(y; β, s²) p(β) dβ. About one centre μ (normal, Student t, mixtures of these) m falls on both sides, and the p is
    Σ_j w_j 2 Φ(-|y - μ| / sd_j); else by quadrature over y. Small: the estimate lies where this prior expects none.
    """
    weights, mu, sd = _predictive(prior, se)
    if np.ptp(mu) == 0.0:
        return float(2 * stats.norm.sf(np.abs(estimate - mu) / sd) @ weights)
    y = _estimates(mu, sd, estimate)
    density = stats.norm.pdf(y[:, None], mu, sd) @ weights
    here = float(stats.norm.pdf(estimate, mu, sd) @ weights)
    inside = np.where(density > here, density, 0.0)
    return float(min(1.0, max(0.0, 1 - np.trapezoid(inside, y))))


def _estimates(mu: np.ndarray, sd: np.ndarray, estimate: float) -> np.ndarray:
    """Points (point,) over a mixture of normals and the estimate: even, or dense about every mean where even ones would miss a part."""
    spread = float(np.max(sd)) * _REACH
    low, high = min(mu.min() - spread, estimate), max(mu.max() + spread, estimate)
    if (high - low) / _POINTS < _FINE * sd.min():
        return np.linspace(low, high, _POINTS)
    parts = {center: float(sd[mu == center].min()) for center in np.unique(mu)}

    def around(center: float, width: float) -> np.ndarray:
        ends = np.arcsinh((low - center) / width), np.arcsinh((high - center) / width)
        return np.clip(center + width * np.sinh(np.linspace(*ends, _POINTS)), low, high)

    return np.unique([around(center, width) for center, width in parts.items()])


def _predictive(prior: Prior, se: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior predictive as a mixture of normals: weights, means, SDs."""
    if prior.family == "normal":
        return np.ones(1), np.array([prior.number("mu")]), np.array([np.hypot(se, prior.number("sigma"))])
    if prior.family == "normal_mixture":
        weights, mu, sigma = (np.asarray(prior[name], dtype=float) for name in ("weights", "mu", "sigma"))
        return weights, mu, np.hypot(se, sigma)
    # a t is a scale mixture of normals: precision / σ² ~ Gamma(ν/2, ν/2), at equally probable points
    nu, count = prior.number("nu"), 400
    precision = stats.gamma.ppf((np.arange(count) + 0.5) / count, nu / 2, scale=2 / nu)
    scale = prior.number("sigma") / np.sqrt(precision)
    return np.full(count, 1 / count), np.full(count, prior.number("mu")), np.hypot(se, scale)


def conflict(prior: Prior, estimate: float, se: float) -> dict[str, Any]:
    """Box's p, the vague part's weight before and after the estimate, and the verdict of both.

    The vague part of a normal mixture is its widest one; the weights are NaN where no part is wider than all others. Its Bayes factor
    against the rest, [w' / (1 - w')] / [w / (1 - w)], is what Box's p cannot see: that is the whole mixture's, vague part included. The
    verdict is "conflict" for a p below `SMALL_P` or a factor above `STRONG`, "notable" for one above `NOTABLE`, else "none seen".
    """
    before = after = factor = float("nan")
    vague = _vague_part(prior)
    if vague is not None:
        before, after = float(np.asarray(prior["weights"])[vague]), float(posterior_weights(prior, estimate, se)[vague])
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = float(np.divide(after * (1 - before), (1 - after) * before))
    median, p = float(prior.distribution.ppf(0.5)), box_p(prior, estimate, se)
    return {
        "estimate": estimate,
        "se": se,
        "prior_median": median,
        "box_p": p,
        "vague_weight_prior": before,
        "vague_weight_posterior": after,
        "vague_bayes_factor": factor,
        "verdict": CONFLICT if p < SMALL_P or factor > STRONG else LEANING if factor > NOTABLE else NONE_SEEN,
    }


def _vague_part(prior: Prior) -> int | None:
    """Position of a normal mixture's widest part; None where there is no such part."""
    if prior.family != "normal_mixture":
        return None
    sigma = np.asarray(prior["sigma"], dtype=float)
    widest = int(sigma.argmax())
    return widest if (np.delete(sigma, widest) < sigma[widest]).all() and sigma.size > 1 else None
