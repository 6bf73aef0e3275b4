"""Patients that counts are of: said in the file, with a value, or read off the percentages; numbers of published trials."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import arms, findings, only, row, study
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.counts.denominators import denominators_of
from retrial.audit.rows import outcome_rows
from retrial.audit.run import apply_decisions, run_audit
from retrial.study.study import Study


def cell(n: int, percent: str | None = None, evaluable: int | None = None) -> Any:
    printed = {"n": str(n), "percent": percent, "evaluable": None if evaluable is None else str(evaluable)}
    return {key: value for key, value in printed.items() if value is not None}


def one(control: Any, experimental: Any, sizes: tuple[int, int], **more: Any) -> Study:
    return study(arms=arms(*sizes), binary={"x": {"control": control, "experimental": experimental, **more}})


def verdicts(checks: list[Check]) -> dict[str, Verdict]:
    return {check.path: check.verdict for check in findings(checks)}


def test_evaluable_patients_of_a_response_table() -> None:
    """Of 20 v 17 patients 10 v 13 could be assessed: the categories add to that, the percentages and p are of that, the models take it."""
    categories = {
        "PR": {"control": cell(0), "experimental": cell(1, "7.7")},
        "SD": {"control": cell(3, "30"), "experimental": cell(1, "7.7")},
        "PD": {"control": cell(7, "70"), "experimental": cell(11, "84.6")},
    }
    dcr = {"of": ["PR", "SD"], "control": cell(3, "30"), "experimental": cell(2, "15.4"), "p": "0.62"}
    made = study(arms=arms(20, 17), response={"categories": categories, "composites": {"DCR": dcr}})
    checks = run_audit(made)
    assert only(checks, "response.evaluable").reading == "percentages of 10 v 13 patients with a value, not of all 20 v 17"
    assert only(checks, "response.composites.DCR.p").reading == "Fisher exact"
    assert Verdict.INCONSISTENT not in verdicts(checks).values()
    used = apply_decisions(made, checks)
    assert [used.patients("response.composites.DCR", arm) for arm in ("control", "experimental", "total")] == [10, 13, 23]


@pytest.mark.parametrize(
    ("counts", "percents", "sizes", "expected"),
    [
        (
            (120, 173),
            ("30.8", "43.6"),
            (496, 495),
            (389, 397),
        ),  # EMILIA, objective response among patients with measurable disease
        ((96, 131), ("32", "45"), (337, 335), (300, 291)),  # TAX 327, PSA response among patients with a PSA of 20 or more
        ((19, 89), ("11.9", "27.3"), (165, 336), (159, 326)),  # IMbrave150, objective response
    ],
)
def test_percentages_of_fewer_patients_in_both_arms(
    counts: tuple[int, int], percents: tuple[str, str], sizes: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = one(*(cell(n, percent) for n, percent in zip(counts, percents, strict=True)), sizes)
    (found,) = denominators_of(made).implied.values()
    assert all(size in found.sizes[arm] for arm, size in zip(("control", "experimental"), expected, strict=True))
    checks = run_audit(made)
    assert verdicts(checks) == {"binary.x.evaluable": Verdict.CONSISTENT_ONLY_IF}
    assert only(checks, "binary.x.evaluable").consequence is Consequence.AS_PRINTED


def test_one_coarse_percentage_is_a_misprint_unless_p_agrees() -> None:
    """3 of 20 printed as 30 %: of 10, or misprinted for 6 of 20; a p that only 3 of 10 gives decides."""
    alone = run_audit(one(cell(3, "30"), cell(4, "23.5"), (20, 17)))
    assert verdicts(alone) == {"binary.x.control.percent": Verdict.INCONSISTENT}
    p = f"{stats.fisher_exact([[3, 4], [7, 13]]).pvalue:.3f}"
    with_p = run_audit(one(cell(3, "30"), cell(4, "23.5"), (20, 17), p=p))
    assert verdicts(with_p) == {"binary.x.evaluable": Verdict.CONSISTENT_ONLY_IF}


def test_a_misprint_in_a_table_of_evaluable_patients_is_found() -> None:
    """Ten percentages are of 118 v 115 patients, one of them (rash, 25.9 for 23.7) of no number of patients that the others are of."""
    terms = {
        f"t{k}": {
            "grades": {"any": {"control": cell(k, f"{100 * k / 118:.1f}"), "experimental": cell(k, f"{100 * k / 115:.1f}")}}
        }
        for k in (7, 13, 22, 31, 54)
    }
    terms["rash"] = {"grades": {"any": {"control": cell(28, "25.9"), "experimental": cell(20, "17.4")}}}
    checks = run_audit(study(arms=arms(124, 120), adverse_events={"terms": terms}))
    assert verdicts(checks) == {
        "adverse_events.evaluable": Verdict.CONSISTENT_ONLY_IF,
        "adverse_events.terms.rash.grades.any.control.percent": Verdict.INCONSISTENT,
    }


def test_a_safety_table_of_more_patients_than_the_arms() -> None:
    """All 263 v 267 treated patients beside an analysis of 212 v 211 (CheckMate 026): a finding, no error."""
    terms = {"any": {"grades": {"any": {"control": cell(243, "92"), "experimental": cell(190, "71")}}}}
    more = {"evaluable": {"control": "263", "experimental": "267"}}
    checks = run_audit(study(arms=arms(290, 290), adverse_events={"terms": terms, **more}))
    assert verdicts(checks) == {}
    checks = run_audit(study(arms=arms(255, 250), adverse_events={"terms": terms, **more}))
    assert verdicts(checks) == {
        f"adverse_events.evaluable.{arm}": Verdict.CONSISTENT_ONLY_IF for arm in ("control", "experimental")
    }


def test_the_nearest_number_holds() -> None:
    """In a section, a row, a cell; for both arms together their sum."""
    section = {"categories": {"CR": row(1, 2), "PD": row(3, 4)}, "evaluable": {"control": "30", "experimental": "31"}}
    section["composites"] = {
        "ORR": {"of": ["CR"], "control": cell(1, evaluable=20), "experimental": "2", "evaluable": {"experimental": "21"}}
    }
    made = study(response=section)
    rate = "response.composites.ORR"
    assert [made.evaluable(rate, column) for column in ("control", "experimental", "total")] == [20, 21, 41]
    assert made.said_evaluable(rate, "control") == (20, f"{rate}.control.evaluable")
    assert made.said_evaluable("response.categories.CR", "control") == (30, "response.evaluable.control")
    assert made.evaluable("response.categories.CR", "total") == 61
    assert study(binary={"x": row(1, 2)}).evaluable("binary.x", "total") is None


def test_said_patients_are_expected_and_others_named() -> None:
    """3 of 10 v 5 of 13: percentages as said are fine; one of all patients is named as such."""
    assert verdicts(run_audit(one(cell(3, "30", 10), cell(5, "38.5", 13), (20, 17)))) == {}
    found = run_audit(one(cell(3, "15.0", 10), cell(5, "38.5", 13), (20, 17)))
    assert only(found, "binary.x.control.percent").reading == "of 20 patients, not of 10"


def test_p_is_tried_with_every_number_that_the_percentages_leave() -> None:
    """19 % of 290 are 54 to 56 patients; 55 is 19 % of 283 to 297: p of 55 of 286 against 30 of 250 is none of 55 of 290."""
    p = stats.chi2_contingency([[30, 55], [220, 231]], correction=False).pvalue
    check = only(run_audit(one(cell(30, "12.0"), cell(55, "19"), (250, 290), p=f"{p:.5f}")), "binary.x.p")
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert "Pearson (of 250 v 286 patients, not of 250 v 290)" in check.reading


def test_rows_with_patients_of_their_own() -> None:
    """A table whose rows have no number in common is read row by row."""
    made = study(
        arms=arms(100, 100),
        response={
            "categories": {"CR": {"control": cell(10, "10.0"), "experimental": cell(20, "20.0")}, "PD": row(90, 80)},
            "composites": {"measurable": {"of": ["CR"], "control": cell(10, "13.3"), "experimental": cell(20, "25.6")}},
        },
    )
    assert [item.path for item in {id(item): item for item in denominators_of(made).implied.values()}.values()] == [
        "response.composites.measurable"
    ]
    assert len(list(outcome_rows(made))) == 3
