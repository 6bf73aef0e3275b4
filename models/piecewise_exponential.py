"""Model card: `piecewise_exponential`, hazards constant on intervals, smoothed by a random walk.

    log h_c(t) = a + s · (z_1 + ... + z_(j-1))            t in interval j = (t_(j-1), t_j], the last one open,   z_i ~ N(0, 1)
    log h_e(t) = log h_c(t) + β_j,   β_j = β                              (`piecewise_exponential`)
                                     β_j = β + u · (v_1 + ... + v_(j-1))  (`piecewise_exponential_varying`),    v_i ~ N(0, 1)
    Σ D log h - E h                  D events, E patient-months, per interval and arm: exact by sufficient statistics; where events
                                     are known to recording units u, Σ D log(1 - exp(-h u)) - E h, E up to an event's unit

a  `log_baseline_hazard`   log events per patient-month of the control arm in the first interval     real
s  `walk_scale`            SD of the step of the log hazard from one interval to the next            positive
z  `walk_steps`            standardised steps of the log hazard                                      real, (step,)
β  `log_hazard_ratio`      experimental / control; where it varies, in the first interval            real
u  `effect_walk_scale`     SD of the step of the log hazard ratio                                    positive
v  `effect_walk_steps`     standardised steps of the log hazard ratio                                real, (step,)
t_j  cut points: configuration, not parameters (`intervals`: equal widths, or equal numbers of events over the tables of the endpoint)

Assumes a hazard that is constant within an interval, and censoring that says nothing of it.
Sampled as: w = z √(1 + s² I), I about what the events on both sides of a cut tell of the step (w ~ N(0, 1 + s² I)); in place of a the
mean of the log hazard over the intervals, weighted by their events; a half-normal s by its normal score (names with `_raw`). The same
model for any I and weights, without the funnel and the ridge that slow a sampler down; v, β where it varies, and u likewise.
Source: Ibrahim, Chen, Sinha, Bayesian Survival Analysis, 2001, 3.1, 3.3; Papaspiliopoulos et al. 2007, Statistical Science 22:59.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.dims import RAW
from retrial.fit.observe import observe_cells
from retrial.fit.survival.intervals import IntervalCounts, interval_counts, share_and_information, spans
from retrial.fit.survival.likelihood import COVARIATE_PREDICTOR, OBSERVED, SurvivalData, patients_in_model
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, scale_prior
from retrial.priors.scales import LOG, LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("log_baseline_hazard", "a", "real", Scale("events per patient-month", LOG), "Log baseline hazard"),
    Parameter("walk_scale", "s", "positive", Scale("SD of steps of the log hazard"), "Walk scale"),
    LOG_HAZARD_RATIO,
    Parameter(
        "effect_walk_scale", "u", "positive", Scale("SD of steps of the log hazard ratio"), "Effect walk scale", unless="varying"
    ),
)
INTERVAL, STEP, STATISTIC = "interval", "step", "statistic"


def prepare(data: SurvivalData, cuts: tuple[float, ...]) -> IntervalCounts:
    """The table's sufficient statistics."""
    return interval_counts(data, cuts)


def log_hazards(parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    """Log hazards (..., interval) of the control and the experimental arm; scalar parameters are (..., 1)."""
    control = parameters["log_baseline_hazard"] + parameters["walk_scale"] * _walk(parameters["walk_steps"], xp)
    control = control + parameters.get(COVARIATE_PREDICTOR, 0.0)  # that of patients whose covariates are given
    effect = parameters["log_hazard_ratio"]
    if "effect_walk_steps" in parameters:
        effect = effect + parameters["effect_walk_scale"] * _walk(parameters["effect_walk_steps"], xp)
    return control, control + effect


def _walk(steps: Any, xp: Any) -> Any:
    """0 and the cumulated steps, along the last axis."""
    count = steps.shape[-1]
    return steps @ ((xp.arange(count + 1) > xp.arange(count)[:, None]) * 1.0)


def hazard(
    time: np.ndarray, experimental: np.ndarray, parameters: Mapping[str, np.ndarray], xp: Any, cuts: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard and cumulative hazard H(t) = Σ_j h_j · months of interval j before t, for draws (draw, 1, 1) or (draw, step, 1, 1)."""
    flat = {name: value[..., 0, 0] if value.ndim > 3 else value[..., 0] for name, value in parameters.items()}
    control, treated = (values[..., None, None, :] for values in log_hazards(flat, xp))
    log_h = xp.where(experimental[..., None] > 0, treated, control)
    starts, lengths = spans(cuts)
    months = np.clip(np.asarray(time)[..., None] - starts, 0.0, lengths)
    inside = (np.searchsorted(cuts, time)[..., None] == np.arange(starts.size)).astype(float)
    log_hazard, cumulative = (a @ b.swapaxes(-1, -2) for a, b in ((log_h, inside), (xp.exp(log_h), months)))
    return log_hazard[..., 0, :], cumulative[..., 0, :]


def build(data: IntervalCounts, priors: PriorSet, varying: bool = False) -> pm.Model:
    """PyMC model of one table's sufficient statistics; every count and hyper-parameter is `pm.Data`."""
    intervals, rows = data.events.shape[1], data.of_rows()
    coords = {STATISTIC: ["events", "exposure"], INTERVAL: np.arange(1, intervals + 1), STEP: np.arange(1, intervals)}
    with pm.Model(coords={**coords, **data.coords}) as model:
        parameters = _random_walk("walk", "log_baseline_hazard", data, priors)
        if varying:
            parameters |= _random_walk("effect_walk", "log_hazard_ratio", data, priors)
        else:
            parameters["log_hazard_ratio"] = effect_prior("log_hazard_ratio", priors["log_hazard_ratio"])
        log_h = pt.stack(log_hazards(parameters, pt))
        if rows:
            experimental, of_patients = patients_in_model(rows, priors)
            log_h = log_h[0] + (log_h[1] - log_h[0]) * experimental[:, None] + of_patients[:, None]
        step = pm.Data("step_months", data.step) if data.step > 0 else None
        of_event = log_h if step is None else pt.log1mexp(-pt.exp(log_h) * step)
        if data.at_zero is not None:
            half = pt.log1mexp(-pt.exp(log_h[:, 0]) * step / 2)
            observe_cells("at_zero", half, data.at_zero, (data.dim,), data="events_at_zero")
        observe_cells(OBSERVED, pt.stack([of_event, -pt.exp(log_h)]), data.counts, (STATISTIC, data.dim, INTERVAL))
    return model


def _random_walk(name: str, first: str, data: IntervalCounts, priors: PriorSet) -> dict[str, Any]:
    """Value `first` in the first interval, scale and standard normal steps of a random walk over the intervals."""
    told = share_and_information(data.weights[name])
    share = pm.Data(f"{name}__share", told["share"], dims=INTERVAL)
    information = pm.Data(f"{name}__information", told["information"], dims=STEP)
    scale = scale_prior(f"{name}_scale", priors[f"{name}_scale"])
    spread = pt.sqrt(1.0 + scale**2 * information)
    steps = pm.Deterministic(f"{name}_steps", pm.Normal(f"{name}_steps{RAW}", sigma=spread, dims=STEP) / spread, dims=STEP)
    mean = scale * (share * _walk(steps, pt)).sum()
    return {first: effect_prior(first, priors[first], shift=mean), f"{name}_scale": scale, f"{name}_steps": steps}
