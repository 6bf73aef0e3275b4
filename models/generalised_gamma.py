"""Model card: `generalised_gamma`, Prentice's generalised gamma: Weibull, log-normal and gamma in one; accelerated failure time.

    w = w_Q + (log(t / m) + (β / k) x) / σ,     x = 1 in the experimental arm,     f_Q(w) = c(Q) exp((Q w - exp(Q w)) / Q²)
    S(t) = P(W > w),  W = log(Q² G) / Q,  G ~ Gamma(Q^-2, 1);   w_Q the median of W;   σ = 2 f_Q(w_Q) / (k log 2)
    HR(t) = h_e(t) / h_c(t), not constant unless Q = 1

m  `control_median`     months, median survival of the control arm                                               positive
k  `shape`              slope of log H_c on log t at t = m (of a Weibull, its shape), no unit                    positive
Q  `family_shape`       1 is `weibull`, 0 `lognormal`, -1 the inverse Weibull; σ = Q the gamma distribution      real
β  `log_hazard_ratio`   minus k times the log time ratio: the log hazard ratio of two Weibull curves with these
                        medians and this shape; below 0 favours experimental                                     real

Assumes that treatment stretches time by exp(-β / k) (median of the experimental arm: m exp(-β / k), as in `weibull`), and censoring
that says nothing of the hazard. So priors of m, k and β say the same of both medians and of the hazard's slope as in `weibull`.
Conversions: flexsurv's Q, sigma σ, mu = log m - σ w_Q; effect on mu -β / k.
Source: Prentice 1974, Biometrika 61:539; Cox, Chu, Schneider, Muñoz 2007, Statistics in Medicine 26:4352; median parameterisation by
this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.distributions import log_gamma_curves, log_gamma_density, log_gamma_median
from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    Parameter("shape", "k", "positive", Scale("Weibull shape"), "Slope of log H on log t at the control median"),
    Parameter("family_shape", "Q", "real", Scale("Q of the generalised gamma"), "Family: 1 Weibull, 0 log-normal"),
    LOG_HAZARD_RATIO,
)
_LOG_2_OVER_LOG_2 = float(np.log(2.0) - np.log(np.log(2.0)))


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    log_time, shape, q = xp.log(time), parameters["shape"], parameters["family_shape"]
    median = log_gamma_median(q, xp)
    log_sigma = _LOG_2_OVER_LOG_2 + log_gamma_density(median, q, xp) - xp.log(shape)
    stretched = log_time - xp.log(parameters["control_median"]) + linear_predictor(parameters, experimental) / shape
    log_hazard, log_survival = log_gamma_curves(median + stretched * xp.exp(-log_sigma), q, xp)
    return log_hazard - log_sigma - log_time, -log_survival


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "shape": positive_prior("shape", priors["shape"]),
            "family_shape": effect_prior("family_shape", priors["family_shape"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
