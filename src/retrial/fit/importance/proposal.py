"""Proposals of importance sampling: multivariate t distributions about modes or about weighted moments, drawn by quasi-random points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, special
from scipy.stats import qmc

from retrial.fit.importance import kernel

FREEDOM = 5
"""Degrees of freedom: tails heavier than a posterior's, so that its weights are bounded; efficiency 0.9 at 3 normal dimensions."""
_SPREAD = 1.1
"""Factor on the covariance of a mode, whose curvature is of the peak alone."""
_STEP = 1e-4
"""Step of a difference between gradients, on the unconstrained scale: right to 1e-8 of the curvature where that is of order 1."""
_WIDEST = 25.0
"""Largest SD along an axis, on the unconstrained scale: a direction in which the density hardly falls is no wider."""
_ITERATIONS = 200
_NO_SHARE = 1e-6
"""Share of the largest weight below which a draw is nothing to a proposal's moments."""
Slope = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Points (draw, k) -> log density (draw,), gradient (draw, k)."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Σ count x density of proposals at some points, `total` (draw,) times e^`scale`.

    A point that one of the proposals has drawn has a density of it: by 15 or 20 powers of ten in each tail, and by the ratio of proposals' widths
    in all directions, less than the largest; a float holds 300.
    """

    total: np.ndarray
    scale: float = 0.0

    @classmethod
    def of_none(cls, size: int, scale: float = 0.0) -> Mixture:
        return cls(np.zeros(size), scale)

    def beside(self, other: Mixture) -> Mixture:
        """At the points of both, of the same scale."""
        return Mixture(np.concatenate([self.total, other.total]), self.scale)

    @property
    def log(self) -> np.ndarray:
        with np.errstate(
            divide="ignore"
        ):  # a draw of no density has an infinite weight, and fails every target that it has one in
            return self.scale + np.log(self.total)


@dataclass(frozen=True, eq=False)
class Component:
    """t distribution with `FREEDOM` degrees of freedom, centre (k,) and lower triangular scale (k, k)."""

    centre: np.ndarray
    scale: np.ndarray

    @property
    def size(self) -> int:
        return self.centre.size

    def stretched(self, factor: float) -> Iterator[Component]:
        """One for each coordinate: `factor` times as wide along it, the others following as they depend on it.

        A mode elsewhere gets draws of large weight from these, so that its target fails and is looked at there.
        """
        covariance = self.scale @ self.scale.T
        for i in range(self.size):
            ridge = covariance[:, i] / np.sqrt(covariance[i, i])
            yield Component(self.centre, np.linalg.cholesky(covariance + (factor**2 - 1) * np.outer(ridge, ridge)))

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.ascontiguousarray(np.linalg.inv(self.scale))

    def distance(self, point: np.ndarray) -> float:
        """Of a point (k,) from the centre, in SDs."""
        return float(np.linalg.norm(self._inverse @ (point - self.centre)))

    @cached_property
    def log_peak(self) -> float:
        """Log density at the centre."""
        k = self.size
        found = special.gammaln((FREEDOM + k) / 2) - special.gammaln(FREEDOM / 2) - k / 2 * np.log(FREEDOM * np.pi)
        return float(found - np.log(np.diag(self.scale)).sum())

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """(draw,) at points (draw, k)."""
        found = np.empty(len(points))
        kernel.t_log_density(points, self.centre, self._inverse, FREEDOM, self.log_peak, found)
        return found

    def add_to(self, mixture: Mixture, columns: np.ndarray, count: float) -> None:
        """`count` times the density at points, given as `columns` (k, draw), to what a mixture is there."""
        share = count * float(np.exp(self.log_peak - mixture.scale))
        kernel.add_to_mixture(columns, self.centre, self._inverse, FREEDOM, share, mixture.total)

    def draws(self, power: int, seed: np.random.SeedSequence) -> np.ndarray:
        """2^power points (draw, k) of a scrambled Sobol' sequence (Owen 1998, J Complexity 14:466), each by itself a draw.

        Errors computed as of independent draws are upper bounds: the points fill the space more evenly.
        """
        u = qmc.Sobol(self.size + 1, rng=np.random.default_rng(seed)).random_base2(power)
        u = np.clip(u, np.finfo(float).eps, 1 - np.finfo(float).eps)
        normal = special.ndtri(u[:, :-1])
        chi_square = 2 * special.gammaincinv(FREEDOM / 2, u[:, -1])
        points: np.ndarray = self.centre + (normal @ self.scale.T) * np.sqrt(FREEDOM / chi_square)[:, None]
        return points


def at_mode(slope: Slope, start: np.ndarray) -> Component | None:
    """Laplace approximation: the mode from `start`, covariance from the curvature there. None where no mode is found."""

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(point[None])
        if not (np.isfinite(value[0]) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(point)
        return -float(value[0]), -gradient[0]

    if not np.isfinite(loss(start)[0]):
        return None
    found = optimize.minimize(loss, start, jac=True, method="BFGS", options={"maxiter": _ITERATIONS, "gtol": 1e-4})
    if not np.isfinite(found.fun):
        return None
    k = start.size
    ends = found.x + _STEP * np.concatenate([np.eye(k), -np.eye(k)])
    gradient = slope(ends)[1]
    if not np.isfinite(gradient).all():
        return None
    hessian = (gradient[k:] - gradient[:k]) / (2 * _STEP)
    values, axes = np.linalg.eigh((hessian + hessian.T) / 2)
    variances = _SPREAD / np.maximum(values, _WIDEST**-2)
    return Component(found.x, np.linalg.cholesky((axes * variances) @ axes.T))


def of_moments(points: np.ndarray, weights: np.ndarray) -> Component | None:
    """Weighted mean and covariance of points (draw, k), as those of the t distribution; None where they are not known well enough."""
    if 1 / (weights**2).sum() < 4 * points.shape[1]:
        return None
    kept = np.flatnonzero(weights > _NO_SHARE * weights.max())
    points, weights = points[kept], weights[kept] / weights[kept].sum()
    mean = weights @ points
    covariance = (points - mean).T @ ((points - mean) * weights[:, None])
    try:
        return Component(mean, np.linalg.cholesky(covariance * (FREEDOM - 2) / FREEDOM * _SPREAD))
    except np.linalg.LinAlgError:
        return None
