"""Whole arms drawn from the prior on a digitised curve, which leaves too little open for draws that do not know it (compiled).

A particle filter over the grid times draws cells as it goes, from what the curve's heights leave open.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uncounted, uniform
from retrial.tables.kernel.entries import NEVER
from retrial.tables.kernel.forward.patients import CENSORINGS, EVENTS, LAST, LEAVING, fill_rates, left_between
from retrial.tables.kernel.forward.pools import Pool, log_going, new_hazards, resample_pool
from retrial.tables.kernel.prior import piece_at
from retrial.tables.kernel.problem import PIECES, Problem

ROUNDED = 1e-6
"""Patients that rounding of products may miss."""
ENOUGH = 0.5
"""Effective share of a pool below which it is resampled."""


@uncounted
def drawn_count(log_factorial: np.ndarray, n: int, p: float, low: int, high: int, state: np.ndarray) -> tuple[int, float]:
    """A binomial number of n with probability p given that it is low, ..., high, and the probability of that (0: none is drawn)."""
    if p >= 1.0 or p <= 0.0:
        sure = n if p >= 1.0 else 0
        return sure, 1.0 if low <= sure <= high else 0.0
    odds, none = math.log(p) - math.log1p(-p), n * math.log1p(-p) + log_factorial[n]
    mass = 1.0
    if low > 0 or high < n:
        mass = 0.0
        for k in range(low, high + 1):
            mass += math.exp(none + k * odds - log_factorial[k] - log_factorial[n - k])
    u, k = uniform(state) * mass, low
    while k < high:
        u -= math.exp(none + k * odds - log_factorial[k] - log_factorial[n - k])
        if u < 0.0:
            break
        k += 1
    return k, mass


@uncounted
def events_on_curve(curve: np.ndarray, s: float, at_risk: int, most: int, inverse: np.ndarray) -> tuple[int, int]:
    """Least and most events at a printed height of the curve, of `most` who leave, that bring Ŝ from `s` to within its limits."""
    low = 0
    if s > curve[2]:
        low = max(int((1.0 - curve[2] / s) * at_risk) - 1, 0)
        while low <= most and s * (1.0 - low * inverse[at_risk]) > curve[2]:
            low += 1
    high = low - 1
    while high < most and not s * (1.0 - (high + 1) * inverse[at_risk]) < curve[1]:
        high += 1
    return low, high


@uncounted
def chances(rates: np.ndarray, time: int, high: int, edges: np.ndarray) -> tuple[float, float]:
    """Of a patient at risk who leaves by the grid time `high` (all do by the last): probability of an event at `time`, and of a censoring there
    when there is none.
    """
    rate, gone, last = rates[piece_at(edges, time)], 1.0, edges[-1] - 1
    if time < high:
        gone = -math.expm1(-rate[LEAVING])
        if high < last:
            gone /= -math.expm1(-left_between(rates, time, high + 1, edges))
    event = gone * rate[EVENTS] / (rate[EVENTS] + rate[LAST if time == last else CENSORINGS])
    if time == high or event >= 1.0:
        return event, 1.0
    return event, min((gone - event) / (1.0 - event), 1.0)


@uncounted
def left_on_curve(
    problem: Problem,
    limits: np.ndarray,
    s: float,
    left: int,
    going: int,
    censored: int,
    event: float,
    share: float,
    state: np.ndarray,
) -> tuple[int, int, float]:
    """Events and censorings at one time of those `left`, of whom `going` leave in its segment, within a row of `Problem.curve`; and the log
    probability of what is within.
    """
    log_factorial, inverse = problem.log_factorial, problem.inverse
    least, most = events_on_curve(limits, s, left, going, inverse)
    if least > most:
        return 0, 0, -np.inf
    d, mass = drawn_count(log_factorial, going, event, least, most, state)
    fewest, largest = 0, going - d
    if limits[4] >= 0.0:
        fewest = max(math.ceil(limits[4]) - censored, 0)
        largest = min(math.floor(min(limits[5], float(NEVER))) - censored, largest)
    if fewest > largest:
        return d, 0, -np.inf
    c, also = drawn_count(log_factorial, going - d, share, fewest, largest, state)
    return d, c, math.log(mass * also) if mass * also > 0.0 else -np.inf


@uncounted
def can_have(curve: np.ndarray, s: float, left: int, n_events: int, n_times: int) -> bool:
    """Whether so many events may still come among those left: none of them is too many, and more than left · (1 - Ŝ_end / Ŝ) would bring Ŝ below
    the curve's last limit, however few are censored (where the curve does not end before the grid does).
    """
    if n_events < 0 or n_events > left:
        return False
    last = curve.shape[0] - 1
    while last >= 0 and not curve[last, 0] < n_times:
        last -= 1
    if last < 0 or curve[last, 0] < n_times - 1 or not curve[last, 1] > 0.0:
        return True
    return n_events <= left * (1.0 - curve[last, 1] / s) + ROUNDED


@compiled
def arm_pool_on_curve(problem: Problem, first_r: np.ndarray, arm: int, n_events: int, n_pool: int, state: np.ndarray) -> Pool:
    """Draws of one arm with its printed numbers at risk and its curve: a particle filter over the grid times that draws from events and
    censorings within the limits only, each weighed by the probability of those (`log_mass` -inf where none is left). Those that can no longer
    have `n_events` in all (below 0: any) are let go: draws with few at risk keep to a curve more easily than others, and most would end there.
    """
    n_times, pieces, edges, curve = first_r.shape[1] - 1, problem.whole[0, PIECES], problem.edges, problem.curve[arm]
    number, hazards = new_hazards(problem, arm, n_pool, state)
    rates, logs, log_mass, fresh = np.empty((n_pool, pieces, 4)), np.zeros(n_pool), 0.0, True
    s, censored, left = np.ones(n_pool), np.zeros(n_pool, np.int64), np.full(n_pool, first_r[arm, 0])
    had = np.zeros(n_pool, np.int64)
    events, leaving = np.zeros((n_times, n_pool), np.int64), np.zeros((n_times, n_pool), np.int64)
    parent, row, reached, unlimited = np.zeros((n_times, n_pool), np.int64), 0, 0, np.full(curve.shape[1], np.nan)
    for time in range(n_times):
        low, high = problem.segment[arm, time, 0], problem.segment[arm, time, 1]
        printed = high < n_times - 1
        after = first_r[arm, high + 1] if printed else 0
        for i in range(n_pool if fresh else 0):
            fill_rates(hazards[i], arm, rates[i])
        for i in range(n_pool if printed and time == low else 0):
            logs[i] += log_going(rates[i], low, high, first_r[arm, low] - after, after, edges)
        reached = max(reached, piece_at(edges, high if printed else time) + 1)
        while row < curve.shape[0] and curve[row, 0] < time:
            row += 1
        limits = curve[row] if row < curve.shape[0] and curve[row, 0] == time else unlimited
        for i in range(n_pool):
            event, share = chances(rates[i], time, high, edges)
            d, c, log_weight = left_on_curve(problem, limits, s[i], left[i], left[i] - after, censored[i], event, share, state)
            s[i] *= 1.0 - d * problem.inverse[left[i]]
            events[time, i], leaving[time, i], parent[time, i] = d, d + c, i
            logs[i], left[i], censored[i], had[i] = logs[i] + log_weight, left[i] - d - c, censored[i] + c, had[i] + d
            if n_events >= 0 and not can_have(curve, s[i], left[i], n_events - had[i], n_times):
                logs[i] = -np.inf
        top = logs.max()
        if top == -np.inf:
            return Pool(events[:0], leaving[:0], hazards[:0, :, arm].copy(), np.zeros(0), -np.inf)
        weights = np.exp(logs - top)
        fresh = weights.sum() ** 2 < ENOUGH * n_pool * (weights**2).sum()
        if fresh and time < n_times - 1:
            log_mass += top + math.log(weights.mean())
            places = resample_pool(problem, arm, weights, reached, number, hazards, state)
            s, censored, left, had = s[places], censored[places], left[places], had[places]
            parent[time], logs = places, np.zeros(n_pool)
    weights = np.exp(logs - logs.max())
    log_mass += logs.max() + math.log(weights.mean())
    d, r = traced(events, leaving, parent)
    return Pool(d, r, hazards[:, :, arm].copy(), weights / weights.mean(), log_mass)


@compiled
def traced(events: np.ndarray, leaving: np.ndarray, parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, T) events and (P, T + 1) at risk of the last particles, from (T, P) events and leaving of each time and where each came from."""
    n_times, n_pool = events.shape
    d, r = np.zeros((n_pool, n_times), np.int64), np.zeros((n_pool, n_times + 1), np.int64)
    for i in range(n_pool):
        place = i
        for time in range(n_times - 1, -1, -1):
            if time < n_times - 1:
                place = parent[time, place]
            d[i, time], r[i, time] = events[time, place], r[i, time + 1] + leaving[time, place]
    return d, r
