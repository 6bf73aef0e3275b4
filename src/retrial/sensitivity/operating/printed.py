"""Printed ratios: the estimate of another study of this size is y ~ N(β, s²), s the printed standard error, its posterior in closed form.

The studies are no random draws but evenly spaced quantiles of y, so that a share is right to half a study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import stats
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, softmax

from retrial.priors.prior import Prior
from retrial.run_config import Operating
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood, crossing
from retrial.sensitivity.operating.rules import Row, Simulated, characteristic_rows, thresholds

_REACH, _NODES = 6.0, 97
"""Estimates at which posteriors are worked out: so many SEs about a true ratio, and how many."""
_STEP, _NOTHING = 0.15, 36.0
"""Of the logarithm of a t's scale; minus the logarithm of what is left off."""
_FAR = 9.0
"""SDs of a part of a posterior beyond which nothing of it lies."""


def printed_rows(effect: Effect, asked: Operating, tail: float) -> Iterator[Row]:
    """Rows of one printed ratio, a row a true ratio, prior and rule; columns of operating.csv."""
    if effect.printed is None or not isinstance(effect.likelihood, NormalLikelihood):
        return
    good = bool(effect.good)
    truths = np.log(np.array(asked.true_ratios)) * (-1 if good else 1)
    quantiles = stats.norm.ppf((np.arange(asked.studies) + 0.5) / asked.studies)
    for name, prior in effect.priors.items():
        for truth in truths:
            posterior = _Posterior.of(effect.likelihood, prior, float(truth), asked, tail, good)
            found = posterior.at(truth + effect.printed.se * quantiles, 0.5 / asked.studies)
            for row in characteristic_rows(found, float(truth), asked.rules, good):
                yield {**effect.named, "prior": name, "true_ratio": float(np.exp(truth)), "events": effect.events, **row}


@dataclasses.dataclass(frozen=True, eq=False)
class _Posterior:
    """Limits, median and probabilities (row, node) of the posterior at estimates (node,)."""

    nodes: np.ndarray
    values: np.ndarray

    @classmethod
    def of(
        cls, likelihood: NormalLikelihood, prior: Prior, truth: float, asked: Operating, tail: float, good: bool
    ) -> _Posterior:
        reach, at = _REACH * likelihood.data.se, np.concatenate(thresholds(asked.rules, good))
        nodes, half = np.linspace(truth - reach, truth + reach, _NODES), len(asked.rules)
        values = posteriors_at(likelihood.data.se, prior, nodes, at, tail)
        benefit, harm = values[3 : 3 + half], values[3 + half :]
        return cls(nodes, np.concatenate([values[:3], *((1 - benefit, harm) if good else (benefit, 1 - harm))]))

    def at(self, estimates: np.ndarray, error: float) -> Simulated:
        """Between nodes by monotone cubics: each of them rises or falls with the estimate."""
        lower, median, upper, *chances = PchipInterpolator(self.nodes, self.values, axis=1)(estimates)
        half = len(chances) // 2
        known = np.ones(estimates.size, bool)
        return Simulated(lower, median, upper, np.array(chances[:half]), np.array(chances[half:]), known, error)


def posteriors_at(s: float, prior: Prior, nodes: np.ndarray, at: np.ndarray, tail: float) -> np.ndarray:
    """Lower limit, median, upper limit, and P(β < x) for x of `at`, (row, node), of all estimates together; limits and median by bisection."""
    weights, mu, sigma = as_normals(prior)
    y = nodes[:, None]
    sd = 1 / np.sqrt(1 / s**2 + 1 / sigma**2)
    mean = sd**2 * (y / s**2 + mu / sigma**2)
    share = softmax(np.log(weights) + stats.norm.logpdf(y, mu, np.hypot(s, sigma)), axis=1)

    def cdf(x: np.ndarray) -> np.ndarray:
        return np.asarray((share * ndtr((x[:, None] - mean) / sd)).sum(axis=1))

    low, high = (mean - _FAR * sd).min(axis=1), (mean + _FAR * sd).max(axis=1)
    limits = [crossing(cdf, level, low, high) for level in (tail, 0.5, 1 - tail)]
    return np.array([*limits, *(cdf(np.full(nodes.size, x)) for x in at)])


def as_normals(prior: Prior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and SDs of the normals that a prior on the real line is a mixture of.

    A Student t with ν degrees of freedom is one of N(μ, σ² / g), g ~ Gamma(ν / 2, ν / 2): the trapezoidal rule in log g converges geometrically.
    """
    mu, sigma = np.atleast_1d(prior["mu"]), np.atleast_1d(prior["sigma"])
    if prior.family != "student_t":
        return np.asarray(prior["weights"] if "weights" in prior.names else np.ones(1)), mu, sigma
    half = prior.number("nu") / 2
    log_g = np.arange(-_NOTHING / half, np.log(_NOTHING / half + _NOTHING), _STEP)
    weights = softmax(half * log_g - half * np.exp(log_g))
    return weights[weights > 0], np.broadcast_to(mu, log_g.shape)[weights > 0], (sigma * np.exp(-log_g / 2))[weights > 0]
