"""Model card: `lognormal`, the logarithm of time is normal: accelerated failure time.

    S_c(t) = Φ(-log(t / m) / σ),     S_e(t) = S_c(t exp(β / k)),     σ = √(2/π) / (k log 2)
    HR(t) = h_e(t) / h_c(t), not constant: it starts beyond exp(β) and goes to 1

m  `control_median`     months, median survival of the control arm                                               positive
k  `shape`              slope of log H_c on log t at t = m (of a Weibull, its shape), no unit                    positive
β  `log_hazard_ratio`   minus k times the log time ratio: the log hazard ratio of two Weibull curves with these
                        medians and this shape; below 0 favours experimental                                     real

Assumes that treatment stretches time by exp(-β / k) (median of the experimental arm: m exp(-β / k), as in `weibull`), a hazard that
rises and then falls, and censoring that says nothing of it. So priors of m, k and β say the same of both medians and of the hazard's
slope as in `weibull`.
Conversions: flexsurv's meanlog log m, sdlog σ; survreg's scale σ, intercept log m, effect -β / k.
Source: Collett, Modelling Survival Data in Medical Research, 3rd ed., chapter 6.5; parameterisation by this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.distributions import log_normal_density, log_normal_survival
from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    Parameter("shape", "k", "positive", Scale("Weibull shape"), "Slope of log H on log t at the control median"),
    LOG_HAZARD_RATIO,
)
_LOG_OF_K_SIGMA = float(0.5 * np.log(2.0 / np.pi) - np.log(np.log(2.0)))
"""log(k σ)."""


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    log_time, shape = xp.log(time), parameters["shape"]
    log_sigma = _LOG_OF_K_SIGMA - xp.log(shape)
    stretched = log_time - xp.log(parameters["control_median"]) + linear_predictor(parameters, experimental) / shape
    z = stretched * xp.exp(-log_sigma)
    log_survival = log_normal_survival(z, xp)
    return log_normal_density(z) - log_survival - log_sigma - log_time, -log_survival


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "shape": positive_prior("shape", priors["shape"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
