from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, t, ttest_ind_from_stats

from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.baseline import baseline_estimates, level_smd, mean_smd, published_baseline, standard_error
from retrial.study.fields import MeanSD
from retrial.study.study import Study

BASELINE: dict[str, Any] = {
    "where": "Table 1",
    "variables": {
        "age": {"label": "Age", "control": "54.5 ± 12.7", "experimental": "51.9 ± 10.8", "p": "0.294"},
        "constant": {"control": "1.0 ± 0.0", "experimental": "1.0 ± 0.0"},
        "gender": {
            "p": "0.808",
            "levels": {"male": {"control": "43", "experimental": "37"}, "female": {"control": "6", "experimental": "6"}},
        },
        "invasion": {
            "p": "0.975",
            "levels": {
                "VP0": {"control": "27", "experimental": "24"},
                "VP1-2": {"control": "12", "experimental": "11"},
                "VP3-4": {"control": "10", "experimental": "8"},
            },
        },
        "other": {
            "exclusive": False,
            "levels": {"hypertension": {"control": "5", "experimental": "7"}, "diabetes": {"control": "4", "experimental": "3"}},
        },
        "same": {"levels": {"a": {"control": "49", "experimental": "43"}, "b": {"control": "0", "experimental": "0"}}},
        "smoker": {"levels": {"yes": {"control": "20", "experimental": "10"}}},
    },
}


@pytest.fixture(scope="module")
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(baseline=BASELINE)


@pytest.fixture(scope="module")
def rows(study: Study) -> list[Estimate]:
    return baseline_estimates(study)


def pick(rows: list[Estimate], endpoint: str, quantity: str, model: str = "") -> Estimate:
    found = [row for row in rows if row.endpoint == endpoint and row.quantity == quantity and (not model or row.model == model)]
    assert len(found) == 1, found
    return found[0]


def test_t_tests_agree_with_scipy(rows: list[Estimate]) -> None:
    for model, equal in (("student_t", True), ("welch_t", False)):
        expected = ttest_ind_from_stats(51.9, 10.8, 43, 54.5, 12.7, 49, equal_var=equal).pvalue
        assert pick(rows, "baseline.age", "p_value", model).point == pytest.approx(expected, abs=1e-10)
        difference = pick(rows, "baseline.age", "mean_difference", model)
        assert difference.point == pytest.approx(-2.6)
        assert (difference.lower + difference.upper) / 2 == pytest.approx(-2.6)


def test_student_interval_is_its_formula(rows: list[Estimate]) -> None:
    pooled = (48 * 12.7**2 + 42 * 10.8**2) / 90
    se = math.sqrt(pooled * (1 / 49 + 1 / 43))
    row = pick(rows, "baseline.age", "mean_difference", "student_t")
    assert row.sd == pytest.approx(se, abs=1e-10)
    assert row.upper == pytest.approx(-2.6 + t.ppf(0.975, 90) * se, abs=1e-10)


def test_welch_degrees_of_freedom() -> None:
    # Equal variances and sizes: Welch-Satterthwaite gives 2 (n - 1), Student's own.
    assert standard_error((2.0, 2.0), (10, 10), equal=False) == pytest.approx(standard_error((2.0, 2.0), (10, 10), equal=True))
    # One SD of 0: only the other arm's n - 1 degrees are left.
    assert standard_error((0.0, 3.0), (10, 7), equal=False)[1] == pytest.approx(6)


def test_standardized_difference_of_means(rows: list[Estimate]) -> None:
    d = -2.6 / math.sqrt((12.7**2 + 10.8**2) / 2)
    row = pick(rows, "baseline.age", "standardized_mean_difference")
    assert row.point == pytest.approx(d, abs=1e-10)
    assert row.sd == pytest.approx(math.sqrt(1 / 49 + 1 / 43 + d**2 / 184), abs=1e-10)


