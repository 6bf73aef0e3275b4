"""Model card: `response_borrowing`, a control arm that borrows from earlier cohorts as far as it agrees with them.

    y_h ~ Binomial(n_h, π_h),  logit π_h = θ_h + δ d_h,  θ_h ~ N(μ, τ²)                         cohorts h
    y_c ~ Binomial(n_c, expit α),  y_e ~ Binomial(n_e, expit(α + β))                            this study's arms
    α ~ (1 - w) N(μ, τ²) + w `control_logit`                                                    w: `historical.robust_weight`
    μ ~ `historical_mean`,  τ ~ `historical_sd`,  δ ~ `criteria_log_odds`,  β ~ `log_odds_ratio` (of a benefit; a harm takes its mirror)

δ is the log odds ratio of responding by the more generous criteria (mRECIST) against the others (RECIST 1.1); d_h is a cohort's criteria minus
this study's (-1, 0, 1; halves where a cohort's are unknown). Where a prior set gives `experimental_probability`, the experimental arm has that
prior by itself, and a `control_probability` replaces the robust part.
Assumes cohorts exchangeable with this study's control arm up to the robust part, and nothing of why they differ (line, stage, country).
Without sampling: (μ, τ) on a grid, δ by Gauss-Hermite nodes, both arms' logits on a grid. The posterior weight of the robust part is reported.
Source: Schmidli et al. 2014, Biometrics 70:1023 (robust meta-analytic predictive priors); Neuenschwander et al. 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.cells import OUTCOME, OUTCOMES, binomial_cells
from retrial.data.cohorts import COHORT, COHORT_COUNTS, BorrowedCounts, predictive
from retrial.dims import ARM, ARMS
from retrial.fit.grid import Axis, LogDensity, TwoArmPosterior
from retrial.fit.observe import observe_cells
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import ARMS_PROBABILITIES, CONTROL_LOGIT, LOG_ODDS_RATIO, Parameter, Scale

DATA = "cohorts"
PARAMETERS = (
    CONTROL_LOGIT,
    LOG_ODDS_RATIO,
    *ARMS_PROBABILITIES,
    Parameter("historical_mean", "μ", "real", Scale("logit"), "Mean of the cohorts, logit"),
    Parameter("historical_sd", "τ", "positive", Scale("SD of logits"), "SD between cohorts, logit"),
    Parameter("criteria_log_odds", "δ", "real", Scale("log odds ratio"), "mRECIST against RECIST, log odds ratio", ("normal",)),
)
_LIMIT = 15.0


def posterior(data: BorrowedCounts, priors: PriorSet) -> TwoArmPosterior:
    """Posterior of both arms' logits on a grid."""
    borrowed, robust = parts(data, priors)

    def control(x: np.ndarray) -> np.ndarray:
        return np.logaddexp(borrowed(x), robust(x))

    def experimental(x: np.ndarray) -> np.ndarray:
        return data.arms.log_likelihood(1, x)

    if "experimental_probability" not in priors.priors:
        return TwoArmPosterior.of_effect(control, experimental, data.arms.oriented(priors["log_odds_ratio"]).distribution, _LIMIT)
    alone = _on_logit(priors["experimental_probability"])
    axes = Axis.over(control, -_LIMIT, _LIMIT), Axis.over(lambda x: experimental(x) + alone(x), -_LIMIT, _LIMIT)
    return TwoArmPosterior(*axes, control(axes[0].x)[:, None] + experimental(axes[1].x) + alone(axes[1].x))


def parts(data: BorrowedCounts, priors: PriorSet) -> tuple[LogDensity, LogDensity]:
    """Log of prior weight x density x control likelihood of the borrowing and of the robust part, as functions of the control logit."""
    names = ("historical_mean", "historical_sd", "criteria_log_odds")
    ahead = predictive(data.events, data.n, data.offsets, *(priors[name] for name in names))
    alone = "control_probability" in priors.priors
    vague = _on_logit(priors["control_probability"]) if alone else priors["control_logit"].distribution.logpdf
    with np.errstate(divide="ignore"):
        borrow, robust = np.log1p(-data.robust_weight), np.log(data.robust_weight)
    return (
        lambda x: borrow + ahead.log_density(x) + data.arms.log_likelihood(0, x),
        lambda x: robust + vague(x) + data.arms.log_likelihood(0, x),
    )


def control_log_prior(data: BorrowedCounts, priors: PriorSet) -> LogDensity:
    """Log prior density of the control logit, given the cohorts."""
    borrowed, robust = parts(data, priors)
    return lambda x: np.logaddexp(borrowed(x), robust(x)) - data.arms.log_likelihood(0, x)


def robust_weight(data: BorrowedCounts, priors: PriorSet, joint: TwoArmPosterior) -> float:
    """Posterior probability of the robust part: the mean of its share at each control logit over their posterior."""
    borrowed, robust = (part(joint.control.x) for part in parts(data, priors))
    margin = np.trapezoid(joint.joint_density, joint.other.u, axis=1)
    return float(np.trapezoid(margin * np.exp(robust - np.logaddexp(borrowed, robust)), joint.control.u))


def build(data: BorrowedCounts, priors: PriorSet) -> pm.Model:
    """The same model for a sampler: the reference against which the quadrature is tested."""
    with pm.Model(coords={OUTCOME: list(OUTCOMES), ARM: list(ARMS), COHORT: np.arange(len(data.n))}) as model:
        said = {name: pm.Data(name, value) for name, value in data.settings().items()}
        mean = effect_prior("historical_mean", priors["historical_mean"])
        sd = positive_prior("historical_sd", priors["historical_sd"])
        delta = effect_prior("criteria_log_odds", priors["criteria_log_odds"])
        logit = mean + sd * pm.Normal("standard_cohort", dims=COHORT) + delta * said["offsets"]
        cohorts = pt.stack(binomial_cells(logit, pt))
        observe_cells("cohorts", cohorts, data.cohort_counts, (OUTCOME, COHORT), data=COHORT_COUNTS)
        vague = priors["control_logit"]
        control = pm.NormalMixture(
            "control_logit",
            w=pt.stack([1 - said["robust_weight"], said["robust_weight"]]),
            mu=pt.stack([mean, pm.Data("vague_mu", vague.number("mu"))]),
            sigma=pt.stack([sd, pm.Data("vague_sigma", vague.number("sigma"))]),
        )
        effect = effect_prior("log_odds_ratio", data.arms.oriented(priors["log_odds_ratio"]))
        observe_cells(
            "arms", pt.stack(binomial_cells(pt.stack([control, control + effect]), pt)), data.arms.counts, (OUTCOME, ARM)
        )
    return model


def _on_logit(prior: Prior) -> LogDensity:
    distribution: Any = prior.distribution
    return lambda x: distribution.logpdf(1 / (1 + np.exp(-x))) + sum(binomial_cells(x, np))
