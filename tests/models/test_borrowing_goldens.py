"""Published borrowing examples, from this project's distributions and grids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from retrial.data.two_arms import TwoArms
from retrial.models import response_binomial
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet


def test_beta_mixture_of_the_rbest_introduction() -> None:
    # RBesT introduction: 14 of 24 treated, 1 of 6 control; P(treated > control) = 0.9913233
    mixture = Prior("beta_mixture", ((0.493397, 0.306603, 0.2), (19.191639, 3.527875, 1.0), (57.777932, 9.373598, 1.0)))
    priors = PriorSet("map", {"control_probability": mixture, "experimental_probability": Prior("beta", (0.5, 1.0))})
    joint = response_binomial.posterior(TwoArms((1, 14), (6, 24)), priors)
    assert 1 - joint.cdf("risk_difference", 0.0) == pytest.approx(0.9913233, abs=1e-6)


def test_commensurate_prior_is_a_student_t() -> None:
    # N(0, 1/τ), τ ~ Gamma(a, b) is a t with 2a degrees of freedom and scale sqrt(b/a)
    a, b, x = 1.5, 0.7, 0.8
    mixed = integrate.quad(lambda t: stats.norm.pdf(x, 0, t**-0.5) * stats.gamma.pdf(t, a, scale=1 / b), 0, np.inf)[0]
    assert Prior("student_t", (0.0, (b / a) ** 0.5, 2 * a)).distribution.pdf(x) == pytest.approx(mixed, abs=1e-8)


def test_hazard_ratio_of_the_psborrow2_overview() -> None:
    # psborrow2, simple overview: internal 39 events in 1136.2 (control) and 75 in 2502.1 (treated), external control 326 in 3575.7
    # person-time; exponential proportional hazards, flat priors, log rate ~ N(external, 1/τ), τ ~ Gamma(.001, .001):
    # HR .856 (.580, 1.26), from MCMC: of 4,000 draws, a standard error of .003 of the median and .01 of the upper limit
    commensurate = Prior("student_t", (0.0, 1.0, 0.002)).distribution
    rate = np.linspace(-6.0, -1.5, 2251)
    external = np.log(326 / 3575.7) + np.linspace(-0.4, 0.4, 801)
    fit = 326 * external - np.exp(external) * 3575.7
    weight = np.exp(fit - fit.max())
    prior = np.array([weight @ commensurate.pdf(x - external) for x in rate])
    inside = 39 * rate - np.exp(rate) * 1136.2
    posterior = prior * np.exp(inside - inside.max())
    posterior /= posterior.sum()
    treated = stats.gamma(75, scale=1 / 2502.1)

    def quantile(q: float) -> float:
        return float(optimize.brentq(lambda ratio: float(posterior @ treated.cdf(ratio * np.exp(rate))) - q, 0.1, 5.0))

    assert [quantile(q) for q in (0.5, 0.025, 0.975)] == pytest.approx([0.856, 0.580, 1.26], abs=0.012)
