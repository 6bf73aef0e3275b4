"""Integer moves on a two-arm life table, made and undone in place (compiled).

A cell is (arm, kind, time), kind 1 event, 0 censoring. A step takes `amount` patients from one cell of an arm to another cell
of it; a proposal is one step or two. Cells are drawn in proportion to their patients, which `proposal` pays back in its log
proposal ratio. Kept by construction: patients per arm, printed events, printed numbers at risk, printed shortest and longest
times.
"""

from __future__ import annotations

import numpy as np

from retrial.tables.kernel.compiled import inlined, next_bits, uncounted
from retrial.tables.kernel.problem import BLOCK, EVENT_MODE, EVENTS_CONTROL, EVENTS_FREE, EVENTS_TOTAL, FIRST_HELD, LAST_HELD

STEP_FIELDS = 6
"""arm, kind from, time from, kind to, time to, amount."""
LENGTHS = np.array([1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6])
"""Short shifts, each as likely."""
SHIFT, FLIP, OPPOSED_SHIFTS, PARALLEL_SHIFTS, STATUS_SWAP = 52, 64, 71, 78, 109
"""Of 128 draws: one patient's time, one patient's status (where events are free), two times apart, two times alike (in both arms
it leaves the hazard ratio about where it is), two patients' status; else two patients of different arms change places."""
LOW_BITS = (1 << 32) - 1


@inlined
def count(d: np.ndarray, r: np.ndarray, arm: int, kind: int, t: int) -> int:
    """Patients of a cell."""
    return d[arm, t] if kind == 1 else r[arm, t] - r[arm, t + 1] - d[arm, t]


@inlined
def pick(d: np.ndarray, r: np.ndarray, first_step: int, bits: int) -> tuple[int, int, int]:
    """The cell of a patient drawn from both arms by 32 random bits: bisection on the numbers at risk, counts of patients
    from the right.
    """
    rank = (bits * r[2, 0]) >> 32
    arm = 1 if rank >= r[0, 0] else 0
    rank -= r[0, 0] * arm
    low, step, n_times = 0, first_step, d.shape[1]
    while step > 0:
        probe = min(low + step, n_times)
        low = probe if r[arm, probe] > rank else low
        step >>= 1
    return arm, 1 if rank - r[arm, low + 1] < d[arm, low] else 0, low


@inlined
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


@inlined
def write(steps: np.ndarray, i: int, arm: int, kind_from: int, t_from: int, kind_to: int, t_to: int, amount: int) -> None:
    """Write a step that moves `amount` patients of an arm from one kind and time to another."""
    steps[i, 0], steps[i, 1], steps[i, 2] = arm, kind_from, t_from
    steps[i, 3], steps[i, 4], steps[i, 5] = kind_to, t_to, amount


@inlined
def shift_length(n_times: int, bits: int) -> int:
    """A signed number of grid times by 32 random bits, symmetric about 0: one of `LENGTHS`, or one time in four any length."""
    length = LENGTHS[bits & 15] if bits & 96 else 1 + (((bits >> 8) * n_times) >> 24)
    return length if bits & 16 else -length


@inlined
def inside(segment: np.ndarray, arm: int, t: int, target: int) -> bool:
    """Whether a patient of `arm` recorded at t may be recorded at `target`."""
    return segment[arm, t, 0] <= target <= segment[arm, t, 1]


@uncounted
def propose(whole: np.ndarray, segment: np.ndarray, d: np.ndarray, r: np.ndarray, state: np.ndarray, steps: np.ndarray) -> int:
    """Write a proposal to `steps`; returns its number of steps, 0 where the draw is no move."""
    bits, cells = np.int64(next_bits(state) >> np.uint64(1)), np.int64(next_bits(state) >> np.uint64(1))
    kind_of_move, length_bits = bits & 127, (bits >> 7) & LOW_BITS
    mode, block = whole[EVENT_MODE], whole[BLOCK]
    amount = 1 if block == 1 or bits & (1 << 40) else 1 + (((bits >> 41) * block) >> 22)
    first_step = 1
    while 2 * first_step < d.shape[1]:
        first_step *= 2
    arm, kind, t = pick(d, r, first_step, cells & LOW_BITS)
    if kind_of_move < SHIFT:
        target = t + shift_length(d.shape[1], length_bits)
        if not inside(segment, arm, t, target):
            return 0
        write(steps, 0, arm, kind, t, kind, target, amount)
        return 1
    if kind_of_move < FLIP and mode >= EVENTS_FREE:
        if mode == EVENTS_CONTROL + arm:
            return 0
        write(steps, 0, arm, kind, t, 1 - kind, t, amount)
        return 1
    arm2, kind2, t2 = pick(d, r, first_step, 2 * (cells >> 32) + ((bits >> 39) & 1))
    if kind_of_move < PARALLEL_SHIFTS:
        length = shift_length(d.shape[1], length_bits)
        length2 = -length if kind_of_move < OPPOSED_SHIFTS else length
        if not inside(segment, arm, t, t + length) or not inside(segment, arm2, t2, t2 + length2):
            return 0
        write(steps, 0, arm, kind, t, kind, t + length, amount)
        write(steps, 1, arm2, kind2, t2, kind2, t2 + length2, amount)
        return 2
    between = mode in (EVENTS_TOTAL, EVENTS_FREE)
    if kind_of_move < STATUS_SWAP:
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


@inlined
def ways(d: np.ndarray, r: np.ndarray, steps: np.ndarray, n_steps: int, after: bool) -> float:
    """Patients product by which the cells of the proposal (or, after it, of its reverse) are drawn."""
    product = 1.0
    for i in range(n_steps):
        shift = 2 if after else 0
        product *= count(d, r, steps[i, 0], steps[i, 1 + shift], steps[i, 2 + shift])
    return product


@inlined
def ends_held(whole: np.ndarray, r: np.ndarray) -> bool:
    """Whether somebody of each group leaves by its printed shortest time, and somebody stays until its longest."""
    for g in range(3):
        first, last = whole[FIRST_HELD + g], whole[LAST_HELD + g]
        if first >= 0 and r[g, first + 1] == r[g, 0]:
            return False
        if last >= 0 and r[g, last] == 0:
            return False
    return True


@inlined
def feasible(whole: np.ndarray, d: np.ndarray, r: np.ndarray, steps: np.ndarray, n_steps: int) -> bool:
    """Whether the cells that the made steps took patients from are not below 0, and the printed extremes are still met."""
    for i in range(n_steps):
        if count(d, r, steps[i, 0], steps[i, 1], steps[i, 2]) < 0:
            return False
    return ends_held(whole, r)
