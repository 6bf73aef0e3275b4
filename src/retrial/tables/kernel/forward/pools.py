"""Whole arms drawn from the prior with their printed numbers at risk and events: what a sampler starts from (compiled).

Hazards are drawn piece by piece; where a number at risk is printed, a particle filter weights them by the binomial probability of those who left
until then, and in the end, where the number of events is printed, by the probability of that. Cells are drawn when all hazards are, so that no
two tables are copies.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted, uniform
from retrial.tables.kernel.forward.patients import drawn_leaving, fill_rates, left_between, masses, time_within
from retrial.tables.kernel.prior import CENSORING, EVENT, LEAST_HAZARD, centre, piece_at
from retrial.tables.kernel.problem import PIECES, UNCENSORED, Problem

LEAST_SHARE, LEAST_VARIANCE = 1e-15, 0.25
"""Bounds of the probability that who leaves does so by an event, and of the variance of the events that later strata have: where it is less, the
normal density is no guide.
"""
STEPS, LARGEST = 8, 2.0
"""Steps by which the factor of the odds is found, and the largest: any factor will do, a better one makes weights more alike."""
SDS = 8.0
"""Standard deviations of a stratum's number of events beyond which it is not drawn: less than one in 10^15."""


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


@uncounted
def fill_strata(
    rates: np.ndarray, segment: np.ndarray, first_r: np.ndarray, edges: np.ndarray, room: np.ndarray, strata: np.ndarray
) -> int:
    """What an arm's numbers at risk `first_r` (T + 1,) leave open, into `strata` (S, 3): first grid time, patients who leave, and the probability
    that one of those does by an event; returns S. `room` (P + 1,).
    """
    low, k, n_times = 0, 0, edges[-1]
    while low < n_times:
        high = segment[low, 1]
        going = first_r[low] - (first_r[high + 1] if high < n_times - 1 else 0)
        event, censoring = masses(rates, EVENT, low, high, edges, room), masses(rates, CENSORING, low, high, edges, room)
        p = event / (event + censoring) if event + censoring > 0.0 else 0.5
        strata[k, 0], strata[k, 1], strata[k, 2] = low, going, min(max(p, LEAST_SHARE), 1.0 - LEAST_SHARE)
        low, k = high + 1, k + 1
    return k


@inlined
def tilted(p: float, log_factor: float) -> float:
    """The probability whose odds are those of p times a factor, off 0 and 1."""
    found = p / (p + (1.0 - p) * math.exp(-log_factor))
    return min(max(found, LEAST_SHARE), 1.0 - LEAST_SHARE)


@uncounted
def centring(strata: np.ndarray, n_strata: int, n_events: int) -> float:
    """About the log of the factor of the odds under which strata expect `n_events` in all, by Newton's method in `STEPS` of at most `LARGEST`."""
    log_factor = 0.0
    for _ in range(STEPS):
        mean, slope = -1.0 * n_events, LEAST_VARIANCE
        for k in range(n_strata):
            p = tilted(strata[k, 2], log_factor)
            mean += strata[k, 1] * p
            slope += strata[k, 1] * p * (1.0 - p)
        log_factor -= min(max(mean / slope, -LARGEST), LARGEST)
    return log_factor


@uncounted
def log_term(log_factorial: np.ndarray, n: int, p: float, e: int, left: int, mean: float, variance: float) -> float:
    """Log of a binomial probability of e events among n, times the normal density (up to its constant; 1 where the variance is 0) of what that
    leaves of `left` to others.
    """
    binomial = log_factorial[n] - log_factorial[e] - log_factorial[n - e] + e * math.log(p) + (n - e) * math.log1p(-p)
    return binomial - (0.5 * (left - e - mean) ** 2 / variance if variance > 0.0 else 0.0)


@uncounted
def drawn_events(
    log_factorial: np.ndarray, strata: np.ndarray, n_strata: int, n_events: int, events: np.ndarray, state: np.ndarray
) -> float:
    """Draw how many of each stratum's patients leave by an event, `n_events` in all, into `events` (S,); returns the log weight of the draw, whose
    mean is the log probability of that total.

    Sequential importance sampling: binomial numbers, each weighed by the normal density of what it leaves to the later strata. Odds are first
    multiplied by one factor so that the total is expected, which given the total changes nothing but a constant.
    """
    log_factor = centring(strata, n_strata, n_events)
    left, mean, spread, log_weight, later = n_events, 0.0, 0.0, -n_events * log_factor, 0
    for k in range(n_strata):
        p = tilted(strata[k, 2], log_factor)
        log_weight += strata[k, 1] * (math.log1p(-strata[k, 2]) - math.log1p(-p))
        mean += strata[k, 1] * p
        spread += strata[k, 1] * p * (1.0 - p)
        later += int(strata[k, 1])
    for k in range(n_strata):
        n, p = int(strata[k, 1]), tilted(strata[k, 2], log_factor)
        own, later = n * p * (1.0 - p), later - n
        mean, spread = mean - n * p, spread - own
        variance = max(spread, LEAST_VARIANCE) if k < n_strata - 1 else 0.0
        low, high = max(0, left - later), min(n, left)
        if low > high:
            return -np.inf
        if variance > 0.0:  # where the product of the binomial and the normal is more than nothing
            middle = n * p + (left - mean - n * p) * own / (own + variance)
            reach = SDS * math.sqrt(own * variance / (own + variance) + 1.0)
            nearest = min(max(int(middle), low), high)
            low, high = max(low, min(int(middle - reach), nearest)), min(high, max(int(middle + reach) + 1, nearest))
        top, total = -np.inf, 0.0
        for e in range(low, high + 1):
            top = max(top, log_term(log_factorial, n, p, e, left, mean, variance))
        for e in range(low, high + 1):
            total += math.exp(log_term(log_factorial, n, p, e, left, mean, variance) - top)
        u, e = uniform(state) * total, low
        while e < high:
            u -= math.exp(log_term(log_factorial, n, p, e, left, mean, variance) - top)
            if u < 0.0:
                break
            e += 1
        log_weight += top + math.log(total)
        if variance > 0.0:
            log_weight += 0.5 * (left - e - mean) ** 2 / variance
        events[k], left = e, left - e
    return log_weight


