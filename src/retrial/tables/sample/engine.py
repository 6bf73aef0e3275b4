"""`reconstruct`: sample the life tables that carry an endpoint's printed numbers, under every reading of the estimators.

Target: p(y, reading | printed) ∝ p(reading) p(y) 1[y has the printed structure] 1[every other printed number of y, computed by
the reading's estimators, lies in its agreement interval]; p(reading) uniform, p(y) the prior of `kernel.prior`. Tables and readings
are sampled together; readings in which no island ends have small samplers, which tell rare from ruled out. Structure (kept by every
move): patients, printed events, numbers at risk, shortest and longest time.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, Island, ReadingResult, ReconstructionSettings
from retrial.tables.kernel.problem import BETA, CHI_SQUARE, SCALARS, Problem, together
from retrial.tables.printed.readings import DesignReading, MedianReading, RatioReading, Reading, TestReading, all_readings, code
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.blame import refusal
from retrial.tables.sample.build import UnattainableError, build_problem
from retrial.tables.sample.pool import LEAST_ISLANDS, all_results, effective_tables, evidence_error, pool_islands, structures
from retrial.tables.sample.sampler import PILOT, Progress, Sampler, Started, go_on, run_islands, started
from retrial.tables.sample.structure import contradictions

IDENTICAL = {
    (RatioReading.MANTEL_HAENSZEL, TestReading.LOG_RANK),
    (RatioReading.COX_BRESLOW, TestReading.WALD_BRESLOW),
    (RatioReading.COX_EFRON, TestReading.WALD_EFRON),
}
"""Pairs whose χ² is (β/SE)² of the hazard ratio itself, so that printed numbers alone can rule them out."""
SCOUTS, HOPELESS = 4, 3.0
"""Islands of each design that go first; where their nearest table is further than this from agreement (Σ √tolerances) when they have cooled, they
are all.
"""
SURE = 0.8
"""Probability with which their spread has to say that the islands' rounds are enough."""
NO_CHANCE, ERRORS = 1e-3, 3.0
"""Share of a design among the scouts' below which these are all its samplers, though it were so many standard errors more."""
NEAREST = 3
"""Readings that get a pilot where no island arrived."""
GAIN = 1.1
"""How many times as much the tables have to be worth after one more round for another to be made."""
MOST_ISLANDS = 2
"""Islands at most, per island asked for."""
COOLED = 0.25
"""Share of the work of islands that is done when they have cooled, about."""
SCOUTS_WORK, JOINT_WORK = 0.25, 0.8
"""Shares of the work done when the designs' first islands, and when the islands over all readings have arrived, for the progress bar."""


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
    islands, pilots = sample(targets, problems, settings, seed, progress or _silent)
    results = all_results(targets, tuple(problems), islands, pilots, impossible)
    if not any(result.status == "attained" for result in results) and not settings.relaxed:
        raise refusal(targets, settings, seed, pilots, results)
    return pool_islands(targets, settings, seed, results, islands, pilots)


def _within(progress: Progress, start: float, stop: float) -> Progress:
    """A part of the work reported as its share of all of it."""
    return lambda done, message: progress(start + (stop - start) * done, message)


def _silent(_done: float, _message: str) -> None:
    """No progress bar."""


def sample(
    targets: Targets, problems: dict[Reading, Problem], settings: ReconstructionSettings, seed: int, progress: Progress
) -> tuple[list[Island], dict[Reading, Island]]:
    """Islands over all readings together, and a pilot of each reading that they did not end in."""
    if not problems:
        return [], {}
    readings = tuple(problems)
    by_design: dict[DesignReading | None, dict[Reading, Problem]] = {}
    for reading, problem in problems.items():
        by_design.setdefault(reading.design, {})[reading] = problem
    designs, scouts = tuple(by_design), {}
    for number, (design, alike) in enumerate(by_design.items()):
        part = _within(progress, *(SCOUTS_WORK * place / len(by_design) for place in (number, number + 1)))
        scouts[design] = scouts_of(targets, alike, settings, seed, part)
    known = {design: [island.island for island in running] for design, running in scouts.items()}
    counts = allotted(known, settings) if len(designs) > 1 else dict.fromkeys(designs, settings.islands)
    shares = design_shares(known)
    islands: list[Island] = []
    start = SCOUTS_WORK
    for design, alike in by_design.items():
        if counts[design] == 0 or not arrived(known[design]):
            islands += same_evidence(known[design])
            continue
        end = start + (JOINT_WORK - SCOUTS_WORK) * counts[design] / sum(counts.values())
        alone = dataclasses.replace(settings, n_tables=max(1, round(settings.n_tables * shares[design])))
        part = _within(progress, start, end)
        islands, start = islands + islands_of(targets, alike, alone, scouts[design], counts[design], seed, part), end
    found = {island.readings[i] for island in islands if island.arrived for i in np.unique(island.which)}
    lost = {design for design in designs if design not in {reading.design for reading in found}}
    closest = {reading: closest_part(reading, islands) for reading in readings if reading.design in lost}
    missing = [reading for reading in readings if reading not in found and reading.design not in lost]
    if not found:
        missing = sorted(readings, key=lambda reading: closest[reading].nearest)[:NEAREST]
    pilots = pilots_of(
        targets, {reading: problems[reading] for reading in missing}, settings, seed, _within(progress, JOINT_WORK, 1.0)
    )
    progress(1.0, targets.endpoint)
    return islands, closest | pilots


