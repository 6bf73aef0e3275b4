"""What data say of a log ratio β alone, so that any prior of β gives its posterior at once: in closed form, or by weights of draws.

p(β | y) ∝ π(β) L(β)        L(β) = ∫ p(y | β, η) p(η | β) dη, the nuisance parameters η under the model's own priors
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import stats

from retrial.frequentist.ratios import LogRatio
from retrial.priors.prior import Prior

_NODES, _NODE_REACH = 20_001, 12.0
"""Points of the likelihood, over so many of its SDs."""
_ONE_SD = float(stats.norm.sf(1.0))
"""Probability beyond a limit that is one SD from the median."""
_HALVINGS = 45
"""Of a bracket: a tipping value to 3e-14 of it."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Posteriors of β under several priors, (cell,) each: P(β < 0), its Monte Carlo error, median and limits.

    `size` is the effective number of draws, infinite in closed form.
    """

    below: np.ndarray
    error: np.ndarray
    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray
    size: np.ndarray


class Likelihood(Protocol):
    """L(β), of whatever model."""

    def normal(self, mu: np.ndarray, sigma: np.ndarray, tail: float) -> Cells:
        """Posteriors under the priors N(mu, sigma²), (cell,); limits with the probability `tail` beyond each."""

    def below_one(self, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """P(β < 0) alone under the same priors, (cell,)."""

    def under(self, prior: Prior, tail: float) -> Cells:
        """The posterior under one prior, as one cell."""

    def cdf(self, prior: Prior, x: np.ndarray) -> np.ndarray:
        """P(β < x) at points (x,) under one prior."""

    def for_no_effect(self, _prior: Prior, /) -> float:
        """Bayes factor L(0) / ∫ L(β) π(β) dβ of no effect against a prior; NaN where draws are all that is known of L."""

    def with_bias(self, mean: float, sd: float) -> Likelihood:
        """L of β where what was estimated is β + b, b ~ N(mean, sd²): ∫ L(β + b) N(b; mean, sd²) db."""


@dataclass(frozen=True, eq=False)
class NormalLikelihood:
    """y ~ N(β, s²); `closed_form` is the normal model's posterior under any prior, a distribution with cdf and ppf."""

    data: LogRatio
    closed_form: Callable[[LogRatio, Prior], Any]

    def normal(self, mu: np.ndarray, sigma: np.ndarray, tail: float) -> Cells:
        variance = 1 / (1 / self.data.se**2 + 1 / sigma**2)
        mean, sd = variance * (self.data.estimate / self.data.se**2 + mu / sigma**2), np.sqrt(variance)
        half = float(stats.norm.isf(tail)) * sd
        none = np.zeros(np.shape(mean))
        return Cells(stats.norm.cdf(-mean / sd), none, mean - half, mean, mean + half, none + np.inf)

    def below_one(self, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        return self.normal(mu, sigma, 0.5).below

    def under(self, prior: Prior, tail: float) -> Cells:
        if prior.family == "normal":
            return self.normal(np.array([prior["mu"]]), np.array([prior["sigma"]]), tail)
        posterior = self.closed_form(self.data, prior)
        lower, median, upper = (np.array([float(posterior.ppf(q))]) for q in (tail, 0.5, 1 - tail))
        return Cells(self.cdf(prior, np.zeros(1)), np.zeros(1), lower, median, upper, np.full(1, np.inf))

    def cdf(self, prior: Prior, x: np.ndarray) -> np.ndarray:
        if prior.family == "normal":
            cells = self.normal(np.array([prior["mu"]]), np.array([prior["sigma"]]), _ONE_SD)
            return np.asarray(stats.norm.cdf(x, cells.median, cells.median - cells.lower))
        return np.asarray(self.closed_form(self.data, prior).cdf(x))

    def for_no_effect(self, prior: Prior) -> float:
        """N(y; 0, s²) / ∫ N(y; β, s²) π(β) dβ: exact for normals and their mixtures, by the trapezoidal rule over β for a t."""
        y, s = self.data.estimate, self.data.se
        if "sigma" in prior.names and prior.family != "student_t":
            weights = prior["weights"] if "weights" in prior.names else 1.0
            marginal = np.sum(np.asarray(weights) * stats.norm.pdf(y, prior["mu"], np.hypot(s, prior["sigma"])))
        else:
            beta = y + s * np.linspace(-_NODE_REACH, _NODE_REACH, _NODES)
            marginal = np.trapezoid(stats.norm.pdf(y, beta, s) * distribution_of(prior).pdf(beta), beta)
        return float(stats.norm.pdf(y, 0.0, s) / marginal)

    def with_bias(self, mean: float, sd: float) -> NormalLikelihood:
        moved = dataclasses.replace(self.data, estimate=self.data.estimate - mean, se=math.hypot(self.data.se, sd))
        return NormalLikelihood(moved, self.closed_form)


@functools.lru_cache(maxsize=256)
def distribution_of(prior: Prior) -> Any:
    """`prior.distribution`, made once: making one takes as long as a posterior of a grid. To be asked, not to draw from, as it is shared."""
    return prior.distribution


def crossing(value: Callable[[np.ndarray], np.ndarray], level: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a monotone function of (cell,) arguments crosses a level between `low` and `high`, by bisection; NaN where it does not."""
    at_low, at_high = value(low) - level, value(high) - level
    found = at_low * at_high <= 0
    left, right, sign = low.astype(float), high.astype(float), np.sign(at_low)
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        same = np.sign(value(middle) - level) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return np.where(found, (left + right) / 2, np.nan)
