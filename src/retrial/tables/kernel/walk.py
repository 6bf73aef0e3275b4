"""Metropolis-Hastings on life tables and readings at given temperatures (compiled)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted, uniform
from retrial.tables.kernel.energy import curve_energy, group_energy, joint_energy
from retrial.tables.kernel.entries import Arms, Columns, arm_columns, columns_for, copy_arm, joint_columns, room_like
from retrial.tables.kernel.forward.patients import fill_rates, redraw
from retrial.tables.kernel.groups import EXCHANGED, ROTATED, exchange, rotate
from retrial.tables.kernel.moves import (
    BOTH,
    STEP_FIELDS,
    apply,
    arm_ends_held,
    drawn_arm,
    ends_held,
    last_touched,
    length_of,
    propose,
)
from retrial.tables.kernel.prior import fill_cells, log_prior, move_hazards, move_runs, tilt_of
from retrial.tables.kernel.problem import CURVE_SCALE, ON_CURVE, RULE, SCALARS, Problem

TOTAL, JOINT = 2, 3
"""Places of the energies of both arms together, and of the hazard ratio and χ², after the two arms'."""
N_ENERGIES, COUPLED, N_COLD = 4, 4, 5
"""Energies; after their inverse temperatures the arms' coupling, from 0 (each arm's own prior) to 1 (the prior of both)."""
STRETCH = 32
"""Proposals of the table per proposal of another reading (which costs a whole energy) and of every hazard."""
REDRAWN = 0.2
"""Share of the proposals that draw patients anew from the prior, see `redraw`."""
WIDEST, TRIED, TAKEN, WIDE, N_REDRAWS = 0, 1, 2, 3, 4
"""Places in `redraws`: most patients drawn anew at once; of proposals of more than half as many how many were tried and taken; whether the
last proposal was one."""
GROUPS_OF_PAIRS = 0.25
"""Proposals of many patients at once for pairs of arms, per such proposal for an arm alone: against the hazard ratio fewer of them are taken."""
AT_TARGET = 1e15
"""Inverse temperature of the target itself: energy above 0 is refused."""


class Given(NamedTuple):
    """What a table's hazards say: cells (2, 2, T) log probabilities, rates (2, P, 4); and room for weights (P + 1,), statistics (2, 2, P, 2)."""

    cells: np.ndarray
    rates: np.ndarray
    weights: np.ndarray
    statistics: np.ndarray


@uncounted
def look_up(hazards: np.ndarray, scope: int, edges: np.ndarray, given: Given) -> None:
    """Fill `given` from log hazards (2, 2, P)."""
    for a in range(2):
        if scope in (a, BOTH):
            fill_cells(hazards, a, edges, given.cells)
            fill_rates(hazards, a, given.rates[a])


@uncounted
def energy_within(
    problem: Problem,
    whole: np.ndarray,
    real: np.ndarray,
    control: Arms,
    experimental: Arms,
    columns: Columns,
    changed: tuple[bool, bool, bool],
    cold: np.ndarray,
    energy: np.ndarray,
    new: np.ndarray,
    budget: float,
) -> bool:
    """Whether Σ cold · energy of a changed table, each arm out of its own, is at most `budget`; then `new` holds its energies. `changed` says
    which arms changed and whether what belongs to both is asked for. The cheapest parts come first.
    """
    times, inverse = problem.times, problem.inverse
    for g in range(N_ENERGIES):
        new[g] = energy[g]
    for g in range(2):
        if changed[0] if g == 0 else changed[1]:
            arms = control if g == 0 else experimental
            k = arm_columns(arms, g, columns)
            new[g] = group_energy(whole, real, times, inverse, columns.t, columns.d, columns.r, g, k)
            if real[SCALARS, CURVE_SCALE] > 0.0 and whole[ON_CURVE] != 1 and cold[g] * new[g] <= budget:
                new[g] += curve_energy(arms, g, problem.curve, inverse, budget / cold[g] - new[g])
        budget -= cold[g] * new[g]
        if budget < 0.0:
            return False
    if changed[2]:
        k = joint_columns(control, experimental, columns)
        new[TOTAL] = group_energy(whole, real, times, inverse, columns.t, columns.both_d, columns.both_r, TOTAL, k)
        budget -= cold[TOTAL] * new[TOTAL]
        if budget < 0.0:
            return False
        new[JOINT] = joint_energy(whole, real, inverse, columns.both_d, columns.both_r, budget / cold[JOINT])
        budget -= cold[JOINT] * new[JOINT]
    return budget >= 0.0


