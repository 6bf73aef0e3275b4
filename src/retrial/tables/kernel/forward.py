"""Tables of the prior with the printed structure, drawn forward in time instead of by a walk (compiled).

A walk at temperature 0 forgets its start slowly: hazards are integrated out, so that patients of an arm keep together, and under
unknown means one independent table takes some 10^5 proposals. Forward in time a table is easy: levels of a piece given those of the
piece before, then BetaBin events and censorings of each time given the patients at risk. Every arm has a pool of such tables. Where
a number at risk is printed, those that meet it are kept and copied (a particle filter: exact as the pool grows). Arms are then
joined: their events must be the printed ones, or add to the printed total, and somebody must leave at the printed extremes.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted, uniform
from retrial.tables.kernel.prior import CENSORING, EVENT, piece_of
from retrial.tables.kernel.problem import (
    EVENT_MODE,
    EVENTS_CONTROL,
    EVENTS_EXPERIMENTAL,
    EVENTS_PER_ARM,
    EVENTS_TOTAL,
    FIRST_HELD,
    LAST_HELD,
    PIECES,
    Problem,
)
from retrial.tables.kernel.resampling import drawn_places

POOL, ARM_POOL = 20, 6
"""Tables of an arm's pool per particle asked for, where pairs must have the printed events (one of forty patients' tables in forty has
them), and where they need not yet."""
MOST_TILT, TILT_BISECTIONS = 20.0, 40
"""Largest tilt against a wrong number of events: with it none is left."""
TRIES = 500
"""Pairs of arms drawn for a particle until the printed extremes hold; after that the prior hardly allows them, and a walk must do."""


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


@inlined
def draw_index(n: int, state: np.ndarray) -> int:
    """A whole number from 0 to n - 1, each equally likely."""
    return min(int(uniform(state) * n), n - 1)


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


@compiled
def by_events(d: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Tables of a pool in the order of their events, and (n + 2,) where those with 0, 1, ... events start."""
    events = d.sum(axis=1)
    starts = np.zeros(n + 2, np.int64)
    for value in events:
        starts[value + 1] += 1
    return np.argsort(events), np.cumsum(starts)


@compiled
def joint_weights(mode: int, printed: np.ndarray, starts: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n_control + 1,) pairs of the two pools by the control arm's events, cumulated; `printed` events of control, experimental."""
    weights = np.zeros(starts.size - 1)
    for e in range(weights.size):
        if mode in (EVENTS_PER_ARM, EVENTS_CONTROL) and e != printed[0]:
            continue
        weights[e] = starts[e + 1] - starts[e]
        if mode == EVENTS_TOTAL:
            rest = printed.sum() - e
            weights[e] *= other[rest + 1] - other[rest] if 0 <= rest < other.size - 1 else 0
    return np.cumsum(weights)


@inlined
def table_ends_held(whole: np.ndarray, r: np.ndarray) -> bool:
    """Whether somebody of each group leaves by its printed shortest time, and somebody stays until its longest."""
    return row_ends_held(whole, r, 0) and row_ends_held(whole, r, 1) and row_ends_held(whole, r, 2)


@inlined
def row_ends_held(whole: np.ndarray, r: np.ndarray, g: int) -> bool:
    """The same of one group."""
    first, last = whole[FIRST_HELD + g], whole[LAST_HELD + g]
    return (first < 0 or r[g, first + 1] < r[g, 0]) and (last < 0 or r[g, last] > 0)


