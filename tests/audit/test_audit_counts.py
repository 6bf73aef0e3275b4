"""Family `counts`: sums, rankings, cut points."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import arms, only, row, study

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.counts import rankings, sums
from retrial.audit.run import apply_decisions, run_audit


def sum_of(path: str, **sections: Any) -> Check:
    return only(list(sums.checks(study(**sections))), path)


@pytest.mark.parametrize(("total", "verdict"), [("92", Verdict.CONSISTENT), ("93", Verdict.INCONSISTENT)])
def test_sizes(total: str, verdict: Verdict) -> None:
    made = study(total={"n": total})
    check = only(list(sums.checks(made)), "total.n")
    assert check.verdict is verdict
    assert apply_decisions(made, [check]).n("total") == 92


@pytest.mark.parametrize(("total", "verdict"), [("41", Verdict.CONSISTENT), ("40", Verdict.INCONSISTENT)])
def test_row_total(total: str, verdict: Verdict) -> None:
    check = sum_of("binary.x.total", binary={"x": row(17, 24, total=total)})
    assert check.verdict is verdict
    assert check.consequence is (Consequence.NONE if verdict is Verdict.CONSISTENT else Consequence.AS_PRINTED)


def test_p_tells_which_number_of_a_total_is_wrong() -> None:
    """Freeman-Halton of 5 v 7, 4 v 3, 3 v 2 is 0.761: the arms are right, the total 8 is not."""
    levels = {"a": row(5, 7, total="8"), "b": row(4, 3, total="7"), "c": row(3, 2, total="5")}
    variable = {"levels": levels, "exclusive": False, "p": "0.761"}
    check = sum_of("baseline.variables.v.levels.a.total", baseline={"variables": {"v": variable}})
    assert check.verdict is Verdict.INCONSISTENT
    assert check.note == "total 5 + 7 = 12, printed 8; the arms' counts give the printed p, so the total is misprinted"


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((43, 6), Verdict.CONSISTENT), ((42, 6), Verdict.CONSISTENT_ONLY_IF), ((44, 6), Verdict.INCONSISTENT)],
)
def test_levels(counts: tuple[int, int], verdict: Verdict) -> None:
    """One below n may be a missing value; one above n cannot."""
    levels = {"a": row(counts[0], 37), "b": row(counts[1], 6)}
    check = sum_of("baseline.variables.v", baseline={"variables": {"v": {"levels": levels}}})
    assert (check.verdict, check.numbers) == (verdict, 2)
    assert check.reading == ("patients without a value: 1 (control)" if verdict is Verdict.CONSISTENT_ONLY_IF else "")


def test_overlapping_levels_need_not_add_up() -> None:
    variable = {"levels": {"a": row(43, 37), "b": row(20, 20)}, "exclusive": False}
    assert list(sums.checks(study(baseline={"variables": {"v": variable}}))) == []


def test_composites_and_categories() -> None:
    categories = {"CR": row(3, 4), "PR": row(14, 20), "SD": row(12, 9), "PD": row(20, 10)}
    composites = {"ORR": {"of": ["CR", "PR"], **row(17, 24)}, "DCR": {"of": ["CR", "PR", "SD"], **row(28, 33)}}
    found = {
        check.path: check.verdict for check in sums.checks(study(response={"categories": categories, "composites": composites}))
    }
    assert found == {
        "response.categories": Verdict.CONSISTENT,
        "response.composites.ORR": Verdict.CONSISTENT,
        "response.composites.DCR": Verdict.INCONSISTENT,
    }


def test_grades() -> None:
    grades = {"1-2": row(17, 12), "3-4": row(1, 1), "any": row(19, 13)}
    check = sum_of("adverse_events.terms.t.grades.any", adverse_events={"terms": {"t": {"grades": grades}}})
    assert (check.verdict, check.numbers) == (Verdict.INCONSISTENT, 2)
    assert check.note == "control 17 + 1 = 18, printed 19"


N_ANY = {"any": row(31, 45), "3": row(4, 5), "4": row(0, 1)}


@pytest.mark.parametrize(
    "grades",
    [
        {"any": row(31, 45)},
        {"any": row(31, 45), "3-4": row(4, 6)},
        N_ANY,
        {**N_ANY, "4": {"control": "0", "experimental": {"n": "1", "percent": "2.3"}}},
        {"1-2": row(27, 39), "3-4": row(4, 6), "any": row(31, 45)},
        {"1": row(20, 30), "2": row(7, 9), "3": row(4, 5), "4": row(0, 0), "5": row(0, 1), "any": row(31, 45)},
        {"1": row(20, 30), "2": row(7, 9), "3": row(4, 5), "4": row(0, 0), "any": row(31, 45)},
        {"any": row(31, 45), "≥3": row(4, 6), "3": row(4, 5)},
        {"1-2": row(27, 39), ">=3": row(4, 6)},
        {"any": row(31, 45), "serious": row(9, 9)},
    ],
    ids=" + ".join,
)
def test_layouts_of_adverse_events_without_a_finding(grades: dict[str, Any]) -> None:
    made = study(adverse_events={"terms": {"t": {"grades": grades}}}, arms=arms(93, 91))
    found = [check for check in run_audit(made) if check.family == sums.FAMILY]
    assert all(check.verdict is Verdict.CONSISTENT for check in found)
    assert apply_decisions(made, found) == made


@pytest.mark.parametrize(
    "grades",
    [
        {"any": row(3, 45), "3": row(4, 5), "4": row(0, 1)},
        {"any": row(31, 45), "≥3": row(3, 6), "3": row(4, 5)},
        {"1-2": row(27, 39), ">=3": row(4, 6), "any": row(32, 45)},
    ],
    ids=" + ".join,
)
def test_grades_that_cannot_be_are_findings(grades: dict[str, Any]) -> None:
    made = study(adverse_events={"terms": {"t": {"grades": grades}}}, arms=arms(93, 91))
    assert [check.verdict for check in sums.checks(made) if check.path.startswith("adverse")].count(Verdict.INCONSISTENT) == 1


def test_a_relation_that_fails_in_most_terms_is_not_the_papers() -> None:
    """Patients counted in every grade that they had: the groups are not exclusive, and no count is changed or left out."""
    terms = {f"t{i}": {"grades": {"1-2": row(10 + i, 12), "3-4": row(3, 4), "any": row(11 + i, 13)}} for i in range(4)}
    made = study(adverse_events={"terms": terms})
    found = [check for check in sums.checks(made) if check.path.startswith("adverse")]
    assert {check.verdict for check in found} == {Verdict.CONSISTENT_ONLY_IF}
    assert apply_decisions(made, run_audit(made)) == made


def at_risk(control: list[str], **more: Any) -> dict[str, Any]:
    return {"os": {"at_risk": {"times": ["0", "5"], "control": control}, **more}}


def test_at_risk_at_the_start() -> None:
    assert sum_of("endpoints.os.at_risk", endpoints=at_risk(["49", "18"])).verdict is Verdict.CONSISTENT
    made = study(endpoints=at_risk(["48", "18"]))
    check = only(list(sums.checks(made)), "endpoints.os.at_risk")
    assert (check.verdict, check.consequence) == (Verdict.CONSISTENT_ONLY_IF, Consequence.EXCLUDED)
    assert check.reading == "patients without follow-up, or not in this analysis: 1 (control)"
    assert apply_decisions(made, [check]).endpoints["os"].at_risk is None
    assert sum_of("endpoints.os.at_risk", endpoints=at_risk(["39", "18"])).verdict is Verdict.INCONSISTENT


@pytest.mark.parametrize(("percent", "total"), [("47.8", "44"), ("49.9", None), (None, None)])
def test_events(percent: str | None, total: str | None) -> None:
    """20 + 23 = 43, printed 44: 44/92 is 47.8 %, so the total stands alone; otherwise nothing does."""
    cell = {"n": "44"} | ({"percent": percent} if percent else {})
    made = study(endpoints={"os": {"events": {"control": "20", "experimental": "23", "total": cell}}})
    check = only(list(sums.checks(made)), "endpoints.os.events.total")
    assert check.consequence is Consequence.EXCLUDED
    left = apply_decisions(made, [check]).endpoints["os"].events
    assert (left.control, left.experimental) == (None, None)
    assert (None if left.total is None else left.total.n.text) == total


def ranked(terms: dict[str, tuple[int, int]], named: list[str], arm: str = "control") -> Check:
    events = {name: {"grades": {"any": row(*counts)}} for name, counts in terms.items()}
    listed = [{"arm": arm, "grade": "any", "terms": named}]
    return only(list(rankings.checks(study(adverse_events={"terms": events, "rankings": listed}))), "adverse_events.rankings.0")


TERMS = {"rash": (21, 5), "fever": (18, 11), "nausea": (17, 12), "pain": (16, 13), "cough": (16, 2)}


@pytest.mark.parametrize(
    ("named", "verdict", "fragment"),
    [
        (["rash", "fever", "nausea"], Verdict.CONSISTENT, ""),
        (["fever", "rash", "nausea"], Verdict.CONSISTENT, "not in falling order: fever 18, rash 21, nausea 17"),
        (["rash", "fever", "pain"], Verdict.INCONSISTENT, "nausea 17 left out, above pain 16"),
        (["rash", "fever", "nausea", "pain"], Verdict.CONSISTENT_ONLY_IF, "cough 16 left out, as common as the last named"),
        (["rash", "fever", "nausea", "pain", "cough"], Verdict.CONSISTENT, ""),
    ],
)
def test_rankings(named: list[str], verdict: Verdict, fragment: str) -> None:
    check = ranked(TERMS, named)
    assert check.verdict is verdict
    assert fragment in check.note
    assert bool(check.note) == bool(fragment)


def test_ranking_over_both_arms() -> None:
    """Sums 26, 29, 29, 29, 18."""
    assert ranked(TERMS, ["fever", "nausea", "pain"], "total").verdict is Verdict.CONSISTENT
    assert ranked(TERMS, ["fever", "nausea", "rash"], "total").verdict is Verdict.INCONSISTENT


@pytest.mark.parametrize(
    ("label", "verdict"),
    [
        ("Bilirubin (≤ 20 vs. > 22)", Verdict.CONSISTENT_ONLY_IF),
        ("Bilirubin (≤ 20 vs. > 20)", Verdict.CONSISTENT),
        ("Age (<= 40 vs >= 41)", Verdict.CONSISTENT),
        ("Age (< 40 vs. ≥ 40)", Verdict.CONSISTENT),
        ("INR (≤ 1.2 vs. > 1.2)", Verdict.CONSISTENT),
        ("ALT (≤ 40 vs. >)", Verdict.NOT_CHECKABLE),
        ("BCLC (B vs. C)", None),
    ],
)
def test_cut_points(label: str, verdict: Verdict | None) -> None:
    rows = {"r": {"label": label, "results": {"os": {"chi_square": "1.0", "p": "0.317"}}}}
    found = list(rankings.checks(study(tests={"t": {"rows": rows}})))
    assert [check.verdict for check in found] == ([] if verdict is None else [verdict])


def test_sizes_missing() -> None:
    made = study(arms={}, response={"categories": {"CR": row(3, 4), "PD": row(20, 10)}})
    assert run_audit(made) == []


def test_everything_at_large_sizes() -> None:
    """No enumeration over the patients: a registry's counts are audited at once."""
    big = {"CR": row(1_000_001, 999_999), "PD": row(3_999_999, 4_000_000)}
    made = study(arms=arms(5_000_000, 5_000_000), response={"categories": big})
    assert only(run_audit(made), "response.categories").verdict is Verdict.CONSISTENT_ONLY_IF


@pytest.mark.parametrize(
    ("categories", "verdict"),
    [
        ({"CR": row(2, 1), "PR": row(26, 42)}, Verdict.CONSISTENT),
        ({"best": {**row(2, 1), "label": "Complete response"}, "PR": row(26, 42), "SD": row(10, 0)}, Verdict.CONSISTENT),
        ({"CR": row(2, 1), "PR": row(48, 42)}, Verdict.INCONSISTENT),
        ({"CR": row(2, 1), "PR": row(26, 42), "PD": row(10, 0)}, Verdict.CONSISTENT_ONLY_IF),
        ({"good": row(2, 1), "poor": row(26, 40)}, Verdict.CONSISTENT_ONLY_IF),
    ],
)
def test_patients_are_missing_only_where_the_worse_categories_are_printed(categories: dict[str, Any], verdict: Verdict) -> None:
    """49 and 43 patients; complete and partial responses alone are no full table (IMpower110, IMpower150)."""
    assert only(list(sums.checks(study(response={"categories": categories}))), "response.categories").verdict is verdict
