"""Weights of particles: how far they are from equal, and copies in proportion to them (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uniform

BISECTIONS = 50
FIRST_STEP, LAST_STEP = 1e-9, 1e9
"""Bracket of a level's Δb."""


@compiled
def effective_share(energy: np.ndarray, step: float) -> float:
    """Effective sample size of the weights exp(-step · E), as a share of the particles."""
    total, squares, least = 0.0, 0.0, energy.min()
    for value in energy:
        weight = math.exp(-step * (value - least))
        total += weight
        squares += weight * weight
    return total * total / squares / energy.size


@compiled
def level_step(energy: np.ndarray, share: float) -> float:
    """Δb whose weights keep `share` of the particles effective (bisection on a log scale)."""
    low, high = math.log(FIRST_STEP), math.log(LAST_STEP)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if effective_share(energy, math.exp(middle)) > share:
            low = middle
        else:
            high = middle
    return math.exp(low)


@compiled
def resample(weights: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Parents by systematic resampling; a surviving particle stays in its place, so that only copies are moved."""
    n = weights.size
    copies = np.zeros(n, np.int64)
    position, cumulative, i = uniform(state), weights[0] * n / weights.sum(), 0
    for k in range(n):
        while cumulative < k + position and i < n - 1:
            i += 1
            cumulative += weights[i] * n / weights.sum()
        copies[i] += 1
    parents = np.empty(n, np.int64)
    spare = 0
    for i in range(n):
        if copies[i] > 0:
            parents[i] = i
            copies[i] -= 1
        else:
            parents[i] = -1
    for i in range(n):
        if parents[i] < 0:
            while copies[spare] == 0:
                spare += 1
            parents[i] = spare
            copies[spare] -= 1
    return parents


@compiled
def drawn_places(weights: np.ndarray, n: int, state: np.ndarray) -> np.ndarray:
    """n places among weights by systematic resampling, in order."""
    places = np.empty(n, np.int64)
    step, cumulative, i = weights.sum() / n, weights[0], 0
    position = uniform(state)
    for k in range(n):
        while cumulative < (k + position) * step and i < weights.size - 1:
            i += 1
            cumulative += weights[i]
        places[k] = i
    return places
