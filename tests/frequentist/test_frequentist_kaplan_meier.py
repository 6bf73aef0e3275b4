from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times

from retrial.errors import DataError
from retrial.frequentist.kaplan_meier import (
    Curve,
    kaplan_meier,
    median_survival,
    restricted_mean,
    survival_at,
    survival_difference,
)
from retrial.frequentist.risk_sets import risk_sets
from retrial.tables.life_table import LifeTable

LEVEL = 0.95
counts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8).filter(
    lambda rows: sum(map(sum, rows)) > 0
)


def control_curve(rows: list[tuple[int, int]]) -> Curve:
    """Curve of (events, censored) at months 1, 2, ..."""
    events, censored = np.array(rows).T
    nobody = np.zeros_like(events)
    table = LifeTable.from_counts(np.arange(1, len(rows) + 1), np.array([events, nobody]), np.array([censored, nobody]))
    return kaplan_meier(risk_sets(table), "control")


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
    risk = risk_sets(leukaemia)
    # Klein and Moeschberger, Survival Analysis, table 4.1: 6-MP, S(6) 0.857 (0.076), S(10) 0.753 (0.096), S(23) 0.448 (0.135).
    six_mp = kaplan_meier(risk, "experimental")
    for time, s, se in ((6, 0.857, 0.076), (10, 0.753, 0.096), (23, 0.448, 0.135)):
        point, _, sd = survival_at(six_mp, time, LEVEL)
        assert (point, sd) == pytest.approx((s, se), abs=5.1e-4)
    # Medians 23 and 8 weeks: Cox 1972 and every textbook after it.
    assert median_survival(six_mp, LEVEL)[0] == 23
    assert median_survival(kaplan_meier(risk, "control"), LEVEL)[0] == 8


def test_log_log_limits_as_stata_prints_them(leukaemia: LifeTable) -> None:
    # Rodriguez, Princeton, "The Gehan survival data": sts list, control at week 1, 0.9048 (0.0641), 0.6700 to 0.9753.
    point, limits, se = survival_at(kaplan_meier(risk_sets(leukaemia), "control"), 1, LEVEL)
    assert (point, se, *limits) == pytest.approx((0.9048, 0.0641, 0.6700, 0.9753), abs=5.1e-5)


def test_restricted_means_as_r_prints_them(aml: LifeTable) -> None:
    # R, print(survfit(Surv(time, status) ~ x, aml), print.rmean=TRUE): 52.6 (19.83) maintained, 22.7 (4.18) not, to 161.
    risk = risk_sets(aml)
    assert restricted_mean(kaplan_meier(risk, "experimental"), 161) == pytest.approx((52.6, 19.83), abs=0.051)
    mean, se = restricted_mean(kaplan_meier(risk, "control"), 161)
    assert (mean, se) == pytest.approx((22.7, 4.18), abs=0.01)
    assert median_survival(kaplan_meier(risk, "experimental"), LEVEL)[0] == 31
    assert median_survival(kaplan_meier(risk, "control"), LEVEL)[0] == 23


@settings(derandomize=True, max_examples=60, deadline=None)
@given(counts)
def test_curve_and_limits_agree_with_lifelines(rows: list[tuple[int, int]]) -> None:
    curve, other = control_curve(rows), lifelines_of(rows)
    for time, s in zip(curve.times, curve.survival, strict=True):
        if not sum(rows[int(time) - 1]):
            continue  # nobody leaves: lifelines has no row
        assert s == pytest.approx(float(other.predict(time)), abs=1e-10)
        _, (lower, upper), _ = survival_at(curve, float(time), LEVEL)
        if 0 < s < 1:
            assert (lower, upper) == pytest.approx(tuple(other.confidence_interval_survival_function_.loc[time]), abs=1e-8)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(counts)
def test_medians_are_exact_and_their_limits_those_of_lifelines(rows: list[tuple[int, int]]) -> None:
    curve = control_curve(rows)
    point, (lower, upper) = median_survival(curve, LEVEL)
    exact = next((t + 1 for t, s in enumerate(exact_survival(rows)) if s <= Fraction(1, 2)), math.inf)
    assert point == exact
    assert lower <= point <= upper
    if not curve.reaches_zero:  # where nobody is left, lifelines and R differ about the last limit
        limits = median_survival_times(lifelines_of(rows).confidence_interval_).iloc[0]
        assert (lower, upper) == pytest.approx(tuple(limits))


def test_a_curve_at_exactly_one_half_has_its_median_there() -> None:
    # 5/6 * 4/5 * 3/4 = 1/2; a product of logarithms gives a little more, and the next step would be taken.
    point, _ = median_survival(control_curve([(1, 0), (1, 0), (1, 0), (1, 2)]), LEVEL)
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
    steps = [float(survival_at(curve, t, LEVEL)[0]) for t in range(math.ceil(horizon))]
    lengths = [min(1.0, horizon - t) for t in range(math.ceil(horizon))]
    assert restricted_mean(curve, horizon)[0] == pytest.approx(float(np.dot(steps, lengths)), abs=1e-8)


def test_survival_difference_is_the_difference_with_both_variances(leukaemia: LifeTable) -> None:
    risk = risk_sets(leukaemia)
    control, experimental = (kaplan_meier(risk, arm) for arm in ("control", "experimental"))
    difference, (lower, upper), se = survival_difference(control, experimental, 10, LEVEL)
    (s_c, _, se_c), (s_e, _, se_e) = survival_at(control, 10, LEVEL), survival_at(experimental, 10, LEVEL)
    assert difference == pytest.approx(s_e - s_c, abs=1e-12)
    assert se == pytest.approx(math.hypot(se_c, se_e), abs=1e-12)
    assert upper - lower == pytest.approx(2 * 1.959963984540054 * se, abs=1e-10)


def test_edges_of_a_curve() -> None:
    curve = control_curve([(0, 1), (1, 0), (0, 1)])
    assert survival_at(curve, 0, LEVEL)[0] == 1
    assert survival_at(curve, 1.5, LEVEL)[0] == 1
    assert math.isnan(survival_at(curve, 1.5, LEVEL)[2])
    assert survival_at(curve, 3, LEVEL)[0] == 0.5
    with pytest.raises(DataError, match="beyond the last time, 3"):
        survival_at(curve, 3.5, LEVEL)
    dead = control_curve([(1, 0), (1, 0)])
    assert survival_at(dead, 100, LEVEL)[0] == 0
    assert restricted_mean(dead, 100)[0] == pytest.approx(1.5)
    never = control_curve([(0, 5)])
    assert median_survival(never, LEVEL) == (math.inf, (math.inf, math.inf))


@pytest.mark.parametrize("horizon", [0, -1, math.inf, math.nan])
def test_impossible_horizons_are_refused(horizon: float) -> None:
    with pytest.raises(DataError, match="months above 0"):
        restricted_mean(control_curve([(1, 0), (1, 0)]), horizon)


def test_an_empty_or_unknown_arm_is_refused() -> None:
    table = LifeTable.from_counts([1.0], np.array([[1], [0]]), np.array([[0], [0]]))
    with pytest.raises(DataError, match="no patients in the experimental arm"):
        kaplan_meier(risk_sets(table), "experimental")
    with pytest.raises(DataError, match="allowed are control, experimental, total"):
        kaplan_meier(risk_sets(table), "both")
    with pytest.raises(DataError, match="allowed are 0 to 0"):
        risk_sets(table, 1)
