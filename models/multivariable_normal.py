"""Model card: `multivariable_normal`, all coefficients of a printed multivariable model at once.

    b ~ N(β, I⁻¹)            b = logs of the p printed ratios; I their information matrix, whose diagonal of I⁻¹ is s², the printed SE squared
    I | tables               correlations of I⁻¹ ~ LKJ, held against the univariable tests and ratios and the baseline table (sampled first)
    β_treatment ~ prior of `log_hazard_ratio` or `log_odds_ratio`
    β_j ~ N(0, v_j)          of prognostic factors, by `structure`:
      independent            v = σ²,  σ the SD of `factor_log_ratio`
      hierarchical           v = τ²,  τ ~ `factor_sd`
      horseshoe              v_j = c² λ_j² τ² / (c² + λ_j² τ²),  λ_j ~ C⁺(0, 1),  τ ~ C⁺(0, mean s),  c² ~ inverse gamma(2, 2)

The horseshoe is regularised: τ's scale says that half of the factors matter (p0 / (p - p0) = 1, pseudo-SD over √n = mean s), the slab
is a t with 4 degrees of freedom and scale 1. Log ratios as printed: the treatment experimental / control, factors numerator / denominator.
Assumes that the partial likelihood is quadratic over the posterior, and that the printed model holds all confounders (no model of
printed numbers knows the others). Factors chosen by their univariable p are too far from 0 on average: the shrunken ones answer that.
Computed as a mixture of normals over sampled matrices and prior variances (`retrial.multivariable.posterior`), weighted by evidence.
Source: METHODS 13; Piironen and Vehtari 2017, Electron. J. Statist. 11:5018 (horseshoe); Lewandowski et al. 2009 (LKJ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm

from retrial.errors import PriorError
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO, Parameter, Scale

DATA = "multivariable"
PARAMETERS = (
    LOG_HAZARD_RATIO,
    LOG_ODDS_RATIO,
    Parameter("factor_log_ratio", "β", "real", Scale("ratio", "log"), "Ratio of a prognostic factor", families=("normal",)),
    Parameter("factor_sd", "τ", "positive", Scale("SD of log ratios"), "SD τ of the factors' log ratios"),
)
STRUCTURES = ("independent", "hierarchical", "horseshoe")
SLAB_SHAPE = SLAB_SCALE = 2.0


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Estimates b and their covariance I⁻¹ (p, p), known here; which one is the treatment (None: none); its parameter."""

    b: np.ndarray
    covariance: np.ndarray
    treatment: int | None
    parameter: str = LOG_HAZARD_RATIO.name


def variances(structure: str, s: np.ndarray, priors: PriorSet, random: np.random.Generator) -> np.ndarray:
    """Prior variances of the factors, (M, q), one draw of the hyper-parameters for every row of the standard errors s (M, q).

    Raises `PriorError` for a structure or a prior's family that is none of the above.
    """
    shape = s.shape
    if structure == "independent":
        prior = priors["factor_log_ratio"]
        if prior.family != "normal" or prior.number("mu") != 0:
            raise PriorError("the prior factor_log_ratio", [f"got {prior}; allowed is a normal one of mu 0"])
        return np.full(shape, prior.number("sigma") ** 2)
    if structure == "hierarchical":
        tau = priors["factor_sd"].distribution.ppf((random.permutation(shape[0]) + random.uniform(size=shape[0])) / shape[0])
        return np.repeat(np.asarray(tau)[:, None] ** 2, shape[1], axis=1)
    if structure != "horseshoe":
        raise PriorError("the model's structure", [f"got {structure!r}; allowed are {', '.join(STRUCTURES)}"])
    tau = s.mean(axis=1, keepdims=True) * np.abs(random.standard_cauchy((shape[0], 1)))
    slab = SLAB_SCALE / random.gamma(SLAB_SHAPE, size=(shape[0], 1))
    scale = (np.abs(random.standard_cauchy(shape)) * tau) ** 2
    return slab * scale / (slab + scale)


def prior_words(structure: str, priors: PriorSet) -> str:
    """The prior of a prognostic factor's log ratio, in words with its numbers."""
    if structure == "independent":
        return f"independent, {priors['factor_log_ratio']} each"
    if structure == "hierarchical":
        return f"normal(0, τ) with one τ ~ {priors['factor_sd']}"
    return "regularised horseshoe"


def build(data: Coefficients, priors: PriorSet, structure: str = "hierarchical") -> pm.Model:
    """The model given one matrix for a sampler: the reference against which the mixture is tested."""
    factors = [place for place in range(data.b.size) if place != data.treatment]
    with pm.Model() as model:
        beta = [None] * data.b.size
        if data.treatment is not None:
            beta[data.treatment] = effect_prior("treatment", priors[data.parameter])
        scale = _scales(structure, np.sqrt(np.diag(data.covariance))[factors], priors)
        raw = pm.Normal("standard_factor", shape=len(factors))
        for place, factor in enumerate(factors):
            beta[factor] = raw[place] * scale[place]
        joint = pm.Deterministic("beta", pm.math.stack(beta))
        pm.MvNormal("log_ratios", joint, pm.Data("covariance", data.covariance), observed=data.b)
    return model


def _scales(structure: str, s: np.ndarray, priors: PriorSet) -> list:
    """Prior SD of every factor."""
    if structure == "independent":
        return [priors["factor_log_ratio"].number("sigma")] * s.size
    if structure == "hierarchical":
        return [positive_prior("factor_sd", priors["factor_sd"])] * s.size
    tau = pm.HalfCauchy("global_scale", float(s.mean()))
    slab = pm.InverseGamma("slab", SLAB_SHAPE, SLAB_SCALE)
    local = pm.HalfCauchy("local_scale", 1.0, shape=s.size)
    regular = local * tau * pm.math.sqrt(slab / (slab + local**2 * tau**2))
    return [regular[place] for place in range(s.size)]
