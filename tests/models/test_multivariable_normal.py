"""Simulation-based calibration of the joint normal model, and the priors that it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from retrial.errors import PriorError
from retrial.models.multivariable_normal import SLAB_SCALE, SLAB_SHAPE, variances
from retrial.multivariable.posterior import posterior
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

sys.path.append(str(Path(__file__).parents[1] / "multivariable"))
from multivariable_factory import covariance, known

OWN = PriorSet("own", {"factor_log_ratio": Prior("normal", (0.0, 1.0)), "factor_sd": Prior("half_normal", (0.5,))})
SE = (0.3, 0.4, 0.35, 0.3)
V = covariance(np.full((4, 4), 0.25) + 0.75 * np.eye(4), SE)
SIMULATIONS, COMPONENTS, BINS = 160, 1500, 8


@pytest.mark.parametrize("structure", ["independent", "hierarchical", "horseshoe"])
def test_posteriors_hold_the_coefficients_that_made_the_estimates(structure: str) -> None:
    """β from the prior, b ~ N(β, V): the posterior's distribution function at the true β is uniform, for every coefficient."""
    random = np.random.default_rng(17)
    places = np.empty((SIMULATIONS, 4))
    s = np.tile(np.array(SE)[1:], (COMPONENTS, 1))
    for simulation in range(SIMULATIONS):
        true_variances = np.concatenate([[0.355**2], variances(structure, s[:1], OWN, random)[0]])
        beta = random.normal(size=4) * np.sqrt(true_variances)
        b = random.multivariate_normal(beta, V)
        scales = np.column_stack([np.full(COMPONENTS, 0.355**2), variances(structure, s, OWN, random)])
        found = posterior(known(b, V, COMPONENTS), np.zeros((COMPONENTS, 4)), scales)
        places[simulation] = [float(found.of(place).cdf(beta[place])) for place in range(4)]
    counts = [np.histogram(places[:, place], np.linspace(0, 1, BINS + 1))[0] for place in range(4)]
    # Bonferroni over four coefficients
    assert min(stats.chisquare(count).pvalue for count in counts) * 4 > 1e-3


def test_a_horseshoe_is_never_wider_than_its_slab() -> None:
    """v = c² λ² τ² / (c² + λ² τ²) < c² ~ inverse gamma(2, 2), and small ones are many."""
    found = variances("horseshoe", np.full((20_000, 2), 0.3), OWN, np.random.default_rng(1))
    slab = stats.invgamma(SLAB_SHAPE, scale=SLAB_SCALE)
    assert (np.quantile(found, [0.5, 0.9, 0.99], axis=0) < slab.ppf([0.5, 0.9, 0.99])[:, None]).all()
    assert (found < 0.01).mean() > 0.15


def test_what_the_model_refuses() -> None:
    s, random = np.full((3, 2), 0.3), np.random.default_rng(0)
    with pytest.raises(PriorError, match="got 'ridge'; allowed are independent, hierarchical, horseshoe"):
        variances("ridge", s, OWN, random)
    odd = PriorSet("own", {"factor_log_ratio": Prior("normal", (0.5, 1.0))})
    with pytest.raises(PriorError, match="allowed is a normal one of mu 0"):
        variances("independent", s, odd, random)
