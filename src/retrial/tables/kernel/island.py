"""One island of the sampler: sequential Monte Carlo from the prior to agreement (compiled).

Target at inverse temperature b: π_b(y, reading) ∝ prior(y) 1[structure] exp(-b E(y, reading)), readings equally likely; b rises
from 0 to infinity, where π is the prior restricted to what agrees. Each level weights the particles by exp(-Δb E) with Δb such
that the effective sample size is a fixed share, resamples systematically, and moves every particle by Metropolis-Hastings at the
new b. It stops rising while the particles still move freely: among states of π_b those with E = 0 are draws of the target, and
they are harvested from walks at that b. The product of the mean weights and of the share of visits in agreement estimates the
evidence P(agreement | structure), a mean over the readings (Del Moral, Doucet and Jasra 2006, JRSS B 68:411). Readings are moved
with the tables, so that they compete within one population while they still can: evidence from separate samplers has far larger
relative errors than the shares of one.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uniform
from retrial.tables.kernel.forward import draw_forward
from retrial.tables.kernel.problem import PIECES, Problem
from retrial.tables.kernel.walk import AT_TARGET, N_ENERGIES, energies, walk

MAX_LEVELS = 400
WALK_ALONE = 10
"""How much longer a walk is that has to forget where it started."""
HARVEST = 0.1
"""Share of particles in agreement at which the temperature stays: lower, and visits are rare; higher, and walks freeze."""
LOOKS, BETWEEN = 40, 4
"""Looks at every particle there, and how many of them fit into one level's proposals."""
_BISECTIONS = 50
_FIRST_STEP, _LAST_STEP = 1e-9, 1e9
"""Bracket of a level's Δb."""


@compiled
def effective_share(energy: np.ndarray, step: float) -> float:
    """Effective sample size of the weights exp(-step · E), as a share of the particles."""
    total, squares, least = 0.0, 0.0, energy.min()
    for value in energy:
        weight = math.exp(-step * (value - least))
        total += weight
        squares += weight * weight
    return total * total / squares / energy.size


@compiled
def level_step(energy: np.ndarray, share: float) -> float:
    """Δb whose weights keep `share` of the particles effective (bisection on a log scale)."""
    low, high = math.log(_FIRST_STEP), math.log(_LAST_STEP)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if effective_share(energy, math.exp(middle)) > share:
            low = middle
        else:
            high = middle
    return math.exp(low)


