"""Metropolis-Hastings on life tables and readings at given temperatures (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, next_bits, uncounted, uniform
from retrial.tables.kernel.energy import curve_energy, group_energy, joint_energy
from retrial.tables.kernel.entries import arm_columns, joint_columns
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
    ways,
)
from retrial.tables.kernel.prior import log_prior, tilt_of
from retrial.tables.kernel.problem import CURVE_SCALE, RULE, SCALARS, Problem

TOTAL, JOINT = 2, 3
"""Places of the energies of both arms together, and of the hazard ratio and χ², after the two arms'."""
N_ENERGIES = 4
STRETCH, LEVEL_MOVES = 16, 4
"""Proposals of the table per proposal of another reading (which costs a whole energy), and proposals of levels per stretch."""
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
def move_level(
    factors: np.ndarray,
    level_steps: np.ndarray,
    levels: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    n: np.ndarray,
    n_times: int,
    scope: int,
    state: np.ndarray,
) -> bool:
    """One Metropolis-Hastings proposal: one level of one kind, arm and piece goes up or down."""
    bits = np.int64(next_bits(state) >> np.uint64(1))
    kind, length = bits & 1, _LENGTHS[(bits >> 2) & 7]
    arm = (bits >> 1) & 1 if scope == BOTH else scope
    pieces = levels.shape[2]
    piece = (((bits >> 8) & 0xFFFFFF) * pieces) >> 24
    old = levels[kind, arm, piece]
    new = old + (length if (bits >> 5) & 1 else -length)
    if new < 0 or new >= factors.shape[0]:
        return False
    change = walk_change(level_steps, levels, kind, arm, piece, new)
    low, high = (piece * n_times + pieces - 1) // pieces, ((piece + 1) * n_times + pieces - 1) // pieces
    change -= log_prior(factors, levels, t, d, c, arm, m[arm], n[arm], n_times, low, high)
    levels[kind, arm, piece] = new
    change += log_prior(factors, levels, t, d, c, arm, m[arm], n[arm], n_times, low, high)
    if change < 0.0 and math.log(1.0 - uniform(state)) > change:
        levels[kind, arm, piece] = old
        return False
    return True


@uncounted
def energy_within(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    n: np.ndarray,
    first: bool,
    second: bool,
    both: bool,
    cold: np.ndarray,
    energy: np.ndarray,
    new: np.ndarray,
    budget: float,
    ct: np.ndarray,
    cd: np.ndarray,
    cr: np.ndarray,
    jd: np.ndarray,
    jr: np.ndarray,
) -> bool:
    """Whether Σ cold · energy of a changed table is at most `budget`; then `new` holds its energies. `first`, `second` and `both` say
    which arms changed and whether what belongs to both is asked for. The cheapest parts come first.
    """
    for g in range(N_ENERGIES):
        new[g] = energy[g]
    for g in range(2):
        if first if g == 0 else second:
            k = arm_columns(t, d, c, g, m[g], n[g], ct, cd, cr)
            new[g] = group_energy(whole, real, times, inverse, ct, cd, cr, g, k)
            if real[SCALARS, CURVE_SCALE] > 0.0 and cold[g] * new[g] <= budget:
                new[g] += curve_energy(t, d, c, g, m[g], n[g], curve, inverse, budget / cold[g] - new[g])
        budget -= cold[g] * new[g]
        if budget < 0.0:
            return False
    if both:
        k = joint_columns(t, d, c, m, n[0], n[1], ct, jd, jr)
        new[TOTAL] = group_energy(whole, real, times, inverse, ct, jd, jr, TOTAL, k)
        budget -= cold[TOTAL] * new[TOTAL]
        if budget < 0.0:
            return False
        new[JOINT] = joint_energy(whole, real, inverse, jd, jr, budget / cold[JOINT])
        budget -= cold[JOINT] * new[JOINT]
    return budget >= 0.0


@inlined
def weighted(cold: np.ndarray, energy: np.ndarray) -> float:
    """Σ cold · energy."""
    return cold[0] * energy[0] + cold[1] * energy[1] + cold[2] * energy[2] + cold[3] * energy[3]


