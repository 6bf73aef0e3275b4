"""Weights of importance sampling for many targets at once, in one compiled pass each: effective size, Pareto k, evidence, resampling.

The targets are pairs of a table and a prior. log w = (table's log-likelihood of a draw) + (prior's log density - log proposal).
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uniform

_BINS = 1024
_BIN_WIDTH = 0.0625
"""Logarithms of weights are sorted into bins of this width from the largest down, to find the tail without sorting them all."""
_NOTHING = -60.0
"""Logarithm of a weight, of the largest, that is nothing in a sum of a million."""
_AT_ONCE = 512
"""Exponentials taken together: what is between their steps stays in the processor's nearest cache."""
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_SERIES = tuple(1.0 / math.factorial(k) for k in range(12))
_ROUNDED = 1.5 * 2.0**52
"""Added to a number, it leaves its nearest integer in the last bits."""
_EXPONENT_BITS, _EXPONENT_OF_ONE = 52, 1023
_NEAR_TAIL = 8.0
"""Below the largest log weight: here the tail is looked for first, and mostly is."""
_SMALL, _LARGE = 1e-100, 1e100
"""A product of many factors stays between these, far from what a float cannot hold."""
_TERMS = 4
"""Factors between two looks at a product: none is beyond 1e27, the ratio of two weights that are not nothing."""
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
    columns: np.ndarray, centre: np.ndarray, inverse: np.ndarray, freedom: int, share: float, total: np.ndarray
) -> None:
    """`share` times (1 + |A (x - c)|² / ν)^(-(ν + k) / 2) at points, given as `columns` (k, draw), to what is in `total` (draw,).

    Many points at once, by products and a root: no logarithm, which would take longer than all else.
    """
    half, odd = (freedom + centre.size) // 2, (freedom + centre.size) % 2 == 1
    squares, z = np.empty(_AT_ONCE), np.empty(_AT_ONCE)
    for start in range(0, columns.shape[1], _AT_ONCE):
        count = min(_AT_ONCE, columns.shape[1] - start)
        squares[:] = 0.0
        for i in range(centre.size):
            z[:] = 0.0
            for j in range(i + 1):
                factor, middle = inverse[i, j], centre[j]
                for s in range(count):
                    z[s] += factor * (columns[j, start + s] - middle)
            for s in range(count):
                squares[s] += z[s] * z[s]
        for s in range(count):
            inside = 1.0 / (1.0 + squares[s] / freedom)
            z[s] = share * np.sqrt(inside) if odd else share
            squares[s] = inside
        for _ in range(half):
            for s in range(count):
                z[s] *= squares[s]
        for s in range(count):
            total[start + s] += z[s]


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
def exponentials(logs: np.ndarray, largest: float, out: np.ndarray) -> None:
    """exp(logs - largest) of logs (draw,) up to their largest into `out`, 0 where that is nothing beside 1.

    2^n exp(r), |r| <= log(2) / 2, by the series to r^11: right to 1e-14, and without a branch, so that a processor does several at once: 4
    times as fast as the library's exp, one by one, on the 180,000 draws of ten parameters.
    """
    scale = np.empty(_AT_ONCE)
    bits = scale.view(np.int64)
    for start in range(0, logs.size, _AT_ONCE):
        count = min(_AT_ONCE, logs.size - start)
        for i in range(count):
            x = max(logs[start + i] - largest, _NOTHING)
            scale[i] = x * _LOG2_E + _ROUNDED
            n = scale[i] - _ROUNDED
            r = (x - n * _LN2_HIGH) - n * _LN2_LOW
            p = _SERIES[10] + r * _SERIES[11]
            p = _SERIES[9] + r * p
            p = _SERIES[8] + r * p
            p = _SERIES[7] + r * p
            p = _SERIES[6] + r * p
            p = _SERIES[5] + r * p
            p = _SERIES[4] + r * p
            p = _SERIES[3] + r * p
            p = _SERIES[2] + r * p
            p = _SERIES[1] + r * p
            p = _SERIES[0] + r * p
            out[start + i] = p if x > _NOTHING else 0.0
        for i in range(count):
            bits[i] = (bits[i] + _EXPONENT_OF_ONE) << _EXPONENT_BITS
        for i in range(count):
            out[start + i] *= scale[i]


@compiled
def sums(x: np.ndarray) -> tuple[float, float, int]:
    """Σ x, Σ x², and how many are not 0; four sums each, so that none waits for the one before."""
    a0, a1, a2, a3, b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole, found = x.size // 4 * 4, 0
    for i in range(0, whole, 4):
        a0 += x[i]
        a1 += x[i + 1]
        a2 += x[i + 2]
        a3 += x[i + 3]
        b0 += x[i] * x[i]
        b1 += x[i + 1] * x[i + 1]
        b2 += x[i + 2] * x[i + 2]
        b3 += x[i + 3] * x[i + 3]
    for i in range(whole, x.size):
        a0 += x[i]
        b0 += x[i] * x[i]
    for i in range(x.size):
        found += x[i] > 0.0
    return (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3), found


