"""Family `mean_tests`: t-tests, pooled means and SDs over the rounding of what is printed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from audit_factory import only, printed, study
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.mean_tests import checks, pooled_mean, pooled_sd, student_p, welch_p
from retrial.audit.numbers import Range

SIZES = (49, 43)


def point(value: float) -> Range:
    return Range(value, value)


def test_point_intervals_give_the_tests_themselves() -> None:
    """Without rounding the ranges are SciPy's p-values."""
    means, sds = (point(54.5), point(51.9)), (point(12.7), point(10.8))
    for equal, found in ((True, student_p(means, sds, SIZES)), (False, welch_p(means, sds, SIZES))):
        expected = stats.ttest_ind_from_stats(54.5, 12.7, 49, 51.9, 10.8, 43, equal_var=equal).pvalue
        assert found.low == pytest.approx(expected, abs=1e-10)
        assert found.high == pytest.approx(expected, abs=1e-10)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.floats(0, 5), st.floats(0.5, 8), st.floats(0.5, 8), st.integers(2, 80), st.integers(2, 80), st.data())
def test_every_value_within_rounding_is_in_the_range(
    difference: float, sd1: float, sd2: float, n1: int, n2: int, data: st.DataObject
) -> None:
    half = 0.05
    means = (Range(10 - half, 10 + half), Range(10 + difference - half, 10 + difference + half))
    sds = (Range(sd1 - half, sd1 + half), Range(sd2 - half, sd2 + half))
    inside = [data.draw(st.floats(low, high)) for low, high in (*means, *sds)]
    for equal, found in ((True, student_p(means, sds, (n1, n2))), (False, welch_p(means, sds, (n1, n2)))):
        p = stats.ttest_ind_from_stats(inside[0], inside[2], n1, inside[1], inside[3], n2, equal_var=equal).pvalue
        assert found.low - 1e-6 <= p <= found.high + 1e-6


def test_pooled_closed_form() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(5, 2, 49), rng.normal(6, 3, 43)
    means = (point(float(first.mean())), point(float(second.mean())))
    sds = (point(float(first.std(ddof=1))), point(float(second.std(ddof=1))))
    everybody = np.concatenate([first, second])
    assert pooled_mean(means, SIZES).low == pytest.approx(everybody.mean(), abs=1e-10)
    assert pooled_sd(means, sds, SIZES).high == pytest.approx(everybody.std(ddof=1), abs=1e-10)


def test_pooled_ranges_are_those_of_the_corners() -> None:
    means, sds = (Range(54.45, 54.55), Range(51.85, 51.95)), (Range(12.65, 12.75), Range(10.75, 10.85))
    values = [
        math.sqrt((48 * s1**2 + 42 * s2**2 + 49 * 43 / 92 * (m1 - m2) ** 2) / 91)
        for m1, m2, s1, s2 in itertools.product(*means, *sds)
    ]
    assert pooled_sd(means, sds, SIZES) == pytest.approx((min(values), max(values)), abs=1e-10)


def of(control: str, experimental: str, p: str | None = None, **more: object) -> list[Check]:
    variable = {"control": control, "experimental": experimental, **({"p": p} if p else {}), **more}
    return list(checks(study(baseline={"variables": {"v": variable}})))


PATH = "baseline.variables.v"


def test_p_within_the_rounding() -> None:
    """54.5 ± 12.7 v 51.9 ± 10.8 (49 v 43): Student 0.2765 to 0.3175 over the rounding."""
    assert only(of("54.5 ± 12.7", "51.9 ± 10.8", "0.294"), f"{PATH}.p").verdict is Verdict.CONSISTENT


def test_welch_alone() -> None:
    """356.8 ± 508.9 v 195.7 ± 493.9: Student 0.1278 to 0.1283, Welch 0.1271 to 0.1276."""
    check = only(of("356.8 ± 508.9", "195.7 ± 493.9", "0.127", positive=True), f"{PATH}.p")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT, "Welch t")
    assert check.note == "Student t gives it only truncated; a t-test, though an SD exceeds its mean"


def test_no_t_test() -> None:
    """220.5 ± 429.4 v 154.5 ± 200.9: Student 0.358 to 0.359, Welch 0.338 to 0.340."""
    check = only(of("220.5 ± 429.4", "154.5 ± 200.9", "0.529"), f"{PATH}.p")
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert "Mann-Whitney" in check.reading


def test_totals() -> None:
    found = of("54.5 ± 12.7", "51.9 ± 10.8", total="53.3 ± 11.8")
    assert [check.verdict for check in found] == [Verdict.CONSISTENT] * 2
    found = of("54.5 ± 12.7", "51.9 ± 10.8", total="53.5 ± 12.4")
    assert [check.verdict for check in found] == [Verdict.INCONSISTENT] * 2


def test_spread_of_a_positive_quantity() -> None:
    check = only(of("1.1 ± 0.2", "1.6 ± 2.3", positive=True), f"{PATH}.experimental")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT_ONLY_IF, "strongly skewed data")
    assert check.recomputed == "normal data would have 24 % below 0; the largest of 43 values is at least 4.83"
    assert of("1.1 ± 0.2", "1.6 ± 2.3") == []


def test_least_maximum_is_attained() -> None:
    """Two-point data reach the bound: zeros and one value of n m."""
    values = np.zeros(43)
    values[:5] = 7.0
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    check = only(of("1.10 ± 0.20", f"{printed(mean, 4)} ± {printed(sd, 4)}", positive=True), f"{PATH}.experimental")
    assert "at least 7.00" in check.recomputed


def test_impossible_spread() -> None:
    """The largest SD of 43 values from 0 with mean 1 is sqrt(43) = 6.56."""
    assert only(of("1.0 ± 0.5", "1.00 ± 6.60", positive=True), f"{PATH}.experimental").verdict is Verdict.INCONSISTENT
    assert only(of("1.0 ± 0.5", "1.00 ± 6.50", positive=True), f"{PATH}.experimental").verdict is Verdict.CONSISTENT_ONLY_IF


def test_equal_constants() -> None:
    assert of("5.0 ± 0.0", "5.0 ± 0.0", "1.000")[0].verdict is Verdict.CONSISTENT


@pytest.mark.parametrize("sizes", [{}, {"control": {"n": "1"}, "experimental": {"n": "43"}}])
def test_sizes_missing(sizes: dict[str, dict[str, str]]) -> None:
    variable = {"control": "5.0 ± 1.0", "experimental": "5.0 ± 1.0", "p": "0.9"}
    (check,) = checks(study(arms=sizes, baseline={"variables": {"v": variable}}))
    assert check.verdict is Verdict.NOT_CHECKABLE
