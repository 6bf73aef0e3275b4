"""Joint posteriors: closed forms at 1e-8, quadrature and NUTS."""

from __future__ import annotations

import numpy as np
import pytest
from multivariable_factory import covariance, known
from scipy import stats

from retrial.data.multivariable import normal_parts
from retrial.errors import FitError
from retrial.frequentist.ratios import LogRatio
from retrial.models.log_hazard_ratio import posterior as single
from retrial.models.multivariable_normal import Coefficients, build, variances
from retrial.multivariable.benchmark import MEDIAN, STRONGEST, benchmark_draws
from retrial.multivariable.posterior import Components, NormalMixture, posterior
from retrial.priors.prior import Mixture, Prior
from retrial.priors.prior_set import PriorSet

B = np.array([-0.57, -1.0, -0.04, 0.9, -0.5])
SE = (0.35, 0.48, 0.36, 0.35, 0.37)
R = np.full((5, 5), 0.2) + 0.8 * np.eye(5)
V = covariance(R, SE)
OWN = PriorSet("own", {"factor_log_ratio": Prior("normal", (0.0, 1.0)), "factor_sd": Prior("half_normal", (0.5,))})
SCEPTICAL = Prior("normal", (0.0, 0.355))
MIXTURE = Prior("normal_mixture", ((0.6, 0.4), (0.0, -0.5), (0.2, 0.4)))


def joint(v: np.ndarray, structure: str, treatment: Prior, copies: int = 1, seed: int = 1) -> Components:
    found = known(B, v, copies)
    random = np.random.default_rng(seed)
    means, scales = np.zeros(found.b.shape), np.empty(found.b.shape)
    scales[:, 1:] = variances(structure, found.s[:, 1:], OWN, random)
    means[:, 0], scales[:, 0] = normal_parts(treatment, random, copies)
    return posterior(found, means, scales)


@pytest.mark.parametrize("prior", [SCEPTICAL, Prior("normal", (0.0, 10.0)), Prior("normal", (-0.4, 0.3))])
@pytest.mark.parametrize("structure", ["independent", "hierarchical", "horseshoe"])
def test_without_correlation_the_treatment_is_the_univariable_normal_model(prior: Prior, structure: str) -> None:
    found = joint(np.diag(np.square(SE)), structure, prior, copies=50).of(0)
    alone = single(LogRatio("hazard_ratio", "experimental / control", "", B[0], SE[0], 0.95, ""), prior)
    levels = np.array([0.025, 0.5, 0.975])
    assert found.ppf(levels) == pytest.approx(alone.ppf(levels), abs=1e-8)
    assert found.mean() == pytest.approx(alone.mean(), abs=1e-8)
    assert found.std() == pytest.approx(alone.std(), abs=1e-8)
    assert float(found.cdf(0.0)) == pytest.approx(float(alone.cdf(0.0)), abs=1e-8)


def test_without_correlation_a_mixture_prior_gives_its_mixture() -> None:
    """2,000 components stand for the prior's shares to 1/2000; the closed form of the mixture to that."""
    found = joint(np.diag(np.square(SE)), "independent", MIXTURE, copies=2000).of(0)
    alone = single(LogRatio("hazard_ratio", "experimental / control", "", B[0], SE[0], 0.95, ""), MIXTURE)
    assert found.ppf(np.array([0.025, 0.5, 0.975])) == pytest.approx(alone.ppf(np.array([0.025, 0.5, 0.975])), abs=2e-3)


def test_independent_priors_are_the_conjugate_multivariate_normal() -> None:
    found = joint(V, "independent", SCEPTICAL)
    precision = np.linalg.inv(V) + np.diag(1 / np.array([0.355**2, 1, 1, 1, 1]))
    assert found.covariances[0] == pytest.approx(np.linalg.inv(precision), abs=1e-10)
    assert found.means[0] == pytest.approx(np.linalg.solve(precision, np.linalg.solve(V, B)), abs=1e-10)


def test_weights_are_the_evidence() -> None:
    """Of matrices and variances that differ, in proportion to N(b; m, I⁻¹ + T)."""
    random = np.random.default_rng(1)
    found = known(B, V, 6)
    scales = random.uniform(0.05, 2, found.b.shape)
    means = random.normal(size=found.b.shape)
    direct = np.array([stats.multivariate_normal(m, V + np.diag(t)).pdf(B) for m, t in zip(means, scales, strict=True)])
    assert posterior(found, means, scales).weights == pytest.approx(direct / direct.sum(), rel=1e-9)


def test_a_flat_prior_leaves_the_printed_estimates() -> None:
    found = posterior(known(B, V), np.zeros((1, 5)), np.full((1, 5), np.inf))
    assert found.means[0] == pytest.approx(B, abs=1e-10)
    assert found.covariances[0] == pytest.approx(V, abs=1e-10)


def test_subset_adjusted_effects_are_least_squares_on_the_subset() -> None:
    random = np.random.default_rng(9)
    x = random.normal(size=(80, 5)) @ np.linalg.cholesky(R).T
    y = x @ B + random.normal(size=80)
    v = np.linalg.inv(x.T @ x)
    found = posterior(known(v @ x.T @ y, v), np.zeros((1, 5)), np.full((1, 5), np.inf))
    for kept in ((), (2,), (1, 3, 4)):
        columns = x[:, [0, *kept]]
        c = found.adjusted_for(0, kept)[0]
        assert c @ found.means[0] == pytest.approx(np.linalg.lstsq(columns, y, rcond=None)[0][0], abs=1e-8)
        assert c @ found.covariances[0] @ c == pytest.approx(np.linalg.inv(columns.T @ columns)[0, 0], abs=1e-8)


