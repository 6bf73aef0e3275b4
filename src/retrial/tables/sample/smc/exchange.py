"""Ladders of inverse temperatures, up and down which particles go: what a sampler does once its population has cooled.

A population that is cooled makes one way down, on which few lineages survive, because at low temperatures the medians' places and the
events' split between arms hardly move. So particles are kept from every level of that way, the levels become the rungs of ladders, and
neighbours exchange their particles (`kernel.population`; Swendsen and Wang 1986, Phys. Rev. Lett. 57:2607; Geyer 1991): each particle goes up, is
mixed, and comes down again, many times. A particle in agreement on any rung is a draw of the target. Ratios of evidence between rungs are
those of Bennett (1976, J. Comput. Phys. 22:245).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import log_expit

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import exchange
from retrial.tables.kernel.walk import AT_TARGET, COUPLED, N_ENERGIES, STRETCH
from retrial.tables.sample.smc.population import Population

LADDERS = 4
"""Ladders of a sampler."""
EXCHANGED = 0.25
"""Levels are left out as long as particles of the next ones kept would change places with this probability."""
BETWEEN = 2 * STRETCH
"""Proposals of every particle in a sweep, after which neighbours exchange."""
LOOK = 4
"""Sweeps between looks at who agrees."""
BURN_IN = 0.25
"""Share of the first sweeps of a ladder that no draws are taken from."""
KEPT = 400
"""Draws kept of a sampler, at random among all visits in agreement."""
BENNETT_STEPS, CLOSE = 200, 1e-10
"""Most iterations of Bennett's equation, and the change at which it is solved."""


class Rung(NamedTuple):
    """A level of a population that is cooled: its temperatures (5,), the energies (N, 4) of all, and `LADDERS` of its particles."""

    cold: np.ndarray
    energy: np.ndarray
    particles: Population


def rung_of(population: Population) -> Rung:
    """The population's present level."""
    p = population
    chosen = p.random.choice(p.size, LADDERS, replace=p.size < LADDERS)
    return Rung(p.cold.copy(), p.energy.copy(), p.part(chosen))


def spaced(rungs: list[Rung]) -> list[Rung]:
    """The first and the last, and as few between as let neighbours exchange particles with probability `EXCHANGED` at least."""
    kept, at = [rungs[0]], 0
    while at < len(rungs) - 1:
        following = at + 1
        while following < len(rungs) - 1 and acceptance(rungs[at], rungs[following + 1]) >= EXCHANGED:
            following += 1
        kept.append(rungs[following])
        at = following
    return kept


def acceptance(first: Rung, second: Rung) -> float:
    """Mean probability with which particles of two levels, taken in turn, would change places."""
    step = (second.cold - first.cold)[:N_ENERGIES]
    change = (second.energy @ step)[:, None] - (first.energy @ step)[None]
    return float(np.exp(np.minimum(change, 0.0)).mean())


