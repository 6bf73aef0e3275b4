"""The sampler against lists of all tables: right frequencies and right evidence."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import pytest

from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.kernel.prior import EVENT, TablePrior
from retrial.tables.kernel.problem import together
from retrial.tables.printed.readings import DesignReading, MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.targets import Target, Targets
from retrial.tables.sample.build import build_problem, prior_under
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.smc import cooling, exchange
from retrial.tables.sample.smc.island import Running, Sizes, run_island
from retrial.tables.sample.structure import first_table
from tests.tables.toy import Counts, exact, exact_hazards, exact_probability, key, number, total_variation, toy_targets

PRIOR = TablePrior(
    pieces=1, level_scale=0.02, walk_scale=0.02, effect_scale=0.02, effect_walk_scale=0.02, censoring_walk_scale=0.02
)
"""Hazards that are as good as known."""
UNKNOWN_MEANS = TablePrior(pieces=2, level_scale=1.0, overdispersion=0.3)
RULED = TablePrior(pieces=2, level_scale=1.0, uncensored=1)
"""Nobody is censored at the first time, where the first of two unequal pieces ends."""
PLAIN = Reading(None, None, None)


def sample(
    targets: Targets,
    readings: tuple[Reading, ...],
    prior: TablePrior,
    islands: int,
    particles: int,
    proposals: int = 60,
    sweeps: int = 0,
) -> tuple[list[dict[Counts, float]], np.ndarray]:
    """Frequencies of tables and (islands,) evidences by reading, islands weighted by them."""
    problem = together([build_problem(targets, reading, prior) for reading in readings])
    start = first_table(targets)
    mass: list[dict[Counts, float]] = [defaultdict(float) for _ in readings]
    evidence = np.zeros((len(readings), islands))
    for island in range(islands):
        sizes = Sizes(particles, 100, proposals, proposals, 80, 0.6, 60.0, sweeps)
        found = run_island(problem, start, sizes, np.random.SeedSequence(7, spawn_key=(island,)))
        if np.isfinite(found.log_evidence):
            assert found.energy.sum() == 0.0
            weight = np.exp(found.log_evidence) * len(readings) / len(found.reading)
            for reading, events, leaving in zip(found.reading, found.d[:, :2], leaving_of(found.r[:, :2]), strict=True):
                mass[reading][key(events, leaving - events)] += weight
                evidence[reading, island] += weight
    return [{k: v / sum(found.values()) for k, v in found.items()} for found in mass], evidence


def check(
    targets: Targets,
    *readings: Reading,
    prior: TablePrior = PRIOR,
    islands: int = 12,
    particles: int = 1200,
    least: int = 2,
    sweeps: int = 0,
) -> np.ndarray:
    """Compare frequencies and evidence of every reading; returns the sampled evidences."""
    expected, evidence = exact(targets, readings, prior)
    sampled, found = sample(targets, readings, prior, islands, particles, sweeps=sweeps)
    for i in range(len(readings)):
        assert len(expected[i]) >= least
        assert set(sampled[i]) <= set(expected[i])
        assert total_variation(sampled[i], expected[i]) < 0.05, (len(expected[i]), total_variation(sampled[i], expected[i]))
        mean, error = found[i].mean(), found[i].std() / np.sqrt(islands)
        assert mean == pytest.approx(evidence[i], rel=max(0.05, 4 * error / mean))
    return found.mean(axis=1)


@pytest.mark.parametrize(
    "targets",
    [
        toy_targets((3, 3), 3, []),
        toy_targets((3, 2), 3, [number("events", "3")]),
        toy_targets((3, 3), 3, [number("events", "2", "control"), number("events", "1", "experimental")]),
        toy_targets((3, 3), 3, [number("events", "2", "control"), number("longest", "3"), number("shortest", "1")]),
        toy_targets((3, 3), 4, [number("at_risk", "2", "control", time=3), number("at_risk", "1", "experimental", time=2)]),
        toy_targets(
            (3, 3), 3, [number("longest", "3", half=0.5), number("longest", "2", "control"), number("shortest", "2", "control")]
        ),
        toy_targets((2, 3), 4, [number("longest", "3", half=1), number("shortest", "1.5", "experimental", half=0.5)]),
    ],
    ids=["free", "total", "per-arm", "one-arm-extremes", "at-risk", "extremes-by-arm", "rounded-extremes"],
)
@pytest.mark.parametrize("prior", [PRIOR, UNKNOWN_MEANS], ids=["given-means", "unknown-means"])
def test_prior_is_sampled_under_every_structure(targets: Targets, prior: TablePrior) -> None:
    """Energy is 0 everywhere: what is left is the prior on the structure, by the moves alone."""
    (expected,), _ = exact(targets, (PLAIN,), prior)
    problem, start = build_problem(targets, PLAIN, prior), first_table(targets)
    found = run_island(problem, start, Sizes(20_000, 60, 10, 10, 0, 0.6, 10.0), np.random.SeedSequence(3))
    d, mass = found.d, defaultdict(float)
    for events, leaving in zip(d[:, :2], leaving_of(found.r[:, :2]), strict=True):
        mass[key(events, leaving - events)] += 1 / len(d)
    # Noise alone gives about sqrt(K / (2π N)) for K equally likely tables; unknown means move slowly, as if draws were fewer.
    noise = np.sqrt(len(expected) / (2 * np.pi * len(d)))
    assert set(mass) <= set(expected)
    assert total_variation(mass, expected) < (1.5 if prior is PRIOR else 3.0) * noise + 0.01


def test_rounding_interval_that_several_tables_meet() -> None:
    targets = toy_targets(
        (4, 3),
        3,
        [number("events", "5"), number("median", "2", "control"), number("hazard_ratio", "0.5", half=0.05)],
    )
    check(targets, Reading(RatioReading.MANTEL_HAENSZEL, None, None), least=5)


@pytest.mark.parametrize("prior", [PRIOR, UNKNOWN_MEANS], ids=["given-means", "unknown-means"])
def test_ladders_sample_what_a_population_does(prior: TablePrior, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws of particles that go up and down several rungs, and the evidence of these, over two readings."""
    monkeypatch.setattr(cooling, "HARVEST", 0.6)
    monkeypatch.setattr(exchange, "EXCHANGED", 0.8)
    targets = toy_targets(
        (4, 3),
        3,
        [number("events", "5"), number("median", "2", "control"), number("hazard_ratio", "0.5", half=0.05)],
    )
    readings = (Reading(RatioReading.MANTEL_HAENSZEL, None, None), Reading(RatioReading.COX_BRESLOW, None, None))
    problem = together([build_problem(targets, reading, prior) for reading in readings])
    running = Running(
        problem, first_table(targets), Sizes(200, 0, 60, 60, 0, 0.6, 60.0, 1), np.random.SeedSequence(1), lambda _: None
    )
    assert running.ladders is not None
    assert len(running.ladders.cold) >= 3
    check(targets, *readings, prior=prior, islands=24, particles=200, least=4, sweeps=1500)


