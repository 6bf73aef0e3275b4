"""Priors in standard errors, beliefs of stated strength, and what the next study would show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from retrial.errors import PriorError
from retrial.priors.belief import CROSSING, belief_grid
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.signal_to_noise import in_units, power, power_quantile
from retrial.priors.statements import parse_prior_set
from retrial.priors.two_level import normal_studies

CONF = Path(__file__).parents[2] / "conf"


def set_of(name: str) -> PriorSet:
    raw = yaml.safe_load((CONF / "prior" / f"{name}.yaml").read_text(encoding="utf-8"))
    table = next((item["/evidence@evidence"] for item in raw.pop("defaults", []) if isinstance(item, dict)), None)
    evidence = (
        {} if table is None else {"evidence": yaml.safe_load((CONF / "evidence" / f"{table}.yaml").read_text(encoding="utf-8"))}
    )
    return parse_prior_set({**raw, **evidence}, "prior", name)


@pytest.mark.parametrize(
    ("name", "quantiles"),
    [("shrinkage_cochrane", {0.5: 13}), ("shrinkage_oncology", {0.25: 14, 0.5: 48.5, 0.75: 95})],
)
def test_the_implied_power_is_the_published_one(name: str, quantiles: dict[float, float]) -> None:
    """Median power 13 % (van Zwet, Schwab, Senn 2021); 48-49 % with quartiles 14 and 95 % (Sherry et al. 2024)."""
    for parameter in ("log_hazard_ratio", "log_odds_ratio"):
        prior = set_of(name).signal_to_noise[parameter]
        for q, percent in quantiles.items():
            assert 100 * power_quantile(prior, q) == pytest.approx(percent, abs=1)


def test_power_is_that_of_a_two_sided_test() -> None:
    draws = np.random.default_rng(1).normal(1.3, 1.0, 400_000)
    assert power(1.3) == pytest.approx((abs(draws) > stats.norm.isf(0.025)).mean(), abs=3 * 0.5 / math.sqrt(400_000))
    assert power(0.0) == pytest.approx(0.05)


def test_units_scale_the_prior() -> None:
    prior = in_units(set_of("shrinkage_cochrane").signal_to_noise["log_hazard_ratio"], 0.3, "an effect")
    assert np.array(prior["sigma"]) == pytest.approx(0.3 * np.array([0.61, 1.42, 2.16, 5.64]))
    assert prior.is_symmetric
    assert "0.3 of an effect" in prior.source


@pytest.mark.parametrize("strength", CROSSING)
@pytest.mark.parametrize("expected", [0.6, 0.8, 1.3])
def test_a_belief_crosses_no_effect_as_often_as_its_strength_says(expected: float, strength: str) -> None:
    for view, sign in (("optimistic", 1), ("pessimistic", -1)):
        prior = belief_grid(expected)[f"{view}, {strength}"]
        centre = sign * math.log(expected)
        assert prior["mu"] == pytest.approx(centre)
        beyond = prior.distribution.sf(0) if centre < 0 else prior.distribution.cdf(0)
        assert beyond == pytest.approx(CROSSING[strength], abs=1e-12)
    assert belief_grid(expected)[f"sceptical, {strength}"]["mu"] == 0


def test_a_belief_can_be_stated() -> None:
    made = parse_prior_set({"log_hazard_ratio": {"belief": {"expected": 0.7, "strength": "moderate"}}}, "prior", "mine")
    assert made["log_hazard_ratio"] == belief_grid(0.7)["optimistic, moderate"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"belief": {"expected": 1, "strength": "weak"}}, "belief.expected: got 1; allowed is a ratio"),
        ({"belief": {"expected": 0.8, "strength": "huge"}}, "belief.strength: got 'huge'; allowed are weak, moderate, strong"),
        ({"belief": 0.8}, "belief: got 0.8; allowed is {expected"),
        ({"belief": {"expected": 0.8, "strength": "weak"}, "mu": 0}, "mu: got beside belief"),
        ({"signal_to_noise": {"weights": [1.0]}}, "allowed is {weights: "),
        ({"signal_to_noise": {"weights": [0.5, 0.6], "sigma": [1, 2]}}, "weights of 0 or more that add to 1"),
        ({"signal_to_noise": {"weights": [1.0], "sigma": [-1]}}, "sigma: got"),
        ({"signal_to_noise": {"weights": [1.0], "sigma": [1]}, "mu": 0}, "mu: unknown"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(statement: dict[str, Any], words: str) -> None:
    with pytest.raises(PriorError) as error:
        parse_prior_set({"log_hazard_ratio": statement}, "prior", "mine")
    assert words in str(error.value)


def test_standard_errors_are_those_of_effects_only() -> None:
    with pytest.raises(PriorError, match="allowed are those of log_hazard_ratio, log_odds_ratio"):
        parse_prior_set({"control_logit": {"signal_to_noise": {"weights": [1.0], "sigma": [1.0]}}}, "prior", "mine")


def test_the_predictive_effect_holds_what_lies_between_studies_and_then_the_discount() -> None:
    """Two cohorts, Q = 2.28 on 1 df: the SD of the next one is more than twice the pool's before it is discounted."""
    plain, whole = (set_of(name).for_endpoint("os")["log_hazard_ratio"] for name in ("historical", "historical_predictive"))
    y, se = np.log([0.308, 0.543]), np.log([0.541 / 0.175, 0.869 / 0.339]) / (2 * stats.norm.isf(0.025))
    mean, sd = normal_studies(list(y), list(se), Prior("half_normal", (0.5,))).moments_next()
    assert whole.parameters == pytest.approx((mean, sd / math.sqrt(0.2)), rel=1e-9)
    assert sd > 2 * plain.number("sigma") * math.sqrt(0.2)
    assert "at exponent 0.2" in whole.source


def test_another_agents_effect_weighs_less_than_the_trial_it_comes_from() -> None:
    """One study: θ_new ~ N(y, s² + 2 E τ²), E τ² = 0.5² for a half-normal scale of 0.5."""
    se = math.log(0.981 / 0.713) / (2 * stats.norm.isf(0.025))
    prior = set_of("class_effect_discounted").for_endpoint("os")["log_hazard_ratio"]
    assert prior.parameters == pytest.approx((math.log(0.836), math.sqrt(se**2 + 2 * 0.5**2)), rel=1e-6)