@compiled
def draw_forward(
    problem: Problem,
    first_d: np.ndarray,
    first_r: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    levels: np.ndarray,
    state: np.ndarray,
) -> bool:
    """Fill (N, 3, T) events, (N, 3, T + 1) at risk and (N, 2, 2, pieces) levels; False, with nothing of use in them, where the pools
    hold no table with the structure of the first one.
    """
    n, mode = d.shape[0], problem.whole[0, EVENT_MODE]
    d0, r0, levels0, found0 = arm_pool(problem, first_r, 0, POOL * n, state)
    d1, r1, levels1, found1 = arm_pool(problem, first_r, 1, POOL * n, state)
    if not (found0 and found1):
        return False
    printed = first_d[:2].sum(axis=1)
    order0, starts0 = by_events(d0, first_r[0, 0])
    order1, starts1 = by_events(d1, first_r[1, 0])
    weights = joint_weights(mode, printed, starts0, starts1)
    only = mode in (EVENTS_PER_ARM, EVENTS_EXPERIMENTAL)
    if weights[-1] == 0.0 or (only and starts1[printed[1] + 1] == starts1[printed[1]]):
        return False
    at_risk = np.empty_like(first_r)
    for i in range(n):
        for attempt in range(TRIES + 1):
            if attempt == TRIES:
                return False
            e0 = np.searchsorted(weights, uniform(state) * weights[-1], side="right")
            e1 = printed.sum() - e0 if mode == EVENTS_TOTAL else printed[1]
            a = order0[starts0[e0] + draw_index(starts0[e0 + 1] - starts0[e0], state)]
            if only or mode == EVENTS_TOTAL:
                b = order1[starts1[e1] + draw_index(starts1[e1 + 1] - starts1[e1], state)]
            else:
                b = draw_index(order1.size, state)
            at_risk[0], at_risk[1], at_risk[2] = r0[a], r1[b], r0[a] + r1[b]
            if table_ends_held(problem.whole[0], at_risk):
                break
        d[i, 0], d[i, 1], d[i, 2] = d0[a], d1[b], d0[a] + d1[b]
        r[i] = at_risk
        levels[i, :, 0], levels[i, :, 1] = levels0[a], levels1[b]
    return True


@inlined
def events_printed(mode: int, arm: int) -> bool:
    """Whether the number of an arm's own events is printed."""
    return mode == EVENTS_PER_ARM or mode == (EVENTS_CONTROL if arm == 0 else EVENTS_EXPERIMENTAL)


@compiled
def strength(miss: np.ndarray, weights: np.ndarray, n: int) -> float:
    """The tilt against every event too many or too few with which tables of a pool are worth n independent ones (bisection)."""
    low, high = 0.0, MOST_TILT
    for _ in range(TILT_BISECTIONS):
        middle = 0.5 * (low + high)
        tilted = weights * np.exp(-middle * (miss - miss.min()))
        if tilted.sum() ** 2 / (tilted * tilted).sum() > n:
            low = middle
        else:
            high = middle
    return low


@compiled
def draw_arm(
    problem: Problem,
    first_d: np.ndarray,
    first_r: np.ndarray,
    arm: int,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    tilt: np.ndarray,
    state: np.ndarray,
) -> bool:
    """Fill one arm of N particles' entries (N, 2, M) and levels (N, 2, 2, pieces) from a pool of tables with its printed events and numbers at
    risk, and choose its `tilt`; False, with nothing of use in them, where the pool holds none.
    """
    n, n_times, mode = t.shape[0], first_d.shape[1], problem.whole[0, EVENT_MODE]
    pool_d, pool_r, pool_levels, found = arm_pool(problem, first_r, arm, ARM_POOL * n, state)
    if not found:
        return False
    kept = np.arange(pool_d.shape[0])
    first, last = problem.whole[0, FIRST_HELD + arm], problem.whole[0, LAST_HELD + arm]
    if first >= 0:
        kept = kept[pool_r[kept, first + 1] < first_r[arm, 0]]
    if last >= 0:
        kept = kept[pool_r[kept, last] > 0]
    if kept.size == 0:
        return False
    weights = np.ones(kept.size)
    for end in range(2):
        place = problem.whole[0, 2 + (FIRST_HELD if end == 0 else LAST_HELD)]
        if place < 0:
            continue
        has = pool_r[kept, place + 1] < first_r[arm, 0] if end == 0 else pool_r[kept, place] > 0
        share = min(max(has.mean(), 0.5 / kept.size), 0.5)
        tilt[arm, end] = math.log((1.0 - share) / share)
        weights *= np.where(has, math.exp(tilt[arm, end]), 1.0)
    if events_printed(mode, arm):
        tilt[arm, 5] = first_d[arm].sum()
        miss = np.abs(pool_d[kept].sum(axis=1) - tilt[arm, 5])
        tilt[arm, 4] = strength(miss, weights, n)
        weights *= np.exp(-tilt[arm, 4] * miss)
    places = drawn_places(weights, n, state)
    for i in range(n):
        p = kept[places[i]]
        k = 0
        for time in range(n_times):
            leaving = pool_r[p, time] - pool_r[p, time + 1]
            if leaving > 0:
                t[i, arm, k], d[i, arm, k], c[i, arm, k] = time, pool_d[p, time], leaving - pool_d[p, time]
                k += 1
        m[i, arm], levels[i, :, arm] = k, pool_levels[p]
    return True