def test_nobody_is_censored_under_a_rule() -> None:
    """Tables with a censoring before the rule's time have no mass; the others that of a walk that starts there."""
    targets = toy_targets((3, 2), 4, [number("events", "3"), number("at_risk", "2", "control", time=3)])
    check(targets, PLAIN, prior=RULED)
    assert all(cell[4] == 0 for table in sample(targets, (PLAIN,), RULED, 2, 200)[0][0] for cell in table)


def test_nobody_is_censored_where_all_were_followed_to_the_end() -> None:
    targets = dataclasses.replace(
        toy_targets((4, 3), 4, [number("events", "4"), number("at_risk", "3", "control", time=3)]), followed=9.0
    )
    prior = prior_under(targets, TablePrior(pieces=2), PLAIN)
    assert prior.uncensored == 3
    check(targets, PLAIN, prior=prior)


@pytest.mark.parametrize(
    "numbers",
    [
        [number("events", "3"), number("at_risk", "2", "control", time=3)],
        [number("events", "2", "control"), number("events", "1", "experimental"), number("longest", "4")],
        [number("hazard_ratio", "0.7", half=0.4), number("shortest", "1")],
    ],
    ids=["total", "per-arm", "free"],
)
def test_designs_are_weighed_by_all_that_is_printed(numbers: list[Target]) -> None:
    """Probability of the rule given structure and agreement, beside tables as they are, against the list of all tables under each prior."""
    targets = dataclasses.replace(toy_targets((3, 3), 4, numbers), excluded=1.0)
    prior, ratio = TablePrior(pieces=2, level_scale=1.0), RatioReading.MANTEL_HAENSZEL if targets.find("hazard_ratio") else None
    exact = [
        exact_probability(targets, reading, prior_under(targets, prior, reading))
        for reading in (Reading(ratio, None, None, design) for design in DesignReading)
    ]
    settings = ReconstructionSettings(
        prior=prior, ratios=(RatioReading.MANTEL_HAENSZEL,), islands=24, particles=800, proposals=60
    )
    found = {result.reading.design: result for result in reconstruct(targets, settings, 5).results}
    result = found[DesignReading.ELIGIBILITY]
    assert result.share == pytest.approx(exact[1] / sum(exact), abs=max(0.02, 4 * result.share_se))
    assert result.share_se < 0.03


