"""Weights of particles: how far they are from equal, and copies in proportion to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FIRST_STEP, LAST_STEP, BISECTIONS = 1e-9, 1e9, 40
"""Bracket of a step between temperatures, and halvings of its logarithm."""


def effective(weights: np.ndarray) -> float:
    """Effective sample size (Σ w)² / Σ w²."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def largest_step(
    enough: Callable[[float], bool], low: float = FIRST_STEP, high: float = LAST_STEP, halvings: int = BISECTIONS
) -> float:
    """The largest step that is `enough` (bisection on a log scale)."""
    first, last = np.log(low), np.log(high)
    for _ in range(halvings):
        middle = (first + last) / 2
        if enough(float(np.exp(middle))):
            first = middle
        else:
            last = middle
    return float(np.exp(first))


def drawn_places(weights: np.ndarray, n: int, random: float) -> np.ndarray:
    """(n,) places among weights by systematic resampling with one random number of [0, 1), in order."""
    edges = np.cumsum(weights)
    return np.minimum(
        np.searchsorted(edges, (np.arange(n) + random) * edges[-1] / n, side="right"), np.flatnonzero(weights > 0)[-1]
    )


def resample(weights: np.ndarray, random: float) -> np.ndarray:
    """(N,) parents by systematic resampling; a surviving particle stays in its place, so that only copies are moved."""
    places = drawn_places(weights, len(weights), random)
    copies = np.bincount(places, minlength=len(weights))
    parents = np.arange(len(weights))
    parents[copies == 0] = np.repeat(parents, np.maximum(copies - 1, 0))
    return parents
