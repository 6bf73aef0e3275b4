"""Two-level models by deterministic quadrature: studies that scatter about a mean, and what the next one may show.

    y_i | θ_i  normal with known SE, or binomial with logit θ_i;    θ_i ~ N(μ, τ²);    μ ~ prior or flat;    τ ~ prior

No sampling: the reference for the hierarchical models, and the step from a table of evidence to a prior.
Source: Gelman et al., Bayesian Data Analysis, 3rd ed., 5.4; Neuenschwander et al. 2010, Clin Trials 7:5 (meta-analytic predictive priors).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, stats
from scipy.special import logsumexp

from retrial.cells import binomial_cells, binomial_counts
from retrial.errors import DataError
from retrial.priors.prior import Prior

TAU_POINTS = 400
"""Gauss-Legendre nodes of τ for normal studies: errors below 1e-9 for smooth priors (tested)."""
_BINOMIAL_TAU, _BINOMIAL_MU = 61, 121
"""Points of τ and μ for binomial studies."""
_LOGIT = np.linspace(-12.0, 12.0, 4801)
"""Logits over which a study's likelihood is averaged, 0.005 apart: moments of μ and τ are right to 1e-5 (tested)."""
_DROP = 30.0
"""A log density this far below its maximum is left off the grid."""
_TINY_RATE = 1e-12
_NO_LIKELIHOOD = 1e-30
"""Logits where every study's likelihood is below this share of its maximum add nothing."""
_NO_WEIGHT = 1e-14
"""Share of the heaviest node's weight below which a node is left out of a density."""
_NORMAL_TAIL, _BINOMIAL_TAIL = 1e-13, 1e-7
"""Tail probability of τ's prior that is left off; the likelihood is small there too."""
_BRACKET = 1e-12


