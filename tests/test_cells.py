"""Cells of counts: numpy and PyTensor alike, and sums over them."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import stats

from retrial.cells import binomial_cells, binomial_counts, log_likelihood

LOGITS = np.array([-800.0, -3.0, 0.0, 0.7, 40.0, 800.0])


def test_cells_of_counts_are_the_logs_of_both_probabilities() -> None:
    yes, no = binomial_cells(LOGITS, np)
    q = 1 / (1 + np.exp(-LOGITS[1:4]))
    np.testing.assert_allclose(yes[1:4], np.log(q), atol=1e-14)
    np.testing.assert_allclose(no[1:4], np.log1p(-q), atol=1e-14)
    assert (yes[0], no[-1]) == (-800.0, -800.0)


def test_numpy_and_pytensor_give_the_same() -> None:
    for ours, theirs in zip(binomial_cells(LOGITS, np), binomial_cells(pt.as_tensor(LOGITS), pt), strict=True):
        np.testing.assert_allclose(theirs.eval(mode="FAST_COMPILE"), ours, rtol=1e-12)


def test_the_sum_is_the_binomial_but_for_the_orders() -> None:
    y, n, logit = np.array([3, 0]), np.array([10, 7]), np.array([[0.2, -1.0], [1.5, 0.3]])
    found = log_likelihood(np.stack(binomial_cells(logit, np), axis=1), binomial_counts(y, n))
    orders = stats.binom.logpmf(y, n, 0.5) - n * np.log(0.5)
    expected = (stats.binom.logpmf(y, n, 1 / (1 + np.exp(-logit))) - orders).sum(axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_cell_without_patients_counts_nothing() -> None:
    cells = np.array([[-1.0, -np.inf], [np.nan, -2.0]])
    assert log_likelihood(cells[0], np.array([2.0, 0.0])) == -2.0
    assert log_likelihood(cells[1], np.array([0.0, 3.0])) == pytest.approx(-6.0)
