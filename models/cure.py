"""Model card: `cure`, mixture cure model: some patients never have the event, the others' times are Weibull.

    S_a(t) = π_a + (1 - π_a) exp(-H_a(t)),     H_c(t) = log 2 · (t / m)^k,     H_e(t) = exp(β) H_c(t)
    logit π_c = κ,     logit π_e = κ + δ,     HR(t) = h_e(t) / h_c(t), not constant

m  `uncured_median`       months, median of the control patients who are not cured                            positive
k  `shape`                shape of the Weibull of those who are not cured, no unit                             positive
κ  `control_cure_logit`   logit of the control arm's share who never have the event                           real
δ  `log_cure_odds_ratio`  experimental / control odds of being cured; above 0 favours experimental            real
β  `log_hazard_ratio`     of those who are not cured, experimental / control; below 0 favours experimental    real

Assumes proportional hazards and one shape among those who are not cured, and censoring that says nothing of who is cured. The share
is told by a plateau that is followed long enough and by nothing else: without one it is its prior's. An arm's median does not exist
where its share is above 1/2.
Conversions: flexsurvcure (mixture, logistic link, weibullPH): theta π_c, shape k, scale log 2 / m^k, effect on theta δ, on scale β.
Source: Farewell 1982, Biometrics 38:1041; Maller, Zhou, Survival Analysis with Long-Term Survivors, 1996.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.fit.survival.distributions import log_mixture_survival, softplus
from retrial.fit.survival.likelihood import COVARIATE_PREDICTOR, SurvivalData, coords, observe
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG, LOG_HAZARD_RATIO, LOGIT, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("uncured_median", "m", "positive", Scale("months"), "Control median of those not cured, months"),
    Parameter("shape", "k", "positive", Scale("Weibull shape"), "Weibull shape of those not cured"),
    Parameter("control_cure_logit", "κ", "real", Scale("share cured, control", LOGIT), "Control arm's share cured"),
    Parameter("log_cure_odds_ratio", "δ", "real", Scale("odds ratio of cure", LOG), "Odds ratio of cure, experimental / control"),
    LOG_HAZARD_RATIO,
)
_LOG_LOG_2 = float(np.log(np.log(2.0)))
_LARGEST = 690.0
"""Log H beyond which a float overflows; nobody who is not cured is left long before."""


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0), parameters broadcast against (arm, time)."""
    log_time, shape = xp.log(time), parameters["shape"]
    log_cumulative = (
        _LOG_LOG_2 + shape * (log_time - xp.log(parameters["uncured_median"])) + parameters["log_hazard_ratio"] * experimental
    )
    cumulative = xp.exp(xp.minimum(log_cumulative, _LARGEST))
    cure_logit = parameters["control_cure_logit"] + parameters["log_cure_odds_ratio"] * experimental
    log_survival = log_mixture_survival(cure_logit, cumulative, xp)
    log_hazard = log_cumulative + xp.log(shape) - log_time - softplus(cure_logit, xp) - cumulative - log_survival
    if COVARIATE_PREDICTOR not in parameters:
        return log_hazard, -log_survival
    of_patient = parameters[COVARIATE_PREDICTOR]
    return log_hazard + of_patient, -log_survival * xp.exp(of_patient)


def build(data: SurvivalData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=coords(data)) as model:
        parameters = {
            "uncured_median": positive_prior("uncured_median", priors["uncured_median"]),
            "shape": positive_prior("shape", priors["shape"]),
            "control_cure_logit": effect_prior("control_cure_logit", priors["control_cure_logit"]),
            "log_cure_odds_ratio": effect_prior("log_cure_odds_ratio", priors["log_cure_odds_ratio"]),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        observe(hazard, data, parameters, priors)
    return model
