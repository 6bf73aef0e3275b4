"""Integer moves on a two-arm life table, in the form of entries (compiled).

A step takes a patient from one cell of an arm to another cell of it; a proposal is one step or two, its density that of patients who can be
told apart. Kept by construction: patients per arm, printed events, printed numbers at
risk; `ends_held` checks the printed shortest and longest times. Draws are made among what the printed numbers at risk leave open: patients
who can move at all, lengths that stay between two of them, patients whose places can be changed. Shifts come in all lengths, from one
grid time to the whole follow-up, so that a fine grid costs no more moves than a coarse one; some go straight to a printed time.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import inlined, uncounted, uniform
from retrial.tables.kernel.entries import NEVER, Arms, change, events_of, leaves_by, stays_until
from retrial.tables.kernel.problem import EVENT_MODE, EVENTS_CONTROL, EVENTS_FREE, EVENTS_TOTAL, FIRST_HELD, LAST_HELD

STEP_FIELDS = 5
"""arm, kind from, time from, kind to, time to."""
SHIFT, FLIP, OPPOSED_SHIFTS, PARALLEL_SHIFTS, STATUS_SWAP = 0.41, 0.50, 0.555, 0.61, 0.85
"""Cumulated shares of the proposals: one patient's time, one patient's status (where events are free), two times apart, two times alike
(in both arms it leaves the hazard ratio about where it is), two patients' status; else two patients of different arms change places."""
ANYWHERE, PRINTED = 0.15, 0.15
"""Shares of the shifts that go to any grid time, and to a printed time of the arm."""
TRIES = 8
"""Draws of a patient who can move: how many can is fixed by the numbers at risk, so that giving up is as likely from every table."""
BOTH = 2
"""Scope of a walk over both arms; 0 and 1 are one arm alone."""


@inlined
def drawn_arm(n: np.ndarray, scope: int, state: np.ndarray) -> int:
    """An arm in scope in proportion to its patients."""
    if scope != BOTH:
        return scope
    return 1 if uniform(state) * (n[0] + n[1]) >= n[0] else 0


@inlined
def pick(arms: Arms, arm: int, u: float) -> tuple[int, int]:
    """Kind and entry of one of an arm's patients by a number from [0, 1)."""
    d, c = arms.d, arms.c
    i, rank = 0, int(u * arms.n[arm])
    while rank >= d[arm, i] + c[arm, i]:
        rank -= d[arm, i] + c[arm, i]
        i += 1
    return (1 if rank < d[arm, i] else 0), i


@inlined
def pick_kind(counts: np.ndarray, arm: int, rank: int) -> int:
    """Entry of the patient of a rank among the counts of one kind."""
    i = 0
    while rank >= counts[arm, i]:
        rank -= counts[arm, i]
        i += 1
    return i


@inlined
def write(steps: np.ndarray, i: int, arm: int, kind_from: int, t_from: int, kind_to: int, t_to: int) -> None:
    """Write a step that moves a patient of an arm from one kind and time to another."""
    steps[i, 0], steps[i, 1], steps[i, 2], steps[i, 3], steps[i, 4] = arm, kind_from, t_from, kind_to, t_to


@inlined
def length_of(longest: int, u: float) -> int:
    """A number of grid times from 1 to `longest` from a number of [0, 1): every scale as likely, P(l) = log(1 + 1/l) / log(longest + 1)."""
    return min(int(math.exp(u * math.log(longest + 1.0))), longest)


@inlined
def scales(down: int, up: int) -> float:
    """Σ log(1 + 1/l) over the lengths l of shifts by at most `down` and `up`: the normalising constant of `signed_length`."""
    return math.log((down + 1.0) * (up + 1.0))


@inlined
def signed_length(down: int, up: int, u: float) -> int:
    """A shift by 1, ..., up or -1, ..., -down by a number from [0, 1): every scale as likely, P(l) = log(1 + 1/|l|) / `scales`."""
    above = math.log(up + 1.0)
    x = u * (above + math.log(down + 1.0))
    if x < above:
        return min(int(math.exp(x)), up)
    return -min(int(math.exp(x - above)), down)


@uncounted
def printed_inside(printed: np.ndarray, arm: int, low: int, high: int) -> int:
    """How many of an arm's printed times are among the grid times low, ..., high."""
    found = 0
    for i in range(1, printed[arm, 0] + 1):
        found += low <= printed[arm, i] <= high
    return found