@inlined
def weighted(cold: np.ndarray, energy: np.ndarray) -> float:
    """Σ cold · energy."""
    return cold[0] * energy[0] + cold[1] * energy[1] + cold[2] * energy[2] + cold[3] * energy[3]


@uncounted
def by_steps(cells: np.ndarray, steps: np.ndarray, n_steps: int) -> float:
    """Log ratio of the prior after and before some steps, for patients who can be told apart."""
    total = 0.0
    for i in range(n_steps):
        arm = steps[i, 0]
        total += cells[arm, steps[i, 3], steps[i, 4]] - cells[arm, steps[i, 1], steps[i, 2]]
    return total


@uncounted
def proposed(
    problem: Problem,
    whole: np.ndarray,
    given: Given,
    arms: Arms,
    new: Arms,
    scope: int,
    redraws: np.ndarray,
    state: np.ndarray,
    steps: np.ndarray,
) -> tuple[int, float]:
    """Put a proposal into `new` (the arms that it changes) and what it touches into `steps`; returns their number (0: no move) and the
    log ratio of the prior and of the two directions' densities.
    """
    u = uniform(state)
    redraws[WIDE] = 0
    if u < REDRAWN:
        arm, count = drawn_arm(arms.n, scope, state), length_of(redraws[WIDEST], u / REDRAWN)
        redraws[WIDE] = count > redraws[WIDEST] // 2
        redraws[TRIED] += redraws[WIDE]
        copy_arm(arms, new, arm)
        drawn = redraw(problem.segment, given.rates[arm], new, arm, count, problem.edges, given.weights, state, steps)
        return (1 if drawn else 0), 0.0
    u = (u - REDRAWN) / (1.0 - REDRAWN)
    if scope == BOTH:
        u /= GROUPS_OF_PAIRS
    if u < ROTATED + EXCHANGED:
        arm, log_ratio = scope if scope != BOTH else int(uniform(state) * 2), 0.0
        if u < ROTATED:
            new.m[arm] = rotate(problem.segment, arms, arm, state, new, steps)
            if new.m[arm] < 0:
                return 0, 0.0
        else:
            log_ratio = exchange(problem.segment, arms, arm, state, new, steps)
            if log_ratio == -np.inf:
                return 0, 0.0
        low, high = steps[0, 2], steps[0, 4] + 1
        after = log_prior(given.cells, problem.log_factorial, new, arm, low, high)
        return 1, log_ratio + after - log_prior(given.cells, problem.log_factorial, arms, arm, low, high)
    n_steps, densities = propose(whole, problem.segment, problem.printed, arms, scope, state, steps)
    if n_steps == 0:
        return 0, 0.0
    for a in range(2):
        if last_touched(steps, n_steps, a) >= 0:
            copy_arm(arms, new, a)
    densities *= apply(new, steps, n_steps)
    if densities == 0.0:
        return 0, 0.0
    return n_steps, math.log(densities) + by_steps(given.cells, steps, n_steps)


@inlined
def off_curve(problem: Problem, arms: Arms, a: int, changed: bool) -> bool:
    """Whether a changed arm has left its curve."""
    return changed and curve_energy(arms, a, problem.curve, problem.inverse, 0.0) > 0.0


@uncounted
def stretch(
    problem: Problem,
    whole: np.ndarray,
    real: np.ndarray,
    arms: Arms,
    given: Given,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    redraws: np.ndarray,
    state: np.ndarray,
    new: Arms,
    columns: Columns,
    steps: np.ndarray,
    new_energy: np.ndarray,
) -> int:
    """Proposals of the table alone; returns how many were taken. `energy` (4,) is the table's.

    The threshold on the energy is drawn before the energy is computed, so that a proposal is refused at the first partial sum
    above it: the same Markov chain, most of the work spared.
    """
    accepted, hot = 0, infinite(cold)
    for _ in range(n_proposals):
        n_steps, log_ratio = proposed(problem, whole, given, arms, new, scope, redraws, state, steps)
        if n_steps == 0:
            continue
        first, second = last_touched(steps, n_steps, 0) >= 0, last_touched(steps, n_steps, 1) >= 0
        control, experimental = new if first else arms, new if second else arms
        if not (ends_held(whole, control, experimental) if scope == BOTH else arm_ends_held(whole, new, scope)):
            continue
        if whole[ON_CURVE] == 1 and (off_curve(problem, control, 0, first) or off_curve(problem, experimental, 1, second)):
            continue
        log_ratio -= math.log(1.0 - uniform(state))
        for a in range(2):
            if first if a == 0 else second:
                log_ratio += tilt_of(tilt, new, a) - tilt_of(tilt, arms, a)
        budget = weighted(cold, energy) + log_ratio
        if budget < 0.0:
            continue
        changed = (first, second, scope == BOTH)
        if not hot:
            if not energy_within(problem, whole, real, control, experimental, columns, changed, cold, energy, new_energy, budget):
                continue
            for g in range(N_ENERGIES):
                energy[g] = new_energy[g]
        accepted += 1
        redraws[TAKEN] += redraws[WIDE]
        for a in range(2):
            if first if a == 0 else second:
                copy_arm(new, arms, a)
    return accepted


