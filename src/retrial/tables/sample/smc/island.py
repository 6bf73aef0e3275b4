"""One island of the sampler: sequential Monte Carlo from the prior to agreement.

Target at inverse temperatures b: π_b(y, reading) ∝ prior(y) 1[structure] exp(-Σ b E(y, reading)), readings equally likely; b rises
from 0 to infinity, where π is the prior restricted to what agrees. Each level weights the particles by exp(-Δb E) with Δb such
that the effective sample size is a fixed share, resamples systematically, and moves every particle by Metropolis-Hastings at the
new b (Del Moral, Doucet and Jasra 2006, JRSS B 68:411). Most of what a paper prints is about one arm, and the arms are independent
beforehand. So each arm is brought to what is printed about it alone, without the other (`arms`); then arms are paired, at random among
the pairs whose events and extremes are the printed ones and whose median rules are the same, with weight exp(-b E) of what belongs to
both (hazard ratio, test, both arms together: `pairs`); then the arms are coupled, from each one's own prior of hazards to that of both, and
the pairs go on as one population. It stops rising while the particles
still move freely: among states of π_b those with E = 0 are draws of the target, and they are harvested from walks at that b. The
product of the mean weights, of the share of pairs with the structure (against the same share among arms of their own priors) and of the share
of visits in agreement estimates the evidence: P(agreement, structure) over P(structure) without coupling, a mean over the readings.
Readings are moved with the tables, so that they compete within one population while they still can: evidence from separate samplers has
far larger relative errors than the shares of one.

All that takes time is compiled (`kernel`), in calls of about a second, between which a sampler can be asked to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.problem import CURVE_SCALE, SCALARS, Problem
from retrial.tables.kernel.walk import AT_TARGET, COUPLED, JOINT, N_ENERGIES, TOTAL
from retrial.tables.sample.smc.arms import MAX_LEVELS, on_curve, one_long_walk, reach_total, start_arm
from retrial.tables.sample.smc.pairs import Classes, Rules, draw_pairs, join, pair_mass
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import effective, largest_step, resample

HARVEST = 0.1
"""Share of particles in agreement at which the temperature stays: lower, and visits are rare; higher, and walks freeze."""
LOOKS, BETWEEN = 20, 4
"""Looks at every particle there, and how many of them fit into one level's proposals."""
ACCEPTED = 0.1
"""Share of proposals taken that a level's number of proposals is made for."""
ARMS_WORK, PAIRS_WORK, LEVELS_WORK = 0.35, 0.4, 0.75
"""Shares of the work done when the arms are there, when they are coupled, and when the pairs have cooled, about: for the progress bar."""
HELD = 4
"""Arms held on their curves per particle: a walk hardly leads from one to another, so that pairs are chosen among many."""
FEWER_TO_COUPLE = 3
"""Part of a level's proposals between two steps of the arms' coupling, which is about hazards alone."""
USUAL_LEVELS = 15
"""Levels that a stage has, about."""

Tick = Callable[[float], None]
"""Told the share of the work that is done; raises to stop it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work an island does.

    particles, burn_in (proposals of each from the prior), proposals a level (`most` where few are taken), target (proposals at the
    target itself), share (effective sample size that a level keeps), last_temperature (inverse, at which it is given up)
    """

    particles: int
    burn_in: int
    proposals: int
    most: int
    target: int
    share: float
    last_temperature: float


class Found(NamedTuple):
    """Particles: (N,) readings, (N, 3, T) events d, (N, 3, T + 1) at risk r, (N, 2, 2, pieces) log hazards, (N, 4) energies, (N,)
    ancestors; log evidence (-inf where nobody arrived) given the printed structure of arms with hazards of their own, last inverse
    temperature, acceptance at the target, proposals made; log of how probable that structure is, NaN where nobody knows.
    """

    reading: np.ndarray
    d: np.ndarray
    r: np.ndarray
    hazards: np.ndarray
    energy: np.ndarray
    ancestor: np.ndarray
    log_evidence: float
    temperature: float
    acceptance: float
    proposals: int
    log_structure: float


class Annealed(NamedTuple):
    """Log evidence of what was annealed, and the proposals a particle made at the last level."""

    log_evidence: float
    proposals: int


def run_island(
    problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, tick: Tick = lambda _: None
) -> Found:
    """Run one island from a first table (3, T) and (3, T + 1) with the printed structure; the same key gives the same particles."""
    population, log_evidence, log_structure = run(problem, first, sizes, key, tick)
    temperature, acceptance = float(population.cold[JOINT]), 0.0
    if np.isfinite(log_evidence):
        population.cold[:N_ENERGIES] = AT_TARGET
        taken = population.walk(np.arange(len(problem.whole)), BOTH, sizes.target)
        acceptance = taken / max(1, sizes.target * population.size)
    fewer = int(np.argmin([len(np.unique(population.ancestor[:, arm])) for arm in range(2)]))
    return Found(
        population.reading[:, 0].copy(),
        *population.tables(),
        population.hazards,
        population.energy,
        population.ancestor[:, fewer].copy(),
        log_evidence,
        temperature,
        acceptance,
        population.proposals,
        log_structure,
    )


