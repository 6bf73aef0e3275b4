"""Family `chi_square_p`."""

from __future__ import annotations

import pytest
from audit_factory import printed, study
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.counts.chi_square import checks, fitting_df, p_of
from retrial.study.reported import Reported


def of(chi_square: str | None, p: str | None, **more: object) -> Check:
    result = {name: text for name, text in (("chi_square", chi_square), ("p", p)) if text is not None}
    df = {"df": more.pop("df")} if "df" in more else {}
    rows = {"r": {"results": {"os": {**result, **df}}, **more}}
    (check,) = checks(study(tests={"t": {"where": "Table 3", "rows": rows}}))
    return check


def test_published_critical_values() -> None:
    """Upper 5 % points of chi-square: 3.841, 5.991, 7.815 (any table)."""
    for df, point in ((1, "3.841"), (2, "5.991"), (3, "7.815")):
        assert df in fitting_df(Reported(point), Reported("0.050"))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.floats(0.0, 30.0), st.integers(1, 10), st.integers(1, 4), st.integers(2, 4))
def test_true_df_always_fits(statistic: float, df: int, chi_decimals: int, p_decimals: int) -> None:
    p = float(stats.chi2.sf(statistic, df))
    assert df in fitting_df(Reported(printed(statistic, chi_decimals)), Reported(printed(p, p_decimals)))


def test_range_is_that_of_the_rounding() -> None:
    low, high = p_of(Reported("0.010"), 1)
    assert low == pytest.approx(stats.chi2.sf(0.0105, 1), abs=1e-12)
    assert high == pytest.approx(stats.chi2.sf(0.0095, 1), abs=1e-12)


def test_groups_give_the_df() -> None:
    assert (of("6.886", "0.009").verdict, of("6.886", "0.009").reading) == (Verdict.CONSISTENT, "df = 1")
    assert of("2.357", "0.502", groups=4).reading == "df = 3"
    assert of("2.357", "0.502", df=3).verdict is Verdict.CONSISTENT


def test_another_df() -> None:
    check = of("2.357", "0.502")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT_ONLY_IF, "df = 3")
    assert check.note == "4 groups were tested, not 2 as the row says"


def test_no_df() -> None:
    """p 0.010 with 1 df: 6.55 to 6.73 (SciPy isf of 0.0105 and 0.0095)."""
    check = of("8.245", "0.010")
    assert check.verdict is Verdict.INCONSISTENT
    assert check.note == "no df from 1 to 10 fits; p 0.010 with df 1 needs χ² 6.55 to 6.73"


def test_truncation() -> None:
    """sf(5.02) = 0.02505: 0.025 rounded; sf(4.00) = 0.0455: 0.045 cut off."""
    assert of("5.020", "0.025").verdict is Verdict.CONSISTENT
    check = of("3.990", "0.045")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT_ONLY_IF, "df = 1, p truncated instead of rounded")


def test_bound_on_p() -> None:
    assert of("15.2", "<0.001").verdict is Verdict.CONSISTENT
    assert of("3.2", "<0.001").verdict is Verdict.INCONSISTENT
    assert of("0.5", ">0.05").verdict is Verdict.CONSISTENT


@pytest.mark.parametrize(("chi_square", "p", "missing"), [("3.2", None, "p"), (None, "0.07", "chi_square")])
def test_half_a_pair(chi_square: str | None, p: str | None, missing: str) -> None:
    check = of(chi_square, p)
    assert (check.verdict, check.note) == (Verdict.NOT_CHECKABLE, f"{missing} is not printed")


def test_log_rank_of_an_endpoint() -> None:
    endpoints = {"os": {"test": {"chi_square": "5.116", "p": "0.024"}}}
    (check,) = checks(study(endpoints=endpoints))
    assert (check.path, check.verdict) == ("endpoints.os.test", Verdict.CONSISTENT)


def test_log_rank_that_is_a_table_row_is_checked_once() -> None:
    endpoints = {"os": {"test": {"chi_square": "5.116", "p": "0.024", "where": "Table 3, regimen"}}}
    rows = {"regimen": {"treatment": True, "results": {"os": {"chi_square": "5.116", "p": "0.024"}}}}
    assert len(list(checks(study(endpoints=endpoints, tests={"t": {"where": "Table 3", "rows": rows}})))) == 1
