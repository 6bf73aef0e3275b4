"""One island of the sampler: sequential Monte Carlo from the prior to agreement (compiled).

Target at inverse temperature b: π_b(y) ∝ prior(y) 1[structure] exp(-b E(y)); b rises from 0 to infinity, where π is the prior
restricted to the tables that agree. Each level weights the particles by exp(-Δb E) with Δb such that the effective sample size
is a fixed share, resamples systematically, and moves every particle by Metropolis-Hastings at the new b. The product of
the mean weights estimates the evidence P(agreement | structure) (Del Moral, Doucet and Jasra 2006, JRSS B 68:411).
"""

from __future__ import annotations

import math

import numpy as np

from retrial.reconstruct.compiled import compiled, uniform
from retrial.reconstruct.problem import Problem
from retrial.reconstruct.walk import AT_TARGET, N_ENERGIES, energies, walk

MAX_LEVELS = 400
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
def take_parents(parents: np.ndarray, d: np.ndarray, r: np.ndarray, energy: np.ndarray, ancestor: np.ndarray) -> None:
    for i in range(parents.size):
        if parents[i] != i:
            d[i], r[i], energy[i], ancestor[i] = d[parents[i]], r[parents[i]], energy[parents[i]], ancestor[parents[i]]


@compiled
def draw_prior(problem: Problem, d: np.ndarray, r: np.ndarray, energy: np.ndarray, n_burn_in: int, state: np.ndarray) -> None:
    """Particles of the prior: one long walk from the first table, a particle every `n_burn_in` proposals."""
    for i in range(d.shape[0]):
        if i > 0:
            d[i], r[i] = d[i - 1], r[i - 1]
        walk(problem, d[i], r[i], energy[i], 0.0, n_burn_in, state)
        energies(problem, d[i], r[i], energy[i])


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
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Particles (N, 3, T) events, (N, 3, T + 1) at risk, (N, 4) energies, (N,) ancestors, (3,) summary and its (4,) counts.

    Summary: log evidence (-inf where nobody arrived), last inverse temperature, acceptance at the target. Counts: levels,
    particles in agreement before the last resampling, proposals made, proposals taken at the target.
    """
    n_times = first_d.shape[1]
    d, r = np.empty((n_particles, 3, n_times), np.int64), np.empty((n_particles, 3, n_times + 1), np.int64)
    energy, ancestor, total = np.zeros((n_particles, N_ENERGIES)), np.arange(n_particles), np.empty(n_particles)
    d[0], r[0] = first_d, first_r
    summary, counts = np.zeros(3), np.zeros(4, np.int64)
    draw_prior(problem, d, r, energy, n_burn_in, state)
    temperature, log_evidence, proposals = 0.0, 0.0, n_proposals
    while True:
        agreeing = 0
        for i in range(n_particles):
            total[i] = energy[i].sum()
            agreeing += total[i] == 0.0
        counts[1] = agreeing
        if agreeing >= share * n_particles or temperature >= last_temperature or counts[0] >= MAX_LEVELS:
            break
        step = min(level_step(total, share), last_temperature - temperature)
        weights = np.exp(-step * total)
        log_evidence += math.log(weights.mean())
        take_parents(resample(weights, state), d, r, energy, ancestor)
        temperature += step
        accepted = 0
        for i in range(n_particles):
            accepted += walk(problem, d[i], r[i], energy[i], temperature, proposals, state)
        counts[0] += 1
        counts[2] += proposals * n_particles
        wanted = n_proposals * 0.1 * proposals * n_particles / max(accepted, 1)
        proposals = int(min(max(wanted, 0.5 * n_proposals), max_proposals))
    summary[1] = temperature
    if agreeing == 0:
        summary[0] = -np.inf
        return d, r, energy, ancestor, summary, counts
    weights = np.where(total == 0.0, 1.0, 0.0)
    summary[0] = log_evidence + math.log(weights.mean()) + 0.0
    take_parents(resample(weights, state), d, r, energy, ancestor)
    for i in range(n_particles):
        counts[3] += walk(problem, d[i], r[i], energy[i], AT_TARGET, n_target, state)
    counts[2] += n_target * n_particles
    summary[2] = counts[3] / max(1, n_target * n_particles)
    return d, r, energy, ancestor, summary, counts
