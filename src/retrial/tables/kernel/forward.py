"""Patients drawn from the prior given their arm's hazards, within the numbers at risk: whole arms to start from, and a few patients of a table
anew (compiled).

Given the hazards patients are independent, so that a draw within what the numbers at risk leave open is exact, by inversion of the
piecewise exponential time to leaving. Hazards are drawn piece by piece; where a number at risk is printed, a particle filter weights
them by the binomial probability of those who left until then. Cells are drawn when all hazards are, so that no two tables are copies; but with
a curve they are drawn as the filter goes, from what its heights leave open.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change
from retrial.tables.kernel.moves import pick, write
from retrial.tables.kernel.prior import CENSORING, EVENT, LEAST_HAZARD, centre, piece_at
from retrial.tables.kernel.problem import PIECES, UNCENSORED, Problem

LEAVING, EVENTS, CENSORINGS, LAST = range(4)
"""Columns of `rates`: h + q; log-free weights of an event, of a censoring, of a censoring at the last time, among those at risk."""
ENOUGH = 0.5
"""Effective share of a pool below which it is resampled."""


@uncounted
def fill_rates(hazards: np.ndarray, a: int, rates: np.ndarray) -> None:
    """(P, 4) rates of one arm's pieces from log hazards (2, 2, P), see `LEAVING`."""
    for piece in range(rates.shape[0]):
        h, q = math.exp(hazards[EVENT, a, piece]), math.exp(hazards[CENSORING, a, piece])
        rates[piece, LEAVING], rates[piece, EVENTS] = h + q, -math.expm1(-h)
        rates[piece, CENSORINGS], rates[piece, LAST] = -math.exp(-h) * math.expm1(-q), math.exp(-h)


@inlined
def within(rate: float, length: int, u: float) -> int:
    """A number 0, ..., length - 1 with probability in proportion to exp(-rate k), by a number of [0, 1)."""
    return min(int(-math.log1p(u * math.expm1(-rate * length)) / rate), length - 1)


@uncounted
def drawn_time(
    rates: np.ndarray, kind: int, low: int, high: int, edges: np.ndarray, weights: np.ndarray, state: np.ndarray
) -> int:
    """Grid time low, ..., high of a patient who leaves there by one kind, in proportion to the prior's cells; -1 where they have no mass."""
    pieces, before, total, n_times = rates.shape[0], 0.0, 0.0, edges[-1]
    first = piece_at(edges, low)
    last_atom = kind == CENSORING and high == n_times - 1
    top = high - 1 if last_atom else high
    piece, start = first, low
    while piece < pieces and start <= top:
        stop = min(edges[piece + 1], top + 1)
        rate = rates[piece, LEAVING]
        gone = -math.expm1(-rate * (stop - start))
        weights[piece] = math.exp(-before) * rates[piece, EVENTS if kind == EVENT else CENSORINGS] * gone / -math.expm1(-rate)
        total += weights[piece]
        before += rate * (stop - start)
        piece, start = piece + 1, stop
    at_last = math.exp(-before) * rates[pieces - 1, LAST] if last_atom else 0.0
    if not total + at_last > 0.0:
        return -1
    u = uniform(state) * (total + at_last)
    piece, start = first, low
    while start <= top:
        stop = min(edges[piece + 1], top + 1)
        if u < weights[piece] or (stop > top and not last_atom):
            return start + within(rates[piece, LEAVING], stop - start, uniform(state))
        u -= weights[piece]
        piece, start = piece + 1, stop
    return high


@uncounted
def redraw(
    segment: np.ndarray,
    rates: np.ndarray,
    arms: Arms,
    a: int,
    count: int,
    edges: np.ndarray,
    weights: np.ndarray,
    state: np.ndarray,
    steps: np.ndarray,
) -> bool:
    """Draw so many of an arm's patients anew in place, each at a time that the prior gives those who leave as it did between the same
    printed numbers at risk: reversible against the prior. False where somebody cannot be drawn.
    """
    low, high = NEVER, -1
    for _ in range(count):
        kind, i = pick(arms, a, uniform(state))
        old = arms.t[a, i]
        new = drawn_time(rates, kind, segment[a, old, 0], segment[a, old, 1], edges, weights, state)
        if new < 0:
            return False
        if new != old:
            change(arms, a, kind, old, -1)
            change(arms, a, kind, new, 1)
            low, high = min(low, old, new), max(high, old, new)
    write(steps, 0, a, 0, low, 0, high)
    return high >= 0


