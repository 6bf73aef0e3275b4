"""Arms that were sampled apart, put side by side: which may be paired, and pairs in proportion to how well they agree with what is printed
about both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import NOT_A_READING, pair_energies
from retrial.tables.kernel.problem import EVENT_MODE, EVENTS_TOTAL, FIRST_HELD, LAST_HELD, RULE, Problem
from retrial.tables.kernel.walk import COUPLED, JOINT, TOTAL
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import drawn_places, largest_step

PAIRS, MANY_PAIRS, LEAST_PAIRS = 100, 60_000, 4
"""Pairs looked at per particle, but no more than `MANY_PAIRS` unless that is fewer than `LEAST_PAIRS` per particle."""
LEAST_STEP, HALVINGS = 1e-6, 16
"""Bracket of the pairs' first inverse temperature, and halvings of its logarithm."""


class Rules(NamedTuple):
    """Readings by the rule of their medians' intervals, on which alone an arm's own energy depends.

    first     (rules,) a reading with each
    readings  (rules, R) all with it, filled up with `NOT_A_READING`
    """

    first: np.ndarray
    readings: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> Rules:
        """Of a problem's readings."""
        groups = [np.flatnonzero(problem.whole[:, RULE] == rule) for rule in np.unique(problem.whole[:, RULE])]
        readings = np.full((len(groups), max(map(len, groups))), NOT_A_READING)
        for row, group in enumerate(groups):
            readings[row, : len(group)] = group
        return cls(readings[:, 0].copy(), readings)

    def number(self, reading: np.ndarray) -> np.ndarray:
        """Which rule each reading of `first` is of."""
        return np.searchsorted(self.first, reading, sorter=np.argsort(self.first))


class Classes(NamedTuple):
    """Particles of one arm by what decides which arms it can be paired with.

    kinds   (K, 4) median rule, events (0 where their total is not printed), whether it holds the first and the last time of all patients
    member  (N,) the kind of each particle; counts (K,)
    """

    kinds: np.ndarray
    member: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, population: Population, arm: int, rule: np.ndarray) -> Classes:
        """Of one arm of a population whose particles follow a median rule."""
        by_total = population.problem.whole[0, EVENT_MODE] == EVENTS_TOTAL
        events = population.events(arm) if by_total else np.zeros(population.size, np.int64)
        earliest, latest = population.ends(arm)
        tilt = population.tilt[arm]
        rows = np.column_stack([rule, events, earliest <= tilt[2], latest >= tilt[3]]).astype(np.int64)
        kinds, member, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        return cls(kinds, member.ravel(), counts)


def pair_mass(population: Population, control: Classes, experimental: Classes, total: int) -> np.ndarray:
    """(K0, K1) pairs of particles with the structure by their kinds, each paid back for the tilt; 0 where it does not hold."""
    whole, tilt = population.problem.whole[0], population.tilt
    rule, events, first, last = (
        (control.kinds[:, None, column], experimental.kinds[None, :, column]) for column in range(control.kinds.shape[1])
    )
    mass = control.counts[:, None] * experimental.counts[None] * (rule[0] == rule[1])
    for column, (held, ends) in enumerate(((FIRST_HELD, first), (LAST_HELD, last))):
        if whole[held + BOTH] >= 0:
            mass = mass * ((ends[0] | ends[1]) == 1)
        mass = mass * np.exp(-tilt[0, column] * ends[0] - tilt[1, column] * ends[1])
    if whole[EVENT_MODE] == EVENTS_TOTAL:
        mass = mass * (events[0] + events[1] == total)
    return np.asarray(mass, float)


def draw_pairs(
    population: Population, control: Classes, experimental: Classes, mass: np.ndarray, n_pairs: int
) -> list[np.ndarray]:
    """Two (P,) arrays, the particles of each arm: kinds in proportion to their mass, then any arm of each kind."""
    places = drawn_places(mass.ravel(), n_pairs, population.random.random())
    found = []
    for classes, kinds in zip((control, experimental), np.divmod(places, mass.shape[1]), strict=True):
        order = np.argsort(classes.member, kind="stable")
        starts = np.concatenate([[0], np.cumsum(classes.counts)[:-1]])
        found.append(order[starts[kinds] + (population.random.random(n_pairs) * classes.counts[kinds]).astype(int)])
    return found


def join(
    population: Population,
    rules: Rules,
    classes: tuple[Classes, Classes],
    mass: np.ndarray,
    size: int,
    share: float,
    last_temperature: float,
) -> float:
    """Pair the arms, in place, to `size` particles; returns the log of the mean weight exp(-κ C - b E), C of the arms' coupling and E of what
    belongs to both: κ as high, at most 1, and then b as high as keeps a `share` of what is effective, of the pairs and of each arm's
    particles among them, κ only until half of the rest is lost.
    """
    p, rule = population, rules.number(population.reading[:, 0])
    first, second = draw_pairs(p, *classes, mass, max(min(PAIRS * p.size, MANY_PAIRS), LEAST_PAIRS * p.size))
    found = np.empty((first.size, rules.readings.shape[1]))
    pair_energies(p.problem, rules.readings, rule, p.n, p.t, p.d, p.c, p.m, p.slots, first, second, found)
    apart = p.coupling_of(first, second)

    def worth(weights: np.ndarray) -> float:
        by_arm = [np.bincount(arm, weights) for arm in (first, second)]
        return float(weights.sum() ** 2 / max(np.square(item).sum() for item in (weights, *by_arm)))

    whole = min(worth(np.ones(first.size)), size)
    coupled, above = np.exp(apart.min() - apart), found - found.min()
    coupling = largest_step(lambda power: worth(coupled**power) > (1.0 + share) / 2 * whole, LEAST_STEP, 1.0, HALVINGS)
    log_mean = -coupling * apart.min()
    coupled = coupled**coupling
    step = largest_step(
        lambda step: worth(np.exp(-step * above).sum(axis=1) * coupled) > share * whole, LEAST_STEP, last_temperature, HALVINGS
    )
    step = min(step, last_temperature)
    weights = np.exp(-step * above) * coupled[:, None]
    log_mean = float(np.log(weights.mean()) - step * found.min() + log_mean)
    by_pair = weights.sum(axis=1)
    places = drawn_places(by_pair, size, p.random.random())
    edges = np.cumsum(weights[places], axis=1)
    left = p.random.random(size) * edges[:, -1]
    p.take_pairs(first[places], second[places])
    p.reading[:, 0] = rules.readings[rule[first[places]], (edges <= left[:, None]).sum(axis=1)]
    p.look(BOTH)
    p.cold[TOTAL], p.cold[JOINT], p.cold[COUPLED] = step, step, coupling
    return log_mean
