"""Energy, moves and start of the sampler, against the plain statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.tables.kernel.compiled import random_state, uniform
from retrial.tables.kernel.moves import STEP_FIELDS, apply, propose
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.kernel.problem import PIECES, Problem
from retrial.tables.kernel.resampling import level_step, resample
from retrial.tables.kernel.walk import energies, log_prior, walk
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading, all_readings
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import evidence_error, leaving_of
from retrial.tables.sample.structure import first_table, with_totals
from tests.tables.toy import number, toy_targets

EVERYTHING = all_readings(tuple(RatioReading), tuple(TestReading), tuple(MedianReading))


def middle_levels(problem: Problem) -> np.ndarray:
    """(2, 2, pieces) levels of the prior to start from."""
    return np.full((2, 2, problem.whole[0, PIECES]), len(problem.prior) // 2, np.int64)


def targets_of(table: Table, reading: Reading, width: float, coarse: float = 0.0) -> Targets:
    """Printed numbers that `table` itself has under `reading`, some with a little room; times printed to within `coarse`."""
    assert reading.ratio is not None
    assert reading.test is not None
    assert reading.median is not None
    median = table.median("total", reading.median)
    ratio = table.hazard_ratio(reading.ratio)
    numbers = [
        number("events", str(table.events("total"))),
        number("hazard_ratio", str(ratio.hazard_ratio), half=width * ratio.hazard_ratio),
        number("hazard_ratio_upper", str(ratio.upper), half=width * ratio.upper),
        number("chi_square", str(table.chi_square(reading.test)), half=width),
    ]
    if np.isfinite([median.value, median.lower]).all():
        room = width if coarse == 0 else coarse
        numbers += [number("median", str(median.value), half=coarse), number("median_lower", str(median.lower), half=room)]
        if np.isfinite(median.upper) and coarse:
            numbers.append(number("median_upper", str(median.upper), half=coarse))
    if coarse:
        numbers += [
            number("landmark", str(table.survival_at("control", 3.2)), "control", half=0.02, time=3.2),
            number("censored", str(table.censored_before("experimental", 4)), "experimental", time=4),
        ]
    return toy_targets((table.n("control"), table.n("experimental")), table.times.size, numbers)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(EVERYTHING), st.integers(6, 14), st.sampled_from([0.0, 0.5, 1.2, 2.0]))
def test_energy_is_zero_exactly_where_the_plain_statistics_agree(
    seed: int, reading: Reading, n_times: int, coarse: float
) -> None:
    random = np.random.default_rng(seed)
    d = random.poisson(1.2, (2, n_times))
    c = random.poisson(0.7, (2, n_times))
    d[:, 0] += 1
    table = Table(np.arange(1.0, n_times + 1), d, c)
    assert reading.ratio is not None
    ratio = table.hazard_ratio(reading.ratio)
    if not (np.isfinite(ratio.upper) and abs(ratio.log_hazard_ratio) < 10 and ratio.hazard_ratio > 0):
        return
    targets = targets_of(table, reading, 0.02, coarse)
    problem = build_problem(targets, reading, TablePrior())
    dd, rr = with_totals(d, d + c)
    energy = np.zeros(4)
    energies(problem, 0, dd, rr, energy)
    assert energy.sum() == 0.0
    assert violated(table, targets, reading) == ()
    # One patient moved: both sides must judge alike, whatever the judgement.
    state = random_state(np.random.SeedSequence(seed))
    walk(problem, np.zeros(1, np.int64), dd, rr, middle_levels(problem), energy, 0.0, 3, state)
    energies(problem, 0, dd, rr, energy)
    moved = Table(table.times, dd[:2], leaving_of(rr[:2]) - dd[:2])
    assert (energy.sum() == 0.0) == (violated(moved, targets, reading) == ())


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 5.0]))
def test_walk_keeps_counts_and_its_own_books(seed: int, inverse_temperature: float) -> None:
    targets = toy_targets(
        (11, 9),
        8,
        [number("events", "12"), number("at_risk", "6", "control", time=4), number("longest", "8"), number("median", "4")],
    )
    problem = build_problem(targets, Reading(None, None, None), TablePrior())
    d, r = first_table(targets)
    energy = np.zeros(4)
    energies(problem, 0, d, r, energy)
    levels, state = middle_levels(problem), random_state(np.random.SeedSequence(seed))
    walk(problem, np.zeros(1, np.int64), d, r, levels, energy, inverse_temperature, 400, state)
    assert (levels >= 0).all()
    assert (levels < len(problem.prior)).all()
    assert (d >= 0).all()
    assert (leaving_of(r) >= d).all()
    assert np.array_equal(d[2], d[0] + d[1])
    assert np.array_equal(r[2], r[0] + r[1])
    assert (r[0, 0], r[1, 0], d[2].sum(), r[0, 3]) == (11, 9, 12, 6)
    assert leaving_of(r)[2, -1] > 0
    fresh = np.zeros(4)
    energies(problem, 0, d, r, fresh)
    if inverse_temperature > 0:
        np.testing.assert_array_equal(energy, fresh)


def test_moves_are_undone_exactly() -> None:
    targets = toy_targets((15, 15), 10, [])
    problem = build_problem(targets, Reading(None, None, None), TablePrior())
    d, r = first_table(targets)
    state, steps = random_state(np.random.SeedSequence(1)), np.zeros((2, STEP_FIELDS), np.int64)
    for _ in range(500):
        before = d.copy(), r.copy()
        n_steps = propose(problem.whole[0], problem.segment, d, r, state, steps)
        for i in range(n_steps):
            apply(d, r, steps, i, 1)
        for i in range(n_steps):
            apply(d, r, steps, i, -1)
        assert np.array_equal(d, before[0])
        assert np.array_equal(r, before[1])


def test_prior_of_one_table_is_beta_binomial() -> None:
    from tests.tables.toy import log_prior as by_scipy

    prior = TablePrior(event_mean=0.2, event_shape=0.7, censoring_mean=0.1)
    targets = toy_targets((9, 7), 6, [])
    problem = build_problem(targets, Reading(None, None, None), prior)
    d, r = first_table(targets)
    out = np.zeros((2, 6))
    log_prior(problem.prior, middle_levels(problem), d, r, out)
    for arm in range(2):
        assert out[arm].sum() == pytest.approx(by_scipy(d[arm], leaving_of(r)[arm] - d[arm], prior), abs=1e-8)


def test_random_numbers_are_uniform_and_reproducible() -> None:
    state = random_state(np.random.SeedSequence(5))
    draws = np.array([uniform(state) for _ in range(20_000)])
    again = random_state(np.random.SeedSequence(5))
    assert draws[0] == uniform(again)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert np.bincount((draws * 10).astype(int)).min() > 1_800


def test_resampling_is_systematic() -> None:
    weights = np.array([0.5, 0.25, 0.25, 0.0])
    for seed in range(20):
        copies = np.bincount(resample(weights, random_state(np.random.SeedSequence(seed))), minlength=4)
        assert copies.sum() == 4
        assert list(copies) == [2, 1, 1, 0]


def test_level_keeps_the_asked_share() -> None:
    energy = np.random.default_rng(1).exponential(3, 400)
    step = level_step(energy, 0.7)
    weights = np.exp(-step * energy)
    assert weights.sum() ** 2 / (weights**2).sum() / 400 == pytest.approx(0.7, abs=1e-6)


def test_error_of_an_evidence_is_not_bounded_by_one() -> None:
    """Close islands: SD / √n of the logs; two islands a factor e^10 apart: each without the other is the whole range."""
    logs = np.random.default_rng(1).normal(-30, 0.05, 40)
    assert evidence_error(logs) == pytest.approx(logs.std(ddof=1) / np.sqrt(40), rel=0.05)
    assert evidence_error(np.array([-20.0, -30.0])) == pytest.approx(np.sqrt(0.5 * 2 * 5.0**2))
    assert evidence_error(np.array([-20.0, -800.0, -820.0])) == pytest.approx(
        np.sqrt(2 / 3 * (2 * 260.0**2 + 520.0**2)), rel=1e-3
    )
    assert np.isnan(evidence_error(np.array([-20.0, -np.inf, -np.inf])))
    assert np.isnan(evidence_error(np.array([-20.0])))