@uncounted
def left_between(rates: np.ndarray, low: int, high: int, edges: np.ndarray) -> float:
    """Σ (h + q) over the grid times low, ..., high - 1."""
    total, start, piece = 0.0, low, piece_at(edges, low)
    while start < high:
        stop = min(edges[piece + 1], high)
        total += rates[piece, LEAVING] * (stop - start)
        piece, start = piece + 1, stop
    return total


@uncounted
def drawn_leaving(rates: np.ndarray, low: int, high: int, edges: np.ndarray, state: np.ndarray) -> tuple[int, int]:
    """Kind and time of a patient at risk at `low` who leaves by the grid time `high`."""
    start, u, n_times = low, uniform(state), edges[-1]
    if high < n_times - 1:
        left = -math.log1p(u * math.expm1(-left_between(rates, low, high + 1, edges)))
    else:
        left = -math.log(1.0 - u)
    piece, time = piece_at(edges, low), high
    while start <= high:
        stop = min(edges[piece + 1], high + 1)
        rate = rates[piece, LEAVING]
        if left < rate * (stop - start):
            time = min(start + int(left / rate), stop - 1)
            break
        left -= rate * (stop - start)
        piece, start = piece + 1, stop
    piece = piece_at(edges, time)
    other = rates[piece, LAST if time == n_times - 1 else CENSORINGS]
    return (EVENT if uniform(state) * (rates[piece, EVENTS] + other) < rates[piece, EVENTS] else CENSORING), time


@uncounted
def normal(state: np.ndarray) -> float:
    """A standard normal number (Box and Muller 1958, Annals of Mathematical Statistics 29:610)."""
    return math.sqrt(-2.0 * math.log(1.0 - uniform(state))) * math.cos(2.0 * math.pi * uniform(state))


@compiled
def draw_hazards(problem: Problem, number: np.ndarray, arm: int, piece: int, hazards: np.ndarray) -> None:
    """Log hazards of one arm on a piece, from the standard normal numbers (2, P) of all pieces up to it."""
    mean = centre(problem.times.size)
    for kind in range(2):
        total = mean
        for other in range(piece + 1):
            total += problem.roots[kind, piece, other] * number[kind, other]
        none = kind == CENSORING and piece < problem.whole[0, UNCENSORED]
        hazards[kind, arm, piece] = LEAST_HAZARD if none else max(total, LEAST_HAZARD)


class Pool(NamedTuple):
    """(P, T) events, (P, T + 1) at risk, (P, 2, pieces) log hazards and (P,) weights, 1 on average, of one arm's draws of the prior with what
    holds by construction, and the log of how probable that is.
    """

    d: np.ndarray
    r: np.ndarray
    hazards: np.ndarray
    weights: np.ndarray
    log_mass: float


