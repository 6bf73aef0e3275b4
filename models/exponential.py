"""Model card: `exponential`, a constant hazard in each arm.

    H_c(t) = log 2 · t / m,     H_e(t) = exp(β) H_c(t),     h = dH/dt

m  `control_median`     months, median survival of the control arm             positive
β  `log_hazard_ratio`   experimental / control; below 0 favours experimental    real

Assumes a hazard that does not change with time, and censoring that says nothing of it. It is `weibull` with shape 1.
Conversions: rate log 2 / m = flexsurv's rate; survreg's intercept log m - log log 2.
Source: Collett, Modelling Survival Data in Medical Research, 3rd ed., chapter 5; median parameterisation by this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    LOG_HAZARD_RATIO,
)
_LOG_LOG_2 = float(np.log(np.log(2.0)))


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    log_time = xp.log(time)
    log_cumulative = _LOG_LOG_2 + log_time - xp.log(parameters["control_median"]) + linear_predictor(parameters, experimental)
    return log_cumulative - log_time, xp.exp(log_cumulative)


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
