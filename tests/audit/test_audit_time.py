"""Family `time`: the calendar, extremes, medians and numbers at risk."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from audit_factory import arms, kaplan_meier_median, only, study
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.counts import sums
from retrial.audit.run import apply_decisions
from retrial.audit.times import at_risk, follow_up
from retrial.audit.times.follow_up import calendar_of, losses_before_median
from retrial.study.study import Study

TIMELINE = {"accrual_start": "2020-01", "accrual_end": "2022-06", "cut_off": "2023-12-31", "excluded_follow_up_up_to": "6"}


def made(timeline: dict[str, str] | None = TIMELINE, **endpoint: Any) -> Study:
    return study(endpoints={"os": endpoint}, **({} if timeline is None else {"timeline": timeline}))


def of(path: str, timeline: dict[str, str] | None = TIMELINE, **endpoint: Any) -> Check:
    return only(list(follow_up.checks(made(timeline, **endpoint))), f"endpoints.os.{path}")


def test_calendar_by_hand() -> None:
    """1 January 2020 to 31 December 2023: 1460 days, 47.97 months; from 30 June 2022: 549 days, 18.04 months."""
    calendar = calendar_of(made())
    assert calendar is not None
    assert calendar.longest == pytest.approx(1460 / 365.25 * 12)
    assert calendar.shortest == pytest.approx(549 / 365.25 * 12)
    assert calendar.entry_for(23.0) == date(2022, 1, 30)
    assert calendar.share_above(23.0) == pytest.approx((1460 - 23 * 365.25 / 12) / 911)
    assert (calendar.share_above(10.0), calendar.share_above(60.0)) == (1.0, 0.0)


@pytest.mark.parametrize(("unit", "factor"), [("days", 1.0), ("weeks", 7.0), ("years", 365.25)])
def test_calendar_in_other_units(unit: str, factor: float) -> None:
    calendar = calendar_of(study(time_unit=unit, timeline=TIMELINE))
    assert calendar is not None
    assert calendar.longest == pytest.approx(1460 / factor, rel=1e-9)


def test_calendar_of_a_leap_february() -> None:
    calendar = calendar_of(study(timeline={"accrual_start": "2020-02", "accrual_end": "2020-02", "cut_off": "2020-03"}))
    assert calendar is not None
    assert (calendar.accrual_start, calendar.accrual_end, calendar.cut_off) == (
        date(2020, 2, 1),
        date(2020, 2, 29),
        date(2020, 3, 31),
    )


def test_shortest_time() -> None:
    check = of("shortest", shortest="3.0")
    assert (check.verdict, check.consequence) == (Verdict.CONSISTENT_ONLY_IF, Consequence.AS_PRINTED)
    assert "spared patients who had an event" in check.reading
    assert of("shortest", shortest="6.1").verdict is Verdict.CONSISTENT


def test_longest_time() -> None:
    events = {"total": "44"}
    assert of("longest", longest="49.0", events=events).verdict is Verdict.INCONSISTENT
    assert of("longest", longest="48.5", events=events).reading == "months of 30 days: 48.7 at most"
    assert of("longest", longest="47.0", events=events).verdict is Verdict.CONSISTENT
    check = of("longest", longest="23.0", events=events)
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading == "all who entered before 2022-01-30 had an event or left follow-up before the cut-off"


def test_longest_time_where_everybody_died() -> None:
    assert of("longest", longest="23.0", events={"total": "92"}).verdict is Verdict.CONSISTENT


def test_longest_time_without_calendar() -> None:
    check = of("longest", timeline=None, longest="23.0")
    assert check.verdict is Verdict.NOT_CHECKABLE
    assert "timeline" in check.note


@pytest.mark.parametrize(("n", "events", "losses"), [(92, 44, 4), (92, 46, 0), (92, 68, 0), (10, 1, 8)])
def test_losses_before_the_median(n: int, events: int, losses: int) -> None:
    assert losses_before_median(n, events) == losses


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=3, max_size=25))
def test_losses_are_a_lower_bound(patients: list[tuple[int, bool]]) -> None:
    """Whatever the data, no fewer patients were censored before the Kaplan-Meier median than the bound says."""
    import numpy as np

    time, event = (np.array(column) for column in zip(*patients, strict=True))
    median = kaplan_meier_median(time.astype(float), event)
    if median is not None:
        assert int((~event & (time < median)).sum()) >= losses_before_median(len(patients), int(event.sum()))


def test_losses_bound_is_attained() -> None:
    """4 censored first, then 44 deaths among 88: S = 1/2 exactly."""
    import numpy as np

    time = np.array([1.0] * 4 + [2.0] * 44 + [3.0] * 44)
    event = np.array([False] * 4 + [True] * 44 + [False] * 44)
    assert kaplan_meier_median(time, event) == 2.0


def median(**values: str) -> dict[str, Any]:
    return {arm: {"value": value} for arm, value in values.items()}


def test_censoring_before_the_median() -> None:
    check = of("median.total", events={"total": "44"}, median=median(total="13.0"))
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading == "at least 4 of the 48 censored were lost before 13.0 months"
    assert "18.0 months of potential follow-up" in check.note


def test_censoring_that_the_cut_off_can_have_caused() -> None:
    assert of("median.total", events={"total": "44"}, median=median(total="19.0")).verdict is Verdict.CONSISTENT
    assert of("median.total", timeline=None, events={"total": "44"}, median=median(total="13.0")).verdict is Verdict.CONSISTENT


def test_median_without_events() -> None:
    assert of("median.total", events={"total": "0"}, median=median(total="13.0")).verdict is Verdict.INCONSISTENT
    check = of("median.total", median=median(total="13.0"))
    assert (check.verdict, check.note) == (Verdict.NOT_CHECKABLE, "events.total is missing")


def test_median_outside_the_times() -> None:
    item = made(longest="23.0", shortest="3.0", median=median(control="24.0", experimental="2.0"))
    found = {check.path: check for check in follow_up.checks(item) if check.verdict is Verdict.INCONSISTENT}
    assert set(found) == {"endpoints.os.median.control", "endpoints.os.median.experimental"}
    used = apply_decisions(item, found.values()).endpoints["os"]
    assert (used.longest, used.shortest) == (None, None)
    assert used.median.control is not None


RISK = {
    "times": ["0", "5", "10", "15", "20"],
    "control": ["49", "18", "1", "1", "0"],
    "experimental": ["43", "25", "9", "1", "0"],
}


def risk(path: str, **endpoint: Any) -> Check:
    return only(list(at_risk.checks(made(**endpoint))), f"endpoints.os.{path}")


def test_at_risk_beyond_the_median() -> None:
    assert risk("at_risk.control", at_risk=RISK, median=median(control="4.0")).verdict is Verdict.CONSISTENT
    check = risk("at_risk.experimental", at_risk=RISK, median=median(experimental="4.0"))
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.EXCLUDED)
    assert "25 of 43 at 5" in check.note


def test_at_risk_and_the_longest_time() -> None:
    assert risk("longest", at_risk=RISK, longest="17.0").verdict is Verdict.CONSISTENT
    for wrong in ("12.0", "23.0"):
        assert risk("longest", at_risk=RISK, longest=wrong).consequence is Consequence.EXCLUDED


def test_at_risk_and_the_censored() -> None:
    """92 - 68 = 24 censored; 2 at risk at 15 months, before the shortest potential follow-up of 18."""
    check = risk("at_risk", at_risk={**RISK, "times_assumed": "our reading"}, events={"total": "68"})
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading == (
        "at least 22 of the 24 censored left before 15 months; times of the numbers at risk as assumed in the study file"
    )
    assert risk("at_risk", at_risk=RISK, events={"total": "90"}).verdict is Verdict.CONSISTENT


def test_one_arm_only() -> None:
    item = study(
        arms=arms(49, 43), endpoints={"os": {"at_risk": {"times": ["0", "5"], "control": ["49", "18"]}}}, timeline=TIMELINE
    )
    assert list(at_risk.checks(item)) == []


def test_late_entry_asks_nothing_of_numbers_at_risk_that_only_a_cohort_from_time_zero_has() -> None:
    counts = {"times": ["0", "6", "12"], "control": ["12", "40", "22"], "experimental": ["10", "41", "25"]}
    printed = {
        "at_risk": counts,
        "median": {"control": {"value": "5"}, "experimental": {"value": "8"}},
        "events": {"total": "30"},
        "longest": "90",
    }
    for late, findings in (("true", 0), ("false", 4)):
        made_up = study(endpoints={"os": {**printed, "late_entry": late}}, timeline=TIMELINE)
        found = [*at_risk.checks(made_up), *follow_up.checks(made_up), *sums.checks(made_up)]
        assert sum(check.verdict in (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF) for check in found) >= findings
        assert findings or not [check for check in found if check.verdict is Verdict.INCONSISTENT]
