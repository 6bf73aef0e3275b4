"""`reconstruct`: sample the life tables that carry an endpoint's printed numbers, under every reading of the estimators.

Target: p(y, reading | printed) ∝ p(reading) p(y) 1[y has the printed structure] 1[every other printed number of y, computed by
the reading's estimators, lies in its agreement interval]; p(reading) uniform, p(y) the beta-binomial prior. Structure (kept by
every move): patients, printed events, numbers at risk, shortest and longest time.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from retrial.errors import ReconstructionError
from retrial.reconstruct.blame import refusal
from retrial.reconstruct.build import UnattainableError, build_problem
from retrial.reconstruct.ensemble import Ensemble, Island, ReadingResult, ReconstructionSettings
from retrial.reconstruct.pool import all_results, pool_islands
from retrial.reconstruct.problem import BETA, CHI_SQUARE, SCALARS, Problem
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading, all_readings
from retrial.reconstruct.sampler import FULL, PILOT, Progress, run_islands
from retrial.reconstruct.structure import contradictions, first_table
from retrial.reconstruct.targets import Targets

IDENTICAL = {
    (RatioReading.MANTEL_HAENSZEL, TestReading.LOG_RANK),
    (RatioReading.COX_BRESLOW, TestReading.WALD_BRESLOW),
    (RatioReading.COX_EFRON, TestReading.WALD_EFRON),
}
"""Pairs whose χ² is (β/SE)² of the hazard ratio itself, so that printed numbers alone can rule them out."""
PILOT_WORK = 0.3
"""Share of the work that the pilots are, for the progress bar."""


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

    def report(done: float, message: str) -> None:
        if progress is not None:
            progress(done, message)

    once = dict.fromkeys(problems, 1)
    pilots = run_islands(targets, problems, once, settings, seed, PILOT, start, lambda x, s: report(PILOT_WORK * x, s))
    counts = islands_of(pilots, settings)
    islands = run_islands(
        targets, problems, counts, settings, seed, FULL, start, lambda x, s: report(PILOT_WORK + (1 - PILOT_WORK) * x, s)
    )
    results = all_results(targets, pilots, islands, impossible)
    if not any(result.status == "attained" for result in results) and not settings.relaxed:
        raise refusal(targets, settings, seed, pilots, results)
    return pool_islands(targets, settings, seed, results, pilots, islands)


def islands_of(pilots: list[Island], settings: ReconstructionSettings) -> dict[Reading, int]:
    """Islands per reading: shared out by the pilots' evidence (its square root, because a pilot's evidence is rough), at least
    two each; one for a reading whose pilot came close; none for the others.
    """
    best = max((pilot.log_evidence for pilot in pilots), default=-np.inf)
    near = {p.reading: 1 for p in pilots if not p.arrived and p.energy.sum(axis=1).min() <= settings.pilot_energy}
    arrived = [pilot for pilot in pilots if pilot.arrived and pilot.log_evidence >= best - settings.evidence_window]
    roots = {pilot.reading: float(np.exp((pilot.log_evidence - best) / 2)) for pilot in arrived}
    least, total = min(2, settings.islands), sum(roots.values())
    return near | {reading: max(least, round(settings.islands * root / total)) for reading, root in roots.items()}


def screen(targets: Targets, settings: ReconstructionSettings) -> tuple[dict[Reading, Problem], list[ReadingResult]]:
    """Problems of the readings that arithmetic on the printed numbers leaves open, and results of those that it rules out."""
    problems: dict[Reading, Problem] = {}
    ratios = settings.ratios if targets.find("hazard_ratio") else ()
    tests = settings.tests if targets.find("chi_square") or targets.find("p") else ()
    medians, impossible = screen_medians(targets, settings)
    for reading in all_readings(ratios, tests, medians):
        try:
            problem = build_problem(targets, reading, settings.prior, strict=settings.agreement == "strict")
            refuse_identity(targets, reading, problem)
            problems[reading] = problem
        except UnattainableError as error:
            impossible.append(ReadingResult(reading, "impossible", reason=str(error)))
    return problems, impossible


def screen_medians(targets: Targets, settings: ReconstructionSettings) -> tuple[tuple[MedianReading, ...], list[ReadingResult]]:
    """Rules that can print the medians' limits at all; where none can, all are kept, so that every reading says why."""
    if not any(targets.all(name) for name in ("median_lower", "median_upper")):
        return (), []
    possible, impossible = [], []
    for rule in settings.medians:
        try:
            build_problem(targets, Reading(None, None, rule), settings.prior, strict=settings.agreement == "strict")
            possible.append(rule)
        except UnattainableError as error:
            impossible.append(ReadingResult(Reading(None, None, rule), "impossible", reason=str(error)))
    return (tuple(possible), impossible) if possible else (settings.medians, [])


def refuse_identity(targets: Targets, reading: Reading, problem: Problem) -> None:
    """Raise `UnattainableError` where χ² must be (β/SE)² and the printed numbers say that it is not."""
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
        raise UnattainableError(
            f"under this reading χ² is the squared z of the hazard ratio, {low:.3f} to {high:.3f} (p {stats.chi2.sf(high, 1):.4f} to"
            f" {stats.chi2.sf(low, 1):.4f}), not {printed.statistic if printed else ''} = {printed.printed if printed else ''}"
        )
