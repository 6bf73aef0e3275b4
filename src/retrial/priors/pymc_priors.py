"""Priors as PyMC variables whose hyper-parameters are `pm.Data`, so that one compiled model serves every prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.errors import PriorError
from retrial.priors.prior import Prior

COMPONENTS = 4
"""Components that a prior on an effect may have in a compiled model."""
_LOG_ZERO = -1e6
"""Log weight of an unused component: its share is 0 in floating point, and its gradient too."""


def effect_prior(name: str, prior: Prior, dims: str | None = None) -> Any:
    """Free real variable with a normal, Student t or normal-mixture prior; with `dims`, independent ones with the same prior.

    All three are Σ_j w_j f_j with f_j normal (ν_j infinite) or Student t; hyper-parameters are the `pm.Data` of `effect_updates`,
    so that changing from one family to another needs no new compilation.
    """
    data = {key: pm.Data(key, value) for key, value in effect_updates(name, prior).items()}
    log_weight, mu, sigma, nu, is_t = (data[f"{name}__{part}"] for part in _PARTS)
    return pm.CustomDist(
        name,
        log_weight,
        mu,
        sigma,
        nu,
        is_t,
        logp=_mixture_logp,
        random=_mixture_random,
        signature="(k),(k),(k),(k),(k)->()",
        dims=dims,
    )


_PARTS = ("log_weight", "mu", "sigma", "nu", "is_t")


def effect_updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    """Hyper-parameters of an effect's prior as arrays of length `COMPONENTS`."""
    if prior.support != "real":
        raise PriorError(f"the prior of {name}", [f"got {prior.family}; allowed are normal, student_t, normal_mixture"])
    weights = np.atleast_1d(prior["weights"]) if "weights" in prior.names else np.ones(1)
    if weights.size > COMPONENTS:
        raise PriorError(f"the prior of {name}", [f"got {weights.size} components; allowed are up to {COMPONENTS}"])
    padding = (0, COMPONENTS - weights.size)
    with np.errstate(divide="ignore"):
        log_weight = np.maximum(np.log(weights), _LOG_ZERO)
    nu = prior.number("nu") if prior.family == "student_t" else 1.0
    values = {
        "log_weight": np.pad(log_weight, padding, constant_values=_LOG_ZERO),
        "mu": np.pad(np.atleast_1d(prior["mu"]), padding),
        "sigma": np.pad(np.atleast_1d(prior["sigma"]), padding, constant_values=1.0),
        "nu": np.full(COMPONENTS, nu),
        "is_t": np.full(COMPONENTS, float(prior.family == "student_t")),
    }
    return {f"{name}__{part}": np.asarray(values[part], dtype=float) for part in _PARTS}


def _mixture_logp(value: Any, log_weight: Any, mu: Any, sigma: Any, nu: Any, is_t: Any) -> Any:
    z = (value[..., None] - mu) / sigma
    normal = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    constant = pt.gammaln((nu + 1) / 2) - pt.gammaln(nu / 2) - 0.5 * pt.log(nu * np.pi)
    student = constant - (nu + 1) / 2 * pt.log1p(z**2 / nu)
    return pt.logsumexp(log_weight - pt.log(sigma) + pt.where(pt.gt(is_t, 0.5), student, normal), axis=-1)


def _mixture_random(
    log_weight: np.ndarray,
    mu: np.ndarray,
    sigma: np.ndarray,
    nu: np.ndarray,
    is_t: np.ndarray,
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


def positive_updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    return {f"{name}__{part}": np.asarray(prior.number(part), dtype=float) for part in prior.names}


def updates(name: str, prior: Prior) -> dict[str, np.ndarray]:
    """Values of the `pm.Data` that a prior made, for a refit."""
    return positive_updates(name, prior) if prior.support == "positive" else effect_updates(name, prior)
