"""A file of patients beside the numbers printed of it, and what is said of time 0 and of late entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_leukemia

from retrial.audit.check import Check, Verdict
from retrial.errors import DataError
from retrial.study.study import Study
from retrial.tables.findings.patients import beside_print, first_event_time, patients_in_words
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import Patients


@pytest.fixture(scope="module")
def leukaemia() -> LifeTable:
    frame = load_leukemia()
    return LifeTable.from_patients(frame["t"].to_numpy(), frame["status"].to_numpy(), (frame["Rx"] == 0).to_numpy())


RIGHT: dict[str, Any] = {
    "events": {"control": "21", "experimental": "9", "total": "30"},
    "shortest": "1",
    "longest": "35",
    "median": {"control": {"value": "8", "ci": ["4", "11"]}, "experimental": {"value": "23.0", "ci": ["13", "NR"]}},
    "at_risk": {"times": ["0", "6", "12"], "control": ["21", "12", "6"], "experimental": ["21", "21", "12"]},
    "test": {"name": "log_rank", "chi_square": "16.79", "p": "<0.001"},
}
RIGHT["median"]["experimental"].pop("ci")
EFFECT = {"endpoint": "os", "hazard_ratio": "0.208", "ci": ["0.093", "0.466"]}


def made(endpoint: dict[str, Any], effect: dict[str, Any] = EFFECT, **more: Any) -> Study:
    sizes = {"arms": {"control": {"n": "21"}, "experimental": {"n": "21"}}}
    return Study.model_validate({"title": "t", **sizes, "endpoints": {"os": endpoint}, "effects": {"os": effect}, **more})


def findings(checks: list[Check]) -> dict[str, str]:
    return {check.path: check.recomputed for check in checks if check.verdict is Verdict.INCONSISTENT}


def test_a_right_print_has_no_finding_and_names_the_rules(leukaemia: LifeTable) -> None:
    checks = beside_print(made(RIGHT), "os", leukaemia)
    assert not findings(checks)
    assert {check.family for check in checks} == {"patients"}
    assert sum(check.numbers for check in checks) == 2 + 3 + 2 + 2 + 2 + 6 + 2 + 3
    readings = {check.path: check.reading for check in checks}
    assert readings["effects.os"] == "cox_efron"
    assert readings["endpoints.os.test.chi_square"] == "log_rank"
    frame = load_leukemia().assign(arm=lambda data: 1 - data["Rx"])[["t", "status", "arm"]]
    assert float(np.exp(CoxPHFitter().fit(frame, "t", "status").params_["arm"])) == pytest.approx(0.208, abs=5e-4)


@pytest.mark.parametrize(
    ("changed", "path", "recomputed"),
    [
        ({"events": {"control": "20"}}, "endpoints.os.events.control", "21 in the file of patients"),
        ({"events": {"total": "31"}}, "endpoints.os.events.total", "30 in the file of patients"),
        ({"shortest": "2"}, "endpoints.os.shortest", "1 in the file of patients"),
        ({"longest": "35.4"}, "endpoints.os.longest", "35.00 in the file of patients"),
        ({"median": {"control": {"value": "9"}}}, "endpoints.os.median.control.value", "8 in the file of patients"),
        (
            {"median": {"control": {"value": "8", "ci": ["4", "13"]}}},
            "endpoints.os.median.control.ci",
            "4, 12 in the file of patients",
        ),
        (
            {"at_risk": {"times": ["0", "6"], "control": ["21", "13"]}},
            "endpoints.os.at_risk.control",
            "21, 12 in the file of patients",
        ),
        ({"test": {"p": "0.02"}}, "endpoints.os.test.p", "0.000 in the file of patients"),
    ],
)
def test_each_wrong_number_is_one_finding_with_both(
    leukaemia: LifeTable, changed: dict[str, Any], path: str, recomputed: str
) -> None:
    found = beside_print(made(changed), "os", leukaemia)
    wrong = [check for check in found if check.verdict is Verdict.INCONSISTENT]
    assert [check.path for check in wrong] == [path]
    assert wrong[0].printed in wrong[0].note
    assert "the survival models use the file" in wrong[0].note
    assert wrong[0].decision is None


def test_sizes_ratios_and_their_direction(leukaemia: LifeTable) -> None:
    other = {"arms": {"control": {"n": "71"}, "experimental": {"n": "21"}}}
    assert findings(beside_print(made({}, **other), "os", leukaemia)) == {"arms.control.n": "21 in the file of patients"}
    turned = {
        "endpoint": "os",
        "hazard_ratio": "4.82",
        "ci": ["2.15", "10.81"],
        "numerator": "control",
        "denominator": "experimental",
    }
    assert not findings(beside_print(made({}, turned), "os", leukaemia))
    assert list(findings(beside_print(made({}, {**EFFECT, "hazard_ratio": "0.30"}), "os", leukaemia))) == ["effects.os"]
    adjusted = {**EFFECT, "hazard_ratio": "0.30", "adjusted_for": ["age"]}
    assert not findings(beside_print(made({}, adjusted), "os", leukaemia))
    assert not findings(beside_print(made({}, {**EFFECT, "p": "0.00014"}), "os", leukaemia))
    assert list(findings(beside_print(made({}, {**EFFECT, "p": "0.03"}), "os", leukaemia))) == ["effects.os.p"]


def test_a_print_in_several_places_agrees_where_one_does(leukaemia: LifeTable) -> None:
    printed = {"events": {"control": {"n": {"Table 1": "20", "Text": "21"}}}}
    assert not findings(beside_print(made(printed), "os", leukaemia))


@pytest.mark.parametrize(("median", "is_right"), [("4", True), ("5", True), ("6", True), ("7", False)])
def test_a_curve_that_stands_at_half_has_the_median_of_any_program(median: str, is_right: bool) -> None:
    table = LifeTable.from_patients(np.array([2.0, 4, 6, 8, 3, 5]), np.ones(6), np.array([0, 0, 0, 0, 1, 1]))
    assert (
        bool(
            findings(
                beside_print(made({"median": {"control": {"value": median}}}, EFFECT | {"endpoint": ""}, arms={}), "os", table)
            )
        )
        is not is_right
    )


def test_times_in_days_are_compared_in_days(leukaemia: LifeTable) -> None:
    frame = load_leukemia()
    days = 12 / 365.25
    table = LifeTable.from_patients(frame["t"] * days, frame["status"].to_numpy(), (frame["Rx"] == 0).to_numpy())
    assert not findings(beside_print(made(RIGHT, time_unit="days"), "os", table))


def words(time: list[float], event: list[int], arm: list[int], entry: list[float] | None = None, recorded: str = "exact") -> str:
    columns = (np.array(time, float), np.array(event), np.array(arm))
    table = LifeTable.from_patients(*columns, None if entry is None else np.array(entry, float))
    return " ".join(patients_in_words(table, 0.5, recorded))


def test_time_zero_is_counted_and_said() -> None:
    said = words([0, 0, 0, 2, 3], [1, 1, 0, 1, 1], [0, 1, 1, 0, 1])
    assert said.startswith("2 events recorded at time 0: taken at 0.5 months, the middle of the first unit")
    assert said.endswith("1 patient censored at time 0: counted, but without any follow-up.")
    assert "within the first unit, up to 0.5 months" in words([0, 2], [1, 1], [0, 1], recorded="ceiling")
    assert words([1, 2], [1, 1], [0, 1]) == ""


def test_events_at_zero_among_times_without_a_unit_are_refused() -> None:
    def taken(time: list[float]) -> float:
        table = LifeTable.from_patients(np.array(time), np.ones(len(time)), np.arange(len(time)) % 2)
        return first_event_time(Patients(table, float(np.diff(np.unique(time)).min()) if len(set(time)) > 1 else np.nan), "os")

    assert taken([0.0, 1.0, 2.0, 4.0]) == 0.5
    table = LifeTable.from_patients(np.array([0.0, 0.3, 7.0]), np.ones(3), np.array([0, 0, 1]))
    assert [first_event_time(Patients(table, 0.3), "os", unit) for unit in (0.1, 0.3, 1.0)] == [0.05, 0.15, 0.15]
    assert taken([3.0, 3.0000001, 40.0]) > 0
    for time in ([0.0, 3.0, 3.0000001, 40.0], [0.0, 0.0]):
        with pytest.raises(DataError, match="no common unit"):
            taken(time)


def test_late_entry_says_where_curves_rest_on_few() -> None:
    assert "Late entry: 1 of 3 patients" in words([5, 6, 7], [1, 1, 1], [0, 0, 1], [2, 0, 0])
    falls = words([2, 9, 9, 9, 9], [1, 1, 0, 0, 1], [0, 0, 0, 0, 1], [0, 3, 3, 3, 0])
    assert "control arm falls to 0 at 2 months, where all 1 then at risk had the event" in falls
    assert "(up to 3 at risk)" in falls
    few = words([2, 9, 9, 9, 9, 9], [1, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], [0, 0, 3, 3, 3, 0])
    assert "At the first event of the control arm, 2 months, 2 patients are at risk (later up to 4)" in few
    begins = words([5, 6, 7], [1, 1, 1], [0, 0, 1], [2, 3, 0])
    assert "Nobody in the control arm is observed before 2 months" in begins
    gap = words([2, 9, 7, 8], [0, 1, 1, 1], [0, 0, 1, 1], [0, 5, 0, 0])
    assert "At times nobody in the control arm is under observation" in gap