@uncounted
def stretch(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    segment: np.ndarray,
    printed: np.ndarray,
    factors: np.ndarray,
    tilt: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    scope: int,
    n_proposals: int,
    state: np.ndarray,
    t2: np.ndarray,
    d2: np.ndarray,
    c2: np.ndarray,
    m2: np.ndarray,
    steps: np.ndarray,
    new: np.ndarray,
    ct: np.ndarray,
    cd: np.ndarray,
    cr: np.ndarray,
    jd: np.ndarray,
    jr: np.ndarray,
) -> int:
    """Proposals of the table alone; returns how many were taken. `energy` (4,) is the table's.

    The threshold on the energy is drawn before the energy is computed, so that a proposal is refused at the first partial sum
    above it: the same Markov chain, most of the work spared.
    """
    n_times, accepted = segment.shape[1], 0
    hot = cold[0] == 0.0 and cold[1] == 0.0 and cold[TOTAL] == 0.0
    for _ in range(n_proposals):
        u = uniform(state)
        if u < ROTATED + EXCHANGED:
            arm = scope if scope != BOTH else int(uniform(state) * 2)
            log_ratio = 0.0
            if u < ROTATED:
                m2[arm] = rotate(segment, t, d, c, m, arm, state, t2, d2, c2, steps)
                if m2[arm] < 0:
                    continue
            else:
                log_ratio = exchange(segment, t, d, c, m, n, arm, state, t2, d2, c2, m2, steps)
                if log_ratio == -np.inf:
                    continue
            first, second, n_steps = arm == 0, arm == 1, 1
            m2[1 - arm] = m[1 - arm]
            if scope == BOTH:
                for i in range(m[1 - arm]):
                    t2[1 - arm, i], d2[1 - arm, i], c2[1 - arm, i] = t[1 - arm, i], d[1 - arm, i], c[1 - arm, i]
            log_ratio -= math.log(1.0 - uniform(state))
        else:
            n_steps, densities = propose(whole, segment, printed, t, d, c, n, scope, state, steps)
            if n_steps == 0:
                continue
            drawn = ways(t, d, c, m, steps, n_steps, False, True)
            if drawn == 0.0:
                continue
            first = steps[0, 0] == 0 or (n_steps == 2 and steps[1, 0] == 0)
            second = steps[0, 0] == 1 or (n_steps == 2 and steps[1, 0] == 1)
            for a in range(2):
                m2[a] = m[a]
                if (first if a == 0 else second) or scope == BOTH:
                    for i in range(m[a]):
                        t2[a, i], d2[a, i], c2[a, i] = t[a, i], d[a, i], c[a, i]
            apply(t2, d2, c2, m2, steps, n_steps)
            log_ratio = math.log(densities * ways(t2, d2, c2, m2, steps, n_steps, True, False) / (drawn * (1.0 - uniform(state))))
        if not (ends_held(whole, t2, m2) if scope == BOTH else arm_ends_held(whole, t2, m2, scope)):
            continue
        for a in range(2):
            if first if a == 0 else second:
                low, high = first_touched(steps, n_steps, a), last_touched(steps, n_steps, a) + 1
                log_ratio += log_prior(factors, levels, t2, d2, c2, a, m2[a], n[a], n_times, low, high)
                log_ratio -= log_prior(factors, levels, t, d, c, a, m[a], n[a], n_times, low, high)
                log_ratio += tilt_of(tilt, t2, d2, a, m2[a]) - tilt_of(tilt, t, d, a, m[a])
        if hot:
            if log_ratio < 0.0:
                continue
        else:
            budget = weighted(cold, energy) + log_ratio
            if budget < 0.0 or not energy_within(
                whole,
                real,
                times,
                inverse,
                curve,
                t2,
                d2,
                c2,
                m2,
                n,
                first,
                second,
                scope == BOTH,
                cold,
                energy,
                new,
                budget,
                ct,
                cd,
                cr,
                jd,
                jr,
            ):
                continue
            for g in range(N_ENERGIES):
                energy[g] = new[g]
        accepted += 1
        for a in range(2):
            if first if a == 0 else second:
                m[a] = m2[a]
                for i in range(m[a]):
                    t[a, i], d[a, i], c[a, i] = t2[a, i], d2[a, i], c2[a, i]
    return accepted


