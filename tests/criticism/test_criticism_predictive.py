"""Simulated studies: the same as patients drawn one by one, bands that hold what they say, prior draws from the prior."""

from __future__ import annotations

import numpy as np
import pytest
from criticism_factory import exponential, simulated_table
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from retrial.criticism.predictive import MOST_TIMES, even_rows, prior_draws, scheme_of, simulated_kaplan_meier
from retrial.criticism.recording import recording_intervals
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import survival_data
from retrial.models import piecewise_exponential, weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

RATE = np.log(2) / 7


@pytest.fixture(scope="module")
def table() -> LifeTable:
    return simulated_table(np.random.default_rng(1), 60, unit=1.0)


def test_censoring_is_the_reverse_kaplan_meier_estimate() -> None:
    # without ties between events and censorings, whose order is a convention
    time = np.array([1, 2, 3, 4, 5, 6, 7, 8.0])
    event = np.array([1, 0, 1, 0, 0, 1, 1, 0])
    table = LifeTable.from_patients(np.tile(time, 2), np.tile(event, 2), np.repeat([0, 1], 8))
    scheme = scheme_of(table, "exact")
    staying = np.cumprod(1 - scheme.censoring[0, 0])
    reverse = KaplanMeierFitter().fit(time, 1 - event).survival_function_at_times(time).to_numpy()
    assert staying == pytest.approx(reverse)
    assert scheme.n.tolist() == [[8, 8]]
    assert scheme.until.tolist() == (time + 0.5).tolist()
    assert scheme_of(table, "ceiling").until.tolist() == time.tolist()


def test_follow_up_ends_with_the_arms_last_patient() -> None:
    events = np.array([[[0, 1, 2, 0], [1, 0, 0, 2]]])
    table = LifeTable.from_counts([2.0, 3.0, 4.0, 5.0], events, np.array([[[1, 0, 0, 0], [0, 1, 0, 0]]]))
    scheme = scheme_of(table, "exact")
    # month 1 is put before the first recorded one; the control arm's last two leave by events in month 4
    assert scheme.times.tolist() == [1, 2, 3, 4, 5]
    assert scheme.censoring[0].tolist() == [[0, 0.25, 0, 1, 1], [0, 0, 1 / 3, 0, 1]]


def _patients_one_by_one(table: LifeTable, rng: np.random.Generator) -> np.ndarray:
    """Kaplan-Meier curve of the control arm of one new study, drawn patient by patient, by lifelines."""
    scheme = scheme_of(table, "exact")
    n, times = int(scheme.n[0, 0]), scheme.times
    of_event = np.searchsorted(scheme.until, rng.exponential(1 / RATE, n))
    leaving = np.append(scheme.censoring[0, 0], 1.0)
    # month of censoring: the first at which a coin with its hazard falls
    of_censoring = (rng.uniform(size=(n, leaving.size)) < leaving).argmax(axis=1)
    seen = np.minimum(of_event, of_censoring)
    return KaplanMeierFitter().fit(seen, of_event <= of_censoring).survival_function_at_times(np.arange(times.size)).to_numpy()


def test_a_chain_of_binomials_is_a_study_of_patients(table: LifeTable) -> None:
    rng = np.random.default_rng(2)
    one_by_one = np.stack([_patients_one_by_one(table, rng) for _ in range(250)])
    size = 10_000
    chain = simulated_kaplan_meier(
        exponential, {"rate": np.full(size, RATE)}, scheme_of(table, "exact"), np.zeros(size, int), rng
    )
    chain = chain[:, 0, :10]
    mean, sd = one_by_one[:, :10].mean(0), one_by_one[:, :10].std(0)
    assert np.abs(chain.mean(0) - mean) == pytest.approx(np.zeros(10), abs=4 * sd.max() / np.sqrt(250))
    assert chain.std(0) == pytest.approx(sd, rel=0.15)
    # patients are recorded to the nearest month: at month 3, all that had an event before 3.5
    assert chain.mean(0)[2] == pytest.approx(np.exp(-RATE * 3.5), abs=0.003)


def test_bands_cover_what_they_say(table: LifeTable) -> None:
    rng = np.random.default_rng(3)
    size = 4000
    studies = simulated_kaplan_meier(
        exponential, {"rate": np.full(size, RATE)}, scheme_of(table, "exact"), np.zeros(size, int), rng
    )
    for low, high, level in ((0.025, 0.975, 0.95), (0.25, 0.75, 0.5)):
        lower, upper = np.quantile(studies[:, 0, :10], [low, high], axis=0)
        real = np.stack([_patients_one_by_one(table, rng) for _ in range(200)])[:, :10]
        # 10 months of 200 studies, months of a study alike; a step curve's values are discrete, so that a band holds rather more
        assert level - 0.06 < ((real >= lower) & (real <= upper)).mean() < min(level + 0.12, 1.0)


def test_a_wrong_truth_leaves_the_band(table: LifeTable) -> None:
    rng = np.random.default_rng(4)
    draws = {"rate": np.full(2000, 2.5 * RATE)}
    studies = simulated_kaplan_meier(exponential, draws, scheme_of(table, "exact"), np.zeros(2000, int), rng)
    upper = np.quantile(studies[:, 0, 4], 0.975)
    assert np.mean([_patients_one_by_one(table, rng)[4] > upper for _ in range(50)]) > 0.9


