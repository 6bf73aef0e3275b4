from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from scipy.stats import norm

from retrial.errors import DataError
from retrial.estimate import Estimate, none_if_nan, to_frame
from retrial.frequentist.curve_rows import AT_HALF
from retrial.frequentist.kernels import Kernels
from retrial.frequentist.library import Library
from retrial.frequentist.rows import TYPICAL
from retrial.frequentist.spread import spread, summarise, typical_table
from retrial.frequentist.survival import common_horizon, published_survival, survival_estimates
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

HAZARD_MODELS = ("cox_breslow", "cox_efron", "mantel_haenszel", "observed_expected", "weibull_ml")


def pick(
    rows: list[Estimate], quantity: str, contrast: str = "", model: str = "", time: float | None = None, statistic: str = "value"
) -> Estimate:
    found = [
        row
        for row in rows
        if (row.quantity, row.statistic, row.variant) == (quantity, statistic, "")
        and (not contrast or row.contrast == contrast)
        and (not model or row.model == model)
        and time in (None, row.time)
    ]
    assert len(found) == 1, found
    return found[0]


def same_time(one: Estimate, other: Estimate) -> bool:
    return none_if_nan(one.time) == none_if_nan(other.time)


@st.composite
def tables(draw: st.DrawFn) -> LifeTable:
    size = draw(st.integers(1, 6))
    cells = st.lists(st.integers(0, 4), min_size=2 * size, max_size=2 * size)
    events, censored = (np.array(draw(cells)).reshape(2, size) for _ in range(2))
    return LifeTable.from_counts(np.arange(size), events, censored)


@pytest.fixture(scope="module")
def rows(leukaemia: LifeTable) -> list[Estimate]:
    return survival_estimates(leukaemia, "relapse", times=(6, 12), horizon=20, source="6-MP trial")


def test_every_row_is_there_once(rows: list[Estimate]) -> None:
    keys = [(row.quantity, row.contrast, row.model, none_if_nan(row.time)) for row in rows]
    assert len(set(keys)) == len(keys)
    arms = ("control", "experimental", "total")
    quantities = (
        ("patients", None),
        ("events", None),
        ("median_survival", None),
        ("survival", 6),
        ("survival", 12),
        ("rmst", 20),
    )
    expected = {(quantity, arm, time) for quantity, time in quantities for arm in arms}
    assert expected <= {(quantity, contrast, time) for quantity, contrast, _, time in keys}
    assert {model for quantity, _, model, _ in keys if quantity == "hazard_ratio"} == set(HAZARD_MODELS)
    assert all(row.status == "ok" for row in rows)
    assert all(row.source == "; ".join(("6-MP trial", *filter(None, [Library.said.get(row.model)]))) for row in rows)
    assert {row.model: row.source for row in rows}["cox_breslow"] == "6-MP trial; statsmodels"
    assert len(to_frame(rows)) == len(rows)


def test_numbers_of_leukaemia(rows: list[Estimate]) -> None:
    # Kleinbaum and Klein, Survival Analysis, chapter 3: hazard ratio 4.523 (2.027 to 10.094) placebo / 6-MP; log-rank 16.79.
    breslow = pick(rows, "hazard_ratio", model="cox_breslow")
    assert (1 / breslow.point, 1 / breslow.upper, 1 / breslow.lower) == pytest.approx((4.523, 2.027, 10.094), abs=5.1e-4)
    assert pick(rows, "chi_square", model="log_rank").point == pytest.approx(16.79, abs=5.1e-3)
    assert pick(rows, "p_value", model="log_rank").point == pytest.approx(4.2e-5, abs=5e-7)
    assert pick(rows, "median_survival", "experimental", "kaplan_meier").point == 23
    assert pick(rows, "events", "total").point == 30
    assert pick(rows, "patients", "control").point == 21


def test_rows_of_one_model_say_one_thing(rows: list[Estimate]) -> None:
    for model in HAZARD_MODELS:
        ratio, log = pick(rows, "hazard_ratio", model=model), pick(rows, "log_hazard_ratio", model=model)
        assert (ratio.point, ratio.lower, ratio.upper) == pytest.approx(
            (math.exp(log.point), math.exp(log.lower), math.exp(log.upper))
        )
        assert log.upper - log.lower == pytest.approx(2 * 1.959963984540054 * log.sd)
        assert ratio.contrast == "experimental / control"
        assert pick(rows, "p_value", model=model).point == pytest.approx(2 * norm.sf(abs(log.point) / log.sd), abs=1e-12)


