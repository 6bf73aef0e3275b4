"""Integer moves on a two-arm life table, made and undone in place (compiled).

A cell is (arm, kind, time), kind 1 event, 0 censoring. A step takes `amount` patients from one cell of an arm to another cell of it;
a proposal is one step or two. Cells are drawn in proportion to their patients, which `proposal` pays back in its log proposal ratio.
Kept by construction: patients per arm, printed events, printed numbers at risk, printed shortest and longest times.
"""

from __future__ import annotations

import numpy as np

from retrial.reconstruct.compiled import below, compiled, uniform
from retrial.reconstruct.problem import BLOCK, EVENT_MODE, EVENTS_CONTROL, EVENTS_FREE, EVENTS_TOTAL, FIRST_HELD, LAST_HELD

STEP_FIELDS = 6
"""arm, kind from, time from, kind to, time to, amount."""
_LONG = 0.2
"""Share of shifts to any time of the segment; the others are short."""
_STAY_SHORT = 0.5
"""Probability that a short shift grows by one more time."""


@compiled
def count(d: np.ndarray, r: np.ndarray, arm: int, kind: int, t: int) -> int:
    """Patients of a cell."""
    return d[arm, t] if kind == 1 else r[arm, t] - r[arm, t + 1] - d[arm, t]


@compiled
def pick(d: np.ndarray, r: np.ndarray, state: np.ndarray) -> tuple[int, int, int]:
    """The cell of a patient drawn from both arms: bisection on the numbers at risk, which are counts of patients from the right."""
    rank, arm = below(state, r[2, 0]), 0
    if rank >= r[0, 0]:
        rank, arm = rank - r[0, 0], 1
    low, high = 0, d.shape[1]
    while high - low > 1:
        middle = (low + high) >> 1
        if r[arm, middle] > rank:
            low = middle
        else:
            high = middle
    return arm, 1 if rank - r[arm, low + 1] < d[arm, low] else 0, low


@compiled
def apply(d: np.ndarray, r: np.ndarray, steps: np.ndarray, i: int, sign: int) -> None:
    """Make (sign 1) or undo (sign -1) step i, in the arm's row and in the row of both."""
    arm, t_from, t_to, amount = steps[i, 0], steps[i, 2], steps[i, 4], sign * steps[i, 5]
    if steps[i, 1] == 1:
        d[arm, t_from] -= amount
        d[2, t_from] -= amount
    if steps[i, 3] == 1:
        d[arm, t_to] += amount
        d[2, t_to] += amount
    for t in range(t_from + 1, t_to + 1):
        r[arm, t] += amount
        r[2, t] += amount
    for t in range(t_to + 1, t_from + 1):
        r[arm, t] -= amount
        r[2, t] -= amount


@compiled
def write(steps: np.ndarray, i: int, arm: int, kind_from: int, t_from: int, kind_to: int, t_to: int, amount: int) -> None:
    steps[i, 0], steps[i, 1], steps[i, 2] = arm, kind_from, t_from
    steps[i, 3], steps[i, 4], steps[i, 5] = kind_to, t_to, amount


@compiled
def shift_length(n_times: int, state: np.ndarray) -> int:
    """A signed number of grid times, symmetric about 0."""
    if uniform(state) < _LONG:
        length = 1 + below(state, n_times)
    else:
        length = 1
        while uniform(state) < _STAY_SHORT:
            length += 1
    return length if uniform(state) < 0.5 else -length


@compiled
def inside(segment: np.ndarray, arm: int, t: int, target: int) -> bool:
    """Whether a patient of `arm` recorded at t may be recorded at `target`."""
    return segment[arm, t, 0] <= target <= segment[arm, t, 1]


@compiled
def propose(whole: np.ndarray, segment: np.ndarray, d: np.ndarray, r: np.ndarray, state: np.ndarray, steps: np.ndarray) -> int:
    """Write a proposal to `steps`; returns its number of steps, 0 where the draw is no move."""
    draw = uniform(state)
    arm, kind, t = pick(d, r, state)
    amount = 1 if whole[BLOCK] == 1 or uniform(state) < 0.5 else 1 + below(state, whole[BLOCK])
    if draw < 0.4:
        target = t + shift_length(d.shape[1], state)
        if not inside(segment, arm, t, target):
            return 0
        write(steps, 0, arm, kind, t, kind, target, amount)
        return 1
    mode = whole[EVENT_MODE]
    if draw < 0.5 and mode >= EVENTS_FREE:
        if mode == EVENTS_CONTROL + arm:
            return 0
        write(steps, 0, arm, kind, t, 1 - kind, t, amount)
        return 1
    arm2, kind2, t2 = pick(d, r, state)
    if draw < 0.6:
        length = shift_length(d.shape[1], state)
        if not inside(segment, arm, t, t + length) or not inside(segment, arm2, t2, t2 - length):
            return 0
        write(steps, 0, arm, kind, t, kind, t + length, amount)
        write(steps, 1, arm2, kind2, t2, kind2, t2 - length, amount)
        return 2
    between = mode == EVENTS_TOTAL or mode == EVENTS_FREE
    if draw < 0.85:
        if kind == kind2 or (arm == arm2 and t == t2) or (arm != arm2 and not between):
            return 0
        write(steps, 0, arm, kind, t, kind2, t, amount)
        write(steps, 1, arm2, kind2, t2, kind, t2, amount)
        return 2
    if arm == arm2 or (kind == kind2 and t == t2) or (kind != kind2 and not between):
        return 0
    if not inside(segment, arm, t, t2) or not inside(segment, arm2, t2, t):
        return 0
    write(steps, 0, arm, kind, t, kind2, t2, amount)
    write(steps, 1, arm2, kind2, t2, kind, t, amount)
    return 2


@compiled
def ways(d: np.ndarray, r: np.ndarray, steps: np.ndarray, n_steps: int, after: bool) -> float:
    """Patients product by which the cells of the proposal (or, after it, of its reverse) are drawn."""
    product = 1.0
    for i in range(n_steps):
        shift = 2 if after else 0
        product *= count(d, r, steps[i, 0], steps[i, 1 + shift], steps[i, 2 + shift])
    return product


@compiled
def feasible(whole: np.ndarray, d: np.ndarray, r: np.ndarray, steps: np.ndarray, n_steps: int) -> bool:
    """Whether the cells that the made steps took patients from are not below 0, and the printed extremes are still met."""
    for i in range(n_steps):
        if count(d, r, steps[i, 0], steps[i, 1], steps[i, 2]) < 0:
            return False
    if whole[FIRST_HELD] == 1 and r[2, 0] == r[2, 1]:
        return False
    return whole[LAST_HELD] == 0 or r[2, d.shape[1] - 1] > 0
