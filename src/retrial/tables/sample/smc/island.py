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

from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.problem import CURVE_SCALE, SCALARS, Problem
from retrial.tables.kernel.walk import AT_TARGET, COUPLED, JOINT, N_ENERGIES
from retrial.tables.sample.smc.arms import on_curve, one_long_walk, reach_total, start_arm
from retrial.tables.sample.smc.cooling import BETWEEN, LOOKS, Sizes, Tick, anneal, couple, harvest, warm
from retrial.tables.sample.smc.exchange import Ladders, Rung, rung_of
from retrial.tables.sample.smc.pairs import Classes, Rules, draw_pairs, join, pair_mass
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import resample

COOLING = 0.4
"""Share of the work that is done when the population has cooled, about, where ladders follow."""
ARMS_WORK, PAIRS_WORK, LEVELS_WORK = 0.35, 0.4, 0.75
"""Shares of the work done when the arms are there, when they are coupled, and when the pairs have cooled, about: for the progress bar."""
NEAR = 2
"""Arms chosen near agreement per particle."""


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


def run_island(
    problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, tick: Tick = lambda _: None
) -> Found:
    """Run one island from a first table (3, T) and (3, T + 1) with the printed structure, one round of ladders where it has any; the same key
    gives the same particles.
    """
    running = Running(problem, first, sizes, key, Part(tick, 0.0, COOLING if sizes.sweeps else 1.0))
    if running.ladders is not None:
        running.go(Part(tick, COOLING, 1.0 - COOLING))
    return running.found()


class Running:
    """An island that has cooled and can go on for as many rounds as are asked for."""

    def __init__(
        self, problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, tick: Tick
    ) -> None:
        self.sizes, self.everything = sizes, np.arange(len(problem.whole))
        self.ladders: Ladders | None = None
        if sizes.sweeps:
            cooled = cool(problem, first, sizes, key, Told(tick))
            self.population, self.log_evidence, self.log_structure = cooled.population, cooled.log_warmest, cooled.log_structure
            if cooled.rungs:
                self.ladders = Ladders.of(cooled.warmer, cooled.rungs)
        else:
            self.population, self.log_evidence, self.log_structure = run(problem, first, sizes, key, tick)

    def go(self, tick: Tick) -> None:
        """One more round, where there are ladders."""
        if self.ladders is not None:
            told = Told(tick)
            self.ladders.population.pause = self.ladders.draws.pause = told.again
            self.ladders.go(self.everything, self.sizes.sweeps, told)

    def found(self) -> Found:
        """What it has found so far."""
        p, acceptance, log_evidence, ladders = self.population, 0.0, self.log_evidence, self.ladders
        temperature, proposals = float(p.cold[JOINT]), p.proposals
        if ladders is not None:
            temperature, proposals = float(ladders.cold[-1, JOINT]), proposals + ladders.population.proposals
            if ladders.arrived:
                p, acceptance = ladders.found(self.everything, self.sizes.target)
                log_evidence += ladders.log_ratio()
            else:
                p, log_evidence = ladders.population, -np.inf
        elif np.isfinite(log_evidence):
            p.cold[:N_ENERGIES] = AT_TARGET
            acceptance = p.walk(self.everything, BOTH, self.sizes.target) / max(1, self.sizes.target * p.size)
        fewer = int(np.argmin([len(np.unique(p.ancestor[:, arm])) for arm in range(2)]))
        return Found(
            p.reading[:, 0].copy(),
            *p.tables(),
            p.hazards,
            p.energy,
            p.ancestor[:, fewer].copy(),
            log_evidence,
            temperature,
            acceptance,
            proposals,
            self.log_structure,
        )


class Cooled(NamedTuple):
    """A population that has cooled as far as it still moves: log evidence of its temperatures, -inf where arms could not be paired; log of how
    probable the structure is; its levels from the pairs' first on, warmest first, the evidence of that, and the proposals of the last.
    """

    population: Population
    log_evidence: float
    log_structure: float
    rungs: list[Rung]
    warmer: list[Rung]
    log_warmest: float
    n_last: int


