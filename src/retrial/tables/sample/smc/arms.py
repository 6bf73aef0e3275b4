"""Arms of the prior: what a sampler starts from, each arm with its own printed events, numbers at risk and extremes, and without the other.

Drawn forward in time (`kernel.forward`), with the printed number of events; on a curve few of those have it: a tilt against every event too many or
too few rises, as temperatures fall, until enough have it, and is taken away. Few have a patient at the printed shortest or longest time
of all patients, which either arm's may be: another tilt makes about half of them have one, and pairs of arms pay it back. Where only the
total of the events is printed, arms that agree with their own numbers may add to another one: a third tilt brings them there. A curve leaves so
little open that a walk that is cooled towards it gets stuck: it is held by construction, where the forward draws arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrial.tables.kernel.forward.curve import arm_pool_on_curve
from retrial.tables.kernel.forward.pools import arm_pool
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import energies_all, to_entries
from retrial.tables.kernel.problem import (
    EVENT_MODE,
    EVENTS_CONTROL,
    EVENTS_EXPERIMENTAL,
    EVENTS_FREE,
    EVENTS_PER_ARM,
    EVENTS_TOTAL,
    FIRST_HELD,
    LAST_HELD,
    ON_CURVE,
    Problem,
)
from retrial.tables.kernel.walk import N_ENERGIES
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import drawn_places, effective, largest_step, resample

POOL, CURVE_POOL, CURVE_POOLS, CURVE_PART = 6, 3, 8, 8
"""Tables drawn forward per particle; with a curve, and in how many pools; and these, as a part of those that arms near agreement are chosen from.
"""
ENTRIES_KEPT, CELLS_DRAWN, CELLS_AT_ONCE = 2_500_000, 20_000_000, 4_000_000
"""Most entries of the tables drawn forward to choose those near agreement from, most cells of their grids, and of those in one pool."""
FEWEST_HAZARDS = 2_000
"""Least draws of an arm's hazards that are weighed by its printed number of events: about 1 / n of them have it."""
EXACT = 0.2
"""Share of an arm's particles with the printed number of events at which the others are let go."""
AGREEING = 0.5
"""Share of the arms drawn on their curve that agree with what else is printed about them at which they are not cooled further."""
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
    last_temperature: float,
    tick: Callable[[float], None],
    near: int = 0,
) -> float:
    """Fill one arm: draws of the tilted prior, or of `near` draws those near agreement, readings in turn, each of which then walks on by itself
    for `n_burn_in` proposals.

    Where none can be drawn forward: one long walk, but not of arms near agreement or on a curve. Returns the log of how probable it is that an arm
    has the printed numbers at risk, curve (where it is held there), extremes and events, tilted; -inf where none was drawn.
    """
    population.reading[:, arm] = readings[np.arange(population.size) % readings.size]
    log_mass = draw_arm(population, first, arm, last_temperature, near)
    if log_mass > -np.inf:
        log_mass += reach_events(population, arm, n_proposals, share, tick)
    if log_mass > -np.inf:
        if not near or held_on_curve(population.problem):  # else the draws are their own, and not copies of a few
            population.walk(population.reading[:1, arm].copy(), arm, n_burn_in)
    elif not near:
        one_long_walk(population, first, (arm,), readings, n_burn_in, tick)
    return log_mass


def held_on_curve(problem: Problem) -> bool:
    """Whether the curve holds by construction."""
    return bool(problem.whole[0, ON_CURVE] == 1)


def on_curve(problem: Problem) -> Problem:
    """The problem with a curve that holds by construction."""
    whole = problem.whole.copy()
    whole[:, ON_CURVE] = 1
    return problem._replace(whole=whole)


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


@dataclass(frozen=True, slots=True)
class Forward:
    """P arms drawn forward: (P, 2, M) entries and (P, 2) their numbers, of one arm alone, (P, 2, pieces) log hazards, readings and events (P,);
    (2, 2, P) whether somebody leaves by (stays until) the arm's own and everybody's printed extremes; weights, 1 on average, and the log of
    what they are a share of.
    """

    t: np.ndarray
    d: np.ndarray
    c: np.ndarray
    m: np.ndarray
    hazards: np.ndarray
    reading: np.ndarray
    events: np.ndarray
    ends: np.ndarray
    weights: np.ndarray
    log_mass: float


