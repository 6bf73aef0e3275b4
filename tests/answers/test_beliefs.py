"""Curves of prior, likelihood and posterior against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.answers.beliefs import belief


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.355), (np.log(0.6), 0.3), (0.0, 10.0), (1.0, 0.2)])
def test_a_normal_prior_gives_the_conjugate_posterior(mean: float, sd: float) -> None:
    """N(y; β, s²) × N(β; m, t²): N((y/s² + m/t²) v, v), v = 1 / (1/s² + 1/t²); the grid's trapezoids are exact to 1e-4 of it."""
    y, s = np.log(0.47), 0.3187
    found = belief(y, s, stats.norm(mean, sd).logpdf)
    v = 1 / (1 / s**2 + 1 / sd**2)
    exact = stats.norm(v * (y / s**2 + mean / sd**2), np.sqrt(v))
    np.testing.assert_allclose(found.below, exact.cdf(found.x), atol=1e-4)
    np.testing.assert_allclose(found.posterior, exact.pdf(found.x), atol=2e-4 * exact.pdf(exact.mean()))
    np.testing.assert_allclose(found.prior, stats.norm.pdf(found.x, mean, sd), rtol=1e-12)
    assert np.trapezoid(found.likelihood, found.x) == pytest.approx(1.0, abs=1e-5)


def test_a_prior_of_very_small_density_does_not_vanish() -> None:
    """A prior far away has densities below the smallest float: the posterior is still of area 1."""
    found = belief(np.log(0.5), 0.1, stats.norm(8.0, 0.1).logpdf)
    assert np.trapezoid(found.posterior, found.x) == pytest.approx(1.0)
