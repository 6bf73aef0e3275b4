"""Medians and limits that were not reached, or not by a time: as targets, and as what the sampled tables must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.study.study import Study
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import MedianReading, Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import UnattainableError, build_problem
from retrial.tables.sample.structure import contradictions, with_totals
from tests.tables.toy import at_table

CROWLEY = [rule for rule in MedianReading if rule is not MedianReading.GREENWOOD_DENSITY]


def targets(median: dict, n: int = 20, longest: str = "12") -> Targets:
    study = Study.model_validate(
        {
            "title": "t",
            "arms": {"control": {"n": str(n)}, "experimental": {"n": str(n)}},
            "endpoints": {"os": {"longest": longest, "median": {"control": median}}},
        }
    )
    return targets_from_study(study, "os", step=1.0)


def table(seed: int, n: int = 20, n_times: int = 12) -> Table:
    """Two arms whose last patient leaves at the last time."""
    random = np.random.default_rng(seed)
    leaving = np.stack([np.bincount(random.integers(0, n_times, n - 1), minlength=n_times) for _ in range(2)])
    leaving[:, -1] += 1
    events = random.binomial(leaving, random.uniform(0.1, 0.9))
    return Table(np.arange(1.0, n_times + 1), events, leaving - events)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["NR", ">5", "≥5", ">12", ">40"]),
    st.sampled_from([None, ["NE", "NE"], ["3", "NE"], ["2", ">8"]]),
    st.sampled_from(CROWLEY),
)
def test_energy_is_zero_exactly_where_the_table_keeps_the_bound(
    seed: int, value: str, ci: list[str] | None, rule: MedianReading
) -> None:
    if value == "NR" and ci == ["2", ">8"]:
        ci = ["2", "NE"]
    asked = targets({"value": value} | ({"ci": ci} if ci else {}))
    one, reading = table(seed), Reading(None, None, rule)
    same = at_table(build_problem(asked, reading, TablePrior()), with_totals(one.d[:2], -np.diff(one.r[:2])))
    assert (same.energy.sum() == 0.0) == (violated(one, asked, reading) == ())


@pytest.mark.parametrize(("value", "last"), [("NR", 12), (">5", 5), ("≥5", 4)])
def test_a_bound_holds_the_curve_above_one_half_until_then(value: str, last: int) -> None:
    asked = targets({"value": value})
    for seed in range(60):
        one = table(seed)
        keeps = bool((one.survival("control")[:last] > 0.5 + 1e-12).all())
        assert keeps == (violated(one, asked, Reading(None, None, MedianReading.CROWLEY_LOG)) == ())


def test_bounds_as_targets() -> None:
    found = {item.statistic: item for item in targets({"value": "9", "ci": ["4", "NE"]}).targets}
    assert (found["median_upper"].low, found["median_upper"].high) == (math.inf, math.inf)
    assert found["median_lower"].high == pytest.approx(4.5)
    assert contradictions(targets({"value": "NR", "ci": ["4", "NE"]})) == []
    assert contradictions(targets({"value": ">40"})) == []


def test_the_level_of_a_median_counts_where_only_the_upper_limit_is_printed() -> None:
    asked = targets({"value": "6", "ci": [None, "9"], "level": 0.8})
    problem = build_problem(asked, Reading(None, None, MedianReading.CROWLEY_LOG), TablePrior())
    assert problem.real[0, -1, 0] == pytest.approx(1.2816, abs=1e-4)


def test_a_rule_of_an_se_prints_no_open_interval() -> None:
    with pytest.raises(UnattainableError):
        build_problem(
            targets({"value": "6", "ci": ["4", "NE"]}), Reading(None, None, MedianReading.GREENWOOD_DENSITY), TablePrior()
        )