@uncounted
def shift(printed: np.ndarray, arm: int, time: int, low: int, high: int, state: np.ndarray) -> tuple[int, float]:
    """Another time for one patient within low, ..., high, and the ratio of the two directions' densities; -1 for none."""
    n_printed = printed_inside(printed, arm, low, high)
    near = 1.0 - ANYWHERE - (PRINTED if n_printed > 0 else 0.0)
    u, target = uniform(state), time
    if u < near:
        target = time + signed_length(time - low, high - time, u / near)
    elif u < near + ANYWHERE:
        target = low + min(int((u - near) / ANYWHERE * (high - low + 1)), high - low)
    else:
        rank = int(uniform(state) * n_printed)
        for i in range(1, printed[arm, 0] + 1):
            if low <= printed[arm, i] <= high:
                if rank == 0:
                    target = printed[arm, i]
                rank -= 1
    if target == time:
        return -1, 0.0
    by_length, anywhere = near * math.log1p(1.0 / abs(target - time)), ANYWHERE / (high - low + 1)
    forth, back = (
        by_length / scales(time - low, high - time) + anywhere,
        by_length / scales(target - low, high - target) + anywhere,
    )
    for i in range(1, printed[arm, 0] + 1):
        if printed[arm, i] == target:
            forth += PRINTED / n_printed
        if printed[arm, i] == time:
            back += PRINTED / n_printed
    return target, back / forth


@inlined
def movable(segment: np.ndarray, arms: Arms, scope: int, state: np.ndarray) -> tuple[int, int, int]:
    """Arm, kind and entry of a patient whose time the numbers at risk leave open; arm -1 for none."""
    arm, kind, i = -1, 0, 0
    for _ in range(TRIES):
        a = drawn_arm(arms.n, scope, state)
        kind, i = pick(arms, a, uniform(state))
        if segment[a, arms.t[a, i], 1] > segment[a, arms.t[a, i], 0]:
            arm = a
            break
    return arm, kind, i


@uncounted
def two_shifts(
    segment: np.ndarray, arms: Arms, scope: int, opposed: bool, state: np.ndarray, steps: np.ndarray
) -> tuple[int, float]:
    """Shifts of two patients by one length, opposed or alike; as `propose`."""
    arm, kind, i = movable(segment, arms, scope, state)
    arm2, kind2, i2 = movable(segment, arms, scope, state)
    if arm < 0 or arm2 < 0:
        return 0, 0.0
    time, time2 = arms.t[arm, i], arms.t[arm2, i2]
    down, up = time - segment[arm, time, 0], segment[arm, time, 1] - time
    down2, up2 = time2 - segment[arm2, time2, 0], segment[arm2, time2, 1] - time2
    if opposed:
        down, up = min(down, up2), min(up, down2)
    else:
        down, up = min(down, down2), min(up, up2)
    if down + up == 0:
        return 0, 0.0
    length = signed_length(down, up, uniform(state))
    length2 = -length if opposed else length
    write(steps, 0, arm, kind, time, kind, time + length)
    write(steps, 1, arm2, kind2, time2, kind2, time2 + length2)
    return 2, scales(down, up) / scales(down + length, up - length)


@uncounted
def swap_status(arms: Arms, scope: int, between: bool, state: np.ndarray, steps: np.ndarray) -> int:
    """An event and a censoring of one arm, or where it leaves what is printed of any, change their status; as `propose`."""
    if scope == BOTH and between:
        first = events_of(arms, 0)
        events = first + events_of(arms, 1)
        rank, other = int(uniform(state) * events), int(uniform(state) * (arms.n[0] + arms.n[1] - events))
        if events == 0 or events == arms.n[0] + arms.n[1]:
            return 0
        arm, arm2 = (1 if rank >= first else 0), (1 if other >= arms.n[0] - first else 0)
        rank, other = rank - first * arm, other - (arms.n[0] - first) * arm2
    else:
        arm = drawn_arm(arms.n, scope, state)
        arm2, events = arm, events_of(arms, arm)
        if events == 0 or events == arms.n[arm]:
            return 0
        rank, other = int(uniform(state) * events), int(uniform(state) * (arms.n[arm] - events))
    time, time2 = arms.t[arm, pick_kind(arms.d, arm, rank)], arms.t[arm2, pick_kind(arms.c, arm2, other)]
    if arm == arm2 and time == time2:
        return 0
    write(steps, 0, arm, 1, time, 0, time)
    write(steps, 1, arm2, 0, time2, 1, time2)
    return 2


