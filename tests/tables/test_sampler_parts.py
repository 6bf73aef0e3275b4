"""Energy, moves and start of the sampler, against the plain statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.tables.kernel.compiled import random_state, uniform
from retrial.tables.kernel.entries import Arms
from retrial.tables.kernel.groups import CENSORINGS_ALONE, EVENTS_ALONE, rotate
from retrial.tables.kernel.moves import BOTH, STEP_FIELDS
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading, all_readings
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import evidence_error, leaving_of
from retrial.tables.sample.smc.weights import effective, largest_step, resample
from retrial.tables.sample.structure import first_table, with_totals
from tests.tables.toy import at_table, number, toy_targets

EVERYTHING = all_readings(tuple(RatioReading), tuple(TestReading), tuple(MedianReading))


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
    one = at_table(problem, with_totals(d, d + c), seed)
    assert one.energy.sum() == 0.0
    assert violated(table, targets, reading) == ()
    # One patient moved: both sides must judge alike, whatever the judgement.
    one.walk(np.zeros(1, np.int64), BOTH, 3)
    one.look(BOTH)
    dd, rr = (array[0] for array in one.tables())
    moved = Table(table.times, dd[:2], leaving_of(rr[:2]) - dd[:2])
    assert (one.energy.sum() == 0.0) == (violated(moved, targets, reading) == ())


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 5.0]))
def test_walk_keeps_counts_and_its_own_books(seed: int, inverse_temperature: float) -> None:
    targets = toy_targets(
        (11, 9),
        8,
        [number("events", "12"), number("at_risk", "6", "control", time=4), number("longest", "8"), number("median", "4")],
    )
    problem = build_problem(targets, Reading(None, None, None), TablePrior())
    one = at_table(problem, first_table(targets), seed)
    one.cold[:] = inverse_temperature
    one.walk(np.zeros(1, np.int64), BOTH, 400)
    assert np.isfinite(one.hazards).all()
    d, r = (array[0] for array in one.tables())
    assert (d >= 0).all()
    assert (leaving_of(r) >= d).all()
    assert np.array_equal(d[2], d[0] + d[1])
    assert np.array_equal(r[2], r[0] + r[1])
    assert (r[0, 0], r[1, 0], d[2].sum(), r[0, 3]) == (11, 9, 12, 6)
    assert leaving_of(r)[2, -1] > 0
    kept = one.energy.copy()
    one.look(BOTH)
    if inverse_temperature > 0:
        np.testing.assert_array_equal(kept, one.energy)


def entries(random: np.random.Generator, n_times: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(2, M) grid indices, events and censorings of a first arm, and (2,) numbers of entries."""
    size = random.integers(1, most)
    t, d, c = (np.zeros((2, 4 * most), np.int64) for _ in range(3))
    t[0, :size] = np.sort(random.choice(n_times, size, replace=False))
    d[0, :size], c[0, :size] = random.integers(0, 3, (2, size))
    c[0, :size] += (d[0, :size] + c[0, :size]) == 0
    return t, d, c, np.array([size, 0])


def in_all_slots(
    n_times: int, t: np.ndarray, d: np.ndarray, c: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The same with an entry for every grid time."""
    both = [np.stack([dense(t, counts, m[0], n_times), np.zeros(n_times, int)]) for counts in (d, c)]
    return np.tile(np.arange(n_times), (2, 1)), *both, np.array([n_times, n_times])


def dense(t: np.ndarray, counts: np.ndarray, m: int, n_times: int) -> np.ndarray:
    """(T,) counts at every grid time of the first arm."""
    out = np.zeros(n_times, int)
    out[t[0, :m]] = counts[0, :m]
    return out


@pytest.mark.parametrize("slots", [False, True])
def test_stretches_that_change_places_are_those_of_plain_slices(slots: bool) -> None:
    random, n_times = np.random.default_rng(1), 40
    segment = np.zeros((2, n_times, 2), np.int64)
    segment[:, :, 1] = n_times - 1
    state, made = random_state(np.random.SeedSequence(2)), 0
    steps = np.zeros((2, STEP_FIELDS), np.int64)
    for _ in range(1000):
        t, d, c, m = in_all_slots(n_times, *entries(random, n_times, 12)) if slots else entries(random, n_times, 12)
        new = tuple(np.zeros_like(t) for _ in range(3))
        before = state.copy()
        size = rotate(segment, Arms(t, d, c, m, m, slots), 0, state, Arms(*new, m.copy(), m, slots), steps)
        if size < 0:
            continue
        made += 1
        draws = [uniform(before) for _ in range(5)]
        start = int(draws[0] * n_times)
        if start == n_times - 1:  # it had to draw again
            start, draws = int(draws[1] * n_times), draws[1:]
        track = int(draws[3] * 3)
        first, second = (min(int((n_times - start) ** u), n_times - start - 1) for u in draws[1:3])

        def turned(
            counts: np.ndarray, start: int = start, middle: int = start + first, stop: int = start + first + second
        ) -> np.ndarray:
            return np.concatenate([counts[:start], counts[middle:stop], counts[start:middle], counts[stop:]])

        events, censored = dense(t, d, m[0], n_times), dense(t, c, m[0], n_times)
        assert (np.diff(new[0][0, :size]) > 0).all()
        assert np.array_equal(dense(new[0], new[1], size, n_times), events if track == CENSORINGS_ALONE else turned(events))
        assert np.array_equal(dense(new[0], new[2], size, n_times), censored if track == EVENTS_ALONE else turned(censored))
        assert (steps[0, 2], steps[0, 4]) == (start, start + first + second - 1)
    assert made > 300


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
        copies = np.bincount(resample(weights, (seed + 0.5) / 20), minlength=4)
        assert copies.sum() == 4
        assert list(copies) == [2, 1, 1, 0]


def test_level_keeps_the_asked_share() -> None:
    energy = np.random.default_rng(1).exponential(3, 400)
    step = largest_step(lambda step: effective(np.exp(-step * energy)) > 0.7 * 400)
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