@inlined
def infinite(cold: np.ndarray) -> bool:
    """Whether every temperature is infinite."""
    return cold[0] == 0.0 and cold[1] == 0.0 and cold[TOTAL] == 0.0


@compiled
def energies(problem: Problem, reading: int, arms: Arms, scope: int, out: np.ndarray) -> None:
    """All energies of a table under one reading: control, experimental, both together, comparison; of one arm alone by its `scope`."""
    out[:] = 0.0
    changed = (scope != 1, scope != 0, scope == BOTH)
    columns = columns_for(arms.t.shape[1])
    energy_within(
        problem,
        problem.whole[reading],
        problem.real[reading],
        arms,
        arms,
        columns,
        changed,
        np.ones(N_ENERGIES),
        out.copy(),
        out,
        np.inf,
    )


@compiled
def walk(
    problem: Problem,
    readings: np.ndarray,
    reading: np.ndarray,
    arms: Arms,
    hazards: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    redraws: np.ndarray,
    state: np.ndarray,
) -> int:
    """Make `n_proposals` proposals in place at density prior(y, hazards) exp(-Σ cold · E(y, reading)); returns how many were taken.
    Proposals of hazards and of another `reading` (1,) out of `readings` come between stretches of `STRETCH` proposals of the table.

    `scope` 0 or 1: one arm alone, without what belongs to both. `energy` (4,) is kept up to date, and readings are moved, unless every
    temperature is infinite (cold 0). `redraws` (4,) counts, see `WIDEST`.
    """
    accepted, made, hot, n_times = 0, 0, infinite(cold), problem.times.size
    if scope != BOTH and arms.n[scope] == 0:
        return 0
    new, columns, pieces = room_like(arms), columns_for(arms.t.shape[1]), hazards.shape[2]
    given = Given(np.empty((2, 2, n_times)), np.empty((2, pieces, 4)), np.empty(pieces + 1), np.empty((2, 2, pieces, 2)))
    steps, new_energy = np.zeros((2, STEP_FIELDS), np.int64), np.zeros(N_ENERGIES)
    coupling = cold[COUPLED] if scope == BOTH else 0.0
    while made < n_proposals:
        for a in range(2):
            if scope in (a, BOTH):
                move_hazards(problem.gaussians, hazards, arms, a, problem.edges, coupling, given.statistics[a], state)
        move_runs(problem.gaussians, hazards, scope, problem.edges, coupling, given.statistics, state)
        look_up(hazards, scope, problem.edges, given)
        if readings.size > 1 and not hot:
            other = readings[min(int(uniform(state) * readings.size), readings.size - 1)]
            budget = weighted(cold, energy) - math.log(1.0 - uniform(state))
            whole, real = problem.whole[other], problem.real[other]
            # with the same rule of the medians' intervals, only what the arms' comparison says is another
            another = whole[RULE] != problem.whole[reading[0], RULE]
            changed = (another and scope != 1, another and scope != 0, scope == BOTH)
            if energy_within(problem, whole, real, arms, arms, columns, changed, cold, energy, new_energy, budget):
                reading[0] = other
                energy[:] = new_energy
        length, now = min(STRETCH, n_proposals - made), reading[0]
        whole, real = problem.whole[now], problem.real[now]
        accepted += stretch(
            problem, whole, real, arms, given, energy, cold, tilt, scope, length, redraws, state, new, columns, steps, new_energy
        )
        made += length
    return accepted
