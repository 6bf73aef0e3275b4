"""Quick simulation-based calibration with fixed seeds: the models pass it, and a spoiled one does not.

The full study is `retrial experiment calibration`; the response model's quick one is with its other tests.
"""

from __future__ import annotations

import pytest

from retrial.experiments.calibration.survival import CASES, ranks, uniformity

SIMULATIONS, BINS = 40, 5
QUICK = ("weibull", "weibull_nonproportional", "piecewise_exponential")
"""Each model takes its compilation and a minute of fits of two cores; the others wait for `make validate`."""
LEAST_P = 1e-3
"""A fixed seed passes or fails for good; among the few dozen p-values of the models one below 0.001 would be a surprise."""


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES])
def test_ranks_are_uniform(name: str) -> None:
    found = {key: uniformity(values, BINS) for key, values in ranks(name, SIMULATIONS, seed=20).items()}
    assert min(found.values()) > LEAST_P, found


def test_a_likelihood_with_a_factor_fails() -> None:
    # counting every patient four times halves the posterior's SD: the truth is too often beyond all draws
    found = ranks("weibull", 100, seed=20, factor=4.0)
    assert uniformity(found["log_hazard_ratio"], BINS) < LEAST_P
