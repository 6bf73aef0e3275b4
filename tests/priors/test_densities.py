"""Density curves: each integrates to the probability that it shows, on its own axis."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.priors.implied.densities import curve, density_rows
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet, implied
from retrial.priors.quantiles import solved


@pytest.mark.parametrize(
    ("parameter", "prior"),
    [
        ("log_hazard_ratio", Prior("normal", (-0.3, 0.4))),
        ("log_odds_ratio", Prior("student_t", (0.0, 0.3, 4.0))),
        ("log_hazard_ratio", Prior("normal_mixture", ((0.5, 0.5), (-0.8, 0.0), (0.4, 1.0)))),
        ("control_median", Prior("lognormal", (2.5, 1.0))),
        ("effect_sd", Prior("half_normal", (0.5,))),
        ("shape", Prior("gamma", (3.0, 2.0))),
        ("control_logit", Prior("normal", (0.0, 1.5))),
        ("baseline_logit", Prior("normal", (0.0, 1.5))),
        ("control_probability", Prior("beta", (4.0, 7.0))),
        ("historical_mean", Prior("normal", (0.0, 2.0))),
    ],
)
def test_a_curve_holds_nearly_all_of_its_prior(parameter: str, prior: Prior) -> None:
    value, density, per = curve(parameter, prior)
    assert np.all(np.diff(value) > 0)
    axis = np.log(value) if per == "log unit" else value
    # 0.2 % are left off at either end
    assert np.trapezoid(density, axis) == pytest.approx(0.996, abs=0.006)


@pytest.mark.parametrize(
    "parameter", ["control_logit", "baseline_logit", "historical_mean", "log_odds_ratio", "log_baseline_hazard"]
)
def test_a_curve_is_drawn_on_the_scale_of_its_median(parameter: str) -> None:
    """A step's logit is no probability: density, median and interval share one scale."""
    prior = Prior("normal", (0.7, 0.5))
    row = implied(PriorSet("s", {parameter: prior}))[0]
    value, density, per = curve(parameter, prior)
    axis = np.log(value) if per == "log unit" else value
    steps = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(axis))])
    assert np.interp(0.5, steps / steps[-1], value) == pytest.approx(row["implied_median"], rel=0.01)
    assert {point["scale"] for point in density_rows(PriorSet("s", {parameter: prior}))} == {row["scale"]}
    said = solved(
        {"family": "normal", "quantiles": [[0.025, row["implied_lower"]], [0.5, row["implied_median"]]]}, parameter, "k"
    )
    assert (said["mu"], said["sigma"]) == pytest.approx((0.7, 0.5), abs=1e-9)


def test_a_symmetric_belief_is_symmetric_on_a_logarithmic_axis() -> None:
    value, density, _ = curve("log_hazard_ratio", Prior("normal", (0.0, 0.355)))
    np.testing.assert_allclose(value * value[::-1], 1.0, atol=1e-12)
    np.testing.assert_allclose(density, density[::-1], atol=1e-12)


def test_rows_name_set_parameter_and_endpoint() -> None:
    own = Prior("normal", (-0.2, 0.1))
    made = PriorSet("mine", {"log_odds_ratio": Prior("normal", (0.0, 1.0))}, "", {"os": {"log_hazard_ratio": own}})
    rows = density_rows(made)
    assert {(row["prior"], row["parameter"], row["endpoint"]) for row in rows} == {
        ("mine", "log_odds_ratio", ""),
        ("mine", "log_hazard_ratio", "os"),
    }
