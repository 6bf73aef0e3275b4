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
_FURTHEST = 8.0
"""Log ratio that no effect is beyond."""
_POINTS, _SURE = 8001, 1e-13
"""Points of a posterior, between the points beyond which so much of it lies."""


def future_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """Rows of every named set and size; columns of future_trial.csv. Nothing where the events of this study are not known."""
    if math.isnan(effect.events):
        return
    of_side = side(effect, tail)
    for name, prior in effect.priors.items():
        beta, mass = posterior_masses(effect, prior)
        centre = float(effect.likelihood.under(prior, tail).median[0])
        for times in asked.future_events:
            events = times * effect.events
            sd = math.sqrt(PER_EVENT / events)
            posterior = _updated(beta, mass, centre, sd)
            told = {
                "prior": name,
                "times": times,
                "events": events,
                "after_same_effect": float(posterior[beta * of_side > 0].sum()),
            }
            yield {**effect.named, **told, "assurance": assurance(beta, mass, sd, of_side, tail)}


def posterior_masses(effect: Effect, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Middles of narrow steps of β and the posterior mass of each, (step,); 0 is an edge of a step."""
    wide = np.linspace(-_FURTHEST, _FURTHEST, _POINTS)
    inside = np.flatnonzero(np.diff(cdf := effect.likelihood.cdf(prior, wide)) > _SURE * (cdf[-1] - cdf[0]))
    edges = np.union1d(np.linspace(wide[inside[0]], wide[inside[-1] + 1], _POINTS), 0.0)
    mass = np.diff(effect.likelihood.cdf(prior, edges))
    return (edges[1:] + edges[:-1]) / 2, mass / mass.sum()


def assurance(beta: np.ndarray, mass: np.ndarray, sd: float, of_side: int, tail: float) -> float:
    """Mean over β of P(y' / sd beyond the quantile of the interval, on the side), y' ~ N(β, sd²)."""
    return float(mass @ stats.norm.cdf(of_side * beta / sd - stats.norm.isf(tail)))


def _updated(beta: np.ndarray, mass: np.ndarray, observed: float, sd: float) -> np.ndarray:
    """Posterior masses of points β after an estimate."""
    log_weight = -0.5 * ((beta - observed) / sd) ** 2
    weight = mass * np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())
