"""Family `twice_printed`."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import effect, only, printed, row, study
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import Agreement
from retrial.audit.run import run_audit
from retrial.audit.twice_printed import agree, checks
from retrial.study.reported import Reported


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("0.470", "0.470", Agreement.ROUNDED),
        ("0.470", "0.471", Agreement.NONE),  # neighbours share only an edge of their intervals
        ("0.470", "0.47", Agreement.ROUNDED),
        ("0.476", "0.47", Agreement.TRUNCATED),
        ("0.476", "0.48", Agreement.ROUNDED),
        ("0.445", "0.44", Agreement.ROUNDED),  # 0.4447 prints so
        ("0.445", "0.45", Agreement.ROUNDED),  # 0.4452 prints so
        ("0.467", "0.567", Agreement.NONE),
        ("0.0004", "<0.001", Agreement.ROUNDED),
        ("0.0014", "<0.001", Agreement.NONE),
        ("11", "11.0", Agreement.ROUNDED),
        ("11", "12.0", Agreement.NONE),
    ],
)
def test_agree(first: str, second: str, found: Agreement) -> None:
    assert agree(Reported(first), Reported(second)) is found
    assert agree(Reported(second), Reported(first)) is found


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.floats(0, 100), st.integers(0, 6), st.integers(0, 6))
def test_one_value_printed_twice_agrees(value: float, first: int, second: int) -> None:
    assert agree(Reported(printed(value, first)), Reported(printed(value, second))) is Agreement.ROUNDED


def test_places() -> None:
    count = {"Table": "17", "Abstract": "17", "Text": "18"}
    check = only(list(checks(study(binary={"x": row(17, 1) | {"control": {"n": count}}}))), "binary.x.control.n")
    assert (check.verdict, check.consequence, check.numbers) == (Verdict.INCONSISTENT, Consequence.AS_PRINTED, 2)
    assert check.note == "different numbers for one quantity: 17 (Table); 17 (Abstract); 18 (Text)"


def test_limits_and_p_are_covered() -> None:
    item = effect("0.5", "0.25", "1.0") | {"ci": [{"A": "0.25", "B": "0.3"}, "1.0"], "p": {"A": "0.05", "B": "0.050"}}
    found = {check.path: check.verdict for check in checks(study(effects={"e": item}))}
    assert found == {"effects.e.ci.lower": Verdict.CONSISTENT, "effects.e.p": Verdict.CONSISTENT}


def test_consequence_is_that_of_the_decision() -> None:
    item = effect("0.567", "0.340", "0.945") | {"hazard_ratio": {"Table": "0.467", "Text": "0.567"}}
    check = only(run_audit(study(effects={"e": item})), "effects.e.hazard_ratio", "twice_printed")
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.CORRECTED)


def two(p: str, log_rank: dict[str, str], **more: Any) -> Check:
    item = effect("0.470", "0.252", "0.879", p, endpoint="os")
    found = list(checks(study(effects={"e": item}, endpoints={"os": {"test": log_rank}}, **more)))
    return only(found, "effects.e.p")


def test_two_tests() -> None:
    check = two("0.018", {"chi_square": "5.116", "p": "0.024"})
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT_ONLY_IF, "two different tests of one comparison")
    assert "0.018 is the Wald p of the ratio's interval (z² 5.612, p 0.0178)" in check.note
    assert "0.024 is the p of χ² 5.116 with 1 df (0.0237)" in check.note


def test_two_tests_of_which_one_is_wrong() -> None:
    assert two("0.018", {"chi_square": "5.116", "p": "0.042"}).verdict is Verdict.INCONSISTENT
    assert two("0.081", {"chi_square": "5.116", "p": "0.024"}).verdict is Verdict.INCONSISTENT


def test_same_p() -> None:
    assert two("0.018", {"p": "0.018"}).verdict is Verdict.CONSISTENT


def test_adjusted_effects_are_not_compared() -> None:
    item = effect("0.470", "0.252", "0.879", "0.018", endpoint="os", adjusted_for=["age"])
    assert list(checks(study(effects={"e": item}, endpoints={"os": {"test": {"p": "0.024"}}}))) == []


@pytest.mark.parametrize(("p", "verdict"), [("0.024", Verdict.CONSISTENT), ("0.042", Verdict.CONSISTENT_ONLY_IF)])
def test_row_that_repeats_the_log_rank_test(p: str, verdict: Verdict) -> None:
    endpoints = {"os": {"test": {"chi_square": "5.116", "p": "0.024", "where": "Figure 1"}}}
    rows = {"regimen": {"treatment": True, "results": {"os": {"chi_square": "5.116", "p": p}}}}
    (check,) = checks(study(endpoints=endpoints, tests={"t": {"where": "Table 3", "rows": rows}}))
    assert (check.verdict, check.numbers) == (verdict, 2)


@pytest.mark.parametrize(
    ("first", "second", "same"), [("NR", "not reached", True), ("NR", ">30", True), (">30", "34.1", True), ("NR", "34.1", False)]
)
def test_bounds_in_two_places(first: str, second: str, same: bool) -> None:
    assert (agree(Reported(first), Reported(second)) is Agreement.ROUNDED) == same
