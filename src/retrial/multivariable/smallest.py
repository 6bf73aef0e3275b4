"""The smallest violation: how near any positive definite information matrix comes to all printed numbers at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from retrial.multivariable.correlation import matrices, pairs_of
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.statistics import Statistic, information, printed_statistics, residuals, univariable

STARTS = 6
"""Least squares from that many matrices: a sign of a univariable effect that starts wrong may not turn."""
_FURTHEST = 0.9995
"""Largest partial correlation that is tried: beyond it two covariates are one."""
_STEP = 1e-6


def smallest_violation(model: PrintedModel) -> tuple[tuple[Statistic, ...], np.ndarray, np.ndarray]:
    """Statistics, their distances in scales of the quadratic form's error, and the implied univariable (log ratio, SE), (p, 2).

    Least squares over the partial correlations of the estimates, and over estimates and standard errors within their rounding. It ends
    after at most `STARTS` x 60 steps, whatever is printed.
    """
    asked, size = printed_statistics(model), model.size
    low, high = (np.concatenate([np.full(pairs_of(size), sign * _FURTHEST), *_rounding(model, sign)]) for sign in (-1, 1))
    random, found = np.random.default_rng(0), []

    def distances(x: np.ndarray) -> np.ndarray:
        return np.asarray(_distances(model, asked, x[None])[0])

    def jacobian(x: np.ndarray) -> np.ndarray:
        return _jacobian(model, asked, x)

    for start in range(STARTS if asked else 0):
        z = random.uniform(-0.3, 0.3, pairs_of(size)) if start else np.zeros(pairs_of(size))
        at = np.clip(np.concatenate([z, *model.centre.T]), low + 1e-12, high - 1e-12)
        found.append(optimize.least_squares(distances, at, jac=jacobian, bounds=(low, high), max_nfev=60))
    best = min(found, key=lambda one: one.cost).x if found else np.concatenate([np.zeros(pairs_of(size)), *model.centre.T])
    matrix, b = _matrix(model, best[None])
    return asked, residuals(model, asked, matrix, b)[0], np.column_stack([part[0] for part in univariable(matrix, b)])


def _rounding(model: PrintedModel, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of estimates and standard errors within their rounding, a little apart so that a search may start inside."""
    ends = model.pools.max(axis=1) if sign > 0 else model.pools.min(axis=1)
    return ends[:, 0] + sign * 1e-9, ends[:, 1] + sign * 1e-9


def _matrix(model: PrintedModel, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """I and b of points (N, pairs + 2 p)."""
    pairs = pairs_of(model.size)
    b, s = x[:, pairs : pairs + model.size], x[:, pairs + model.size :]
    return information(matrices(x[:, :pairs], model.size), s), b


def _distances(model: PrintedModel, asked: Sequence[Statistic], x: np.ndarray) -> np.ndarray:
    return residuals(model, asked, *_matrix(model, x))


def _jacobian(model: PrintedModel, asked: Sequence[Statistic], x: np.ndarray) -> np.ndarray:
    """(statistics, variables), by forward differences away from the bounds, all in one pass."""
    steps = np.where(x > 0, -_STEP, _STEP)
    points = np.vstack([x, x + np.diag(steps)])
    found = _distances(model, asked, points)
    return np.asarray(((found[1:] - found[0]) / steps[:, None]).T)
