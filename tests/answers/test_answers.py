"""Posteriors to rows: the numbers are the posterior's, the names and directions are the documented ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.answers.questions import Questions
from retrial.answers.response import response_rows
from retrial.answers.rows import Subject, ratio_rows
from retrial.answers.survival import horizon_of, survival_rows
from retrial.data.two_arms import TwoArms
from retrial.estimate import Estimate
from retrial.models import response_binomial, weibull, weibull_nonproportional
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

SUBJECT = Subject("os", "experimental / control", "model", "flat", "Table 1")
QUESTIONS = Questions()


def find(rows: list[Estimate], quantity: str, contrast: str | None = None) -> Estimate:
    found = [row for row in rows if row.quantity == quantity and contrast in (None, row.contrast)]
    assert len(found) == 1, [(row.quantity, row.contrast) for row in rows]
    return found[0]


def test_ratio_rows_are_the_normals() -> None:
    rows = ratio_rows(SUBJECT, "hazard_ratio", stats.norm(-0.7, 0.3), QUESTIONS)
    ratio = find(rows, "hazard_ratio")
    assert (ratio.point, ratio.lower, ratio.upper) == pytest.approx(
        tuple(np.exp(-0.7 + 0.3 * stats.norm.ppf([0.5, 0.025, 0.975]))), abs=1e-12
    )
    assert find(rows, "log_hazard_ratio").sd == pytest.approx(0.3)
    assert find(rows, "p_hazard_ratio_below_0.8").point == pytest.approx(stats.norm.cdf((np.log(0.8) + 0.7) / 0.3), abs=1e-12)
    assert find(rows, "p_hazard_ratio_above_1.25").point == pytest.approx(stats.norm.sf((np.log(1.25) + 0.7) / 0.3), abs=1e-12)
    low, high = stats.norm.cdf((np.log([0.91, 1.1]) + 0.7) / 0.3)
    assert find(rows, "p_hazard_ratio_between_0.91_and_1.1").point == pytest.approx(high - low, abs=1e-12)
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
    assert find(rows, "p_risk_difference_above_0").point == pytest.approx(1 - find(rows, "p_odds_ratio_below_1").point, abs=1e-10)
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
    rows = survival_rows(SUBJECT, weibull.hazard, values, 18.0, QUESTIONS)
    assert find(rows, "hazard_ratio").point == pytest.approx(np.exp(np.median(values["log_hazard_ratio"])), rel=1e-3)
    assert find(rows, "median_survival", "control").point == pytest.approx(np.median(values["control_median"]), rel=1e-9)
    assert find(rows, "p_hazard_ratio_below_1").point == pytest.approx((values["log_hazard_ratio"] < 0).mean(), abs=1e-12)
    at_twelve = np.exp(-np.log(2) * (12 / values["control_median"]) ** values["shape"])
    assert find(rows, "survival_at_12", "control").point == pytest.approx(np.median(at_twelve), abs=1e-9)
    # a hazard ratio below 1 is a longer median, a longer mean and a higher curve
    for quantity in ("median_difference", "rmst_difference_at_18", "survival_difference_at_12"):
        assert find(rows, quantity).point > 0
        assert find(rows, f"p_{quantity}_above_0").point == pytest.approx((values["log_hazard_ratio"] < 0).mean(), abs=1e-12)


def test_ratios_of_a_nonproportional_model_have_their_time() -> None:
    rows = survival_rows(SUBJECT, weibull_nonproportional.hazard, draws(), 13.0, QUESTIONS, proportional=False)
    assert not [row for row in rows if row.quantity == "hazard_ratio"]
    assert {row.quantity for row in rows if row.quantity.startswith("hazard_ratio")} == {
        "hazard_ratio_at_6",
        "hazard_ratio_at_12",
    }
    assert find(rows, "hazard_ratio_at_6").point == pytest.approx(find(rows, "hazard_ratio_at_12").point, abs=1e-12)


def test_times_beyond_the_follow_up_are_not_answered() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), 11.0, QUESTIONS)
    assert {row.quantity for row in rows if row.quantity.startswith("survival_at")} == {"survival_at_6"}


def test_horizon_is_the_follow_up_that_both_arms_have_in_every_table() -> None:
    events = np.zeros((2, 2, 4), dtype=int)
    censored = np.zeros_like(events)
    censored[0, 0, 3] = censored[0, 1, 2] = 5
    censored[1, 0, 1] = censored[1, 1, 3] = 5
    table = LifeTable.from_counts([6.0, 12.0, 18.0, 24.0], events, censored)
    assert horizon_of(table, QUESTIONS) == 12.0
    assert horizon_of(table, Questions(rmst_months=9.0)) == 9.0


def test_a_shorter_horizon_of_the_mean_leaves_the_times_of_survival_alone() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), 7.0, QUESTIONS, follow_up=18.0)
    assert {row.quantity for row in rows if row.quantity.startswith("survival_at")} == {f"survival_at_{t}" for t in (6, 12, 18)}
    assert find(rows, "rmst_difference_at_7").unit == "months"


def test_follow_up_shorter_than_every_time_asked_for_is_answered_at_its_half() -> None:
    rows = survival_rows(SUBJECT, weibull_nonproportional.hazard, draws(500), 5.0, QUESTIONS, proportional=False)
    assert find(rows, "hazard_ratio_at_2.5").lower < find(rows, "hazard_ratio_at_2.5").upper


def test_medians_beyond_the_follow_up_say_so() -> None:
    rows = survival_rows(SUBJECT, weibull.hazard, draws(500), 13.0, QUESTIONS)
    # the control median is 11 months, the experimental one about 20
    assert find(rows, "median_survival", "control").note == ""
    for found in (find(rows, "median_survival", "experimental"), find(rows, "median_difference")):
        assert found.note == "beyond the follow-up of 13 months: the model's extrapolation"
