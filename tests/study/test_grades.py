"""Grade groups as tables of adverse events head them, and what they must add to."""

from __future__ import annotations

import pytest

from retrial.study.grades import grades_of, wholes


@pytest.mark.parametrize(
    ("key", "grades"),
    [
        *((key, {3, 4, 5}) for key in (">=3", "≥3", "≥ 3", "3+", "3-5", "grade 3 or worse", "G≥3", "Grade 3–5")),
        *((key, {1, 2}) for key in ("1-2", "1–2", "1/2", "1 to 2", "<=2", "G1-2")),
        *((key, {1, 2, 3, 4, 5}) for key in ("any", "Any", "all", "1-5")),
        ("severe", {3}),
        ("fatal", {5}),
        ("4", {4}),
    ],
)
def test_keys(key: str, grades: set[int]) -> None:
    assert grades_of(key) == grades


@pytest.mark.parametrize("key", ["serious", "0", "6", "4-3", "3-6", "1-2-3", ""])
def test_other_words_are_no_grades(key: str) -> None:
    assert grades_of(key) is None


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["any"], []),
        (["any", "3-4"], [("any", ("3-4",), False)]),
        (["any", "3", "4"], [("any", ("3", "4"), False)]),
        (["1-2", "3-4", "any"], [("any", ("1-2", "3-4"), True)]),
        (["any", "1", "2", "3", "4", "5"], [("any", ("1", "2", "3", "4", "5"), True)]),
        (["any", "1", "2", "3", "4"], [("any", ("1", "2", "3", "4"), False)]),
        (["any", ">=3"], [("any", (">=3",), False)]),
        (["any", "1-2", ">=3"], [("any", ("1-2", ">=3"), True)]),
        (["any", ">=3", "3", "4"], [("any", (">=3",), False), (">=3", ("3", "4"), False)]),
        (["any", "3-4", "3", "4"], [("any", ("3-4",), False), ("3-4", ("3", "4"), True)]),
        (["any", "2-3", "3-4"], []),
        (["any", "serious"], []),
    ],
)
def test_what_holds_what(keys: list[str], expected: list[tuple[str, tuple[str, ...], bool]]) -> None:
    assert [(whole.key, whole.parts, whole.sums) for whole in wholes(keys)] == expected
