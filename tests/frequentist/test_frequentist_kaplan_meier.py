from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times, restricted_mean_survival_time
from scipy.integrate import IntegrationWarning

from retrial.errors import DataError
from retrial.frequentist.kaplan_meier import (
    Curve,
    median_survival,
    restricted_mean,
    survival_at,
    survival_difference,
)
from retrial.frequentist.kernels import Kernels
from retrial.frequentist.library import Library
from retrial.tables.life_table import LifeTable

LEVEL = 0.95
counts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8).filter(
    lambda rows: sum(map(sum, rows)) > 0
)


def control_table(rows: list[tuple[int, int]]) -> LifeTable:
    """(events, censored) at months 1, 2, ... in the control arm, nobody in the other."""
    events, censored = np.array(rows).T
    nobody = np.zeros_like(events)
    return LifeTable.from_counts(np.arange(1, len(rows) + 1), np.array([events, nobody]), np.array([censored, nobody]))


def control_curve(rows: list[tuple[int, int]]) -> Curve:
    return curve_of(control_table(rows), "control")


def curve_of(table: LifeTable, arm: str) -> Curve:
    return Kernels(table, 0, LEVEL).curve(arm)


def lifelines_of(rows: list[tuple[int, int]]) -> KaplanMeierFitter:
    pairs = [(t + 1, status, n) for t, row in enumerate(rows) for status, n in zip((1, 0), row, strict=True) if n]
    time, status, weight = (np.array(column) for column in zip(*pairs, strict=True))
    return KaplanMeierFitter().fit(np.repeat(time, weight), np.repeat(status, weight))


def exact_survival(rows: list[tuple[int, int]]) -> list[Fraction]:
    at_risk, s, values = sum(map(sum, rows)), Fraction(1), []
    for events, censored in rows:
        s *= Fraction(at_risk - events, at_risk) if at_risk else 1
        values.append(s)
        at_risk -= events + censored
    return values


def test_leukaemia_as_published(leukaemia: LifeTable) -> None:
    # Klein and Moeschberger, Survival Analysis, table 4.1: 6-MP, S(6) 0.857 (0.076), S(10) 0.753 (0.096), S(23) 0.448 (0.135).
    six_mp = curve_of(leukaemia, "experimental")
    for time, s, se in ((6, 0.857, 0.076), (10, 0.753, 0.096), (23, 0.448, 0.135)):
        point, _, sd = survival_at(six_mp, time)
        assert (point, sd) == pytest.approx((s, se), abs=5.1e-4)
    # Medians 23 and 8 weeks: Cox 1972 and every textbook after it.
    assert median_survival(six_mp)[0] == 23
    assert median_survival(curve_of(leukaemia, "control"))[0] == 8


def test_log_log_limits_as_stata_prints_them(leukaemia: LifeTable) -> None:
    # Rodriguez, Princeton, "The Gehan survival data": sts list, control at week 1, 0.9048 (0.0641), 0.6700 to 0.9753.
    point, limits, se = survival_at(curve_of(leukaemia, "control"), 1)
    assert (point, se, *limits) == pytest.approx((0.9048, 0.0641, 0.6700, 0.9753), abs=5.1e-5)


def test_restricted_means_as_r_prints_them(aml: LifeTable) -> None:
    # R, print(survfit(Surv(time, status) ~ x, aml), print.rmean=TRUE): 52.6 (19.83) maintained, 22.7 (4.18) not, to 161.
    assert restricted_mean(curve_of(aml, "experimental"), 161) == pytest.approx((52.6, 19.83), abs=0.051)
    mean, se = restricted_mean(curve_of(aml, "control"), 161)
    assert (mean, se) == pytest.approx((22.7, 4.18), abs=0.01)
    assert median_survival(curve_of(aml, "experimental"))[0] == 31
    assert median_survival(curve_of(aml, "control"))[0] == 23


@settings(derandomize=True, max_examples=60, deadline=None)
@given(counts)
def test_curve_and_limits_agree_with_lifelines(rows: list[tuple[int, int]]) -> None:
    curve, other = control_curve(rows), lifelines_of(rows)
    for time, s in zip(curve.times, curve.survival, strict=True):
        if not sum(rows[int(time) - 1]):
            continue  # nobody leaves: lifelines has no row
        assert s == pytest.approx(float(other.predict(time)), abs=1e-10)
        _, (lower, upper), _ = survival_at(curve, float(time))
        if 0 < s < 1:
            assert (lower, upper) == pytest.approx(tuple(other.confidence_interval_survival_function_.loc[time]), abs=1e-8)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(counts)
def test_medians_are_exact_and_their_limits_those_of_lifelines(rows: list[tuple[int, int]]) -> None:
    curve = control_curve(rows)
    point, (lower, upper) = median_survival(curve)
    exact = next((t + 1 for t, s in enumerate(exact_survival(rows)) if s <= Fraction(1, 2)), math.inf)
    assert point == exact
    assert lower <= point <= upper
    if not curve.reaches_zero:  # where nobody is left, lifelines and R differ about the last limit
        limits = median_survival_times(lifelines_of(rows).confidence_interval_).iloc[0]
        assert (lower, upper) == pytest.approx(tuple(limits))