@dataclass(slots=True)
class Ladders:
    """Particles on ladders, and draws of the target that they left.

    population  R · L particles; cold (L, 5), warmest first; at (R, L) who is on which rung
    lineage     (R · L,) the descent that each particle is on, numbered anew on the first rung
    draws       up to `KEPT` of all `visits` in agreement; its ancestor is the descent
    looked      (looks, L, R, 4) energies since the burn-in
    """

    population: Population
    cold: np.ndarray
    at: np.ndarray
    draws: Population
    redraws: np.ndarray
    lineage: np.ndarray
    known: int
    descents: int = 0
    visits: int = 0
    held: int = 0
    looked: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, warmer: list[Rung], cooler: list[Rung]) -> Ladders:
        """From the levels of a population, warmest first; the evidence of the first of `cooler` is known."""
        above = spaced([cooler[0], *warmer[::-1]])[:0:-1]
        rungs = above + spaced(cooler)
        n_rungs = len(rungs)
        population = Population.joined([rung.particles for rung in rungs])
        at = np.ascontiguousarray(np.arange(n_rungs * LADDERS).reshape(n_rungs, LADDERS).T)
        redraws = np.tile(population.redraws, (n_rungs, 1))
        cold = np.array([rung.cold for rung in rungs])
        draws = population.part(np.zeros(KEPT, int))
        return cls(
            population,
            cold,
            at,
            draws,
            redraws,
            np.arange(at.size),
            len(above),
            at.size,
        )

    @property
    def arrived(self) -> bool:
        return self.held > 0

    def go(self, readings: np.ndarray, n_sweeps: int, tick: Callable[[float], None]) -> None:
        """So many sweeps; the first call's begin with a burn-in, in which proposals are adapted."""
        looks = max(1, n_sweeps // LOOK)
        burn_in = int(BURN_IN * looks) if not self.looked else 0
        for look in range(looks):
            tick(look / looks)
            self.sweep(readings)
            if look < burn_in:
                self.adapt()
            else:
                self.look()

    def sweep(self, readings: np.ndarray) -> None:
        """`LOOK` sweeps."""
        p = self.population
        arrays = (p.reading, p.n, p.t, p.d, p.c, p.m, p.slots, p.hazards, p.energy)
        exchange(p.problem, readings, *arrays, self.cold, p.tilt, self.at, BETWEEN, LOOK, self.redraws, p.state)
        p.proposals += LOOK * BETWEEN * p.size
        top = self.at[:, 0]
        self.lineage[top] = self.descents + np.arange(top.size)
        self.descents += top.size

    def adapt(self) -> None:
        """How many patients are drawn anew at once, on every rung."""
        p = self.population
        for row in self.redraws:
            p.redraws = row
            p.adapt()

    def look(self) -> None:
        """Note everybody's energies, and keep some of those in agreement: each visit so far is kept with the same probability."""
        p = self.population
        self.looked.append(p.energy[self.at.T].copy())
        for i in map(int, np.flatnonzero(p.energy.sum(axis=1) == 0.0)):
            self.visits += 1
            if self.held < KEPT:
                place, self.held = self.held, self.held + 1
            else:
                place = int(p.random.integers(self.visits))
                if place >= KEPT:
                    continue
            self.draws.put_copy(place, p, i)
            self.draws.ancestor[place] = self.lineage[i]

    def log_ratio(self) -> float:
        """Log of the evidence of agreement over that of the rung `known`, by the rung on which the most agree."""
        energy = np.array(self.looked)
        agrees = (energy.sum(axis=-1) == 0.0).mean(axis=(0, 2))
        best = int(agrees.argmax())
        total = float(np.log(agrees[best])) if agrees[best] > 0.0 else -np.inf
        for rung in range(min(self.known, best), max(self.known, best)):
            step = (self.cold[rung + 1] - self.cold[rung])[:N_ENERGIES]
            total += bennett(energy[:, rung] @ step, energy[:, rung + 1] @ step) * (1.0 if best > self.known else -1.0)
        return total

    def found(self, readings: np.ndarray, n_proposals: int) -> tuple[Population, float]:
        """The draws, each of which walks on at the target, and the share of those proposals that was taken."""
        draws = self.draws.part(np.arange(self.held))
        draws.proposals = 0
        draws.cold[:N_ENERGIES], draws.cold[COUPLED] = AT_TARGET, 1.0
        draws.redraws = self.redraws[-1].copy()
        taken = draws.walk(readings, BOTH, n_proposals)
        return draws, taken / max(1, n_proposals * draws.size)


def bennett(first: np.ndarray, second: np.ndarray) -> float:
    """Log of ∫ exp(-u - w) / ∫ exp(-u) from as many w of draws of exp(-u) (`first`) as of exp(-u - w) (`second`)."""
    w, v, log_ratio = first.ravel(), second.ravel(), float(-(first.mean() + second.mean()) / 2)
    for _ in range(BENNETT_STEPS):
        change = np.logaddexp.reduce(log_expit(-w - log_ratio)) - np.logaddexp.reduce(log_expit(v + log_ratio))
        log_ratio += float(change)
        if abs(change) < CLOSE:
            break
    return log_ratio
