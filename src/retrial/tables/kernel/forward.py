"""Patients drawn from the prior given their arm's hazards, within the numbers at risk: whole arms to start from, and a few patients of a table
anew (compiled).

Given the hazards patients are independent, so that a draw within what the numbers at risk leave open is exact, by inversion of the
piecewise exponential time to leaving. Hazards are drawn piece by piece; where a number at risk is printed, a particle filter weights
them by the binomial probability of those who left until then. Cells are drawn when all hazards are, so that no two tables are copies.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change
from retrial.tables.kernel.moves import pick, write
from retrial.tables.kernel.prior import CENSORING, EVENT, LEAST_HAZARD, centre, piece_at
from retrial.tables.kernel.problem import PIECES, UNCENSORED, Problem

LEAVING, EVENTS, CENSORINGS, LAST = range(4)
"""Columns of `rates`: h + q; log-free weights of an event, of a censoring, of a censoring at the last time, among those at risk."""


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


@compiled
def arm_pool(
    problem: Problem, first_r: np.ndarray, arm: int, n_pool: int, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P, T) events, (P, T + 1) at risk and (P, 2, pieces) log hazards of one arm with its printed numbers at risk, which `first_r` has."""
    n_times, pieces, edges = first_r.shape[1] - 1, problem.whole[0, PIECES], problem.edges
    number, hazards = np.empty((n_pool, 2, pieces)), np.empty((n_pool, 2, 2, pieces))
    for i in range(n_pool):
        for kind in range(2):
            for piece in range(pieces):
                number[i, kind, piece] = normal(state)
        for piece in range(pieces):
            draw_hazards(problem, number[i], arm, piece, hazards[i])
    rates, weights = np.empty((n_pool, pieces, 4)), np.empty(n_pool)
    low = 0
    while low < n_times:
        high = problem.segment[arm, low, 1]
        for i in range(n_pool):
            fill_rates(hazards[i], arm, rates[i])
        if high < n_times - 1:
            staying, going = first_r[arm, high + 1], first_r[arm, low] - first_r[arm, high + 1]
            for i in range(n_pool):
                left = left_between(rates[i], low, high + 1, edges)
                weights[i] = (going * math.log(-math.expm1(-left)) if going > 0 else 0.0) - staying * left
            weights = np.exp(weights - weights.max())
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
    return d, r, hazards[:, :, arm].copy()


@compiled
def resample_pool(
    problem: Problem, arm: int, weights: np.ndarray, reached: int, number: np.ndarray, hazards: np.ndarray, state: np.ndarray
) -> None:
    """Systematic resampling in place; later pieces than the first `reached` are drawn anew, which are not yet asked for."""
    n_pool, edges = weights.size, np.cumsum(weights)
    places = np.minimum(np.searchsorted(edges, (np.arange(n_pool) + uniform(state)) * edges[-1] / n_pool), n_pool - 1)
    number[:], hazards[:] = number[places], hazards[places]
    for i in range(n_pool):
        for piece in range(reached, number.shape[2]):
            for kind in range(2):
                number[i, kind, piece] = normal(state)
            draw_hazards(problem, number[i], arm, piece, hazards[i])