def test_a_curve_at_exactly_one_half_has_its_median_there() -> None:
    # 5/6 * 4/5 * 3/4 = 1/2; a product of logarithms gives a little more, and the next step would be taken.
    point, _ = median_survival(control_curve([(1, 0), (1, 0), (1, 0), (1, 2)]))
    assert point == 3


@settings(derandomize=True, max_examples=100)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8).filter(lambda d: sum(d) > 1), st.floats(0.1, 12))
def test_without_censoring_the_restricted_mean_is_a_mean(events: list[int], horizon: float) -> None:
    curve = control_curve([(d, 0) for d in events])
    time = np.minimum(np.repeat(np.arange(1, len(events) + 1), events), horizon)
    mean, se = restricted_mean(curve, horizon)
    assert mean == pytest.approx(time.mean(), abs=1e-8)
    assert se == pytest.approx(time.std() / math.sqrt(time.size), abs=1e-8)


@settings(derandomize=True, max_examples=100)
@given(counts, st.floats(0.1, 8))
def test_restricted_mean_is_the_area_under_the_curve(rows: list[tuple[int, int]], horizon: float) -> None:
    curve = control_curve(rows)
    if horizon > curve.last and not curve.reaches_zero:
        with pytest.raises(DataError, match="beyond the last time"):
            restricted_mean(curve, horizon)
        return
    steps = [float(survival_at(curve, t)[0]) for t in range(math.ceil(horizon))]
    lengths = [min(1.0, horizon - t) for t in range(math.ceil(horizon))]
    assert restricted_mean(curve, horizon)[0] == pytest.approx(float(np.dot(steps, lengths)), abs=1e-8)


def test_survival_difference_is_the_difference_with_both_variances(leukaemia: LifeTable) -> None:
    control, experimental = (curve_of(leukaemia, arm) for arm in ("control", "experimental"))
    difference, (lower, upper), se = survival_difference(control, experimental, 10, LEVEL)
    (s_c, _, se_c), (s_e, _, se_e) = survival_at(control, 10), survival_at(experimental, 10)
    assert difference == pytest.approx(s_e - s_c, abs=1e-12)
    assert se == pytest.approx(math.hypot(se_c, se_e), abs=1e-12)
    assert upper - lower == pytest.approx(2 * 1.959963984540054 * se, abs=1e-10)


def test_edges_of_a_curve() -> None:
    curve = control_curve([(0, 1), (1, 0), (0, 1)])
    assert survival_at(curve, 0)[0] == 1
    assert survival_at(curve, 1.5)[0] == 1
    assert math.isnan(survival_at(curve, 1.5)[2])
    assert survival_at(curve, 3)[0] == 0.5
    with pytest.raises(DataError, match="beyond the last time, 3"):
        survival_at(curve, 3.5)
    dead = control_curve([(1, 0), (1, 0)])
    assert survival_at(dead, 100)[0] == 0
    assert restricted_mean(dead, 100)[0] == pytest.approx(1.5)
    never = control_curve([(0, 5)])
    assert median_survival(never) == (math.inf, (math.inf, math.inf))


@pytest.mark.parametrize("horizon", [0, -1, math.inf, math.nan])
def test_impossible_horizons_are_refused(horizon: float) -> None:
    with pytest.raises(DataError, match="months above 0"):
        restricted_mean(control_curve([(1, 0), (1, 0)]), horizon)


def test_an_empty_arm_is_refused() -> None:
    table = LifeTable.from_counts([1.0], np.array([[1], [0]]), np.array([[0], [0]]))
    with pytest.raises(DataError, match="no patients in the experimental arm"):
        curve_of(table, "experimental")
    with pytest.raises(DataError, match="no patients"):
        curve_of(LifeTable.from_counts([1.0], np.zeros((2, 1)), np.zeros((2, 1))), "total")
    with pytest.raises(DataError, match="allowed are 0 to 0"):
        Kernels(table, 1, LEVEL)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(counts)
def test_the_curve_of_lifelines_is_ours(rows: list[tuple[int, int]]) -> None:
    table = control_table(rows)
    before = np.geterr()
    for arm in ("control", "total"):
        ours, other = Kernels(table, 0, 0.9).curve(arm), Library(table, 0, 0.9).curve(arm)
        for name in ("times", "survival", "greenwood", "lower", "upper"):
            np.testing.assert_allclose(getattr(other, name), getattr(ours, name), atol=1e-12)
        assert median_survival(other) == median_survival(ours)
    assert np.geterr() == before


def test_the_variance_of_lifelines_is_that_of_the_patients_and_ours_of_the_mean(leukaemia: LifeTable) -> None:
    other = KaplanMeierFitter().fit(*(leukaemia.patients()[name][:21] for name in ("time", "event")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IntegrationWarning)
        mean, variance = restricted_mean_survival_time(other, 20, return_variance=True)
    ours, se = restricted_mean(curve_of(leukaemia, "control"), 20)
    assert variance == pytest.approx(33.8, abs=0.05)
    assert (ours, se**2) == pytest.approx((mean, variance / 21), rel=1e-5)  # nobody is censored; its quadrature is coarse
