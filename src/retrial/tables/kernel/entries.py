"""Tables as lists of the times at which somebody leaves: the sampler's own form, whose cost follows patients and not the grid (compiled).

Arm a has m[a] entries in the order of their grid index t[a, i], with d[a, i] events and c[a, i] censorings, at least one patient each; on
a grid of no more times than an arm has patients every time keeps an entry, a slot, so that none has to be looked for or moved.
A cell is (arm, kind, time), kind 1 event, 0 censoring. Columns are what the statistics read: the times with events only, with the
patients at risk there, r[., k] = 0 after the last of k columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from retrial.tables.kernel.compiled import compiled, inlined, uncounted

NEVER = 1 << 40
"""After every time."""
SPARE = 4
"""Entries beyond an arm's patients, for a proposal that puts before it takes."""


class Arms(NamedTuple):
    """Entries t, d, c (2, M) of both arms with m (2,) of them, n (2,) patients; `slots`: one for every grid time."""

    t: np.ndarray
    d: np.ndarray
    c: np.ndarray
    m: np.ndarray
    n: np.ndarray
    slots: bool


class Columns(NamedTuple):
    """Room for columns: of an arm alone times t (of both in row 2), events d, at risk r; side by side and together `both_d`, `both_r`."""

    t: np.ndarray
    d: np.ndarray
    r: np.ndarray
    both_d: np.ndarray
    both_r: np.ndarray