def pilots_of(
    targets: Targets, problems: dict[Reading, Problem], settings: ReconstructionSettings, seed: int, progress: Progress
) -> dict[Reading, Island]:
    """What small samplers say of each reading. Those of one design and one rule of the medians share one, as their arms agree alike; those that
    it did not end in, though it did in others, share another, until one ends in none of its readings.
    """
    found: dict[Reading, Island] = {}
    left, attempt = list(problems), 0
    while left:
        alike: dict[tuple[DesignReading | None, MedianReading | None], list[Reading]] = {}
        for reading in left:
            alike.setdefault((reading.design, reading.median), []).append(reading)
        samplers = [
            Sampler(tuple(group), together([problems[reading] for reading in group]), (attempt, *group[0].codes))
            for group in alike.values()
        ]
        left, attempt = [], attempt + 1
        part = _within(progress, 1 - 0.5 ** (attempt - 1), 1 - 0.5**attempt)
        for island in run_islands(targets, samplers, settings, seed, PILOT, part):
            parts = {reading: island.of(reading) for reading in island.readings}
            found |= {reading: part if part.arrived else closest_part(reading, [island]) for reading, part in parts.items()}
            left += [reading for reading, part in parts.items() if island.arrived and not part.arrived]
    return found


def scouts_of(
    targets: Targets, problems: dict[Reading, Problem], settings: ReconstructionSettings, seed: int, progress: Progress
) -> list[Started]:
    """The first islands over all readings of one design, after a round, which say whether it is worth more; where they come nowhere near agreement,
    without one.
    """
    samplers = samplers_of(problems, min(SCOUTS, settings.islands))
    running = started(targets, samplers, settings, seed, _within(progress, 0.0, COOLED))
    if any(island.island.nearest <= HOPELESS for island in running):
        go_on(targets, running, settings, _within(progress, COOLED, 1.0))
    return running


def design_shares(scouts: dict[DesignReading | None, list[Island]]) -> dict[DesignReading | None, float]:
    """Share of each design by the evidence of its first islands; equal where none of any arrived."""
    structure = structures([island for islands in scouts.values() for island in islands])
    logs = {
        design: float(np.logaddexp.reduce([island.log_evidence for island in islands]) - np.log(len(islands)))
        + float(np.log(len(islands[0].readings)))
        + structure[design]
        for design, islands in scouts.items()
    }
    top = max(logs.values())
    weights = {design: float(np.exp(log - top)) if np.isfinite(top) else 1.0 for design, log in logs.items()}
    return {design: weight / sum(weights.values()) for design, weight in weights.items()}


def allotted(
    scouts: dict[DesignReading | None, list[Island]], settings: ReconstructionSettings
) -> dict[DesignReading | None, int]:
    """Islands of each design: its part of `settings.islands`, in proportion to their shares among the scouts, but those at least; none that go on
    where scouts come nowhere near agreement, or their share is below `NO_CHANCE`.
    """
    shares, errors = design_shares(scouts), {}
    for design, islands in scouts.items():
        evidences = np.array([island.log_evidence for island in islands])
        errors[design] = evidence_error(evidences) if np.isfinite(evidences).any() else np.inf
    top = max(shares, key=lambda design: shares[design])
    kept = []
    for design, islands in scouts.items():
        near = any(island.nearest <= HOPELESS for island in islands)
        error = np.nan_to_num(np.hypot(errors[design], errors[top]), nan=np.inf)
        if shares[design] >= NO_CHANCE * np.exp(-ERRORS * error) if arrived(islands) else near:
            kept.append(design)
    kept = kept or list(scouts)
    total = sum(shares[design] for design in kept)
    return {
        design: max(len(islands), round(settings.islands * shares[design] / total) if total > 0 else 0) if design in kept else 0
        for design, islands in scouts.items()
    }


def arrived(islands: list[Island]) -> list[Island]:
    """Those that ended in agreement."""
    return [island for island in islands if island.arrived]


def samplers_of(problems: dict[Reading, Problem], count: int) -> list[Sampler]:
    """So many islands over all of some readings of one design."""
    readings = tuple(problems)
    key = (code(readings[0].design),) if readings[0].ruled else ()
    everything = together(list(problems.values()))
    return [Sampler(readings, everything, (number, *key)) for number in range(count)]


