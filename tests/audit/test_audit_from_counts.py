"""Part of the family `ratio_ci_p`: ratios against the counts of their outcomes."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import arms, row, study

from retrial.audit.check import Check, Verdict
from retrial.audit.ratios.from_counts import checks


def of(printed: tuple[str, str, str], counts: tuple[int, int], n: tuple[int, int] = (168, 167), **more: Any) -> Check:
    item = {more.pop("measure", "odds_ratio"): printed[0], "ci": [printed[1], printed[2]]}
    item |= {key: more.pop(key) for key in ("numerator", "denominator", "adjusted_for") if key in more}
    (found,) = checks(study(arms=arms(*n), effects={"x": item}, binary={"x": row(*counts)}, **more))
    return found


@pytest.mark.parametrize(
    ("printed", "counts", "verdict", "reading"),
    [
        (("0.87", "0.48", "1.60"), (26, 23), Verdict.CONSISTENT, ""),  # LIFE, Table 2: Woolf 0.872 (0.475 to 1.601)
        (("4.10", "0.45", "37.06"), (1, 4), Verdict.CONSISTENT, ""),  # 4.098 (0.453 to 37.057)
        (("2.05", "1.05", "4.00"), (15, 28), Verdict.CONSISTENT_ONLY_IF, "truncated"),  # 2.0547 (1.0536 to 4.0070)
        (("0.99", "0.34", "2.91"), (7, 7), Verdict.CONSISTENT_ONLY_IF, "stratified"),  # 1.006 (0.345 to 2.934)
        (("0.99", "0.34", "2.90"), (7, 7), Verdict.CONSISTENT_ONLY_IF, "numerator is control"),  # 1 / 1.00625
        (("0.87", "0.50", "1.52"), (26, 23), Verdict.CONSISTENT_ONLY_IF, "another kind"),
        (("0.42", "0.23", "0.77"), (26, 23), Verdict.INCONSISTENT, ""),  # log 0.872 - log 0.42 is 2.36 SE of 0.310
    ],
)
def test_the_ratio_of_the_counts(printed: tuple[str, str, str], counts: tuple[int, int], verdict: Verdict, reading: str) -> None:
    check = of(printed, counts, randomised=True)
    assert check.verdict is verdict
    assert reading in check.reading
    assert bool(check.reading) == (verdict is Verdict.CONSISTENT_ONLY_IF)


def test_a_risk_ratio() -> None:
    """MPACT: Katz's interval of 99 / 431 against 31 / 430 is 3.186 (2.178 to 4.662)."""
    assert of(("3.19", "2.18", "4.66"), (31, 99), (430, 431), measure="risk_ratio").verdict is Verdict.CONSISTENT


def test_a_far_ratio_of_a_study_that_is_not_randomised_may_be_adjusted() -> None:
    check = of(("0.42", "0.23", "0.77"), (26, 23))
    assert (check.verdict, check.note) == (Verdict.CONSISTENT_ONLY_IF, "2.36 SE from the ratio of the counts")


def test_a_ratio_that_runs_the_other_way_as_the_file_says() -> None:
    assert of(("1.15", "0.62", "2.10"), (26, 23), numerator="control", denominator="experimental").verdict is Verdict.CONSISTENT


def test_adjusted_ratios_and_outcomes_without_an_event_are_not_compared() -> None:
    one = {"odds_ratio": "0.87", "ci": ["0.48", "1.60"]}
    assert not list(checks(study(effects={"x": {**one, "adjusted_for": ["age"]}}, binary={"x": row(17, 24)})))
    assert not list(checks(study(effects={"x": one}, binary={"y": row(17, 24)})))
    assert not list(checks(study(effects={"x": one}, binary={"x": row(0, 0)})))
