"""Weights of importance sampling for many targets at once, in one compiled pass each: effective size, Pareto k, evidence, resampling.

The targets are pairs of a table and a prior. log w = (table's log-likelihood of a draw) + (prior's log density - log proposal).
"""

from __future__ import annotations

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uniform

_BINS = 1024
_BIN_WIDTH = 0.0625
"""Logarithms of weights are sorted into bins of this width from the largest down, to find the tail without sorting them all."""
_NOTHING = -60.0
"""Logarithm of a weight, of the largest, that is nothing in a sum of a million."""
_NO_SHARE = 1e-10
"""Share of the largest weight below which a draw is nothing to a quantile."""
_SMALL, _LARGE = 1e-100, 1e100
"""A product of many factors stays between these, far from what a float cannot hold."""
_LEAST_TAIL = 5
"""Draws of a tail that a generalised Pareto distribution can be fitted to."""
_PRIOR_DRAWS, _PRIOR_K = 10.0, 0.5
"""The fitted k is drawn towards 0.5 with the weight of 10 draws (Vehtari et al. 2024, appendix C)."""


@inlined
def squared_distance(point: np.ndarray, centre: np.ndarray, inverse: np.ndarray) -> float:
    """|A (x - c)|² of a point (k,), A = `inverse` lower triangular."""
    squares = 0.0
    for i in range(centre.size):
        z = 0.0
        for j in range(i + 1):
            z += inverse[i, j] * (point[j] - centre[j])
        squares += z * z
    return squares


@compiled
def t_log_density(
    points: np.ndarray, centre: np.ndarray, inverse: np.ndarray, freedom: float, constant: float, out: np.ndarray
) -> None:
    """constant - (ν + k) / 2 log(1 + |A (x - c)|² / ν) at points (draw, k), A = `inverse` lower triangular, into `out` (draw,)."""
    power = (freedom + centre.size) / 2.0
    for s in range(points.shape[0]):
        out[s] = constant - power * np.log1p(squared_distance(points[s], centre, inverse) / freedom)


@compiled
def add_to_mixture(
    points: np.ndarray,
    centre: np.ndarray,
    inverse: np.ndarray,
    freedom: float,
    constant: float,
    largest: np.ndarray,
    total: np.ndarray,
) -> None:
    """One more density (as `t_log_density`, times its share in `constant`) to a mixture at points (draw, k): its log is largest + log(total),
    each (draw,), -inf and 0 before the first.
    """
    power = (freedom + centre.size) / 2.0
    for s in range(points.shape[0]):
        value = constant - power * np.log1p(squared_distance(points[s], centre, inverse) / freedom)
        if value > largest[s]:
            total[s] = total[s] * np.exp(largest[s] - value) + 1.0
            largest[s] = value
        elif value - largest[s] > _NOTHING:
            total[s] += np.exp(value - largest[s])


@compiled
def log_weights(table: np.ndarray, prior: np.ndarray, out: np.ndarray) -> float:
    """log w into `out` (draw,); returns the largest."""
    largest = -np.inf
    for s in range(table.size):
        value = table[s] + prior[s]
        out[s] = value
        largest = max(largest, value)
    return largest


@compiled
def tail_of(log_w: np.ndarray, largest: float, count: int) -> np.ndarray:
    """Indices of the `count` + 1 largest log weights, from the smallest of them up."""
    bins = np.zeros(_BINS, dtype=np.int64)
    for s in range(log_w.size):
        place = int(min((largest - log_w[s]) / _BIN_WIDTH, _BINS - 1.0))
        bins[place] += 1
    total, last = 0, 0
    while last < _BINS - 1:
        total += bins[last]
        if total > count:
            break
        last += 1
    if last == _BINS - 1:
        total = log_w.size
    chosen = np.empty(total, dtype=np.int64)
    values = np.empty(total)
    found = 0
    for s in range(log_w.size):
        if int(min((largest - log_w[s]) / _BIN_WIDTH, _BINS - 1.0)) <= last:
            chosen[found] = s
            values[found] = log_w[s]
            found += 1
    order = np.argsort(values[:found], kind="mergesort")
    return chosen[:found][order][-(count + 1) :]


@compiled
def log_of_product(factor: float, x: np.ndarray) -> float:
    """Σ log(1 + factor x), a logarithm for every few of the terms' product."""
    total, product = 0.0, 1.0
    for i in range(x.size):
        product *= 1.0 + factor * x[i]
        if not _SMALL < product < _LARGE:
            total += np.log(product)
            product = 1.0
    return total + np.log(product)


@compiled
def pareto(x: np.ndarray) -> tuple[float, float]:
    """k and scale of a generalised Pareto distribution for exceedances x > 0, ascending; Zhang and Stephens 2009, Technometrics 51:316."""
    n = x.size
    grid = 30 + int(np.sqrt(n))
    b, score = np.empty(grid), np.empty(grid)
    quartile = x[int(n / 4 + 0.5) - 1]
    for j in range(grid):
        b[j] = (1.0 - np.sqrt(grid / (j + 0.5))) / (3.0 * quartile) + 1.0 / x[-1]
        k = log_of_product(-b[j], x) / n
        score[j] = n * (np.log(-b[j] / k) - k - 1.0)
    mean = 0.0
    for j in range(grid):
        share = 0.0
        for i in range(grid):
            share += np.exp(score[i] - score[j])
        mean += b[j] / share
    k = log_of_product(-mean, x) / n
    return (n * k + _PRIOR_DRAWS * _PRIOR_K) / (n + _PRIOR_DRAWS), -k / mean


