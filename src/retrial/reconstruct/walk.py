"""Metropolis-Hastings on life tables at one temperature (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.reconstruct.compiled import compiled, inlined, uniform
from retrial.reconstruct.energy import group_energy, joint_energy
from retrial.reconstruct.moves import STEP_FIELDS, apply, feasible, propose, ways
from retrial.reconstruct.prior import log_prior_at
from retrial.reconstruct.problem import Problem

JOINT = 3
"""Place of the hazard ratio's and χ²'s energy, after the three groups'."""
N_ENERGIES = 4
AT_TARGET = 1e15
"""Inverse temperature of the target itself: energy above 0 is refused."""


@compiled
def energies(problem: Problem, d: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """All energies of a table: control, experimental, both together, comparison."""
    for g in range(3):
        out[g] = group_energy(problem.whole, problem.real, problem.times, problem.inverse, problem.curve, d, r, g)
    out[JOINT] = joint_energy(problem.whole, problem.real, problem.inverse, d, r, np.inf)


@compiled
def log_prior(factors: np.ndarray, d: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """Log prior by (arm, time)."""
    for arm in range(2):
        for t in range(d.shape[1]):
            out[arm, t] = log_prior_at(factors, d, r, arm, t)


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
    factors: np.ndarray, d: np.ndarray, r: np.ndarray, steps: np.ndarray, n_steps: int, prior: np.ndarray, new_prior: np.ndarray
) -> float:
    """Change of the log prior by a proposal; the new terms go to `new_prior`."""
    change = 0.0
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            new_prior[arm, t] = log_prior_at(factors, d, r, arm, t)
            change += new_prior[arm, t] - prior[arm, t]
    return change


@inlined
def keep_prior(steps: np.ndarray, n_steps: int, prior: np.ndarray, new_prior: np.ndarray) -> None:
    """Take over the prior's terms that a proposal changed."""
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            prior[arm, t] = new_prior[arm, t]


@compiled
def walk(
    problem: Problem,
    d: np.ndarray,
    r: np.ndarray,
    energy: np.ndarray,
    inverse_temperature: float,
    n_proposals: int,
    state: np.ndarray,
) -> int:
    """Make `n_proposals` proposals in place at density prior(y) exp(-inverse_temperature · energy(y)); returns how many were
    taken.

    The threshold on the energy is drawn before the energy is computed, so that a proposal is refused at the first partial sum
    above it, the cheapest parts first: the same Markov chain, most of the work spared. `energy` (4,) is kept up to date unless
    the temperature is infinite (inverse 0).
    """
    whole, real, times, inverse = problem.whole, problem.real, problem.times, problem.inverse
    curve, factors, segment = problem.curve, problem.prior, problem.segment
    steps = np.zeros((2, STEP_FIELDS), np.int64)
    prior, new_prior = np.empty((2, d.shape[1])), np.empty((2, d.shape[1]))
    log_prior(factors, d, r, prior)
    new = np.empty(N_ENERGIES)
    accepted = 0
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
            log_ratio += prior_change(factors, d, r, steps, n_steps, prior, new_prior)
            if inverse_temperature == 0.0:
                taken = log_ratio >= 0.0
            else:
                limit = energy[0] + energy[1] + energy[2] + energy[3] + log_ratio / inverse_temperature
                taken = limit >= 0.0
                total = 0.0
                for g in range(3):
                    if taken:
                        new[g] = energy[g]
                        if changes(steps, n_steps, g):
                            new[g] = group_energy(whole, real, times, inverse, curve, d, r, g)
                        total += new[g]
                        taken = total <= limit
                if taken:
                    new[JOINT] = joint_energy(whole, real, inverse, d, r, limit - total)
                    taken = total + new[JOINT] <= limit
        if taken:
            accepted += 1
            if inverse_temperature > 0.0:
                energy[:] = new
            keep_prior(steps, n_steps, prior, new_prior)
        else:
            for i in range(n_steps):
                apply(d, r, steps, i, -1)
    return accepted


@inlined
def changes(steps: np.ndarray, n_steps: int, g: int) -> bool:
    """Whether a proposal changes an arm (0, 1), or both arms together (2: not by an exchange of cells between the arms)."""
    if g < 2:
        return steps[0, 0] == g or (n_steps == 2 and steps[1, 0] == g)
    forth = steps[0, 1] == steps[1, 3] and steps[0, 2] == steps[1, 4]
    return n_steps == 1 or not (forth and steps[1, 1] == steps[0, 3] and steps[1, 2] == steps[0, 4])
