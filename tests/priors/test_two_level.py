"""Two-level models by quadrature: against independent integration at 1e-6, and against published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from scipy.special import expit

from retrial.errors import DataError
from retrial.priors.implied.effective_size import effective_size, posterior_weights
from retrial.priors.prior import Prior
from retrial.priors.two_level import binomial_studies, normal_studies

# Rubin 1981, eight schools: effect and standard error
EFFECT, SE = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
# historical placebo arms of ankylosing spondylitis trials, ASAS20 (data set AS of RBesT): responders of patients
AS_EVENTS, AS_N = [23, 12, 19, 9, 39, 6, 9, 10], [107, 44, 51, 39, 139, 20, 78, 35]


def test_eight_schools_against_integration_over_both_levels() -> None:
    tau_prior, mu_prior = Prior("half_normal", (5.0,)), Prior("normal", (0.0, 5.0))
    fit = normal_studies(EFFECT, SE, tau_prior, mu_prior)

    # Gauss-Legendre in both directions: another rule than the one under test
    x, w = np.polynomial.legendre.leggauss(200)
    mus, taus = 40 * x[:, None], 20 * (x + 1)[None, :]
    joint = np.prod([stats.norm.pdf(y, mus, np.hypot(s, taus)) for y, s in zip(EFFECT, SE, strict=True)], axis=0)
    joint *= stats.halfnorm.pdf(taus, scale=5) * stats.norm.pdf(mus, 0, 5)

    def integral(weight) -> float:  # type: ignore[no-untyped-def]
        return float(w @ (joint * weight(mus, taus)) @ w)

    total = integral(lambda _mu, _tau: 1.0)
    assert fit.moments_mu()[0] == pytest.approx(integral(lambda mu, _tau: mu) / total, abs=1e-6)
    assert fit.moments_tau()[0] == pytest.approx(integral(lambda _mu, tau: tau) / total, abs=1e-6)
    first = integral(lambda mu, tau: (28 * tau**2 + mu * 225) / (tau**2 + 225)) / total
    assert fit.shrunken(28.0, 15.0)[0] == pytest.approx(first, abs=1e-6)
    mean = integral(lambda mu, _tau: mu) / total
    second = integral(lambda mu, tau: (mu - mean) ** 2 + tau**2) / total
    assert fit.moments_next() == pytest.approx((mean, np.sqrt(second)), abs=1e-6)
    # a step in μ where τ is small: the rule of the reference is the worse one here
    assert fit.cdf_next(10.0) == pytest.approx(integral(lambda mu, tau: stats.norm.cdf(10, mu, tau)) / total, abs=2e-4)


def test_eight_schools_with_a_flat_mean_has_the_published_posterior() -> None:
    # Gelman et al., BDA3, table 5.3: under flat μ and τ the posterior medians of schools A to H are 10, 8, 7, 8, 5, 6, 10, 8;
    # a half-normal prior of scale 1000 is flat for these data
    fit = normal_studies(EFFECT, SE, Prior("half_normal", (25.0,)))
    means = [fit.shrunken(y, s)[0] for y, s in zip(EFFECT, SE, strict=True)]
    np.testing.assert_allclose(means, [11, 8, 6.5, 7.7, 5, 6, 10.5, 8.5], atol=1.0)
    assert fit.moments_mu()[0] == pytest.approx(8.0, abs=0.3)  # BDA3: mean of μ about 8


def test_a_single_study_and_no_heterogeneity_are_that_study() -> None:
    fit = normal_studies([0.4], [0.2], Prior("half_normal", (1e-6,)))
    assert fit.moments_next() == pytest.approx((0.4, 0.2), abs=1e-6)
    assert fit.ppf_next(0.975) == pytest.approx(0.4 + 1.959964 * 0.2, abs=1e-5)


def test_wrong_studies_are_refused() -> None:
    with pytest.raises(DataError, match="SE above 0"):
        normal_studies([0.1, 0.2], [0.1, 0.0], Prior("half_normal", (1.0,)))
    with pytest.raises(DataError, match="allowed is normal"):
        normal_studies([0.1], [0.1], Prior("half_normal", (1.0,)), Prior("student_t", (0.0, 1.0, 3.0)))


def test_map_prior_of_the_as_trials_has_the_published_numbers() -> None:
    # RBesT, gMAP help page (reference output): tau .387 (sd .215), intercept -1.11 (.186), predicted rate .255 (.0864),
    # quantiles .106, .247, .461; printed from a short MCMC run, hence the room
    fit = binomial_studies(AS_EVENTS, AS_N, Prior("half_normal", (1.0,)), Prior("normal", (0.0, 2.0)))
    assert fit.moments_tau() == pytest.approx((0.387, 0.215), abs=0.015)
    assert fit.moments_mu() == pytest.approx((-1.11, 0.186), abs=0.015)
    quantiles = [float(expit(fit.ppf_next(q))) for q in (0.025, 0.5, 0.975)]
    assert quantiles == pytest.approx([0.106, 0.247, 0.461], abs=0.012)
    x = np.linspace(-8, 6, 1001)
    density = fit.pdf_next(x)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-5)
    assert np.trapezoid(density * expit(x), x) == pytest.approx(0.255, abs=0.005)


def test_binomial_studies_against_a_product_rule() -> None:
    """(μ, τ) by Gauss-Legendre, each study's logit by Gauss-Hermite: another rule at every level."""
    fit = binomial_studies(AS_EVENTS, AS_N, Prior("half_normal", (1.0,)), Prior("normal", (0.0, 2.0)))
    x, w = np.polynomial.legendre.leggauss(140)
    tau, mu = 2.75 * (x + 1), -1.1 + 6.0 * x
    node, share = special.roots_hermitenorm(300)
    theta = mu[None, :, None] + tau[:, None, None] * node
    log_density = stats.halfnorm.logpdf(tau)[:, None] + stats.norm.logpdf(mu, 0.0, 2.0)
    for y, n in zip(AS_EVENTS, AS_N, strict=True):
        log_density = log_density + np.log(np.exp(y * theta - n * np.logaddexp(0, theta) + n * 0.56) @ share)
    weight = np.exp(log_density - log_density.max()) * w[:, None] * w
    weight /= weight.sum()
    for values, moments in ((tau[:, None], fit.moments_tau()), (mu[None, :], fit.moments_mu())):
        mean = float((weight * values).sum())
        assert moments[0] == pytest.approx(mean, abs=1e-5)
        assert moments[1] == pytest.approx(float(np.sqrt((weight * (values - mean) ** 2).sum())), abs=1e-5)