def test_unknown_means_are_summed_over() -> None:
    targets = toy_targets(
        (4, 3),
        3,
        [number("events", "5"), number("median", "2", "control"), number("hazard_ratio", "0.5", half=0.05)],
    )
    check(targets, Reading(RatioReading.MANTEL_HAENSZEL, None, None), prior=UNKNOWN_MEANS, least=5)


def test_hazards_are_those_of_the_exact_posterior() -> None:
    """Means of the log hazards given all that is printed, of every arm and piece, against quadrature over the list of all tables."""
    targets = toy_targets(
        (4, 3), 3, [number("events", "5"), number("median", "2", "control"), number("hazard_ratio", "0.5", half=0.05)]
    )
    reading = Reading(RatioReading.MANTEL_HAENSZEL, None, None)
    problem, means, weights = build_problem(targets, reading, UNKNOWN_MEANS), [], []
    for island in range(12):
        sizes = Sizes(1200, 100, 60, 60, 80, 0.6, 60.0)
        found = run_island(problem, first_table(targets), sizes, np.random.SeedSequence(8, spawn_key=(island,)))
        means.append(found.hazards[:, EVENT].mean(axis=0))
        weights.append(np.exp(found.log_evidence))
    expected, share = exact_hazards(targets, reading, UNKNOWN_MEANS), np.array(weights) / np.sum(weights)
    mean = np.tensordot(share, means, axes=1)
    error = np.sqrt(np.tensordot(share**2, (np.array(means) - mean) ** 2, axes=1))
    assert error.max() < 0.1
    assert (np.abs(mean - expected) < 3 * error + 0.02).all()


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
        [number("events", "5"), number("hazard_ratio", "0.7", half=0.06), number("chi_square", "0.4", half=0.15)],
    )
    readings = tuple(
        Reading(ratio, TestReading.LOG_RANK, None) for ratio in (RatioReading.COX_EFRON, RatioReading.OBSERVED_EXPECTED)
    )
    _, evidence = exact(targets, readings, PRIOR)
    sampled = check(targets, *readings)
    assert evidence.min() > 0
    assert not np.isclose(*evidence, rtol=0.2)
    assert sampled[0] / sampled[1] == pytest.approx(evidence[0] / evidence[1], rel=0.1)


def test_medians_that_several_times_print_with_percentages_and_numbers_censored() -> None:
    numbers = [
        number("events", "3"),
        number("median", "2.5", "control", half=0.5),
        number("landmark", "0.7", "experimental", half=0.2, time=2.4),
        number("censored", "1", "control", time=3),
    ]
    check(toy_targets((4, 3), 3, numbers), PLAIN, least=10)


@pytest.mark.parametrize(
    ("numbers", "prior"),
    [
        ([number("events", "4"), number("hazard_ratio", "0.7", half=0.3)], UNKNOWN_MEANS),
        ([number("events", "2", "control"), number("at_risk", "2", "control", time=3), number("longest", "3", half=0.5)], RULED),
    ],
    ids=["total", "arm"],
)
def test_curves_hold_by_construction(numbers: list[Target], prior: TablePrior) -> None:
    """A curve read at most times: arms are drawn on it, and their frequencies and evidence are those of the list."""
    curve = [
        number("survival", "0.75", "control", half=0.1, time=1),
        number("survival", "0.5", "control", half=0.26, time=2),
        number("survival", "0.67", "experimental", half=0.1, time=2),
    ]
    targets = toy_targets((4, 3), 3, [*curve, *numbers])
    check(targets, Reading(RatioReading.MANTEL_HAENSZEL, None, None), prior=prior, islands=8, particles=600, least=5)