@compiled
def smooth(weights: np.ndarray, order: np.ndarray) -> float:
    """Pareto-smooth the tail of weights (largest 1) in place; `order` from `tail_of`. Returns k, NaN where there is no tail.

    The tail's weights become quantiles of the fitted distribution, none above the largest (Vehtari et al. 2024, JMLR 25(72)).
    """
    count = order.size - 1
    cutoff = weights[order[0]]
    if count < _LEAST_TAIL or not weights[order[1]] > cutoff or cutoff <= 0.0:
        return np.nan
    exceeding = np.empty(count)
    for i in range(count):
        exceeding[i] = weights[order[i + 1]] - cutoff
    k, scale = pareto(exceeding)
    if np.isfinite(k) and np.isfinite(scale):
        for i in range(count):
            p = (i + 0.5) / count
            quantile = -scale * np.log1p(-p) if abs(k) < 1e-12 else scale / k * np.expm1(-k * np.log1p(-p))
            weights[order[i + 1]] = min(quantile + cutoff, 1.0)
    return k


@compiled
def weigh(table: np.ndarray, prior: np.ndarray, weights: np.ndarray, result: np.ndarray) -> None:
    """Smoothed weights of one target, adding to 1, into `weights` (draw,), and into `result`:

    effective size 1 / Σ w², Pareto k, log evidence (mean of the weights before smoothing), its relative standard error.
    """
    size = table.size
    largest = log_weights(table, prior, weights)
    if not np.isfinite(largest):
        result[0], result[1], result[2], result[3] = 0.0, np.inf, -np.inf, np.inf
        weights[:] = 1.0 / size
        return
    # most draws are of proposals far from this target
    near, logs, found = np.empty(size, dtype=np.int64), np.empty(size), 0
    for s in range(size):
        below = weights[s] - largest
        weights[s] = 0.0
        if below > _NOTHING:
            near[found], logs[found] = s, below
            found += 1
    total, squares = 0.0, 0.0
    for i in range(found):
        w = np.exp(logs[i])
        weights[near[i]] = w
        total += w
        squares += w * w
    result[2] = largest + np.log(total / size)
    result[3] = np.sqrt(max(size * squares / total**2 - 1.0, 0.0) / size)
    count = min(int(min(0.2 * size, 3.0 * np.sqrt(size))), size - 1)
    result[1] = smooth(weights, near[tail_of(logs[:found], 0.0, count)]) if found > count else np.nan
    total, squares = 0.0, 0.0
    for i in range(found):
        w = weights[near[i]]
        total += w
        squares += w * w
    result[0] = total**2 / squares
    for i in range(found):
        weights[near[i]] /= total


@compiled
def tail_size(order: np.ndarray, weights: np.ndarray, low: float, high: float) -> float:
    """Smallest effective size p (1 - p) / Σ w² (1[x <= q] - p)² of the weighted quantiles at `low` and `high` of any coordinate.

    `order` (k, draw) sorts each coordinate.
    """
    squares, largest = 0.0, 0.0
    for s in range(weights.size):
        squares += weights[s] * weights[s]
        largest = max(largest, weights[s])
    # most draws are of proposals far from this target: a byte each says so, in less memory than their weights
    counts = np.empty(weights.size, dtype=np.uint8)
    for s in range(weights.size):
        counts[s] = weights[s] > _NO_SHARE * largest
    least = np.inf
    for i in range(order.shape[0]):
        for side in range(2):
            # the draws up to the lower quantile, or those beyond the upper one: either part of two has the same variance
            reached, inside, wanted = 0.0, 0.0, low if side == 0 else 1.0 - high
            for j in range(order.shape[1]):
                s = order[i, j] if side == 0 else order[i, order.shape[1] - 1 - j]
                if not counts[s]:
                    continue
                if side == 1 and reached + weights[s] > wanted:
                    break
                reached += weights[s]
                inside += weights[s] * weights[s]
                if side == 0 and reached >= wanted:
                    break
            variance = inside * (1.0 - 2.0 * reached) + reached * reached * squares
            spread = reached * (1.0 - reached)
            if variance > 0.0 and spread > 0.0:
                least = min(least, spread / variance)
    return least


@compiled
def resample(weights: np.ndarray, state: np.ndarray, chosen: np.ndarray) -> None:
    """Systematic sample of draws in proportion to weights that add to 1, in random order, into `chosen`."""
    count = chosen.size
    place, reached = uniform(state) / count, weights[0]
    s = 0
    for i in range(count):
        wanted = place + i / count
        while reached < wanted and s < weights.size - 1:
            s += 1
            reached += weights[s]
        chosen[i] = s
    for i in range(count - 1, 0, -1):
        j = int(uniform(state) * (i + 1))
        chosen[i], chosen[j] = chosen[j], chosen[i]


@compiled
def weigh_many(
    tables: np.ndarray,
    prior: np.ndarray,
    rows: np.ndarray,
    shares: np.ndarray,
    order: np.ndarray,
    tails: np.ndarray,
    near: float,
    results: np.ndarray,
    pool: np.ndarray,
    states: np.ndarray,
    chosen: np.ndarray,
) -> None:
    """`weigh` for some `rows` of `tables` (table, draw) under one prior (draw,), into `results` (target, 5): the fifth is `tail_size`, looked
    at where the effective size is below `near`. The weights of each, times its share, are added to `pool` (draw,).

    With `states` (target, word), which may be none, also `resample` into `chosen` (target, draw).
    """
    weights = np.empty(tables.shape[1])
    for t in range(rows.size):
        weigh(tables[rows[t]], prior, weights, results[t])
        results[t, 4] = tail_size(order, weights, tails[0], tails[1]) if results[t, 0] < near else np.inf
        for s in range(weights.size):
            pool[s] += shares[t] * weights[s]
        if states.shape[0] > 0:
            resample(weights, states[t], chosen[t])