@dataclass(frozen=True, eq=False)
class TwoLevel:
    """Posterior of (μ, τ) as a finite mixture: node j has weight w_j, τ_j, and μ | node ~ N(mean_j, sd_j²)."""

    weight: np.ndarray
    tau: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    log_evidence: float = 0.0
    """Log marginal likelihood up to a constant that depends on the studies' counts alone."""

    def moments_mu(self) -> tuple[float, float]:
        """Posterior mean and SD of μ."""
        return self._moments(self.mean, self.sd**2)

    def moments_tau(self) -> tuple[float, float]:
        """Posterior mean and SD of τ."""
        return self._moments(self.tau, np.zeros_like(self.tau))

    def moments_next(self) -> tuple[float, float]:
        """Mean and SD of θ in the next study."""
        return self._moments(self.mean, self._variance_next)

    def cdf_next(self, x: float) -> float:
        """P(θ_next <= x)."""
        return float(self.weight @ stats.norm.cdf(x, self.mean, np.sqrt(self._variance_next)))

    def ppf_next(self, q: float) -> float:
        """Quantile of θ_next."""
        reach = 10 * np.sqrt(self._variance_next.max())
        low, high = float(self.mean.min() - reach), float(self.mean.max() + reach)
        return float(optimize.brentq(lambda x: self.cdf_next(x) - q, low, high, xtol=_BRACKET))

    def pdf_next(self, x: np.ndarray) -> np.ndarray:
        """Density of θ_next at points x (n,); nodes that hold next to no weight are left off."""
        kept = self.weight > _NO_WEIGHT * self.weight.max()
        sd = np.sqrt(self._variance_next[kept])
        z = (np.asarray(x)[:, None] - self.mean[kept]) / sd
        return np.exp(-0.5 * z**2) @ (self.weight[kept] / (sd * np.sqrt(2 * np.pi)))

    def shrunken(self, y: float, se: float) -> tuple[float, float]:
        """Posterior mean and SD of θ_i of a normal study that is already in the model."""
        share = self.tau**2 / (self.tau**2 + se**2)
        within = share * se**2 + (1 - share) ** 2 * self.sd**2
        return self._moments(share * y + (1 - share) * self.mean, within)

    @cached_property
    def _variance_next(self) -> np.ndarray:
        return self.sd**2 + self.tau**2

    def _moments(self, means: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
        mean = float(self.weight @ means)
        return mean, float(np.sqrt(self.weight @ (variances + (means - mean) ** 2)))


def normal_studies(y: Sequence[float], se: Sequence[float], tau_prior: Prior, mu_prior: Prior | None = None) -> TwoLevel:
    """Normal studies with known SE; μ flat where no normal prior is given.

    Given τ: μ ~ N(Σ w_i y_i / W, 1/W), w_i = 1 / (se_i² + τ²), W = Σ w_i (the prior of μ is one more study);
    p(τ | y) ∝ p(τ) W^(-1/2) Π N(y_i; μ̂, se_i² + τ²). Raises `DataError` for no study or an SE that is not above 0.
    """
    estimates, errors = np.asarray(y, dtype=float), np.asarray(se, dtype=float)
    if estimates.size == 0 or estimates.shape != errors.shape or not (errors > 0).all():
        raise DataError(
            "cannot pool studies", [f"got {estimates.size} effects and SE {list(errors)}; allowed are equally many, SE above 0"]
        )
    tau, log_prior = _tau_nodes(tau_prior, TAU_POINTS, _NORMAL_TAIL)
    variance = errors**2 + tau[:, None] ** 2
    weights = 1 / variance
    about = _prior_of_mu(mu_prior)
    precision = weights.sum(axis=1) + about[1]
    mean = (weights @ estimates + about[0] * about[1]) / precision
    misfit = (weights * (estimates - mean[:, None]) ** 2).sum(axis=1) + about[1] * (about[0] - mean) ** 2
    log_density = log_prior - 0.5 * (np.log(variance).sum(axis=1) + np.log(precision) + misfit)
    return TwoLevel(_normalised(log_density), tau, mean, 1 / np.sqrt(precision))


def binomial_studies(
    events: Sequence[int], n: Sequence[int], tau_prior: Prior, mu_prior: Prior, shift: Sequence[float] | None = None
) -> TwoLevel:
    """Binomial studies with logits θ_i + shift_i, θ_i ~ N(μ, τ²), on a grid over (μ, τ); each likelihood is averaged over its logit."""
    y, size = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    tau, log_prior = _tau_nodes(tau_prior, _BINOMIAL_TAU, _BINOMIAL_TAIL)
    logit = _LOGIT[:, None] + (0.0 if shift is None else np.asarray(shift, dtype=float))
    rate = np.clip(y / size, _TINY_RATE, 1 - _TINY_RATE)
    best = y * np.log(rate) + (size - y) * np.log1p(-rate)
    cells = np.stack([np.broadcast_to(cell, (_LOGIT.size, y.size)) for cell in binomial_cells(logit, np)])
    likelihood = np.exp((cells * binomial_counts(y, size)[:, None]).sum(axis=0) - best)
    # a quarter of the scales is enough to find the means that matter
    rough = np.linspace(_LOGIT[0] / 2, _LOGIT[-1] / 2, _BINOMIAL_MU)
    profile = _averaged(likelihood, rough, tau[::4]) + log_prior[::4, None] + mu_prior.distribution.logpdf(rough)
    kept = np.flatnonzero(profile.max(axis=0) > profile.max() - _DROP)
    used = np.linspace(rough[max(kept[0] - 1, 0)], rough[min(kept[-1] + 1, rough.size - 1)], _BINOMIAL_MU)
    log_density = _averaged(likelihood, used, tau) + log_prior[:, None] + mu_prior.distribution.logpdf(used)
    step = used[1] - used[0]
    shape = log_density.shape
    return TwoLevel(
        weight=_normalised(log_density.ravel()),
        tau=np.broadcast_to(tau[:, None], shape).ravel(),
        mean=_drawn_in(log_density, used, step / np.sqrt(12)).ravel(),
        sd=np.full(log_density.size, step / np.sqrt(12)),
        log_evidence=float(logsumexp(log_density) + np.log(step)),
    )


def _drawn_in(log_density: np.ndarray, mu: np.ndarray, sd: float) -> np.ndarray:
    """Points of μ at each τ, drawn in towards their mean so far that nodes as wide as `sd` keep the variance (τ, μ)."""
    weight = np.exp(log_density - logsumexp(log_density, axis=1, keepdims=True))
    mean = (weight @ mu)[:, None]
    variance = (weight * (mu - mean) ** 2).sum(axis=1, keepdims=True)
    return mean + (mu - mean) * np.sqrt(np.maximum(1.0 - sd**2 / np.maximum(variance, sd**2), 0.0))


def _averaged(likelihood: np.ndarray, mu: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Log of Π_i ∫ L_i(θ) N(θ; μ, τ²) dθ, shape (τ, μ)."""
    log_density = np.empty((tau.size, mu.size))
    step = _LOGIT[1] - _LOGIT[0]
    kept = likelihood.max(axis=1) > _NO_LIKELIHOOD
    logit, values = _LOGIT[kept], likelihood[kept]
    for row, scale in enumerate(tau):
        # narrower than the grid of logits a normal density has no points to stand on
        wide = max(scale, step)
        kernel = np.exp(-0.5 * ((logit - mu[:, None]) / wide) ** 2) * (step / (wide * np.sqrt(2 * np.pi)))
        with np.errstate(divide="ignore"):
            log_density[row] = np.log(kernel @ values).sum(axis=1)
    return log_density


def _tau_nodes(prior: Prior, points: int, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes of τ over its prior, and the log of weight x prior there; never 0 itself."""
    x, weight = _legendre(points)
    half = float(prior.distribution.isf(tail)) / 2
    tau = half * (x + 1)
    return tau, np.log(half * weight) + np.asarray(prior.distribution.logpdf(tau), dtype=float)


@functools.cache
def _legendre(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, which take a second to find."""
    return np.polynomial.legendre.leggauss(points)


def _normalised(log_weight: np.ndarray) -> np.ndarray:
    return np.exp(log_weight - logsumexp(log_weight))


def _prior_of_mu(prior: Prior | None) -> tuple[float, float]:
    """Mean and precision; precision 0 is flat."""
    if prior is None:
        return 0.0, 0.0
    if prior.family != "normal":
        raise DataError(
            "cannot pool studies", [f"the prior of their mean: got {prior.family}; allowed is normal, or none (flat)"]
        )
    return prior.number("mu"), 1 / prior.number("sigma") ** 2
