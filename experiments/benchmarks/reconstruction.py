"""Speed of the reconstruction: proposals of its innermost loop a second and core, and tables in agreement a second."""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path

import numpy as np

from retrial.dims import ARMS, TOTAL
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target, Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.structure import first_table

RATIO, TEST, MEDIAN = RatioReading.MANTEL_HAENSZEL, TestReading.SCORE_BRESLOW, MedianReading.GREENWOOD_DENSITY
READINGS = {
    "one_step": Reading(RATIO, TEST, MEDIAN),
    "cox": Reading(RatioReading.COX_EFRON, TestReading.WALD_BRESLOW, MEDIAN),
}
PROPOSALS, ROUNDS, PLAIN_LOOKS = 200_000, 5, 20
SIZES = [(24, 90), (60, 90), (240, 90), (24, 900), (24, 9_000), (240, 9_000)]
"""Months of the grid, patients."""
TOLERANCE = 0.005
"""The default agreement rule."""
HEADER = "what,reading,months,patients,inverse_temperature,million_proposals_or_tables_per_second,ratio_to_plain,accepted"


def near(statistic: str, value: float, arm: str = TOTAL, tolerance: float = TOLERANCE) -> Target:
    """A printed number that agrees within `tolerance` of its value."""
    width = tolerance * abs(value)
    return Target(statistic, arm, f"{value}", value, value - width, value + width, value, value)


def simulated(n_times: int, n_patients: int) -> Table:
    """Exponential deaths and uniform censoring on a grid of whole months: about six of ten patients die."""
    random, half = np.random.default_rng(n_times + n_patients), n_patients // 2
    events, leaving = np.zeros((2, n_times), np.int64), np.zeros((2, n_times), np.int64)
    for arm, median in enumerate((n_times / 3, n_times / 2)):
        death = random.exponential(median / np.log(2), half)
        end = random.uniform(n_times / 2, n_times, half)
        month = np.ceil(np.minimum(death, end)).astype(int) - 1
        np.add.at(events[arm], month[death <= end], 1)
        np.add.at(leaving[arm], month[death > end], 1)
    return Table(np.arange(1.0, n_times + 1), events, leaving)


def endpoint(n_times: int, n_patients: int, reading: Reading) -> Targets:
    """What a paper would print of the simulated patients by these estimators: events, medians and hazard ratio with intervals, χ²."""
    table = simulated(n_times, n_patients)
    targets = [near("events", float(table.events(TOTAL)), tolerance=0.0)]
    for arm in (*ARMS, TOTAL):
        median = table.median(arm, MEDIAN)
        targets.append(near("median", median.value, arm, 0.0))
        targets += [near("median_lower", median.lower, arm), near("median_upper", median.upper, arm)]
    ratio = table.hazard_ratio(reading.ratio or RATIO)
    for name, value in (("", ratio.hazard_ratio), ("_lower", ratio.lower), ("_upper", ratio.upper)):
        targets.append(near(f"hazard_ratio{name}", value))
    targets.append(near("chi_square", table.chi_square(reading.test or TEST)))
    return Targets("bench", table.n("control"), table.n("experimental"), 1.0, float(n_times), 1.0, "months", tuple(targets))


def main(folder: Path) -> list[str]:
    """Write reconstruction.csv; returns the settings under which nothing was accepted or found, in words."""
    rows = [proposals(*cell) for cell in product(READINGS, SIZES, (0.3, 10.0))] + [tables(size) for size in SIZES]
    lines = sorted(",".join([*key, *(f"{value:.3g}" for value in values)]) for key, values in rows)
    (folder / "reconstruction.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return [f"{', '.join(key)}: nothing was accepted" for key, values in rows if not values[-1] > 0]


Row = tuple[tuple[str, ...], tuple[float, float, float]]
"""What, reading, months, patients, inverse temperature; rate, ratio to plain, accepted share or number of tables."""


def proposals(name: str, size: tuple[int, int], inverse_temperature: float) -> Row:
    """Million proposals a second, the best of five rounds, and their ratio to plain judgements of a table."""
    n_times, n_patients = size
    targets = endpoint(n_times, n_patients, READINGS[name])
    problem = build_problem(targets, READINGS[name], TablePrior())
    population, reading = Population.empty(problem, first_table(targets)[1], 1, np.random.SeedSequence(1)), np.zeros(1, np.int64)
    population.put(first_table(targets))
    population.cold[:] = inverse_temperature
    population.look(BOTH)

    def walked(count: int) -> int:
        return population.walk(reading, BOTH, count)

    walked(50 * (n_patients + n_times))
    accepted, taken = 0, []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        accepted = walked(PROPOSALS)
        taken.append(time.perf_counter() - start)
    rate = PROPOSALS / min(taken)
    d, r = (array[0] for array in population.tables())
    ratio = rate / plain_looks(Table(targets.times, d[:2], leaving_of(r[:2]) - d[:2]), targets, READINGS[name])
    key = ("proposals", name, str(n_times), str(n_patients), f"{inverse_temperature:g}")
    return key, (rate / 1e6, ratio, accepted / PROPOSALS)


def plain_looks(table: Table, targets: Targets, reading: Reading) -> float:
    """Judgements of one table a second by the plain statistics: what the ratio is against."""
    start = time.perf_counter()
    for _ in range(PLAIN_LOOKS):
        violated(table, targets, reading)
    return PLAIN_LOOKS / (time.perf_counter() - start)


def tables(size: tuple[int, int]) -> Row:
    """A whole reconstruction on one core under one reading: different tables in agreement a second."""
    n_times, n_patients = size
    reading = READINGS["one_step"]
    settings = ReconstructionSettings(ratios=(RATIO,), tests=(TEST,), medians=(MEDIAN,), islands=2, rounds=1, threads=1)
    targets = endpoint(n_times, n_patients, reading)
    start = time.perf_counter()
    ensemble = reconstruct(targets, settings, 1)
    seconds = time.perf_counter() - start
    found = sum(result.unique_tables for result in ensemble.attained)
    return ("tables", "one_step", str(n_times), str(n_patients), "nan"), (found / seconds, float("nan"), found)
