"""Priors as PyMC variables whose hyper-parameters are `pm.Data`, so that one compiled model serves every prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

from retrial.dims import RAW
from retrial.errors import PriorError
from retrial.priors.prior import MOST_COMPONENTS, Prior

COMPONENTS = MOST_COMPONENTS
"""Places for components in a compiled model."""
_LOG_ZERO = -1e6
"""Log weight of an unused component, a copy of the last used one: its share is 0 in floating point wherever the variable is, and its gradient too."""


def effect_prior(name: str, prior: Prior, dims: str | None = None, shift: Any = None) -> Any:
    """Free real variable with a normal, Student t or normal-mixture prior; with `dims`, independent ones with the same prior.

    All three are Σ_j w_j f_j with f_j normal (ν_j infinite) or Student t; hyper-parameters are the `pm.Data` of `effect_updates`,
    so that changing from one family to another needs no new compilation. With a `shift` (of other variables), x + shift is
    sampled in place of x: the same prior of x, and another geometry.
    """
    data = {key: pm.Data(key, value) for key, value in effect_updates(name, prior).items()}
    if shift is not None:
        data[f"{name}__mu"] = data[f"{name}__mu"] + shift
    variable = pm.CustomDist(
        name if shift is None else f"{name}{RAW}",
        *(data[f"{name}__{part}"] for part in _PARTS),
        logp=_mixture_logp,
        random=_mixture_random,
        signature="(k),(k),(k),(k),(k),(k)->()",
        dims=dims,
    )
    return variable if shift is None else pm.Deterministic(name, variable - shift, dims=dims)


_PARTS = ("log_weight", "mu", "sigma", "nu", "is_t", "log_factor")


def effect_updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    """Hyper-parameters of an effect's prior as arrays of length `COMPONENTS`."""
    if prior.support != "real":
        raise PriorError(f"the prior of {name}", [f"got {prior.family}; allowed are normal, student_t, normal_mixture"])
    weights = np.atleast_1d(prior["weights"]) if "weights" in prior.names else np.ones(1)
    if weights.size > COMPONENTS:
        raise PriorError(f"the prior of {name}", [f"got {weights.size} components; allowed are up to {COMPONENTS}"])
    used = weights > 0
    # copies of a used component: one of its own would be all that is left far from the used ones, and take their place
    padding = (0, COMPONENTS - int(used.sum()))
    mu, sigma = (np.pad(np.atleast_1d(prior[part])[used], padding, mode="edge") for part in ("mu", "sigma"))
    log_weight = np.pad(np.log(weights[used]), padding, constant_values=_LOG_ZERO)
    nu = prior.number("nu") if prior.family == "student_t" else 1.0
    values = {
        "log_weight": log_weight,
        "mu": mu,
        "sigma": sigma,
        "nu": np.full(COMPONENTS, nu),
        "is_t": np.full(COMPONENTS, float(prior.family == "student_t")),
        # what does not depend on the variable is not computed again at every gradient
        "log_factor": log_weight - np.log(sigma) + _log_constant(prior.family, nu),
    }
    return {f"{name}__{part}": np.asarray(values[part], dtype=float) for part in _PARTS}


def _log_constant(family: str, nu: float) -> float:
    """Log of a standardised component's density at its centre."""
    return float(stats.t(nu).logpdf(0.0) if family == "student_t" else stats.norm.logpdf(0.0))


def _mixture_logp(value: Any, _log_weight: Any, mu: Any, sigma: Any, nu: Any, is_t: Any, log_factor: Any) -> Any:
    squared = ((value[..., None] - mu) / sigma) ** 2
    kernel = pt.where(pt.gt(is_t, 0.5), -(nu + 1) / 2 * pt.log1p(squared / nu), -0.5 * squared)
    terms = log_factor + kernel
    # elementwise, where an operator of its own would be a loop in Python over draws
    highest = pt.max(terms, axis=-1)
    return highest + pt.log(pt.exp(terms - highest[..., None]).sum(axis=-1))


def _mixture_random(
    log_weight: np.ndarray,
    mu: np.ndarray,
    sigma: np.ndarray,
    nu: np.ndarray,
    is_t: np.ndarray,
    _log_factor: np.ndarray,
    rng: np.random.Generator,
    size: Any,
) -> np.ndarray:
    weight = np.exp(log_weight.reshape(-1)[-COMPONENTS:])
    j = rng.choice(COMPONENTS, size=size, p=weight / weight.sum())
    mu, sigma, nu, is_t = (part.reshape(-1)[-COMPONENTS:] for part in (mu, sigma, nu, is_t))
    z = np.where(is_t[j] > 0, rng.standard_t(nu[j]), rng.standard_normal(np.shape(j)))
    return mu[j] + sigma[j] * z


_POSITIVE = {
    "lognormal": (pm.LogNormal, ("mu", "sigma")),
    "half_normal": (pm.HalfNormal, ("sigma",)),
    "gamma": (pm.Gamma, ("alpha", "beta")),
}


def positive_prior(name: str, prior: Prior) -> Any:
    """Free positive variable (lognormal, half-normal or gamma); hyper-parameters are the `pm.Data` of `positive_updates`."""
    if prior.family not in _POSITIVE:
        raise PriorError(f"the prior of {name}", [f"got {prior.family}; allowed are {', '.join(_POSITIVE)}"])
    distribution, arguments = _POSITIVE[prior.family]
    values = positive_updates(name, prior)
    return distribution(
        name, **{argument: pm.Data(key, value) for argument, (key, value) in zip(arguments, values.items(), strict=True)}
    )


def scale_prior(name: str, prior: Prior) -> Any:
    """Free scale of a hierarchical model. A half-normal one is sampled by its normal score x: s = σ Φ⁻¹((1 + Φ(x)) / 2), x ~ N(0, 1).

    The same prior; but where data say little of a scale, log s has a long tail towards 0 that a sampler crosses badly, and x has none.
    Other families are those of `positive_prior`.
    """
    if prior.family != "half_normal":
        return positive_prior(name, prior)
    sigma = pm.Data(f"{name}__sigma", np.asarray(prior.number("sigma"), dtype=float))
    score = pm.Normal(f"{name}{RAW}")
    return pm.Deterministic(name, sigma * np.sqrt(2.0) * pt.erfcinv(pt.erfc(score / np.sqrt(2.0)) / 2.0))


def positive_updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    """Values of the `pm.Data` of a positive parameter's prior, for a refit."""
    return {f"{name}__{part}": np.asarray(prior.number(part), dtype=float) for part in prior.names}


def updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    """Values of the `pm.Data` that a prior made, for a refit."""
    return positive_updates(name, prior) if prior.support == "positive" else effect_updates(name, prior)
