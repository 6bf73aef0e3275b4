"""Completed survival: after censoring the hazard is e^δ times that of those who stay, in each arm its own (METHODS 9).

Survival of the population that an arm's patients come from, H the cumulative hazard of those who stay, G the product-limit estimate of not being
censored yet and f its drops:

    S*(u) = G(u) exp(-H(u)) + Σ_{t <= u} f(t) exp(-H(t)) exp(-e^δ (H(u) - H(t)))

G(u) and the f(t) up to u add to 1, so that δ = 0 gives exp(-H(u)) back, draw by draw. (Completing the patients of the table themselves instead,
1 - [events <= u + Σ_{t < u} c_t (1 - exp(-e^δ (H(u) - H(t))))] / n, says nothing of the population: its interval lacks their sampling.)
Source: Scharfstein, Robins 2002, Biometrika 89:617 (sensitivity to the hazard after censoring); Efron 1967 (redistribution of those censored).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.data.life_table import on
from retrial.dims import PRIOR, RECONSTRUCTION
from retrial.fit.posterior_file import WEIGHT, by_number
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

DRAWS = 2000
"""Draws over all tables: a probability near 0.975 is right to 0.0035."""
_POINTS = 240
"""Points of an integral of survival, beside the tables' own times."""
_LARGEST = 600.0
Cumulative = Callable[[np.ndarray], np.ndarray]
"""Times (time,) -> H (draw, time)."""


@dataclass(frozen=True, eq=False)
class Completed:
    """Survival over the grid of hazards after censoring: `rmst` (ratio, arm, draw) to the horizon, and `survival`
    (ratio, arm, time, draw) at times; months."""

    rmst: np.ndarray
    survival: np.ndarray
    times: np.ndarray
    horizon: float


def completed(
    times: np.ndarray,
    events: np.ndarray,
    censored: np.ndarray,
    cumulative: Cumulative,
    ratios: np.ndarray,
    asked: np.ndarray,
    horizon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """∫ S* to the horizon (ratio, draw), and S* (ratio, time, draw) at times asked, of one arm with counts (time,); `ratios` (ratio,) are e^δ.

    A censoring at t leaves after the events at t.
    """
    staying, drops = censoring_survival(events, censored)
    fine = np.unique(np.concatenate([np.linspace(0.0, horizon, _POINTS), asked]))
    h_fine, h_times = cumulative(fine), cumulative(times)
    reached = np.searchsorted(times, fine, side="right")
    still = np.concatenate([[1.0], staying])[reached] * np.exp(-h_fine)
    steps, inside, where = np.diff(fine), fine <= horizon, np.searchsorted(fine, asked)
    rmst, survival = [], []
    for ratio in ratios:
        left = drops * np.exp(np.minimum((ratio - 1) * h_times, _LARGEST))
        gone = np.pad(np.cumsum(left, axis=1), ((0, 0), (1, 0)))[:, reached] * np.exp(-ratio * h_fine)
        value = still + gone
        within = (value[:, 1:] + value[:, :-1]) / 2 * steps * inside[1:]
        rmst.append(within.sum(axis=1))
        survival.append(value[:, where].T)
    return np.array(rmst), np.array(survival)


def censoring_survival(events: np.ndarray, censored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Product-limit estimate of not being censored after each time, and its drop there, both (time,)."""
    leaving = events + censored
    at_risk = leaving[::-1].cumsum()[::-1] - events
    staying = np.cumprod(1.0 - np.divide(censored, at_risk, out=np.zeros(at_risk.shape), where=at_risk > 0))
    return staying, -np.diff(staying, prepend=1.0)


def completed_tables(
    run: RunConfig, spec: ModelSpec, study: Study, endpoint: str, tree: xr.DataTree, prior: str
) -> Completed | None:
    """Survival of draws over the tables that are followed to the horizon and the last time asked; None with patients who entered late."""
    posterior, observed = by_number(tree)
    table, weights = LifeTable(observed.drop_vars(WEIGHT)), observed[WEIGHT].to_numpy()
    if table.late is not None:
        return None
    hazard = on(spec, table, weights, study.endpoints[endpoint].reading).hazard_of()
    follow_up = FollowUp.of(table, weights / weights.sum())
    horizon, asked = follow_up.horizon(run.questions), np.array(follow_up.times(run.questions))
    weights = np.where(follow_up.reaching(max(horizon, float(asked[-1]))), weights, 0.0)
    values = {str(name): flat_draws(item) for name, item in posterior.sel({PRIOR: prior}).data_vars.items()}
    shares = numbers_by_weight(weights, DRAWS)
    rng = np.random.default_rng(seed_sequence(run.seed, "after censoring", endpoint, spec.name))
    ratios = np.array(run.sensitivity.hazard_after_censoring)
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = []
    for index in np.flatnonzero(shares):
        size, there = int(shares[index]), next(iter(values.values())).shape[1]
        rows = rng.choice(there, size, replace=size > there)
        draws = {name: value[index][rows] for name, value in values.items()}
        events, censored = table.counts(int(index))
        parts.append(
            [
                completed(table.times, events[arm], censored[arm], hazard_of_arm(hazard, draws, arm), ratios, asked, horizon)
                for arm in (0, 1)
            ]
        )
    rmst, survival = (
        np.concatenate([np.stack([part[arm][which] for arm in (0, 1)], axis=1) for part in parts], axis=-1) for which in (0, 1)
    )
    return Completed(rmst, survival, asked, horizon)


def numbers_by_weight(weights: np.ndarray, draws: int) -> np.ndarray:
    """How many of so many draws each table gives, (table,), without chance."""
    return np.diff(np.round(np.cumsum(np.concatenate([[0.0], weights])) / weights.sum() * draws)).astype(int)


def flat_draws(item: xr.DataArray) -> np.ndarray:
    """(table, draw, ...) of a parameter (table, chain, draw, ...)."""
    array = item.transpose(RECONSTRUCTION, "chain", "draw", ...).to_numpy()
    return array.reshape(array.shape[0], -1, *array.shape[3:]).astype(float)


def hazard_of_arm(hazard: Any, draws: Mapping[str, np.ndarray], arm: int) -> Cumulative:
    """H of one arm under draws of a model's parameters; 0 at time 0."""

    def cumulative(times: np.ndarray) -> np.ndarray:
        found = curves.cumulative_hazard(hazard, draws, np.maximum(times, 1e-9))[:, arm]
        return np.where(times > 0, found, 0.0)

    return cumulative
