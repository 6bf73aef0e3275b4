"""`LifeTable`: collapsing patients loses nothing but their names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.dims import ARM, ARMS, RECONSTRUCTION, TIME
from retrial.errors import DataError
from retrial.fit.survival.likelihood import survival_data
from retrial.tables.life_table import LifeTable

SETTINGS = settings(derandomize=True, max_examples=100, deadline=None)
TIMES = st.integers(0, 12).map(float) | st.floats(0, 1e6, allow_subnormal=False)
PATIENTS = st.lists(st.tuples(TIMES, st.booleans(), st.booleans()), min_size=1, max_size=40)
Patients = list[tuple[float, bool, bool]]


def table_of(patients: Patients) -> LifeTable:
    time, event, experimental = (np.array(column) for column in zip(*patients, strict=True))
    return LifeTable.from_patients(time, event, experimental)


@SETTINGS
@given(patients=PATIENTS)
def test_collapsing_counts_what_a_plain_loop_counts(patients: Patients) -> None:
    table = table_of(patients)
    assert table.times.tolist() == sorted({time for time, _, _ in patients})
    events, censored = table.counts()
    at_risk = table.at_risk.to_numpy()[0]
    for arm in range(len(ARMS)):
        for column, t in enumerate(table.times):
            in_row = [event for time, event, experimental in patients if time == t and experimental == arm]
            assert events[arm, column] == sum(in_row)
            assert censored[arm, column] == len(in_row) - sum(in_row)
            assert at_risk[arm, column] == sum(time >= t and experimental == arm for time, _, experimental in patients)
    assert table.n.to_numpy().tolist() == [
        [sum(experimental == arm for _, _, experimental in patients) for arm in range(len(ARMS))]
    ]


def test_the_arms_are_named_control_and_experimental() -> None:
    table = table_of([(1.0, True, True), (2.0, True, False), (2.0, False, False)])
    assert table.n.sel({ARM: "experimental"}).item() == 1
    assert table.n.sel({ARM: "control"}).item() == 2
    assert table.events.sel({ARM: "experimental", TIME: 1.0}).item() == 1


@SETTINGS
@given(patients=PATIENTS, data=st.data())
def test_the_order_of_the_patients_does_not_matter(patients: Patients, data: st.DataObject) -> None:
    assert table_of(patients).data.identical(table_of(data.draw(st.permutations(patients))).data)


@SETTINGS
@given(patients=PATIENTS)
def test_patients_come_back_as_they_went_in(patients: Patients) -> None:
    back = table_of(patients).patients()
    rows = zip(back["time"].tolist(), back["event"].tolist(), back["experimental"].tolist(), strict=True)
    assert sorted(rows) == sorted((time, int(event), int(experimental)) for time, event, experimental in patients)
    again = LifeTable.from_patients(back["time"], back["event"], back["experimental"])
    assert again.data.identical(table_of(patients).data)


def test_tables_of_several_reconstructions() -> None:
    events = np.array([[[1, 0, 2], [0, 1, 0]], [[0, 0, 3], [1, 0, 0]]])
    censored = np.array([[[0, 4, 0], [2, 0, 1]], [[5, 0, 0], [0, 0, 3]]])
    table = LifeTable.from_counts([0, 1.5, 6], events, censored)
    assert table.data.sizes == {RECONSTRUCTION: 2, ARM: 2, TIME: 3}
    assert table.n.to_numpy().tolist() == [[7, 4], [8, 4]]
    assert table.at_risk.dims == (RECONSTRUCTION, ARM, TIME)
    assert table.at_risk.to_numpy().tolist() == [[[7, 6, 2], [4, 2, 1]], [[8, 3, 3], [4, 3, 3]]]
    for reconstruction in (0, 1, -1):
        one = table.select(reconstruction)
        assert one.n_reconstructions == 1
        assert np.array_equal(one.counts()[0], events[reconstruction])
        assert np.array_equal(one.counts()[1], table.counts(reconstruction)[1])
        assert len(one.patients()["time"]) == one.n.sum()
    with pytest.raises(IndexError):
        table.select(2)


def test_counts_are_copied_to_whole_numbers() -> None:
    events = np.array([[1.0, 2.0], [0.0, 1.0]])
    table = LifeTable.from_counts([1, 2], events, np.zeros((2, 2)))
    events[0, 0] = 9
    assert table.counts()[0][0, 0] == 1
    assert table.counts()[0].dtype == np.int64


ZEROS = np.zeros((2, 2))


@pytest.mark.parametrize(
    ("times", "events", "censored"),
    [
        ([1, 2], ZEROS, np.zeros((2, 3))),
        ([1, 2], np.zeros((3, 2)), np.zeros((3, 2))),
        ([1, 2, 3], ZEROS, ZEROS),
        ([1, 2], np.zeros(2), np.zeros(2)),
        ([1, 2], np.array(0), np.array(0)),
        ([1, 2], np.zeros((3, 2, 2)), ZEROS),
        ([1, 2], ZEROS - 1, ZEROS),
        ([1, 2], ZEROS + 0.5, ZEROS),
        ([1, 2], ZEROS, ZEROS + np.nan),
        ([1, 2], ZEROS, ZEROS + np.inf),
        ([1, 2], ZEROS, ZEROS + 1e300),
        ([1, 2], ZEROS.astype(str), ZEROS),
        ([2, 1], ZEROS, ZEROS),
        ([1, 1], ZEROS, ZEROS),
        ([-1, 1], ZEROS, ZEROS),
        ([1, np.inf], ZEROS, ZEROS),
        ([np.nan, 1], ZEROS, ZEROS),
        ([], np.zeros((2, 0)), np.zeros((2, 0))),
    ],
)
def test_bad_counts_are_data_errors(times: list[float], events: np.ndarray, censored: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"got .*; allowed"):
        LifeTable.from_counts(times, events, censored)


@pytest.mark.parametrize(
    ("time", "event", "experimental"),
    [
        ([], [], []),
        ([1, 2], [1], [0, 1]),
        ([1, 2], [1, 0], [0]),
        ([[1, 2]], [[1, 0]], [[0, 1]]),
        ([1, -2], [1, 0], [0, 1]),
        ([1, np.nan], [1, 0], [0, 1]),
        ([1, np.inf], [1, 0], [0, 1]),
        ([1, 2], [1, 2], [0, 1]),
        ([1, 2], [1, 0.5], [0, 1]),
        ([1, 2], [1, np.nan], [0, 1]),
        ([1, 2], [1, 0], [0, 3]),
    ],
)
def test_bad_patients_are_data_errors(time: list[float], event: list[float], experimental: list[float]) -> None:
    with pytest.raises(DataError, match=r"got .*; allowed"):
        LifeTable.from_patients(np.array(time), np.array(event), np.array(experimental))


def test_every_recording_unit_has_a_row() -> None:
    """An event recorded in week 12 after one in week 3 happened in the week before 12, not in the nine weeks since."""
    week = 12 / 365.25 * 7
    table = LifeTable.from_counts(np.array([3, 12]) * week, np.array([[1, 2], [0, 1]]), np.array([[0, 3], [4, 0]]))
    full = table.on_recording_grid(week)
    assert full.times == pytest.approx(np.arange(1, 13) * week, abs=1e-12)
    assert full.events.sum() == 4
    assert full.censored.sum() == 7
    data = survival_data(full, 0, "ceiling")
    assert (data.times - data.previous) == pytest.approx(np.full(12, week), abs=1e-12)
    assert data.events[:, [2, 11]].tolist() == [[1.0, 2.0], [0.0, 1.0]]


def test_times_between_recording_units_are_refused() -> None:
    table = LifeTable.from_counts([1.0, 2.5], np.ones((2, 2), int), np.zeros((2, 2), int))
    with pytest.raises(DataError, match=r"2\.5 recording units"):
        table.on_recording_grid(1.0)


@st.composite
def late_patients(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    size = draw(st.integers(1, 12))
    time = draw(st.lists(st.integers(1, 6), min_size=size, max_size=size))
    entry = [draw(st.integers(0, t - 1)) for t in time]
    event, arm = (draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)) for _ in range(2))
    return np.array(time, float), np.array(event), np.array(arm), np.array(entry, float)


@given(late_patients())
def test_late_entry_at_risk_sets_and_patients_are_the_patients_own(patients: tuple[np.ndarray, ...]) -> None:
    time, event, arm, entry = patients
    table = LifeTable.from_patients(time, event, arm, entry)
    for index in (0, 1):
        expected = [((time >= t) & (entry < t) & (arm == index)).sum() for t in table.times]
        assert table.at_risk.to_numpy()[0, index].tolist() == expected
    back = table.patients()
    rows = [sorted(zip(*(np.asarray(x, float) for x in columns), strict=True)) for columns in (patients, back.values())]
    assert len(back) == (4 if entry.any() else 3)
    assert rows[1] == (rows[0] if entry.any() else [row[:3] for row in rows[0]])
    grid = table.on_recording_grid(1.0)
    assert grid.at_risk.sel(time=table.times).to_numpy().tolist() == table.at_risk.to_numpy().tolist()
    again = LifeTable(table.data.copy(deep=True)).select(0)
    assert again.at_risk.to_numpy().tolist() == table.at_risk.to_numpy().tolist()


@pytest.mark.parametrize("entry", [[0.0, 2.0], [0.0, 3.0], [0.0, -1.0], [0.0, np.nan], [0.0]])
def test_entries_that_cannot_be_are_refused(entry: list[float]) -> None:
    with pytest.raises(DataError):
        LifeTable.from_patients(np.array([1.0, 2.0]), np.ones(2), np.array([0, 1]), np.array(entry))


def test_events_at_time_zero_move_before_every_other_time_and_censorings_stay() -> None:
    time, entry = np.array([0.0, 0, 0, 2, 3]), np.array([0.0, 0, 0, 0, 2])
    table = LifeTable.from_patients(time, np.array([1, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 0]), entry)
    moved = table.with_first_events_at(0.5)
    assert moved.times.tolist() == [0, 0.5, 2, 3]
    assert moved.events.to_numpy()[0].tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]
    assert moved.censored.to_numpy()[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert moved.at_risk.to_numpy()[0].tolist() == [[2, 1, 0, 1], [2, 2, 1, 0]]
    assert moved.with_first_events_at(0.1) is moved
    for months in (0.0, 2.0, 7.0):
        with pytest.raises(DataError, match="before the next one"):
            table.with_first_events_at(months)
    grid = table.on_recording_grid(1.0)
    assert grid.times.tolist() == [0, 1, 2, 3]
    assert grid.events.to_numpy()[0].tolist() == [[0, 1, 0, 1], [0, 1, 1, 0]]
