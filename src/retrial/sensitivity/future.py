"""A further trial of the same effect: what its data would add, and how likely it is to confirm the conclusion (METHODS 9).

A trial of D events in arms of equal size has a log ratio y' ~ N(β, 4 / D) (Schoenfeld 1981, Biometrika 68:316). Assurance is the probability,
under what is now believed of β, that y' excludes 1 on the conclusion's side (O'Hagan, Stevens, Campbell 2005, Pharm Stat 4:187).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.prior_grid import side

Row = dict[str, Any]
PER_EVENT = 4.0
"""Variance of a log ratio times its events, arms of equal size."""
_NODES = (np.arange(2000) + 0.5) / 2000
"""Evenly spaced probabilities at which a posterior is looked at."""


def future_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """Rows of every named set and size; columns of future_trial.csv. Nothing where the events of this study are not known."""
    if math.isnan(effect.events):
        return
    of_side = side(effect, tail)
    for name, prior in effect.priors.items():
        beta = posterior_points(effect, prior)
        centre = float(np.median(beta))
        for times in asked.future_events:
            events = times * effect.events
            sd = math.sqrt(PER_EVENT / events)
            posterior = _updated(beta, centre, sd)
            told = {
                "prior": name,
                "times": times,
                "events": events,
                "after_same_effect": float(posterior[beta * of_side > 0].sum()),
            }
            yield {**effect.named, **told, "assurance": assurance(beta, sd, of_side, tail)}


def posterior_points(effect: Effect, prior: Prior) -> np.ndarray:
    """Evenly spaced quantiles of the posterior of β, (2000,), by inverting its CDF on a fine grid."""
    x = np.linspace(-8.0, 8.0, 16_001)
    cdf = effect.likelihood.cdf(prior, x)
    return np.asarray(np.interp(_NODES, cdf, x))


def assurance(beta: np.ndarray, sd: float, of_side: int, tail: float) -> float:
    """Mean over β of P(y' / sd beyond the quantile of the interval, on the side), y' ~ N(β, sd²)."""
    return float(stats.norm.cdf(of_side * beta / sd - stats.norm.isf(tail)).mean())


def _updated(beta: np.ndarray, observed: float, sd: float) -> np.ndarray:
    """Posterior shares of points β of equal weight after an estimate."""
    log_weight = -0.5 * ((beta - observed) / sd) ** 2
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())
