"""Prior, likelihood and posterior of a printed log ratio as curves: what a reader's belief becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

_REACH = 4.5
"""Standard errors on either side of the estimate and of no effect: beyond, the likelihood is below 1/20,000 of its peak."""
_POINTS = 481


@dataclass(frozen=True, eq=False)
class Belief:
    """Densities per log unit over the log ratios `x`, and P(β < x | y).

    prior        as it is, its mass outside `x` not in view
    likelihood   standardised: of area 1, the posterior under a flat prior
    posterior    ∝ prior × likelihood, of area 1
    below        its cumulative probability
    """

    x: np.ndarray
    prior: np.ndarray
    likelihood: np.ndarray
    posterior: np.ndarray
    below: np.ndarray


def belief(estimate: float, se: float, log_density: Callable[[np.ndarray], np.ndarray]) -> Belief:
    """Curves of the normal model y ~ N(β, se²) under any prior of β, by the trapezoidal rule on one grid.

    The grid holds the estimate, no effect and `_REACH` standard errors around both, and the prior is taken on it: for a prior far from both
    the posterior is still within the likelihood's reach.
    """
    low, high = min(estimate, 0.0) - _REACH * se, max(estimate, 0.0) + _REACH * se
    x = np.linspace(low, high, _POINTS)
    likelihood = stats.norm.pdf(x, estimate, se)
    logs = log_density(x)
    joint = np.exp(logs + stats.norm.logpdf(x, estimate, se) - np.max(logs + stats.norm.logpdf(x, estimate, se)))
    area = np.concatenate([[0.0], np.cumsum((joint[1:] + joint[:-1]) / 2 * np.diff(x))])
    return Belief(x, np.exp(logs), likelihood, joint / area[-1], area / area[-1])
