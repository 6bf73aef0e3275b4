"""Model card: `response_hierarchical`, best response as a chain of conditional binomials.

    categories 1 (best) ... K (worst), arm a, y_{a,k} patients;    r_{a,k} = n_a - Σ_{j<k} y_{a,j} still without a better response
    y_{a,k} ~ Binomial(r_{a,k}, q_{a,k}),  k < K;    logit q_{a,k} = α_k + θ_k [a = experimental]
    α_k ~ `control_logit`,    θ_k = μ + τ z_k,    μ ~ `log_odds_ratio`,    τ ~ `effect_sd`,    z_k ~ N(0, 1)

The chain of binomials is exactly the multinomial: p_k = q_k Π_{j<k} (1 - q_j). Steps for mRECIST: CR v the rest, PR v SD + PD, SD v PD.
ORR and DCR are sums of p_k, so they are nested as they must be. θ_k are log odds ratios of the better response among those without a yet better
one (above 0 favours experimental), partially pooled: τ near 0 is one common (continuation-ratio) effect, τ large lets each step speak alone.
`pooled: false` (in the model's YAML) replaces θ_k by independent draws of `log_odds_ratio`.
Assumes exchangeable patients within an arm, no confounding, and that a treatment works on the steps by similar amounts (τ's prior).
Source: Agresti, Categorical Data Analysis, 3rd ed., 8.3.6 (continuation-ratio logits); pooling as in Gelman et al., BDA3, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
from retrial.inference.count_data import CATEGORY, STEP, CategoryCounts

from retrial.dims import ARM
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior

EXPERIMENTAL = np.array([0.0, 1.0])


def build(data: CategoryCounts, priors: PriorSet, pooled: bool = True) -> pm.Model:
    """PyMC model of both arms' categories; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=data.coords()) as model:
        baseline = effect_prior("control_logit", priors["control_logit"], dims=STEP)
        if pooled:
            mean = effect_prior("log_odds_ratio", priors["log_odds_ratio"])
            sd = positive_prior("effect_sd", priors["effect_sd"])
            effect = mean + sd * pm.Normal("standard_effect", dims=STEP)
        else:
            effect = effect_prior("step_log_odds_ratio", priors["log_odds_ratio"], dims=STEP)
        at_risk = pm.Data("at_risk", data.at_risk, dims=(ARM, STEP))
        events = pm.Data("events", data.events, dims=(ARM, STEP))
        pm.Binomial("responses", n=at_risk, logit_p=baseline + EXPERIMENTAL[:, None] * effect, observed=events, dims=(ARM, STEP))
    return model


def probabilities(draws: Mapping[str, Any]) -> np.ndarray:
    """Category probabilities (draw, arm, category) of posterior draws (draw, ...)."""
    baseline, effect = np.asarray(draws["control_logit"]), step_effects(draws)
    logit = baseline[:, None, :] + EXPERIMENTAL[:, None] * effect[:, None, :]
    reached = np.exp(-np.logaddexp(0.0, -logit))
    left = np.cumprod(np.exp(-np.logaddexp(0.0, logit)), axis=-1)
    before = np.concatenate([np.ones((*left.shape[:-1], 1)), left], axis=-1)
    return np.concatenate([reached, np.ones((*left.shape[:-1], 1))], axis=-1) * before


def step_effects(draws: Mapping[str, Any]) -> np.ndarray:
    """θ_k (draw, step)."""
    if "step_log_odds_ratio" in draws:
        return np.asarray(draws["step_log_odds_ratio"])
    return np.asarray(draws["log_odds_ratio"])[:, None] + np.asarray(draws["effect_sd"])[:, None] * np.asarray(draws["standard_effect"])


__all__ = ["CATEGORY", "build", "probabilities", "step_effects"]
