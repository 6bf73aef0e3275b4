"""Metropolis-Hastings on life tables and readings at given temperatures (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, next_bits, uncounted, uniform
from retrial.tables.kernel.energy import curve_energy, group_energy, joint_energy
from retrial.tables.kernel.entries import Arms, Columns, arm_columns, columns_for, copy_arm, joint_columns, room_like
from retrial.tables.kernel.groups import EXCHANGED, ROTATED, exchange, rotate
from retrial.tables.kernel.moves import (
    BOTH,
    STEP_FIELDS,
    apply,
    arm_ends_held,
    ends_held,
    first_touched,
    last_touched,
    propose,
)
from retrial.tables.kernel.prior import at_risk_from, log_prior, tilt_of
from retrial.tables.kernel.problem import CURVE_SCALE, RULE, SCALARS, Problem

TOTAL, JOINT = 2, 3
"""Places of the energies of both arms together, and of the hazard ratio and χ², after the two arms'."""
N_ENERGIES = 4
STRETCH, LEVEL_MOVES = 16, 4
"""Proposals of the table per proposal of another reading (which costs a whole energy), and proposals of levels per stretch."""
GROUPS_OF_PAIRS = 0.25
"""Proposals of many patients at once for pairs of arms, per such proposal for an arm alone: against the hazard ratio fewer of them are taken."""
AT_TARGET = 1e15
"""Inverse temperature of the target itself: energy above 0 is refused."""
_LENGTHS = np.array([1, 1, 1, 1, 1, 2, 2, 3])
"""Steps of a level, each as likely, up or down."""


@inlined
def walk_change(steps: np.ndarray, levels: np.ndarray, kind: int, arm: int, piece: int, new: int) -> float:
    """Change of the walk's log probability when one level becomes `new`."""
    old, change = levels[kind, arm, piece], 0.0
    if piece > 0:
        before = levels[kind, arm, piece - 1]
        change += steps[kind, before, new] - steps[kind, before, old]
    if piece < levels.shape[2] - 1:
        after = levels[kind, arm, piece + 1]
        change += steps[kind, new, after] - steps[kind, old, after]
    return change


@uncounted
def move_level(problem: Problem, levels: np.ndarray, arms: Arms, scope: int, state: np.ndarray) -> bool:
    """One Metropolis-Hastings proposal: one level of one kind, arm and piece goes up or down."""
    bits = np.int64(next_bits(state) >> np.uint64(1))
    kind, length = bits & 1, _LENGTHS[(bits >> 2) & 7]
    arm = (bits >> 1) & 1 if scope == BOTH else scope
    factors, n_times, pieces = problem.prior, problem.times.size, levels.shape[2]
    piece = (((bits >> 8) & 0xFFFFFF) * pieces) >> 24
    old = levels[kind, arm, piece]
    new = old + (length if (bits >> 5) & 1 else -length)
    if new < 0 or new >= factors.shape[0]:
        return False
    change = walk_change(problem.steps, levels, kind, arm, piece, new)
    low, high = (piece * n_times + pieces - 1) // pieces, ((piece + 1) * n_times + pieces - 1) // pieces
    i, at_risk = at_risk_from(arms, arm, low)
    change -= log_prior(factors, levels, arms, arm, n_times, low, high, i, at_risk)
    levels[kind, arm, piece] = new
    change += log_prior(factors, levels, arms, arm, n_times, low, high, i, at_risk)
    if change < 0.0 and math.log(1.0 - uniform(state)) > change:
        levels[kind, arm, piece] = old
        return False
    return True


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
            if real[SCALARS, CURVE_SCALE] > 0.0 and cold[g] * new[g] <= budget:
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
def proposed(
    problem: Problem, whole: np.ndarray, arms: Arms, new: Arms, scope: int, state: np.ndarray, steps: np.ndarray
) -> tuple[int, float]:
    """Put a proposal into `new` (the arms that it changes) and what it touches into `steps`; returns their number (0: no move) and the
    log ratio of the two directions' densities.
    """
    u, n_steps, log_ratio = uniform(state), 1, 0.0
    if scope == BOTH:
        u /= GROUPS_OF_PAIRS
    if u < ROTATED + EXCHANGED:
        arm = scope if scope != BOTH else int(uniform(state) * 2)
        if u < ROTATED:
            new.m[arm] = rotate(problem.segment, arms, arm, state, new, steps)
            if new.m[arm] < 0:
                return 0, 0.0
        else:
            log_ratio = exchange(problem.segment, arms, arm, state, new, steps)
            if log_ratio == -np.inf:
                return 0, 0.0
    else:
        n_steps, densities = propose(whole, problem.segment, problem.printed, arms, scope, state, steps)
        if n_steps == 0:
            return 0, 0.0
        for i in range(n_steps):
            copy_arm(arms, new, steps[i, 0])
        cells = apply(new, steps, n_steps)
        if cells == 0.0:
            return 0, 0.0
        log_ratio = math.log(densities * cells)
    return n_steps, log_ratio


@uncounted
def stretch(
    problem: Problem,
    whole: np.ndarray,
    real: np.ndarray,
    arms: Arms,
    levels: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
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
    factors, n_times, accepted, hot = problem.prior, problem.times.size, 0, infinite(cold)
    for _ in range(n_proposals):
        n_steps, log_ratio = proposed(problem, whole, arms, new, scope, state, steps)
        if n_steps == 0:
            continue
        first, second = last_touched(steps, n_steps, 0) >= 0, last_touched(steps, n_steps, 1) >= 0
        control, experimental = new if first else arms, new if second else arms
        if not (ends_held(whole, control, experimental) if scope == BOTH else arm_ends_held(whole, new, scope)):
            continue
        log_ratio -= math.log(1.0 - uniform(state))
        for a in range(2):
            if first if a == 0 else second:
                low, high = first_touched(steps, n_steps, a), last_touched(steps, n_steps, a) + 1
                i, at_risk = at_risk_from(arms, a, low)
                log_ratio += log_prior(factors, levels, new, a, n_times, low, high, i, at_risk) + tilt_of(tilt, new, a)
                log_ratio -= log_prior(factors, levels, arms, a, n_times, low, high, i, at_risk) + tilt_of(tilt, arms, a)
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
    levels: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    state: np.ndarray,
) -> int:
    """Make `n_proposals` proposals in place at density prior(y, levels) exp(-Σ cold · E(y, reading)); returns how many were taken.
    Proposals of levels and of another `reading` (1,) out of `readings` come between stretches of `STRETCH` proposals of the table.

    `scope` 0 or 1: one arm alone, without what belongs to both. `energy` (4,) is kept up to date, and readings are moved, unless every
    temperature is infinite (cold 0).
    """
    accepted, made, width, hot = 0, 0, arms.t.shape[1], infinite(cold)
    if scope != BOTH and arms.n[scope] == 0:
        return 0
    new, columns = room_like(arms), columns_for(width)
    steps, new_energy = np.zeros((2, STEP_FIELDS), np.int64), np.zeros(N_ENERGIES)
    while made < n_proposals:
        if problem.prior.shape[0] > 1:
            for _ in range(LEVEL_MOVES):
                move_level(problem, levels, arms, scope, state)
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
            problem, whole, real, arms, levels, energy, cold, tilt, scope, length, state, new, columns, steps, new_energy
        )
        made += length
    return accepted