@compiled
def energies(
    problem: Problem,
    reading: int,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    scope: int,
    out: np.ndarray,
) -> None:
    """All energies of a table under one reading: control, experimental, both together, comparison; of one arm alone by its `scope`."""
    width = t.shape[1]
    ct, cd, cr = np.empty((3, 2 * width), np.int64), np.empty((2, width), np.int64), np.empty((2, width + 1), np.int64)
    jd, jr = np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width + 1), np.int64)
    out[:] = 0.0
    energy_within(
        problem.whole[reading],
        problem.real[reading],
        problem.times,
        problem.inverse,
        problem.curve,
        t,
        d,
        c,
        m,
        n,
        scope != 1,
        scope != 0,
        scope == BOTH,
        np.ones(N_ENERGIES),
        out.copy(),
        out,
        np.inf,
        ct,
        cd,
        cr,
        jd,
        jr,
    )


@compiled
def walk(
    problem: Problem,
    readings: np.ndarray,
    reading: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
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

    The table's entries are t, d, c (2, M) with m (2,) of them; n (2,) patients. `scope` 0 or 1: one arm alone, without what belongs
    to both. `energy` (4,) is kept up to date, and readings are moved, unless every temperature is infinite (cold 0).
    """
    # Taken out of the tuple once: every access within the loop would count references.
    times, inverse, curve, printed = problem.times, problem.inverse, problem.curve, problem.printed
    factors, segment, level_steps = problem.prior, problem.segment, problem.steps
    several_levels, several_readings = factors.shape[0] > 1, readings.size > 1
    hot = cold[0] == 0.0 and cold[1] == 0.0 and cold[TOTAL] == 0.0
    width, n_times = t.shape[1], segment.shape[1]
    t2, d2, c2, m2 = np.empty((2, width), np.int64), np.empty((2, width), np.int64), np.empty((2, width), np.int64), m.copy()
    ct, cd, cr = np.empty((3, 2 * width), np.int64), np.empty((2, width), np.int64), np.empty((2, width + 1), np.int64)
    jd, jr = np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width + 1), np.int64)
    steps, new = np.zeros((2, STEP_FIELDS), np.int64), np.zeros(N_ENERGIES)
    accepted, made = 0, 0
    if scope != BOTH and n[scope] == 0:
        return 0
    while made < n_proposals:
        if several_levels:
            for _ in range(LEVEL_MOVES):
                move_level(factors, level_steps, levels, t, d, c, m, n, n_times, scope, state)
        if several_readings and not hot:
            other = readings[min(int(uniform(state) * readings.size), readings.size - 1)]
            budget = weighted(cold, energy) - math.log(1.0 - uniform(state))
            whole, real = problem.whole[other], problem.real[other]
            # with the same rule of the medians' intervals, only what the arms' comparison says is another
            another = whole[RULE] != problem.whole[reading[0], RULE]
            one, two, both = another and scope != 1, another and scope != 0, scope == BOTH
            if energy_within(
                whole, real, times, inverse, curve, t, d, c, m, n, one, two, both, cold, energy, new, budget, ct, cd, cr, jd, jr
            ):
                reading[0] = other
                energy[:] = new
        length = min(STRETCH, n_proposals - made)
        accepted += stretch(
            problem.whole[reading[0]],
            problem.real[reading[0]],
            times,
            inverse,
            curve,
            segment,
            printed,
            factors,
            tilt,
            n,
            t,
            d,
            c,
            m,
            levels,
            energy,
            cold,
            scope,
            length,
            state,
            t2,
            d2,
            c2,
            m2,
            steps,
            new,
            ct,
            cd,
            cr,
            jd,
            jr,
        )
        made += length
    return accepted
