"""Model card: `piecewise_exponential`, hazards constant on intervals, smoothed by a random walk.

    log h_c(t) = a + s · (z_1 + ... + z_(j-1))            t in interval j = ((j-1) w, j w], the last one open,   z_i ~ N(0, 1)
    log h_e(t) = log h_c(t) + β_j,   β_j = β                              (`piecewise_exponential`)
                                     β_j = β + u · (v_1 + ... + v_(j-1))  (`piecewise_exponential_varying`),    v_i ~ N(0, 1)
    Σ D log h - E h                  D events, E patient-months, per interval and arm: exact by sufficient statistics

a  `log_baseline_hazard`   log events per patient-month of the control arm in the first interval     real
s  `walk_scale`            SD of the step of the log hazard from one interval to the next            positive
z  `walk_steps`            standardised steps of the log hazard                                      real, (step,)
β  `log_hazard_ratio`      experimental / control; where it varies, in the first interval            real
u  `effect_walk_scale`     SD of the step of the log hazard ratio                                    positive
v  `effect_walk_steps`     standardised steps of the log hazard ratio                                real, (step,)
w  width in months, and the number of intervals: configuration, not parameters

Assumes a hazard that is constant within an interval, and censoring that says nothing of the hazard.
Source: Ibrahim, Chen, Sinha, Bayesian Survival Analysis, 2001, chapters 3.1 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.dims import ARM, ARMS
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior
from retrial.survival.intervals import IntervalCounts

INTERVAL, STEP = "interval", "step"


def log_hazards(parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazards (..., interval) of the control and the experimental arm; scalar parameters are (..., 1)."""
    control = parameters["log_baseline_hazard"] + parameters["walk_scale"] * _walk(parameters["walk_steps"], xp)
    effect = parameters["log_hazard_ratio"]
    if "effect_walk_steps" in parameters:
        effect = effect + parameters["effect_walk_scale"] * _walk(parameters["effect_walk_steps"], xp)
    return control, control + effect


def _walk(steps: Any, xp: Any) -> Any:
    """0 and the cumulated steps, along the last axis."""
    total = xp.cumsum(steps, axis=-1)
    return xp.concatenate([xp.zeros_like(total[..., :1]), total], axis=-1)


def hazard(
    time: np.ndarray, experimental: np.ndarray, parameters: Mapping[str, np.ndarray], xp: Any, width: float, intervals: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard and cumulative hazard H(t) = Σ_j h_j · months of interval j before t, for draws (draw, 1, 1) or (draw, step, 1, 1)."""
    flat = {name: value[..., 0, 0] if value.ndim > 3 else value[..., 0] for name, value in parameters.items()}
    control, treated = (values[..., None, None, :] for values in log_hazards(flat, xp))
    log_h = xp.where(experimental[..., None] > 0, treated, control)
    starts = width * np.arange(intervals)
    months = np.clip(np.asarray(time)[..., None] - starts, 0.0, np.append(np.full(intervals - 1, width), np.inf))
    index = np.clip(np.ceil(np.asarray(time) / width).astype(int) - 1, 0, intervals - 1)
    inside = (index[..., None] == np.arange(intervals)).astype(float)
    return (log_h * inside).sum(-1), (xp.exp(log_h) * months).sum(-1)


def build(data: IntervalCounts, priors: PriorSet, varying: bool = False) -> pm.Model:
    """PyMC model of one table's sufficient statistics; every count and hyper-parameter is `pm.Data`."""
    intervals = data.events.shape[1]
    coords = {ARM: list(ARMS), INTERVAL: np.arange(1, intervals + 1), STEP: np.arange(1, intervals)}
    with pm.Model(coords=coords) as model:
        parameters = {
            "log_baseline_hazard": effect_prior("log_baseline_hazard", priors["log_baseline_hazard"]),
            "walk_scale": positive_prior("walk_scale", priors["walk_scale"]),
            "walk_steps": pm.Normal("walk_steps", dims=STEP),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }
        if varying:
            parameters["effect_walk_scale"] = positive_prior("effect_walk_scale", priors["effect_walk_scale"])
            parameters["effect_walk_steps"] = pm.Normal("effect_walk_steps", dims=STEP)
        log_h = pt.stack(log_hazards(parameters, pt))
        events = pm.Data("events", data.events, dims=(ARM, INTERVAL))
        exposure = pm.Data("exposure", data.exposure, dims=(ARM, INTERVAL))
        of_event = pt.log1mexp(-pt.exp(log_h) * pm.Data("step_months", data.step)) if data.step > 0 else log_h
        terms = (of_event, pt.exp(log_h) * exposure)
        pm.CustomDist("life_table", *terms, logp=_log_density, signature="(),()->()", observed=events, dims=(ARM, INTERVAL))
    return model


def _log_density(value: Any, of_event: Any, accumulated: Any) -> Any:
    return value * of_event - accumulated