@uncounted
def draw_patients(
    rates: np.ndarray,
    strata: np.ndarray,
    n_strata: int,
    events: np.ndarray,
    known: bool,
    segment: np.ndarray,
    edges: np.ndarray,
    room: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    state: np.ndarray,
) -> None:
    """One arm's table, (T,) events and (T + 1,) at risk, both 0 before: of every stratum as many events as `events` says, where these are `known`."""
    for k in range(n_strata):
        low, going = int(strata[k, 0]), int(strata[k, 1])
        high = segment[low, 1]
        if known:
            for kind in range(2):
                count = events[k] if kind == EVENT else going - events[k]
                total = masses(rates, kind, low, high, edges, room) if count > 0 else 0.0
                for _ in range(count):
                    time = time_within(rates, kind, low, high, edges, room, total, state)
                    d[time] += kind
                    r[time] += 1
        else:
            for _ in range(going):
                kind, time = drawn_leaving(rates, low, high, edges, state)
                d[time] += kind
                r[time] += 1
    for time in range(d.size - 1, -1, -1):
        r[time] += r[time + 1]


@compiled
def arm_pool(
    problem: Problem, first_r: np.ndarray, arm: int, n_events: int, n_hazards: int, n_pool: int, state: np.ndarray
) -> Pool:
    """`n_pool` tables of one arm with its printed numbers at risk, which `first_r` has, and `n_events` (below 0: any), from `n_hazards` draws of
    its hazards (as many as tables, where events are not asked for).
    """
    n_times, pieces, edges, segment = first_r.shape[1] - 1, problem.whole[0, PIECES], problem.edges, problem.segment[arm]
    n_hazards = n_hazards if n_events >= 0 else n_pool
    number, hazards = new_hazards(problem, arm, n_hazards, state)
    rates, weights, log_mass, low, n_strata = np.empty((n_hazards, pieces, 4)), np.empty(n_hazards), 0.0, 0, 0
    while low < n_times:
        high, n_strata = segment[low, 1], n_strata + 1
        for i in range(n_hazards):
            fill_rates(hazards[i], arm, rates[i])
        if high < n_times - 1:
            staying, going = first_r[arm, high + 1], first_r[arm, low] - first_r[arm, high + 1]
            for i in range(n_hazards):
                weights[i] = log_going(rates[i], low, high, going, staying, edges)
            largest = weights.max()
            weights = np.exp(weights - largest)
            log_mass += largest + math.log(weights.mean())
            reached = piece_at(edges, high) + 1  # pieces that the data have spoken of
            resample_pool(problem, arm, weights, reached, number, hazards, state)
        low = high + 1
    strata, events, room = np.empty((n_strata, 3)), np.zeros((n_hazards, n_strata), np.int64), np.empty(pieces + 1)
    places = np.arange(n_pool)
    for i in range(n_hazards):
        fill_rates(hazards[i], arm, rates[i])
        if n_events >= 0:
            fill_strata(rates[i], segment, first_r[arm], edges, room, strata)
            weights[i] = drawn_events(problem.log_factorial, strata, n_strata, n_events, events[i], state)
    if n_events >= 0:
        largest = weights.max()
        weights = np.exp(weights - largest)
        log_mass += largest + math.log(weights.mean())
        places = systematic(weights, n_pool, state)
    d, r = np.zeros((n_pool, n_times), np.int64), np.zeros((n_pool, n_times + 1), np.int64)
    for i in range(n_pool):
        k = places[i]
        fill_strata(rates[k], segment, first_r[arm], edges, room, strata)
        draw_patients(rates[k], strata, n_strata, events[k], n_events >= 0, segment, edges, room, d[i], r[i], state)
    return Pool(d, r, hazards[:, :, arm][places], np.ones(n_pool), log_mass)


@compiled
def systematic(weights: np.ndarray, n_drawn: int, state: np.ndarray) -> np.ndarray:
    """(n_drawn,) places drawn in proportion to weights, systematically."""
    edges = np.cumsum(weights)
    return np.minimum(np.searchsorted(edges, (np.arange(n_drawn) + uniform(state)) * edges[-1] / n_drawn), weights.size - 1)


@compiled
def resample_pool(
    problem: Problem, arm: int, weights: np.ndarray, reached: int, number: np.ndarray, hazards: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """Systematic resampling in place; later pieces than the first `reached` are drawn anew, which are not yet asked for. Returns (P,) parents."""
    n_pool = weights.size
    places = systematic(weights, n_pool, state)
    number[:], hazards[:] = number[places], hazards[places]
    for i in range(n_pool):
        for piece in range(reached, number.shape[2]):
            for kind in range(2):
                number[i, kind, piece] = normal(state)
            draw_hazards(problem, number[i], arm, piece, hazards[i])
    return places
