"""Cooling a population: what each level does, from arms alone to pairs that are coupled, cooled, warmed again and looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import couple_all
from retrial.tables.kernel.prior import coupling_energy
from retrial.tables.kernel.walk import COUPLED, JOINT, N_ENERGIES, TOTAL
from retrial.tables.sample.smc.arms import MAX_LEVELS
from retrial.tables.sample.smc.exchange import Rung, rung_of
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import effective, largest_step, resample

HARVEST = 0.1
"""Share of particles in agreement at which the temperature stays: lower, and visits are rare; higher, and walks freeze."""
LOOKS, BETWEEN = 20, 4
"""Looks at every particle there, and how many of them fit into one level's proposals."""
ACCEPTED = 0.1
"""Share of proposals taken that a level's number of proposals is made for."""
FEWER_TO_COUPLE = 3
"""Part of a level's proposals between two steps of the arms' coupling, which is about hazards alone."""
LARGEST_STEP = 1.0
"""Most that the inverse temperature of a level may rise by above doubling: particles as far from agreement as each other say nothing of it."""
USUAL_LEVELS = 15
"""Levels that a stage has, about."""
WIDER, SMALL_STEPS, UNEQUAL = 4.0, 16, 0.5
"""A step of the coupling, in units of one that keeps the share effective at once; in how many it is made; effective share of the weights below
which particles are resampled.
"""
WARM = 1.0
"""Inverse temperature of every energy at which ladders begin: there tables are remade within one stay."""

Tick = Callable[[float], None]
"""Told the share of the work that is done; raises to stop it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work an island does.

    particles, burn_in (proposals of each from the prior), proposals a level (`most` where few are taken), target (proposals at the
    target itself), share (effective sample size that a level keeps), last_temperature (inverse, at which it is given up), sweeps of its
    ladders in a round (0: the population that has cooled is harvested as it is), near (arms drawn forward to choose those near agreement from), held
    (arms on their curves per particle: a walk hardly leads from one to another, so that pairs are chosen among many)
    """

    particles: int
    burn_in: int
    proposals: int
    most: int
    target: int
    share: float
    last_temperature: float
    sweeps: int = 0
    near: int = 2_000
    held: int = 4


class Annealed(NamedTuple):
    """Log evidence of what was annealed, and the proposals a particle made at the last level."""

    log_evidence: float
    proposals: int


def exponents(population: Population, step: float, scope: int) -> np.ndarray:
    """(N,) exponents of the particles' weights when the temperature of what belongs to `scope` falls by `step`. For pairs what belongs to
    both goes first; each arm follows from where it stands already.
    """
    energy, cold = population.energy, population.cold
    if scope != BOTH:
        return np.asarray(step * energy[:, scope])
    after = cold[JOINT] + step
    return np.asarray(step * (energy[:, TOTAL] + energy[:, JOINT]) + energy[:, :2] @ (np.maximum(cold[:2], after) - cold[:2]))


def anneal(
    population: Population, readings: np.ndarray, scope: int, sizes: Sizes, tick: Tick, rungs: list[Rung] | None = None
) -> Annealed:
    """Cool what belongs to `scope` until `HARVEST` of the particles agree, or to the last temperature; levels are added to `rungs`, where there
    is a first one.
    """
    cold, size = population.cold, population.size
    log_evidence, proposals, place = 0.0, sizes.proposals, JOINT if scope == BOTH else scope
    for level in range(MAX_LEVELS):
        tick(level / USUAL_LEVELS)
        energy = population.energy.sum(axis=1) if scope == BOTH else population.energy[:, scope]
        if (energy == 0.0).sum() >= HARVEST * size or cold[place] >= sizes.last_temperature:
            break
        step = largest_step(lambda step: effective(np.exp(least(exponents(population, step, scope)))) > sizes.share * size)
        step = min(step, cold[place] + LARGEST_STEP, sizes.last_temperature - cold[place])
        log_evidence += weigh(population, exponents(population, step, scope), scope)
        if scope == BOTH:
            cold[TOTAL] += step
            cold[JOINT] += step
            cold[:2] = np.maximum(cold[:2], cold[JOINT])
        else:
            cold[scope] += step
        taken = population.walk(readings, scope, proposals)
        if rungs:
            rungs.append(rung_of(population))
        population.adapt()
        wanted = sizes.proposals * ACCEPTED * proposals * size / max(taken, 1)
        proposals = int(min(max(wanted, sizes.proposals / 2), sizes.most))
    return Annealed(log_evidence, proposals)


