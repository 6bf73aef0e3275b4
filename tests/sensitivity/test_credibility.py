from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.sensitivity.credibility import (
    advocacy_limit,
    credibility_estimates,
    intrinsic_p,
    intrinsic_threshold,
    sceptical_limit,
    sceptical_prior_sd,
)
from retrial.study.study import Study

Z = norm.ppf(0.975)


def posterior_limits(prior_mean: float, prior_sd: float, estimate: float, se: float, z: float = Z) -> tuple[float, float]:
    """Limits of the conjugate normal posterior."""
    precision = 1 / prior_sd**2 + 1 / se**2
    mean = (prior_mean / prior_sd**2 + estimate / se**2) / precision
    return mean - z / math.sqrt(precision), mean + z / math.sqrt(precision)


@settings(derandomize=True, max_examples=200)
@given(st.floats(-3, 3), st.floats(0.05, 1), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_sceptical_priors_posterior_just_touches_no_effect(estimate: float, se: float, level: float) -> None:
    z = norm.ppf((1 + level) / 2)
    assume(abs(estimate) > 1.01 * z * se)
    lower, upper = posterior_limits(0, sceptical_prior_sd(estimate, se, level), estimate, se, z)
    assert min(abs(lower), abs(upper)) == pytest.approx(0, abs=1e-8)


@settings(derandomize=True, max_examples=200)
@given(st.floats(-3, 3), st.floats(0.05, 1))
def test_the_sceptical_limit_is_the_end_of_the_sceptical_prior(estimate: float, se: float) -> None:
    assume(abs(estimate) > 1.05 * Z * se)
    lower, upper = math.exp(estimate - Z * se), math.exp(estimate + Z * se)
    assert math.log(sceptical_limit(lower, upper)) == pytest.approx(Z * sceptical_prior_sd(estimate, se), rel=1e-8)
    assert sceptical_limit(1 / upper, 1 / lower) == pytest.approx(sceptical_limit(lower, upper), rel=1e-8)


@settings(derandomize=True, max_examples=200)
@given(st.floats(0.02, 1.9), st.floats(0.05, 1), st.sampled_from([-1, 1]))
def test_the_advocacy_priors_posterior_just_excludes_no_effect(z_value: float, se: float, side: int) -> None:
    estimate = side * z_value * se
    limit = math.log(advocacy_limit(math.exp(estimate - Z * se), math.exp(estimate + Z * se)))
    assert limit * side > 0
    lower, upper = posterior_limits(limit / 2, abs(limit) / (2 * Z), estimate, se)
    assert min(abs(lower), abs(upper)) == pytest.approx(0, abs=1e-8)


def test_intrinsic_thresholds_as_published() -> None:
    # METHODS 11; ReplicationSuccess, test-thresholdIntrinsic.R (two-sided; alpha 0.005, 0.01, 0.05).
    held = [intrinsic_threshold(alpha, "held") for alpha in (0.005, 0.01, 0.05)]
    matthews = [intrinsic_threshold(alpha, "matthews") for alpha in (0.005, 0.01, 0.05)]
    assert held == pytest.approx([7.19495236320815e-05, 0.000269716956631484, 0.00557459668078442], rel=1e-10)
    assert matthews == pytest.approx([0.000356161575901172, 0.00105100270170506, 0.0126628646365154], rel=1e-10)


def test_intrinsic_p_values_as_published() -> None:
    # ReplicationSuccess, test-pIntrinsic.R (two-sided p 1e-4, 0.5).
    assert [intrinsic_p(p, "held") for p in (1e-4, 0.5)] == pytest.approx([0.00594020536563311, 0.633407499183923], rel=1e-10)
    assert [intrinsic_p(p, "matthews") for p in (1e-4, 0.5)] == pytest.approx([0.00222378173673518, 0.595937883003954], rel=1e-10)


@settings(derandomize=True, max_examples=200)
@given(st.floats(1e-6, 1))
def test_threshold_and_p_value_are_one_rule(alpha: float) -> None:
    for kind in ("held", "matthews"):
        assert intrinsic_p(intrinsic_threshold(alpha, kind), kind) == pytest.approx(alpha, rel=1e-8)  # type: ignore[arg-type]
        assert intrinsic_threshold(alpha, kind) <= alpha  # type: ignore[arg-type]


@settings(derandomize=True, max_examples=200)
@given(st.floats(2.0, 6.0))
def test_matthews_rule_is_that_the_estimate_lies_outside_the_sceptical_limit(z_value: float) -> None:
    assume(abs(z_value - Z * math.sqrt((1 + math.sqrt(5)) / 2)) > 1e-6)
    outside = z_value > math.log(sceptical_limit(math.exp(z_value - Z), math.exp(z_value + Z)))
    assert outside == (2 * norm.sf(z_value) < intrinsic_threshold(0.05, "matthews"))


def test_helds_credibility_ratio() -> None:
    # Held 2019: a finding is intrinsically credible when the ratio of its limits (log scale) is below 5.8 (3 + 2 sqrt 2).
    z_value = norm.isf(intrinsic_threshold(0.05, "held") / 2)
    assert (z_value + Z) / (z_value - Z) == pytest.approx(3 + 2 * math.sqrt(2), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sceptical_prior_sd(0.1, 0.1), "holds no effect already"),
        (lambda: sceptical_prior_sd(1.0, 0.0), "standard error 0"),
        (lambda: sceptical_prior_sd(1.0, 0.1, 95), "confidence level 95"),
        (lambda: sceptical_limit(0.8, 1.2), "holds 1"),
        (lambda: sceptical_limit(1.2, 0.8), "allowed is 0 < lower < upper"),
        (lambda: advocacy_limit(1.1, 1.2), "does not hold 1"),
        (lambda: advocacy_limit(0.5, 2.0), "estimate is 1"),
        (lambda: intrinsic_p(0.0), "got p = 0"),
        (lambda: intrinsic_threshold(1.5), "got alpha = 1.5"),
        (lambda: intrinsic_p(0.5, "bayes"), "allowed are held, matthews"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_asked_is_refused(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


EFFECTS: dict[str, Any] = {
    "significant": {"endpoint": "os", "hazard_ratio": "0.470", "ci": ["0.252", "0.879"]},
    "not_significant": {"endpoint": "os", "adjusted_for": ["age"], "hazard_ratio": "0.567", "ci": ["0.288", "1.117"]},
    "covariate": {"endpoint": "os", "numerator": "old", "denominator": "young", "hazard_ratio": "2", "ci": ["1.5", "3"]},
    "backwards": {
        "endpoint": "pfs",
        "numerator": "control",
        "denominator": "experimental",
        "hazard_ratio": "2",
        "ci": ["1.2", "3.33"],
    },
    "tiny_p": {"endpoint": "huge", "hazard_ratio": "0.1", "ci": ["0.099", "0.101"]},
    "bare": {"endpoint": "bare", "hazard_ratio": "0.5"},
}


@pytest.fixture(scope="module")
def rows() -> list[Estimate]:
    return credibility_estimates(Study.model_validate({"title": "a study", "effects": EFFECTS}))


def pick(rows: list[Estimate], endpoint: str, quantity: str, model: str = "", adjusted: bool = False) -> Estimate:
    found = [
        row
        for row in rows
        if (row.endpoint, row.quantity) == (endpoint, quantity)
        and (not model or row.model == model)
        and bool(row.adjusted_for) == adjusted
    ]
    assert len(found) == 1, found
    return found[0]


def test_rows_of_a_significant_effect(rows: list[Estimate]) -> None:
    upper, lower = math.log(0.879), math.log(0.252)
    se = (upper - lower) / (2 * Z)
    limit = math.exp((upper - lower) ** 2 / (4 * math.sqrt(upper * lower)))
    assert pick(rows, "os", "sceptical_limit").point == pytest.approx(limit, abs=1e-10)
    sd = pick(rows, "os", "sceptical_prior_sd").point
    assert posterior_limits(0, sd, math.log(0.47), se)[1] == pytest.approx(0, abs=1e-8)
    z_value = math.log(0.47) / se
    assert pick(rows, "os", "intrinsic_credibility_p_value", "held").point == pytest.approx(
        2 * norm.cdf(z_value / math.sqrt(2)), abs=1e-10
    )


def test_rows_of_an_effect_that_is_not_significant(rows: list[Estimate]) -> None:
    upper, lower = math.log(1.117), math.log(0.288)
    limit = math.exp(-(upper + lower) * (upper - lower) ** 2 / (2 * upper * lower))
    assert pick(rows, "os", "advocacy_limit", adjusted=True).point == pytest.approx(limit, abs=1e-10)
    quantities = {row.quantity for row in rows if row.adjusted_for}
    assert quantities == {"advocacy_limit", "intrinsic_credibility_p_value"}


def test_other_rows(rows: list[Estimate]) -> None:
    assert not [row for row in rows if "old" in row.contrast]
    assert pick(rows, "pfs", "sceptical_limit").point == pytest.approx(sceptical_limit(1.2, 3.33), rel=1e-10)
    assert pick(rows, "huge", "intrinsic_credibility_p_value", "held").point == pytest.approx(0, abs=1e-100)
    bare = [row for row in rows if row.endpoint == "bare"]
    assert len(bare) == 1
    assert "effects.bare: got neither ci nor se nor p" in bare[0].status
