"""Model card: `log_hazard_ratio`, the normal model of a printed ratio.

    y ~ N(β, s²)        y = log of the printed ratio, s its standard error (from the printed interval or p)
    β ~ prior of `log_hazard_ratio` (hazard ratios) or `log_odds_ratio` (odds and risk ratios)

y, s, β on the log scale, experimental / control, below 0 favours experimental for a hazard ratio of a harm.
Assumes that the log likelihood of β is quadratic with the printed width; knows nothing of baseline hazards.
The only model for adjusted ratios, whose data no one outside has. Closed form for normal priors and mixtures of normals,
a one-dimensional grid for the others. Source: Spiegelhalter, Abrams, Myles 2004, chapter 2.4-3.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from scipy import stats

from retrial.fit.mesh import MeshDistribution
from retrial.frequentist.ratios import LogRatio
from retrial.priors.implied.effective_size import posterior_weights
from retrial.priors.prior import Mixture, Prior
from retrial.priors.pymc_priors import effect_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO

DATA = "ratio"
PARAMETERS = (LOG_HAZARD_RATIO, LOG_ODDS_RATIO)
_RANGE_SD = 60.0
"""Standard errors and prior scales on either side that surely hold the posterior of a proper prior."""
_PEAK = float(stats.norm.pdf(0))
"""Over the density at its median: the SD of a normal prior, and the width of the peak of any symmetric one."""


def posterior(data: LogRatio, prior: Prior) -> Any:
    """Posterior of β as a distribution with cdf, ppf, mean, std.

    Normal prior N(m, τ²): N((y/s² + m/τ²) v, v), v = 1 / (1/s² + 1/τ²); mixtures componentwise, each weighted by its
    marginal likelihood N(y; m_j, s² + τ_j²).
    """
    y, s = data.estimate, data.se
    if prior.family == "normal":
        return stats.norm(*_conjugate(y, s, prior.number("mu"), prior.number("sigma")))
    if prior.family == "normal_mixture":
        parts = [
            stats.norm(*_conjugate(y, s, m, t)) for m, t in zip(*(np.array(prior[name]) for name in ("mu", "sigma")), strict=True)
        ]
        return Mixture(posterior_weights(prior, y, s), parts)
    distribution, middle = prior.distribution, float(prior.distribution.ppf(0.5))
    reach = _RANGE_SD * s + abs(y - middle)
    places = [(y, s), (middle, _PEAK / float(distribution.pdf(middle)))]
    return MeshDistribution.from_log_density(
        lambda x: stats.norm.logpdf(y, x, s) + distribution.logpdf(x), y - reach, y + reach, places
    )


def build(data: LogRatio, prior: Prior) -> pm.Model:
    """The same model for a sampler: the reference against which the closed form is tested."""
    with pm.Model() as model:
        beta = effect_prior("beta", prior)
        pm.Normal("log_ratio", beta, data.se, observed=data.estimate)
    return model


def _conjugate(y: float, s: float, m: float, t: float) -> tuple[float, float]:
    """Mean and SD of the normal posterior."""
    variance = 1.0 / (1.0 / s**2 + 1.0 / t**2)
    return variance * (y / s**2 + m / t**2), float(np.sqrt(variance))
