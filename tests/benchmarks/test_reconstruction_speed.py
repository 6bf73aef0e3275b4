"""Speed of the reconstruction's innermost loop (`make bench`): proposals a second and core, by grid and by number of patients."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.reconstruct.build import build_problem
from retrial.reconstruct.compiled import random_state
from retrial.reconstruct.prior import TablePrior
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.reconstruct.structure import first_table
from retrial.reconstruct.targets import Target, Targets
from retrial.reconstruct.walk import energies, walk

READINGS = {
    "one_step": Reading(RatioReading.MANTEL_HAENSZEL, TestReading.SCORE_BRESLOW, MedianReading.GREENWOOD_DENSITY),
    "cox": Reading(RatioReading.COX_EFRON, TestReading.WALD_BRESLOW, MedianReading.GREENWOOD_DENSITY),
}
PROPOSALS = 200_000


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
@pytest.mark.parametrize(("n_times", "n_patients"), [(24, 90), (60, 90), (240, 90), (24, 900), (24, 9_000), (240, 9_000)])
@pytest.mark.parametrize("inverse_temperature", [0.3, 10.0])
def test_proposals_per_second(benchmark, reading: str, n_times: int, n_patients: int, inverse_temperature: float) -> None:
    targets = endpoint(n_times, n_patients)
    problem = build_problem(targets, READINGS[reading], TablePrior())
    d, r = first_table(targets)
    state, energy = random_state(np.random.SeedSequence(1)), np.zeros(4)
    energies(problem, d, r, energy)
    walk(problem, d, r, energy, inverse_temperature, 50 * (n_patients + n_times), state)
    accepted = benchmark.pedantic(walk, (problem, d, r, energy, inverse_temperature, PROPOSALS, state), rounds=5, warmup_rounds=1)
    benchmark.extra_info["million_proposals_per_second"] = PROPOSALS / benchmark.stats.stats.min / 1e6
    benchmark.extra_info["accepted_share"] = accepted / PROPOSALS
    assert 0 < accepted <= PROPOSALS
