"""Tables drawn forward in time: structure of every kind held, cells in proportion to the prior, many patients at risk."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.forward.curve import can_have
from retrial.tables.kernel.forward.patients import drawn_leaving, drawn_time, fill_rates
from retrial.tables.kernel.forward.pools import drawn_events
from retrial.tables.kernel.prior import CENSORING, EVENT, TablePrior, equal_parts, fill_cells, log_factorials
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.smc.island import Sizes, prior_pairs
from retrial.tables.sample.structure import first_table
from tests.tables.toy import number, toy_targets

PRIOR = TablePrior(pieces=3)
PER_ARM = [number("events", "5", CONTROL), number("events", "3", EXPERIMENTAL)]
ENDS = [number("shortest", "1"), number("longest", "6")]
RISK = [number("at_risk", text, arm, time=3.0) for text, arm in (("7", CONTROL), ("10", EXPERIMENTAL))]
KINDS = {
    "free": [],
    "per arm": PER_ARM,
    "one arm": PER_ARM[:1],
    "other arm": PER_ARM[1:],
    "total": [number("events", "8")],
    "ends": [number("events", "8"), *ENDS],
    "risk": [*PER_ARM, *ENDS, *RISK, number("at_risk", "2", CONTROL, time=5.0)],
}


def sizes(particles: int) -> Sizes:
    """Of a small island."""
    return Sizes(particles, burn_in=50, proposals=50, most=50, target=0, share=0.6, last_temperature=10.0)


def holds(table: Table, item: Target) -> bool:
    values = {
        "events": lambda: table.events(item.arm),
        "shortest": table.shortest,
        "longest": table.longest,
        "at_risk": lambda: table.at_risk(item.arm, item.time),
    }
    return values[item.statistic]() == item.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_has_the_structure_and_its_own_totals(kind: str) -> None:
    targets = toy_targets((12, 14), 6, KINDS[kind])
    problem = build_problem(targets, Reading(None, None, None), PRIOR)
    population = prior_pairs(problem, first_table(targets), sizes(300), np.random.SeedSequence(1))
    d, r = population.tables()
    assert (d[:, 2] == d[:, 0] + d[:, 1]).all()
    assert (r[:, 2] == r[:, 0] + r[:, 1]).all()
    assert (r[:, :2, 0] == [12, 14]).all()
    leaving = leaving_of(r[:, :2])
    assert (leaving >= d[:, :2]).all()
    assert (leaving.sum(axis=-1) == [12, 14]).all()
    assert np.isfinite(population.hazards).all()
    for events, gone in zip(d[:, :2], leaving, strict=True):
        table = Table(targets.times, events, gone - events)
        assert all(holds(table, item) for item in targets.targets)


N_TIMES = 7
EDGES = equal_parts(N_TIMES, 3)


def hazards_of(seed: int, pieces: int = 3) -> np.ndarray:
    """Log hazards (2, 2, pieces) of events and censorings in both arms."""
    return np.log(np.random.default_rng(seed).uniform(0.05, 0.5, (2, 2, pieces)))


def cells_of(hazards: np.ndarray) -> np.ndarray:
    cells = np.empty((2, 2, N_TIMES))
    for arm in range(2):
        fill_cells(hazards, arm, EDGES, cells)
    return cells


def test_cells_are_a_probability() -> None:
    assert np.exp(cells_of(hazards_of(1))).sum(axis=(1, 2)) == pytest.approx([1.0, 1.0], abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [(EVENT, 0, 6), (CENSORING, 0, 6), (EVENT, 2, 4), (CENSORING, 3, 6), (CENSORING, 1, 4)]
)
def test_times_are_drawn_as_the_cells_say(kind: int, low: int, high: int) -> None:
    hazards, state = hazards_of(2), random_state(np.random.SeedSequence(2))
    rates, weights = np.empty((3, 4)), np.empty(4)
    fill_rates(hazards, 1, rates)
    drawn = np.bincount([drawn_time(rates, kind, low, high, EDGES, weights, state) for _ in range(20_000)], minlength=N_TIMES)
    expected = np.exp(cells_of(hazards)[1, kind])
    expected[:low], expected[high + 1 :] = 0.0, 0.0
    assert drawn[expected == 0].sum() == 0
    assert stats.chisquare(drawn[low : high + 1], 20_000 * expected[low : high + 1] / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize(("low", "high"), [(0, 6), (2, 4), (3, 6)])
def test_patients_leave_as_the_cells_say(low: int, high: int) -> None:
    hazards, state = hazards_of(3), random_state(np.random.SeedSequence(3))
    rates, drawn = np.empty((3, 4)), np.zeros((2, N_TIMES))
    fill_rates(hazards, 0, rates)
    for _ in range(20_000):
        drawn[drawn_leaving(rates, low, high, EDGES, state)] += 1
    expected = np.exp(cells_of(hazards)[0])[:, low : high + 1]
    assert drawn[:, low : high + 1].sum() == 20_000
    assert stats.chisquare(drawn[:, low : high + 1].ravel(), (20_000 * expected / expected.sum()).ravel()).pvalue > 1e-3


def test_numbers_at_risk_of_many_patients_are_met() -> None:
    """300 patients an arm, exact at five times, with events that few drawn tables have."""
    at_risk = [number("at_risk", text, CONTROL, time=t) for text, t in (("287", 2.0), ("211", 3.0), ("150", 4.0), ("93", 5.0))]
    targets = toy_targets((300, 300), 6, [*at_risk, number("events", "137", CONTROL), number("events", "91", EXPERIMENTAL)])
    problem = build_problem(targets, Reading(None, None, None), PRIOR)
    d, r = prior_pairs(problem, first_table(targets), sizes(2), np.random.SeedSequence(3)).tables()
    assert (d[:, 0].sum(axis=-1) == 137).all()
    assert (d[:, 1].sum(axis=-1) == 91).all()
    assert (r[:, 0, 1:5] == [287, 211, 150, 93]).all()
    assert d[:, 2].sum() == 2 * (137 + 91)


@pytest.mark.parametrize("n_events", [0, 3, 9, 20])
def test_events_between_numbers_at_risk_have_their_total(n_events: int) -> None:
    """The mean weight is the probability of the total (binomials convolved), weighted draws are the numbers given it, and weights hardly differ."""
    strata = np.array([[0, 6, 0.2], [2, 9, 0.55], [3, 0, 0.5], [5, 5, 0.9]])
    state, factorials = random_state(np.random.SeedSequence(4)), log_factorials(30)
    events, logs = np.zeros((20_000, 4), np.int64), np.empty(20_000)
    for i in range(20_000):
        logs[i] = drawn_events(factorials, strata, 4, n_events, events[i], state)
    weights = np.exp(logs)
    assert (events.sum(axis=1) == n_events).all()
    own = [stats.binom.pmf(np.arange(row[1] + 1), int(row[1]), row[2]) for row in strata]
    later = np.convolve(np.convolve(own[1], own[2]), own[3])
    exact = np.convolve(own[0], later)[n_events]
    assert weights.mean() == pytest.approx(exact, abs=4 * weights.std() / np.sqrt(20_000) + 1e-12 * exact)
    assert weights.std() < 0.5 * weights.mean()
    first = np.array([own[0][k] * later[n_events - k] if 0 <= n_events - k < later.size else 0.0 for k in range(7)]) / exact
    found = np.bincount(events[:, 0], weights=weights, minlength=7) / weights.sum()
    assert found == pytest.approx(first, abs=0.02)


def test_more_events_than_leave_are_impossible() -> None:
    strata, state = np.array([[0, 6, 0.2], [2, 9, 0.55]]), random_state(np.random.SeedSequence(5))
    assert drawn_events(log_factorials(30), strata, 2, 16, np.zeros(2, np.int64), state) == -np.inf


@pytest.mark.parametrize(
    ("s", "left", "n_events", "possible"),
    [(1.0, 10, 5, True), (1.0, 10, 6, False), (0.8, 8, 3, True), (0.8, 8, 4, False), (0.8, 8, -1, False), (0.8, 8, 9, False)],
)
def test_events_that_may_still_come_on_a_curve(s: float, left: int, n_events: int, possible: bool) -> None:
    """Down to its last height 0.5, nobody censored any more: 10 · (1 - 0.5), 8 · (1 - 0.5 / 0.8); to the last patient where it ends early."""
    curve = np.array([[2.0, 0.8, 0.8, 0.01, np.nan, np.nan], [5.0, 0.5, 0.6, 0.01, np.nan, np.nan], [6.0, *5 * [np.nan]]])
    assert can_have(curve, s, left, n_events, 6) is possible
    assert can_have(curve, s, left, n_events, 9) is (0 <= n_events <= left)
