"""Correlation matrices from canonical partial correlations, and the LKJ prior on them (Lewandowski, Kurowicka and Joe 2009)."""

from __future__ import annotations

import numpy as np


def pairs_of(size: int) -> int:
    """Correlations of p variables, p (p - 1) / 2."""
    return size * (size - 1) // 2


def matrices(partial: np.ndarray, size: int) -> np.ndarray:
    """R = L L', (N, p, p), from partial correlations in (-1, 1), (N, p (p - 1) / 2), row by row of L's lower triangle.

    L[i, j] = z[i, j] √(Π_{k < j} (1 - z[i, k]²)), L[i, i] the rest of a row of length 1: every z gives a positive definite R.
    """
    lower = np.zeros((partial.shape[0], size, size))
    lower[:, 0, 0] = 1.0
    place = 0
    for row in range(1, size):
        rest = np.ones(partial.shape[0])
        for column in range(row):
            lower[:, row, column] = partial[:, place] * np.sqrt(rest)
            rest = rest * (1.0 - partial[:, place] ** 2)
            place += 1
        lower[:, row, row] = np.sqrt(rest)
    return np.asarray(lower @ lower.swapaxes(1, 2))


def shapes(size: int, concentration: float) -> np.ndarray:
    """a of the prior z ~ 2 Beta(a, a) - 1 of each partial correlation under LKJ(η): η + (p - 2 - j) / 2 in column j = 0, 1, ..."""
    return np.array([concentration + (size - 2 - column) / 2 for row in range(1, size) for column in range(row)])


def concentration_of(sd: float, size: int) -> float:
    """η under which every correlation of p variables has this SD: each is 2 Beta(η - 1 + p/2, same) - 1, of variance 1 / (2 η + p - 1).

    At least 1 (uniform over matrices), where the SD asked for is wider than that.
    """
    return max(1.0, (1.0 / sd**2 - size + 1) / 2)
