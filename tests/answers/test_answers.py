"""Posteriors to rows: the numbers are the posterior's, the names and directions are the documented ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.answers.proportions import response_rows
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject, ratio_rows
from retrial.answers.survival import survival_rows
from retrial.data.two_arms import TwoArms
from retrial.estimate import Estimate
from retrial.models import cure, response_binomial, weibull, weibull_nonproportional
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

SUBJECT = Subject("os", "experimental / control", "model", "flat", "Table 1")
QUESTIONS = Questions()


def find(rows: list[Estimate], quantity: str, contrast: str | None = None, time: float | None = None) -> Estimate:
    """The one row of a value."""
    found = [row for row in rows if (row.statistic, row.quantity) == ("value", quantity) and contrast in (None, row.contrast)]
    found = [row for row in found if time in (None, row.time)]
    assert len(found) == 1, [(row.quantity, row.contrast) for row in rows]
    return found[0]


def chance(rows: list[Estimate], quantity: str, event: str, threshold: float, time: float | None = None) -> Estimate:
    """The one row of a probability."""
    found = [row for row in rows if (row.quantity, row.event, row.threshold) == (quantity, event, threshold)]
    found = [row for row in found if time in (None, row.time)]
    assert len(found) == 1, [row.asks for row in rows]
    return found[0]


def times(rows: list[Estimate], quantity: str) -> set[float]:
    return {row.time for row in rows if row.quantity == quantity}


def test_ratio_rows_are_the_normals() -> None:
    rows = ratio_rows(SUBJECT, "hazard_ratio", stats.norm(-0.7, 0.3), QUESTIONS)
    ratio = find(rows, "hazard_ratio")
    assert (ratio.point, ratio.lower, ratio.upper) == pytest.approx(
        tuple(np.exp(-0.7 + 0.3 * stats.norm.ppf([0.5, 0.025, 0.975]))), abs=1e-12
    )
    assert find(rows, "log_hazard_ratio").sd == pytest.approx(0.3)
    assert chance(rows, "hazard_ratio", "below", 0.8).point == pytest.approx(stats.norm.cdf((np.log(0.8) + 0.7) / 0.3), abs=1e-12)
    assert chance(rows, "hazard_ratio", "above", 1.25).point == pytest.approx(
        stats.norm.sf((np.log(1.25) + 0.7) / 0.3), abs=1e-12
    )
    low, high = stats.norm.cdf((np.log([0.91, 1.1]) + 0.7) / 0.3)
    inside = chance(rows, "hazard_ratio", "between", 0.91)
    assert inside.threshold_upper == 1.1
    assert inside.point == pytest.approx(high - low, abs=1e-12)
    assert all(row.draws == 0 and np.isnan(row.mcse_point) for row in rows)
    assert all(row.interval_kind == "credible_equal_tailed" for row in rows if not np.isnan(row.level))


def test_response_rows_of_independent_betas() -> None:
    jeffreys = Prior("beta", (0.5, 0.5))
    priors = PriorSet("jeffreys", {"control_probability": jeffreys, "experimental_probability": jeffreys})
    rows = response_rows(SUBJECT, response_binomial.posterior(TwoArms((17, 24), (49, 43)), priors), QUESTIONS)
    control, experimental = stats.beta(17.5, 32.5), stats.beta(24.5, 19.5)
    for arm, distribution in (("control", control), ("experimental", experimental)):
        row = find(rows, "proportion", arm)
        assert (row.point, row.lower, row.upper) == pytest.approx(tuple(distribution.ppf([0.5, 0.025, 0.975])), abs=1e-8)
    difference = find(rows, "risk_difference")
    assert difference.contrast == "experimental - control"
    assert difference.sd == pytest.approx(np.hypot(control.std(), experimental.std()), abs=1e-8)
    assert chance(rows, "risk_difference", "above", 0).point == pytest.approx(
        1 - chance(rows, "odds_ratio", "below", 1).point, abs=1e-10
    )
    assert find(rows, "odds_ratio").point == pytest.approx(np.exp(find(rows, "log_odds_ratio").point), abs=1e-9)


def draws(size: int = 4000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "control_median": np.exp(rng.normal(np.log(11), 0.1, size)),
        "shape": np.exp(rng.normal(0.2, 0.1, size)),
        "log_hazard_ratio": rng.normal(-0.7, 0.3, size),
        "log_shape_ratio": np.zeros(size),
    }


def test_survival_rows_follow_the_draws() -> None:
    values = draws()
    rows = survival_rows(SUBJECT, weibull.hazard, values, QUESTIONS, FollowUp.one((18.0, 18.0)))
    assert find(rows, "hazard_ratio").point == pytest.approx(np.exp(np.median(values["log_hazard_ratio"])), rel=1e-3)
    assert find(rows, "median_survival", "control").point == pytest.approx(np.median(values["control_median"]), rel=1e-9)
    assert chance(rows, "hazard_ratio", "below", 1).point == pytest.approx((values["log_hazard_ratio"] < 0).mean(), abs=1e-12)
    at_twelve = np.exp(-np.log(2) * (12 / values["control_median"]) ** values["shape"])
    assert find(rows, "survival", "control", 12).point == pytest.approx(np.median(at_twelve), abs=1e-9)
    # a hazard ratio below 1 is a longer median, a longer mean and a higher curve
    for quantity, time in (("median_difference", None), ("rmst_difference", 18), ("survival_difference", 12)):
        assert find(rows, quantity, time=time).point > 0
        assert chance(rows, quantity, "above", 0, time).point == pytest.approx((values["log_hazard_ratio"] < 0).mean(), abs=1e-12)


def test_ratios_of_a_nonproportional_model_have_their_time() -> None:
    rows = survival_rows(
        SUBJECT, weibull_nonproportional.hazard, draws(), QUESTIONS, FollowUp.one((13.0, 13.0)), proportional=False
    )
    assert times(rows, "hazard_ratio") == {6, 12}
    early, late = (find(rows, "hazard_ratio", time=time) for time in (6, 12))
    assert early.point == pytest.approx(late.point, abs=1e-12)
    average = find(rows, "average_hazard_ratio", time=13)
    assert average.point == pytest.approx(late.point, abs=1e-9)
    assert chance(rows, "average_hazard_ratio", "below", 1).point == pytest.approx(
        chance(rows, "hazard_ratio", "below", 1, 12).point
    )


def test_times_beyond_the_follow_up_are_not_answered() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), QUESTIONS, FollowUp.one((11.0, 11.0)))
    assert times(rows, "survival") == {6}


def two_tables() -> LifeTable:
    """Arms of the first followed for 24 and 18 months, of the second for 12 and 24."""
    events = np.zeros((2, 2, 4), dtype=int)
    censored = np.zeros_like(events)
    censored[0, 0, 3] = censored[0, 1, 2] = 5
    censored[1, 0, 1] = censored[1, 1, 3] = 5
    return LifeTable.from_counts([6.0, 12.0, 18.0, 24.0], events, censored)


def test_a_light_table_shortens_no_horizon() -> None:
    heavy, light = (FollowUp.of(two_tables(), np.array([share, 1.0 - share])) for share in (0.9, 0.1))
    follow = Questions(rmst_months=None)
    assert heavy.horizon(follow) == 18.0
    assert heavy.horizon(QUESTIONS) == 18.0
    assert light.horizon(follow) == 12.0
    assert heavy.horizon(Questions(rmst_months=9.0)) == 9.0
    assert heavy.times(QUESTIONS) == [6, 12, 18]
    assert light.times(QUESTIONS) == [6, 12]
    assert heavy.weight(18.0) == pytest.approx(0.9)
    assert heavy.weight(12.0) == pytest.approx(1.0)
    assert heavy.note(12.0) == ""
    assert "90.0% of the tables" in heavy.note(18.0)


def test_answers_at_a_time_are_of_the_tables_that_reach_it() -> None:
    """Two tables of different medians: what is said of 18 months is said by the first, what is said of 12 by both."""
    values, follow_up = draws(), FollowUp.of(two_tables(), np.array([0.75, 0.25]))
    table = np.repeat([0, 1], [3000, 1000])
    values["control_median"] = np.where(table == 0, 10.0, 20.0)
    subject = dataclasses.replace(SUBJECT, origin=Origin(table, np.zeros(4000, dtype=int)))
    rows = survival_rows(subject, weibull.hazard, values, QUESTIONS, follow_up)
    alone = {name: value[:3000] for name, value in values.items()}
    expected = survival_rows(SUBJECT, weibull.hazard, alone, QUESTIONS, FollowUp.one((18.0, 18.0)))
    for quantity, time in (("survival", 18), ("rmst", 18)):
        found = find(rows, quantity, "control", time)
        assert found.point == find(expected, quantity, "control", time).point
        assert found.note == "over the 75.0% of the tables, by weight, that are followed to 18 months"
    assert find(rows, "survival", "control", 12).point > find(expected, "survival", "control", 12).point
    assert find(rows, "survival", "control", 12).note == ""


def test_a_shorter_horizon_of_the_mean_leaves_the_times_of_survival_alone() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), Questions(rmst_months=7.0), FollowUp.one((18.0, 18.0)))
    assert times(rows, "survival") == {6, 12, 18}
    assert find(rows, "rmst_difference", time=7).unit == "months"


def test_each_arm_is_followed_for_a_time_of_its_own() -> None:
    """Medians of about 11 and 20 months, arms followed for 10 and 24 (in every table): only the control median is extrapolated."""
    events = np.zeros((2, 2, 4), dtype=int)
    events[:, 0, 1] = events[0, 1, 3] = events[1, 1, 3] = 5
    table = LifeTable.from_counts([6.0, 10.0, 18.0, 24.0], events, np.zeros_like(events))
    followed = FollowUp.of(table, np.full(2, 0.5))
    assert followed.of_arms == (10.0, 24.0)
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), QUESTIONS, followed)
    assert find(rows, "median_survival", "experimental").note == ""
    for found in (find(rows, "median_survival", "control"), find(rows, "median_difference")):
        assert found.note == "beyond the follow-up of 10 months: the model's extrapolation"


def test_follow_up_shorter_than_every_time_asked_for_is_answered_at_its_half() -> None:
    rows = survival_rows(
        SUBJECT, weibull_nonproportional.hazard, draws(500), QUESTIONS, FollowUp.one((5.0, 5.0)), proportional=False
    )
    found = find(rows, "hazard_ratio", time=2.5)
    assert found.lower < found.upper


def test_medians_beyond_the_follow_up_say_so() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), QUESTIONS, FollowUp.one((13.0, 13.0)))
    # the control median is 11 months, the experimental one about 20
    assert find(rows, "median_survival", "control").note == ""
    for found in (find(rows, "median_survival", "experimental"), find(rows, "median_difference")):
        assert found.note == "beyond the follow-up of 13 months: the model's extrapolation"


def test_medians_that_do_not_exist_are_infinite_and_say_so() -> None:
    """The experimental arm has no median in 30 % of the draws, the control arm in none; then both in 20 %."""
    size = 1000
    constant = {"uncured_median": 9.0, "shape": 1.3, "control_cure_logit": -2.0, "log_hazard_ratio": 0.0}
    values = {name: np.full(size, value) for name, value in constant.items()}
    values["log_cure_odds_ratio"] = np.where(np.arange(size) < 300, 4.0, 0.1)
    rows = survival_rows(SUBJECT, cure.hazard, values, QUESTIONS, FollowUp.one((18.0, 18.0)), proportional=False)
    control, late, difference = (
        find(rows, name, arm)
        for name, arm in (("median_survival", "control"), ("median_survival", "experimental"), ("median_difference", None))
    )
    assert np.isfinite([control.point, control.upper, late.point, late.lower, difference.point, difference.lower]).all()
    assert (late.upper, difference.upper) == (np.inf, np.inf)
    assert control.note == ""
    assert "no median in 30.0% of the draws" in late.note
    assert "no median in 30.0% of the draws" in difference.note
    assert np.isnan(late.sd)
    assert chance(rows, "median_difference", "above", 0).point == pytest.approx(1.0)
    values["control_cure_logit"] = np.where(np.arange(size) < 200, 1.0, -2.0)
    rows = survival_rows(SUBJECT, cure.hazard, values, QUESTIONS, FollowUp.one((18.0, 18.0)), proportional=False)
    assert not [row for row in rows if row.quantity == "median_difference"]
    assert find(rows, "median_survival", "control").upper == np.inf
