"""Box's prior predictive p."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from retrial.priors.implied.conflict import box_p, conflict
from retrial.priors.prior import Prior


def test_normal_prior_in_closed_form() -> None:
    assert box_p(Prior("normal", (0.0, 0.3)), 1.0, 0.4) == pytest.approx(2 * stats.norm.sf(1.0 / 0.5), abs=1e-12)


def test_a_mixture_of_one_normal_is_that_normal() -> None:
    mixture = Prior("normal_mixture", ((0.5, 0.5), (0.1, 0.1), (0.3, 0.3)))
    assert box_p(mixture, 1.0, 0.4) == pytest.approx(box_p(Prior("normal", (0.1, 0.3)), 1.0, 0.4), abs=1e-4)


@pytest.mark.parametrize("estimate", [-0.755, 0.0, 0.9])
def test_student_prior_against_integration(estimate: float) -> None:
    prior, se = Prior("student_t", (0.0, 0.13, 4.0)), 0.3

    # P(|Y| > |y|) given β, averaged over β: symmetric and unimodal, so the p is both tails beyond the estimate
    beyond = abs(estimate)
    expected = integrate.quad(
        lambda b: (stats.norm.sf(beyond, b, se) + stats.norm.cdf(-beyond, b, se)) * prior.distribution.pdf(b),
        -6,
        6,
        points=[0.0],
        limit=200,
    )[0]
    assert box_p(prior, estimate, se) == pytest.approx(expected, abs=2e-3)


def test_simulated_p_of_a_two_humped_prior() -> None:
    prior, se, estimate = Prior("normal_mixture", ((0.6, 0.4), (-1.0, 1.0), (0.2, 0.3))), 0.2, 0.1
    rng = np.random.default_rng(11)
    y = prior.distribution.rvs(200_000, rng) + rng.normal(0, se, 200_000)
    density = 0.6 * stats.norm.pdf(y, -1, np.hypot(0.2, se)) + 0.4 * stats.norm.pdf(y, 1, np.hypot(0.3, se))
    here = 0.6 * stats.norm.pdf(estimate, -1, np.hypot(0.2, se)) + 0.4 * stats.norm.pdf(estimate, 1, np.hypot(0.3, se))
    assert box_p(prior, estimate, se) == pytest.approx((density <= here).mean(), abs=0.004)


@pytest.mark.parametrize(("estimate", "verdict"), [(-0.5, "none seen"), (-0.3, "notable"), (-0.17, "conflict")])
def test_data_that_give_up_what_a_mixture_states(estimate: float, verdict: str) -> None:
    """0.8 N(-0.6, 0.1) + 0.2 N(0, 1) against log 0.84 (SE 0.05): Box's p is not small, the vague part has all the weight."""
    for order in (slice(None), slice(None, None, -1)):
        mixture = Prior("normal_mixture", tuple(part[order] for part in ((0.8, 0.2), (-0.6, 0.0), (0.1, 1.0))))
        found = conflict(mixture, estimate, 0.05)
        assert found["box_p"] > 0.05
        # Bayes factor of the parts: ratio of their marginal likelihoods
        factor = stats.norm.pdf(estimate, 0, np.hypot(1, 0.05)) / stats.norm.pdf(estimate, -0.6, np.hypot(0.1, 0.05))
        assert found["vague_bayes_factor"] == pytest.approx(factor, rel=1e-9)
        assert found["vague_weight_prior"] == 0.2
        assert found["verdict"] == verdict


def test_parts_of_equal_width_have_no_vague_one() -> None:
    found = conflict(Prior("normal_mixture", ((0.5, 0.5), (-1.0, 1.0), (0.3, 0.3))), 1.0, 0.2)
    assert np.isnan(found["vague_bayes_factor"])
    assert found["verdict"] == "none seen"


def test_the_vague_part_gains_weight_in_conflict() -> None:
    robust = Prior("normal_mixture", ((0.5, 0.5), (-0.8, 0.0), (0.2, 1.0)))
    assert conflict(robust, 1.0, 0.2)["vague_weight_posterior"] > 0.99
    assert np.isnan(conflict(Prior("normal", (0.0, 1.0)), 1.0, 0.2)["vague_weight_prior"])


@pytest.mark.parametrize(("mu", "sigma"), [((0.0, 0.0), (1e-3, 900.0)), ((0.3, -700.0), (0.01, 900.0))])
def test_a_narrow_part_beside_a_very_wide_one_against_a_fine_sum(mu: tuple[float, float], sigma: tuple[float, float]) -> None:
    weights, se, estimate = np.array([0.9, 0.1]), 0.1667, 0.2
    sd = np.hypot(se, sigma)
    y = np.linspace(-12_000, 12_000, 6_000_001)
    density = sum(w * stats.norm.pdf(y, m, s) for w, m, s in zip(weights, mu, sd, strict=True))
    here = float(weights @ stats.norm.pdf(estimate, mu, sd))
    expected = 1 - density[density > here].sum() * (y[1] - y[0])
    assert box_p(Prior("normal_mixture", (tuple(weights), mu, sigma)), estimate, se) == pytest.approx(expected, abs=5e-3)
