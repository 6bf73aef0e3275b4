"""`Population`: the particles of one sampler, tables as entries with their hazards, energies, readings and ancestors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.entries import from_table, in_slots, room
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.population import energies_all, to_tables, walk_all
from retrial.tables.kernel.prior import CENSORING, EVENT, LEAST_HAZARD, centre, coupling_energy
from retrial.tables.kernel.problem import FIRST_HELD, LAST_HELD, PIECES, UNCENSORED, Problem
from retrial.tables.kernel.walk import N_COLD, N_ENERGIES, N_REDRAWS, TAKEN, TRIED, WIDEST

ALL = slice(None)
AT_ONCE = 100_000
"""Proposals between two pauses, in which a sampler can be asked to stop: about a tenth of a second."""
WIDE_AT_FIRST = 4
"""At first up to this part of an arm is drawn anew at once."""
ENOUGH_TRIED, RARELY, OFTEN = 200, 0.1, 0.3
"""Proposals after which that is adapted, and shares of them taken below and above which it is halved and doubled."""
OF_PARTICLES = ("t", "d", "c", "m", "hazards", "energy", "reading", "ancestor")
"""Arrays with a row for every particle."""
TILTS = 6
"""Columns of a tilt, see `kernel.prior.tilt_of`."""


@dataclass(slots=True)
class Population:
    """N particles.

    problem      what is printed; n (2,) patients an arm
    t, d, c, m   (N, 2, M) entries of each arm (`kernel.entries`) and (N, 2) their numbers
    hazards      (N, 2, 2, pieces) log hazards per grid time: kind, arm, piece
    energy       (N, 4); reading (N, 2): of each arm while it is alone, in its first column for pairs
    ancestor     (N, 2) the particle that each arm descends from
    cold         (5,) inverse temperatures and the arms' coupling; tilt (2, 6)
    redraws      (4,) how many patients are drawn anew at once, and how often they were taken
    state        of the random numbers of compiled walks, random of everything else
    slots        whether an arm keeps an entry for every grid time
    pause        called now and then; raises to stop
    proposals    made so far
    """

    problem: Problem
    n: np.ndarray
    t: np.ndarray
    d: np.ndarray
    c: np.ndarray
    m: np.ndarray
    hazards: np.ndarray
    energy: np.ndarray
    reading: np.ndarray
    ancestor: np.ndarray
    cold: np.ndarray
    tilt: np.ndarray
    redraws: np.ndarray
    state: np.ndarray
    random: np.random.Generator
    slots: bool
    pause: Callable[[], None]
    proposals: int = 0

    @classmethod
    def empty(
        cls,
        problem: Problem,
        first_r: np.ndarray,
        size: int,
        key: np.random.SeedSequence,
        pause: Callable[[], None] = lambda: None,
    ) -> Population:
        """Particles without entries, untilted, at infinite temperature."""
        shape, n_times = (size, 2, room(first_r)), first_r.shape[1] - 1
        tilt = np.zeros((2, TILTS))
        tilt[:, 2] = problem.whole[0, FIRST_HELD + 2]
        tilt[:, 3] = problem.whole[0, LAST_HELD + 2] if problem.whole[0, LAST_HELD + 2] >= 0 else n_times
        hazards = np.full((size, 2, 2, problem.whole[0, PIECES]), centre(n_times))
        hazards[:, CENSORING, :, : problem.whole[0, UNCENSORED]] = LEAST_HAZARD
        return cls(
            problem,
            np.ascontiguousarray(first_r[:2, 0]),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros((size, 2), np.int64),
            hazards,
            np.zeros((size, N_ENERGIES)),
            np.zeros((size, 2), np.int64),
            np.repeat(np.arange(size)[:, None], 2, axis=1),
            np.zeros(N_COLD),
            tilt,
            np.array([max(1, int(first_r[:2, 0].max()) // WIDE_AT_FIRST)] + [0] * (N_REDRAWS - 1)),
            random_state(key),
            np.random.default_rng(key),
            in_slots(first_r),
            pause,
        )

    def like(self, problem: Problem, first_r: np.ndarray, size: int) -> Population:
        """An empty one of another size for another problem, which goes on with this one's random numbers."""
        other = Population.empty(problem, first_r, size, np.random.SeedSequence(0), self.pause)
        other.state, other.random = self.state, self.random
        return other

    def part(self, rows: np.ndarray) -> Population:
        """Copies of some particles, with a state of their own but the same random numbers."""
        copies: dict[str, Any] = {name: getattr(self, name)[rows].copy() for name in OF_PARTICLES}
        return replace(self, **copies, cold=self.cold.copy(), redraws=self.redraws.copy(), proposals=0)

    @staticmethod
    def joined(parts: list[Population]) -> Population:
        """The particles of several populations of one problem, the temperatures those of the last."""
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in OF_PARTICLES}
        return replace(parts[-1], **arrays)

    def put_copy(self, place: int, other: Population, row: int) -> None:
        """Make one particle a copy of another population's."""
        for name in OF_PARTICLES:
            getattr(self, name)[place] = getattr(other, name)[row]

    def put(self, table: tuple[np.ndarray, np.ndarray], arms: tuple[int, ...] = (0, 1)) -> None:
        """Make the first particle's arms those of a table, (3, T) events and (3, T + 1) at risk, at the prior's mean."""
        for arm in arms:
            self.m[0, arm] = from_table(*table, arm, self.slots, self.t[0], self.d[0], self.c[0])
            self.hazards[0, :, arm] = centre(self.problem.times.size)

    @property
    def size(self) -> int:
        return len(self.t)

    def walk(self, readings: np.ndarray, scope: int, n_proposals: int, problem: Problem | None = None, only: slice = ALL) -> int:
        """Every particle (of `only`) makes so many proposals; returns how many were taken in all."""
        taken, at_once = 0, max(1, AT_ONCE // max(n_proposals, 1))
        first, stop, _ = only.indices(self.size)
        for start in range(first, stop, at_once):
            self.pause()
            part = slice(start, min(start + at_once, stop))
            taken += walk_all(
                problem or self.problem,
                readings,
                self.reading[part],
                self.n,
                self.t[part],
                self.d[part],
                self.c[part],
                self.m[part],
                self.slots,
                self.hazards[part],
                self.energy[part],
                self.cold,
                self.tilt,
                scope,
                n_proposals,
                self.redraws,
                self.state,
            )
        self.proposals += n_proposals * (stop - first)
        return taken

    def look(self, scope: int) -> None:
        """Compute the energies of what belongs to the scope."""
        energies_all(self.problem, self.reading, self.n, self.t, self.d, self.c, self.m, self.slots, scope, self.energy)

    def adapt(self) -> None:
        """Draw more or fewer patients anew at once, by how often that was taken since the last time."""
        tried, taken = self.redraws[TRIED], self.redraws[TAKEN]
        if tried >= ENOUGH_TRIED:
            if taken < RARELY * tried:
                self.redraws[WIDEST] = max(1, self.redraws[WIDEST] // 2)
            elif taken > OFTEN * tried:
                self.redraws[WIDEST] = min(2 * self.redraws[WIDEST], self.n.max())
            self.redraws[[TRIED, TAKEN]] = 0

    def coupling_of(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(P,) energies of the coupling of particles' control and experimental arms."""
        own = self.hazards[:, EVENT] - centre(self.problem.times.size)
        return coupling_energy(self.problem.gaussians, np.stack([own[first, 0], own[second, 1]], axis=1))

    def coupling(self) -> np.ndarray:
        """(N,) the same of every particle's two arms."""
        everyone = np.arange(self.size)
        return self.coupling_of(everyone, everyone)

    def held(self, arm: int) -> np.ndarray:
        """(N, M) which places of an arm's entries are in use."""
        return np.asarray(np.arange(self.t.shape[2]) < self.m[:, arm, None])

    def events(self, arm: int) -> np.ndarray:
        """(N,) events of one arm."""
        return np.asarray((self.d[:, arm] * self.held(arm)).sum(axis=1))

    def ends(self, arm: int) -> tuple[np.ndarray, np.ndarray]:
        """(N,) first and last grid time at which somebody of one arm leaves."""
        leaving = (self.d[:, arm] + self.c[:, arm] > 0) & self.held(arm)
        first, last = leaving.argmax(axis=1), leaving.shape[1] - 1 - leaving[:, ::-1].argmax(axis=1)
        rows = np.arange(self.size)
        return self.t[rows, arm, first], self.t[rows, arm, last]

    def take(self, parents: np.ndarray, scope: int) -> None:
        """Every particle (its arm in scope) becomes a copy of its parent."""
        if scope == BOTH:
            self.take_pairs(parents, parents)
            self.energy[:, BOTH:], self.reading[:, 0] = self.energy[parents, BOTH:], self.reading[parents, 0]
            return
        moved = np.flatnonzero(parents != np.arange(self.size))
        from_ = parents[moved]
        for array in (self.t, self.d, self.c, self.m, self.energy, self.reading, self.ancestor):
            array[moved, scope] = array[from_, scope]
        self.hazards[moved, :, scope] = self.hazards[from_, :, scope]

    def take_pairs(self, first: np.ndarray, second: np.ndarray) -> None:
        """As many particles as pairs, each with the control arm of the one and the experimental arm of the other."""
        n = first.size
        for name in ("t", "d", "c", "m", "energy", "ancestor"):
            array = getattr(self, name)
            new = array[:n].copy()
            new[:, 0], new[:, 1] = array[first, 0], array[second, 1]
            setattr(self, name, new)
        hazards = self.hazards[:n].copy()
        hazards[:, :, 0], hazards[:, :, 1] = self.hazards[first, :, 0], self.hazards[second, :, 1]
        self.hazards, self.reading = hazards, self.reading[:n].copy()

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3, T) events and (N, 3, T + 1) at risk."""
        n_times = self.problem.times.size
        d, r = np.zeros((self.size, 3, n_times), np.int64), np.zeros((self.size, 3, n_times + 1), np.int64)
        to_tables(self.t, self.d, self.c, self.m, d, r)
        return d, r