def run(
    problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, tick: Tick
) -> tuple[Population, float, float]:
    """A population of tables in agreement, their log evidence (where none arrived -inf, and what came closest) and that of their structure."""
    told = Told(tick)
    population, rules, log_evidence = (
        Population.empty(problem, first[1], sizes.particles, key, told.again),
        Rules.of(problem),
        0.0,
    )
    prior_mass, log_mass = arms_of_prior(population, first, rules, sizes, told)
    log_structure = log_mass + float(np.log(prior_mass / sizes.particles**2)) if np.isfinite(log_mass) else np.nan
    if problem.real[0, SCALARS, CURVE_SCALE] > 0.0 and np.isfinite(log_mass):
        held = arms_on_curve(population, first, rules, sizes, told)
        if held is not None:
            population = held.population
            log_evidence = held.log_mass - log_mass
    for arm in range(2):
        population.look(arm)
        part = Part(told, ARMS_WORK * (arm + 1) / 3, ARMS_WORK / 3)
        log_evidence += anneal(population, rules.first, arm, sizes, part).log_evidence
    total = int(first[0][2].sum())
    log_evidence += reach_total(population, rules.first, total, sizes.proposals, sizes.share, told)
    control, experimental = (Classes.of(population, arm, rules.number(population.reading[:, arm])) for arm in range(2))
    mass = pair_mass(population, control, experimental, total)
    if not mass.any():
        population.energy[:, JOINT] += 1.0  # arms that cannot be paired are no table in agreement
        return population, -np.inf, log_structure
    pairs = (population.size / sizes.particles) ** 2
    log_evidence += float(np.log(mass.sum() / pairs * len(rules.first) / prior_mass))
    population.tilt[:, [0, 1, 4]] = 0.0
    log_evidence += join(population, rules, (control, experimental), mass, sizes.particles, sizes.share, sizes.last_temperature)
    log_evidence += float(np.log(rules.readings.size / len(problem.whole)))
    everything = np.arange(len(problem.whole))
    log_evidence += couple(population, everything, sizes, Part(told, ARMS_WORK, PAIRS_WORK - ARMS_WORK))
    annealed = anneal(population, everything, BOTH, sizes, Part(told, PAIRS_WORK, LEVELS_WORK - PAIRS_WORK))
    visits = harvest(population, everything, max(1, annealed.proposals // BETWEEN), Part(told, LEVELS_WORK, 1.0 - LEVELS_WORK))
    if not visits.any():
        return population, -np.inf, log_structure
    population.take(resample(visits, population.random.random()), BOTH)
    log_evidence += annealed.log_evidence + float(np.log(visits.mean() / LOOKS))
    return population, log_evidence, log_structure


def prior_pairs(problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence) -> Population:
    """Tables of the prior with the printed structure: arms as a sampler starts from, paired, each of which then walks on by itself."""
    population, rules = Population.empty(problem, first[1], sizes.particles, key), Rules.of(problem)
    arms_of_prior(population, first, rules, sizes)
    nobodys = np.zeros(population.size, np.int64)
    control, experimental = (Classes.of(population, arm, nobodys) for arm in range(2))
    mass = pair_mass(population, control, experimental, int(first[0][2].sum()))
    population.tilt[:, :2] = 0.0
    if not mass.any():
        population.cold[COUPLED] = 1.0
        one_long_walk(population, first, (0, 1), rules.first, sizes.burn_in, lambda _: None)
        return population
    order = population.random.permutation(population.size)  # they are drawn kind by kind
    first_arms, second_arms = draw_pairs(population, control, experimental, mass, population.size)
    population.take_pairs(first_arms[order], second_arms[order])
    couple(population, rules.first, sizes, lambda _: None)
    population.walk(rules.first, BOTH, sizes.burn_in)
    return population


class Told:
    """Tells the share of the work that is done, and tells it again while nothing more is."""

    def __init__(self, tick: Tick) -> None:
        self.tick, self.share = tick, 0.0

    def __call__(self, share: float) -> None:
        self.share = share
        self.tick(share)

    def again(self) -> None:
        """What was told last."""
        self.tick(self.share)


class Part:
    """A part of the work, from `start`, reported as its share of all of it."""

    def __init__(self, tick: Tick, start: float, share: float) -> None:
        self.tick, self.start, self.share = tick, start, share

    def __call__(self, done: float) -> None:
        self.tick(self.start + self.share * min(done, 1.0))


def arms_of_prior(
    population: Population, first: tuple[np.ndarray, np.ndarray], rules: Rules, sizes: Sizes, tick: Tick = lambda _: None
) -> tuple[float, float]:
    """Fill both arms from the prior; returns how many pairs of them have the structure (at least 1), paid back for the tilt, and the log of how
    probable the arms are (-inf where one was not drawn forward).
    """
    log_mass = fill_arms(population, first, rules, sizes, tick)
    nobodys = np.zeros(population.size, np.int64)
    control, experimental = (Classes.of(population, arm, nobodys) for arm in range(2))
    return max(float(pair_mass(population, control, experimental, int(first[0][2].sum())).sum()), 1.0), log_mass


def fill_arms(population: Population, first: tuple[np.ndarray, np.ndarray], rules: Rules, sizes: Sizes, tick: Tick) -> float:
    """Both arms drawn forward; returns the log of how probable they are."""
    log_mass = 0.0
    for arm in range(2):
        tick(0.0)
        log_mass += start_arm(
            population, first, arm, rules.first, sizes.burn_in, sizes.proposals, sizes.share, sizes.last_temperature, tick
        )
    return log_mass


class Held(NamedTuple):
    """Arms on their curves, and the log of how probable those are."""

    population: Population
    log_mass: float


def arms_on_curve(
    population: Population, first: tuple[np.ndarray, np.ndarray], rules: Rules, sizes: Sizes, tick: Tick
) -> Held | None:
    """Arms that are drawn on their curves, and held there; None where none arrives. They go on with the population's random numbers."""
    held = population.like(on_curve(population.problem), first[1], HELD * population.size)
    log_mass = fill_arms(held, first, rules, sizes, tick)
    return Held(held, log_mass) if np.isfinite(log_mass) else None


def exponents(population: Population, step: float, scope: int) -> np.ndarray:
    """(N,) exponents of the particles' weights when the temperature of what belongs to `scope` falls by `step`. For pairs what belongs to
    both goes first; each arm follows from where it stands already.
    """
    energy, cold = population.energy, population.cold
    if scope != BOTH:
        return np.asarray(step * energy[:, scope])
    after = cold[JOINT] + step
    return np.asarray(step * (energy[:, TOTAL] + energy[:, JOINT]) + energy[:, :2] @ (np.maximum(cold[:2], after) - cold[:2]))


def anneal(population: Population, readings: np.ndarray, scope: int, sizes: Sizes, tick: Tick) -> Annealed:
    """Cool what belongs to `scope` until `HARVEST` of the particles agree, or to the last temperature."""
    cold, size = population.cold, population.size
    log_evidence, proposals, place = 0.0, sizes.proposals, JOINT if scope == BOTH else scope
    for level in range(MAX_LEVELS):
        tick(level / USUAL_LEVELS)
        energy = population.energy.sum(axis=1) if scope == BOTH else population.energy[:, scope]
        if (energy == 0.0).sum() >= HARVEST * size or cold[place] >= sizes.last_temperature:
            break
        step = largest_step(lambda step: effective(np.exp(least(exponents(population, step, scope)))) > sizes.share * size)
        step = min(step, sizes.last_temperature - cold[place])
        log_evidence += weigh(population, exponents(population, step, scope), scope)
        if scope == BOTH:
            cold[TOTAL] += step
            cold[JOINT] += step
            cold[:2] = np.maximum(cold[:2], cold[JOINT])
        else:
            cold[scope] += step
        taken = population.walk(readings, scope, proposals)
        population.adapt()
        wanted = sizes.proposals * ACCEPTED * proposals * size / max(taken, 1)
        proposals = int(min(max(wanted, sizes.proposals / 2), sizes.most))
    return Annealed(log_evidence, proposals)


def least(exponent: np.ndarray) -> np.ndarray:
    """Logarithms of weights, the largest 0."""
    return np.asarray(exponent.min() - exponent)


def couple(population: Population, readings: np.ndarray, sizes: Sizes, tick: Tick) -> float:
    """Bring pairs from each arm's own prior to that of both arms, whose baseline they share; returns the log of the mean weights, -inf where
    `MAX_LEVELS` steps were not enough.
    """
    log_evidence, cold = 0.0, population.cold
    for _ in range(MAX_LEVELS):
        if cold[COUPLED] == 1.0:
            return log_evidence
        tick(float(cold[COUPLED]))
        energy = population.coupling()
        left = 1.0 - cold[COUPLED]
        step = step_that_keeps(sizes.share, energy)
        log_evidence += weigh(population, min(step, left) * energy, BOTH)
        cold[COUPLED] = 1.0 if step >= left else cold[COUPLED] + step
        population.walk(readings, BOTH, max(1, sizes.proposals // FEWER_TO_COUPLE))
        population.adapt()
    return -np.inf


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
