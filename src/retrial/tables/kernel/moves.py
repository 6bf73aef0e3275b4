"""Integer moves on a two-arm life table, in the form of entries (compiled).

A step takes `amount` patients from one cell of an arm to another cell of it; a proposal is one step or two. Cells are drawn in
proportion to their patients, which `ways` pays back. Kept by construction: patients per arm, printed events, printed numbers at
risk; `held` checks the printed shortest and longest times. Shifts come in all lengths, from one grid time to the whole follow-up, so
that a fine grid costs no more moves than a coarse one; some go straight to a printed time.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import inlined, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change, count
from retrial.tables.kernel.problem import BLOCK, EVENT_MODE, EVENTS_CONTROL, EVENTS_FREE, EVENTS_TOTAL, FIRST_HELD, LAST_HELD

STEP_FIELDS = 6
"""arm, kind from, time from, kind to, time to, amount."""
SHIFT, FLIP, OPPOSED_SHIFTS, PARALLEL_SHIFTS, STATUS_SWAP = 0.41, 0.50, 0.555, 0.61, 0.85
"""Cumulated shares of the proposals: one patient's time, one patient's status (where events are free), two times apart, two times alike
(in both arms it leaves the hazard ratio about where it is), two patients' status; else two patients of different arms change places."""
ANYWHERE, PRINTED = 0.15, 0.15
"""Shares of the shifts that go to any grid time, and to a printed time of the arm."""
BOTH = 2
"""Scope of a walk over both arms; 0 and 1 are one arm alone."""


@inlined
def pick(arms: Arms, scope: int, u: float) -> tuple[int, int, int]:
    """Arm, kind and entry of a patient drawn from those in scope by a number from [0, 1)."""
    d, c, n, arm = arms.d, arms.c, arms.n, scope
    if scope == BOTH:
        rank = int(u * (n[0] + n[1]))
        arm = 1 if rank >= n[0] else 0
        rank -= n[0] * arm
    else:
        rank = int(u * n[arm])
    i = 0
    while rank >= d[arm, i] + c[arm, i]:
        rank -= d[arm, i] + c[arm, i]
        i += 1
    return arm, (1 if rank < d[arm, i] else 0), i


@inlined
def write(steps: np.ndarray, i: int, arm: int, kind_from: int, t_from: int, kind_to: int, t_to: int, amount: int) -> None:
    """Write a step that moves `amount` patients of an arm from one kind and time to another."""
    steps[i, 0], steps[i, 1], steps[i, 2] = arm, kind_from, t_from
    steps[i, 3], steps[i, 4], steps[i, 5] = kind_to, t_to, amount


@inlined
def length_of(n_times: int, u: float) -> int:
    """A number of grid times from a number of [0, 1): every scale as likely."""
    return int(math.exp(u * math.log(1.0 * n_times)))


@inlined
def any_length(n_times: int, state: np.ndarray) -> int:
    """A signed number of grid times, ⌊T^u⌋ with u uniform: every scale as likely, P(l) = log(1 + 1/l) / log T."""
    u = 2.0 * uniform(state) - 1.0
    length = int(math.exp(abs(u) * math.log(1.0 * n_times)))
    return length if u > 0.0 else -length


@uncounted
def shift_density(n_times: int, printed: np.ndarray, arm: int, start: int, target: int) -> float:
    """Probability that a shift of one patient goes from `start` to `target` (the part that is alike both ways included)."""
    length = abs(target - start)
    n_printed = printed[arm, 0]
    to_printed = 0.0
    for i in range(1, n_printed + 1):
        if printed[arm, i] == target:
            to_printed = PRINTED / n_printed
    near = 1.0 - ANYWHERE - (PRINTED if n_printed > 0 else 0.0)
    return near * 0.5 * math.log1p(1.0 / length) / math.log(1.0 * n_times) + ANYWHERE / n_times + to_printed


@inlined
def shift_target(n_times: int, printed: np.ndarray, arm: int, start: int, state: np.ndarray) -> int:
    """Where a shift of one patient goes."""
    u, n_printed = uniform(state), printed[arm, 0]
    if u < ANYWHERE:
        return min(int(u / ANYWHERE * n_times), n_times - 1)
    if n_printed > 0 and u < ANYWHERE + PRINTED:
        return printed[arm, 1 + min(int((u - ANYWHERE) / PRINTED * n_printed), n_printed - 1)]
    return start + any_length(n_times, state)


@inlined
def inside(segment: np.ndarray, arm: int, t: int, target: int) -> bool:
    """Whether a patient of `arm` recorded at t may be recorded at `target`."""
    return segment[arm, t, 0] <= target <= segment[arm, t, 1]


