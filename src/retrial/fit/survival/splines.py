"""Cubic B-splines of time as polynomials between knots, constant beyond the last one; a life table with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import PPoly

from retrial.fit.survival.intervals import share_and_information
from retrial.fit.survival.likelihood import SurvivalData

DEGREE = 3


@dataclass(frozen=True, eq=False)
class Pieces:
    """B-splines on the knots 0, cuts, as polynomials of the time since each knot; constant after the last.

    `start`, `length` (piece,) months, the last one without end; `coefficients` (piece, spline, power) of 1, x, x², x³.
    """

    start: Any
    length: Any
    coefficients: Any


@lru_cache(maxsize=64)
def pieces_of(cuts: tuple[float, ...]) -> Pieces:
    """The splines between 0 and the last of `cuts` (months): as many as `cuts` and `DEGREE`, adding to 1 everywhere."""
    knots = np.array([0.0, *cuts])
    padded = np.concatenate([[0.0] * DEGREE, knots, [knots[-1]] * DEGREE])
    count = padded.size - DEGREE - 1
    coefficients = np.zeros((knots.size, count, DEGREE + 1))
    for j, unit in enumerate(np.eye(count)):
        polynomials = PPoly.from_spline((padded, unit, DEGREE)).c[::-1, DEGREE : DEGREE + knots.size - 1]
        coefficients[:-1, j] = polynomials.T
    coefficients[-1, -1, 0] = 1.0
    return Pieces(knots, np.append(np.diff(knots), np.inf), coefficients)


def value_and_integral(pieces: Pieces, weights: Any, time: Any, xp: Any) -> tuple[Any, Any]:
    """Σ_j w_j B_j(t) and its integral from 0 to t, for `weights` (..., spline) and `time` (...) that broadcast without the last axis."""
    polynomials = (weights[..., None, :, None] * pieces.coefficients).sum(axis=-2)
    since = time[..., None] - pieces.start
    inside = (since > 0) * (since <= pieces.length)
    x = xp.clip(since, 0.0, pieces.length)
    value: Any = 0.0
    integral: Any = 0.0
    for power in range(DEGREE, -1, -1):
        part = polynomials[..., power]
        value = value * x + part
        integral = integral * x + part / (power + 1)
    return (value * inside).sum(axis=-1), (integral * x).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class SplineData:
    """A life table and the splines of its time axis, as a model is fitted to them."""

    table: SurvivalData
    pieces: Pieces

    @property
    def information(self) -> np.ndarray:
        """About what the events tell of the step from each spline to the next, (step,): they count where the splines are."""
        times = np.maximum(self.table.points, 0.0)[:, None]
        count = self.pieces.coefficients.shape[1]
        each = np.stack([value_and_integral(self.pieces, unit, times[:, 0], np)[0] for unit in np.eye(count)])
        return share_and_information(each @ self.table.events.sum(axis=0))["information"]

    @property
    def structure(self) -> tuple[object, ...]:
        return self.table.structure

    def updates(self) -> dict[str, np.ndarray]:
        made = {f"spline_{name}": getattr(self.pieces, name) for name in ("start", "length", "coefficients")}
        return {**self.table.updates(), **made, "walk__information": self.information}