@compiled
def tail_of(log_w: np.ndarray, largest: float, count: int) -> np.ndarray:
    """Indices of the `count` + 1 largest log weights, from the smallest of them up."""
    bins = np.zeros(_BINS, dtype=np.int64)
    total, last = 0, 0
    for s in range(log_w.size):
        below = largest - log_w[s]
        if below < _NEAR_TAIL:
            bins[int(below / _BIN_WIDTH)] += 1
            total += 1
    if total <= count:
        bins[:] = 0
        for s in range(log_w.size):
            bins[int(min((largest - log_w[s]) / _BIN_WIDTH, _BINS - 1.0))] += 1
    total = 0
    while last < _BINS - 1:
        total += bins[last]
        if total > count:
            break
        last += 1
    if last == _BINS - 1:
        total = log_w.size
    end = (last + 1) * _BIN_WIDTH if last < _BINS - 1 else np.inf
    chosen, values, found = np.empty(total, dtype=np.int64), np.empty(total), 0
    for s in range(log_w.size):
        if largest - log_w[s] < end or last == _BINS - 1:
            chosen[found], values[found] = s, log_w[s]
            found += 1
    order = np.argsort(values[:found], kind="mergesort")
    return chosen[:found][order][-(count + 1) :]


@compiled
def logs_of_products(factors: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """Σ_i log(1 + f x_i) of each of some factors f into `out`, a logarithm for every few of the terms' product."""
    products = np.ones(factors.size)
    out[:] = 0.0
    for start in range(0, x.size, _TERMS):
        for i in range(start, min(start + _TERMS, x.size)):
            for j in range(factors.size):
                products[j] *= 1.0 + factors[j] * x[i]
        for j in range(factors.size):
            if not _SMALL < products[j] < _LARGE:
                out[j] += np.log(products[j])
                products[j] = 1.0
    for j in range(factors.size):
        out[j] += np.log(products[j])


@compiled
def pareto(x: np.ndarray) -> tuple[float, float]:
    """k and scale of a generalised Pareto distribution for exceedances x > 0, ascending; Zhang and Stephens 2009, Technometrics 51:316."""
    n = x.size
    grid = 30 + int(np.sqrt(n))
    b, score = np.empty(grid), np.empty(grid)
    quartile = x[int(n / 4 + 0.5) - 1]
    for j in range(grid):
        b[j] = (1.0 - np.sqrt(grid / (j + 0.5))) / (3.0 * quartile) + 1.0 / x[-1]
    logs_of_products(-b, x, score)
    for j in range(grid):
        k = score[j] / n
        score[j] = n * (np.log(-b[j] / k) - k - 1.0)
    mean = 0.0
    for j in range(grid):
        share = 0.0
        for i in range(grid):
            share += np.exp(score[i] - score[j])
        mean += b[j] / share
    whole = np.empty(1)
    logs_of_products(np.array([-mean]), x, whole)
    k = whole[0] / n
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
    logs = weights.copy()
    exponentials(logs, largest, weights)
    total, squares, found = sums(weights)
    result[2] = largest + np.log(total / size)
    result[3] = np.sqrt(max(size * squares / total**2 - 1.0, 0.0) / size)
    count = min(int(min(0.2 * size, 3.0 * np.sqrt(size))), size - 1)
    result[1] = smooth(weights, tail_of(logs, largest, count)) if found > count else np.nan
    total, squares, found = sums(weights)
    result[0] = total**2 / squares
    for s in range(size):
        weights[s] /= total


@compiled
def tail_size(order: np.ndarray, weights: np.ndarray, low: float, high: float) -> float:
    """Smallest effective size p (1 - p) / Σ w² (1[x <= q] - p)² of the weighted quantiles at `low` and `high` of any coordinate.

    `order` (k, draw) sorts each coordinate.
    """
    squares = sums(weights)[1]
    # in less memory: they are read in as many orders as there are coordinates
    small = weights.astype(np.float32)
    least = np.inf
    for i in range(order.shape[0]):
        for side in range(2):
            # the draws up to the lower quantile, or those beyond the upper one: either part of two has the same variance
            reached, inside, wanted = 0.0, 0.0, low if side == 0 else 1.0 - high
            for j in range(order.shape[1]):
                weight = float(small[order[i, j] if side == 0 else order[i, order.shape[1] - 1 - j]])
                if side == 1 and reached + weight > wanted:
                    break
                reached += weight
                inside += weight * weight
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
    """`weigh` for some `rows` of `tables` (table, at least draw) under one prior (draw,), into `results` (target, 5): the fifth is `tail_size`,
    looked at where the effective size is below `near`. The weights of each, times its share, are added to `pool` (draw,).

    With `states` (target, word), which may be none, also `resample` into `chosen` (target, draw).
    """
    weights = np.empty(prior.size)
    for t in range(rows.size):
        weigh(tables[rows[t]][: prior.size], prior, weights, results[t])
        results[t, 4] = tail_size(order, weights, tails[0], tails[1]) if results[t, 0] < near else np.inf
        for s in range(weights.size):
            pool[s] += shares[t] * weights[s]
        if states.shape[0] > 0:
            resample(weights, states[t], chosen[t])
