"""Priors: values, supports, refusals, and what they imply."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from retrial.errors import PriorError
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet, implied, parse_priors
from retrial.priors.scales import COMMON, Parameter, Scale


def test_sceptical_prior_puts_95_percent_between_half_and_two() -> None:
    # Zampieri 2021: N(0, 0.355) has 95 % of its mass on ratios from 0.5 to 2
    prior = Prior.parse({"family": "normal", "mu": 0, "sigma": 0.355}, "prior.log_hazard_ratio")
    assert np.exp(prior.distribution.ppf(0.975)) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"family": "cauchy", "mu": 0}, "allowed are normal"),
        ({"family": "normal", "mu": 0, "sigma": -1}, "allowed is above 0"),
        ({"family": "normal", "mu": 0}, "sigma: missing"),
        ({"family": "normal", "mu": 0, "sigma": 1, "nu": 3}, "nu: unknown"),
        ({"family": "normal", "mu": "a", "sigma": 1}, "allowed is a finite number"),
        ({"family": "normal", "mu": [0, 1], "sigma": 1}, "allowed is one number"),
        ({"family": "normal_mixture", "weights": [0.5, 0.6], "mu": [0, 1], "sigma": [1, 1]}, "add to 1"),
        ({"family": "normal_mixture", "weights": [0.5, 0.5], "mu": [0, 1], "sigma": [1]}, "different lengths"),
        ({"family": "normal", "mu": float("nan"), "sigma": 1}, "allowed is a finite number"),
    ],
)
def test_impossible_priors_are_refused_with_what_is_allowed(raw: dict, said: str) -> None:
    with pytest.raises(PriorError, match="prior.log_hazard_ratio") as error:
        Prior.parse(raw, "prior.log_hazard_ratio")
    assert said in str(error.value)


def test_all_problems_of_a_set_are_reported_at_once() -> None:
    raw = {
        "log_hazard_ratio": {"family": "gamma", "alpha": 1, "rate": 1},
        "shape": {"family": "lognormal", "mu": 0, "sigma": 0},
        "x": {},
    }
    with pytest.raises(PriorError) as error:
        parse_priors(raw, "prior", COMMON | {"shape": Parameter("shape", "k", "positive", Scale("shape"), "Shape")})
    assert len(error.value.problems) == 3


def test_mirror_turns_a_benefit_into_a_harm() -> None:
    prior = Prior("normal_mixture", ((0.3, 0.7), (-0.5, 0.0), (0.2, 1.0)))
    assert prior.mirrored.distribution.cdf(0.4) == pytest.approx(1 - prior.distribution.cdf(-0.4), abs=1e-12)
    assert Prior("student_t", (0.0, 0.13, 2.0)).is_symmetric
    assert not prior.is_symmetric


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(0.05, 0.95), st.floats(-2, 2), st.floats(0.1, 3))
def test_mixture_quantiles_invert_its_cdf(weight: float, mu: float, sigma: float) -> None:
    mixture = Prior("normal_mixture", ((weight, 1 - weight), (mu, 0.0), (sigma, 1.0))).distribution
    q = np.array([0.025, 0.5, 0.975])
    np.testing.assert_allclose(mixture.cdf(mixture.ppf(q)), q, atol=1e-10)
    assert mixture.std() ** 2 == pytest.approx(
        integrate.quad(lambda x: (x - mixture.mean()) ** 2 * mixture.pdf(x), -40, 40, limit=400)[0], rel=1e-6
    )


def test_mixture_draws_have_its_moments() -> None:
    mixture = Prior("normal_mixture", ((0.2, 0.8), (-3.0, 1.0), (0.5, 1.0))).distribution
    draws = mixture.rvs(40_000, np.random.default_rng(7))
    assert draws.mean() == pytest.approx(mixture.mean(), abs=5 * mixture.std() / 200)


def test_implied_rows_are_on_the_clinical_scale() -> None:
    rows = implied(
        PriorSet(
            "s",
            {
                "log_hazard_ratio": Prior("normal", (0.0, 0.355)),
                "control_median": Prior("lognormal", (np.log(12), 1.0), "", Scale("months")),
            },
        )
    )
    assert rows[0]["implied_upper"] == pytest.approx(np.exp(stats.norm.ppf(0.975) * 0.355), abs=1e-12)
    assert rows[1]["implied_median"] == pytest.approx(12.0)
    assert rows[1]["scale"] == "months"


def test_quantiles_of_a_mixture_that_lie_below_every_float_are_its_end() -> None:
    mixture = Prior("beta_mixture", ((0.5, 0.5), (1e9, 1e-6), (1.0, 1e9))).distribution
    low, high = mixture.ppf(np.array([0.025, 0.975]))
    assert 0 <= low < 1e-300
    assert mixture.cdf(high) == pytest.approx(0.975, abs=1e-3)


def test_a_ratio_beyond_every_float_is_infinite_without_a_warning() -> None:
    assert np.array_equal(Scale("ratio", "log").clinical(np.array([1e5, 0.0, -1e5])), [np.inf, 1.0, 0.0])