def islands_of(
    targets: Targets,
    problems: dict[Reading, Problem],
    settings: ReconstructionSettings,
    scouts: list[Started],
    count: int,
    seed: int,
    progress: Progress,
) -> list[Island]:
    """Islands over all readings of one design, its scouts and others up to `count`, after as many rounds as make their tables enough. Where one
    more adds less than `GAIN` they are all, if they are worth what is wanted by the estimate itself; else more islands take its place, up to
    twice as many. Where nothing is wanted (`enough` 0) all rounds are made.
    """
    start = max(count - len(scouts), 0) / count * COOLED
    late = started(targets, samplers_of(problems, count)[len(scouts) :], settings, seed, _within(progress, 0.0, start))
    go_on(targets, late, settings, _within(progress, start, start))
    running, before, made = [*scouts, *late], 0.0, 1
    for number in range(1, settings.rounds):
        found = [island.island for island in running]
        worth = effective_tables(arrived(found))
        if enough(found, settings) or not len(arrived(found)):
            break
        places = (start + (1.0 - start) * place / (settings.rounds - 1) for place in (number - 1, number))
        part = _within(progress, *places)
        if worth < GAIN * before and settings.enough > 0 and len(running) < MOST_ISLANDS * count:
            if worth >= settings.enough * settings.n_tables:
                break
            more = samplers_of(problems, len(running) + SCOUTS)[len(running) :]
            late = started(targets, more, settings, seed, part)
            for _ in range(made):
                go_on(targets, late, settings, part)
            running, before = [*running, *late], 0.0
        else:
            go_on(targets, running, settings, part)
            before, made = worth, made + 1
    return same_evidence([island.island for island in running])


def same_evidence(islands: list[Island]) -> list[Island]:
    """Islands of one design with their mean evidence: their ladders sample one posterior, so that each counts the same, and what they say of its
    evidence differs by the error of that alone (`own_evidence`).
    """
    own = np.array([island.log_evidence for island in islands])
    mean = float(np.logaddexp.reduce(own) - np.log(max(len(arrived(islands)), 1)))
    return [
        dataclasses.replace(island, log_evidence=mean if island.arrived else -np.inf, own_evidence=island.log_evidence)
        for island in islands
    ]


def enough(islands: list[Island], settings: ReconstructionSettings) -> bool:
    """Whether islands' tables are worth `settings.enough` for each that is asked for: the effective number by their spread, at the lower `SURE` limit
    of what that many islands' variance says of its own.
    """
    found = arrived(islands)
    if settings.enough == 0 or len(found) < max(len(islands), LEAST_ISLANDS):
        return False
    known = stats.chi2.ppf(1.0 - SURE, len(found) - 1) / (len(found) - 1)
    return bool(effective_tables(found) * known >= settings.enough * settings.n_tables)


def closest_part(reading: Reading, islands: list[Island]) -> Island:
    """What islands that did not arrive know of a reading: the particles that ended in it, nearest first, else the nearest of all of its design."""
    islands = [island for island in islands if reading in island.readings]
    parts = [island.of(reading) for island in islands]
    inside = [part for part in parts if len(part.d)]
    if inside:
        return min(inside, key=lambda part: part.nearest)
    return min(islands, key=lambda island: island.nearest).renamed(reading)


def screen(targets: Targets, settings: ReconstructionSettings) -> tuple[dict[Reading, Problem], list[ReadingResult]]:
    """Problems of the readings that arithmetic on the printed numbers leaves open, and results of those that it rules out."""
    problems: dict[Reading, Problem] = {}
    ratios = settings.ratios if targets.find("hazard_ratio") else ()
    tests = settings.tests if targets.find("chi_square") or targets.find("p") else ()
    medians, impossible = screen_medians(targets, settings)
    for reading in all_readings(ratios, tests, medians, designs_of(targets, settings)):
        try:
            problem = build_problem(targets, reading, settings.prior, strict=settings.agreement == "strict")
            refuse_identity(targets, reading, problem)
            problems[reading] = problem
        except UnattainableError as error:
            impossible.append(ReadingResult(reading, "impossible", reason=str(error)))
    return problems, impossible


def designs_of(targets: Targets, settings: ReconstructionSettings) -> tuple[DesignReading, ...]:
    """What the study's design may mean for the tables; nothing where it says of no follow-up that left patients out, or the prior of the tables
    itself says when censoring starts.
    """
    return settings.designs if targets.ruled_out and not settings.prior.uncensored else ()


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
    real = problem.real[0]
    beta, lower, upper = real[BETA], real[BETA + 1], real[BETA + 2]
    if np.isnan([lower[0], upper[0]]).any():
        return
    z = real[SCALARS, 0]
    least = 0.0 if beta[0] <= 0 <= beta[1] else min(abs(beta[0]), abs(beta[1]))
    low = (2 * z * least / (upper[1] - lower[0])) ** 2
    high = (2 * z * max(abs(beta[0]), abs(beta[1])) / max(upper[0] - lower[1], 1e-12)) ** 2
    if real[CHI_SQUARE, 0] > high or real[CHI_SQUARE, 1] < low:
        printed = targets.find("chi_square") or targets.find("p")
        raise UnattainableError(
            f"under this reading χ² is the squared z of the hazard ratio, {low:.3f} to {high:.3f} (p {stats.chi2.sf(high, 1):.4f} to"
            f" {stats.chi2.sf(low, 1):.4f}), not {printed.statistic if printed else ''} = {printed.printed if printed else ''}"
        )
