"""Arms of the prior: what a sampler starts from, each arm with its own printed events, numbers at risk and extremes, and without the other.

Drawn forward in time (`kernel.forward`). Few of those have the printed number of events: a tilt against every event too many or too
few rises, as temperatures fall, until enough have it, and is taken away. Few have a patient at the printed shortest or longest time
of all patients, which either arm's may be: another tilt makes about half of them have one, and pairs of arms pay it back. Where only the
total of the events is printed, arms that agree with their own numbers may add to another one: a third tilt brings them there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrial.tables.kernel.forward import arm_pool
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import to_entries
from retrial.tables.kernel.problem import (
    EVENT_MODE,
    EVENTS_CONTROL,
    EVENTS_EXPERIMENTAL,
    EVENTS_FREE,
    EVENTS_PER_ARM,
    EVENTS_TOTAL,
    FIRST_HELD,
    LAST_HELD,
    Problem,
)
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import drawn_places, effective, largest_step, resample

POOL = 6
"""Tables drawn forward per particle."""
EXACT = 0.2
"""Share of an arm's particles with the printed number of events at which the others are let go."""
MAX_LEVELS = 400
MOST_TILT = 20.0
"""Largest tilt against a wrong number of events: with it none is left."""
WALK_ALONE = 10
"""How much longer a walk is that has to forget where it started."""


def start_arm(
    population: Population,
    first: tuple[np.ndarray, np.ndarray],
    arm: int,
    readings: np.ndarray,
    n_burn_in: int,
    n_proposals: int,
    share: float,
    tick: Callable[[float], None],
) -> None:
    """Fill one arm: draws of the tilted prior, readings in turn, each of which then walks on by itself for `n_burn_in` proposals.

    Where none can be drawn forward: one long walk.
    """
    population.reading[:, arm] = readings[np.arange(population.size) % readings.size]
    if draw_arm(population, first, arm) and reach_events(population, arm, n_proposals, share, tick):
        population.walk(population.reading[:1, arm].copy(), arm, n_burn_in)
        return
    one_long_walk(population, first, (arm,), readings, n_burn_in, tick)


def one_long_walk(
    population: Population,
    first: tuple[np.ndarray, np.ndarray],
    arms: tuple[int, ...],
    readings: np.ndarray,
    n_burn_in: int,
    tick: Callable[[float], None],
) -> None:
    """Fill some arms from a walk that starts at the first table, a particle every `WALK_ALONE` times `n_burn_in` proposals."""
    p = population
    p.put(first, arms)
    for i in range(p.size):
        tick(0.0)
        for arm in arms:
            if i > 0:
                for array in (p.t, p.d, p.c, p.m):
                    array[i, arm] = array[i - 1, arm]
                p.hazards[i, :, arm] = p.hazards[i - 1, :, arm]
        p.walk(readings[:1], arms[0] if len(arms) == 1 else BOTH, n_burn_in * WALK_ALONE, only=slice(i, i + 1))


def events_printed(problem: Problem, arm: int) -> bool:
    """Whether the number of an arm's own events is printed."""
    return problem.whole[0, EVENT_MODE] in (EVENTS_PER_ARM, EVENTS_EXPERIMENTAL if arm else EVENTS_CONTROL)


def draw_arm(population: Population, first: tuple[np.ndarray, np.ndarray], arm: int) -> bool:
    """Fill one arm from a pool of tables with its printed numbers at risk and extremes, and choose its `tilt`; False, with nothing of use in
    it, where the pool holds none.
    """
    problem, (first_d, first_r) = population.problem, first
    d, r, hazards = arm_pool(problem, first_r, arm, POOL * population.size, population.state)
    weights = np.ones(len(d))
    for held, rows in ((FIRST_HELD, leaves_by), (LAST_HELD, stays_until)):
        place = problem.whole[0, held + arm]
        if place >= 0:
            weights *= rows(r, place)
    if not weights.any():
        return False
    tilt = population.tilt[arm]
    for end, (held, rows) in enumerate(((FIRST_HELD, leaves_by), (LAST_HELD, stays_until))):
        place = problem.whole[0, held + BOTH]
        if place >= 0:
            has = rows(r, place)
            share = min(max(float(has[weights > 0].mean()), 0.5 / population.size), 0.5)
            tilt[end] = np.log((1.0 - share) / share)
            weights = weights * np.where(has, np.exp(tilt[end]), 1.0)
    if events_printed(problem, arm):
        tilt[5] = first_d[arm].sum()
        miss = np.abs(d.sum(axis=1) - tilt[5])
        miss -= miss[weights > 0].min()
        tilt[4] = largest_step(lambda step: effective(weights * np.exp(-step * miss)) > population.size, high=MOST_TILT)
        weights = weights * np.exp(-tilt[4] * miss)
    places = drawn_places(weights, population.size, population.random.random())
    side = slice(arm, arm + 1)
    arrays = (np.ascontiguousarray(array[:, side]) for array in (population.t, population.d, population.c, population.m))
    t, dd, cc, m = arrays
    to_entries(d[places], r[places], population.slots, t, dd, cc, m)
    population.t[:, side], population.d[:, side], population.c[:, side], population.m[:, side] = t, dd, cc, m
    population.hazards[:, :, arm] = hazards[places]
    return True


