"""Power-scaling: draws against power-scaled posteriors in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from retrial.priors.implied.power_scaling import ALPHAS, CONFLICT, NONE_SEEN, STRONG_PRIOR, pooled_log_density, sensitivity

ESTIMATE, SE = math.log(0.47), 0.319
"""A printed hazard ratio of 0.47 (0.252 to 0.879)."""


def quantile_draws(mean: float, sd: float, size: int = 8000) -> np.ndarray:
    """A sample without sampling error: evenly spaced quantiles in random order, (chain, draw)."""
    draws = stats.norm.ppf((np.arange(size) + 0.5) / size, mean, sd)
    return np.random.default_rng(3).permutation(draws).reshape(4, -1)


def posterior(mean: float, sd: float, of_prior: float = 1.0, of_likelihood: float = 1.0) -> tuple[float, float]:
    """N(ESTIMATE; β, SE²) to a power times N(β; mean, sd²) to a power: each power multiplies its precision."""
    a, b = of_prior / sd**2, of_likelihood / SE**2
    return (a * mean + b * ESTIMATE) / (a + b), (a + b) ** -0.5


def distance(p: tuple[float, float], q: tuple[float, float]) -> float:
    """Cumulative Jensen-Shannon distance (Nguyen, Vreeken 2015) of two normals over the range of 8,000 draws of the first."""
    x = np.linspace(*stats.norm.ppf([1 / 16_000, 1 - 1 / 16_000], *p), 20_001)
    found = []
    for f, g in ((stats.norm.cdf(x, *p), stats.norm.cdf(x, *q)), (stats.norm.sf(x, *p), stats.norm.sf(x, *q))):
        int_f, int_g = np.trapezoid(f, x), np.trapezoid(g, x)
        parts = [np.trapezoid(h * np.log2(2 * h / (f + g)), x) for h in (f, g)]
        parts = [parts[0] + (int_g - int_f) / (2 * math.log(2)), parts[1] + (int_f - int_g) / (2 * math.log(2))]
        found.append(math.sqrt(sum(max(part, 0.0) for part in parts) / (int_f + int_g)))
    return max(found)


def exact(mean: float, sd: float, component: str) -> float:
    base = posterior(mean, sd)
    return sum(distance(base, posterior(mean, sd, **{component: alpha})) / abs(math.log2(alpha)) for alpha in ALPHAS) / 2


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.355), (0.511, 0.35), (0.0, 0.13), (-0.8, 0.2)])
def test_sensitivities_are_those_of_the_closed_form(mean: float, sd: float) -> None:
    draws = quantile_draws(*posterior(mean, sd))
    found = sensitivity(draws, stats.norm.logpdf(draws, mean, sd), stats.norm.logpdf(ESTIMATE, draws, SE))
    assert found.prior == pytest.approx(exact(mean, sd, "of_prior"), rel=0.01)
    assert found.likelihood == pytest.approx(exact(mean, sd, "of_likelihood"), rel=0.01)
    assert found.pareto_k < 0.5


@pytest.mark.parametrize(
    ("mean", "sd", "said"),
    [(0.0, 10.0, NONE_SEEN), (0.511, 0.35, CONFLICT), (-0.8, 0.2, STRONG_PRIOR), (ESTIMATE, 1.0, NONE_SEEN)],
)
def test_the_diagnosis(mean: float, sd: float, said: str) -> None:
    draws = quantile_draws(*posterior(mean, sd))
    found = sensitivity(draws, stats.norm.logpdf(draws, mean, sd), stats.norm.logpdf(ESTIMATE, draws, SE))
    assert found.diagnosis == said


def test_a_flat_prior_changes_nothing() -> None:
    draws = quantile_draws(ESTIMATE, SE)
    found = sensitivity(draws, np.zeros_like(draws), stats.norm.logpdf(ESTIMATE, draws, SE))
    assert found.prior == 0.0
    assert found.likelihood > 0.05
    assert found.diagnosis == NONE_SEEN


def test_pooled_tables_are_scaled_one_by_one() -> None:
    # a constant of a reconstruction's likelihood (its own multinomial coefficient) must not move weight between reconstructions
    rng = np.random.default_rng(5)
    share = np.repeat([0, 1, 2], 1000)
    draws = rng.normal(np.array([-0.8, -0.7, -0.6])[share], SE)
    log_likelihood = stats.norm.logpdf(np.array([-0.8, -0.7, -0.6])[share], draws, SE)
    shifted = log_likelihood + np.array([0.0, 300.0, -50.0])[share]
    np.testing.assert_allclose(pooled_log_density(shifted, share), pooled_log_density(log_likelihood, share), atol=1e-9)
    assert np.bincount(share, pooled_log_density(shifted, share)) == pytest.approx(np.zeros(3), abs=1e-8)