@uncounted
def propose(
    whole: np.ndarray,
    segment: np.ndarray,
    printed: np.ndarray,
    arms: Arms,
    scope: int,
    state: np.ndarray,
    steps: np.ndarray,
) -> tuple[int, float]:
    """Write a proposal to `steps`; returns its number of steps (0: no move) and the ratio of the two directions' target densities."""
    mode, block, n_times = whole[EVENT_MODE], whole[BLOCK], segment.shape[1]
    if scope == BOTH:
        free0 = mode == EVENTS_FREE or mode > EVENTS_CONTROL
        free1 = mode in (EVENTS_FREE, EVENTS_CONTROL)
    else:
        free0 = mode in (EVENTS_TOTAL, EVENTS_FREE) or mode > EVENTS_CONTROL
        free1 = mode in (EVENTS_TOTAL, EVENTS_FREE) or mode == EVENTS_CONTROL
    amount = 1
    if block > 1 and uniform(state) < 0.5:
        amount = 1 + int(uniform(state) * block)
    u = uniform(state)
    arm, kind, i = pick(arms, scope, uniform(state))
    time = arms.t[arm, i]
    if u < SHIFT:
        target = shift_target(n_times, printed, arm, time, state)
        if target == time or not (0 <= target < n_times) or not inside(segment, arm, time, target):
            return 0, 0.0
        write(steps, 0, arm, kind, time, kind, target, amount)
        forth = shift_density(n_times, printed, arm, time, target)
        return 1, shift_density(n_times, printed, arm, target, time) / forth
    if u < FLIP and (free0 if arm == 0 else free1):
        write(steps, 0, arm, kind, time, 1 - kind, time, amount)
        return 1, 1.0
    arm2, kind2, i2 = pick(arms, scope, uniform(state))
    time2 = arms.t[arm2, i2]
    if u < PARALLEL_SHIFTS:
        length = any_length(n_times, state)
        length2 = -length if u < OPPOSED_SHIFTS else length
        if not (0 <= time + length < n_times) or not inside(segment, arm, time, time + length):
            return 0, 0.0
        if not (0 <= time2 + length2 < n_times) or not inside(segment, arm2, time2, time2 + length2):
            return 0, 0.0
        write(steps, 0, arm, kind, time, kind, time + length, amount)
        write(steps, 1, arm2, kind2, time2, kind2, time2 + length2, amount)
        return 2, 1.0
    between = mode in (EVENTS_TOTAL, EVENTS_FREE)
    if u < STATUS_SWAP or scope != BOTH:
        if kind == kind2 or (arm == arm2 and time == time2) or (arm != arm2 and not between):
            return 0, 0.0
        write(steps, 0, arm, kind, time, kind2, time, amount)
        write(steps, 1, arm2, kind2, time2, kind, time2, amount)
        return 2, 1.0
    if arm == arm2 or (kind == kind2 and time == time2) or (kind != kind2 and not between):
        return 0, 0.0
    if not inside(segment, arm, time, time2) or not inside(segment, arm2, time2, time):
        return 0, 0.0
    write(steps, 0, arm, kind, time, kind2, time2, amount)
    write(steps, 1, arm2, kind2, time2, kind, time, amount)
    return 2, 1.0


@uncounted
def ways(arms: Arms, steps: np.ndarray, n_steps: int, after: bool, least: bool) -> float:
    """Patients product by which the cells of the proposal (or, after it, of its reverse) are drawn; 0 where `least` is asked for and a
    cell has fewer patients than the steps take from it.
    """
    product, shift = 1.0, 2 if after else 0
    for i in range(n_steps):
        held = count(arms.t, arms.d, arms.c, steps[i, 0], arms.m[steps[i, 0]], steps[i, 1 + shift], steps[i, 2 + shift])
        if least:
            taken = steps[i, 5]
            if n_steps == 2 and steps[0, 0] == steps[1, 0] and steps[0, 1] == steps[1, 1] and steps[0, 2] == steps[1, 2]:
                taken *= 2
            if held < taken:
                return 0.0
        product *= held
    return product


@uncounted
def apply(arms: Arms, steps: np.ndarray, n_steps: int) -> None:
    """Make a proposal: first all are taken, then all are put."""
    t, d, c, m = arms.t, arms.d, arms.c, arms.m
    for i in range(n_steps):
        a = steps[i, 0]
        m[a] = change(t, d, c, a, m[a], steps[i, 1], steps[i, 2], -steps[i, 5])
    for i in range(n_steps):
        a = steps[i, 0]
        m[a] = change(t, d, c, a, m[a], steps[i, 3], steps[i, 4], steps[i, 5])


@inlined
def first_touched(steps: np.ndarray, n_steps: int, a: int) -> int:
    """First grid time of an arm that a proposal changes."""
    low = NEVER
    for i in range(n_steps):
        if steps[i, 0] == a:
            low = min(low, steps[i, 2], steps[i, 4])
    return low


@inlined
def last_touched(steps: np.ndarray, n_steps: int, a: int) -> int:
    """Last grid time of an arm that a proposal changes."""
    high = -1
    for i in range(n_steps):
        if steps[i, 0] == a:
            high = max(high, steps[i, 2], steps[i, 4])
    return high


@inlined
def arm_ends_held(whole: np.ndarray, arms: Arms, a: int) -> bool:
    """Whether somebody of an arm leaves by its printed shortest time, and somebody stays until its longest."""
    t, m, first, last = arms.t, arms.m, whole[FIRST_HELD + a], whole[LAST_HELD + a]
    if first >= 0 and (m[a] == 0 or t[a, 0] > first):
        return False
    return last < 0 or (m[a] > 0 and t[a, m[a] - 1] >= last)


@inlined
def ends_held(whole: np.ndarray, control: Arms, experimental: Arms) -> bool:
    """The same of both arms, each out of its own table, and of all patients together."""
    first, last, m0, m1 = whole[FIRST_HELD + 2], whole[LAST_HELD + 2], control.m[0], experimental.m[1]
    left = first < 0 or (m0 > 0 and control.t[0, 0] <= first) or (m1 > 0 and experimental.t[1, 0] <= first)
    stays = last < 0 or (m0 > 0 and control.t[0, m0 - 1] >= last) or (m1 > 0 and experimental.t[1, m1 - 1] >= last)
    return left and stays and arm_ends_held(whole, control, 0) and arm_ends_held(whole, experimental, 1)