@uncounted
def change_places(segment: np.ndarray, arms: Arms, between: bool, state: np.ndarray, steps: np.ndarray) -> int:
    """A patient of one arm and one of the other, both within both arms' numbers at risk, change places; as `propose`."""
    arm = drawn_arm(arms.n, BOTH, state)
    kind, i = pick(arms, arm, uniform(state))
    other, time, patients = 1 - arm, arms.t[arm, i], 0
    low = max(segment[0, time, 0], segment[1, time, 0])
    high = min(segment[0, time, 1], segment[1, time, 1])
    for j in range(arms.m[other]):
        if low <= arms.t[other, j] <= high:
            patients += arms.d[other, j] + arms.c[other, j]
    rank, kind2, time2 = int(uniform(state) * patients), 0, -1
    for j in range(arms.m[other]):
        if low <= arms.t[other, j] <= high:
            held = arms.d[other, j] + arms.c[other, j]
            if rank < held:
                kind2, time2 = (1 if rank < arms.d[other, j] else 0), arms.t[other, j]
                break
            rank -= held
    if time2 < 0 or (kind == kind2 and time == time2) or (kind != kind2 and not between):
        return 0
    write(steps, 0, arm, kind, time, kind2, time2)
    write(steps, 1, other, kind2, time2, kind, time)
    return 2


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
    mode, u = whole[EVENT_MODE], uniform(state)
    between = mode in (EVENTS_TOTAL, EVENTS_FREE)
    if u < SHIFT:
        arm, kind, i = movable(segment, arms, scope, state)
        if arm < 0:
            return 0, 0.0
        time = arms.t[arm, i]
        target, ratio = shift(printed, arm, time, segment[arm, time, 0], segment[arm, time, 1], state)
        if target < 0:
            return 0, 0.0
        write(steps, 0, arm, kind, time, kind, target)
        return 1, ratio
    if u < FLIP:
        arm = drawn_arm(arms.n, scope, state)
        if flips(mode, scope, arm):
            kind, i = pick(arms, arm, uniform(state))
            write(steps, 0, arm, kind, arms.t[arm, i], 1 - kind, arms.t[arm, i])
            return 1, 1.0
    elif u < PARALLEL_SHIFTS:
        return two_shifts(segment, arms, scope, u < OPPOSED_SHIFTS, state, steps)
    elif u >= STATUS_SWAP and scope == BOTH:
        return change_places(segment, arms, between, state, steps), 1.0
    return swap_status(arms, scope, between, state, steps), 1.0


@inlined
def flips(mode: int, scope: int, arm: int) -> bool:
    """Whether an arm's number of events may change: it is not printed, nor the total where both arms are in scope."""
    if mode == EVENTS_FREE or (mode == EVENTS_TOTAL and scope != BOTH):
        return True
    return mode >= EVENTS_CONTROL and mode != EVENTS_CONTROL + arm


@uncounted
def apply(arms: Arms, steps: np.ndarray, n_steps: int) -> float:
    """Make a proposal: first all are taken, then all are put. Returns the ratio by which its reverse and itself draw two different patients
    where both come from, or go to, one cell; 0 where there are not two: then `arms` is of no use any more.
    """
    left = change(arms, steps[0, 0], steps[0, 1], steps[0, 2], -1)
    if left < 0:
        return 0.0
    if n_steps == 1:
        change(arms, steps[0, 0], steps[0, 3], steps[0, 4], 1)
        return 1.0
    ratio = 1.0
    left2 = change(arms, steps[1, 0], steps[1, 1], steps[1, 2], -1)
    if left2 < 0:
        return 0.0
    if steps[0, 0] == steps[1, 0] and steps[0, 1] == steps[1, 1] and steps[0, 2] == steps[1, 2]:
        ratio *= left / (left + 1.0)
    change(arms, steps[0, 0], steps[0, 3], steps[0, 4], 1)
    held = change(arms, steps[1, 0], steps[1, 3], steps[1, 4], 1)
    if steps[0, 0] == steps[1, 0] and steps[0, 3] == steps[1, 3] and steps[0, 4] == steps[1, 4]:
        ratio *= held / (held - 1.0)
    return ratio


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
    first, last = whole[FIRST_HELD + a], whole[LAST_HELD + a]
    return (first < 0 or leaves_by(arms, a, first)) and (last < 0 or stays_until(arms, a, last))


@inlined
def ends_held(whole: np.ndarray, control: Arms, experimental: Arms) -> bool:
    """The same of both arms, each out of its own table, and of all patients together."""
    first, last = whole[FIRST_HELD + 2], whole[LAST_HELD + 2]
    left = first < 0 or leaves_by(control, 0, first) or leaves_by(experimental, 1, first)
    stays = last < 0 or stays_until(control, 0, last) or stays_until(experimental, 1, last)
    return left and stays and arm_ends_held(whole, control, 0) and arm_ends_held(whole, experimental, 1)