def warm(population: Population, readings: np.ndarray, sizes: Sizes) -> list[Rung]:
    """Warm pairs until every energy is at `WARM` at most; returns the levels, warmest first."""
    p, rungs = population, []
    while p.cold[:N_ENERGIES].max() > WARM:
        before = p.cold[:N_ENERGIES].copy()

        def after(step: float, before: np.ndarray = before) -> np.ndarray:
            return np.where(before > WARM, np.maximum(before * (1.0 - step), WARM), before)

        def exponent(step: float, before: np.ndarray = before) -> np.ndarray:
            return np.asarray(p.energy @ (after(step) - before))

        step = largest_step(lambda step: effective(np.exp(least(exponent(step)))) > sizes.share * p.size, high=1.0)
        weigh(p, exponent(step), BOTH)
        p.cold[:N_ENERGIES] = after(step)
        p.walk(readings, BOTH, sizes.proposals)
        p.adapt()
        rungs.append(rung_of(p))
    return rungs[::-1]


def least(exponent: np.ndarray) -> np.ndarray:
    """Logarithms of weights, the largest 0."""
    return np.asarray(exponent.min() - exponent)


def couple(population: Population, readings: np.ndarray, sizes: Sizes, tick: Tick) -> float:
    """Bring pairs from each arm's own prior of hazards to that of both arms, whose baseline they share; returns the log of the mean weights, -inf
    where `MAX_LEVELS` steps were not enough.

    Most of what weights differ by is the hazards, not the tables: a step is made in many small ones between which hazards alone are moved, and
    pairs are resampled, and their tables moved, only where the weights of steps so far have become unequal.
    """
    p, log_evidence, logs = population, 0.0, np.zeros(population.size)
    constant = float(coupling_energy(p.problem.gaussians, np.zeros((1, 2, p.hazards.shape[3])))[0])
    for _ in range(MAX_LEVELS):
        before = float(p.cold[COUPLED])
        if before == 1.0:
            break
        tick(before)
        p.pause()
        after = min(1.0, before + WIDER * step_that_keeps(sizes.share, p.coupling()))
        steps = np.linspace(before, after, SMALL_STEPS + 1)
        couple_all(p.problem, p.n, p.t, p.d, p.c, p.m, p.slots, p.hazards, steps, logs, p.state)
        logs -= (after - before) * constant
        p.cold[COUPLED] = after
        if after == 1.0 or effective(np.exp(logs - logs.max())) < UNEQUAL * p.size:
            log_evidence += weigh(p, -logs, BOTH)
            logs[:] = 0.0
            p.walk(readings, BOTH, max(1, sizes.proposals // FEWER_TO_COUPLE))
            p.adapt()
    return log_evidence if p.cold[COUPLED] == 1.0 else -np.inf


def step_that_keeps(share: float, energy: np.ndarray) -> float:
    """The step at which weights exp(-step · energy) keep a share of the particles effective."""
    return largest_step(lambda step: effective(np.exp(least(step * energy))) > share * energy.size)


def weigh(population: Population, exponent: np.ndarray, scope: int) -> float:
    """Resample by weights exp(-exponent); returns the log of their mean."""
    weights = np.exp(least(exponent))
    population.take(resample(weights, population.random.random()), scope)
    return float(np.log(weights.mean()) - exponent.min())


def harvest(population: Population, readings: np.ndarray, n_between: int, tick: Tick) -> np.ndarray:
    """Let every pair walk on at its temperatures, where it leaves agreement and comes back, and look at it `LOOKS` times.

    A state in agreement that a walk at any temperature visits is a draw of the target. Each particle is replaced by one of its
    visits, all as likely; returns their (N,) numbers.
    """
    visits = np.zeros(population.size)
    arrays = (population.t, population.d, population.c, population.m, population.hazards, population.energy, population.reading)
    kept = tuple(array.copy() for array in arrays)
    for look in range(LOOKS):
        tick(look / LOOKS)
        if look > 0:
            population.walk(readings, BOTH, n_between)
        agrees = population.energy.sum(axis=1) == 0.0
        visits += agrees
        moved = np.flatnonzero(agrees & (population.random.random(population.size) * visits < 1.0))
        for store, array in zip(kept, arrays, strict=True):
            store[moved] = array[moved]
    for store, array in zip(kept, arrays, strict=True):
        array[:] = store
    return visits
