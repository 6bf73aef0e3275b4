"""A posterior of one parameter on a grid that is dense where the prior or the likelihood is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrial.errors import FitError
from retrial.fit.grid import DROP, POINTS, GridDistribution, LogDensity

_HALVINGS = 90
"""Halvings of an interval that leave no float between its ends, for widths from 1e-10 to 1e4."""
_SAME_SUMS = 1e-6
"""Largest difference between the sums over even and over odd points, relative to the integral. Where a peak is just resolved, the error
over all points is its fourth power for the trapezoidal rule and below 1e-8 for the splines of the cumulated density (tested)."""


@dataclass(frozen=True)
class Mesh:
    """Coordinate u = Σ_j arcsinh((x - c_j) / w_j): even steps of u are steps of x in proportion to the distance from the nearest c_j, and
    to w_j there. `places` are the pairs (c_j, w_j)."""

    places: tuple[tuple[float, float], ...]

    def u_of(self, x: np.ndarray | float) -> np.ndarray:
        return np.sum([np.arcsinh((x - center) / width) for center, width in self.places], axis=0)

    def slope(self, x: np.ndarray) -> np.ndarray:
        """dx/du."""
        return 1 / np.sum([1 / np.hypot(width, x - center) for center, width in self.places], axis=0)

    def x_of(self, u: np.ndarray, low: float, high: float) -> np.ndarray:
        """The x in [low, high] of every u, by halving."""
        below, above = np.full(np.shape(u), low), np.full(np.shape(u), high)
        for _ in range(_HALVINGS):
            middle = 0.5 * (below + above)
            left = self.u_of(middle) < u
            below, above = np.where(left, middle, below), np.where(left, above, middle)
        return 0.5 * (below + above)


@dataclass(frozen=True, eq=False)
class MeshDistribution:
    """A density of x as one of u on an even grid of a `Mesh`; `x` are its points."""

    mesh: Mesh
    x: np.ndarray
    over_u: GridDistribution

    @classmethod
    def from_log_density(
        cls, log_density: LogDensity, low: float, high: float, places: Sequence[tuple[float, float]]
    ) -> MeshDistribution:
        """Normalise exp(log_density) on [low, high], narrowed to where it matters.

        `places` are centre and width of everything narrow in it. Raises `FitError` where the points lie too far apart all the same.
        """
        mesh = Mesh(tuple(places))

        def of(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            x = mesh.x_of(u, low, high)
            return x, log_density(x) + np.log(mesh.slope(x))

        u = np.linspace(mesh.u_of(low), mesh.u_of(high), POINTS)
        for _ in range(3):
            values = of(u)[1]
            kept = np.flatnonzero(values > values.max() - DROP)
            u = np.linspace(u[max(kept[0] - 1, 0)], u[min(kept[-1] + 1, u.size - 1)], POINTS)
        x, values = of(u)
        density = np.exp(values - values.max())
        if abs(2 * density[1::2].sum() - density.sum()) > _SAME_SUMS * density.sum():
            raise FitError(
                "the posterior is narrower than the points of its grid lie apart: use a wider prior (a larger prior sigma)"
            )
        return cls(mesh, x, GridDistribution(u, density / np.trapezoid(density, u)))

    def cdf(self, value: np.ndarray | float) -> np.ndarray:
        return self.over_u.cdf(self.mesh.u_of(value))

    def ppf(self, q: np.ndarray | float) -> np.ndarray:
        return self.mesh.x_of(self.over_u.ppf(q), self.x[0], self.x[-1])

    @cached_property
    def _moments(self) -> tuple[float, float]:
        u, density = self.over_u.x, self.over_u.density
        mean = float(np.trapezoid(self.x * density, u))
        return mean, float(np.sqrt(np.trapezoid((self.x - mean) ** 2 * density, u)))

    def mean(self) -> float:
        return self._moments[0]

    def std(self) -> float:
        return self._moments[1]