@uncounted
def position(arms: Arms, a: int, time: int) -> int:
    """Number of the arm's entries before a time (bisection)."""
    if arms.slots:
        return time
    t, low, high = arms.t, 0, arms.m[a]
    while low < high:
        middle = (low + high) >> 1
        if t[a, middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def events_of(arms: Arms, a: int) -> int:
    """Events of an arm."""
    total = 0
    for i in range(arms.m[a]):
        total += arms.d[a, i]
    return total


@uncounted
def change(arms: Arms, a: int, kind: int, time: int, amount: int) -> int:
    """Add `amount` patients (below 0: take them away) to a cell; returns how many it has then."""
    t, d, c, m, i = arms.t, arms.d, arms.c, arms.m, position(arms, a, time)
    if not arms.slots and (i == m[a] or t[a, i] != time):
        for k in range(m[a], i, -1):
            t[a, k], d[a, k], c[a, k] = t[a, k - 1], d[a, k - 1], c[a, k - 1]
        t[a, i], d[a, i], c[a, i] = time, 0, 0
        m[a] += 1
    if kind == 1:
        d[a, i] += amount
        held = d[a, i]
    else:
        c[a, i] += amount
        held = c[a, i]
    if not arms.slots and d[a, i] == 0 and c[a, i] == 0:
        m[a] -= 1
        for k in range(i, m[a]):
            t[a, k], d[a, k], c[a, k] = t[a, k + 1], d[a, k + 1], c[a, k + 1]
    return held


@inlined
def leaves_by(arms: Arms, a: int, time: int) -> bool:
    """Whether somebody of an arm leaves by a time."""
    i, m = 0, arms.m[a]
    while i < m and arms.d[a, i] + arms.c[a, i] == 0:
        i += 1
    return i < m and arms.t[a, i] <= time


@inlined
def stays_until(arms: Arms, a: int, time: int) -> bool:
    """Whether somebody of an arm leaves no sooner than a time."""
    i = arms.m[a] - 1
    while i >= 0 and arms.d[a, i] + arms.c[a, i] == 0:
        i -= 1
    return i >= 0 and arms.t[a, i] >= time


@uncounted
def arm_columns(arms: Arms, a: int, columns: Columns) -> int:
    """Columns of one arm, into row a; returns their number."""
    t, d, c, k, at_risk = arms.t, arms.d, arms.c, 0, arms.n[a]
    for i in range(arms.m[a]):
        if d[a, i] > 0:
            columns.t[a, k], columns.d[a, k], columns.r[a, k] = t[a, i], d[a, i], at_risk
            k += 1
        at_risk -= d[a, i] + c[a, i]
    columns.r[a, k] = 0
    return k


@uncounted
def joint_columns(control: Arms, experimental: Arms, columns: Columns) -> int:
    """Columns of both arms side by side (rows 0, 1) and together (row 2, times in row 2 of `t`), each arm out of its own table; returns their
    number.
    """
    jd, jr, m0, m1 = columns.both_d, columns.both_r, control.m[0], experimental.m[1]
    i, j, k, r0, r1 = 0, 0, 0, control.n[0], control.n[1]
    while i < m0 or j < m1:
        first = control.t[0, i] if i < m0 else NEVER
        second = experimental.t[1, j] if j < m1 else NEVER
        time, e0, e1, x0, x1 = min(first, second), 0, 0, 0, 0
        if first == time:
            e0, x0 = control.d[0, i], control.c[0, i]
            i += 1
        if second == time:
            e1, x1 = experimental.d[1, j], experimental.c[1, j]
            j += 1
        if e0 + e1 > 0:
            columns.t[2, k] = time
            jd[0, k], jd[1, k], jd[2, k] = e0, e1, e0 + e1
            jr[0, k], jr[1, k], jr[2, k] = r0, r1, r0 + r1
            k += 1
        r0 -= e0 + x0
        r1 -= e1 + x1
    jr[0, k], jr[1, k], jr[2, k] = 0, 0, 0
    return k


@compiled
def room_like(arms: Arms) -> Arms:
    """Room for as many entries of the same patients."""
    shape = arms.t.shape
    t, d, c = np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(shape, np.int64)
    return Arms(t, d, c, np.zeros(2, np.int64), arms.n, arms.slots)


@uncounted
def copy_arm(source: Arms, target: Arms, a: int) -> None:
    """Put one arm's entries into another's place."""
    target.m[a] = source.m[a]
    for i in range(source.m[a]):
        target.t[a, i], target.d[a, i], target.c[a, i] = source.t[a, i], source.d[a, i], source.c[a, i]


@compiled
def columns_for(width: int) -> Columns:
    """Room for the columns of arms of `width` entries."""
    return Columns(
        np.empty((3, 2 * width), np.int64),
        np.empty((2, width), np.int64),
        np.empty((2, width + 1), np.int64),
        np.empty((3, 2 * width), np.int64),
        np.empty((3, 2 * width + 1), np.int64),
    )


def in_slots(first_r: np.ndarray) -> bool:
    """Whether arms of a table (., T + 1) at risk keep an entry for every grid time."""
    return bool(first_r.shape[1] - 1 <= first_r[:2, 0].max())


def room(first_r: np.ndarray) -> int:
    """Entries that an arm can have, and some to spare for a proposal's."""
    n_times = first_r.shape[1] - 1
    return n_times if in_slots(first_r) else int(min(n_times, first_r[:2, 0].max())) + SPARE


@compiled
def from_table(d: np.ndarray, r: np.ndarray, a: int, slots: bool, t: np.ndarray, dd: np.ndarray, cc: np.ndarray) -> int:
    """Entries of row a of a table of (., T) events and (., T + 1) at risk; returns their number."""
    k = 0
    for time in range(d.shape[1]):
        leaving = r[a, time] - r[a, time + 1]
        if leaving > 0 or slots:
            t[a, k], dd[a, k], cc[a, k] = time, d[a, time], leaving - d[a, time]
            k += 1
    return k


@compiled
def to_table(t: np.ndarray, dd: np.ndarray, cc: np.ndarray, m: np.ndarray, d: np.ndarray, r: np.ndarray) -> None:
    """(3, T) events and (3, T + 1) at risk of control, experimental and both, from entries."""
    d[:], r[:] = 0, 0
    for a in range(2):
        for i in range(m[a]):
            d[a, t[a, i]] = dd[a, i]
            r[a, t[a, i]] = dd[a, i] + cc[a, i]
        for time in range(d.shape[1] - 1, -1, -1):
            r[a, time] += r[a, time + 1]
    d[2], r[2] = d[0] + d[1], r[0] + r[1]
