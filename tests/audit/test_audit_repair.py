"""Contradicting counts: what the models then use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from audit_factory import findings, row, simulated, study

from retrial.audit.check import Check, Consequence
from retrial.audit.counts.repair import checks
from retrial.audit.run import apply_decisions, run_audit
from retrial.study.study import Study

CATEGORIES = {"CR": (3, 4), "PR": (14, 20), "SD": (12, 9), "PD": (20, 10)}


def response(**changed: tuple[int, int]) -> Study:
    """49 + 43 patients with totals, ORR and p; `changed` replaces counts of rows."""
    true = {**CATEGORIES, "ORR": (17, 24)}
    rows = {name: row(*changed.get(name, counts), total=str(sum(counts))) for name, counts in true.items()}
    composite = {"of": ["CR", "PR"], **rows.pop("ORR"), "p": "0.042"}
    return study(response={"categories": rows, "composites": {"ORR": composite}})


def decided(made: Study) -> list[Check]:
    return list(checks(made))


def test_nothing_to_decide() -> None:
    assert decided(response()) == []


@pytest.mark.parametrize(
    ("changed", "path", "value"),
    [
        ({"PR": (15, 20)}, "response.categories.PR.control.n", 14),
        ({"PD": (20, 11)}, "response.categories.PD.experimental.n", 10),
        ({"ORR": (18, 24)}, "response.composites.ORR.control.n", 17),
        ({"SD": (11, 9)}, "response.categories.SD.control.n", 12),
    ],
)
def test_the_one_count_that_explains_everything(changed: dict[str, tuple[int, int]], path: str, value: int) -> None:
    made = response(**changed)
    (check,) = decided(made)
    assert (check.path, check.consequence) == (path, Consequence.CORRECTED)
    assert check.decision is not None
    assert int(check.decision.value) == value
    assert decided(apply_decisions(made, [check])) == []


def test_every_single_misprint_of_a_simulated_table_is_undone() -> None:
    """Any one arm's count moved by 1 to 3: the truth comes back, or the table is left out, but no wrong count is used."""
    undone = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        raw = simulated(rng)
        truth = Study.model_validate(raw)
        name, arm = str(rng.choice(["CR", "PR", "SD", "PD"])), str(rng.choice(["control", "experimental"]))
        cell = raw["response"]["categories"][name][arm]
        cell["n"] = str(max(0, int(cell["n"]) + int(rng.choice([-2, -1, 1, 2, 3]))))
        made = Study.model_validate(raw)
        found = run_audit(made)
        if made == truth:
            continue
        assert findings(found)
        used = apply_decisions(made, found)
        if used.response is not None and truth.response is not None:
            same = getattr(used.response.categories[name], arm).n.text == getattr(truth.response.categories[name], arm).n.text
            assert same
            undone += 1
    assert undone >= 8


def test_percentage_alone_is_the_misprint() -> None:
    made = study(binary={"x": {**row(17, 24, total="41"), "control": {"n": "17", "percent": "36.7"}}})
    assert decided(made) == []


def test_count_against_percentage_and_total() -> None:
    """15 (34.7 %) + 24 = 41: both say 17."""
    made = study(binary={"x": {**row(15, 24, total="41"), "control": {"n": "15", "percent": "34.7"}}})
    (check,) = decided(made)
    assert check.decision is not None
    assert (check.decision.path, int(check.decision.value)) == ("binary.x.control.n", 17)


def test_total_alone_is_the_misprint() -> None:
    assert decided(study(binary={"x": row(17, 24, total="42")})) == []


def test_undecidable_grades_are_left_out() -> None:
    """17 + 1 printed 19 without p: any of the three can be wrong."""
    grades = {"1-2": row(17, 12), "3-4": row(1, 1), "any": row(19, 13)}
    made = study(adverse_events={"terms": {"a": {"grades": grades}, "b": {"grades": {"any": row(3, 3)}}}})
    (check,) = decided(made)
    assert check.consequence is Consequence.EXCLUDED
    used = apply_decisions(made, [check])
    assert used.adverse_events is not None
    assert set(used.adverse_events.terms) == {"b"}


