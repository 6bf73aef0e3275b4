"""Family `medians`."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import findings, only, study

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.run import run_audit
from retrial.audit.times.medians import REFLECTED, SYMMETRIC, UNDECIDED, checks


def of(**medians: tuple[str, list[str] | None]) -> list[Check]:
    made: dict[str, Any] = {arm: {"value": value} | ({"ci": ci} if ci else {}) for arm, (value, ci) in medians.items()}
    return list(checks(study(endpoints={"os": {"median": made}})))


@pytest.mark.parametrize(
    ("value", "ci", "reading", "numbers"),
    [
        ("13.0", ["10.587", "15.413"], SYMMETRIC, 1),
        ("13.0", ["10.0", "18.0"], REFLECTED, 0),
        ("13", ["11", "15"], UNDECIDED, 0),
        ("13.0", ["10.587", "15.613"], REFLECTED, 0),
    ],
)
def test_kind_of_interval(value: str, ci: list[str], reading: str, numbers: int) -> None:
    check = only(of(total=(value, ci)), "endpoints.os.median.total")
    assert (check.verdict, check.reading, check.numbers) == (Verdict.CONSISTENT, reading, numbers)


def test_median_outside_its_interval() -> None:
    assert only(of(total=("10.0", ["10.587", "15.413"])), "endpoints.os.median.total").verdict is Verdict.INCONSISTENT


@pytest.mark.parametrize(
    ("total", "verdict"),
    [("13.0", Verdict.CONSISTENT), ("11.0", Verdict.CONSISTENT), ("17.0", Verdict.CONSISTENT_ONLY_IF)],
)
def test_pooled_between_the_arms(total: str, verdict: Verdict) -> None:
    found = of(control=("11.0", None), experimental=("16.0", None), total=(total, None))
    assert only(found, "endpoints.os.median.total.value").verdict is verdict


def test_two_medians_are_not_compared() -> None:
    assert of(control=("11.0", None), experimental=("16.0", None)) == []


@pytest.mark.parametrize(
    ("value", "ci"), [("NR", ["12.1", "NE"]), ("13.0", ["9.3", ">30"]), ("13.0", ["9.3", "NE"]), (">30", None)]
)
def test_what_was_not_reached_is_no_finding(value: str, ci: list[str] | None) -> None:
    medians = {
        "control": {"value": value} | ({"ci": ci} if ci else {}),
        "experimental": {"value": "NR"},
        "total": {"value": "NR"},
    }
    made = study(endpoints={"os": {"longest": "24", "events": {"control": "10", "experimental": "9"}, "median": medians}})
    assert not findings([item for item in run_audit(made) if item.path.startswith("endpoints.os.median")])


def test_a_median_that_half_of_the_events_reach_is_a_finding() -> None:
    made = study(endpoints={"os": {"events": {"control": "25", "experimental": "21"}, "median": {"control": {"value": "NR"}}}})
    found = only(run_audit(made), "endpoints.os.median.control", "time")
    assert (found.verdict, found.consequence) == (Verdict.INCONSISTENT, Consequence.EXCLUDED)
    assert "the median is reached" in found.note
    fewer = study(endpoints={"os": {"events": {"control": "24", "experimental": "21"}, "median": {"control": {"value": "NR"}}}})
    assert only(run_audit(fewer), "endpoints.os.median.control", "time").verdict is Verdict.CONSISTENT
