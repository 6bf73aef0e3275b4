"""Metropolis-Hastings on life tables and readings at one temperature (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, next_bits, uncounted, uniform
from retrial.tables.kernel.energy import group_energy, joint_energy
from retrial.tables.kernel.moves import STEP_FIELDS, apply, feasible, propose, ways
from retrial.tables.kernel.prior import log_prior_at
from retrial.tables.kernel.problem import Problem

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
    steps: np.ndarray,
    levels: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    prior: np.ndarray,
    new_prior: np.ndarray,
    state: np.ndarray,
) -> bool:
    """One Metropolis-Hastings proposal: one level of one kind, arm and piece goes up or down; `prior` (2, T) is kept up to date."""
    bits = np.int64(next_bits(state) >> np.uint64(1))
    kind, arm, length = bits & 1, (bits >> 1) & 1, _LENGTHS[(bits >> 2) & 7]
    pieces, n_times = levels.shape[2], d.shape[1]
    piece = (((bits >> 8) & 0xFFFFFF) * pieces) >> 24
    old = levels[kind, arm, piece]
    new = old + (length if (bits >> 5) & 1 else -length)
    if new < 0 or new >= factors.shape[0]:
        return False
    change = walk_change(steps, levels, kind, arm, piece, new)
    first, stop = (piece * n_times + pieces - 1) // pieces, ((piece + 1) * n_times + pieces - 1) // pieces
    levels[kind, arm, piece] = new
    for t in range(first, stop):
        new_prior[arm, t] = log_prior_at(factors, levels, d, r, arm, t)
        change += new_prior[arm, t] - prior[arm, t]
    if change < 0.0 and math.log(1.0 - uniform(state)) > change:
        levels[kind, arm, piece] = old
        return False
    for t in range(first, stop):
        prior[arm, t] = new_prior[arm, t]
    return True


JOINT = 3
"""Place of the hazard ratio's and χ²'s energy, after the three groups'."""


@inlined
def touched(steps: np.ndarray, n_steps: int, arm: int) -> tuple[int, int]:
    """First and last time at which a proposal changes an arm; (0, -1) where it does not."""
    first, last = 0, -1
    for i in range(n_steps):
        if steps[i, 0] == arm:
            low, high = min(steps[i, 2], steps[i, 4]), max(steps[i, 2], steps[i, 4])
            if last < 0:
                first, last = low, high
            else:
                first, last = min(first, low), max(last, high)
    return first, last


@inlined
def prior_change(
    factors: np.ndarray,
    levels: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    steps: np.ndarray,
    n_steps: int,
    prior: np.ndarray,
    new_prior: np.ndarray,
) -> float:
    """Change of the log prior by a proposal; the new terms go to `new_prior`."""
    change = 0.0
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            new_prior[arm, t] = log_prior_at(factors, levels, d, r, arm, t)
            change += new_prior[arm, t] - prior[arm, t]
    return change


@inlined
def keep_prior(steps: np.ndarray, n_steps: int, prior: np.ndarray, new_prior: np.ndarray) -> None:
    """Take over the prior's terms that a proposal changed."""
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            prior[arm, t] = new_prior[arm, t]


@inlined
def changes(steps: np.ndarray, n_steps: int, g: int) -> bool:
    """Whether a proposal changes an arm (0, 1), or both arms together (2: not by an exchange of cells between the arms)."""
    if g < 2:
        return steps[0, 0] == g or (n_steps == 2 and steps[1, 0] == g)
    forth = steps[0, 1] == steps[1, 3] and steps[0, 2] == steps[1, 4]
    return n_steps == 1 or not (forth and steps[1, 1] == steps[0, 3] and steps[1, 2] == steps[0, 4])


@inlined
def within(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    steps: np.ndarray,
    n_steps: int,
    energy: np.ndarray,
    new: np.ndarray,
    limit: float,
) -> bool:
    """Whether a changed table's energy is at most `limit`; then `new` holds it. The cheapest parts come first."""
    total, low = 0.0, limit >= 0.0
    for g in range(3):
        if low:
            new[g] = energy[g]
            if changes(steps, n_steps, g):
                new[g] = group_energy(whole, real, times, inverse, curve, d, r, g, limit - total)
            total += new[g]
            low = total <= limit
    if low:
        new[JOINT] = joint_energy(whole, real, inverse, d, r, limit - total)
        low = total + new[JOINT] <= limit
    return low


N_ENERGIES = 4
STRETCH, LEVEL_MOVES = 16, 2
"""Proposals of the table per proposal of another reading (which costs a whole energy), and proposals of levels per stretch."""
AT_TARGET = 1e15
"""Inverse temperature of the target itself: energy above 0 is refused."""