def test_differences_are_differences(rows: list[Estimate]) -> None:
    for quantity, difference, months in (
        ("rmst", "rmst_difference", 20),
        ("survival", "survival_difference", 6),
        ("median_survival", "median_difference", None),
    ):
        control, experimental = (pick(rows, quantity, arm, "kaplan_meier", months) for arm in ("control", "experimental"))
        row = pick(rows, difference, time=months)
        assert row.contrast == "experimental - control"
        assert row.point == pytest.approx(experimental.point - control.point, abs=1e-10)
        if quantity != "median_survival":
            assert row.sd == pytest.approx(math.hypot(control.sd, experimental.sd), abs=1e-10)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tables())
def test_any_table_gives_rows_and_swapping_arms_flips_them(table: LifeTable) -> None:
    events, censored = table.counts()
    other = LifeTable.from_counts(table.times, events[::-1], censored[::-1])
    one, two = (survival_estimates(each, "x", times=(0, 1, 99), speaker=Kernels) for each in (table, other))
    assert len(one) == len(two)
    for row in one:
        assert row.failed == math.isnan(row.point)
        mirror = {"control": "experimental", "experimental": "control"}.get(row.contrast, row.contrast)
        twin = next(
            r
            for r in two
            if (r.quantity, r.contrast, r.model, r.asks) == (row.quantity, mirror, row.model, row.asks) and same_time(r, row)
        )
        assert twin.failed == row.failed
        if row.failed:
            assert row.status.startswith("failed: ")
        elif row.quantity == "hazard_ratio":
            np.testing.assert_allclose(twin.point * row.point, 1, rtol=1e-7)
        elif "difference" in row.quantity or row.quantity == "log_hazard_ratio":
            assert twin.point == pytest.approx(-row.point, abs=1e-7)
        else:
            assert twin.point == pytest.approx(row.point, rel=1e-7)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_patients_does_not_matter(table: LifeTable, random: object) -> None:
    patients = table.patients()
    size = patients["time"].size
    assume(size > 0)
    order = list(range(size))
    random.shuffle(order)  # type: ignore[attr-defined]
    collapsed = (
        LifeTable.from_patients(*(patients[name][each] for name in ("time", "event", "experimental")))
        for each in (np.arange(size), np.array(order))
    )
    one, two = (to_frame(survival_estimates(each, "x", times=(1,), speaker=Kernels)) for each in collapsed)
    assert one.equals(two)


def test_an_arm_without_events_fails_in_words(leukaemia: LifeTable) -> None:
    events, censored = leukaemia.counts()
    quiet = LifeTable.from_counts(leukaemia.times, events * [[1], [0]], censored + events * [[0], [1]])
    rows = survival_estimates(quiet, "x", times=(6,))
    for model in ("cox_breslow", "cox_efron", "observed_expected", "weibull_ml"):
        row = pick(rows, "hazard_ratio", model=model)
        assert "no events in the experimental arm" in row.status
    assert pick(rows, "hazard_ratio", model="mantel_haenszel").status == "ok"
    assert pick(rows, "survival", "experimental", time=6).point == 1
    assert pick(rows, "median_survival", "experimental", "kaplan_meier").point == math.inf


def test_an_empty_arm_fails_in_words() -> None:
    table = LifeTable.from_counts([1.0, 2.0], np.array([[1, 1], [0, 0]]), np.array([[1, 1], [0, 0]]))
    rows = survival_estimates(table, "x", times=(1,))
    assert pick(rows, "survival", "experimental", time=1).status == "failed: no patients in the experimental arm"
    assert pick(rows, "survival", "control", time=1).status == "ok"
    assert "no patients" in pick(rows, "hazard_ratio", model="cox_efron").status
    assert math.isnan(common_horizon(table))