@compiled
def resample(weights: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Parents by systematic resampling; a surviving particle stays in its place, so that only copies are moved."""
    n = weights.size
    copies = np.zeros(n, np.int64)
    position, cumulative, i = uniform(state), weights[0] * n / weights.sum(), 0
    for k in range(n):
        while cumulative < k + position and i < n - 1:
            i += 1
            cumulative += weights[i] * n / weights.sum()
        copies[i] += 1
    parents = np.empty(n, np.int64)
    spare = 0
    for i in range(n):
        if copies[i] > 0:
            parents[i] = i
            copies[i] -= 1
        else:
            parents[i] = -1
    for i in range(n):
        if parents[i] < 0:
            while copies[spare] == 0:
                spare += 1
            parents[i] = spare
            copies[spare] -= 1
    return parents


@compiled
def take_parents(
    parents: np.ndarray,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
) -> None:
    """Put a copy of its parent in the place of each table that was not kept."""
    for i in range(parents.size):
        if parents[i] != i:
            reading[i], d[i], r[i], levels[i] = reading[parents[i]], d[parents[i]], r[parents[i]], levels[parents[i]]
            energy[i], ancestor[i] = energy[parents[i]], ancestor[parents[i]]


@compiled
def draw_prior(
    problem: Problem,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    n_burn_in: int,
    state: np.ndarray,
) -> None:
    """Particles of the prior, readings in turn: drawn forward in time, then each a walk of its own of `n_burn_in` proposals.

    Where none can be drawn forward: one long walk from the first table, a particle every `WALK_ALONE` times as many.
    """
    drawn = draw_forward(problem, d[0].copy(), r[0].copy(), d, r, levels, state)
    if not drawn:
        n_burn_in *= WALK_ALONE
    for i in range(d.shape[0]):
        reading[i] = i % problem.whole.shape[0]
        if i > 0 and not drawn:
            d[i], r[i], levels[i] = d[i - 1], r[i - 1], levels[i - 1]
        walk(problem, reading[i : i + 1], d[i], r[i], levels[i], energy[i], 0.0, n_burn_in, state)
        energies(problem, reading[i], d[i], r[i], energy[i])


@compiled
def anneal(
    problem: Problem,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
    n_proposals: int,
    max_proposals: int,
    share: float,
    last_temperature: float,
    state: np.ndarray,
) -> tuple[float, float, int, int, int]:
    """From the prior to the temperature at which `HARVEST` of the particles agree, or to the last.

    Returns log evidence up to there, inverse temperature, proposals per particle at the last level, levels, proposals made.
    """
    n_particles, total = energy.shape[0], np.empty(energy.shape[0])
    temperature, log_evidence, proposals, n_levels, made = 0.0, 0.0, n_proposals, 0, 0
    while True:
        agreeing = 0
        for i in range(n_particles):
            total[i] = energy[i].sum()
            agreeing += total[i] == 0.0
        if agreeing >= HARVEST * n_particles or temperature >= last_temperature or n_levels >= MAX_LEVELS:
            return log_evidence, temperature, proposals, n_levels, made
        step = min(level_step(total, share), last_temperature - temperature)
        weights = np.exp(-step * total)
        log_evidence += math.log(weights.mean())
        take_parents(resample(weights, state), reading, d, r, levels, energy, ancestor)
        temperature += step
        accepted = 0
        for i in range(n_particles):
            accepted += walk(problem, reading[i : i + 1], d[i], r[i], levels[i], energy[i], temperature, proposals, state)
        n_levels += 1
        made += proposals * n_particles
        wanted = n_proposals * 0.1 * proposals * n_particles / max(accepted, 1)
        proposals = int(min(max(wanted, 0.5 * n_proposals), max_proposals))


@compiled
def harvest(
    problem: Problem,
    reading: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    temperature: float,
    n_between: int,
    state: np.ndarray,
) -> np.ndarray:
    """Let every particle walk on at `temperature`, where it leaves agreement and comes back, and look at it `LOOKS` times.

    A state in agreement that a walk at any temperature visits is a draw of the target. Each particle is replaced by one of its
    visits, all as likely; returns their (N,) numbers.
    """
    visits = np.zeros(energy.shape[0])
    for i in range(energy.shape[0]):
        walker = d[i].copy(), r[i].copy(), levels[i].copy(), energy[i].copy()
        read = reading[i : i + 1].copy()
        for look in range(LOOKS):
            if look > 0:
                walk(problem, read, walker[0], walker[1], walker[2], walker[3], temperature, n_between, state)
            if walker[3].sum() == 0.0:
                visits[i] += 1.0
                if uniform(state) * visits[i] < 1.0:
                    reading[i], d[i], r[i], levels[i], energy[i] = read[0], walker[0], walker[1], walker[2], walker[3]
    return visits


@compiled
def run_island(
    problem: Problem,
    first_d: np.ndarray,
    first_r: np.ndarray,
    n_particles: int,
    n_burn_in: int,
    n_proposals: int,
    max_proposals: int,
    n_target: int,
    share: float,
    last_temperature: float,
    state: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Particles: (N,) readings, (N, 3, T) events, (N, 3, T + 1) at risk, (N, 2, 2, pieces) levels of the prior, (N, 4) energies, (N,) ancestors,
    (3,) summary and its (4,) counts.

    Summary: log evidence (-inf where nobody arrived), last inverse temperature, acceptance at the target. Counts: levels,
    particles that were ever in agreement, proposals made, proposals taken at the target.
    """
    n_times = first_d.shape[1]
    d, r = np.empty((n_particles, 3, n_times), np.int64), np.empty((n_particles, 3, n_times + 1), np.int64)
    energy, ancestor = np.zeros((n_particles, N_ENERGIES)), np.arange(n_particles)
    reading = np.zeros(n_particles, np.int64)
    levels = np.full((n_particles, 2, 2, problem.whole[0, PIECES]), problem.prior.shape[0] // 2, np.int64)
    d[0], r[0] = first_d, first_r
    summary, counts = np.zeros(3), np.zeros(4, np.int64)
    draw_prior(problem, reading, d, r, levels, energy, n_burn_in, state)
    log_evidence, temperature, proposals, counts[0], counts[2] = anneal(
        problem, reading, d, r, levels, energy, ancestor, n_proposals, max_proposals, share, last_temperature, state
    )
    n_between = max(1, proposals // BETWEEN)
    visits = harvest(problem, reading, d, r, levels, energy, temperature, n_between, state)
    counts[1], counts[2] = (visits > 0.0).sum(), counts[2] + LOOKS * n_between * n_particles
    summary[1] = temperature
    if counts[1] == 0:
        summary[0] = -np.inf
        return reading, d, r, levels, energy, ancestor, summary, counts
    summary[0] = log_evidence + math.log(visits.mean() / LOOKS)
    take_parents(resample(visits, state), reading, d, r, levels, energy, ancestor)
    for i in range(n_particles):
        counts[3] += walk(problem, reading[i : i + 1], d[i], r[i], levels[i], energy[i], AT_TARGET, n_target, state)
    counts[2] += n_target * n_particles
    summary[2] = counts[3] / max(1, n_target * n_particles)
    return reading, d, r, levels, energy, ancestor, summary, counts