def test_hierarchical_factors_by_quadrature() -> None:
    """τ on a grid of 4,000 points, each a conjugate normal, against the components' own draws of τ."""
    found = joint(V, "hierarchical", SCEPTICAL, copies=4000)
    tau = stats.halfnorm(scale=0.5).ppf((np.arange(4000) + 0.5) / 4000)
    priors = np.column_stack([np.full(4000, 0.355**2), *([tau**2] * 4)])
    weights = np.array([stats.multivariate_normal(np.zeros(5), V + np.diag(t)).pdf(B) for t in priors])
    means = np.array([np.linalg.solve(np.linalg.inv(V) + np.diag(1 / t), np.linalg.solve(V, B)) for t in priors])
    assert [found.of(place).mean() for place in range(5)] == pytest.approx(weights @ means / weights.sum(), abs=1e-3)


def test_the_horseshoe_of_one_factor_by_quadrature() -> None:
    """(λ, τ, c) on a grid of their quantiles, each a conjugate normal, against the components' own draws."""
    b, v = np.array([-0.5, 0.8]), covariance(np.array([[1.0, 0.4], [0.4, 1.0]]), (0.35, 0.4))
    found, random, count = known(b, v, 40_000), np.random.default_rng(4), 40_000
    scales = np.column_stack([np.full(count, 0.355**2), variances("horseshoe", found.s[:, 1:], OWN, random)])
    ours = posterior(found, np.zeros((count, 2)), scales)
    u = (np.arange(80) + 0.5) / 80
    local, tau = np.tan(np.pi * u / 2), 0.4 * np.tan(np.pi * u / 2)
    slab = 1 / stats.gamma(2, scale=0.5).ppf(u)
    grid_local, grid_tau, grid_slab = np.meshgrid(local, tau, slab, indexing="ij")
    product = (grid_local * grid_tau) ** 2
    t = (grid_slab * product / (grid_slab + product)).ravel()
    total = v[None] + np.stack([np.diag([0.355**2, 0.0])] * t.size)
    total[:, 1, 1] += t
    weights = np.exp(-0.5 * np.einsum("i,nij,j->n", b, np.linalg.inv(total), b)) / np.sqrt(np.linalg.det(total))
    priors = np.column_stack([np.full(t.size, 0.355**2), t])
    means = np.einsum("ni,nij,j->ni", priors, np.linalg.inv(total), b)
    # a midpoint grid of 80 quantiles leaves the last 1/160 of both tails out
    assert [ours.of(place).mean() for place in range(2)] == pytest.approx(weights @ means / weights.sum(), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["hierarchical", "horseshoe"])
def test_shrunken_factors_against_nuts(structure: str) -> None:
    """Medians and limits of every coefficient within five standard errors of a PyMC model's draws, at least 0.03."""
    import nutpie

    model = build(Coefficients(B, V, 0), PriorSet("p", {**OWN.priors, "log_hazard_ratio": SCEPTICAL}), structure)
    trace = nutpie.sample(
        nutpie.compile_pymc_model(model), draws=2500, tune=1200, chains=2, cores=1, seed=3, target_accept=0.98, progress_bar=False
    )
    draws = trace.posterior["beta"].to_numpy().reshape(-1, 5)
    found = joint(V, structure, SCEPTICAL, copies=60_000)
    assert found.effective > 1000
    for place in range(5):
        mixture = found.of(place)
        # R-hat of such chains is near 1 and their effective size above a sixth of the draws
        error = 5 * draws[:, place].std() / np.sqrt(draws.shape[0] / 6)
        assert mixture.mean() == pytest.approx(draws[:, place].mean(), abs=max(error, 0.03))
        for level in (0.025, 0.5, 0.975):
            seen = float((draws[:, place] <= mixture.ppf(np.array(level))).mean())
            assert seen == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / (draws.shape[0] / 6)))


def test_a_mixture_of_normals_has_the_quantiles_of_scipy() -> None:
    random = np.random.default_rng(0)
    weights, means, sds = random.dirichlet(np.ones(7)), random.normal(size=7), random.uniform(0.1, 2, 7)
    ours = NormalMixture(weights, means, sds)
    theirs = Mixture(weights, [stats.norm(m, s) for m, s in zip(means, sds, strict=True)])
    levels = np.array([0.001, 0.025, 0.5, 0.975, 0.999])
    assert ours.ppf(levels) == pytest.approx(theirs.ppf(levels), abs=1e-9)
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-12)


def test_one_more_confounder_moves_the_effect_towards_none() -> None:
    found = posterior(known(B, V, 500), np.zeros((500, 5)), np.full((500, 5), np.inf))
    draws = benchmark_draws(found, 0, 1, 4000)
    effect = found.of(0).mean()
    assert effect < np.median(draws[MEDIAN]) < np.median(draws[STRONGEST])
    assert benchmark_draws(found, 0, 1, 4000)[MEDIAN] == pytest.approx(draws[MEDIAN])
    # a further covariate cannot narrow the interval
    spread = found.draws(1, 4000)[0][:, 0].std()
    assert min(draws[MEDIAN].std(), draws[STRONGEST].std()) > 0.98 * spread


def test_few_effective_components_fail() -> None:
    found = known(B, V, 500)
    scales = np.full((500, 5), 1e-4)
    scales[0] = 1.0
    with pytest.raises(FitError, match="effective components"):
        posterior(found, np.zeros((500, 5)), scales).check()
