"""Answers that every survival model has, whatever its hazards: what averages over models are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.dims import ARMS
from retrial.estimate import Estimate
from retrial.fit.survival.likelihood import Hazard
from retrial.frequentist.rows import DIFFERENCE
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

OUTSIDE = "outside this interval: the tables' Kaplan-Meier estimate, {value:.3f}"
"""Note of a survival that the tables themselves put elsewhere."""
SEEN = ("survival", "survival_difference")


@dataclass(frozen=True, eq=False)
class SharedAnswers:
    """Draws of S(t), restricted means and the hazard ratio averaged over the deaths.

    survival (draw, arm, time) at `times`;  rmst (draw, arm) up to `horizon`, both in months;  log_ratio (draw,) up to the horizon, the
    log hazard ratio itself where hazards are proportional
    """

    times: tuple[float, ...]
    horizon: float
    survival: np.ndarray
    rmst: np.ndarray
    log_ratio: np.ndarray

    def rows(self, kept: np.ndarray) -> SharedAnswers:
        """Some of the draws, in single precision: a draw's Monte Carlo error is a hundred thousand times its rounding."""
        parts = {name: getattr(self, name)[kept].astype(np.float32) for name in ("survival", "rmst", "log_ratio")}
        return dataclasses.replace(self, **parts)


def shared_answers(
    hazard: Hazard, draws: Mapping[str, np.ndarray], horizon: float, times: Sequence[float], proportional: bool
) -> SharedAnswers:
    """From draws (draw,) or (draw, k) of a model's parameters."""
    log_ratio = draws["log_hazard_ratio"] if proportional else curves.log_average_hazard_ratio(hazard, draws, horizon)
    survival = curves.survival(hazard, draws, np.array(times))
    return SharedAnswers(tuple(times), horizon, survival, curves.rmst(hazard, draws, horizon), log_ratio)


@dataclass(frozen=True, eq=False)
class ModelAnswers:
    """The shared answers of one model under one prior, and which table, chain and proposal each draw is of (`Origin`).

    `follow_up` has the tables' weights and how long each is followed, `passed` (table,) says whose fit may be used, `seen` (arm, time) is the
    tables' Kaplan-Meier estimate.
    """

    endpoint: str
    model: str
    prior: str
    source: str
    note: str
    follow_up: FollowUp
    passed: np.ndarray
    seen: np.ndarray
    answers: SharedAnswers
    origin: Origin

    @property
    def shares(self) -> np.ndarray:
        """(table,) weights of the tables, adding to 1."""
        return self.follow_up.weights


def kaplan_meier_seen(table: LifeTable, follow_up: FollowUp, times: Sequence[float], recorded: Recorded) -> np.ndarray:
    """Kaplan-Meier estimate at `times` (months), weighted mean over the tables that are followed until then, (arm, time).

    Events recorded at t itself are before it where times are exact or rounded up, after it where they are rounded down, and half of each
    where they are rounded to the nearest unit: the mean of the estimate just before and just after them.
    """
    steps = curves.kaplan_meier(table)
    whole = np.concatenate([np.ones((*steps.shape[:2], 1)), steps], axis=2)
    weights = np.array([follow_up.weights * follow_up.reaching(time) for time in times])
    after, before = (
        np.einsum(
            "tr,rat->at", weights / weights.sum(axis=1, keepdims=True), whole[..., np.searchsorted(table.times, times, side=side)]
        )
        for side in ("right", "left")
    )
    share = {"exact": 1.0, "ceiling": 1.0, "nearest": 0.5, "floor": 0.0}[recorded]
    return np.asarray(share * after + (1 - share) * before)


def held_against(rows: Iterable[Estimate], seen: np.ndarray, times: Sequence[float]) -> list[Estimate]:
    """The rows, with a note at each survival whose interval does not hold what was `seen` (arm, time)."""
    known = {(arm, time): float(seen[i, j]) for i, arm in enumerate(ARMS) for j, time in enumerate(times)}
    known |= {(DIFFERENCE, time): float(seen[1, j] - seen[0, j]) for j, time in enumerate(times)}
    return [_held(row, known) for row in rows]


def _held(row: Estimate, known: Mapping[tuple[str, float], float]) -> Estimate:
    value = known.get((row.contrast, row.time)) if row.quantity in SEEN and row.statistic == "value" else None
    if value is None or not (value < row.lower or value > row.upper):
        return row
    return dataclasses.replace(row, note="; ".join(filter(None, (row.note, OUTSIDE.format(value=value)))))


def is_outside(row: Estimate) -> bool:
    """Whether `held_against` has a note at the row."""
    return OUTSIDE.partition("{")[0] in row.note
