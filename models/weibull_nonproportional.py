"""Model card: `weibull_nonproportional`, a Weibull distribution of its own shape in each arm.

    H_c(t) = log 2 · (t / m)^k,     H_e(t) = log 2 · exp(β - γ) · (t / m)^(k exp(γ)),     h = dH/dt
    HR(t) = h_e(t) / h_c(t) = exp(β) · (t / m)^(k (exp(γ) - 1)),     HR(m) = exp(β)

m  `control_median`     months, median survival of the control arm                                  positive
k  `shape`              shape of the control arm, no unit                                           positive
β  `log_hazard_ratio`   experimental / control at t = m; below 0 favours experimental               real
γ  `log_shape_ratio`    log of the shapes' ratio; 0 is proportional hazards, above 0 a ratio that rises with time   real

Assumes that both arms are Weibull, and censoring that says nothing of the hazard. With γ = 0 it is `weibull`.
Source: Collett, Modelling Survival Data in Medical Research, 3rd ed., chapter 5; the reference time of β is this project's choice, so that
priors on β mean the same as in `weibull`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG, LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    Parameter("shape", "k", "positive", Scale("Weibull shape"), "Weibull shape"),
    LOG_HAZARD_RATIO,
    Parameter("log_shape_ratio", "γ", "real", Scale("ratio of shapes", LOG), "Log shape ratio"),
)
_LOG_LOG_2 = float(np.log(np.log(2.0)))


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    log_time, gamma = xp.log(time), parameters["log_shape_ratio"] * experimental
    log_shape = xp.log(parameters["shape"]) + gamma
    log_relative = log_time - xp.log(parameters["control_median"])
    log_cumulative = _LOG_LOG_2 + xp.exp(log_shape) * log_relative + linear_predictor(parameters, experimental) - gamma
    return log_cumulative + log_shape - log_time, xp.exp(log_cumulative)


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "shape": positive_prior("shape", priors["shape"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
            "log_shape_ratio": effect_prior("log_shape_ratio", priors["log_shape_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
