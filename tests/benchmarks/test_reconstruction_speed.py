"""Speed of the reconstruction's innermost loop (`make bench`): proposals a second and core, by grid and by number of patients."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from retrial.dims import ARMS, TOTAL
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.kernel.problem import PIECES
from retrial.tables.kernel.walk import energies, walk
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target, Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.structure import first_table

READINGS = {
    "one_step": Reading(RatioReading.MANTEL_HAENSZEL, TestReading.SCORE_BRESLOW, MedianReading.GREENWOOD_DENSITY),
    "cox": Reading(RatioReading.COX_EFRON, TestReading.WALD_BRESLOW, MedianReading.GREENWOOD_DENSITY),
}
PROPOSALS, PLAIN_LOOKS = 200_000, 20
SIZES = [(24, 90), (60, 90), (240, 90), (24, 900), (24, 9_000), (240, 9_000)]
"""Months of the grid, patients."""
TOLERANCE = 0.005
"""The default agreement rule."""
RESULTS = Path(__file__).parent / "results" / "reconstruction.csv"
HEADER = "what,reading,months,patients,inverse_temperature,million_proposals_or_tables_per_second,ratio_to_plain,accepted"


def near(statistic: str, value: float, arm: str = TOTAL) -> Target:
    tolerance = TOLERANCE * abs(value)
    return Target(statistic, arm, f"{value}", value, value - tolerance, value + tolerance, value, value)


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
    targets = [Target("events", TOTAL, "", *[float(table.events(TOTAL))] * 5)]
    for arm in (*ARMS, TOTAL):
        median = table.median(arm, reading.median)
        targets.append(Target("median", arm, f"{median.value}", *[median.value] * 5))
        targets += [near("median_lower", median.lower, arm), near("median_upper", median.upper, arm)]
    ratio = table.hazard_ratio(reading.ratio)
    for name, value in (("", ratio.hazard_ratio), ("_lower", ratio.lower), ("_upper", ratio.upper)):
        targets.append(near(f"hazard_ratio{name}", value))
    targets.append(near("chi_square", table.chi_square(reading.test)))
    return Targets("bench", table.n("control"), table.n("experimental"), 1.0, float(n_times), 1.0, "months", tuple(targets))


@pytest.mark.parametrize("reading", list(READINGS))
@pytest.mark.parametrize(("n_times", "n_patients"), SIZES)
@pytest.mark.parametrize("inverse_temperature", [0.3, 10.0])
def test_proposals_per_second(benchmark, reading: str, n_times: int, n_patients: int, inverse_temperature: float) -> None:
    targets = endpoint(n_times, n_patients, READINGS[reading])
    problem = build_problem(targets, READINGS[reading], TablePrior())
    d, r = first_table(targets)
    state, energy, which = random_state(np.random.SeedSequence(1)), np.zeros(4), np.zeros(1, np.int64)
    levels = np.full((2, 2, problem.whole[0, PIECES]), len(problem.prior) // 2, np.int64)
    energies(problem, 0, d, r, energy)
    walk(problem, which, d, r, levels, energy, inverse_temperature, 50 * (n_patients + n_times), state)
    arguments = (problem, which, d, r, levels, energy, inverse_temperature, PROPOSALS, state)
    accepted = benchmark.pedantic(walk, arguments, rounds=5, warmup_rounds=1)
    rate = PROPOSALS / benchmark.stats.stats.min
    table = Table(targets.times, d[:2], leaving_of(r[:2]) - d[:2])
    start = time.perf_counter()
    for _ in range(PLAIN_LOOKS):
        # The same judgement of one table by the plain statistics: what the ratio is against.
        violated(table, targets, READINGS[reading])
    plain = PLAIN_LOOKS / (time.perf_counter() - start)
    benchmark.extra_info["million_proposals_per_second"] = rate / 1e6
    benchmark.extra_info["ratio_to_plain"] = rate / plain
    benchmark.extra_info["accepted_share"] = accepted / PROPOSALS
    record("proposals", reading, n_times, n_patients, inverse_temperature, rate / 1e6, rate / plain, accepted / PROPOSALS)
    assert 0 < accepted <= PROPOSALS


@pytest.mark.parametrize(("n_times", "n_patients"), SIZES)
def test_tables_in_agreement_per_second(benchmark, n_times: int, n_patients: int) -> None:
    """A whole reconstruction on one core under one reading: different tables in agreement a second."""
    reading = READINGS["one_step"]
    targets = endpoint(n_times, n_patients, reading)
    settings = ReconstructionSettings(
        ratios=(RatioReading.MANTEL_HAENSZEL,),
        tests=(TestReading.SCORE_BRESLOW,),
        medians=(reading.median,),
        islands=2,
        particles=200,
        threads=1,
    )
    ensemble = benchmark.pedantic(reconstruct, (targets, settings, 1), rounds=1, warmup_rounds=0)
    found = sum(result.unique_tables for result in ensemble.attained)
    seconds = benchmark.stats.stats.min
    benchmark.extra_info["tables_per_second"] = found / seconds
    record("tables", "one_step", n_times, n_patients, float("nan"), found / seconds, float("nan"), found)
    assert len(ensemble.weights)


def record(what: str, reading: str, n_times: int, n_patients: int, temperature: float, *values: float) -> None:
    """One row of results/reconstruction.csv: what, reading, months, patients, inverse temperature, rate, ratio, accepted."""
    RESULTS.parent.mkdir(exist_ok=True)
    known = RESULTS.read_text(encoding="utf-8").splitlines()[1:] if RESULTS.exists() else []
    key = f"{what},{reading},{n_times},{n_patients},{temperature:g},"
    rows = [line for line in known if not line.startswith(key)] + [key + ",".join(f"{value:.3g}" for value in values)]
    RESULTS.write_text("\n".join([HEADER, *sorted(rows)]) + "\n", encoding="utf-8")
