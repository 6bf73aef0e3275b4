"""Importance sampling held against NUTS on the same PyMC model: differences in Monte Carlo errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from retrial.fit.diagnostics import mean_ess, split_chains

LARGEST = 6.0
"""Differences in Monte Carlo errors beyond which the two do not agree. Errors of tail probabilities by NUTS are themselves estimated from
some tens of draws: of 9,000 differences between right answers two were beyond 4 (normal ones: half a one), none beyond 4.5.
"""
SHARE, LEAST = 0.01, 4
"""Share of the fits that are checked, and how many at least."""
_LEVELS = (0.025, 0.975)


def chosen(count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of the fits that are checked."""
    size = min(max(math.ceil(SHARE * count), LEAST), count)
    return np.sort(rng.choice(count, size=size, replace=False))


def largest_difference(values: Mapping[str, np.ndarray], weights: np.ndarray, chains: Mapping[str, np.ndarray]) -> float:
    """Largest of `differences`, without its sign."""
    return float(np.max(np.abs(differences(values, weights, chains))))


def differences(values: Mapping[str, np.ndarray], weights: np.ndarray, chains: Mapping[str, np.ndarray]) -> np.ndarray:
    """(Importance sampling - NUTS) / Monte Carlo error of mean, SD, 2.5 and 97.5 % quantile of every parameter, (difference,).

    `values` name -> (draw, ...) with weights (draw,) adding to 1, `chains` name -> (chain, draw, ...). Quantiles are compared as
    probabilities below the weighted quantile, SDs as mean squares about the weighted mean.
    """
    # draws far out, without weight, may have parameters that are no numbers
    kept = weights > 0
    values, weights = {name: value[kept] for name, value in values.items()}, weights[kept]
    pairs = [pair for name, value in values.items() for pair in _series(value, weights, chains[name])]
    ours, theirs = np.stack([one for one, _ in pairs]), np.stack([two for _, two in pairs])
    means = ours @ weights
    variance = ((ours - means[:, None]) ** 2) @ weights**2
    split = split_chains(theirs)
    flat = split.reshape(len(split), -1)
    variance += flat.var(axis=1) / mean_ess(split)
    differs = means - flat.mean(axis=1)
    return np.divide(differs, np.sqrt(variance), out=np.where(differs == 0, 0.0, np.inf), where=variance > 0)


def _series(value: np.ndarray, weights: np.ndarray, chains: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is averaged of each element of a parameter, (draw,) and (chain, draw)."""
    flat, theirs = value.reshape(len(value), -1), chains.reshape(*chains.shape[:2], -1)
    for index in range(flat.shape[1]):
        x, y = flat[:, index], theirs[..., index]
        mean = float(weights @ x)
        yield x, y
        yield (x - mean) ** 2, (y - mean) ** 2
        for bound in _quantiles(x, weights, _LEVELS):
            yield (x <= bound).astype(float), (y <= bound).astype(float)


def _quantiles(x: np.ndarray, weights: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    order = np.argsort(x)
    place = np.searchsorted(np.cumsum(weights[order]), levels)
    return np.asarray(x[order[np.minimum(place, x.size - 1)]])