def test_times_beyond_the_follow_up_fail_in_words(leukaemia: LifeTable) -> None:
    rows = survival_estimates(leukaemia, "x", times=(40,), horizon=40)
    assert pick(rows, "survival", "experimental", time=40).status == "failed: 40 months is beyond the last time, 35"
    assert pick(rows, "survival", "control", time=40).point == 0
    assert pick(rows, "rmst", "experimental", time=40).failed
    assert pick(rows, "rmst_difference", time=40).failed


def test_the_default_horizon_is_the_common_follow_up(leukaemia: LifeTable) -> None:
    assert common_horizon(leukaemia) == 23
    assert pick(survival_estimates(leukaemia, "x"), "rmst_difference", time=23).status == "ok"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"times": (-1,)}, "got the time -1"),
        ({"times": (math.nan,)}, "got the time nan"),
        ({"horizon": 0}, "got the horizon 0"),
        ({"level": 95}, "got the confidence level 95"),
        ({"reconstruction": 3}, "got reconstruction 3"),
    ],
)
def test_impossible_requests_are_refused(leukaemia: LifeTable, keys: dict[str, object], message: str) -> None:
    for speaker in (Kernels, Library):
        with pytest.raises(DataError, match=message):
            survival_estimates(leukaemia, "x", **keys, speaker=speaker)  # type: ignore[arg-type]


def test_millions_of_patients_cost_no_more(leukaemia: LifeTable) -> None:
    events, censored = leukaemia.counts()
    big = LifeTable.from_counts(leukaemia.times, events * 100_000, censored * 100_000)
    start = time.perf_counter()
    rows = survival_estimates(big, "x", times=(6,))
    assert time.perf_counter() - start < 2
    assert pick(rows, "patients", "total").point == 4_200_000
    assert pick(rows, "hazard_ratio", model="cox_breslow").point == pytest.approx(math.exp(-1.50919), rel=1e-5)
    assert all(row.status == "ok" for row in rows)


def ensemble(leukaemia: LifeTable) -> LifeTable:
    """The leukaemia table, one with an event of the 6-MP arm moved to a censoring, and one without events in that arm."""
    events, censored = (np.stack([counts] * 3) for counts in leukaemia.counts())
    first = int(np.flatnonzero(events[1, 1])[0])
    events[1, 1, first] -= 1
    censored[1, 1, first] += 1
    censored[2, 1] += events[2, 1]
    events[2, 1] = 0
    return LifeTable.from_counts(leukaemia.times, events, censored)


def test_spread_over_reconstructions(leukaemia: LifeTable) -> None:
    table = ensemble(leukaemia)
    rows = spread(table, "x", times=(6,), source="ensemble")
    singles = [survival_estimates(table, "x", (6,), 23, index, speaker=Kernels) for index in range(3)]
    points = [pick(each, "hazard_ratio", model="mantel_haenszel") for each in singles]
    typical = pick(rows, "hazard_ratio", model="mantel_haenszel")
    moved = pick(rows, "hazard_ratio", model="mantel_haenszel", statistic="range")
    assert typical.point == moved.point == pytest.approx(float(np.median([row.point for row in points])))
    assert typical.upper == pytest.approx(float(np.median([row.upper for row in points])))
    assert (moved.lower, moved.upper) == pytest.approx((min(row.point for row in points), max(row.point for row in points)))
    assert (typical.interval_kind, moved.interval_kind) == ("confidence", "none")
    assert math.isnan(moved.level)
    assert "3 of 3 reconstructions" in typical.source
    assert typical.source.startswith("ensemble; ")


def test_spread_says_in_how_many_tables_a_number_failed(leukaemia: LifeTable) -> None:
    rows = spread(ensemble(leukaemia), "x")
    cox_row = pick(rows, "hazard_ratio", model="cox_efron")
    assert cox_row.status == "ok"
    assert "2 of 3 reconstructions (failed: no events in the experimental arm" in cox_row.source
    median = pick(rows, "median_survival", "experimental", "kaplan_meier", statistic="range")
    assert median.upper == math.inf


def test_spread_has_a_typical_table_beside_the_medians(leukaemia: LifeTable) -> None:
    table = ensemble(leukaemia)
    rows = spread(table, "x", times=(6,), source="ensemble")
    typical = [row for row in rows if row.variant == TYPICAL]
    # Two tables of three share their control curve with the third, and two of them nearly all of the other.
    index = typical_table(table, np.ones(3))
    assert index in (0, 1)
    alone = survival_estimates(table, "x", (6,), 23, index)
    assert {row.model for row in typical} == set(Library.said)
    for row in typical:
        same = pick(alone, row.quantity, row.contrast, row.model, none_if_nan(row.time))
        assert (row.point, row.sd) == pytest.approx((same.point, same.sd), nan_ok=True)
        assert row.source.startswith(f"ensemble; reconstruction {index} ")


