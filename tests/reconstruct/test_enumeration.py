"""The sampler against lists of all tables: right frequencies and right evidence."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from retrial.reconstruct.build import build_problem
from retrial.reconstruct.compiled import random_state
from retrial.reconstruct.island import run_island
from retrial.reconstruct.pool import leaving_of
from retrial.reconstruct.prior import TablePrior
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.reconstruct.structure import first_table
from retrial.reconstruct.targets import Targets
from tests.reconstruct.toy import Counts, exact, key, number, total_variation, toy_targets

PRIOR = TablePrior(event_mean=0.3, event_shape=1.5, censoring_mean=0.2, censoring_shape=0.8)
PLAIN = Reading(None, None, None)


def sample(
    targets: Targets, reading: Reading, islands: int, particles: int, proposals: int = 400
) -> tuple[dict[Counts, float], np.ndarray]:
    """Frequencies of tables and the islands' evidences, islands weighted by them."""
    problem, start = build_problem(targets, reading, PRIOR), first_table(targets)
    mass: dict[Counts, float] = defaultdict(float)
    evidence = []
    for island in range(islands):
        state = random_state(np.random.SeedSequence(7, spawn_key=(island,)))
        d, r, energy, _, summary, _ = run_island(problem, *start, particles, 200, proposals, proposals, 150, 0.6, 60.0, state)
        evidence.append(np.exp(summary[0]))
        if np.isfinite(summary[0]):
            assert energy.sum() == 0.0
            for events, leaving in zip(d[:, :2], leaving_of(r[:, :2]), strict=True):
                mass[key(events, leaving - events)] += evidence[-1] / particles
    total = sum(mass.values())
    return {k: v / total for k, v in mass.items()}, np.array(evidence)


def check(targets: Targets, reading: Reading, islands: int = 12, particles: int = 1200, least: int = 2) -> float:
    """Compare frequencies and evidence; returns the sampled evidence."""
    (expected,), (evidence,) = exact(targets, (reading,), PRIOR)
    sampled, found = sample(targets, reading, islands, particles)
    assert len(expected) >= least
    assert set(sampled) <= set(expected)
    assert total_variation(sampled, expected) < 0.05, (len(expected), total_variation(sampled, expected))
    assert found.mean() == pytest.approx(evidence, rel=max(0.05, 4 * found.std() / np.sqrt(islands) / found.mean()))
    return float(found.mean())


@pytest.mark.parametrize(
    "targets",
    [
        toy_targets((3, 3), 3, []),
        toy_targets((3, 2), 3, [number("events", "3")]),
        toy_targets((3, 3), 3, [number("events", "2", "control"), number("events", "1", "experimental")]),
        toy_targets((3, 3), 3, [number("events", "2", "control"), number("longest", "3"), number("shortest", "1")]),
        toy_targets((3, 3), 4, [number("at_risk", "2", "control", time=3), number("at_risk", "1", "experimental", time=2)]),
    ],
    ids=["free", "total", "per-arm", "one-arm-extremes", "at-risk"],
)
def test_prior_is_sampled_under_every_structure(targets: Targets) -> None:
    """Energy is 0 everywhere: what is left is the prior on the structure, by the moves alone."""
    (expected,), _ = exact(targets, (PLAIN,), PRIOR)
    problem, start = build_problem(targets, PLAIN, PRIOR), first_table(targets)
    state = random_state(np.random.SeedSequence(3))
    d, r, *_ = run_island(problem, *start, 40_000, 60, 10, 10, 0, 0.6, 10.0, state)
    mass: dict[Counts, float] = defaultdict(float)
    for events, leaving in zip(d[:, :2], leaving_of(r[:, :2]), strict=True):
        mass[key(events, leaving - events)] += 1 / len(d)
    # Noise alone gives about sqrt(K / (2π N)) for K equally likely tables.
    noise = np.sqrt(len(expected) / (2 * np.pi * len(d)))
    assert set(mass) <= set(expected)
    assert total_variation(mass, expected) < 1.5 * noise + 0.01


def test_rounding_interval_that_several_tables_meet() -> None:
    targets = toy_targets(
        (4, 3),
        3,
        [number("events", "5"), number("median", "2", "control"), number("hazard_ratio", "0.5", half=0.05)],
    )
    check(targets, Reading(RatioReading.MANTEL_HAENSZEL, None, None), least=5)


def test_median_with_limits_and_test() -> None:
    targets = toy_targets(
        (4, 3),
        3,
        [number("median", "2", "total"), number("median_lower", "1", "total"), number("chi_square", "1.0", half=0.2)],
    )
    check(targets, Reading(None, TestReading.LOG_RANK, MedianReading.CROWLEY_LOG), least=5)


def test_two_readings_compete() -> None:
    targets = toy_targets(
        (3, 3),
        3,
        [number("events", "5"), number("hazard_ratio", "0.6", half=0.06), number("chi_square", "0.4", half=0.15)],
    )
    readings = tuple(
        Reading(ratio, TestReading.LOG_RANK, None) for ratio in (RatioReading.COX_EFRON, RatioReading.OBSERVED_EXPECTED)
    )
    _, evidence = exact(targets, readings, PRIOR)
    sampled = [check(targets, reading, particles=800) for reading in readings]
    assert evidence.min() > 0
    assert not np.isclose(*evidence, rtol=0.2)
    assert sampled[0] / sampled[1] == pytest.approx(evidence[0] / evidence[1], rel=0.1)