def test_the_number_of_patients_costs_nothing() -> None:
    table = LifeTable.from_counts(np.arange(1.0, 13), np.full((1, 2, 12), 40_000), np.full((1, 2, 12), 5_000))
    rng = np.random.default_rng(5)
    found = simulated_kaplan_meier(exponential, {"rate": np.full(500, RATE)}, scheme_of(table, "exact"), np.zeros(500, int), rng)
    assert found[:, 0, 4].mean() == pytest.approx(np.exp(-RATE * 5.5), abs=1e-3)
    assert found[:, 0, 4].std() < 2e-3


def test_long_tables_are_merged() -> None:
    rng = np.random.default_rng(6)
    table = simulated_table(rng, 1500)
    assert table.times.size > 2000
    scheme = scheme_of(table, "exact")
    assert scheme.times.size <= MOST_TIMES
    assert scheme.times[-1] == table.times[-1]
    assert (np.diff(scheme.until) > 0).all()
    found = simulated_kaplan_meier(exponential, {"rate": np.full(300, RATE)}, scheme, np.zeros(300, int), rng)
    middle = int(np.searchsorted(scheme.times, 5.0))
    assert found[:, 0, middle].mean() == pytest.approx(np.exp(-RATE * scheme.until[middle]), abs=5e-3)


def test_recording_intervals() -> None:
    start, end = recording_intervals(np.array([1.0, 2, 5]), np.array([0.0, 1, 2]), "exact")
    assert (start.tolist(), end.tolist()) == ([0, 1.5, 4.5], [1.5, 2.5, 5.5])
    start, end = recording_intervals(np.array([1.0, 2, 5]), np.array([0.0, 1, 2]), "ceiling")
    assert (start.tolist(), end.tolist()) == ([0, 1, 2], [1, 2, 5])
    assert recording_intervals(np.array([4.0]), np.array([0.0]), "exact")[1].tolist() == [4.0]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(weights=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30).filter(lambda w: sum(w) > 0.01), size=st.integers(1, 500))
def test_every_table_gets_its_share(weights: list[float], size: int) -> None:
    shares = np.array(weights) / sum(weights)
    rows = even_rows(np.array(weights), size)
    assert rows.size == size
    assert (np.diff(rows) >= 0).all()
    assert np.abs(np.bincount(rows, minlength=shares.size) - size * shares).max() <= 1 + 1e-6


def test_prior_draws_are_the_priors() -> None:
    priors = PriorSet(
        "p",
        {
            "log_hazard_ratio": Prior("normal_mixture", ((0.5, 0.5), (-1.0, 1.0), (0.1, 0.1))),
            "log_baseline_hazard": Prior("normal", (-3.0, 0.5)),
            "walk_scale": Prior("half_normal", (0.5,)),
        },
    )
    data = interval_counts(survival_data(simulated_table(np.random.default_rng(7), 20, unit=1.0)), (3.0, 6.0, 9.0))
    found = prior_draws(piecewise_exponential.build(data, priors), priors, 4000, np.random.default_rng(8))
    assert found["walk_steps"].shape == (4000, 3)
    assert found["walk_steps"].std(0) == pytest.approx(np.ones(3), abs=0.05)
    assert found["log_baseline_hazard"].mean() == pytest.approx(-3.0, abs=0.04)
    assert np.median(found["walk_scale"]) == pytest.approx(0.5 * 0.6745, abs=0.03)
    assert np.abs(found["log_hazard_ratio"]).mean() == pytest.approx(1.0, abs=0.02)
    again = prior_draws(piecewise_exponential.build(data, priors), priors, 4000, np.random.default_rng(8))
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_draws_far_out_break_nothing(table: LifeTable) -> None:
    draws = {
        "control_median": np.array([1e-9, 1e9, 10.0]),
        "shape": np.array([9.0, 9.0, 0.05]),
        "log_hazard_ratio": np.array([30.0, -30.0, 800.0]),
    }
    found = simulated_kaplan_meier(weibull.hazard, draws, scheme_of(table, "exact"), np.zeros(3, int), np.random.default_rng(9))
    assert found[0, 0, 0] == 0
    assert (found[1] == 1).all()
    assert np.isfinite(found).all()


def test_simulated_studies_let_patients_in_when_the_studys_did() -> None:
    """A constant hazard seen from late entries: curves of new studies lie around it, and nobody is lost where nobody was at risk."""
    rng = np.random.default_rng(4)
    entry, arm = rng.integers(0, 12, 4000).astype(float), np.arange(4000) % 2
    table = LifeTable.from_patients(np.minimum(np.ceil(entry + rng.exponential(10.0, 4000)), 24.0), np.ones(4000), arm, entry)
    scheme = scheme_of(table, "ceiling")
    assert scheme.n.sum() + scheme.entering.sum() == 4000
    studies = simulated_kaplan_meier(exponential, {"rate": np.full(50, 0.1)}, scheme, np.zeros(50, int), rng)
    inside = scheme.times < 24
    assert np.abs(studies.mean(axis=0) - np.exp(-0.1 * scheme.times))[:, inside].max() < 0.01
