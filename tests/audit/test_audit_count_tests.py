"""Family `count_tests`: the verdict names the test that made the printed p and chi-square."""

from __future__ import annotations

import numpy as np
import pytest
from audit_factory import only, printed, row, study, two_sided

from retrial.audit.check import Check, Verdict
from retrial.audit.counts.count_tests import checks


def of(**more: str) -> Check:
    """17 of 49 v 24 of 43: Pearson 4.135, p 0.0420; Yates 3.324, 0.0683; Fisher 0.0585 (SciPy)."""
    return only(
        list(checks(study(binary={"orr": row(17, 24, **more)}))), "binary.orr.p" if "p" in more else "binary.orr.chi_square"
    )


@pytest.mark.parametrize(
    ("p", "reading"),
    [("0.042", "Pearson"), ("0.068", "Yates"), ("0.0682", "Yates (truncated instead of rounded)"), ("0.0585", "Fisher exact")],
)
def test_names_the_test(p: str, reading: str) -> None:
    check = of(p=p)
    assert check.reading == reading
    assert check.verdict is (Verdict.CONSISTENT_ONLY_IF if "truncated" in reading else Verdict.CONSISTENT)


def test_five_percent_depends_on_the_test() -> None:
    assert of(p="0.042").note == "printed p is below 0.05, on the other side: Yates 0.0683, Fisher exact 0.0585"
    assert of(p="0.068").note.startswith("printed p is above 0.05, on the other side: Pearson 0.0420")


def test_none_of_the_tests() -> None:
    check = of(p="0.024")
    assert (check.verdict, check.reading) == (Verdict.INCONSISTENT, "p: none")


def test_statistic_and_p_of_one_test() -> None:
    check = of(chi_square="4.135", p="0.042")
    assert (check.verdict, check.reading, check.numbers) == (Verdict.CONSISTENT, "Pearson", 2)


def test_statistic_and_p_of_two_tests() -> None:
    check = of(chi_square="4.135", p="0.0585")
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading == "two different tests; χ²: Pearson; p: Fisher exact"


def test_statistic_alone() -> None:
    assert of(chi_square="3.324").reading == "Yates"
    assert of(chi_square="5.135").verdict is Verdict.INCONSISTENT


def test_small_p_printed_as_bound() -> None:
    check = only(list(checks(study(binary={"x": row(2, 40, p="<0.001")}))), "binary.x.p")
    assert check.verdict is Verdict.CONSISTENT
    assert "Pearson" in check.reading
    assert "Fisher exact" in check.reading


def test_pearson_on_small_expected_counts() -> None:
    """2 of 49 v 2 of 43: Pearson 0.894 (1.9 expected), Fisher 1.000."""
    check = only(list(checks(study(binary={"x": row(2, 2, p="0.894")}))), "binary.x.p")
    assert check.verdict is Verdict.CONSISTENT
    assert check.note == "smallest expected count 1.9, Fisher exact p 1.0000"


def test_nobody_in_either_arm() -> None:
    (check,) = checks(study(binary={"x": row(0, 0)}))
    assert check.verdict is Verdict.NOT_CHECKABLE
    assert "no event in either arm" in check.note


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [
        ({}, Verdict.NOT_CHECKABLE),
        ({"p": "1.000"}, Verdict.CONSISTENT),
        ({"p": ">0.99"}, Verdict.CONSISTENT),
        ({"p": "0.5"}, Verdict.INCONSISTENT),
    ],
)
@pytest.mark.parametrize("counts", [(49, 43), (0, 0)])
def test_nothing_to_compare(counts: tuple[int, int], printed: dict[str, str], verdict: Verdict) -> None:
    """Nobody, or everybody, has the outcome: the exact p is 1."""
    (check,) = checks(study(binary={"x": row(*counts, **printed)}))
    assert check.verdict is verdict


def test_size_missing() -> None:
    (check,) = checks(study(arms={}, binary={"x": row(3, 4, p="0.5")}))
    assert check.verdict is Verdict.NOT_CHECKABLE
    assert "arms.*.n" in check.note


def test_no_claim_no_check() -> None:
    assert list(checks(study(binary={"x": row(3, 4)}))) == []


def variable(levels: dict[str, tuple[int, int]], p: str, **more: object) -> Check:
    rows = {name: row(*counts) for name, counts in levels.items()}
    (check,) = checks(study(baseline={"variables": {"v": {"levels": rows, "p": p, **more}}}))
    return check


def test_three_levels() -> None:
    """Pearson 0.0511 with 2 df, p 0.9748 (SciPy)."""
    check = variable({"a": (27, 24), "b": (12, 11), "c": (10, 8)}, "0.975")
    assert check.verdict is Verdict.CONSISTENT
    assert check.reading.startswith("Pearson")
    assert variable({"a": (27, 24), "b": (12, 11), "c": (10, 8)}, "0.957").verdict is Verdict.INCONSISTENT


@pytest.mark.parametrize(
    ("p", "fragment"),
    [
        ("0.761", "Fisher-Freeman-Halton exact on the printed rows alone"),
        ("0.713", "Pearson on the printed rows alone"),
        ("0.845", "the printed rows and a row of patients with none"),
        ("0.893", "Yates on any v none"),
    ],
)
def test_overlapping_levels(p: str, fragment: str) -> None:
    """5 v 7, 4 v 3, 3 v 2 of 49 v 43: Freeman-Halton 0.7608 on the rows; with 37 v 31 Pearson 0.8452; 12 v 12 Yates 0.8930."""
    check = variable({"a": (5, 7), "b": (4, 3), "c": (3, 2)}, p, exclusive=False)
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert fragment in check.reading


def test_overlapping_levels_that_nothing_explains() -> None:
    check = variable({"a": (5, 7), "b": (4, 3), "c": (3, 2)}, "0.555", exclusive=False)
    assert (check.verdict, check.reading) == (Verdict.INCONSISTENT, "none")


def test_more_comorbidities_than_patients() -> None:
    check = variable({"a": (40, 30), "b": (30, 30)}, "0.6", exclusive=False)
    assert "a row of patients with none" not in check.recomputed


def test_planted_p_is_found() -> None:
    """A p moved by 0.05 or more is reproduced only where another usual test happens to give it."""
    rng = np.random.default_rng(11)
    missed = 0
    for _ in range(60):
        control, experimental = int(rng.integers(5, 44)), int(rng.integers(5, 38))
        table = np.array([[control, experimental], [49 - control, 43 - experimental]])
        p = two_sided(table, "pearson")[1]
        wrong = printed((p + float(rng.uniform(0.3, 0.6))) % 1, 4)
        check = only(list(checks(study(binary={"x": row(control, experimental, p=wrong)}))), "binary.x.p")
        missed += check.verdict is Verdict.CONSISTENT
    assert missed <= 2
