"""One arm's tables of the prior with its printed numbers at risk, drawn forward in time instead of by a walk (compiled).

A walk at temperature 0 forgets its start slowly: hazards are integrated out, so that patients of an arm keep together, and under
unknown means one independent table takes some 10^5 proposals. Forward in time a table is easy: levels of a piece given those of the
piece before, then BetaBin events and censorings of each time given the patients at risk. Where a number at risk is printed, tables
of the pool that meet it are kept and copied (a particle filter: exact as the pool grows).
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uncounted, uniform
from retrial.tables.kernel.prior import CENSORING, EVENT, piece_of
from retrial.tables.kernel.problem import PIECES, Problem


@uncounted
def beta_binomial(factors: np.ndarray, row: int, m: int, state: np.ndarray) -> int:
    """A draw of BetaBin(m, a, b) by inversion, from its factors' rows `row` to `row` + 2 (`prior.prior_factors`)."""
    left, k, base = uniform(state), 0, factors[row + 2, m]
    probability = math.exp(factors[row, 0] + factors[row + 1, m] + base)
    while left >= probability and k < m:
        left -= probability
        k += 1
        probability = math.exp(factors[row, k] + factors[row + 1, m - k] + base)
    return k


@uncounted
def next_level(steps: np.ndarray, kind: int, before: int, state: np.ndarray) -> int:
    """The level after `before` by the walk, uniform where `before` is -1."""
    n_levels = steps.shape[1]
    left = uniform(state)
    if before < 0:
        return min(int(left * n_levels), n_levels - 1)
    for level in range(n_levels - 1):
        left -= math.exp(steps[kind, before, level])
        if left < 0.0:
            return level
    return n_levels - 1


@compiled
def arm_pool(
    problem: Problem, first_r: np.ndarray, arm: int, n_pool: int, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """(P, T) events, (P, T + 1) at risk and (P, 2, pieces) levels of one arm with its printed numbers at risk, which `first_r` has;
    False where no table of the pool meets them.
    """
    n_times, pieces = first_r.shape[1] - 1, problem.whole[0, PIECES]
    d, r = np.zeros((n_pool, n_times), np.int64), np.zeros((n_pool, n_times + 1), np.int64)
    levels = np.zeros((n_pool, 2, pieces), np.int64)
    r[:, 0] = first_r[arm, 0]
    for t in range(n_times):
        piece = piece_of(t, n_times, pieces)
        entered = t == 0 or piece_of(t - 1, n_times, pieces) != piece
        for i in range(n_pool):
            if entered:
                for kind in range(2):
                    levels[i, kind, piece] = next_level(
                        problem.steps, kind, levels[i, kind, piece - 1] if piece > 0 else -1, state
                    )
            d[i, t] = beta_binomial(problem.prior[levels[i, EVENT, piece]], 0, r[i, t], state)
            if t < n_times - 1:
                staying = r[i, t] - d[i, t]
                r[i, t + 1] = staying - beta_binomial(problem.prior[levels[i, CENSORING, piece]], 3, staying, state)
        if t < n_times - 1 and problem.segment[arm, t + 1, 0] == t + 1:
            kept = np.flatnonzero(r[:, t + 1] == first_r[arm, t + 1])
            if kept.size == 0:
                return d, r, levels, False
            parents = kept[(np.arange(n_pool) * kept.size) // n_pool]
            d, r, levels = d[parents], r[parents], levels[parents]
    return d, r, levels, True