def test_the_typical_table_follows_the_weights() -> None:
    # S after month 1: 0.75, 0.5, 0.25 in each arm, then nobody leaves before month 2: areas between them of 0.25 and 0.5 an arm.
    events = np.array([[[n, 4 - n], [n, 4 - n]] for n in (1, 2, 3)])
    table = LifeTable.from_counts([1.0, 2.0], events, np.zeros_like(events))
    assert typical_table(table, np.ones(3)) == 1
    assert typical_table(table, np.array([5.0, 1.0, 1.0])) == 0
    assert typical_table(table, np.array([1.0, 1.0, 5.0])) == 2


def test_a_median_at_exactly_one_half_says_which_convention_it_is() -> None:
    # 5/6 * 4/5 * 3/4 = 1/2 from month 3 to month 4: Stata 3, R and SAS 3.5, lifelines 4, by a rounding of 1e-16.
    at_half = np.array([[1, 1, 1, 1, 2], [1, 2, 1, 1, 1]])
    table = LifeTable.from_counts(np.arange(1, 6), at_half, np.zeros_like(at_half))
    for speaker in (Kernels, Library):
        rows = survival_estimates(table, "x", speaker=speaker)
        control, experimental = (pick(rows, "median_survival", arm, "kaplan_meier") for arm in ("control", "experimental"))
        assert (control.point, control.note) == (3, AT_HALF)
        assert experimental.point == 2
    patients = table.patients()
    control_arm = patients["experimental"] == 0
    other = KaplanMeierFitter().fit(patients["time"][control_arm], patients["event"][control_arm])
    assert other.median_survival_time_ == 4
    never = LifeTable.from_counts(np.arange(1, 6), at_half * [[1], [0]], at_half * [[0], [1]])
    assert pick(survival_estimates(never, "x"), "median_survival", "experimental", "kaplan_meier").note == ""
    both = LifeTable.from_counts(np.arange(1, 6), np.stack([at_half] * 2), np.zeros((2, 2, 5), int))
    assert pick(spread(both, "x"), "median_survival", "control", "kaplan_meier").note == f"in 2 of 2 tables: {AT_HALF}"


def test_spread_of_one_table_is_that_table(leukaemia: LifeTable) -> None:
    assert to_frame(spread(leukaemia, "x")).equals(to_frame(survival_estimates(leukaemia, "x")))


def test_what_failed_in_every_table_stays_failed(leukaemia: LifeTable) -> None:
    failed = [[row for row in survival_estimates(leukaemia, "x", times=(99,)) if row.failed]] * 4
    rows = summarise(failed)
    assert len(rows) == len(failed[0]) > 0
    assert all("in all 4 reconstructions" in row.status for row in rows)


def test_published_survival_is_in_months(make_study: Callable[..., Study]) -> None:
    study = make_study(
        time_unit="years",
        endpoints={
            "os": {
                "where": "Results",
                "median": {"control": {"value": "1.5", "ci": ["1.0", "2.0"], "level": "0.9"}, "total": {"value": "2"}},
                "test": {"chi_square": "5.116", "p": "0.024", "where": "Table 3"},
            }
        },
    )
    rows = published_survival(study)
    control = pick(rows, "median_survival", "control")
    assert (control.point, control.lower, control.upper, control.level) == (18, 12, 24, 0.9)
    assert (control.unit, control.method, control.source) == ("months", "published", "Results")
    assert (control.printed, control.converted) == ("1.5 (1.0 to 2.0)", "from years")
    assert control.path == "endpoints.os.median.control"
    total = pick(rows, "median_survival", "total")
    assert total.point == 24
    assert total.interval_kind == "none"
    assert pick(rows, "chi_square").point == 5.116
    p = pick(rows, "p_value")
    assert (p.source, p.printed, p.path) == ("Table 3", "0.024", "endpoints.os.test.p")
