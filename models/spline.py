"""Model card: `spline`, proportional hazards on a smooth hazard: an M-spline with a random walk of its weights.

    h_c(t) = log 2 · s(t) / ∫_0^m s,     s(t) = Σ_j exp(a_j) B_j(t),     a_j = u · (z_1 + ... + z_(j-1)),   z_i ~ N(0, 1)
    H_c(t) = log 2 · ∫_0^t s / ∫_0^m s,     H_e(t) = exp(β) H_c(t)

m  `control_median`     months, median survival of the control arm                                    positive
u  `walk_scale`         SD of the step of the log weight from one spline to the next                  positive
z  `walk_steps`         standardised steps of the log weights                                          real, (step,)
β  `log_hazard_ratio`   experimental / control; below 0 favours experimental                          real
B_j  cubic B-splines on knots at 0 and at the cut points; beyond the last cut point the hazard is constant (`intervals`: equal
     widths, or equal numbers of events over the tables of the endpoint)

An M-spline is a B-spline scaled to integrate to 1, so that this is the M-spline of the hazard whose weights are proportional to
exp(a_j) times the integral of B_j. Equal a_j are a constant hazard (`exponential`), towards which u shrinks.
Sampled as w = z √(1 + u² I), I about what the events tell of the step, as in `piecewise_exponential`; a half-normal u by its normal score.
Assumes proportional hazards, a hazard that changes smoothly, constant beyond the last cut point, and censoring that says nothing of it.
Conversions: survextrap's hscale η times its coefs p_j = log 2 exp(a_j) ∫B_j / ∫_0^m s; its knots are our cut points.
Source: Jackson 2023, BMC Medical Research Methodology 23:282 (survextrap: M-splines about a constant hazard, random walk); Brilleman,
Elçi, Novik, Wolfe 2020, arXiv 2002.09633 (rstanarm: M-splines); Ramsay 1988, Statistical Science 3:425; median parameterisation by this
project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.dims import RAW
from retrial.fit.survival.likelihood import SurvivalData, coords, linear_predictor, observe
from retrial.fit.survival.splines import Pieces, SplineData, pieces_of, value_and_integral
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, positive_prior, scale_prior
from retrial.priors.scales import LOG_HAZARD_RATIO, Parameter, Scale

DATA = "life_table"
PARAMETERS = (
    Parameter("control_median", "m", "positive", Scale("months"), "Control median, months"),
    Parameter("walk_scale", "u", "positive", Scale("SD of steps of the log weights"), "Walk scale"),
    LOG_HAZARD_RATIO,
)
STEP = "step"
_LOG_LOG_2 = float(np.log(np.log(2.0)))


def prepare(data: SurvivalData, cuts: tuple[float, ...]) -> SplineData:
    """The table with the splines of its time axis."""
    return SplineData(data, pieces_of(cuts))


def hazard(
    time: np.ndarray, experimental: np.ndarray, parameters: Mapping[str, np.ndarray], xp: Any, cuts: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard and cumulative hazard at `time` (> 0), for draws (draw, 1, 1) or (draw, step, 1, 1)."""
    steps = np.moveaxis(parameters["walk_steps"], -3, -1)
    return _hazard(np.asarray(time), experimental, {**parameters, "walk_steps": steps}, xp, pieces_of(cuts))


def _hazard(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any, pieces: Pieces) -> tuple[Any, Any]:
    """The same with the steps on the last axis."""
    total = xp.cumsum(parameters["walk_steps"], axis=-1)
    log_weights = parameters["walk_scale"][..., None] * xp.concatenate([xp.zeros_like(total[..., :1]), total], axis=-1)
    weights, median = xp.exp(log_weights), parameters["control_median"]
    value, integral = value_and_integral(pieces, weights, time, xp)
    _, to_median = value_and_integral(pieces, weights, median, xp)
    log_unit = _LOG_LOG_2 - xp.log(to_median) + linear_predictor(parameters, experimental)
    return log_unit + xp.log(value), xp.exp(log_unit + xp.log(integral))


def build(data: SplineData, priors: PriorSet) -> pm.Model:
    """PyMC model of one life table; every count, knot and hyper-parameter is `pm.Data`."""
    count = data.pieces.coefficients.shape[1]
    with pm.Model(coords={**coords(data.table), STEP: np.arange(1, count)}) as model:
        made = {name: pm.Data(name, value) for name, value in data.updates().items() if name.startswith("spline_")}
        pieces = Pieces(*(made[f"spline_{name}"] for name in ("start", "length", "coefficients")))
        scale = scale_prior("walk_scale", priors["walk_scale"])
        spread = pt.sqrt(1.0 + scale**2 * pm.Data("walk__information", data.information, dims=STEP))
        parameters = {
            "control_median": positive_prior("control_median", priors["control_median"]),
            "walk_scale": scale,
            "walk_steps": pm.Deterministic(
                "walk_steps", pm.Normal(f"walk_steps{RAW}", sigma=spread, dims=STEP) / spread, dims=STEP
            ),
            "log_hazard_ratio": effect_prior("log_hazard_ratio", priors["log_hazard_ratio"]),
        }

        def curve(time: Any, experimental: Any, values: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
            return _hazard(pt.as_tensor(time), experimental, values, xp, pieces)

        observe(curve, data.table, parameters, priors)
    return model
