"""Importance sampling, and reweighted chains, held against NUTS on the same PyMC model: differences in Monte Carlo errors."""

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
    ours = np.stack([one for one, _ in pairs])
    means = ours @ weights
    variance = ((ours - means[:, None]) ** 2) @ weights**2
    mean, spread, size = _known(np.stack([two for _, two in pairs]))
    return _in_errors(means - mean, variance + spread / size)


def chain_differences(values: Mapping[str, np.ndarray], chains: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same of two sets of chains, name -> (chain, draw, ...), whose draws follow each other.

    Of two variances of what is averaged the larger counts for both: of a tail that a short chain hardly visited its own is too small.
    """
    shape = next(iter(values.values())).shape[:2]
    equal = np.full(shape[0] * shape[1], 1.0 / (shape[0] * shape[1]))
    pairs = [pair for name, value in values.items() for pair in _series(value.reshape(-1, *value.shape[2:]), equal, chains[name])]
    ours = _known(np.stack([one for one, _ in pairs]).reshape(-1, *shape))
    theirs = _known(np.stack([two for _, two in pairs]))
    spread = np.maximum(ours[1], theirs[1])
    return _in_errors(ours[0] - theirs[0], spread / ours[2] + spread / theirs[2])


def _known(chains: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and effective size of each series (series, chain, draw)."""
    split = split_chains(chains)
    flat = split.reshape(len(split), -1)
    return flat.mean(axis=1), flat.var(axis=1), mean_ess(split)


def _in_errors(differs: np.ndarray, variance: np.ndarray) -> np.ndarray:
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
