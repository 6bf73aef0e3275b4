"""Model card: `response_hierarchical`, best response as a chain of conditional binomials.

    categories 1 (best) ... K (worst), arm a, y_{a,k} patients;    r_{a,k} = n_a - Σ_{j<k} y_{a,j} without a better response
    y_{a,k} ~ Binomial(r_{a,k}, q_{a,k}),  k < K;    logit q_{a,k} = c_k + α_k + θ_k [a = experimental]
    α_k ~ `baseline_logit`,    c_k = ψ(1) - ψ(K - k),    θ_k = μ + τ z_k,    μ ~ `log_odds_ratio`,    τ ~ `effect_sd`,    z_k ~ N(0, 1)

The chain of binomials is exactly the multinomial: p_k = q_k Π_{j<k} (1 - q_j). Steps for mRECIST: CR v the rest, PR v SD + PD,
SD v PD. ORR and DCR are sums of p_k, so they are nested as they must be. θ_k is the log odds ratio of category k among those without a
better one (above 0 favours experimental), partially pooled: τ near 0 is one common effect, τ large lets each step speak alone.
c_k makes all categories about equally probable before the data: q_k ~ Beta(1, K - k), whose logit has the mean c_k, is the uniform
distribution over them; without it (α_k centred at 0) half of the patients would be expected in the best category.
`pooled: false` (in the model's YAML) makes θ_k independent draws of `log_odds_ratio`.
Sampled as: a half-normal τ by its normal score (`effect_sd_raw`), which has no funnel towards τ = 0; the same model.
Assumes exchangeable patients within an arm, no confounding, and that a treatment moves the steps by similar amounts (τ's prior).
Source: Agresti, Categorical Data Analysis, 3rd ed., 8.3.6 (continuation-ratio logits); pooling as in Gelman et al., BDA3, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.special import digamma

from retrial.cells import OUTCOME, binomial_cells
from retrial.data.chains import STEP, CategoryCounts, chain_probabilities
from retrial.dims import ARM
from retrial.fit.observe import observe_cells
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, scale_prior
from retrial.priors.scales import LOG_ODDS_RATIO, Parameter, Scale

DATA = "categories"
PARAMETERS = (
    Parameter("baseline_logit", "α", "real", Scale("logit"), "Steps' logit, from equal categories"),
    LOG_ODDS_RATIO,
    Parameter("effect_sd", "τ", "positive", Scale("SD of log odds ratios"), "Pooling scale τ, log odds ratio", unless="pooled"),
)
_EXPERIMENTAL = np.array([[0.0], [1.0]])


def build(data: CategoryCounts, priors: PriorSet, pooled: bool = True) -> pm.Model:
    """PyMC model of both arms' categories; every count and hyper-parameter is `pm.Data`."""
    with pm.Model(coords=data.coords()) as model:
        baseline = centre(data.events.shape[1]) + effect_prior("baseline_logit", priors["baseline_logit"], dims=STEP)
        if pooled:
            mean = effect_prior("log_odds_ratio", priors["log_odds_ratio"])
            effect = mean + scale_prior("effect_sd", priors["effect_sd"]) * pm.Normal("standard_effect", dims=STEP)
        else:
            effect = effect_prior("log_odds_ratio", priors["log_odds_ratio"], dims=STEP)
        cells = pt.stack(binomial_cells(baseline + _EXPERIMENTAL * effect, pt))
        observe_cells("responses", cells, data.cell_counts, (OUTCOME, ARM, STEP))
    return model


def probabilities(draws: Mapping[str, np.ndarray], data: Any = None) -> np.ndarray:  # noqa: ARG001 - one signature for all models
    """Category probabilities (draw, arm, category) of posterior draws (draw, ...)."""
    baseline = draws["baseline_logit"]
    logit = (centre(baseline.shape[-1]) + baseline)[:, None, :] + _EXPERIMENTAL * step_effects(draws)[:, None, :]
    return chain_probabilities(logit)


def centre(steps: int) -> np.ndarray:
    """c_k = ψ(1) - ψ(K - k), (step,): mean logit of the conditional probabilities where all K = steps + 1 categories are equally probable."""
    return digamma(1.0) - digamma(steps - np.arange(steps))


def step_effects(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """θ_k (draw, step)."""
    if "effect_sd" not in draws:
        return draws["log_odds_ratio"]
    return draws["log_odds_ratio"][:, None] + draws["effect_sd"][:, None] * draws["standard_effect"]
