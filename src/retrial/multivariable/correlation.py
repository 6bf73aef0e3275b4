"""Correlation matrices from canonical partial correlations, the LKJ distribution (Lewandowski, Kurowicka and Joe 2009), and the prior on them.

The prior is the product of Student t densities of the correlations over all correlation matrices: most pairs of covariates are hardly
correlated and a few strongly, as of the estimates of Cox models (`experiments/multivariable`). Under LKJ, which gives every pair the
same narrow distribution, strong correlations came out too low.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVELS = 0.6
"""Scale of |u| of a factor and another covariate, in that of a correlation: of 115 such pairs of Cox models of 6 data sets half are within 0.16,
90 % within 0.39."""
NU = 3.0
"""Degrees of freedom of a correlation: of 1,517 in Cox models of 8 public data sets half are within 0.10, 90 % within 0.27, 99 % within 0.70."""


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


def log_prior(correlation: np.ndarray, scale: float, units: Sequence[tuple[int, ...]] = ()) -> np.ndarray:
    """log Π_{i < j} t(r_ij / scale) with `NU` degrees of freedom, up to a constant, (N,), of matrices (N, p, p).

    Levels B of one factor are correlated with each other by their reference, which is no business of this prior. With what is not of the factor
    they are in the coordinates u = L⁻¹ R_Bj, R_BB = L L', of a multivariate t of |u|: so that it is the same whichever level is the reference.
    """
    size = correlation.shape[-1]
    of = np.array([next((place for place, unit in enumerate(units) if j in unit), -1 - j) for j in range(size)])
    block = np.array([(of == one).sum() > 1 for one in of])
    rows, columns = np.tril_indices(size, -1)
    plain = ~(block[rows] | block[columns])
    r = correlation[:, rows[plain], columns[plain]] / scale
    found = -(NU + 1) / 2 * np.log1p(r**2 / NU).sum(axis=1)
    blocks = [unit for unit in units if len(unit) > 1]
    for place, unit in enumerate(blocks):
        later = {j for other in blocks[:place] for j in other} | set(unit)
        others = [(j,) for j in range(size) if not block[j]] + [other for other in blocks if not set(other) & later]
        found += sum(_log_prior_of_pair(correlation, LEVELS * scale, unit, other) for other in others)
    return np.asarray(found)


def _log_prior_of_pair(correlation: np.ndarray, scale: float, first: tuple[int, ...], second: tuple[int, ...]) -> np.ndarray:
    """Of k levels and m others: the density over R_BC of a multivariate t of the k m numbers u = L_B⁻¹ R_BC L_C'⁻¹, so that
    du = |R_BB|^(-m/2) |R_CC|^(-k/2) dR."""
    roots = [np.linalg.cholesky(correlation[:, unit][:, :, unit]) for unit in (first, second)]
    u = np.linalg.solve(roots[0], correlation[:, first][:, :, second])
    u = np.linalg.solve(roots[1], u.swapaxes(1, 2))
    logs = [np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1) for root in roots]
    k, m = len(first), len(second)
    return np.asarray(-(NU + k * m) / 2 * np.log1p((u**2).sum(axis=(1, 2)) / scale**2 / NU) - m * logs[0] - k * logs[1])


def log_determinant(partial: np.ndarray) -> np.ndarray:
    """log |R| = Σ log(1 - z²), (N,): LKJ(η) has density |R|^(η - 1)."""
    return np.asarray(np.log1p(-(partial**2)).sum(axis=1))