@compiled
def new_hazards(problem: Problem, arm: int, n_pool: int, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2, pieces) standard normal numbers and (P, 2, 2, pieces) log hazards of one arm."""
    pieces = problem.whole[0, PIECES]
    number, hazards = np.empty((n_pool, 2, pieces)), np.empty((n_pool, 2, 2, pieces))
    for i in range(n_pool):
        for kind in range(2):
            for piece in range(pieces):
                number[i, kind, piece] = normal(state)
        for piece in range(pieces):
            draw_hazards(problem, number[i], arm, piece, hazards[i])
    return number, hazards


@uncounted
def log_going(rates: np.ndarray, low: int, high: int, going: int, staying: int, edges: np.ndarray) -> float:
    """Log probability that of those at risk at `low` just these leave by the grid time `high`, up to a binomial coefficient."""
    left = left_between(rates, low, high + 1, edges)
    return (going * math.log(-math.expm1(-left)) if going > 0 else 0.0) - staying * left


@compiled
def arm_pool(problem: Problem, first_r: np.ndarray, arm: int, n_pool: int, state: np.ndarray) -> Pool:
    """Draws of one arm with its printed numbers at risk, which `first_r` has."""
    n_times, pieces, edges = first_r.shape[1] - 1, problem.whole[0, PIECES], problem.edges
    number, hazards = new_hazards(problem, arm, n_pool, state)
    rates, weights, log_mass = np.empty((n_pool, pieces, 4)), np.empty(n_pool), 0.0
    low = 0
    while low < n_times:
        high = problem.segment[arm, low, 1]
        for i in range(n_pool):
            fill_rates(hazards[i], arm, rates[i])
        if high < n_times - 1:
            staying, going = first_r[arm, high + 1], first_r[arm, low] - first_r[arm, high + 1]
            for i in range(n_pool):
                weights[i] = log_going(rates[i], low, high, going, staying, edges)
            largest = weights.max()
            weights = np.exp(weights - largest)
            log_mass += largest + math.log(weights.mean())
            reached = piece_at(edges, high) + 1  # pieces that the data have spoken of
            resample_pool(problem, arm, weights, reached, number, hazards, state)
        low = high + 1
    d, r = np.zeros((n_pool, n_times), np.int64), np.zeros((n_pool, n_times + 1), np.int64)
    for i in range(n_pool):
        fill_rates(hazards[i], arm, rates[i])
        low = 0
        while low < n_times:
            high = problem.segment[arm, low, 1]
            after = first_r[arm, high + 1] if high < n_times - 1 else 0
            for _ in range(first_r[arm, low] - after):
                kind, time = drawn_leaving(rates[i], low, high, edges, state)
                d[i, time] += kind
                r[i, time] += 1
            low = high + 1
        for time in range(n_times - 1, -1, -1):
            r[i, time] += r[i, time + 1]
    return Pool(d, r, hazards[:, :, arm].copy(), np.ones(n_pool), log_mass)


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


@compiled
def arm_pool_on_curve(problem: Problem, first_r: np.ndarray, arm: int, n_pool: int, state: np.ndarray) -> Pool:
    """Draws of one arm with its printed numbers at risk and its curve: a particle filter over the grid times that draws from events and
    censorings within the limits only, each weighed by the probability of those (`log_mass` -inf where none is left).
    """
    n_times, pieces, edges, curve = first_r.shape[1] - 1, problem.whole[0, PIECES], problem.edges, problem.curve[arm]
    number, hazards = new_hazards(problem, arm, n_pool, state)
    rates, logs, log_mass, fresh = np.empty((n_pool, pieces, 4)), np.zeros(n_pool), 0.0, True
    s, censored, left = np.ones(n_pool), np.zeros(n_pool, np.int64), np.full(n_pool, first_r[arm, 0])
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
            logs[i], left[i], censored[i] = logs[i] + log_weight, left[i] - d - c, censored[i] + c
        top = logs.max()
        if top == -np.inf:
            return Pool(events[:0], leaving[:0], hazards[:0, :, arm].copy(), np.zeros(0), -np.inf)
        weights = np.exp(logs - top)
        fresh = weights.sum() ** 2 < ENOUGH * n_pool * (weights**2).sum()
        if fresh and time < n_times - 1:
            log_mass += top + math.log(weights.mean())
            places = resample_pool(problem, arm, weights, reached, number, hazards, state)
            s, censored, left, parent[time], logs = s[places], censored[places], left[places], places, np.zeros(n_pool)
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


@compiled
def resample_pool(
    problem: Problem, arm: int, weights: np.ndarray, reached: int, number: np.ndarray, hazards: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """Systematic resampling in place; later pieces than the first `reached` are drawn anew, which are not yet asked for. Returns (P,) parents."""
    n_pool, edges = weights.size, np.cumsum(weights)
    places = np.minimum(np.searchsorted(edges, (np.arange(n_pool) + uniform(state)) * edges[-1] / n_pool), n_pool - 1)
    number[:], hazards[:] = number[places], hazards[places]
    for i in range(n_pool):
        for piece in range(reached, number.shape[2]):
            for kind in range(2):
                number[i, kind, piece] = normal(state)
            draw_hazards(problem, number[i], arm, piece, hazards[i])
    return places
