"""Simulation-based calibration of the models of counts, 500 simulations each (`make validate`); writes histograms and tables to results/."""

from __future__ import annotations

import pytest
from simulate_counts import count_ranks
from test_calibration_full import SIMULATIONS, check

pytestmark = pytest.mark.slow
NAMES = ("response_hierarchical", "adverse_events_hierarchical", "response_borrowing")


@pytest.mark.parametrize("name", NAMES)
def test_ranks_are_uniform(name: str) -> None:
    check(name, count_ranks(name, SIMULATIONS, seed=11))
