"""Model card: `gompertz`, proportional hazards on a hazard that rises or falls exponentially with time.

    h_c(t) = a exp(ρ t / m),     H_c(t) = log 2 · (exp(ρ t / m) - 1) / (exp(ρ) - 1),     H_e(t) = exp(β) H_c(t)

m  `control_median`     months, median survival of the control arm                                  positive
ρ  `hazard_rise`        log h(m) - log h(0): by how much the log hazard rises up to the median      real
β  `log_hazard_ratio`   experimental / control; below 0 favours experimental                        real

Assumes proportional hazards, a log hazard that is linear in time, and censoring that says nothing of it. ρ = 0 is `exponential`. With
ρ below 0 the hazard falls to 0 and survival stays above 0: an arm's median may then not exist.
Conversions: flexsurv's and Stata's shape ρ / m; rate a = ρ log 2 / (m (exp(ρ) - 1)).
Source: Collett, Modelling Survival Data in Medical Research, 3rd ed., chapter 6.9; median parameterisation by this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.distributions import log_relative_expm1
from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG, LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    Parameter(
        "hazard_rise", "ρ", "real", Scale("ratio of the hazards at m and at 0", LOG), "Rise of the log hazard up to the median"
    ),
    LOG_HAZARD_RATIO,
)
_LOG_LOG_2 = float(np.log(np.log(2.0)))


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    rise, log_median = parameters["hazard_rise"], xp.log(parameters["control_median"])
    log_relative = xp.log(time) - log_median
    grown = rise * xp.exp(log_relative)
    log_unit = _LOG_LOG_2 + linear_predictor(parameters, experimental) - log_relative_expm1(rise, xp)
    return log_unit - log_median + grown, xp.exp(log_unit + log_relative + log_relative_expm1(grown, xp))


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "hazard_rise": effect_prior("hazard_rise", priors["hazard_rise"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
