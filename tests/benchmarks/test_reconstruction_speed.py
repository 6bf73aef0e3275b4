"""Speed of the reconstruction's innermost loop (`make bench`): proposals a second and core, by grid and by number of patients."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from retrial.reconstruct.agreement import violated
from retrial.reconstruct.build import build_problem
from retrial.reconstruct.compiled import random_state
from retrial.reconstruct.engine import reconstruct
from retrial.reconstruct.ensemble import ReconstructionSettings
from retrial.reconstruct.pool import leaving_of
from retrial.reconstruct.prior import TablePrior
from retrial.reconstruct.problem import PIECES
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.reconstruct.statistics import Table
from retrial.reconstruct.structure import first_table
from retrial.reconstruct.targets import Target, Targets
from retrial.reconstruct.walk import energies, walk

READINGS = {
    "one_step": Reading(RatioReading.MANTEL_HAENSZEL, TestReading.SCORE_BRESLOW, MedianReading.GREENWOOD_DENSITY),
    "cox": Reading(RatioReading.COX_EFRON, TestReading.WALD_BRESLOW, MedianReading.GREENWOOD_DENSITY),
}
PROPOSALS, PLAIN_LOOKS = 200_000, 20
SIZES = [(24, 90), (60, 90), (240, 90), (24, 900), (24, 9_000), (240, 9_000)]
"""Months of the grid, patients."""
RESULTS = Path(__file__).parent / "results" / "reconstruction.csv"
HEADER = "what,reading,months,patients,inverse_temperature,million_proposals_or_tables_per_second,ratio_to_plain,accepted"


def near(statistic: str, value: float, arm: str, tolerance: float) -> Target:
    return Target(statistic, arm, f"{value}", value, value - tolerance, value + tolerance, value, value)


def endpoint(n_times: int, n_patients: int) -> Targets:
    """An endpoint as a paper prints it: events, medians with intervals, hazard ratio with interval, χ²."""
    half = n_patients // 2
    middle, width = n_times // 2, n_times / 6 * (90 / n_patients) ** 0.5
    se = 2.0 / (0.6 * n_patients) ** 0.5
    targets = [Target("events", "total", "", *[float(round(0.6 * n_patients))] * 5)]
    for arm, value in (("control", middle - n_times // 8), ("experimental", middle + n_times // 8), ("total", middle)):
        targets.append(Target("median", arm, f"{value}", *[float(value)] * 5))
        targets += [
            near(f"median_{side}", value + sign * width, arm, 0.01 * width) for side, sign in (("lower", -1), ("upper", 1))
        ]
    beta = -0.6
    for name, value in (("", beta), ("_lower", beta - 1.96 * se), ("_upper", beta + 1.96 * se)):
        targets.append(near(f"hazard_ratio{name}", float(np.exp(value)), "total", 0.005 * float(np.exp(value))))
    targets.append(near("chi_square", (beta / se) ** 2, "total", 0.005 * (beta / se) ** 2))
    return Targets("bench", half, n_patients - half, 1.0, float(n_times), 1.0, "months", tuple(targets))


@pytest.mark.parametrize("reading", list(READINGS))
@pytest.mark.parametrize(("n_times", "n_patients"), SIZES)
@pytest.mark.parametrize("inverse_temperature", [0.3, 10.0])
def test_proposals_per_second(benchmark, reading: str, n_times: int, n_patients: int, inverse_temperature: float) -> None:
    targets = endpoint(n_times, n_patients)
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
    targets = endpoint(n_times, n_patients)
    reading = READINGS["one_step"]
    settings = ReconstructionSettings(
        ratios=(RatioReading.MANTEL_HAENSZEL,),
        tests=(TestReading.SCORE_BRESLOW,),
        medians=(reading.median,),
        islands=2,
        threads=1,
    )
    settings = dataclasses.replace(settings, particles=200, relaxed=True)
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