def test_standardized_difference_of_two_levels(rows: list[Estimate]) -> None:
    e, c = 37 / 43, 43 / 49
    expected = (e - c) / math.sqrt((e * (1 - e) + c * (1 - c)) / 2)
    assert pick(rows, "baseline.gender", "standardized_mean_difference").point == pytest.approx(expected, abs=1e-10)


@settings(derandomize=True, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_standardized_difference_of_levels_does_not_depend_on_their_order(counts: list[tuple[int, int]], random: Any) -> None:
    control, experimental = np.array(counts).T
    order = list(range(len(counts)))
    random.shuffle(order)
    one, other = level_smd(control, experimental), level_smd(control[order], experimental[order])
    assert abs(other) == pytest.approx(abs(one), abs=1e-8)
    assert abs(level_smd(experimental, control)) == pytest.approx(abs(one), abs=1e-8)
    with_empty = level_smd(np.append(control, 0), np.append(experimental, 0))
    assert with_empty == pytest.approx(one, abs=1e-8)


def test_counts_reproduce_what_the_paper_prints(rows: list[Estimate]) -> None:
    # Yao et al. 2025, Table 1: gender p 0.808, macrovascular invasion p 0.975 (Pearson, 1 and 2 df).
    assert pick(rows, "baseline.gender", "p_value", "pearson_chi_square").point == pytest.approx(0.808, abs=5.1e-4)
    invasion = pick(rows, "baseline.invasion", "p_value")
    assert invasion.point == pytest.approx(0.975, abs=5.1e-4)
    assert "2 degrees of freedom" in invasion.source
    assert invasion.point == pytest.approx(chi2_contingency([[27, 12, 10], [24, 11, 8]], correction=False).pvalue, abs=1e-12)
    assert pick(rows, "baseline.gender", "p_value", "fisher_exact").point == pytest.approx(1.0)


def test_overlapping_and_single_levels_are_tested_one_by_one(rows: list[Estimate]) -> None:
    endpoints = {row.endpoint for row in rows}
    assert {"baseline.other.hypertension", "baseline.other.diabetes", "baseline.smoker.yes"} <= endpoints
    assert "baseline.other" not in endpoints
    row = pick(rows, "baseline.smoker.yes", "p_value", "pearson_chi_square")
    assert row.point == pytest.approx(chi2_contingency([[10, 33], [20, 29]], correction=False).pvalue, abs=1e-12)


def test_what_cannot_be_tested_says_why(rows: list[Estimate]) -> None:
    constant = [row for row in rows if row.endpoint == "baseline.constant"]
    assert constant
    assert all(row.failed for row in constant)
    same = [row for row in rows if row.endpoint == "baseline.same" and row.model != "fisher_exact"]
    assert same
    assert all(row.failed for row in same)


def test_smd_refuses_what_has_no_spread() -> None:
    with pytest.raises(DataError, match="both SDs are 0"):
        mean_smd(MeanSD.parse("1 ± 0"), MeanSD.parse("2 ± 0"))
    with pytest.raises(DataError, match="share no level"):
        level_smd(np.array([10, 0]), np.array([0, 10]))
    with pytest.raises(DataError, match="same level"):
        level_smd(np.array([10, 0]), np.array([7, 0]))


def test_published_p_values(study: Study) -> None:
    printed = published_baseline(study)
    assert [(row.endpoint, row.point) for row in printed] == [
        ("baseline.age", 0.294),
        ("baseline.gender", 0.808),
        ("baseline.invasion", 0.975),
    ]
    assert (printed[0].source, printed[0].printed, printed[0].path) == ("Table 1, Age", "0.294", "baseline.variables.age.p")


def test_arm_sizes_are_needed(study: Study) -> None:
    bare = study.model_copy(update={"arms": Study.model_validate({"title": "t"}).arms})
    with pytest.raises(DataError, match=r"arms\.control\.n: missing"):
        baseline_estimates(bare)
