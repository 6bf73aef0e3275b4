"""Batched R-hat and ESS are ArviZ's."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from retrial.fit.diagnostics import ess_bulk, ess_tail, rhat

TAILS = (0.05, 0.95)


def series(kind: str, draws: int) -> np.ndarray:
    """Forty series of four chains: independent, slow, antithetic, heavy-tailed, or with chains that disagree."""
    rng = np.random.default_rng(42)
    noise = rng.normal(size=(40, 4, draws))
    if kind == "heavy":
        return rng.standard_t(2, size=noise.shape)
    if kind == "apart":
        return noise + np.array([0.0, 0.1, 0.4, 1.0])[None, :, None]
    coefficient = {"independent": 0.0, "slow": 0.95, "antithetic": -0.4}[kind]
    values = noise.copy()
    for t in range(1, draws):
        values[..., t] = coefficient * values[..., t - 1] + noise[..., t]
    return values


@pytest.mark.parametrize("draws", [100, 301])
@pytest.mark.parametrize("kind", ["independent", "slow", "antithetic", "heavy", "apart"])
def test_same_as_arviz(kind: str, draws: int) -> None:
    values = series(kind, draws)
    for ours, method in ((ess_bulk(values), {"method": "bulk"}), (ess_tail(values, TAILS), {"method": "tail", "prob": TAILS})):
        theirs = array_stats.ess(values, chain_axis=1, draw_axis=2, **method)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    np.testing.assert_allclose(rhat(values), array_stats.rhat(values, chain_axis=1, draw_axis=2), rtol=1e-10)


def test_constant_series() -> None:
    values = np.ones((1, 4, 100))
    assert ess_bulk(values)[0] == 400
    assert np.isnan(rhat(values)[0])
