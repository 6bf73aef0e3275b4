"""Family `percentages`."""

from __future__ import annotations

import numpy as np
import pytest
from audit_factory import only, printed, row, study
from hypothesis import given
from hypothesis import strategies as st

from retrial.audit.check import Consequence, Verdict
from retrial.audit.counts.percentages import checks, grim
from retrial.study.reported import Reported


def test_grim_goldens() -> None:
    """METHODS 11: 54.0 % of 150 is possible (81/150), 67.4 % of 150 is not (101/150 = 67.3, 102/150 = 68.0)."""
    assert grim(Reported("54.0"), 150) == (81,)
    assert grim(Reported("67.4"), 150) == ()


@given(st.integers(1, 400), st.data())
def test_grim_finds_the_count_of_every_true_percentage(n: int, data: st.DataObject) -> None:
    k, decimals = data.draw(st.integers(0, n)), data.draw(st.integers(0, 3))
    possible = grim(Reported(printed(100 * k / n, decimals)), n)
    assert k in possible
    brute = [m for m in range(n + 1) if abs(100 * m / n - float(printed(100 * k / n, decimals))) <= 0.5 * 10.0**-decimals + 1e-9]
    assert list(possible) == brute


def test_no_patients_have_no_percentage() -> None:
    assert grim(Reported("50.0"), 0) == ()


def cell(n: int, percent: str) -> dict[str, str]:
    return {"n": str(n), "percent": percent}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("34.7", Verdict.CONSISTENT),  # 17/49 = 34.694
        ("35", Verdict.CONSISTENT),
        ("34", Verdict.CONSISTENT_ONLY_IF),  # cut off
        ("34.6", Verdict.CONSISTENT_ONLY_IF),  # cut off
        ("34.8", Verdict.INCONSISTENT),
        ("36.7", Verdict.INCONSISTENT),  # 18/49
    ],
)
def test_verdicts(text: str, verdict: Verdict) -> None:
    made = study(binary={"orr": {"control": cell(17, text), "experimental": "24"}})
    check = only(list(checks(made)), "binary.orr.control.percent")
    assert check.verdict is verdict
    assert check.reading == ("truncated instead of rounded" if verdict is Verdict.CONSISTENT_ONLY_IF else "")


def test_finding_names_the_count_that_would_fit() -> None:
    made = study(binary={"orr": {"control": cell(17, "36.7"), "experimental": "24"}})
    check = only(list(checks(made)), "binary.orr.control.percent")
    assert check.note == "36.7 % of 49 would be 18, not 17"
    assert check.consequence is Consequence.AS_PRINTED


def test_finding_names_the_patients_of_which_it_would_be() -> None:
    made = study(binary={"orr": {"control": cell(17, "35.4"), "experimental": "24"}})
    check = only(list(checks(made)), "binary.orr.control.percent")
    assert check.note == (
        "no count among 49 gives 35.4 %; 17/49 is 34.7 %; 17 of 48 would be it: say evaluable if no more could be assessed"
    )


def test_half_is_accepted_rounded_either_way() -> None:
    """1/8 = 12.5 %: 13 half up, 12 half to even, as programs differ."""
    for text in ("12", "13"):
        sizes = {"control": {"n": "8"}, "experimental": {"n": "8"}}
        made = study(arms=sizes, binary={"x": {"control": cell(1, text), "experimental": "0"}})
        assert [check.verdict for check in checks(made)] == [Verdict.CONSISTENT]


def test_percentages_of_patients_with_a_value() -> None:
    """20/47 = 42.55, of 49 patients two of whom have no category."""
    categories = {
        "CR": {"control": cell(20, "42.6"), "experimental": "20"},
        "PD": {"control": cell(27, "57.4"), "experimental": "23"},
    }
    found = list(checks(study(response={"categories": categories})))
    assert [check.verdict for check in found] == [Verdict.CONSISTENT_ONLY_IF] + [Verdict.CONSISTENT] * 2
    assert found[0].reading == "percentages of 47 v 43 patients with a value, not of all 49 v 43"
    assert found[1].claim == "CR: 20 of 47 is 42.6 %"


def test_numbers_count_every_place() -> None:
    made = study(binary={"x": {"control": {"n": "17", "percent": {"Table": "34.7", "Abstract": "35"}}, "experimental": "1"}})
    assert only(list(checks(made)), "binary.x.control.percent").numbers == 2


def test_size_missing() -> None:
    made = study(arms={}, binary={"x": {"control": cell(1, "10"), "experimental": "1"}})
    (check,) = checks(made)
    assert check.verdict is Verdict.NOT_CHECKABLE
    assert "arms.*.n" in check.note


def test_every_single_percent_misprint_beyond_rounding_is_found() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        k = int(rng.integers(0, 50))
        wrong = printed(min(99.9, 100 * k / 49 + float(rng.uniform(0.2, 1.5))), 1)
        made = study(binary={"x": {**row(k, 3), "control": cell(k, wrong)}})
        assert only(list(checks(made)), "binary.x.control.percent").verdict is not Verdict.CONSISTENT
