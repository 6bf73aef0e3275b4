"""Grid posteriors against closed forms and a published value."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from retrial.data.two_arms import TwoArms
from retrial.errors import FitError
from retrial.fit.grid import Axis, TwoArmPosterior
from retrial.fit.mesh import MeshDistribution
from retrial.frequentist.ratios import LogRatio
from retrial.models import log_hazard_ratio, response_binomial
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet


def independent(control: Prior, experimental: Prior) -> PriorSet:
    return PriorSet("beta", {"control_probability": control, "experimental_probability": experimental})


def logit_form(sigma: float, mu: float = 0.0) -> PriorSet:
    return PriorSet("logit", {"control_logit": Prior("normal", (0.0, 1.5)), "log_odds_ratio": Prior("normal", (mu, sigma))})


def test_beta_mixture_golden() -> None:
    # RBesT introduction: P(treated > control) = 0.9913233 (METHODS 11); treated 14/24 with Beta(.5, 1), control 1/6
    mixture = Prior("beta_mixture", ((0.493397, 0.306603, 0.2), (19.191639, 3.527875, 1.0), (57.777932, 9.373598, 1.0)))
    posterior = response_binomial.posterior(TwoArms((1, 14), (6, 24)), independent(mixture, Prior("beta", (0.5, 1.0))))
    assert 1 - posterior.cdf("risk_difference", 0.0) == pytest.approx(0.9913233, abs=5e-8)
    for contrast in ("risk_ratio", "odds_ratio"):
        assert posterior.cdf(contrast, 1.0) == pytest.approx(posterior.cdf("risk_difference", 0.0), abs=1e-12)


@pytest.mark.parametrize(("events", "n"), [((17, 24), (49, 43)), ((0, 4), (6, 24)), ((0, 0), (49, 43)), ((49, 0), (49, 43))])
def test_beta_binomial_is_exact(events: tuple[int, int], n: tuple[int, int]) -> None:
    jeffreys = Prior("beta", (0.5, 0.5))
    posterior = response_binomial.posterior(TwoArms(events, n), independent(jeffreys, jeffreys))
    exact = [stats.beta(0.5 + y, 0.5 + size - y) for y, size in zip(events, n, strict=True)]
    for arm, distribution in zip(("control", "experimental"), exact, strict=True):
        for q in (0.025, 0.5, 0.975):
            assert posterior.cdf(arm, float(distribution.ppf(q))) == pytest.approx(q, abs=1e-8)
        mean, sd = posterior.moments(arm)
        assert (mean, sd) == pytest.approx((distribution.mean(), distribution.std()), abs=1e-8)
    reference = integrate.quad(lambda p: exact[0].pdf(p) * exact[1].sf(min(p + 0.1, 1.0)), 0, 1, epsabs=1e-12, limit=500)[0]
    assert 1 - posterior.cdf("risk_difference", 0.1) == pytest.approx(reference, abs=1e-7)


def test_logit_form_agrees_with_two_dimensional_quadrature() -> None:
    events, n, priors = (17, 24), (49, 43), logit_form(0.355)
    posterior = response_binomial.posterior(TwoArms(events, n), priors)

    def density(theta: float, alpha: float) -> float:
        e = alpha + theta
        value = sum(
            -y * np.log1p(np.exp(-x)) - (m - y) * np.log1p(np.exp(x)) for y, m, x in zip(events, n, (alpha, e), strict=True)
        )
        return float(np.exp(value + 60) * stats.norm.pdf(theta, 0, 0.355) * stats.norm.pdf(alpha, 0, 1.5))

    total = integrate.dblquad(density, -4, 3, -3, 3, epsabs=1e-10, epsrel=1e-10)[0]
    below = integrate.dblquad(density, -4, 3, -3, 0, epsabs=1e-10, epsrel=1e-10)[0]
    assert posterior.cdf("odds_ratio", 1.0) == pytest.approx(below / total, abs=1e-8)


def test_quantiles_invert_cdfs_for_every_contrast() -> None:
    posterior = response_binomial.posterior(TwoArms((0, 2), (49, 43)), logit_form(10.0))
    for contrast in ("control", "experimental", "risk_difference", "risk_ratio", "odds_ratio"):
        assert posterior.cdf(contrast, posterior.ppf(contrast, 0.3)) == pytest.approx(0.3, abs=1e-9)


def test_harm_uses_the_mirror_of_a_benefits_prior() -> None:
    optimistic = logit_form(0.35, mu=0.5)
    benefit = response_binomial.posterior(TwoArms((17, 24), (49, 43)), optimistic)
    harm = response_binomial.posterior(TwoArms((32, 19), (49, 43), benefit=False), optimistic)
    assert harm.cdf("odds_ratio", 1.0) == pytest.approx(1 - benefit.cdf("odds_ratio", 1.0), abs=1e-9)


def test_normal_model_closed_form() -> None:
    data = LogRatio("hazard_ratio", "", "", float(np.log(0.47)), 0.3187, 0.95, "")
    posterior = log_hazard_ratio.posterior(data, Prior("normal", (0.0, 0.355)))
    precision = 1 / 0.3187**2 + 1 / 0.355**2
    assert posterior.mean() == pytest.approx(np.log(0.47) / 0.3187**2 / precision, abs=1e-12)
    assert posterior.std() == pytest.approx(precision**-0.5, abs=1e-12)


def test_mixture_with_equal_parts_is_the_normal_prior() -> None:
    data = LogRatio("hazard_ratio", "", "", -0.7, 0.3, 0.95, "")
    one = log_hazard_ratio.posterior(data, Prior("normal", (0.1, 0.4)))
    two = log_hazard_ratio.posterior(data, Prior("normal_mixture", ((0.3, 0.7), (0.1, 0.1), (0.4, 0.4))))
    assert two.cdf(-0.4) == pytest.approx(one.cdf(-0.4), abs=1e-12)


def test_student_prior_on_a_grid_against_quadrature() -> None:
    data, prior = LogRatio("hazard_ratio", "", "", -0.755, 0.3187, 0.95, ""), Prior("student_t", (0.0, 0.13, 2.0))
    posterior = log_hazard_ratio.posterior(data, prior)

    def density(x: float) -> float:
        return float(stats.norm.pdf(-0.755, x, 0.3187) * stats.t.pdf(x, 2, 0, 0.13))

    total = integrate.quad(density, -8, 8, epsabs=1e-13, limit=800, points=[-0.755, 0.0])[0]
    for x in (-1.0, -0.3, 0.0, 0.2):
        below = integrate.quad(density, -8, x, epsabs=1e-13, limit=800, points=[-0.755])[0]
        assert posterior.cdf(x) == pytest.approx(below / total, abs=1e-8)
    assert posterior.cdf(posterior.ppf(0.975)) == pytest.approx(0.975, abs=1e-10)


PRINTED = LogRatio("hazard_ratio", "", "", float(np.log(0.71)), 0.1667, 0.95, "")


@pytest.mark.parametrize(
    ("mu", "sigma", "nu"),
    [
        (0.3, 1e-5, 1),
        (0.3, 1e-6, 1),
        (0.3, 1e-10, 0.1),
        (0.3, 2e-4, 1),
        (0.5, 5e-4, 1),
        (0, 1, 0.1),
        (8, 0.1, 30),
        (1000, 1e-10, 3),
    ],
)
def test_a_spike_beside_wide_tails_against_a_fine_sum(mu: float, sigma: float, nu: float) -> None:
    posterior = log_hazard_ratio.posterior(PRINTED, Prior("student_t", (mu, sigma, nu)))
    y, s = PRINTED.estimate, PRINTED.se
    v = np.linspace(-np.arcsinh(12 / sigma), np.arcsinh(12 / sigma), 300_001)
    x = np.unique(np.concatenate([mu + sigma * np.sinh(v), np.linspace(y - 20 * s, y + 20 * s, 100_001)]))
    log_density = stats.norm.logpdf(x, y, s) + stats.t.logpdf(x, nu, mu, sigma)
    density = np.exp(log_density - log_density.max())
    below = np.concatenate([[0.0], np.cumsum(np.diff(x) * (density[1:] + density[:-1]))])
    for q in (0.025, 0.5, 0.975):
        assert posterior.cdf(posterior.ppf(q)) == pytest.approx(q, abs=1e-5)
        assert np.interp(posterior.ppf(q), x, below / below[-1]) == pytest.approx(q, abs=1e-5)


def test_a_mesh_too_coarse_for_a_peak_is_a_named_error() -> None:
    with pytest.raises(FitError, match="narrower than the points"):
        MeshDistribution.from_log_density(
            lambda x: np.logaddexp(stats.norm(0, 1).logpdf(x), stats.norm(0.3, 5e-4).logpdf(x)), -9, 9, [(0.0, 1.0)]
        )


@pytest.mark.parametrize("sigma", [(0.1, 0.1), (0.1, 0.02), (1e-3, 0.5)])
def test_a_mixture_far_from_the_data_against_quadrature(sigma: tuple[float, float]) -> None:
    prior = Prior("normal_mixture", ((0.9, 0.1), (8.0, -8.0), sigma))
    posterior = log_hazard_ratio.posterior(PRINTED, prior)
    x = np.linspace(-9, 9, 900_001)
    log_density = stats.norm.logpdf(x, PRINTED.estimate, PRINTED.se) + prior.distribution.logpdf(x)
    density = np.exp(log_density - log_density.max())
    mean = x @ density / density.sum()
    assert posterior.mean() == pytest.approx(mean, abs=1e-8)
    assert posterior.std() == pytest.approx(np.sqrt((x - mean) ** 2 @ density / density.sum()), abs=1e-8)
    assert np.interp(posterior.ppf(0.975), x, np.cumsum(density) / density.sum()) == pytest.approx(0.975, abs=1e-3)


def test_grid_distribution_of_a_normal() -> None:
    grid = MeshDistribution.from_log_density(stats.norm(1, 0.3).logpdf, -50, 50, [(1.0, 0.3)])
    assert grid.ppf(0.975) == pytest.approx(stats.norm(1, 0.3).ppf(0.975), abs=1e-9)
    assert (grid.mean(), grid.std()) == pytest.approx((1.0, 0.3), abs=1e-9)


def test_improper_posterior_is_a_named_error() -> None:
    flat = logit_form(1e6)
    with pytest.raises(FitError, match="tighter prior"):
        response_binomial.posterior(TwoArms((3, 0), (9, 9)), flat).cdf("odds_ratio", 1.0)


@pytest.mark.parametrize("sd", [1e-4, 1e-3, 0.005, 0.0101, 0.02])
@pytest.mark.parametrize("arms", [TwoArms((4, 0), (20, 20)), TwoArms((17, 24), (49, 43)), TwoArms((0, 0), (20, 30))], ids=str)
def test_a_prior_far_narrower_than_the_data_stays_as_it_is(arms: TwoArms, sd: float) -> None:
    """Both arms share one probability: θ keeps its prior but for a shift of (score of θ) SD², here below SD / 8."""
    posterior = response_binomial.posterior(arms, logit_form(sd))
    mean, spread = posterior.moments("odds_ratio")
    assert spread == pytest.approx(sd, rel=max(1e-3, 20 * sd**2))
    assert abs(mean) < 10 * sd**2
    assert np.log(posterior.ppf("odds_ratio", 0.975)) - mean == pytest.approx(1.959964 * spread, rel=max(1e-3, 20 * sd**2))


@pytest.mark.parametrize("arms", [TwoArms((4, 0), (20, 20)), TwoArms((0, 4), (20, 20)), TwoArms((3, 1), (1000, 1200))], ids=str)
@pytest.mark.parametrize(("mu", "sd"), [(0.5, 0.01), (-3.0, 0.002), (0.0, 1e-6)])
def test_a_narrow_prior_away_from_no_effect_has_every_contrast(arms: TwoArms, mu: float, sd: float) -> None:
    """All θ lie on one side of 0 there, and the risk ratio between 1 and the odds ratio; a probability is never below 0."""
    posterior = response_binomial.posterior(arms, logit_form(sd, mu))
    assert np.log(posterior.ppf("odds_ratio", 0.5)) == pytest.approx(mu, abs=sd / 2)
    for contrast in ("risk_ratio", "risk_difference", "control", "experimental"):
        low, middle, high = (posterior.ppf(contrast, q) for q in (0.025, 0.5, 0.975))
        assert low < middle < high
    assert all(0.0 <= posterior.cdf("odds_ratio", float(value)) <= 1.0 for value in np.exp(mu + sd * np.linspace(-30, 30, 21)))


def test_both_grids_give_the_same_answer() -> None:
    """Over (α_c, α_e) and over (α_c, θ)."""
    arms, effect = TwoArms((17, 24), (49, 43)), stats.norm(0, 0.355)
    alpha = stats.norm(0, 10)

    def control(x: np.ndarray) -> np.ndarray:
        return arms.log_likelihood(0, x) + alpha.logpdf(x)

    direct = TwoArmPosterior.of_effect(control, lambda x: arms.log_likelihood(1, x), effect, 400.0)
    own = Axis.over(effect.logpdf, -4, 4)
    joint = control(direct.control.x)[:, None] + arms.log_likelihood(1, direct.control.x[:, None] + own.x) + effect.logpdf(own.x)
    other = TwoArmPosterior(direct.control, own, joint, relative=True)
    assert not direct.relative
    for contrast in ("odds_ratio", "risk_difference", "risk_ratio", "experimental", "control"):
        for q in (0.025, 0.5, 0.975):
            assert other.ppf(contrast, q) == pytest.approx(direct.ppf(contrast, q), abs=1e-7)


def test_a_prior_too_wide_for_the_grid_is_refused_with_what_helps() -> None:
    with pytest.raises(FitError, match="use a tighter prior"):
        _ = response_binomial.posterior(TwoArms((0, 0), (20, 30)), logit_form(1e4)).joint_density


@pytest.mark.parametrize("events", [(0, 3), (1, 0), (0, 0)])
def test_an_empty_cell_under_a_heavy_tailed_prior_against_quadrature(events: tuple[int, int]) -> None:
    """t(0, 0.58, 4) leaves points of the grid where a probability is 0 to the last bit; no warning (pytest makes it an error), no nan."""
    n, effect = (168, 167), Prior("student_t", (0.0, 0.58, 4.0))
    priors = PriorSet("heavy", {"control_logit": Prior("normal", (0.0, 10.0)), "log_odds_ratio": effect})
    arms = TwoArms(events, n)
    posterior = response_binomial.posterior(arms, priors)
    control, theta = np.linspace(-80, 20, 4001), np.concatenate([-np.geomspace(60, 1e-4, 3000), np.geomspace(1e-4, 60, 3000)])
    likelihood = arms.log_likelihood(0, control)[:, None] + arms.log_likelihood(1, control[:, None] + theta)
    log_density = likelihood + stats.norm(0, 10).logpdf(control)[:, None] + stats.t(4, 0, 0.58).logpdf(theta)
    density = np.exp(log_density - log_density.max())
    risk_ratio = np.logaddexp(0, -control)[:, None] - np.logaddexp(0, -control[:, None] - theta)

    def integral(values: np.ndarray) -> float:
        return float(np.trapezoid(np.trapezoid(values, theta, axis=1), control))

    total = integral(density)
    for contrast, logs in (("odds_ratio", theta + 0 * control[:, None]), ("risk_ratio", risk_ratio)):
        mean = integral(logs * density) / total
        sd = np.sqrt(integral((logs - mean) ** 2 * density) / total)
        assert posterior.moments(contrast) == pytest.approx((mean, sd), abs=2e-3)
        for q in (0.025, 0.5, 0.975):
            at = posterior.log_ppf(contrast, q)
            assert posterior.ppf(contrast, q) == pytest.approx(np.exp(at), rel=1e-12)
            assert integral((logs <= at) * density) / total == pytest.approx(q, abs=3e-3)


SPIKE_AND_WIDE = Prior("normal_mixture", ((0.5, 0.5), (0.7, 0.0), (1e-6, 1.0)))


@pytest.mark.parametrize("name", ["log_odds_ratio", "control_logit"])
def test_a_narrow_part_between_the_points_is_named_not_missed(name: str) -> None:
    wide = {"control_logit": Prior("normal", (0.0, 1.5)), "log_odds_ratio": Prior("normal", (0.0, 1.0))}
    posterior = response_binomial.posterior(TwoArms((17, 24), (49, 43)), PriorSet("spike", wide | {name: SPIKE_AND_WIDE}))
    with pytest.raises(FitError, match="narrower than the points"):
        posterior.cdf("odds_ratio", 1.0)


def test_parts_of_betas_at_the_ends_of_the_scale_have_every_contrast() -> None:
    ends = Prior("beta_mixture", ((0.5, 0.5), (1e9, 1e-6), (1.0, 1e9)))
    posterior = response_binomial.posterior(TwoArms((17, 24), (49, 43)), independent(ends, Prior("beta", (1e9, 1e-6))))
    assert posterior.ppf("control", 0.5) == pytest.approx(stats.beta(17 + 1e-6, 32 + 1e9).ppf(0.5), rel=1e-6)
