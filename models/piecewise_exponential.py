"""Model card: `piecewise_exponential`, hazards constant on intervals, smoothed by a random walk.

    log h_c(t) = a + s · (z_1 + ... + z_(j-1))   for t in interval j = ((j-1) w, j w], the last one open,     z_i ~ N(0, 1)
    log h_e(t) = log h_c(t) + β_j,     β_j = β                          (`piecewise_exponential`)
                                       β_j = β + u · (v_1 + ... + v_(j-1))   (`piecewise_exponential_varying`),     v_i ~ N(0, 1)

a    `log_baseline_hazard`   log events per patient-month of the control arm in the first interval       real
s    `walk_scale`            SD of the step of the log hazard from one interval to the next              positive
z    `walk_steps`            standardised steps of the log hazard                                        real, one fewer than intervals
β    `log_hazard_ratio`      experimental / control (in the first interval where it varies)              real
u    `effect_walk_scale`     SD of the step of the log hazard ratio                                      positive
v    `effect_walk_steps`     standardised steps of the log hazard ratio                                  real, one fewer than intervals
w    interval width in months, and the number of intervals: the model's configuration, not parameters

Assumes a hazard that is constant within an interval, steps of one size, and censoring that says nothing of the hazard.
Exact by sufficient statistics: Σ d log h - Σ (d + c) H depends on events and exposure per interval and arm only; the life table is read
through the overlap of each month with each interval, which is the same sum.
Source: Ibrahim, Chen, Sinha, Bayesian Survival Analysis, 2001, chapters 3.1 and 3.3 (piecewise hazards, Gaussian walk on the log hazard).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.survival.observed import SurvivalData, coords, observe

_INTERVAL_AXIS = -3
"""Vectors over intervals have the axes (..., interval, arm, time), the last two of length 1."""


def log_hazards(parameters: Mapping[str, Any], experimental: Any, xp: Any) -> Any:
    """Log hazard of every interval, (..., interval, arm, 1)."""
    control = parameters["log_baseline_hazard"] + parameters["walk_scale"] * _walk(parameters["walk_steps"], xp)
    effect = parameters["log_hazard_ratio"]
    if "effect_walk_steps" in parameters:
        effect = effect + parameters["effect_walk_scale"] * _walk(parameters["effect_walk_steps"], xp)
    return control + effect * experimental


def _walk(steps: Any, xp: Any) -> Any:
    """0 and the cumulated steps."""
    total = xp.cumsum(steps, axis=_INTERVAL_AXIS)
    return xp.concatenate([xp.zeros_like(total[..., :1, :, :]), total], axis=_INTERVAL_AXIS)


def hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any, width: float, intervals: int) -> tuple[Any, Any]:
    """Log hazard and cumulative hazard at `time` (> 0): H(t) = Σ_j h_j · months of interval j before t."""
    starts = width * np.arange(intervals)[:, None, None]
    months = xp.clip(time - starts, 0.0, np.append(np.full(intervals - 1, width), np.inf)[:, None, None])
    inside = xp.where(
        (time > starts) & (time <= starts + np.append(np.full(intervals - 1, width), np.inf)[:, None, None]), 1.0, 0.0
    )
    log_h = log_hazards({name: _column(value, name) for name, value in parameters.items()}, experimental, xp)
    return (log_h * inside).sum(_INTERVAL_AXIS), (xp.exp(log_h) * months).sum(_INTERVAL_AXIS)


def _column(value: Any, name: str) -> Any:
    """Scalars get an interval axis of length 1; vectors of steps have theirs."""
    return value if name.endswith("_steps") else value[..., None, :, :]


def build(data: SurvivalData, priors: PriorSet, width: float, intervals: int, varying: bool = False) -> pm.Model:
    """PyMC model of one life table; every count and hyper-parameter is `pm.Data`."""

    def configured(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
        return hazard(time, experimental, parameters, xp, width, intervals)

    with pm.Model(coords={**coords(data), "step": np.arange(1, intervals)}) as model:
        parameters = {
            "log_baseline_hazard": effect_prior("log_baseline_hazard", priors["log_baseline_hazard"])[None, None],
            "walk_scale": positive_prior("walk_scale", priors["walk_scale"])[None, None],
            "walk_steps": pm.Normal("walk_steps", dims="step")[:, None, None],
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"])[None, None],
        }
        if varying:
            parameters["effect_walk_scale"] = positive_prior("effect_walk_scale", priors["effect_walk_scale"])[None, None]
            parameters["effect_walk_steps"] = pm.Normal("effect_walk_steps", dims="step")[:, None, None]
        observe(configured, data, parameters)
    return model
