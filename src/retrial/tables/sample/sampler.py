"""Running compiled islands: sizes, seeds, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from retrial.tables.ensemble import MANY_PATIENTS, Island, ReconstructionSettings
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.island import run_island
from retrial.tables.kernel.problem import CURVE_SCALE, SCALARS, Problem
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.structure import first_table

Progress = Callable[[float, str], None]


class Sampler(NamedTuple):
    """Readings that one island samples together, their problem, and what tells its seed from others'."""

    readings: tuple[Reading, ...]
    problem: Problem
    key: tuple[int, ...]


PILOT, FULL = 0, 1
"""First entries of a seed's spawn key."""
BURN_IN_PER_PATIENT = 20
"""Proposals per patient from one table of the prior to the next: at a third taken, every patient moves several times."""
COLDER_FOR_CURVES = 5.0
"""A curve whose energy falls straight to 0 needs this multiple of the settings' last inverse temperature."""
FULL_PER_PILOT = 2
"""A pilot only has to arrive: it makes this many times fewer proposals a level."""
MOST_PROPOSALS = 2
"""A level makes at most this multiple of the settings' proposals where few are taken."""


def run_islands(
    targets: Targets, samplers: list[Sampler], settings: ReconstructionSettings, seed: int, stage: int, progress: Progress
) -> list[Island]:
    """One island of every sampler, in order, on `settings.threads` threads; each has its own seed."""
    start = first_table(targets)

    def run(sampler: Sampler) -> Island:
        state = random_state(np.random.SeedSequence(seed, spawn_key=(stage, *sampler.key)))
        return one_island(sampler.readings, sampler.problem, start, settings, stage, state)

    with ThreadPoolExecutor(max_workers=settings.threads) as workers:
        return list(_reported(workers.map(run, samplers), len(samplers), targets.endpoint, progress))


def _reported(islands: Iterable[Island], total: int, endpoint: str, progress: Progress) -> Iterable[Island]:
    for done, island in enumerate(islands, start=1):
        progress(done / total, endpoint)
        yield island


def one_island(
    readings: tuple[Reading, ...],
    problem: Problem,
    start: tuple[np.ndarray, np.ndarray],
    settings: ReconstructionSettings,
    stage: int,
    state: np.ndarray,
) -> Island:
    """Run one island over all of `readings` (those of `problem`, in order), of pilot's or of full size."""
    pilot, n_patients = stage == PILOT, int(start[1][2, 0])
    proposals = settings.proposals_for(n_patients, problem.times.size) // (FULL_PER_PILOT if pilot else 1)
    which, d, r, _, energy, ancestor, summary, counts = run_island(
        problem,
        *start,
        settings.pilot_particles if pilot else settings.particles,
        BURN_IN_PER_PATIENT * min(n_patients, MANY_PATIENTS),
        proposals,
        MOST_PROPOSALS * proposals,
        settings.target_proposals * proposals,
        settings.pilot_share if pilot else settings.share,
        settings.last_temperature * (COLDER_FOR_CURVES if problem.real[0, SCALARS, CURVE_SCALE] > 0 else 1.0),
        state,
    )
    log_evidence, temperature, acceptance = (float(value) for value in summary)
    found = (which, d[:, :2], r[:, :2], energy, ancestor)
    return Island(readings, *found, log_evidence, temperature, acceptance, int(counts[2]), len(d))