def leaves_by(r: np.ndarray, place: int) -> np.ndarray:
    """(P,) whether somebody leaves by a grid time, from (P, T + 1) at risk."""
    return np.asarray(r[:, place + 1] < r[:, 0])


def stays_until(r: np.ndarray, place: int) -> np.ndarray:
    """(P,) whether somebody stays until a grid time."""
    return np.asarray(r[:, place] > 0)


def event_step(miss: np.ndarray, share: float) -> float:
    """How much the tilt may rise so that a share of the particles stays effective."""
    return largest_step(lambda step: effective(np.exp(-step * miss)) > share * miss.size)


def reach_events(population: Population, arm: int, n_proposals: int, share: float, tick: Callable[[float], None]) -> bool:
    """Bring one arm's particles to its printed number of events by a tilt that rises, and take it away; False where none gets there.

    What is left are draws of the prior given the number, whose own probability is not a part of the evidence.
    """
    if not events_printed(population.problem, arm):
        return True
    whole = population.problem.whole.copy()
    whole[:, EVENT_MODE] = EVENTS_FREE
    free, tilt, reading = population.problem._replace(whole=whole), population.tilt[arm], population.reading[:1, arm].copy()
    for _ in range(MAX_LEVELS):
        tick(0.0)
        miss = np.abs(population.events(arm) - tilt[5])
        if (miss == 0).sum() >= EXACT * population.size:
            break
        least = miss.min()
        step = event_step(miss - least, share)
        population.take(resample(np.exp(-step * (miss - least)), population.random.random()), arm)
        tilt[4] += step
        population.walk(reading, arm, n_proposals, problem=free)
        population.adapt()
    tilt[4] = 0.0
    exact = population.events(arm) == tilt[5]
    if not exact.any():
        return False
    population.take(resample(exact * 1.0, population.random.random()), arm)
    return True


NEAR = 0.5
"""Distance of the arms' mean events from their total, in SDs of their sum, at which the tilt stops."""


def reach_total(
    population: Population, readings: np.ndarray, total: int, n_proposals: int, share: float, tick: Callable[[float], None]
) -> float:
    """Tilt both arms by exp(-λ events), or by exp(-λ (patients - events)) where they have too few, λ rising, until their events add to about the
    printed total; returns the log evidence of it.

    Of pairs with the total the tilt is the same number, so that they are draws of the prior without it:
    log E[exp(-λ Σ)] is estimated level by level, and λ Σ at the total is paid back.
    """
    if population.problem.whole[0, EVENT_MODE] != EVENTS_TOTAL:
        return 0.0
    log_evidence, tilt = 0.0, population.tilt
    too_many = sum(population.events(arm).mean() for arm in range(2)) > total
    tilt[:, 5] = 0 if too_many else population.n
    wanted = total if too_many else int(population.n.sum()) - total
    for _ in range(MAX_LEVELS):
        tick(0.0)
        miss = [np.abs(population.events(arm) - tilt[arm, 5]) for arm in range(2)]
        above = sum(item.mean() for item in miss) - wanted
        if above <= NEAR * np.sqrt(sum(item.var() for item in miss)):
            break
        step = total_step(miss, wanted, share)
        for arm in range(2):
            exponent = step * (miss[arm] - miss[arm].min())
            weights = np.exp(-exponent)
            log_evidence += float(np.log(weights.mean()) - step * miss[arm].min())
            population.take(resample(weights, population.random.random()), arm)
        tilt[:, 4] += step
        for arm in range(2):
            population.walk(readings, arm, n_proposals)
        population.adapt()
    return log_evidence + float(tilt[0, 4]) * wanted


def total_step(miss: list[np.ndarray], wanted: int, share: float) -> float:
    """How much the tilt may rise so that a share of both arms' particles stays effective and their mean does not fall below the total."""

    def held(step: float) -> bool:
        weights = [np.exp(-step * (item - item.min())) for item in miss]
        mean = sum(float(np.average(item, weights=weight)) for item, weight in zip(miss, weights, strict=True))
        return mean >= wanted and all(effective(weight) > share * weight.size for weight in weights)

    return largest_step(held)
