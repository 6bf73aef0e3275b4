from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from retrial.errors import DataError
from retrial.frequentist.two_by_two import (
    TwoByTwo,
    fisher_exact_p,
    newcombe,
    number_needed_to_treat,
    odds_ratio,
    pearson_chi_square,
    risk_ratio,
    wilson,
)

LEVEL = 0.95
# Agresti, Categorical Data Analysis, 2nd ed., section 3.1: heart attacks, 189 of 11,034 on placebo, 104 of 11,037 on aspirin.
ASPIRIN = TwoByTwo(control=104, n_control=11037, experimental=189, n_experimental=11034)


@st.composite
def tables(draw: st.DrawFn) -> TwoByTwo:
    n_c, n_e = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    return TwoByTwo(draw(st.integers(0, n_c)), n_c, draw(st.integers(0, n_e)), n_e)


def swapped(table: TwoByTwo) -> TwoByTwo:
    return TwoByTwo(table.experimental, table.n_experimental, table.control, table.n_control)


@pytest.mark.parametrize(
    ("events", "n", "lower", "upper"),
    # Newcombe 1998, Stat Med 17:857, table I, method 3 (score).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(events: int, n: int, lower: float, upper: float) -> None:
    assert wilson(events, n, LEVEL) == pytest.approx((lower, upper), abs=5.1e-5)


@settings(derandomize=True, max_examples=200)
@given(st.integers(1, 80), st.data())
def test_wilson_limits_solve_the_score_equation(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    z = norm.ppf(0.975)
    for p in wilson(events, n, LEVEL):
        assert (events / n - p) ** 2 == pytest.approx(z**2 * p * (1 - p) / n, abs=1e-8)


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "lower", "upper"),
    # Newcombe 1998, Stat Med 17:873, table II, method 10 (hybrid score): a/m - b/n.
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_newcombe_as_published(a: int, m: int, b: int, n: int, lower: float, upper: float) -> None:
    table = TwoByTwo(control=b, n_control=n, experimental=a, n_experimental=m)
    assert newcombe(table, LEVEL) == pytest.approx((lower, upper), abs=5.1e-5)


def test_ratios_as_published() -> None:
    odds, risk = odds_ratio(ASPIRIN, LEVEL), risk_ratio(ASPIRIN, LEVEL)
    assert (odds.point, odds.lower, odds.upper) == pytest.approx((1.832, 1.440, 2.331), abs=5.1e-4)
    assert (risk.point, risk.lower, risk.upper) == pytest.approx((1.82, 1.43, 2.31), abs=5.1e-3)


def test_odds_ratio_of_hay_fever_and_eczema() -> None:
    # Bland and Altman, BMJ 2000;320:1468: hay fever in 141 of 561 children with eczema, 928 of 14,453 without.
    odds = odds_ratio(TwoByTwo(928, 14453, 141, 561), LEVEL)
    assert odds.point == pytest.approx(4.89, abs=5.1e-3)
    assert odds.se_log == pytest.approx(0.103, abs=5.1e-4)
    assert (odds.lower, odds.upper) == pytest.approx((4.00, 5.99), abs=5.1e-3)


def test_ratios_are_their_formulas() -> None:
    table, z = TwoByTwo(17, 49, 24, 43), norm.ppf(0.975)
    odds, risk = odds_ratio(table, LEVEL), risk_ratio(table, LEVEL)
    assert odds.point == pytest.approx((24 / 19) / (17 / 32), abs=1e-12)
    assert odds.upper == pytest.approx(odds.point * math.exp(z * math.sqrt(1 / 24 + 1 / 19 + 1 / 17 + 1 / 32)), abs=1e-8)
    assert risk.lower == pytest.approx(risk.point * math.exp(-z * math.sqrt(1 / 24 - 1 / 43 + 1 / 17 - 1 / 49)), abs=1e-8)
    assert (odds.model, risk.model) == ("woolf", "katz")


def test_a_zero_adds_a_half_and_says_so() -> None:
    odds, risk = (make(TwoByTwo(0, 49, 2, 43), LEVEL) for make in (odds_ratio, risk_ratio))
    assert (odds.model, risk.model) == ("woolf_haldane", "katz_haldane")
    assert odds.point == pytest.approx((2.5 / 41.5) / (0.5 / 49.5), abs=1e-12)
    assert risk.point == pytest.approx((2.5 / 44) / (0.5 / 50), abs=1e-12)
    assert risk_ratio(TwoByTwo(10, 10, 5, 10), LEVEL).model == "katz"
    assert odds_ratio(TwoByTwo(10, 10, 5, 10), LEVEL).model == "woolf_haldane"


@settings(derandomize=True, max_examples=200)
@given(tables())
def test_swapping_arms_flips_differences_and_inverts_ratios(table: TwoByTwo) -> None:
    other = swapped(table)
    lower, upper = newcombe(table, LEVEL)
    assert newcombe(other, LEVEL) == pytest.approx((-upper, -lower), abs=1e-10)
    assert fisher_exact_p(other) == pytest.approx(fisher_exact_p(table), abs=1e-10)
    for make in (risk_ratio, odds_ratio):
        try:
            one = make(table, LEVEL)
        except DataError:
            with pytest.raises(DataError):
                make(other, LEVEL)
            continue
        two = make(other, LEVEL)
        np.testing.assert_allclose([two.point, two.lower, two.upper], [1 / one.point, 1 / one.upper, 1 / one.lower], rtol=1e-9)
        assert one.lower < one.point < one.upper


@settings(derandomize=True, max_examples=200)
@given(tables())
def test_intervals_hold_their_estimate(table: TwoByTwo) -> None:
    lower, upper = newcombe(table, LEVEL)
    assert -1 <= lower <= table.risk_difference + 1e-12
    assert table.risk_difference - 1e-12 <= upper <= 1
    assert 0 < fisher_exact_p(table) <= 1


def test_pearson_is_the_square_of_the_two_sample_z() -> None:
    table = TwoByTwo(17, 49, 24, 43)
    pooled = 41 / 92
    z = table.risk_difference / math.sqrt(pooled * (1 - pooled) * (1 / 49 + 1 / 43))
    statistic, p = pearson_chi_square(table)
    assert statistic == pytest.approx(z**2, abs=1e-10)
    assert p == pytest.approx(2 * norm.sf(abs(z)), abs=1e-10)


def test_fisher_of_the_lady_tasting_tea() -> None:
    # Fisher 1935: 3 of 4 cups right; two-sided p 0.486 (34 of 70 tables).
    assert fisher_exact_p(TwoByTwo(1, 4, 3, 4)) == pytest.approx(34 / 70, abs=1e-12)


def test_number_needed_to_treat_as_altman_has_it() -> None:
    # Altman, BMJ 1998;317:1309: a benefit of 10 % (-5 % to 25 %) is NNTB 10 (NNTH 20 to infinity to NNTB 4).
    benefit, harm = number_needed_to_treat(0.10, -0.05, 0.25)
    assert benefit is not None
    assert harm is not None
    assert (benefit.point, benefit.lower, benefit.upper) == pytest.approx((10, 4, math.inf))
    assert math.isnan(harm.point)
    assert (harm.lower, harm.upper) == pytest.approx((20, math.inf))


def test_number_needed_to_treat_on_one_side_of_zero() -> None:
    # Altman 1998, the same article: a benefit of 10 % (5 % to 15 %) is 10 (6.7 to 20).
    benefit, harm = number_needed_to_treat(0.10, 0.05, 0.15)
    assert harm is None
    assert benefit is not None
    assert (benefit.point, benefit.lower, benefit.upper) == pytest.approx((10, 1 / 0.15, 20))
    benefit, harm = number_needed_to_treat(-0.10, -0.15, -0.05)
    assert benefit is None
    assert harm is not None
    assert (harm.point, harm.lower, harm.upper) == pytest.approx((10, 1 / 0.15, 20))


def test_number_needed_to_treat_without_a_difference_is_infinite_both_ways() -> None:
    halves = number_needed_to_treat(0.0, -0.1, 0.1)
    assert [half.point for half in halves if half is not None] == [math.inf, math.inf]


@pytest.mark.parametrize("bad", [(-1, 10, 1, 10), (11, 10, 1, 10), (0, 0, 1, 10)])
def test_impossible_counts_are_refused(bad: tuple[int, int, int, int]) -> None:
    with pytest.raises(DataError, match="allowed is 0 to n"):
        TwoByTwo(*bad)


def test_tables_without_events_or_without_others_have_no_ratio() -> None:
    for make in (lambda t: risk_ratio(t, LEVEL), lambda t: odds_ratio(t, LEVEL), pearson_chi_square):
        with pytest.raises(DataError, match="no events in either arm"):
            make(TwoByTwo(0, 49, 0, 43))
    with pytest.raises(DataError, match="everybody"):
        odds_ratio(TwoByTwo(49, 49, 43, 43), LEVEL)
    assert fisher_exact_p(TwoByTwo(0, 49, 0, 43)) == 1


def test_millions_of_patients_are_no_trouble() -> None:
    table = TwoByTwo(2_000_000, 5_000_000, 2_001_000, 5_000_000)
    assert fisher_exact_p(table) == pytest.approx(pearson_chi_square(table)[1], abs=1e-3)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan])
def test_impossible_levels_are_refused(level: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        odds_ratio(TwoByTwo(17, 49, 24, 43), level)