def run(
    problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, tick: Tick
) -> tuple[Population, float, float]:
    """A population of tables in agreement, their log evidence (where none arrived -inf, and what came closest) and that of their structure."""
    told = Told(tick)
    population, log_evidence, log_structure, *_, n_last = cool(problem, first, sizes, key, told)
    if not np.isfinite(log_evidence):
        return population, -np.inf, log_structure
    everything = np.arange(len(problem.whole))
    visits = harvest(population, everything, max(1, n_last // BETWEEN), Part(told, LEVELS_WORK, 1.0 - LEVELS_WORK))
    if not visits.any():
        return population, -np.inf, log_structure
    population.take(resample(visits, population.random.random()), BOTH)
    return population, log_evidence + float(np.log(visits.mean() / LOOKS)), log_structure


def cool(problem: Problem, first: tuple[np.ndarray, np.ndarray], sizes: Sizes, key: np.random.SeedSequence, told: Told) -> Cooled:
    """Arms of the prior brought to what is printed about each, paired, coupled and cooled together."""
    population, rules, log_evidence = (
        Population.empty(problem, first[1], sizes.particles, key, told.again),
        Rules.of(problem),
        0.0,
    )
    prior_mass, log_mass = arms_of_prior(population, first, rules, sizes, told)
    log_structure = log_mass + float(np.log(prior_mass / sizes.particles**2)) if np.isfinite(log_mass) else np.nan
    if np.isfinite(log_mass):
        nearer = nearer_arms(population, first, rules, sizes, told)
        if nearer is not None:
            population = nearer.population
            log_evidence = nearer.log_mass - log_mass
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
        return Cooled(population, -np.inf, log_structure, [], [], -np.inf, 0)
    pairs = (population.size / sizes.particles) ** 2
    log_evidence += float(np.log(mass.sum() / pairs * len(rules.first) / prior_mass))
    population.tilt[:, [0, 1, 4]] = 0.0
    log_evidence += join(population, rules, (control, experimental), mass, sizes.particles, sizes.share, sizes.last_temperature)
    log_evidence += float(np.log(rules.readings.size / len(problem.whole)))
    everything, rungs, warmer = np.arange(len(problem.whole)), [], []
    log_evidence += couple(population, everything, sizes, Part(told, ARMS_WORK, PAIRS_WORK - ARMS_WORK))
    if sizes.sweeps:
        population.walk(everything, BOTH, sizes.proposals)
        rungs.append(rung_of(population))
        warmer = warm(population.part(np.arange(population.size)), everything, sizes)
    annealed = anneal(population, everything, BOTH, sizes, Part(told, PAIRS_WORK, LEVELS_WORK - PAIRS_WORK), rungs)
    return Cooled(
        population, log_evidence + annealed.log_evidence, log_structure, rungs, warmer, log_evidence, annealed.proposals
    )


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


def fill_arms(
    population: Population, first: tuple[np.ndarray, np.ndarray], rules: Rules, sizes: Sizes, tick: Tick, near: int = 0
) -> float:
    """Both arms drawn forward; returns the log of how probable they are."""
    log_mass = 0.0
    for arm in range(2):
        tick(0.0)
        log_mass += start_arm(
            population, first, arm, rules.first, sizes.burn_in, sizes.proposals, sizes.share, sizes.last_temperature, tick, near
        )
    return log_mass


class Nearer(NamedTuple):
    """Arms on their curves, or near agreement, and the log of how probable those are."""

    population: Population
    log_mass: float


def nearer_arms(
    population: Population, first: tuple[np.ndarray, np.ndarray], rules: Rules, sizes: Sizes, tick: Tick
) -> Nearer | None:
    """Arms that are drawn on their curves, where these are printed, and held there, else chosen from many draws; None where none arrives. They go
    on with the population's random numbers.
    """
    curve = population.problem.real[0, SCALARS, CURVE_SCALE] > 0.0
    problem = on_curve(population.problem) if curve else population.problem
    found = population.like(problem, first[1], (sizes.held if curve else NEAR) * population.size)
    log_mass = fill_arms(found, first, rules, sizes, tick, near=sizes.near)
    return Nearer(found, log_mass) if np.isfinite(log_mass) else None
