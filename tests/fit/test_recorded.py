"""Readings of recorded times: what each likelihood is, at time 0 too, and that the right one finds the truth."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy import optimize

from retrial.criticism.predictive import scheme_of
from retrial.errors import DataError
from retrial.fit.survival.intervals import CutRule, IntervalRule, interval_counts
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, survival_data
from retrial.models import cure, exponential
from retrial.study.endpoints import Endpoint
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded, recording_intervals

GROUPED: tuple[Recorded, ...] = tuple(name for name in get_args(Recorded) if name != "exact")
RATE = np.log(2) / 4.0
POINT = {"control_median": 4.0, "log_hazard_ratio": 0.0}


def survival(t: float) -> float:
    return float(np.exp(-RATE * max(t, 0.0)))


def total(data: SurvivalData, point: dict[str, float]) -> float:
    cells = cell_log_likelihood(exponential.hazard, data.times, data.previous, point, data.recorded, np, len(data.counts))
    return float((cells * data.counts).sum())


def table_at_zero(recorded: Recorded, unit: float) -> LifeTable:
    """Three events at 0, one at 2 units, a censoring at 0 and one at 3 units."""
    times = np.array([0, 0, 0, 2, 0, 3]) * unit
    return LifeTable.from_patients(times, np.array([1, 1, 1, 1, 0, 0]), np.array([0, 0, 1, 0, 1, 1])).on_recording_grid(
        unit, recorded
    )


@pytest.mark.parametrize("unit", [1.0, 0.5])
@pytest.mark.parametrize(
    ("recorded", "zero", "two", "end"),
    [("nearest", (0, 0.5), (1.5, 2.5), 3), ("floor", (0, 1), (2, 3), 3.5), ("ceiling", (0, 1), (1, 2), 3)],
)
def test_events_at_time_zero_happened_in_the_first_unit(
    recorded: Recorded, zero: tuple[float, float], two: tuple[float, float], end: float, unit: float
) -> None:
    table = table_at_zero(recorded, unit)
    assert (table.times[table.events.to_numpy().sum(axis=(0, 1)) > 0] > 0).all()
    found = total(survival_data(table, 0, recorded), POINT)
    chances = [survival(a * unit) - survival(b * unit) for a, b in (zero, two)]
    assert found == pytest.approx(3 * np.log(chances[0]) + np.log(chances[1]) - RATE * end * unit, abs=1e-10)


def test_readings_put_events_side_by_side() -> None:
    """Neighbouring times share an end: nothing is left out and nothing is there twice."""
    times = np.arange(1.0, 6.0)
    for recorded in GROUPED:
        start, end, point = recording_intervals(times, times - 1, recorded)
        np.testing.assert_allclose(start[1:], end[:-1])
        assert ((start <= point) & (point <= end)).all()
        assert ((start <= times) & (times <= end)).all()


def recorded_as(time: np.ndarray, recorded: Recorded) -> np.ndarray:
    return {"nearest": np.round, "floor": np.floor, "ceiling": np.ceil}.get(recorded, lambda t: t)(time)


def fitted_median(data: SurvivalData) -> float:
    found = optimize.minimize_scalar(
        lambda x: -total(data, {"control_median": np.exp(x), "log_hazard_ratio": 0.0}), bounds=(0.0, 3.0), method="bounded"
    )
    return float(np.exp(found.x))


@pytest.mark.parametrize("recorded", GROUPED)
def test_the_right_reading_finds_the_truth(recorded: Recorded) -> None:
    """40,000 patients with a median of 4 units: the right reading is within 1 % of it, the same times taken for exact are not (but `nearest`)."""
    rng = np.random.default_rng(4)
    time, limit = rng.exponential(1 / RATE, 40_000), rng.uniform(2, 12, 40_000)
    # whoever is censored is seen last at a visit, where times are those of visits
    limit = np.ceil(limit) if recorded == "ceiling" else limit
    kept, event = recorded_as(np.minimum(time, limit), recorded), time <= limit
    table = LifeTable.from_patients(kept, event, np.zeros(kept.size, dtype=int))
    assert fitted_median(survival_data(table.on_recording_grid(1.0, recorded), 0, recorded)) == pytest.approx(4.0, rel=0.01)
    exact = fitted_median(survival_data(table.with_first_events_at(0.5)))
    assert abs(exact - 4.0) > (0.01 if recorded == "nearest" else 0.2)


@pytest.mark.parametrize("recorded", GROUPED)
def test_intervals_end_where_recording_units_do(recorded: Recorded) -> None:
    """Sufficient statistics of a constant hazard give the cells' likelihood; every recorded month stays in the interval of its number."""
    rng = np.random.default_rng(6)
    time = rng.integers(1, 20, 90).astype(float)
    table = LifeTable.from_patients(time, rng.integers(0, 2, 90), rng.integers(0, 2, 90)).on_recording_grid(1.0, recorded)
    for rule in (IntervalRule(CutRule.EQUAL_WIDTH, 5, 3.0), IntervalRule(CutRule.EQUAL_EVENTS, 4)):
        cuts = rule.cuts(table, np.ones(1), recorded)
        data = survival_data(table, 0, recorded)
        counts = interval_counts(data, cuts)
        log_likelihood = counts.events.sum() * np.log(-np.expm1(-RATE * counts.step)) - RATE * counts.exposure.sum()
        assert log_likelihood == pytest.approx(total(data, POINT), abs=1e-9)
        whole = rule.cuts(table, np.ones(1))
        members = [((time > a) & (time <= b)) for a, b in zip((0, *whole), (*whole, np.inf), strict=True)]
        events = table.events.to_numpy().sum(axis=(0, 1))[np.rint(time).astype(int) - 1] > 0
        assert [bool((m & events).any()) for m in members] == (counts.events.sum(axis=0) > 0).tolist()


def test_intervals_shorter_than_a_unit_are_refused() -> None:
    table = LifeTable.from_patients(np.arange(1.0, 9.0), np.ones(8), np.arange(8) % 2).on_recording_grid(1.0, "nearest")
    with pytest.raises(DataError, match="allowed are intervals of a unit or more"):
        IntervalRule(CutRule.EQUAL_WIDTH, 5, 0.5).cuts(table, np.ones(1), "nearest")


def test_events_on_a_plateau_keep_a_likelihood() -> None:
    """Where H no longer grows in floating point, an event has the hazard times the unit: small, not 0."""
    point = {"uncured_median": 2.0, "shape": 1.5, "control_cure_logit": 0.0, "log_cure_odds_ratio": 0.0, "log_hazard_ratio": 0.0}
    times = np.array([30.0, 60.0, 200.0])
    cells = cell_log_likelihood(cure.hazard, times, times - 1, point, "nearest", np)
    log_hazard = cure.hazard(times, np.zeros((2, 1)), point, np)[0]
    assert np.isfinite(cells).all()
    np.testing.assert_allclose(cells[0, 0, 1:], log_hazard[0, 1:] + np.log(0.5), rtol=0.02)


def test_simulated_times_are_recorded_as_the_data_are() -> None:
    table = table_at_zero("floor", 1.0)
    assert scheme_of(table, "floor").until.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert scheme_of(table_at_zero("nearest", 1.0), "nearest").until.tolist() == [0.0, 0.5, 1.5, 2.5, 3.5]


def test_interval_is_the_older_name_of_ceiling() -> None:
    assert [Endpoint(recorded=name).reading for name in ("interval", *get_args(Recorded))] == ["ceiling", *get_args(Recorded)]
