"""Which printed numbers cannot hold together: what would have to be wrong for the others to be right."""

from __future__ import annotations

import numpy as np

from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Island, ReadingResult, ReconstructionSettings
from retrial.tables.findings.words import misses, reading_words
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import UnattainableError, build_problem
from retrial.tables.sample.sampler import PILOT, in_threads, one_island
from retrial.tables.sample.smc.island import Tick
from retrial.tables.sample.structure import contradictions

BLAME = 4
"""First entry of the seed's spawn key."""
_SHOWN = 3
"""Readings that an explanation names."""
_BLAMED = 2
"""Readings under which single numbers are left out in turn."""


def refusal(
    targets: Targets,
    settings: ReconstructionSettings,
    seed: int,
    pilots: dict[Reading, Island],
    results: tuple[ReadingResult, ...],
) -> ReconstructionError:
    """The error for numbers that no table was found to carry: closest tables, and single numbers whose absence is enough."""
    near = sorted((result for result in results if result.status == "not attained"), key=lambda result: result.miss)[:_SHOWN]
    lines = [f"no life table was found that carries all printed numbers of {targets.endpoint}"]
    lines += [
        f"  - {reading_words(result.reading)}: the closest table misses {misses(result.violated, result.miss)}" for result in near
    ]
    lines += [f"  - {reading_words(result.reading)}: {result.reason}" for result in results if result.status == "impossible"][
        :_SHOWN
    ]
    readings = closest_readings(pilots)[:_BLAMED] or [result.reading for result in results[:1]]
    enough = sufficient(targets, settings, seed, readings)
    if enough:
        lines.append(f"  - a table exists without any one of: {', '.join(enough)} (correct or remove one of these)")
    else:
        lines.append("  - leaving out any single printed number is not enough: at least two cannot hold with the others")
    lines.append("  - reconstruction.relaxed=true delivers the closest tables, under a name that says so")
    return ReconstructionError("\n".join(lines))


def closest_readings(pilots: dict[Reading, Island]) -> list[Reading]:
    """Readings whose pilots came closest to agreement, the closest first."""
    return sorted(pilots, key=lambda reading: pilots[reading].nearest)[:_SHOWN]


def sufficient(targets: Targets, settings: ReconstructionSettings, seed: int, readings: list[Reading]) -> list[str]:
    """Names (of `Targets.names`) without which one pilot of a close reading arrives."""

    def arrives(job: tuple[int, str], tick: Tick) -> bool:
        number, name = job
        return any(
            _arrives(targets.without(name), settings, reading, seed, (number, i), tick) for i, reading in enumerate(readings)
        )

    jobs = list(enumerate(targets.names))
    return [name for (_, name), found in zip(jobs, in_threads(jobs, arrives, settings.threads), strict=True) if found]


def _arrives(
    targets: Targets, settings: ReconstructionSettings, reading: Reading, seed: int, key: tuple[int, int], tick: Tick
) -> bool:
    if contradictions(targets):
        return False
    known = Reading(
        reading.ratio if targets.find("hazard_ratio") else None,
        reading.test if targets.find("chi_square") or targets.find("p") else None,
        reading.median,
    )
    try:
        problem = build_problem(targets, known, settings.prior)
    except UnattainableError:
        return False
    place = np.random.SeedSequence(seed, spawn_key=(BLAME, *key))
    return one_island((known,), problem, targets, settings, PILOT, place, tick).arrived
