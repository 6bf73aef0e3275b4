"""How much data a prior is worth, and the posterior weights of its parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from retrial.priors.prior import Prior

EVENT_INFORMATION = 0.25
"""Fisher information of a log hazard ratio per event, arms of equal size: its variance is about 4 / events (Schoenfeld 1981)."""
_POINTS = 4001
_TAIL = 1e-9
_STEP = 1e-4
"""Step of the second derivative, relative to the prior's local width."""


def effective_size(parameter: str, prior: Prior) -> tuple[float, str]:
    """Expected local information ratio E[i(p(θ)) / i_F(θ)] and its unit (Neuenschwander et al. 2020, Biometrics 76:578).

    i(p) = -d²log p / dθ², i_F the Fisher information of one unit: an event for log hazard ratios and medians, a patient for odds
    ratios, logits and probabilities (log odds ratio: half the patients in either arm, response 1/2). For a normal prior of a log
    hazard ratio 4 / σ²; for Beta(a, b) a + b. NaN where a unit makes no sense.
    """
    if prior.family == "beta":
        return prior.number("alpha") + prior.number("beta"), "patients"
    if parameter == "log_hazard_ratio":
        return _ratio(prior, lambda x: np.full_like(x, EVENT_INFORMATION)), "events"
    if parameter == "log_odds_ratio":
        # 1 / variance of a log odds ratio of n/2 + n/2 patients at response 1/2 is n / 16
        return _ratio(prior, lambda x: np.full_like(x, EVENT_INFORMATION**2)), "patients"
    if parameter.endswith("_logit"):
        return _ratio(prior, stats.logistic.pdf), "patients"
    if parameter.endswith("_probability"):
        return _ratio(prior, lambda x: 1 / (x * (1 - x))), "patients"
    if parameter.endswith("_median") and prior.family == "lognormal":
        return 1 / prior.number("sigma") ** 2, "events"
    return float("nan"), ""


def _ratio(prior: Prior, unit_information: Callable[[np.ndarray], np.ndarray]) -> float:
    """∫ i(p(θ)) / i_F(θ) p(θ) dθ by the trapezoidal rule in v, θ = median + scale sinh v: dense in the middle, far in the tails."""
    distribution = prior.distribution
    low, middle, high, above = (float(distribution.ppf(q)) for q in (_TAIL, 0.5, 1 - _TAIL, 0.84))
    scale = above - middle
    v = np.linspace(np.arcsinh((low - middle) / scale), np.arcsinh((high - middle) / scale), _POINTS)[1:-1]
    x, h = middle + scale * np.sinh(v), _STEP * scale * np.cosh(v)
    if prior.support == "probability":
        h = np.minimum(h, _STEP * np.minimum(x, 1 - x))
    log_density = distribution.logpdf
    information = -(log_density(x + h) - 2 * log_density(x) + log_density(x - h)) / h**2
    return float(np.trapezoid(information / unit_information(x) * distribution.pdf(x) * scale * np.cosh(v), v))


def posterior_weights(prior: Prior, estimate: float, se: float) -> np.ndarray:
    """Posterior weights of a normal mixture's parts after a normal estimate: w_j N(y; m_j, s² + τ_j²), normalised."""
    weights, mu, sigma = (np.asarray(prior[name], dtype=float) for name in ("weights", "mu", "sigma"))
    with np.errstate(divide="ignore"):
        log_weight = np.log(weights) + stats.norm.logpdf(estimate, mu, np.hypot(se, sigma))
    share = np.exp(log_weight - log_weight.max())
    return share / share.sum()
