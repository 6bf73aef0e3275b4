"""Weights of importance sampling in compiled code: ArviZ and SciPy give the same."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats
from scipy.special import logsumexp

from retrial.fit.importance import kernel
from retrial.fit.importance.proposal import FREEDOM, Component
from retrial.tables.kernel.compiled import random_state


@pytest.fixture(scope="module")
def component() -> Component:
    return Component(np.array([1.0, -2.0]), np.array([[1.5, 0.0], [-0.4, 0.3]]))


def test_the_density_is_the_multivariate_t(component: Component) -> None:
    points = np.random.default_rng(1).normal(size=(50, 2)) * 3
    exact = stats.multivariate_t(component.centre, component.scale @ component.scale.T, df=FREEDOM).logpdf(points)
    np.testing.assert_allclose(component.log_density(points), exact, atol=1e-10)


def test_draws_have_the_density(component: Component) -> None:
    points = component.draws(14, np.random.SeedSequence(3))
    alone = (points[:, 0] - 1.0) / 1.5
    assert stats.kstest(alone, stats.t(FREEDOM).cdf).statistic < 0.005
    covariance = component.scale @ component.scale.T * FREEDOM / (FREEDOM - 2)
    np.testing.assert_allclose(np.cov(points.T), covariance, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.5])
def test_smoothed_weights_are_those_of_arviz(spread: float) -> None:
    log_w = np.random.default_rng(5).normal(0, spread, 3000)
    weights, result = np.empty(3000), np.empty(5)
    kernel.weigh(log_w, np.zeros(3000), weights, result)
    exact, k = array_stats.psislw(-log_w, r_eff=1.0)
    assert result[1] == pytest.approx(float(k), abs=1e-8)
    np.testing.assert_allclose(weights, np.exp(exact - logsumexp(exact)), atol=1e-10)
    assert result[0] == pytest.approx(1 / (weights**2).sum())
    assert result[2] == pytest.approx(logsumexp(log_w) - np.log(3000), abs=1e-10)
    raw = np.exp(log_w)
    assert result[3] == pytest.approx(raw.std() / raw.mean() / np.sqrt(3000), rel=1e-6)


def test_a_mixture_is_summed_without_overflow() -> None:
    rng = np.random.default_rng(2)
    densities, prior, shares = rng.normal(-900, 300, (4, 20)), rng.normal(size=(3, 20)), np.log([0.1, 0.2, 0.3, 0.4])
    found = np.empty((3, 20))
    kernel.less_mixture(prior, densities, shares, found)
    np.testing.assert_allclose(found, prior - logsumexp(densities + shares[:, None], axis=0), atol=1e-9)


def test_a_systematic_sample_takes_each_draw_as_often_as_its_weight_says() -> None:
    weights = np.random.default_rng(4).dirichlet(np.full(200, 0.3))
    chosen = np.empty(5000, dtype=np.int64)
    kernel.resample(weights, random_state(np.random.SeedSequence(1)), chosen)
    assert np.abs(np.bincount(chosen, minlength=200) - 5000 * weights).max() < 1
    # in random order: halves do not differ
    assert abs(np.corrcoef(np.arange(5000), chosen)[0, 1]) < 0.05


def test_the_tails_effective_size_is_that_of_their_indicators() -> None:
    rng = np.random.default_rng(6)
    x, weights = rng.normal(size=4000), rng.dirichlet(np.full(4000, 2.0))
    order = np.argsort(x)[None].astype(np.int32)
    found = kernel.tail_size(order, weights, 0.05, 0.95)
    sizes = []
    for level in (0.05, 0.95):
        place = np.searchsorted(np.cumsum(weights[order[0]]), level)
        below = (x <= x[order[0][place]]).astype(float)
        p = float(weights @ below)
        sizes.append(p * (1 - p) / float((weights**2) @ (below - p) ** 2))
    assert found == pytest.approx(min(sizes), rel=1e-9)
