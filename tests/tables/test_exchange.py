"""Ladders of temperatures: Bennett's ratio, and which levels become rungs."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.tables.sample.smc.exchange import bennett


def test_bennett_has_the_ratio_of_two_normal_densities() -> None:
    """exp(-x²/2) and exp(-x²/2 - w) with w = x: log ratio 1/2, draws under the latter normal about -1."""
    random = np.random.default_rng(1)
    first, second = random.normal(size=200_000), random.normal(size=200_000) - 1.0
    assert bennett(first, second) == pytest.approx(0.5, abs=0.01)


def test_bennett_of_what_does_not_vary_is_exact() -> None:
    assert bennett(np.full(50, 0.7), np.full(50, 0.7)) == pytest.approx(-0.7, abs=1e-8)