def forward(population: Population, first: tuple[np.ndarray, np.ndarray], arm: int, near: int = 0) -> Forward | None:
    """Arms of the prior with what their problem holds; None where none arrived. A curve's are drawn in several pools, each by a filter of its
    own, whose draws have few ancestors; many in as many as keeps each small.
    """
    problem, curve, first_r = population.problem, held_on_curve(population.problem), first[1]
    n_events = int(first[0][arm].sum()) if events_printed(problem, arm) else -1
    n_draws, n_pools = POOL * population.size, 1
    if curve:
        n_draws, n_pools = max(CURVE_POOL * population.size, near // CURVE_PART), CURVE_POOLS
    elif near:
        n_draws = max(n_draws, min(near, ENTRIES_KEPT // population.t.shape[2], CELLS_DRAWN // first_r.shape[1]))
        n_pools = -(-n_draws // max(1, CELLS_AT_ONCE // first_r.shape[1]))
        n_draws = -(-n_draws // n_pools)
    parts = []
    for _ in range(n_pools):
        population.pause()
        if curve:
            pool = arm_pool_on_curve(problem, first_r, arm, n_events, n_draws, population.state)
        else:
            pool = arm_pool(
                problem, first_r, arm, n_events, max(max(near, FEWEST_HAZARDS) // n_pools, n_draws), n_draws, population.state
            )
        if pool.weights.size:
            ends, events = ends_of(problem, pool.r, arm), pool.d.sum(axis=1)
            parts.append((entries_of(population, pool.d, pool.r, arm), ends, events, pool.hazards, pool.weights, pool.log_mass))
    if not parts:
        return None
    entries, every_ends, events, hazards, weights, masses = zip(*parts, strict=True)
    logs = np.array(masses)
    relative = np.exp(logs - logs.max())
    log_mass = float(logs.max() + np.log(relative.sum() / n_pools))
    t, d, c, m = (np.concatenate(arrays) for arrays in zip(*entries, strict=True))
    counted = np.concatenate(events)
    weighed = np.concatenate([share * own for share, own in zip(relative * len(parts) / relative.sum(), weights, strict=True)])
    reading = np.resize(population.reading[:, arm], len(counted))
    return Forward(t, d, c, m, np.concatenate(hazards), reading, counted, np.concatenate(every_ends, axis=2), weighed, log_mass)


def entries_of(population: Population, d: np.ndarray, r: np.ndarray, arm: int) -> tuple[np.ndarray, ...]:
    """Entries t, d, c (P, 2, M) and their numbers (P, 2), of one arm, the other's left empty."""
    shape = (len(d), 2, population.t.shape[2])
    found = [np.zeros((shape[0], 1, shape[2]), np.int64) for _ in range(3)] + [np.zeros((shape[0], 1), np.int64)]
    to_entries(d, r, population.slots, *found)
    out = [np.zeros(shape, np.int64) for _ in range(3)] + [np.zeros(shape[:2], np.int64)]
    for target, source in zip(out, found, strict=True):
        target[:, arm] = source[:, 0]
    return tuple(out)


def ends_of(problem: Problem, r: np.ndarray, arm: int) -> np.ndarray:
    """(2: first, last; 2: own, everybody's; P) see `Forward.ends`; true where no such time is printed."""
    found = np.ones((2, 2, len(r)), bool)
    for end, (held, rows) in enumerate(((FIRST_HELD, leaves_by), (LAST_HELD, stays_until))):
        for whose, group in enumerate((arm, BOTH)):
            place = problem.whole[0, held + group]
            if place >= 0:
                found[end, whose] = rows(r, place)
    return found


def draw_arm(
    population: Population, first: tuple[np.ndarray, np.ndarray], arm: int, last_temperature: float, near: int = 0
) -> float:
    """Fill one arm from tables drawn forward with what its problem holds and its printed extremes, and choose its `tilt` and, held on its curve or
    chosen of `near` draws, its temperature; returns the log of how probable those are, -inf, with nothing of use in it, where none arrived.
    """
    problem, tilt, drawn = population.problem, population.tilt[arm], forward(population, first, arm, near)
    if drawn is None:
        return -np.inf
    weights, log_mass = drawn.weights * drawn.ends[:, 0].all(axis=0), drawn.log_mass
    if not weights.any():
        return -np.inf
    for end, held in enumerate((FIRST_HELD, LAST_HELD)):
        if problem.whole[0, held + BOTH] >= 0:
            has = drawn.ends[end, 1]
            share = min(max(float(has[weights > 0].mean()), 0.5 / population.size), 0.5)
            tilt[end] = np.log((1.0 - share) / share)
            weights = weights * np.where(has, np.exp(tilt[end]), 1.0)
    if events_printed(problem, arm):
        tilt[5] = first[0][arm].sum()
        least, above = above_least(np.abs(drawn.events - tilt[5]), weights)
        tilt[4] = step_within(weights, above, population.size, MOST_TILT)
        weights = weights * np.exp(-tilt[4] * above)
        log_mass -= tilt[4] * least
    cooled = near > 0 or held_on_curve(problem)
    if cooled:
        energy = np.zeros((len(weights), N_ENERGIES))
        both = np.repeat(drawn.reading[:, None], 2, axis=1)
        energies_all(problem, both, population.n, drawn.t, drawn.d, drawn.c, drawn.m, population.slots, arm, energy)
        least, above = above_least(energy[:, arm], weights)
        cold = step_within(weights, above, population.size, last_temperature)
        cold = min(cold, coldest_needed(weights, above))
        weights = weights * np.exp(-cold * above)
        log_mass -= cold * least
        population.cold[arm] = cold
    places = drawn_places(weights, population.size, population.random.random())
    for array, source in ((population.t, drawn.t), (population.d, drawn.d), (population.c, drawn.c), (population.m, drawn.m)):
        array[:, arm] = source[places, arm]
    population.hazards[:, :, arm], population.reading[:, arm] = drawn.hazards[places], drawn.reading[places]
    if cooled:
        population.energy[:, arm] = energy[places, arm]
    return float(log_mass + np.log(weights.mean()))


def above_least(values: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The least value of draws with weight, and how far each is above it (0 for those without weight that are below)."""
    least = float(values[weights > 0].min())
    return least, np.maximum(values - least, 0.0)


def coldest_needed(weights: np.ndarray, above: np.ndarray) -> float:
    """Inverse temperature at which `AGREEING` of the draws are at the least energy."""

    def few(cold: float) -> bool:
        cooled = weights * np.exp(-cold * above)
        return bool(cooled[above == 0.0].sum() < AGREEING * cooled.sum())

    return largest_step(few)


def step_within(weights: np.ndarray, above: np.ndarray, wanted: int, most: float) -> float:
    """How far weights exp(-step · above) may go, at most to `most`, so that so many draws are effective (half of them, where fewer are)."""
    enough = min(wanted, effective(weights) / 2)
    return largest_step(lambda step: effective(weights * np.exp(-step * above)) > enough, high=most)


def leaves_by(r: np.ndarray, place: int) -> np.ndarray:
    """(P,) whether somebody leaves by a grid time, from (P, T + 1) at risk."""
    return np.asarray(r[:, place + 1] < r[:, 0])


def stays_until(r: np.ndarray, place: int) -> np.ndarray:
    """(P,) whether somebody stays until a grid time."""
    return np.asarray(r[:, place] > 0)


def event_step(miss: np.ndarray, share: float) -> float:
    """How much the tilt may rise so that a share of the particles stays effective."""
    return largest_step(lambda step: effective(np.exp(-step * miss)) > share * miss.size)


def reach_events(population: Population, arm: int, n_proposals: int, share: float, tick: Callable[[float], None]) -> float:
    """Bring one arm's particles to its printed number of events by a tilt that rises, and take it away; returns the log of how probable the
    number is among the tilted, -inf where none gets there.
    """
    if not events_printed(population.problem, arm):
        return 0.0
    whole = population.problem.whole.copy()
    whole[:, EVENT_MODE] = EVENTS_FREE
    free, tilt, reading = population.problem._replace(whole=whole), population.tilt[arm], population.reading[:1, arm].copy()
    log_mass = 0.0
    for _ in range(MAX_LEVELS):
        tick(0.0)
        miss = np.abs(population.events(arm) - tilt[5])
        if (miss == 0).sum() >= EXACT * population.size:
            break
        least = miss.min()
        step = event_step(miss - least, share)
        weights = np.exp(-step * (miss - least))
        log_mass += float(np.log(weights.mean()) - step * least)
        population.take(resample(weights, population.random.random()), arm)
        tilt[4] += step
        population.walk(reading, arm, n_proposals, problem=free)
        population.adapt()
    tilt[4] = 0.0
    exact = population.events(arm) == tilt[5]
    if not exact.any():
        return -np.inf
    population.take(resample(exact * 1.0, population.random.random()), arm)
    return log_mass + float(np.log(exact.mean()))


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
