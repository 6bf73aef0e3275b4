"""`reconstruct`: sample the life tables that carry an endpoint's printed numbers, under every reading of the estimators.

Target: p(y, reading | printed) ∝ p(reading) p(y) 1[y has the printed structure] 1[every other printed number of y, computed by the reading's
estimators, lies in its agreement interval]; p(reading) uniform, p(y) the beta-binomial prior. Structure (kept by every move):
patients, printed events, numbers at risk, shortest and longest time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import stats

from retrial.errors import ReconstructionError
from retrial.reconstruct.build import Unattainable, build_problem
from retrial.reconstruct.compiled import random_state
from retrial.reconstruct.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.reconstruct.island import run_island
from retrial.reconstruct.pool import Island, pool_islands
from retrial.reconstruct.problem import BETA, CHI_SQUARE, SCALARS, Problem
from retrial.reconstruct.readings import RatioReading, Reading, TestReading, all_readings, code
from retrial.reconstruct.structure import contradictions, first_table
from retrial.reconstruct.targets import Targets

Progress = Callable[[float, str], None]
IDENTICAL = {
    (RatioReading.MANTEL_HAENSZEL, TestReading.LOG_RANK),
    (RatioReading.COX_BRESLOW, TestReading.WALD_BRESLOW),
    (RatioReading.COX_EFRON, TestReading.WALD_EFRON),
}
"""Pairs whose χ² is (β/SE)² of the hazard ratio itself, so that printed numbers alone can rule them out."""
PILOT, FULL = 0, 1
"""First entries of a seed's spawn key."""
BURN_IN_PER_PATIENT = 20
"""Proposals per patient from one table of the prior to the next: at a third taken, every patient moves several times."""


def reconstruct(targets: Targets, settings: ReconstructionSettings, seed: int, progress: Progress | None = None) -> Ensemble:
    """Sample tables in agreement with `targets`. Raises `ReconstructionError` where the printed numbers cannot hold together.

    The same seed gives the same ensemble on any number of threads.
    """
    found = contradictions(targets)
    if found:
        raise ReconstructionError(
            "\n".join([f"the printed numbers of {targets.endpoint} contradict each other", *(f"  - {item}" for item in found)])
        )
    problems, impossible = screen(targets, settings)
    start = first_table(targets)
    report = progress or (lambda done, message: None)
    pilots = run_islands(targets, problems, settings, seed, PILOT, start, lambda done, text: report(0.4 * done, text))
    closest = {island.reading: float(island.energy.sum(axis=1).min()) for island in pilots}
    promising = {reading: problem for reading, problem in problems.items() if closest[reading] <= settings.pilot_energy}
    islands = run_islands(targets, promising, settings, seed, FULL, start, lambda done, text: report(0.4 + 0.6 * done, text))
    return pool_islands(targets, settings, seed, impossible, pilots, islands)


def screen(targets: Targets, settings: ReconstructionSettings) -> tuple[dict[Reading, Problem], list[ReadingResult]]:
    """Problems of the readings that arithmetic on the printed numbers leaves open, and results of those that it rules out."""
    ratios = settings.ratios if targets.find("hazard_ratio") else ()
    tests = settings.tests if targets.find("chi_square") or targets.find("p") else ()
    medians = settings.medians if any(targets.all(name) for name in ("median_lower", "median_upper")) else ()
    problems, impossible = {}, []
    for reading in all_readings(ratios, tests, medians):
        try:
            problem = build_problem(targets, reading, settings.prior, strict=settings.agreement == "strict")
            refuse_identity(targets, reading, problem)
            problems[reading] = problem
        except Unattainable as error:
            impossible.append(ReadingResult(reading, "impossible", reason=str(error)))
    return problems, impossible


def refuse_identity(targets: Targets, reading: Reading, problem: Problem) -> None:
    """Raise `Unattainable` where χ² must be (β/SE)² and the printed numbers say that it is not."""
    if (reading.ratio, reading.test) not in IDENTICAL:
        return
    beta, lower, upper = problem.real[BETA], problem.real[BETA + 1], problem.real[BETA + 2]
    if np.isnan([lower[0], upper[0]]).any():
        return
    z = problem.real[SCALARS, 0]
    least = 0.0 if beta[0] <= 0 <= beta[1] else min(abs(beta[0]), abs(beta[1]))
    low = (2 * z * least / (upper[1] - lower[0])) ** 2
    high = (2 * z * max(abs(beta[0]), abs(beta[1])) / max(upper[0] - lower[1], 1e-12)) ** 2
    if problem.real[CHI_SQUARE, 0] > high or problem.real[CHI_SQUARE, 1] < low:
        printed = targets.find("chi_square") or targets.find("p")
        raise Unattainable(
            f"under this reading χ² is the squared z of the hazard ratio, {low:.3f} to {high:.3f} (p {stats.chi2.sf(high, 1):.4f} to"
            f" {stats.chi2.sf(low, 1):.4f}), not {printed.statistic if printed else ''} = {printed.printed if printed else ''}"
        )


def run_islands(
    targets: Targets,
    problems: dict[Reading, Problem],
    settings: ReconstructionSettings,
    seed: int,
    stage: int,
    start: tuple[np.ndarray, np.ndarray],
    progress: Progress,
) -> list[Island]:
    """Islands of every reading, in order, on `settings.threads` threads; each has its own seed."""
    jobs = [
        (reading, number, problem)
        for reading, problem in problems.items()
        for number in range(1 if stage == PILOT else settings.islands)
    ]

    def run(job: tuple[Reading, int, Problem]) -> Island:
        reading, number, problem = job
        key = (stage, 1 + code(reading.ratio), 1 + code(reading.test), 1 + code(reading.median), number)
        return one_island(reading, problem, start, settings, stage, random_state(np.random.SeedSequence(seed, spawn_key=key)))

    with ThreadPoolExecutor(max_workers=settings.threads) as workers:
        return list(_reported(workers.map(run, jobs), len(jobs), targets.endpoint, progress))


def _reported(islands: Iterable[Island], total: int, endpoint: str, progress: Progress) -> Iterable[Island]:
    for done, island in enumerate(islands, start=1):
        progress(done / total, f"{endpoint}: {island.reading.name}")
        yield island


def one_island(
    reading: Reading,
    problem: Problem,
    start: tuple[np.ndarray, np.ndarray],
    settings: ReconstructionSettings,
    stage: int,
    state: np.ndarray,
) -> Island:
    pilot = stage == PILOT
    particles = settings.pilot_particles if pilot else settings.particles
    proposals = settings.pilot_proposals if pilot else settings.proposals
    burn_in = BURN_IN_PER_PATIENT * int(start[1][2, 0])
    d, r, energy, ancestor, summary, counts = run_island(
        problem,
        *start,
        particles,
        burn_in,
        proposals,
        10 * proposals,
        0 if pilot else settings.target_proposals,
        settings.share,
        settings.last_temperature,
        state,
    )
    return Island(
        reading, d[:, :2], r[:, :2], energy, ancestor, float(summary[0]), float(summary[1]), float(summary[2]), int(counts[2])
    )
