"""Running compiled islands: sizes, seeds, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from retrial.tables.ensemble import PROPOSALS, Island, ReconstructionSettings
from retrial.tables.kernel.prior import EVENT
from retrial.tables.kernel.problem import CURVE_SCALE, SCALARS, Problem
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.smc.island import Found, Running, Sizes, Tick, run_island
from retrial.tables.sample.structure import first_table

Progress = Callable[[float, str], None]


class Sampler(NamedTuple):
    """Readings that one island samples together, their problem, and what tells its seed from others'."""

    readings: tuple[Reading, ...]
    problem: Problem
    key: tuple[int, ...]


PILOT, FULL = 0, 1
"""First entries of a seed's spawn key: a small sampler of one reading, one of full size."""
BURN_IN_PER_PATIENT, MANY_PATIENTS = 4, 400
"""Proposals per patient from one table of the prior to the next: at a third taken, every patient moves several times."""
COLDER_FOR_CURVES = 5.0
"""A curve whose energy falls straight to 0 needs this multiple of the settings' last inverse temperature."""
FULL_PER_PILOT = 3
"""A pilot only has to arrive: it makes this many times fewer proposals a level."""
NEAR, PILOT_NEAR = 20_000, 2_000
"""Arms drawn forward to choose those near agreement from: a draw costs as little as a few proposals."""
HELD, PILOT_HELD = 4, 1
"""Arms held on their curves per particle."""
LOOK_EVERY = 1.0
"""Seconds between looks at what the islands have done."""
SWEEPS, OF_PATIENTS, MORE_THAN_PATIENTS = 600, 150, 60
"""Sweeps of the ladders of an island in a round of few patients and `PROPOSALS`; of more patients as many as take the same time, 1 / √(60 + n)."""
MOST_PROPOSALS = 2
"""A level makes at most this multiple of the settings' proposals where few are taken."""


def run_islands(
    targets: Targets, samplers: list[Sampler], settings: ReconstructionSettings, seed: int, stage: int, progress: Progress
) -> list[Island]:
    """One island of every sampler, in order, of one round; each has its own seed."""

    def run(sampler: Sampler, tick: Tick) -> Island:
        key = np.random.SeedSequence(seed, spawn_key=(stage, *sampler.key))
        return one_island(sampler.readings, sampler.problem, targets, settings, stage, key, tick)

    return in_threads(samplers, run, settings.threads, lambda done: progress(done, targets.endpoint))


@dataclass(slots=True)
class Started:
    """An island that has cooled and can go on, and what it has found so far."""

    sampler: Sampler
    running: Running
    island: Island

    @classmethod
    def of(cls, sampler: Sampler, running: Running) -> Started:
        """Of an island that has just cooled."""
        return cls(sampler, running, island_of(sampler.readings, running.found(), FULL))

    def go(self, tick: Tick) -> None:
        """One more round."""
        self.running.go(tick)
        self.island = island_of(self.sampler.readings, self.running.found(), FULL)


def started(
    targets: Targets, samplers: list[Sampler], settings: ReconstructionSettings, seed: int, progress: Progress
) -> list[Started]:
    """Islands of full size, in order, that have cooled; each has its own seed."""

    def start(sampler: Sampler, tick: Tick) -> Started:
        key = np.random.SeedSequence(seed, spawn_key=(FULL, *sampler.key))
        sizes = sizes_of(targets, sampler.problem, settings)
        return Started.of(sampler, Running(sampler.problem, first_table(targets), sizes, key, tick))

    return in_threads(samplers, start, settings.threads, lambda done: progress(done, targets.endpoint))


def go_on(targets: Targets, islands: list[Started], settings: ReconstructionSettings, progress: Progress) -> None:
    """One more round of some islands."""
    in_threads(islands, Started.go, settings.threads, lambda done: progress(done, targets.endpoint))


def in_threads[Job, Result](
    jobs: Sequence[Job], run: Callable[[Job, Tick], Result], threads: int, progress: Callable[[float], None] = lambda _: None
) -> list[Result]:
    """What `run` makes of every job, in order, on some threads. An exception here, such as that of Ctrl-C, ends them at their next tick, within
    about a second.
    """
    done, stop = [0.0] * len(jobs), threading.Event()

    def ticking(number: int) -> Result:
        def tick(share: float) -> None:
            done[number] = share
            if stop.is_set():
                raise CancelledError

        tick(0.0)
        result = run(jobs[number], tick)
        done[number] = 1.0
        return result

    with ThreadPoolExecutor(max_workers=threads) as workers:
        try:
            found = [workers.submit(ticking, number) for number in range(len(jobs))]
            while wait(found, timeout=LOOK_EVERY, return_when=FIRST_EXCEPTION).not_done and not any(map(failed, found)):
                progress(sum(done) / max(len(done), 1))
        finally:
            stop.set()
    progress(1.0)
    return [future.result() for future in found]


def failed(future: Future[Any]) -> bool:
    """Whether it has ended with an exception."""
    return future.done() and future.exception() is not None


def sweeps_for(n_patients: int, settings: ReconstructionSettings) -> int:
    """Sweeps of an island's ladders in a round, in proportion to the proposals of a level."""
    few = (OF_PATIENTS / max(OF_PATIENTS, MORE_THAN_PATIENTS + n_patients)) ** 0.5
    return max(1, round(SWEEPS * few * settings.level_proposals / PROPOSALS))


def sizes_of(targets: Targets, problem: Problem, settings: ReconstructionSettings, *, pilot: bool = False) -> Sizes:
    """Work of one island, of a pilot's or of full size."""
    n_patients = targets.n_control + targets.n_experimental
    proposals = settings.level_proposals // (FULL_PER_PILOT if pilot else 1)
    return Sizes(
        settings.pilot_particles if pilot else settings.particles_for(n_patients),
        BURN_IN_PER_PATIENT * min(n_patients, MANY_PATIENTS),
        proposals,
        MOST_PROPOSALS * proposals,
        settings.target_proposals * proposals,
        settings.pilot_share if pilot else settings.share,
        settings.last_temperature * (COLDER_FOR_CURVES if problem.real[0, SCALARS, CURVE_SCALE] > 0 else 1.0),
        0 if pilot else sweeps_for(n_patients, settings),
        PILOT_NEAR if pilot else NEAR,
        PILOT_HELD if pilot else HELD,
    )


def one_island(
    readings: tuple[Reading, ...],
    problem: Problem,
    targets: Targets,
    settings: ReconstructionSettings,
    stage: int,
    key: np.random.SeedSequence,
    tick: Tick = lambda _: None,
) -> Island:
    """Run one island over all of `readings` (those of `problem`, in order), of pilot's or of full size."""
    found = run_island(problem, first_table(targets), sizes_of(targets, problem, settings, pilot=stage != FULL), key, tick)
    return island_of(readings, found, stage)


def island_of(readings: tuple[Reading, ...], found: Found, stage: int) -> Island:
    """What an island over `readings` has found."""
    arrays = (found.reading, found.d[:, :2], found.r[:, :2], found.hazards[:, EVENT], found.energy, found.ancestor)
    numbers = (found.log_evidence, found.temperature, found.acceptance, found.proposals, len(found.d), found.log_structure)
    return Island(readings, *arrays, *numbers, pilot=stage == PILOT)