@compiled
def energies(problem: Problem, reading: int, d: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """All energies of a table under one reading: control, experimental, both together, comparison."""
    whole, real = problem.whole[reading], problem.real[reading]
    for g in range(3):
        out[g] = group_energy(whole, real, problem.times, problem.inverse, problem.curve, d, r, g, np.inf)
    out[JOINT] = joint_energy(whole, real, problem.inverse, d, r, np.inf)


@compiled
def log_prior(factors: np.ndarray, levels: np.ndarray, d: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """Log prior of the table by (arm, time), given the levels."""
    for arm in range(2):
        for t in range(d.shape[1]):
            out[arm, t] = log_prior_at(factors, levels, d, r, arm, t)


@compiled
def move_reading(
    problem: Problem,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    energy: np.ndarray,
    new: np.ndarray,
    inverse_temperature: float,
    state: np.ndarray,
) -> bool:
    """One Metropolis-Hastings proposal of another reading for the same table, all readings equally likely; in place."""
    n_readings = problem.whole.shape[0]
    other = min(int(uniform(state) * n_readings), n_readings - 1)
    limit = energy.sum() - math.log(1.0 - uniform(state)) / inverse_temperature
    whole, real, total = problem.whole[other], problem.real[other], 0.0
    new[JOINT] = joint_energy(whole, real, problem.inverse, d, r, limit)
    total += new[JOINT]
    for g in range(3):
        if total > limit:
            return False
        new[g] = group_energy(whole, real, problem.times, problem.inverse, problem.curve, d, r, g, limit - total)
        total += new[g]
    if total > limit:
        return False
    reading[0] = other
    energy[:] = new
    return True


@uncounted
def stretch(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    segment: np.ndarray,
    factors: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    prior: np.ndarray,
    new_prior: np.ndarray,
    new: np.ndarray,
    steps: np.ndarray,
    inverse_temperature: float,
    n_proposals: int,
    state: np.ndarray,
) -> int:
    """Proposals of the table alone; returns how many were taken. `prior` (2, T) are the prior's terms, `energy` the table's.

    The threshold on the energy is drawn before the energy is computed, so that a proposal is refused at the first partial sum
    above it: the same Markov chain, most of the work spared.
    """
    hot, accepted = inverse_temperature == 0.0, 0
    for _ in range(n_proposals):
        n_steps = propose(whole, segment, d, r, state, steps)
        if n_steps == 0:
            continue
        drawn = ways(d, r, steps, n_steps, False)
        for i in range(n_steps):
            apply(d, r, steps, i, 1)
        taken = feasible(whole, d, r, steps, n_steps)
        if taken:
            log_ratio = math.log(ways(d, r, steps, n_steps, True) / (drawn * (1.0 - uniform(state))))
            log_ratio += prior_change(factors, levels, d, r, steps, n_steps, prior, new_prior)
            if hot:
                taken = log_ratio >= 0.0
            else:
                limit = energy[0] + energy[1] + energy[2] + energy[3] + log_ratio / inverse_temperature
                taken = within(whole, real, times, inverse, curve, d, r, steps, n_steps, energy, new, limit)
        if taken:
            accepted += 1
            if not hot:
                # one by one: a copy of a whole array makes another
                for g in range(N_ENERGIES):
                    energy[g] = new[g]
            keep_prior(steps, n_steps, prior, new_prior)
        else:
            for i in range(n_steps):
                apply(d, r, steps, i, -1)
    return accepted


@compiled
def walk(
    problem: Problem,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    inverse_temperature: float,
    n_proposals: int,
    state: np.ndarray,
) -> int:
    """Make `n_proposals` proposals in place at density prior(y, levels) exp(-inverse_temperature · E(y, reading)); returns how many
    were taken. Proposals of levels and of another `reading` (1,) come between stretches of `STRETCH` proposals of the table.

    `energy` (4,) is kept up to date, and readings are moved, unless the temperature is infinite (inverse 0).
    """
    # Taken out of the tuple once: every access within the loop would count references.
    times, inverse, curve = problem.times, problem.inverse, problem.curve
    factors, segment, level_steps = problem.prior, problem.segment, problem.steps
    several_levels, several_readings = factors.shape[0] > 1, problem.whole.shape[0] > 1
    steps = np.zeros((2, STEP_FIELDS), np.int64)
    prior, new_prior, new = np.empty((2, d.shape[1])), np.empty((2, d.shape[1])), np.empty(N_ENERGIES)
    log_prior(factors, levels, d, r, prior)
    accepted, made = 0, 0
    while made < n_proposals:
        if several_levels:
            for _ in range(LEVEL_MOVES):
                move_level(factors, level_steps, levels, d, r, prior, new_prior, state)
        if several_readings and inverse_temperature > 0.0:
            move_reading(problem, reading, d, r, energy, new, inverse_temperature, state)
        length = min(STRETCH, n_proposals - made)
        accepted += stretch(
            problem.whole[reading[0]],
            problem.real[reading[0]],
            times,
            inverse,
            curve,
            segment,
            factors,
            d,
            r,
            levels,
            energy,
            prior,
            new_prior,
            new,
            steps,
            inverse_temperature,
            length,
            state,
        )
        made += length
    return accepted
