"""Family `medians`."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import only, study

from retrial.audit.check import Check, Verdict
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