def test_binomial_grid_against_integration_by_scipy() -> None:
    # τ fixed in effect: gamma with mean 0.4 and SD 0.02
    fit = binomial_studies([7], [20], Prior("gamma", (400.0, 1000.0)), Prior("normal", (0.0, 0.5)))

    x, w = np.polynomial.legendre.leggauss(300)
    theta, mu = 5 * x[:, None], 3 * x[None, :]
    joint = stats.binom.pmf(7, 20, expit(theta)) * stats.norm.pdf(theta, mu, 0.4) * stats.norm.pdf(mu, 0, 0.5)
    mean = float(w @ (joint * mu) @ w) / float(w @ joint @ w)
    assert fit.moments_mu()[0] == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize(
    ("parameter", "made", "size", "unit"),
    [
        ("log_hazard_ratio", Prior("normal", (-0.3, 0.4)), 4 / 0.16, "events"),
        # E[-(log t)''] = (nu + 1) / ((nu + 3) σ²)
        ("log_hazard_ratio", Prior("student_t", (0.0, 0.13, 2.0)), 4 * 3 / 5 / 0.13**2, "events"),
        ("log_odds_ratio", Prior("normal", (0.0, 0.5)), 16 / 0.25, "patients"),
        ("control_probability", Prior("beta", (11.0, 32.0)), 43.0, "patients"),
        ("control_probability", Prior("beta_mixture", ((1.0,), (11.0,), (32.0,))), 43.0, "patients"),
        ("control_median", Prior("lognormal", (2.5, 0.5)), 4.0, "events"),
        # matched moments: m = 1/2, v = (1/8 + 1/20) / 2, those of Beta(0.5, 0.5) and Beta(2, 2)
        ("control_probability", Prior("beta_mixture", ((0.5, 0.5), (0.5, 2.0), (0.5, 2.0))), 0.25 / 0.0875 - 1, "patients"),
    ],
)
def test_effective_sizes_in_closed_form(parameter: str, made: Prior, size: float, unit: str) -> None:
    found, of = effective_size(parameter, made)
    assert found == pytest.approx(size, rel=1e-6)
    assert of == unit


def test_a_vague_logit_is_worth_next_to_nothing() -> None:
    """Matched moments: monotone in the SD, 0 for a vague prior, those of a narrow prior on the probability's own scale."""
    sizes = [effective_size("control_logit", Prior("normal", (0.3, sigma)))[0] for sigma in (100.0, 10.0, 3.0, 1.5, 0.5, 0.05)]
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < 0.05
    assert sizes[1] < 0.25
    # delta method: SD of the probability is p (1 - p) σ, so that n + 1 = 1 / (p (1 - p) σ²)
    p = expit(0.3)
    assert sizes[-1] == pytest.approx(1 / (p * (1 - p) * 0.05**2), rel=5e-3)
    # the moments of the probability by scipy
    mean = stats.norm(0.3, 1.5).expect(expit)
    variance = stats.norm(0.3, 1.5).expect(lambda x: (expit(x) - mean) ** 2)
    assert sizes[3] == pytest.approx(mean * (1 - mean) / variance - 1, rel=1e-6)


@pytest.mark.parametrize("parameter", ["baseline_logit", "historical_mean", "baseline_mean"])
def test_a_logit_of_no_one_outcome_has_no_size_in_patients(parameter: str) -> None:
    assert np.isnan(effective_size(parameter, Prior("normal", (0.0, 1.5)))[0])


def test_posterior_weights_follow_the_data() -> None:
    mixture = Prior("normal_mixture", ((0.5, 0.5), (-0.8, 0.0), (0.2, 1.0)))
    agreeing, conflicting = posterior_weights(mixture, -0.8, 0.2), posterior_weights(mixture, 1.0, 0.2)
    marginal = 0.5 * np.array([stats.norm.pdf(-0.8, -0.8, np.hypot(0.2, 0.2)), stats.norm.pdf(-0.8, 0.0, np.hypot(0.2, 1.0))])
    np.testing.assert_allclose(agreeing, marginal / marginal.sum(), atol=1e-12)
    assert conflicting[1] > 0.99