def test_grades_that_a_p_decides() -> None:
    """18 v 13 of 49 v 43: Pearson 0.510; 19 v 13 would be 0.391."""
    grades = {"1-2": row(17, 12, p="0.485"), "3-4": row(1, 1, p="1.000"), "any": row(19, 13, p="0.510")}
    (check,) = decided(study(adverse_events={"terms": {"a": {"grades": grades}}}))
    assert check.decision is not None
    assert (check.decision.path, int(check.decision.value)) == ("adverse_events.terms.a.grades.any.control.n", 18)


def test_a_count_is_not_changed_for_want_of_a_percentage() -> None:
    """Grades 1-2 alone have no percentage, so only a change of theirs breaks nothing; nothing speaks for it either."""
    grades: dict[str, Any] = {"1-2": row(17, 12), "3-4": row(1, 1), "any": row(19, 13)}
    grades["3-4"]["control"] = {"n": "1", "percent": "2.0"}
    grades["any"]["control"] = {"n": "19", "percent": "38.8"}
    (check,) = decided(study(adverse_events={"terms": {"a": {"grades": grades}}}))
    assert check.consequence is Consequence.EXCLUDED
    assert check.decision is not None
    assert "speaks for it" in check.decision.reason


def test_more_of_a_grade_than_of_any_is_left_out() -> None:
    made = study(adverse_events={"terms": {"a": {"grades": {"any": row(5, 6), "3": row(8, 1), "4": row(0, 1)}}}})
    (check,) = decided(made)
    assert (check.path, check.consequence) == ("adverse_events.terms.a", Consequence.EXCLUDED)
    assert "nothing tells which count is wrong" in check.note


def test_more_of_a_grade_than_of_any_is_mended_by_its_percentage() -> None:
    """8 (2.0 %) of 49 is 1, and 1 + 0 is no more than any."""
    grades: dict[str, Any] = {"any": row(5, 6), "3": row(8, 1), "4": row(0, 1)}
    grades["3"]["control"] = {"n": "8", "percent": "2.0"}
    (check,) = decided(study(adverse_events={"terms": {"a": {"grades": grades}}}))
    assert check.decision is not None
    assert (check.decision.path, int(check.decision.value)) == ("adverse_events.terms.a.grades.3.control.n", 1)


@pytest.mark.parametrize(
    ("any_grade", "percent", "used"),
    [("19", "38.8", []), ("19", "36.7", [Consequence.CORRECTED]), ("27", "55.1", [Consequence.EXCLUDED])],
)
def test_a_death_that_no_printed_grade_holds(any_grade: str, percent: str, used: list[Consequence]) -> None:
    """17 (34.7 %) + 1 (2.0 %) printed as 19 (38.8 %): every count is confirmed, and one patient had grade 5; nine more are too many."""
    grades: dict[str, Any] = {"1-2": row(17, 12), "3-4": row(1, 1), "any": row(0, 13)}
    grades["1-2"]["control"] = {"n": "17", "percent": "34.7"}
    grades["3-4"]["control"] = {"n": "1", "percent": "2.0"}
    grades["any"]["control"] = {"n": any_grade, "percent": percent}
    found = decided(study(adverse_events={"terms": {"a": {"grades": grades}}}))
    assert [check.consequence for check in found] == used


def test_patients_without_a_category_are_no_contradiction() -> None:
    assert decided(study(response={"categories": {"CR": row(3, 4), "PD": row(40, 30)}})) == []


def test_too_many_patients_are_left_out() -> None:
    made = study(response={"categories": {"CR": row(20, 4), "PD": row(40, 30)}})
    (check,) = decided(made)
    assert apply_decisions(made, [check]).response is None


def test_places_that_differ_bound_the_correction() -> None:
    cell = {"n": {"Table": "15", "Text": "14"}}
    categories: dict[str, Any] = {name: row(*counts) for name, counts in CATEGORIES.items()}
    categories["PR"]["control"] = cell
    made = study(response={"categories": categories})
    (check,) = decided(made)
    assert check.decision is not None
    assert (check.decision.path, int(check.decision.value)) == ("response.categories.PR.control.n", 14)
