"""Correlation matrices, what they imply, and the sampler against importance sampling from its prior."""

from __future__ import annotations

import numpy as np
import pytest
from multivariable_factory import alone, covariance, ratio, study, tree
from scipy import stats

from retrial.multivariable.correlation import concentration_of, log_determinant, log_prior, matrices, pairs_of, shapes
from retrial.multivariable.printed import printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.statistics import (
    TOLERANCE,
    information,
    log_likelihood,
    printed_statistics,
    residuals,
    univariable,
)
from retrial.study.study import Study

B = (-0.6, 0.5, -0.4)
R = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.25], [-0.2, 0.25, 1.0]])
V = covariance(R, (0.30, 0.32, 0.35))


@pytest.mark.parametrize(("size", "concentration"), [(2, 1.0), (4, 1.0), (5, 6.0)])
def test_the_prior_is_lkj(size: int, concentration: float) -> None:
    """Every correlation has variance 1 / (2 η + p - 1), and the matrices are correlation matrices."""
    random, count = np.random.default_rng(3), 40_000
    shape = shapes(size, concentration)
    found = matrices(2 * random.beta(shape, shape, (count, pairs_of(size))) - 1, size)
    assert np.allclose(np.diagonal(found, axis1=1, axis2=2), 1.0)
    assert (np.linalg.eigvalsh(found) > 0).all()
    off = found[:, *np.tril_indices(size, -1)]
    variance = 1 / (2 * concentration + size - 1)
    # the variance of an average of squares of (count,) draws, whose fourth moment is at most 3 variance²
    assert np.allclose((off**2).mean(axis=0), variance, atol=4.5 * variance * np.sqrt(2 / count))
    assert np.allclose(off.mean(axis=0), 0, atol=4.5 * np.sqrt(variance / count))


def test_the_determinant_is_that_of_the_partial_correlations() -> None:
    z = np.random.default_rng(1).uniform(-0.9, 0.9, (50, pairs_of(4)))
    assert log_determinant(z) == pytest.approx(np.linalg.slogdet(matrices(z, 4))[1], abs=1e-10)


def test_the_prior_has_a_narrow_middle_and_long_tails() -> None:
    """Half and 99 % of the correlations of two covariates: those of a t with 3 degrees of freedom, cut at 1."""
    r = np.linspace(-0.9995, 0.9995, 4001)
    both = np.broadcast_to(np.eye(2), (r.size, 2, 2)).copy()
    both[:, 0, 1] = both[:, 1, 0] = r
    weight = np.exp(log_prior(both, 0.2))
    t = stats.t(3, scale=0.2)
    cut = t.cdf(0.9995) - t.cdf(-0.9995)
    for size in (0.1, 0.5):
        assert weight[np.abs(r) <= size].sum() / weight.sum() == pytest.approx((2 * t.cdf(size) - 1) / cut, abs=2e-3)


def test_the_concentration_gives_the_sd_asked_for() -> None:
    assert 1 / (2 * concentration_of(0.2, 7) + 6) == pytest.approx(0.2**2)
    assert concentration_of(0.9, 4) == 1.0


def test_univariable_results_are_those_of_least_squares() -> None:
    """In a linear model with known error variance the quadratic form is exact: regression on one column alone, 1e-8."""
    random = np.random.default_rng(5)
    x = random.normal(size=(50, 3)) @ np.linalg.cholesky(R).T
    y = x @ np.array(B) + random.normal(size=50)
    matrix = x.T @ x
    b = np.linalg.solve(matrix, x.T @ y)
    found, error = univariable(matrix[None], b[None])
    for place in range(3):
        assert found[0, place] == pytest.approx(x[:, place] @ y / (x[:, place] @ x[:, place]), abs=1e-8)
        assert error[0, place] == pytest.approx((x[:, place] @ x[:, place]) ** -0.5, abs=1e-8)


def test_the_right_matrix_is_no_distance_from_what_it_prints() -> None:
    model = printed_model(study(B, V), "os")
    asked = printed_statistics(model)
    distance = residuals(model, asked, information(R[None], np.sqrt(np.diag(V))[None]), np.array(B)[None])
    assert [(item.kind, item.covariate) for item in asked] == [
        *(("ratio", 0), ("se", 0), ("cap", 0), ("test", 1), ("cap", 1), ("test", 2), ("cap", 2)),
    ]
    assert np.abs(distance).max() < 0.02  # rounding of four and three decimals


def test_the_sampler_is_importance_sampling_from_the_prior() -> None:
    """Correlations' means and SDs against 1,000,000 matrices of LKJ(4), weighted by prior and likelihood."""
    model = printed_model(study(B, V), "os")
    settings = MatrixSettings(islands=4, particles=1500)
    got = sample(model, settings, 11)
    random, count = np.random.default_rng(2), 1_000_000
    shape = shapes(3, 4.0)
    prior = matrices(2 * random.beta(shape, shape, (count, 3)) - 1, 3)
    pairs = model.pools[np.arange(3), random.integers(model.pools.shape[1], size=(count, 3))]
    b, s = pairs[..., 0], pairs[..., 1]
    weights = log_prior(prior, settings.correlation_scale) - 3.0 * np.linalg.slogdet(prior)[1]
    weights += log_likelihood(got.asked, residuals(model, got.asked, information(prior, s), b))
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    effective = 1 / (weights**2).sum()
    assert effective > 300
    for i, j in ((1, 0), (2, 0), (2, 1)):
        mean = weights @ prior[:, i, j]
        sd = np.sqrt(weights @ (prior[:, i, j] - mean) ** 2)
        ours = got.correlation[:, i, j]
        islands = [ours[got.island == island].mean() for island in range(settings.islands)]
        error = np.hypot(sd / np.sqrt(effective), np.std(islands, ddof=1) / np.sqrt(settings.islands))
        assert abs(ours.mean() - mean) < 4.5 * error
        assert ours.std() == pytest.approx(sd, rel=0.12)


def test_variance_inflation_is_known_where_both_standard_errors_are_printed() -> None:
    model = printed_model(study(B, V), "os")
    found = sample(model, MatrixSettings(islands=2, particles=300), 1).inflation[:, 0]
    truth = V[0, 0] / alone(np.array(B), V, 0)[1] ** 2
    assert np.quantile(found, [0.05, 0.95]) == pytest.approx([truth, truth], rel=0.03)


def test_the_same_seed_gives_the_same_matrices() -> None:
    model = printed_model(study(B, V), "os")
    first, second = (sample(model, MatrixSettings(islands=2, particles=60), 4).information for _ in range(2))
    assert np.array_equal(first, second)


def test_tables_that_contradict_each_other_end_and_are_named() -> None:
    """A χ² of 400 beside ratios near 1, and a univariable standard error above the adjusted one."""
    model = printed_model(_contradictory(), "os")
    found = sample(model, MatrixSettings(islands=2, particles=200), 1)
    assert np.isfinite(found.information).all()
    assert (np.linalg.eigvalsh(found.information) > 0).all()
    worst = found.asked[int(np.argmax(np.median(np.abs(found.distance), axis=0)))]
    assert np.median(np.abs(found.distance), axis=0).max() > TOLERANCE
    assert (worst.kind, worst.covariate) in (("test", 2), ("se", 0))


def _contradictory() -> Study:
    raw = tree(B, V)
    raw["tests"]["univariable"]["rows"]["marker"]["results"]["os"]["chi_square"] = "400"
    raw["effects"]["arm_alone"] = ratio(-0.6, 0.45)
    return Study.model_validate(raw)
