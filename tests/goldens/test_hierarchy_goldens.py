"""Published two-level models, and our quadrature against one that shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from retrial.priors.prior import Prior
from retrial.priors.two_level import TwoLevel, binomial_studies, normal_studies

# `crohn` of R package RBesT (Hueber et al. 2012, Gut 61:1693): placebo arms, change of an activity index whose SD is 88
CHANGE, PATIENTS = (-51, -49, -36, -47, -90, -54), (74, 166, 328, 20, 25, 58)
SE = tuple(88 / np.sqrt(PATIENTS))
TAU, MU = Prior("half_normal", (44.0,)), Prior("normal", (0.0, 88.0))
# `AS` of RBesT: placebo arms in ankylosing spondylitis, ASAS20 responders of patients
RESPONDERS, TREATED = (23, 12, 19, 9, 39, 6, 9, 10), (107, 44, 51, 39, 139, 20, 78, 35)
RBEST_DRAWS = 4000
"""RBesT's default: 4 chains of 4,000 draws after warm-up, every fourth kept."""
ERRORS = 4.0


@pytest.fixture(scope="module")
def crohn() -> TwoLevel:
    return normal_studies(CHANGE, SE, TAU, MU)


def monte_carlo(printed: tuple[float, float], sd: float, unit: float) -> tuple[object, object]:
    """Mean and SD as printed from `RBEST_DRAWS`; the SD's error is that of a distribution with a kurtosis of 5."""
    mean_error, sd_error = ERRORS * sd / np.sqrt(RBEST_DRAWS), ERRORS * sd / np.sqrt(RBEST_DRAWS)
    return pytest.approx(printed[0], abs=mean_error + unit / 2), pytest.approx(printed[1], abs=sd_error + unit / 2)


def test_normal_hierarchy_of_the_crohn_trials(crohn: TwoLevel) -> None:
    # RBesT, vignette "Customizing RBesT plots": print(map_crohn), tau 14.00 (9.44), MAP prior -50.3 (19.1), median -48.7
    (tau_mean, tau_sd), (mean, sd) = crohn.moments_tau(), crohn.moments_next()
    assert (tau_mean, tau_sd) == monte_carlo((14.00, 9.44), tau_sd, 0.01)
    assert (mean, sd) == monte_carlo((-50.3, 19.1), sd, 0.1)
    # a median's error is 1 / (2 f √n), f the density there
    error = ERRORS / (2 * float(crohn.pdf_next(np.array([-48.7]))[0]) * np.sqrt(RBEST_DRAWS))
    assert crohn.ppf_next(0.5) == pytest.approx(-48.7, abs=error + 0.05)


def test_normal_hierarchy_against_a_product_rule(crohn: TwoLevel) -> None:
    """Gauss-Legendre in both directions: nothing is integrated in closed form, as it is in ours."""
    x, w = np.polynomial.legendre.leggauss(400)
    mus, taus = -50 + 250 * x[:, None], 150 * (x + 1)[None, :]
    joint = np.prod([stats.norm.pdf(y, mus, np.hypot(s, taus)) for y, s in zip(CHANGE, SE, strict=True)], axis=0)
    joint *= stats.halfnorm.pdf(taus, scale=44) * stats.norm.pdf(mus, 0, 88)
    joint /= w @ joint @ w

    def expected(f: Callable[[np.ndarray, np.ndarray], np.ndarray | float]) -> float:
        return float(w @ (joint * f(mus, taus)) @ w)

    mu, tau = expected(lambda m, _t: m), expected(lambda _m, t: t)
    mu_sd, tau_sd = expected(lambda m, _t: (m - mu) ** 2) ** 0.5, expected(lambda _m, t: (t - tau) ** 2) ** 0.5
    next_sd = expected(lambda m, t: (m - mu) ** 2 + t**2) ** 0.5
    assert (*crohn.moments_mu(), *crohn.moments_tau()) == pytest.approx((mu, mu_sd, tau, tau_sd), abs=1e-6)
    assert crohn.moments_next() == pytest.approx((mu, next_sd), abs=1e-6)
    # the largest trial is shrunken least
    shrunken = expected(lambda m, t: (-36 * t**2 + m * SE[2] ** 2) / (t**2 + SE[2] ** 2))
    assert crohn.shrunken(-36.0, SE[2])[0] == pytest.approx(shrunken, abs=1e-6)


def product_rule_of_binomials() -> tuple[float, float]:
    """Posterior means of μ and τ of the AS trials: Gauss-Legendre over (μ, τ), Gauss-Hermite over each trial's logit."""
    x, w = np.polynomial.legendre.leggauss(100)
    z, v = np.polynomial.hermite_e.hermegauss(120)
    u = (x + 1) / 2
    # more nodes where tau is small
    mus, taus, tau_weight = -1.1 + 2.5 * x, 5 * u**2, w * u
    logit = mus[None, :, None] + taus[:, None, None] * z
    joint = stats.halfnorm.pdf(taus)[:, None] * stats.norm.pdf(mus, 0, 2) * tau_weight[:, None] * w
    for events, n in zip(RESPONDERS, TREATED, strict=True):
        joint = joint * (stats.binom.pmf(events, n, expit(logit)) @ v)
    joint /= joint.sum()
    return float(joint.sum(axis=0) @ mus), float(joint.sum(axis=1) @ taus)


def test_binomial_hierarchy_of_the_as_trials() -> None:
    # RBesT introduction, print(map_mcmc): tau 0.387 (0.215); the next trial's rate, 0.255 (0.0864), is in tests/priors
    fit = binomial_studies(RESPONDERS, TREATED, Prior("half_normal", (1.0,)), Prior("normal", (0.0, 2.0)))
    tau = fit.moments_tau()
    assert tau == monte_carlo((0.387, 0.215), tau[1], 0.001)
    # ours is good to 1e-4: a spread of logits below 0.02 is taken for 0.02
    assert (fit.moments_mu()[0], tau[0]) == pytest.approx(product_rule_of_binomials(), abs=1e-4)
