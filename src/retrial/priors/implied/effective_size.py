"""How much data a prior is worth, and the posterior weights of its parts."""

from __future__ import annotations

import numpy as np
from scipy import stats

from retrial.priors.prior import Prior
from retrial.priors.scales import ARMS_PROBABILITIES, CONTROL_LOGIT, LOG_HAZARD_RATIO, LOG_ODDS_RATIO, OWN, Scale, scale_of

EVENT_INFORMATION = 0.25
"""Fisher information of a log hazard ratio per event, arms of equal size: its variance is about 4 / events (Schoenfeld 1981)."""
_POINTS = 4001
_TAIL = 1e-9
_STEP = 1e-4
"""Step of the second derivative, relative to the prior's local width."""


def effective_size(parameter: str, prior: Prior) -> tuple[float, str]:
    """How many events or patients a prior is worth, and which; NaN where a unit makes no sense.

    Log ratios: the expected local information ratio E[i(p(θ)) / i_F] (Neuenschwander et al. 2020, Biometrics 76:578), where
    i(p) = -d²log p / dθ² and i_F, the Fisher information of an event (log hazard ratio) or of a patient (log odds ratio: half of
    them in either arm, response 1/2), is a constant. For a normal prior of a log hazard ratio 4 / σ².
    An arm's probability, stated as such or by its logit: a + b of the Beta(a, b) with the prior's mean m and variance v of the
    probability, m (1 - m) / v - 1 (matched moments: Morita, Thall, Müller 2008, Biometrics 64:595). There i_F grows without bound
    towards 0 and 1, and the expected ratio of a vague normal prior of a logit, (2 + 2 exp(σ²/2)) / σ², with it.
    """
    if parameter == LOG_HAZARD_RATIO.name:
        return _ratio(prior, EVENT_INFORMATION), "events"
    if parameter == LOG_ODDS_RATIO.name:
        # 1 / variance of a log odds ratio of n/2 + n/2 patients at response 1/2 is n / 16
        return _ratio(prior, EVENT_INFORMATION**2), "patients"
    if parameter in (CONTROL_LOGIT.name, *(item.name for item in ARMS_PROBABILITIES)):
        return _matched_beta(scale_of(parameter), prior), "patients"
    if parameter.endswith("_median") and prior.family == "lognormal":
        return 1 / prior.number("sigma") ** 2, "events"
    return float("nan"), ""


def _matched_beta(scale: Scale, prior: Prior) -> float:
    """m (1 - m) / v - 1, m and v the mean and variance of the probability; those of a logit's prior by the trapezoidal rule."""
    if scale.kind == OWN:
        mean, variance = prior.distribution.mean(), prior.distribution.std() ** 2
    else:
        x, _, weight = _nodes(prior)
        share, p = weight / weight.sum(), scale.clinical(x)
        mean = share @ p
        variance = share @ (p - mean) ** 2
    return float(mean * (1 - mean) / variance - 1)


def _ratio(prior: Prior, unit_information: float) -> float:
    """∫ i(p(θ)) / i_F p(θ) dθ by the trapezoidal rule."""
    x, slope, weight = _nodes(prior)
    log_density, h = prior.distribution.logpdf, _STEP * slope
    information = -(log_density(x + h) - 2 * log_density(x) + log_density(x - h)) / h**2
    return float(weight @ information / unit_information)


def _nodes(prior: Prior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points θ (node,), dθ/dv and p(θ) dθ there, even in v, θ = median + scale sinh v: dense in the middle, far in the tails."""
    distribution = prior.distribution
    low, middle, high, above = (float(distribution.ppf(q)) for q in (_TAIL, 0.5, 1 - _TAIL, 0.84))
    scale = above - middle
    v = np.linspace(np.arcsinh((low - middle) / scale), np.arcsinh((high - middle) / scale), _POINTS)[1:-1]
    x, slope = middle + scale * np.sinh(v), scale * np.cosh(v)
    return x, slope, distribution.pdf(x) * slope * (v[1] - v[0])


def posterior_weights(prior: Prior, estimate: float, se: float) -> np.ndarray:
    """Posterior weights of a normal mixture's parts after a normal estimate: w_j N(y; m_j, s² + τ_j²), normalised."""
    weights, mu, sigma = (np.asarray(prior[name], dtype=float) for name in ("weights", "mu", "sigma"))
    with np.errstate(divide="ignore"):
        log_weight = np.log(weights) + stats.norm.logpdf(estimate, mu, np.hypot(se, sigma))
    share = np.exp(log_weight - log_weight.max())
    return share / share.sum()
