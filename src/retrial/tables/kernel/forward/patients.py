"""Patients drawn from the prior given their arm's hazards, one by one (compiled).

Given the hazards patients are independent, so that a draw within what the numbers at risk leave open is exact, by inversion of the
piecewise exponential time to leaving.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import inlined, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change
from retrial.tables.kernel.moves import pick, write
from retrial.tables.kernel.prior import CENSORING, EVENT, piece_at

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
def masses(rates: np.ndarray, kind: int, low: int, high: int, edges: np.ndarray, room: np.ndarray) -> float:
    """Probability of a patient at risk at the grid time `low` to leave by one kind on each piece within low, ..., high, into `room` (P + 1,), last
    that of a censoring at the grid's last time; returns their sum.
    """
    pieces, before, total, n_times = rates.shape[0], 0.0, 0.0, edges[-1]
    last_atom = kind == CENSORING and high == n_times - 1
    top, start = high - 1 if last_atom else high, low
    for piece in range(pieces):
        room[piece], stop = 0.0, min(edges[piece + 1], top + 1)
        if start < stop:
            rate = rates[piece, LEAVING]
            gone = -math.expm1(-rate * (stop - start))
            room[piece] = math.exp(-before) * rates[piece, EVENTS if kind == EVENT else CENSORINGS] * gone / -math.expm1(-rate)
            before += rate * (stop - start)
            start = stop
        total += room[piece]
    room[pieces] = math.exp(-before) * rates[pieces - 1, LAST] if last_atom else 0.0
    return float(total + room[pieces])


@uncounted
def drawn_time(rates: np.ndarray, kind: int, low: int, high: int, edges: np.ndarray, room: np.ndarray, state: np.ndarray) -> int:
    """Grid time low, ..., high of a patient who leaves there by one kind, in proportion to the prior's cells; -1 where they have no mass. `room`
    (P + 1,).
    """
    total = masses(rates, kind, low, high, edges, room)
    return time_within(rates, kind, low, high, edges, room, total, state) if total > 0.0 else -1


@uncounted
def time_within(
    rates: np.ndarray, kind: int, low: int, high: int, edges: np.ndarray, room: np.ndarray, total: float, state: np.ndarray
) -> int:
    """A time as of `drawn_time`, from its `masses` and their sum."""
    pieces, u = rates.shape[0], uniform(state) * total
    for piece in range(pieces):
        if u < room[piece]:
            start, stop = max(edges[piece], low), min(edges[piece + 1], high + 1)
            if kind == CENSORING and high == edges[-1] - 1:
                stop = min(stop, high)
            return start + within(rates[piece, LEAVING], stop - start, uniform(state))
        u -= room[piece]
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
