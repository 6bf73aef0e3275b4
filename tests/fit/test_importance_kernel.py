"""Weights of importance sampling in compiled code: ArviZ and SciPy give the same."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats
from scipy.special import logsumexp

from retrial.fit.importance import kernel
from retrial.fit.importance.adaptive import RESULTS, Sample, Targets
from retrial.fit.importance.proposal import FREEDOM, Component, Mixture
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
    points, counts = rng.normal(size=(40, 2)) * 10.0 ** rng.uniform(-3, 20, (40, 1)), [3, 50, 4096, 2]
    parts = [Component(rng.normal(size=2) * 10.0**k, np.diag(10.0 ** rng.uniform(-k, k, 2))) for k in range(4)]
    for order in ([0, 1, 2, 3], [3, 2, 0, 1]):
        found = Mixture.of_none(40)
        for place in order:
            parts[place].add_to(found, np.ascontiguousarray(points.T), counts[place])
        exact = logsumexp([parts[i].log_density(points) + np.log(counts[i]) for i in range(4)], axis=0)
        np.testing.assert_allclose(found.log, exact, rtol=1e-12)


def test_a_draw_beyond_all_densities_fails_its_target() -> None:
    """Sums hold no logarithms: 10^90 widths away nothing is left of a density. Such a draw's weight is infinite, and the target is not passed."""
    far = Mixture.of_none(3)
    Component(np.zeros(4), np.eye(4)).add_to(far, np.array([[0.0, 1.0, 1e90]] * 4), 100)
    assert np.isfinite(far.log[:2]).all()
    assert far.log[2] == -np.inf
    weights, result = np.empty(3), np.empty(RESULTS)
    kernel.weigh(np.zeros(3), -far.log, weights, result)
    assert (result[0], result[1]) == (0.0, np.inf)


def test_what_a_sample_adds_bit_by_bit_is_the_whole_mixture() -> None:
    rng = np.random.default_rng(8)
    parts = [Component(rng.normal(size=2), np.eye(2) * scale) for scale in (0.5, 1.0, 3.0)]
    nothing = SimpleNamespace(
        cells=lambda points, _: np.zeros((len(points), 1)), log_priors=lambda points, _: np.zeros((1, len(points)))
    )
    targets = Targets(np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 2), dtype=int), np.ones(1))
    sample = Sample(nothing, targets, np.ones(1, dtype=bool))  # type: ignore[arg-type]
    for number, (new, powers) in enumerate([(parts[:2], [3, 4]), (parts[2:], [5]), (parts[:1], [3]), (parts, [4, 4, 5])]):
        sample.add(new, powers, np.random.SeedSequence(number).spawn(len(new)))
        shares = np.array(sample.counts) / len(sample.points)
        exact = logsumexp(
            [one.log_density(sample.points) + np.log(share) for one, share in zip(parts, shares, strict=False)], axis=0
        )
        np.testing.assert_allclose(sample.priors[0], -exact, rtol=1e-12)
    assert sample.counts == [32, 32, 64]


def test_exponentials_are_the_librarys() -> None:
    logs = np.concatenate([-np.logspace(-12, 3, 1500), [0.0, -59.9, -60.1, -1e30, -np.inf]])
    found = np.empty(logs.size)
    kernel.exponentials(logs + 3.0, 3.0, found)
    exact = np.where(logs > -60.0, np.exp(logs + 3.0 - 3.0), 0.0)
    np.testing.assert_allclose(found, exact, rtol=5e-14)


def test_the_tail_is_the_largest_weights_near_or_far() -> None:
    rng = np.random.default_rng(11)
    for spread in (0.1, 3.0, 40.0, 1e4):
        logs = -np.abs(rng.normal(0, spread, 4000))
        logs[7] = -np.inf
        order = kernel.tail_of(logs, float(logs.max()), 180)
        np.testing.assert_array_equal(order, np.argsort(logs, kind="stable")[-181:])


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
