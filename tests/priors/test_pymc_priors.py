"""The compiled form of an effect's prior, wherever the variable is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy import special, stats

from retrial.priors.prior import Prior
from retrial.priors.pymc_priors import effect_prior, effect_updates

START = Prior("normal", (0.0, 1.0))
CASES = {
    "normal": Prior("normal", (0.3, 0.5)),
    "narrow": Prior("normal", (1.0, 1e-6)),
    "narrow and far": Prior("normal", (700.0, 1e-10)),
    "student_t": Prior("student_t", (0.3, 1e-5, 1.0)),
    "mixture": Prior("normal_mixture", ((0.2, 0.8), (-0.5, 0.0), (0.2, 1.0))),
    "narrow mixture": Prior("normal_mixture", ((0.9, 0.1), (8.0, -8.0), (1e-5, 1e-5))),
    "a share of 0": Prior("normal_mixture", ((1.0, 0.0), (2.0, 0.0), (1e-5, 1.0))),
}
"""Of some the point 0 is millions of standard deviations away: what is unused must not be all that is left there."""


@pytest.fixture(scope="module")
def compiled() -> tuple[pm.Model, Any]:
    with pm.Model() as model:
        effect_prior("x", START)
    return model, model.compile_logp(jacobian=False)


@pytest.mark.parametrize("case", CASES)
def test_log_density_is_the_priors_however_far_away(case: str, compiled: tuple[pm.Model, Any]) -> None:
    prior, (model, density) = CASES[case], compiled
    with model:
        pm.set_data(effect_updates("x", prior))
    for point in (0.0, 0.31, 1.0, 8.0):
        assert float(density({"x": np.array(point)})) == pytest.approx(by_hand(prior, point), rel=1e-8, abs=1e-8)


def by_hand(prior: Prior, point: float) -> float:
    """Log density by SciPy, in logs: Σ w f underflows far from the components."""
    weights, mu, sigma = (
        np.atleast_1d(prior[name]) if name in prior.names else np.ones(1) for name in ("weights", "mu", "sigma")
    )
    family = stats.t(prior.number("nu")) if prior.family == "student_t" else stats.norm
    used = weights > 0
    logs = np.log(weights[used]) + family.logpdf((point - mu[used]) / sigma[used]) - np.log(sigma[used])
    return float(special.logsumexp(logs))
