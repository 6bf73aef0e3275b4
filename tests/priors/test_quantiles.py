"""Priors said by quantiles: solved, or refused with what is admitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from retrial.errors import PriorError
from retrial.priors.prior import Prior
from retrial.priors.quantiles import solved
from retrial.priors.statements import parse_prior_set

KEY = "prior.x"


def prior(parameter: str, **said: Any) -> Prior:
    return Prior.parse(solved(said, parameter, KEY), KEY)


def test_hazard_ratio_median_one_upper_two() -> None:
    made = prior("log_hazard_ratio", family="normal", quantiles=[[0.5, 1], [0.975, 2]])
    assert made.number("mu") == pytest.approx(0.0, abs=1e-12)
    assert made.number("sigma") == pytest.approx(np.log(2) / 1.959963984540054, abs=1e-10)


@pytest.mark.parametrize(
    ("parameter", "family", "quantiles", "more"),
    [
        ("log_odds_ratio", "student_t", [[0.025, 0.5], [0.975, 3.0]], {"nu": 4}),
        ("control_median", "lognormal", [[0.025, 8], [0.975, 20]], {}),
        ("control_median", "gamma", [[0.025, 8], [0.975, 20]], {}),
        ("control_median", "gamma", [[0.5, 1e-3], [0.9, 2.0]], {}),
        ("control_probability", "beta", [[0.05, 0.15], [0.95, 0.55]], {}),
        ("control_probability", "beta", [[0.1, 0.001], [0.9, 0.999]], {}),
        ("control_logit", "normal", [[0.1, 0.2], [0.9, 0.6]], {}),
        ("effect_sd", "half_normal", [[0.95, 1.0]], {}),
    ],
)
def test_the_solved_prior_has_the_quantiles(
    parameter: str, family: str, quantiles: list[list[float]], more: dict[str, Any]
) -> None:
    made = prior(parameter, family=family, quantiles=quantiles, **more)
    for p, value in quantiles:
        at = (
            np.log(value)
            if parameter.startswith("log_")
            else np.log(value / (1 - value))
            if parameter.endswith("logit")
            else value
        )
        assert made.distribution.cdf(at) == pytest.approx(p, abs=1e-8)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(0.3, 20), st.floats(0.3, 20))
def test_beta_is_recovered_from_its_quantiles(a: float, b: float) -> None:
    truth = Prior("beta", (a, b)).distribution
    low, high = truth.ppf([0.1, 0.9])
    assume(low > 1e-6 and high < 1 - 1e-6)
    made = prior("control_probability", family="beta", quantiles=[[0.1, float(low)], [0.9, float(high)]])
    assert made.parameters == pytest.approx((a, b), rel=1e-5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"family": "normal", "quantiles": [[0.5, 2], [0.975, 1]]}, "a larger probability needs a larger value"),
        ({"family": "normal", "quantiles": [[0.5, 1], [97.5, 2]]}, "97.5 % is 0.975"),
        ({"family": "normal", "quantiles": [[0.5, 1], [0.975, -2]]}, "larger value"),
        ({"family": "normal", "quantiles": [[0.5, -1], [0.975, 2]]}, "a ratio above 0"),
        ({"family": "normal", "quantiles": [[0.5, 1]]}, "allowed are 2 pairs"),
        ({"family": "normal", "quantiles": "median 1"}, "allowed are 2 pairs"),
        ({"family": "normal", "quantiles": [[0.5, True], [0.9, 2]]}, "finite numbers"),
        ({"family": "normal", "mu": 0, "quantiles": [[0.5, 1], [0.975, 2]]}, "prior=stated"),
        ({"family": "student_t", "quantiles": [[0.5, 1], [0.975, 2]]}, "nu: got None"),
        ({"family": "normal_mixture", "quantiles": [[0.5, 1], [0.975, 2]]}, "quantiles determine normal, student_t"),
    ],
)
def test_impossible_statements_are_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(PriorError, match=KEY) as error:
        solved(said, "log_hazard_ratio", KEY)
    assert message in str(error.value)


def test_a_gamma_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PriorError, match="no member of the family"):
        solved({"family": "gamma", "quantiles": [[0.4999, 1.0], [0.5001, 1e9]]}, "control_median", KEY)


def test_all_problems_of_a_set_at_once() -> None:
    raw = {
        "log_hazard_ratio": {"family": "normal", "quantiles": [[0.5, 2], [0.975, 1]]},
        "log_odds_ratio": {"family": "normal", "mu": 0, "sigma": -1},
        "control_logit": {"by_endpoint": 3},
    }
    with pytest.raises(PriorError) as error:
        parse_prior_set(raw, "prior", "mine")
    assert len(error.value.problems) == 3
