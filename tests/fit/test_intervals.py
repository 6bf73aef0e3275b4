"""Cut points of piecewise constant hazards, and what a table is collapsed to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.errors import DataError
from retrial.fit.survival.intervals import CutRule, IntervalRule, equal_event_cuts, interval_counts, share_and_information
from retrial.fit.survival.likelihood import survival_data
from retrial.tables.life_table import LifeTable


def tables(*events: list[int]) -> LifeTable:
    """Tables with these events in the control arm, months 1, 2, ..."""
    d = np.zeros((len(events), 2, len(events[0])), dtype=int)
    d[:, 0] = events
    return LifeTable.from_counts(np.arange(1.0, len(events[0]) + 1), d, np.zeros_like(d))


def test_equal_widths() -> None:
    assert IntervalRule(CutRule.EQUAL_WIDTH, 4, 2.5).cuts(tables([1, 1]), np.ones(1)) == (2.5, 5.0, 7.5)


def test_equal_events_without_ties_are_equal() -> None:
    assert equal_event_cuts(tables([1] * 12), np.ones(1), 4) == (3.0, 6.0, 9.0)


def test_equal_events_follow_the_weighted_tables() -> None:
    early, late = [3, 3, 0, 0, 0, 0], [0, 0, 0, 0, 3, 3]
    both = tables(early, late)
    assert equal_event_cuts(both, np.array([0.5, 0.5]), 2) == (2.0,)
    assert equal_event_cuts(both, np.array([0.1, 0.9]), 2) == (5.0,)
    assert equal_event_cuts(both, np.array([0.9, 0.1]), 2) == (1.0,)


def test_too_few_times_with_events_are_refused() -> None:
    with pytest.raises(DataError, match="intervals.count: got 3 with equal events; allowed is at most 2"):
        equal_event_cuts(tables([4, 0, 4]), np.ones(1), 3)


@settings(derandomize=True, max_examples=100)
@given(st.lists(st.integers(0, 9), min_size=8, max_size=30), st.integers(1, 6))
def test_equal_events_leave_events_in_every_interval(events: list[int], count: int) -> None:
    table = tables(events)
    if np.count_nonzero(events) < count:
        return
    cuts = equal_event_cuts(table, np.ones(1), count)
    counted = interval_counts(survival_data(table), cuts)
    assert counted.events.shape == (2, count)
    assert (counted.events.sum(axis=0) > 0).all()
    assert counted.events.sum() == sum(events)


def test_interval_ends_belong_to_the_earlier_interval() -> None:
    counted = interval_counts(survival_data(tables([1, 1, 1, 1])), (2.0,))
    np.testing.assert_array_equal(counted.events[0], [2, 2])
    np.testing.assert_allclose(counted.exposure[0], [1 + 2 + 2 + 2, 1 + 2])


def test_information_is_that_of_two_counts() -> None:
    told = share_and_information(np.array([4.0, 6.0, 10.0]))
    np.testing.assert_allclose(told["share"], [0.2, 0.3, 0.5])
    np.testing.assert_allclose(told["information"], [1 / (1 / 4 + 1 / 16), 1 / (1 / 10 + 1 / 10)])


def test_information_without_any_event_is_finite() -> None:
    counted = interval_counts(survival_data(tables([0, 0, 0])), (1.0, 2.0))
    assert all(np.isfinite(value).all() for value in counted.updates().values())
