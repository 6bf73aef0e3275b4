"""Who is taken to have entered when: only where a shortest time is printed, beyond the first unit, of arms that were not assigned at random."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from retrial.study.reported import Quantity
from retrial.tables.endpoint import EndpointTables
from retrial.tables.entry import entry_of, unit_start
from retrial.tables.life_table import LifeTable
from tests.tables.toy import toy_targets

TABLE = LifeTable.from_counts(
    [1.0, 2.0, 3.0, 4.0], np.array([[0, 0, 2, 1], [0, 0, 0, 3]]), np.array([[0, 0, 1, 1], [0, 0, 2, 1]])
)


def study(shortest: str | None = "3", randomised: bool | None = False, unit: str = "months") -> Any:
    printed = None if shortest is None else Quantity.parse(shortest)
    endpoint = SimpleNamespace(shortest_of=lambda _: printed, recording_unit=None)
    return SimpleNamespace(endpoints={"os": endpoint}, randomised=randomised, time_unit=unit)


def tables(table: LifeTable = TABLE, recorded: Any = "exact") -> EndpointTables:
    targets = dataclasses.replace(toy_targets((4, 6), 4, []), endpoint="os")
    return EndpointTables("os", table, np.ones(1), recorded, "", targets=targets)


@pytest.mark.parametrize(("recorded", "start"), [("exact", 2.5), ("nearest", 2.5), ("floor", 3.0), ("ceiling", 2.0)])
def test_entry_is_where_the_unit_of_the_first_time_begins(recorded: Any, start: float) -> None:
    """An event recorded at the shortest time itself must count."""
    assert entry_of(study(), tables(recorded=recorded)) == pytest.approx(start)
    assert unit_start(3.0, 1.0, recorded) == start


def test_only_where_the_design_may_be_read_so() -> None:
    assert math.isnan(entry_of(study(shortest=None), tables()))
    assert math.isnan(entry_of(study(randomised=True), tables()))
    assert entry_of(study(randomised=None), tables()) == 2.5
    first = LifeTable.from_counts([1.0, 2.0], np.array([[1, 1], [0, 2]]), np.array([[0, 1], [1, 1]]))
    assert math.isnan(entry_of(study("1"), tables(first)))
    times = np.array([3.0, 4.0])
    late = LifeTable.from_patients(times, np.ones(2, int), np.array([0, 1]), np.array([1.0, 0.0]))
    assert math.isnan(entry_of(study(), tables(late)))


def test_of_patients_the_print_says_how_their_times_were_recorded() -> None:
    item = dataclasses.replace(
        tables(LifeTable.from_counts([3.0, 4.25], TABLE.events[0, :, 2:].to_numpy(), TABLE.censored[0, :, 2:].to_numpy())),
        targets=None,
    )
    assert entry_of(study("3"), item) == pytest.approx(2.5)
    item = dataclasses.replace(
        item, table=LifeTable.from_counts([3.0, 3.05, 4.25], np.array([[1, 0, 2], [0, 1, 0]]), np.zeros((2, 3), int))
    )
    assert entry_of(study("3.0"), item) == pytest.approx(2.95)
