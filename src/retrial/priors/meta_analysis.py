"""From a table of published effects to a prior: pooled, discounted, or robustified; computed when the table is read, never typed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from retrial.errors import PriorError
from retrial.priors.evidence import Effect, EvidenceTable
from retrial.priors.prior import Prior
from retrial.priors.two_level import normal_studies
from retrial.validate import as_text, is_number

EVIDENCE = "evidence"
"""Key of a statement by evidence, {outcome, method, ...}, in place of a family."""
DEFAULT_EXPONENT = 0.2
"""Power that an effect seen elsewhere is discounted with: one fifth of its information (METHODS 7)."""
DEFAULT_WEIGHT = 0.5
VAGUE_SD = 1.0
"""SD of the vague part of a robust prior on a log ratio: about one patient's, or four events', information."""
DEFAULT_TAU = Prior("half_normal", (0.5,), "between studies: half-normal 0.5 on a log ratio")
METHODS: dict[str, tuple[str, ...]] = {
    "power": ("exponent", "pool"),
    "robust": ("weight", "between_sd", "vague_sd"),
    "pooled": ("pool",),
    "predictive": ("between_sd", "exponent"),
}
"""Ways from evidence to a prior, and what each may be told."""


def pooled(effects: Mapping[str, Effect], kind: str) -> tuple[float, float]:
    """Inverse-variance pool (fixed) or DerSimonian-Laird pool (random): log ratio and SE.

    Random effects of studies that agree (Cochran's Q no larger than its degrees of freedom) have τ² = 0: the fixed-effect pool.
    """
    if len(effects) == 1:
        (only,) = effects.values()
        return only.log_ratio, only.se
    y = np.array([effect.log_ratio for effect in effects.values()])
    variance = np.array([effect.se**2 for effect in effects.values()])
    mean, se = _weighted(y, variance)
    if kind == "fixed":
        return mean, se
    weight = 1 / variance
    excess = float(weight @ (y - mean) ** 2) - (y.size - 1)
    # Σw - Σw² / Σw without its cancellation
    room = (np.outer(weight, weight).sum(where=~np.eye(y.size, dtype=bool))) / weight.sum()
    return _weighted(y, variance + max(0.0, excess / room))


def _weighted(y: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Inverse-variance mean and its SE."""
    weight = 1 / variance
    return float(weight @ y / weight.sum()), float(weight.sum() ** -0.5)


def from_evidence(statement: Any, table: EvidenceTable | None, key: str) -> dict[str, Any]:
    """A family with its parameters from {outcome, method, ...}; raises `PriorError` with what is admitted.

    power    N(pool, SE² / exponent): the pooled likelihood to a power (Ibrahim, Chen 2000)
    robust   w N(m, v) + (1 - w) N(0, vague_sd²): m, v the mean and variance of the next study's effect under θ_i ~ N(μ, τ²), flat μ,
             τ ~ half-normal(between_sd), by quadrature (Schmidli et al. 2014)
    pooled   N(pool, SE²)
    predictive  N(m, v / exponent), m, v as for robust: what the next study would show, then discounted; an exponent of 1 unless told
    """
    said = _checked(statement, key)
    if table is None:
        raise PriorError(
            f"cannot use the prior {key}", [f"{key}: no table; say it beside the priors (defaults: - /evidence@evidence: NAME)"]
        )
    effects = table.effects(said["outcome"], key)
    names = ", ".join(table.rows[name].label if name in table.rows else name for name in effects)
    origin = f"{table.name}, {said['outcome']}: {names}"
    if said["method"] == "robust":
        return _robust(effects, said, origin)
    if said["method"] == "predictive":
        return _predictive(effects, said, origin)
    exponent = said["exponent"] if said["method"] == "power" else 1.0
    mean, se = pooled(effects, said["pool"])
    note = f"power prior, exponent {exponent:g}, on" if said["method"] == "power" else "all of"
    text = f"{note} the {said['pool']}-effects pool {math.exp(mean):.3f} (SE of the log {se:.3f}) of {origin}"
    return {"family": "normal", "mu": mean, "sigma": se / math.sqrt(exponent), "source": text}


def _next_study(effects: Mapping[str, Effect], between_sd: float) -> tuple[float, float]:
    """Mean and SD of the next study's effect."""
    y, se = [effect.log_ratio for effect in effects.values()], [effect.se for effect in effects.values()]
    return normal_studies(y, se, Prior("half_normal", (between_sd,))).moments_next()


def _predictive(effects: Mapping[str, Effect], said: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Both steps in the source: between studies, then the discount."""
    (mean, se), (centre, sd) = pooled(effects, "fixed"), _next_study(effects, said["between_sd"])
    sigma = sd / math.sqrt(said["exponent"])
    text = (
        f"the next study's effect {math.exp(centre):.3f}: SE of the log {se:.3f} of the fixed-effects pool {math.exp(mean):.3f}, SD {sd:.3f} with "
        f"what lies between studies (half-normal {said['between_sd']:g}), {sigma:.3f} at exponent {said['exponent']:g}, of {origin}"
    )
    return {"family": "normal", "mu": centre, "sigma": sigma, "source": text}


def _robust(effects: Mapping[str, Effect], said: Mapping[str, Any], origin: str) -> dict[str, Any]:
    mean, sd = _next_study(effects, said["between_sd"])
    weight, vague = said["weight"], said["vague_sd"]
    text = (
        f"robust mixture: {weight:g} on the next study's effect {math.exp(mean):.3f} (SD of the log {sd:.3f}, between studies half-normal "
        f"{said['between_sd']:g}) of {origin}; {1 - weight:g} on N(0, {vague:g})"
    )
    return {
        "family": "normal_mixture",
        "weights": [weight, 1 - weight],
        "mu": [mean, 0.0],
        "sigma": [sd, vague],
        "source": text,
    }


_DEFAULTS: dict[str, Any] = {
    "exponent": DEFAULT_EXPONENT,
    "pool": "fixed",
    "weight": DEFAULT_WEIGHT,
    "between_sd": DEFAULT_TAU.number("sigma"),
    "vague_sd": VAGUE_SD,
}
_RANGES = {"exponent": (1e-4, 1.0), "weight": (1e-4, 1.0), "between_sd": (1e-4, 20.0), "vague_sd": (1e-4, 100.0)}
"""Shares, and SDs of a log ratio, that mean something and can be computed with."""


def _checked(statement: Any, key: str) -> dict[str, Any]:
    if not isinstance(statement, Mapping):
        raise PriorError(
            f"cannot use the prior {key}",
            [f"{key}: got {statement!r}; allowed is {{outcome: .., method: {' | '.join(METHODS)}}}"],
        )
    method = statement.get("method", "power")
    if not isinstance(method, str) or method not in METHODS:
        raise PriorError(f"cannot use the prior {key}", [f"{key}.method: got {method!r}; allowed are {', '.join(METHODS)}"])
    allowed = ("outcome", "method", *METHODS[method])
    problems = [f"{key}.{name}: unknown; {method} takes {', '.join(allowed)}" for name in statement if name not in allowed]
    defaults = {**_DEFAULTS, "exponent": 1.0} if method == "predictive" else _DEFAULTS
    said = {"method": method, "outcome": as_text(statement.get("outcome"), f"{key}.outcome", problems)} | {
        name: statement.get(name, defaults[name]) for name in METHODS[method]
    }
    for name, value in said.items():
        if name == "pool" and (not isinstance(value, str) or value not in ("fixed", "random")):
            problems.append(f"{key}.pool: got {value!r}; allowed are fixed, random")
        if name in _RANGES and not _within(value, *_RANGES[name]):
            problems.append(f"{key}.{name}: got {value!r}; allowed is a number from {_RANGES[name][0]:g} to {_RANGES[name][1]:g}")
    if problems:
        raise PriorError(f"cannot use the prior {key}", problems)
    return said


def _within(value: Any, lower: float, upper: float) -> bool:
    return is_number(value) and lower <= value <= upper
