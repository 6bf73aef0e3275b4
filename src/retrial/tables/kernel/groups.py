"""Integer moves of many patients at once on one arm of a life table, in the form of entries (compiled): stretches of time that change places,
and several patients from one stretch to the next. Single patients move whole curves by diffusion only.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import inlined, next_bits, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change, copy_arm, position
from retrial.tables.kernel.moves import TRIES, length_of, write

ROTATED = 0.3
"""Share of the proposals in which two stretches of time change places, see `rotate`."""
EXCHANGED, PER_EXCHANGED = 0.25, 20
"""Share of the proposals that take several patients over at once, see `exchange`: one, and up to one more per so many of the arm."""
EVENTS_ALONE, CENSORINGS_ALONE = 1, 2
"""Whose stretches change places (0: everybody's)."""


@uncounted
def rotate(segment: np.ndarray, arms: Arms, a: int, state: np.ndarray, new: Arms, steps: np.ndarray) -> int:
    """Put into row `a` of `new` an arm in which two neighbouring stretches of time have changed places, for events, for censorings or
    for both; returns its number of entries, -1 where the draw is no move.

    Every such exchange of lengths (x, y) is undone by that of (y, x) at the same place, which is as likely: the proposal is symmetrical.
    It moves many patients by a little and so whole curves, which single patients only do by diffusion.
    """
    n_times, start, room = segment.shape[1], 0, 1
    for _ in range(TRIES):
        start = min(int(uniform(state) * n_times), n_times - 1)
        room = segment[a, start, 1] - start + 1
        if room > 1:
            break
    if room < 2:
        return -1
    first, second = length_of(room - 1, uniform(state)), length_of(room - 1, uniform(state))
    stop, track = start + first + second, int(uniform(state) * 3)
    if first + second > room:
        return -1
    write(steps, 0, a, 0, start, 0, stop - 1)
    i, middle, end = position(arms, a, start), position(arms, a, start + first), position(arms, a, stop)
    if i == end:
        return -1
    for k in range(i):
        new.t[a, k], new.d[a, k], new.c[a, k] = arms.t[a, k], arms.d[a, k], arms.c[a, k]
    k = turn(arms, new, a, (i, middle, end), (first, second), track)
    for j in range(end, arms.m[a]):
        new.t[a, k], new.d[a, k], new.c[a, k] = arms.t[a, j], arms.d[a, j], arms.c[a, j]
        k += 1
    return k


@uncounted
def turn(arms: Arms, new: Arms, a: int, places: tuple[int, int, int], lengths: tuple[int, int], track: int) -> int:
    """The part of `rotate` that changes: entries i, ..., middle - 1 and middle, ..., end - 1 change places. Returns where it ends in `new`."""
    t, d, c, t2, d2, c2 = arms.t, arms.d, arms.c, new.t, new.d, new.c
    (i, middle, end), (first, second) = places, lengths
    # the order of a turned track: entries middle, ..., end - 1, then i, ..., middle - 1
    later, width, k, e, x = end - middle, end - i, i, 0, 0
    while e < width or x < width:
        ie, ix = middle + e if e < later else e - later + i, middle + x if x < later else x - later + i
        if track == EVENTS_ALONE:
            ix = i + x
        elif track == CENSORINGS_ALONE:
            ie = i + e
        if arms.slots:
            t2[a, k], d2[a, k], c2[a, k] = t[a, k], d[a, ie], c[a, ix]
            k, e, x = k + 1, e + 1, x + 1
            continue
        if e < width and d[a, ie] == 0:
            e += 1
            continue
        if x < width and c[a, ix] == 0:
            x += 1
            continue
        event, censored = NEVER, NEVER
        if e < width:
            event = t[a, ie] if track == CENSORINGS_ALONE else (t[a, ie] - first if ie >= middle else t[a, ie] + second)
        if x < width:
            censored = t[a, ix] if track == EVENTS_ALONE else (t[a, ix] - first if ix >= middle else t[a, ix] + second)
        time = min(event, censored)
        t2[a, k], d2[a, k], c2[a, k] = time, 0, 0
        if event == time:
            d2[a, k] = d[a, ie]
            e += 1
        if censored == time:
            c2[a, k] = c[a, ix]
            x += 1
        k += 1
    return k


@inlined
def drawn_from(left: int, wanted: int, held: int, state: np.ndarray) -> int:
    """How many of a cell's `held` patients are among `wanted` drawn without replacement from the `left` that have not been passed."""
    taken = 0
    for j in range(held):
        if uniform(state) * (left - j) < wanted - taken:
            taken += 1
    return taken


@uncounted
def held_between(arms: Arms, a: int, kind: int, start: int, stop: int) -> int:
    """Patients of a kind in an arm's entries start, ..., stop - 1."""
    total = 0
    for i in range(start, stop):
        total += arms.d[a, i] if kind == 1 else arms.c[a, i]
    return total


@uncounted
def take_over(
    arms: Arms,
    new: Arms,
    a: int,
    start: int,
    stop: int,
    kind: int,
    to_kind: int,
    shift: int,
    k: int,
    there: int,
    state: np.ndarray,
) -> float:
    """Make k patients of one kind, drawn from an arm's entries start, ..., stop - 1, patients of `to_kind` a `shift` later, in `new`.

    Returns the ratio of the two directions' densities, patients of a cell being alike: Π (E - j) / (E' + k - j) with E to draw from and
    E' = `there` of the other kind where they come to, and for each patient the number in its new cell over that in its old one; 0 where E < k.
    """
    left, wanted, ratio = held_between(arms, a, kind, start, stop), k, 1.0
    if left < k:
        return 0.0
    for j in range(k):
        ratio *= (left - j) / (there + k - 1.0 * j)
    for i in range(start, stop):
        held, time = arms.d[a, i] if kind == 1 else arms.c[a, i], arms.t[a, i]
        taken = drawn_from(left, wanted, held, state)
        left, wanted = left - held, wanted - taken
        for _ in range(taken):
            arrived = change(new, a, to_kind, time + shift, 1)
            ratio *= arrived / (change(new, a, kind, time, -1) + 1.0)
        if wanted == 0:
            break
    return ratio


@uncounted
def exchange(segment: np.ndarray, arms: Arms, a: int, state: np.ndarray, new: Arms, steps: np.ndarray) -> float:
    """Several patients at once between two neighbouring stretches of time of one length, into row `a` of `new`: either k events of the
    one become censorings and k censorings of the other events, or k patients of one kind go over, each to the same place in the other.

    Returns the log ratio of the two directions' densities; -inf where the draw is no move.
    """
    n_times = segment.shape[1]
    middle, k = int(uniform(state) * n_times), 1 + int(uniform(state) * (1 + arms.n[a] // PER_EXCHANGED))
    bits = np.int64(next_bits(state) >> np.uint64(1))
    statuses, later, kind = bits & 1 == 1, bits & 2 == 2, (bits >> 2) & 1
    longest = n_times if statuses else min(middle - segment[a, middle, 0], segment[a, middle, 1] - middle + 1)
    if longest < 1:
        return -np.inf
    length = length_of(longest, 1.0 - uniform(state) * uniform(state))
    low, high = max(middle - length, 0), min(middle + length, n_times)
    write(steps, 0, a, 0, low, 0, high - 1)
    start, stop, end = position(arms, a, low), position(arms, a, middle), position(arms, a, high)
    other = stop
    if later:  # from the later stretch to the earlier one
        start, stop, other, end = stop, end, start, stop
    copy_arm(arms, new, a)
    if statuses:
        ratio = take_over(arms, new, a, start, stop, 1, 0, 0, k, held_between(arms, a, 0, start, stop), state)
        if ratio > 0.0:
            ratio *= take_over(arms, new, a, other, end, 0, 1, 0, k, held_between(arms, a, 1, other, end), state)
    else:
        there, shift = held_between(arms, a, kind, other, end), -length if later else length
        ratio = take_over(arms, new, a, start, stop, kind, kind, shift, k, there, state)
    return math.log(ratio) if ratio > 0.0 else -np.inf
