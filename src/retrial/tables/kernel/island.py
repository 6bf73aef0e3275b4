"""One island of the sampler: sequential Monte Carlo from the prior to agreement (compiled).

Target at inverse temperatures b: π_b(y, reading) ∝ prior(y) 1[structure] exp(-Σ b E(y, reading)), readings equally likely; b rises
from 0 to infinity, where π is the prior restricted to what agrees. Each level weights the particles by exp(-Δb E) with Δb such
that the effective sample size is a fixed share, resamples systematically, and moves every particle by Metropolis-Hastings at the
new b (Del Moral, Doucet and Jasra 2006, JRSS B 68:411). Most of what a paper prints is about one arm, and the arms are independent
beforehand. So each arm is brought to what is printed about it alone, without the other; then arms are paired, at random among the
pairs whose events and extremes are the printed ones and whose median rules are the same, with weight exp(-b E) of what belongs to both (hazard
ratio, test, both arms together); then the pairs go on as one population. It stops rising while the particles still move
freely: among states of π_b those with E = 0 are draws of the target, and they are harvested from walks at that b. The product of
the mean weights, of the share of pairs with the structure (against the same share in the prior) and of the share of visits in
agreement estimates the evidence P(agreement | structure), a mean over the readings. Readings are moved with the tables, so that they compete within
one population while they still can: evidence from separate samplers has far larger relative errors than the shares of one.

Tilt: where the paper prints the shortest or longest time, few arms of a fine grid have a patient there. Arms are sampled with a factor
that makes about half of them have one, and pairs pay it back.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uniform
from retrial.tables.kernel.energy import N_ESTIMATORS, N_PARTS, group_energy, joint_parts
from retrial.tables.kernel.entries import from_table, joint_columns, room, to_table
from retrial.tables.kernel.forward import draw_arm, draw_forward
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.problem import (
    ESTIMATOR,
    EVENT_MODE,
    EVENTS_FREE,
    EVENTS_TOTAL,
    FIRST_HELD,
    LAST_HELD,
    PIECES,
    RULE,
    TEST,
    Problem,
)
from retrial.tables.kernel.resampling import BISECTIONS, FIRST_STEP, LAST_STEP, drawn_places, effective_share, level_step, resample
from retrial.tables.kernel.walk import AT_TARGET, JOINT, N_ENERGIES, TOTAL, energies, walk

MAX_LEVELS = 400
EXACT = 0.2
"""Share of an arm's particles with the printed number of events at which the others are let go."""
WALK_ALONE = 10
"""How much longer a walk is that has to forget where it started."""
HARVEST = 0.1
"""Share of particles in agreement at which the temperature stays: lower, and visits are rare; higher, and walks freeze."""
LOOKS, BETWEEN = 40, 4
"""Looks at every particle there, and how many of them fit into one level's proposals."""
PAIRS, MANY_PAIRS, LEAST_PAIRS = 100, 60_000, 4
"""Pairs looked at per particle, but no more than `MANY_PAIRS` unless that is fewer than `LEAST_PAIRS` per particle."""
NOT_A_READING = -1


@compiled
def take_parents(
    parents: np.ndarray,
    scope: int,
    reading: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
) -> None:
    """Put a copy of its parent (of its arm in scope) in the place of each particle that was not kept."""
    for i in range(parents.size):
        p = parents[i]
        if p == i:
            continue
        for a in range(2):
            if scope in (BOTH, a):
                t[i, a], d[i, a], c[i, a], m[i, a] = t[p, a], d[p, a], c[p, a], m[p, a]
                levels[i, :, a], energy[i, a], ancestor[i, a], reading[i, a] = (
                    levels[p, :, a],
                    energy[p, a],
                    ancestor[p, a],
                    reading[p, a],
                )
        if scope == BOTH:
            energy[i, TOTAL], energy[i, JOINT] = energy[p, TOTAL], energy[p, JOINT]


@compiled
def level_weights(energy: np.ndarray, cold: np.ndarray, step: float, scope: int, out: np.ndarray) -> None:
    """Exponents of the particles' weights when the temperature of what belongs to `scope` falls by `step`. For pairs (scope 2) what
    belongs to both goes first; each arm follows from where it stands already.
    """
    for i in range(out.size):
        if scope == BOTH:
            after = cold[JOINT] + step
            out[i] = step * (energy[i, TOTAL] + energy[i, JOINT])
            out[i] += (max(cold[0], after) - cold[0]) * energy[i, 0] + (max(cold[1], after) - cold[1]) * energy[i, 1]
        else:
            out[i] = step * energy[i, scope]


@compiled
def cooled(cold: np.ndarray, step: float, scope: int) -> None:
    """Take the step, see `level_weights`."""
    if scope == BOTH:
        cold[TOTAL] += step
        cold[JOINT] += step
        cold[0], cold[1] = max(cold[0], cold[JOINT]), max(cold[1], cold[JOINT])
    else:
        cold[scope] += step


@compiled
def next_step(energy: np.ndarray, cold: np.ndarray, scope: int, share: float, scratch: np.ndarray) -> float:
    """Δb whose weights keep `share` of the particles effective (bisection on a log scale)."""
    low, high = math.log(FIRST_STEP), math.log(LAST_STEP)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        level_weights(energy, cold, math.exp(middle), scope, scratch)
        if effective_share(scratch, 1.0) > share:
            low = middle
        else:
            high = middle
    return math.exp(low)


@compiled
def anneal(
    problem: Problem,
    readings: np.ndarray,
    n: np.ndarray,
    reading: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    max_proposals: int,
    share: float,
    last_temperature: float,
    state: np.ndarray,
) -> tuple[float, int, int, int]:
    """Cool what belongs to `scope` until `HARVEST` of the particles agree, or to the last temperature.

    Returns log evidence of that, proposals per particle at the last level, levels, proposals made. `reading` is (N, 2): of each arm
    while it is alone, in its first column for pairs.
    """
    n_particles, scratch = energy.shape[0], np.empty(energy.shape[0])
    log_evidence, proposals, n_levels, made, place = 0.0, n_proposals, 0, 0, JOINT if scope == BOTH else scope
    column = 0 if scope == BOTH else scope
    while True:
        agreeing = 0
        for i in range(n_particles):
            agreeing += (energy[i].sum() if scope == BOTH else energy[i, scope]) == 0.0
        if agreeing >= HARVEST * n_particles or cold[place] >= last_temperature or n_levels >= MAX_LEVELS:
            return log_evidence, proposals, n_levels, made
        step = min(next_step(energy, cold, scope, share, scratch), last_temperature - cold[place])
        level_weights(energy, cold, step, scope, scratch)
        weights = np.exp(-scratch)
        log_evidence += math.log(weights.mean())
        take_parents(resample(weights, state), scope, reading, t, d, c, m, levels, energy, ancestor)
        cooled(cold, step, scope)
        accepted = 0
        for i in range(n_particles):
            accepted += walk(
                problem,
                readings,
                reading[i, column : column + 1],
                n,
                t[i],
                d[i],
                c[i],
                m[i],
                levels[i],
                energy[i],
                cold,
                tilt,
                scope,
                proposals,
                state,
            )
        n_levels += 1
        made += proposals * n_particles
        wanted = n_proposals * 0.1 * proposals * n_particles / max(accepted, 1)
        proposals = int(min(max(wanted, 0.5 * n_proposals), max_proposals))


@compiled
def harvest(
    problem: Problem,
    readings: np.ndarray,
    n: np.ndarray,
    reading: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    n_between: int,
    state: np.ndarray,
) -> np.ndarray:
    """Let every pair walk on at its temperatures, where it leaves agreement and comes back, and look at it `LOOKS` times.

    A state in agreement that a walk at any temperature visits is a draw of the target. Each particle is replaced by one of its
    visits, all as likely; returns their (N,) numbers.
    """
    visits = np.zeros(energy.shape[0])
    for i in range(energy.shape[0]):
        walker = t[i].copy(), d[i].copy(), c[i].copy(), m[i].copy(), levels[i].copy(), energy[i].copy()
        read = reading[i, :1].copy()
        for look in range(LOOKS):
            if look > 0:
                walk(
                    problem,
                    readings,
                    read,
                    n,
                    walker[0],
                    walker[1],
                    walker[2],
                    walker[3],
                    walker[4],
                    walker[5],
                    cold,
                    tilt,
                    BOTH,
                    n_between,
                    state,
                )
            if walker[5].sum() == 0.0:
                visits[i] += 1.0
                if uniform(state) * visits[i] < 1.0:
                    reading[i, 0] = read[0]
                    t[i], d[i], c[i], m[i], levels[i], energy[i] = (
                        walker[0],
                        walker[1],
                        walker[2],
                        walker[3],
                        walker[4],
                        walker[5],
                    )
    return visits


@compiled
def no_tilt(whole: np.ndarray, n_times: int) -> np.ndarray:
    """(2, 6): no factor, and the shortest and longest time of all patients, out of the grid where not printed."""
    out = np.zeros((2, 6))
    out[:, 2] = whole[FIRST_HELD + 2]
    out[:, 3] = whole[LAST_HELD + 2] if whole[LAST_HELD + 2] >= 0 else n_times
    return out


@compiled
def ends(t: np.ndarray, m: np.ndarray, a: int, tilt: np.ndarray) -> tuple[int, int]:
    """Whether (1, 0) somebody of an arm leaves by the shortest time of all patients, and stays until their longest."""
    first = 1 if m[a] > 0 and t[a, 0] <= tilt[a, 2] else 0
    return first, 1 if m[a] > 0 and t[a, m[a] - 1] >= tilt[a, 3] else 0


@compiled
def pair_classes(
    t: np.ndarray, d: np.ndarray, m: np.ndarray, rule: np.ndarray, a: int, by_events: bool, n: int, tilt: np.ndarray
) -> np.ndarray:
    """(N,) what of an arm decides which arms it can be paired with: its median rule, events (where their total is printed) and ends,
    as one number: ((rule · (n + 1) + events) · 2 + first) · 2 + last.
    """
    out = np.empty(t.shape[0], np.int64)
    for i in range(t.shape[0]):
        events = 0
        if by_events:
            for k in range(m[i, a]):
                events += d[i, a, k]
        first, last = ends(t[i], m[i], a, tilt)
        out[i] = ((rule[i] * (n + 1) + events) * 2 + first) * 2 + last
    return out


@compiled
def pair_mass(
    classes0: np.ndarray,
    classes1: np.ndarray,
    n: np.ndarray,
    mode: int,
    total: int,
    needed: np.ndarray,
    tilt: np.ndarray,
    n_rules: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of classes of one rule that have the structure: (K, 2) of classes and (K,) pairs of particles, paid back for the tilt.
    `needed` (2,) says whether the first and the last time must be held.
    """
    per0, per1 = 4 * (n[0] + 1), 4 * (n[1] + 1)
    count0, count1 = np.bincount(classes0, minlength=per0 * n_rules), np.bincount(classes1, minlength=per1 * n_rules)
    found, mass = [(np.int64(0), np.int64(0))], [0.0]
    for i in np.flatnonzero(count0):
        rule, events0, first0, last0 = i // per0, i % per0 // 4, i // 2 % 2, i % 2
        pay0 = count0[i] * math.exp(-tilt[0, 0] * first0 - tilt[0, 1] * last0)
        for j in np.flatnonzero(count1[rule * per1 : (rule + 1) * per1]):
            events1, first1, last1 = j // 4, j // 2 % 2, j % 2
            pay = pay0 * count1[rule * per1 + j] * math.exp(-tilt[1, 0] * first1 - tilt[1, 1] * last1)
            if mode == EVENTS_TOTAL and events0 + events1 != total:
                continue
            if (needed[0] and first0 + first1 == 0) or (needed[1] and last0 + last1 == 0):
                continue
            found.append((i, rule * per1 + j))
            mass.append(pay)
    classes = np.empty((len(found), 2), np.int64)
    for k in range(len(found)):
        classes[k, 0], classes[k, 1] = found[k]
    return classes, np.array(mass)


@compiled
def members(classes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Particles in the order of their classes, and (size + 1,) where those of class 0, 1, ... start."""
    starts = np.zeros(size + 1, np.int64)
    for value in classes:
        starts[value + 1] += 1
    return np.argsort(classes, kind="mergesort"), np.cumsum(starts)


@compiled
def draw_pairs(
    classes0: np.ndarray, classes1: np.ndarray, pairs: np.ndarray, mass: np.ndarray, n_pairs: int, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) particles of each arm: classes in proportion to their mass, then an arm of each class."""
    order0, starts0 = members(classes0, pairs[:, 0].max() + 1 if classes0.max() < pairs[:, 0].max() else classes0.max() + 1)
    order1, starts1 = members(classes1, pairs[:, 1].max() + 1 if classes1.max() < pairs[:, 1].max() else classes1.max() + 1)
    places = drawn_places(mass, n_pairs, state)
    first, second = np.empty(n_pairs, np.int64), np.empty(n_pairs, np.int64)
    for k in range(n_pairs):
        i, j = pairs[places[k]]
        first[k] = order0[starts0[i] + int(uniform(state) * (starts0[i + 1] - starts0[i]))]
        second[k] = order1[starts1[j] + int(uniform(state) * (starts1[j + 1] - starts1[j]))]
    return first, second


@compiled
def pair_step(energy: np.ndarray, first: np.ndarray, second: np.ndarray, n_particles: int, share: float) -> float:
    """Inverse temperature at which pairs (P, R) by reading are resampled: as high as keeps `share` of `n_particles` effective, of the pairs
    and of each arm's particles among them.
    """
    low, high = math.log(FIRST_STEP), math.log(LAST_STEP)
    weight0, weight1 = np.zeros(first.max() + 1), np.zeros(second.max() + 1)
    for _ in range(BISECTIONS):
        step = math.exp(0.5 * (low + high))
        weight0[:], weight1[:] = 0.0, 0.0
        total, squares = 0.0, 0.0
        least = energy.min()
        for k in range(first.size):
            weight = 0.0
            for q in range(energy.shape[1]):
                weight += math.exp(-step * (energy[k, q] - least))
            total += weight
            squares += weight * weight
            weight0[first[k]] += weight
            weight1[second[k]] += weight
        effective = total * total / max(squares, (weight0 * weight0).sum(), (weight1 * weight1).sum())
        if effective > share * n_particles:
            low = math.log(step)
        else:
            high = math.log(step)
    return math.exp(low)


@compiled
def pair_energies(
    problem: Problem,
    readings: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    i: int,
    j: int,
    out: np.ndarray,
) -> None:
    """Energy of what belongs to both of particle i's control and particle j's experimental arm, under each of some readings of one rule
    (infinite for `NOT_A_READING`); every estimator and test is computed once.
    """
    width = t.shape[2]
    both = np.empty((2, width), np.int64), np.empty((2, width), np.int64), np.empty((2, width), np.int64), np.empty(2, np.int64)
    for a in range(2):
        p = i if a == 0 else j
        both[3][a] = m[p, a]
        for k in range(m[p, a]):
            both[0][a, k], both[1][a, k], both[2][a, k] = t[p, a, k], d[p, a, k], c[p, a, k]
    ct, jd, jr = np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width + 1), np.int64)
    whole, real = problem.whole[readings[0]], problem.real[readings[0]]
    k = joint_columns(both[0], both[1], both[2], both[3], n[0], n[1], ct, jd, jr)
    total = group_energy(whole, real, problem.times, problem.inverse, ct, jd, jr, TOTAL, k)
    parts = np.zeros(N_PARTS)
    joint_parts(real, problem.inverse, jd, jr, parts)
    for q in range(readings.size):
        if readings[q] == NOT_A_READING:
            out[q] = np.inf
            continue
        estimator, test = problem.whole[readings[q], ESTIMATOR], problem.whole[readings[q], TEST]
        out[q] = total + (parts[estimator] if estimator >= 0 else 0.0) + (parts[N_ESTIMATORS + test] if test >= 0 else 0.0)


@compiled
def join(
    problem: Problem,
    readings_of: np.ndarray,
    n: np.ndarray,
    reading: np.ndarray,
    rule: np.ndarray,
    classes0: np.ndarray,
    classes1: np.ndarray,
    pairs: np.ndarray,
    mass: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
    cold: np.ndarray,
    share: float,
    last_temperature: float,
    state: np.ndarray,
) -> float:
    """Pair the arms, in place; returns the log of the mean weight. `readings_of` (rules, R) are the readings with each rule."""
    n_particles = t.shape[0]
    first, second = draw_pairs(
        classes0, classes1, pairs, mass, max(min(PAIRS * n_particles, MANY_PAIRS), LEAST_PAIRS * n_particles), state
    )
    found = np.empty((first.size, readings_of.shape[1]))
    for k in range(first.size):
        pair_energies(problem, readings_of[rule[first[k]]], n, t, d, c, m, first[k], second[k], found[k])
    step = min(pair_step(found, first, second, n_particles, share), last_temperature)
    weights = np.exp(-step * found)
    log_mean = math.log(weights.mean())
    by_pair = weights.sum(axis=1)
    places = drawn_places(by_pair, n_particles, state)
    old = t.copy(), d.copy(), c.copy(), m.copy(), levels.copy(), energy.copy(), ancestor.copy()
    for k in range(n_particles):
        for a in range(2):
            p = first[places[k]] if a == 0 else second[places[k]]
            t[k, a], d[k, a], c[k, a], m[k, a] = old[0][p, a], old[1][p, a], old[2][p, a], old[3][p, a]
            levels[k, :, a], energy[k, a], ancestor[k, a] = old[4][p, :, a], old[5][p, a], old[6][p, a]
        left, q = uniform(state) * by_pair[places[k]], 0
        while left >= weights[places[k], q] and q < weights.shape[1] - 1:
            left -= weights[places[k], q]
            q += 1
        reading[k, 0] = readings_of[rule[first[places[k]]], q]
        energies(problem, reading[k, 0], n, t[k], d[k], c[k], m[k], BOTH, energy[k])
    cold[TOTAL], cold[JOINT] = step, step
    return log_mean


@compiled
def free_of_events(problem: Problem) -> Problem:
    """The same without printed numbers of events."""
    whole = problem.whole.copy()
    whole[:, EVENT_MODE] = EVENTS_FREE
    return Problem(
        problem.times,
        problem.inverse,
        problem.segment,
        problem.printed,
        problem.curve,
        problem.prior,
        problem.steps,
        whole,
        problem.real,
    )


@compiled
def reach_events(
    problem: Problem,
    a: int,
    n: np.ndarray,
    reading: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    ancestor: np.ndarray,
    tilt: np.ndarray,
    n_proposals: int,
    share: float,
    state: np.ndarray,
) -> bool:
    """Bring one arm's particles to its printed number of events by a tilt that rises, and take it away; False where none gets there.

    What is left are draws of the prior given the number, whose own probability is not a part of the evidence.
    """
    free, cold, miss = free_of_events(problem), np.zeros(N_ENERGIES), np.empty(t.shape[0])
    for level in range(MAX_LEVELS):
        for i in range(miss.size):
            miss[i] = abs(d[i, a, : m[i, a]].sum() - tilt[a, 5])
        exact = (miss == 0.0).sum()
        if exact >= EXACT * miss.size or level == MAX_LEVELS - 1:
            break
        step = level_step(miss, share)
        take_parents(resample(np.exp(-step * (miss - miss.min())), state), a, reading, t, d, c, m, levels, energy, ancestor)
        tilt[a, 4] += step
        for i in range(miss.size):
            walk(free, reading[i], reading[i, a : a + 1], n, t[i], d[i], c[i], m[i], levels[i], energy[i], cold, tilt, a, n_proposals, state)
    tilt[a, 4] = 0.0
    if exact == 0:
        return False
    take_parents(resample(1.0 * (miss == 0.0), state), a, reading, t, d, c, m, levels, energy, ancestor)
    return True


@compiled
def start_arm(
    problem: Problem,
    first_d: np.ndarray,
    first_r: np.ndarray,
    a: int,
    n: np.ndarray,
    readings: np.ndarray,
    reading: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    ancestor: np.ndarray,
    tilt: np.ndarray,
    n_burn_in: int,
    n_proposals: int,
    share: float,
    state: np.ndarray,
) -> None:
    """Particles of one arm of the tilted prior, readings in turn: drawn forward in time, brought to the printed number of events, then each
    a walk of its own of `n_burn_in` proposals.

    Where none can be drawn forward: one long walk from the first table, a particle every `WALK_ALONE` times as many.
    """
    energy = np.zeros((t.shape[0], N_ENERGIES))
    drawn = draw_arm(problem, first_d, first_r, a, t, d, c, m, levels, tilt, state)
    if drawn and tilt[a, 4] > 0.0:
        drawn = reach_events(
            problem, a, n, reading, t, d, c, m, levels, energy, ancestor, tilt, n_proposals, share, state
        )
    if not drawn:
        n_burn_in *= WALK_ALONE
        m[0, a] = from_table(first_d, first_r, a, t[0], d[0], c[0])
        levels[0, :, a] = problem.prior.shape[0] // 2
    cold = np.zeros(N_ENERGIES)
    for i in range(t.shape[0]):
        reading[i, a] = readings[i % readings.size]
        if i > 0 and not drawn:
            t[i, a], d[i, a], c[i, a], m[i, a], levels[i, :, a] = (
                t[i - 1, a],
                d[i - 1, a],
                c[i - 1, a],
                m[i - 1, a],
                levels[i - 1, :, a],
            )
        walk(
            problem,
            readings,
            reading[i, a : a + 1],
            n,
            t[i],
            d[i],
            c[i],
            m[i],
            levels[i],
            energy[i],
            cold,
            tilt,
            a,
            n_burn_in,
            state,
        )


@compiled
def readings_by_rule(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rules,) the first reading with each rule of the medians' intervals, and (rules, R) all readings with it."""
    rules = np.unique(whole[:, RULE])
    counts = np.array([(whole[:, RULE] == rule).sum() for rule in rules])
    found = np.full((rules.size, counts.max()), NOT_A_READING)
    for k in range(rules.size):
        found[k, : counts[k]] = np.flatnonzero(whole[:, RULE] == rules[k])
    return found[:, 0].copy(), found


@compiled
def rule_of(reading: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Number of the rule of each arm's reading, one of `firsts`."""
    out = np.zeros(reading.size, np.int64)
    for i in range(reading.size):
        for k in range(firsts.size):
            if reading[i] == firsts[k]:
                out[i] = k
    return out


@compiled
def run_island(
    problem: Problem,
    first_d: np.ndarray,
    first_r: np.ndarray,
    n_particles: int,
    n_burn_in: int,
    n_proposals: int,
    max_proposals: int,
    n_target: int,
    share: float,
    last_temperature: float,
    state: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Particles: (N,) readings, (N, 3, T) events, (N, 3, T + 1) at risk, (N, 2, 2, pieces) levels of the prior, (N, 4) energies, (N,) ancestors,
    (3,) summary and its (4,) counts.

    Summary: log evidence (-inf where nobody arrived), last inverse temperature, acceptance at the target. Counts: levels,
    particles that were ever in agreement, proposals made, proposals taken at the target.
    """
    n_times, width, mode = first_d.shape[1], room(first_r), problem.whole[0, EVENT_MODE]
    n = first_r[:2, 0].copy()
    t, d, c = (
        np.zeros((n_particles, 2, width), np.int64),
        np.zeros((n_particles, 2, width), np.int64),
        np.zeros((n_particles, 2, width), np.int64),
    )
    m, levels = np.zeros((n_particles, 2), np.int64), np.zeros((n_particles, 2, 2, problem.whole[0, PIECES]), np.int64)
    energy, reading = np.zeros((n_particles, N_ENERGIES)), np.zeros((n_particles, 2), np.int64)
    ancestor = np.empty((n_particles, 2), np.int64)
    ancestor[:, 0], ancestor[:, 1] = np.arange(n_particles), np.arange(n_particles)
    summary, counts, cold, tilt = np.zeros(3), np.zeros(4, np.int64), np.zeros(N_ENERGIES), no_tilt(problem.whole[0], n_times)
    firsts, readings_of = readings_by_rule(problem.whole)
    total = first_d[2].sum()
    needed = np.array([problem.whole[0, FIRST_HELD + 2] >= 0, problem.whole[0, LAST_HELD + 2] >= 0])
    for a in range(2):
        start_arm(
            problem,
            first_d,
            first_r,
            a,
            n,
            firsts,
            reading,
            t,
            d,
            c,
            m,
            levels,
            ancestor,
            tilt,
            n_burn_in,
            n_proposals,
            share,
            state,
        )
    by_total, nobodys = mode == EVENTS_TOTAL, np.zeros(n_particles, np.int64)
    classes0 = pair_classes(t, d, m, nobodys, 0, by_total, n[0], tilt)
    classes1 = pair_classes(t, d, m, nobodys, 1, by_total, n[1], tilt)
    _, prior_mass = pair_mass(classes0, classes1, n, mode, total, needed, tilt, 1)
    log_evidence = -math.log(max(prior_mass.sum(), 1.0))
    proposals = n_proposals
    for a in range(2):
        for i in range(n_particles):
            energies(problem, reading[i, a], n, t[i], d[i], c[i], m[i], a, energy[i])
        found, proposals, n_levels, made = anneal(
            problem,
            firsts,
            n,
            reading,
            t,
            d,
            c,
            m,
            levels,
            energy,
            ancestor,
            cold,
            tilt,
            a,
            n_proposals,
            max_proposals,
            share,
            last_temperature,
            state,
        )
        log_evidence += found
        counts[0] += n_levels
        counts[2] += made
    rule0, rule1 = rule_of(reading[:, 0].copy(), firsts), rule_of(reading[:, 1].copy(), firsts)
    classes0 = pair_classes(t, d, m, rule0, 0, by_total, n[0], tilt)
    classes1 = pair_classes(t, d, m, rule1, 1, by_total, n[1], tilt)
    pairs, mass = pair_mass(classes0, classes1, n, mode, total, needed, tilt, firsts.size)
    d_out, r_out = np.zeros((n_particles, 3, n_times), np.int64), np.zeros((n_particles, 3, n_times + 1), np.int64)
    if mass.sum() > 0.0:
        log_evidence += math.log(mass.sum() * firsts.size)
        log_evidence += join(
            problem,
            readings_of,
            n,
            reading,
            rule0,
            classes0,
            classes1,
            pairs,
            mass,
            t,
            d,
            c,
            m,
            levels,
            energy,
            ancestor,
            cold,
            share,
            last_temperature,
            state,
        )
        log_evidence += math.log(readings_of.size / problem.whole.shape[0])
        tilt[:, :2] = 0.0
        everything = np.arange(problem.whole.shape[0])
        found, proposals, n_levels, made = anneal(
            problem,
            everything,
            n,
            reading,
            t,
            d,
            c,
            m,
            levels,
            energy,
            ancestor,
            cold,
            tilt,
            BOTH,
            n_proposals,
            max_proposals,
            share,
            last_temperature,
            state,
        )
        log_evidence += found
        counts[0] += n_levels
        n_between = max(1, proposals // BETWEEN)
        visits = harvest(problem, everything, n, reading, t, d, c, m, levels, energy, cold, tilt, n_between, state)
        counts[1], counts[2] = (visits > 0.0).sum(), counts[2] + made + LOOKS * n_between * n_particles
        summary[1] = cold[JOINT]
    if counts[1] == 0:
        summary[0] = -np.inf
        energy[:, JOINT] += mass.sum() == 0.0  # arms that cannot be paired are no table in agreement
    else:
        summary[0] = log_evidence + math.log(visits.mean() / LOOKS)
        take_parents(resample(visits, state), BOTH, reading, t, d, c, m, levels, energy, ancestor)
        cold[:] = AT_TARGET
        for i in range(n_particles):
            counts[3] += walk(
                problem,
                everything,
                reading[i, :1],
                n,
                t[i],
                d[i],
                c[i],
                m[i],
                levels[i],
                energy[i],
                cold,
                tilt,
                BOTH,
                n_target,
                state,
            )
        counts[2] += n_target * n_particles
        summary[2] = counts[3] / max(1, n_target * n_particles)
    for i in range(n_particles):
        to_table(t[i], d[i], c[i], m[i], d_out[i], r_out[i])
    fewer = 0 if np.unique(ancestor[:, 0]).size <= np.unique(ancestor[:, 1]).size else 1
    return reading[:, 0].copy(), d_out, r_out, levels, energy, ancestor[:, fewer].copy(), summary, counts


@compiled
def draw_prior(problem: Problem, d: np.ndarray, r: np.ndarray, levels: np.ndarray, n_burn_in: int, state: np.ndarray) -> None:
    """Tables (N, 3, T) and (N, 3, T + 1) of the prior with the printed structure, which the first one has: drawn forward in time, then each a
    walk of its own of `n_burn_in` proposals; where none can be drawn forward one long walk, a table every `WALK_ALONE` times as many.
    """
    drawn = draw_forward(problem, d[0].copy(), r[0].copy(), d, r, levels, state)
    if not drawn:
        n_burn_in *= WALK_ALONE
    width, n = room(r[0]), r[0, :2, 0].copy()
    t, dd, cc, m = (
        np.zeros((2, width), np.int64),
        np.zeros((2, width), np.int64),
        np.zeros((2, width), np.int64),
        np.zeros(2, np.int64),
    )
    cold, energy, tilt, reading = (
        np.zeros(N_ENERGIES),
        np.zeros(N_ENERGIES),
        no_tilt(problem.whole[0], d.shape[2]),
        np.zeros(1, np.int64),
    )
    for i in range(d.shape[0]):
        if i > 0 and not drawn:
            d[i], r[i], levels[i] = d[i - 1], r[i - 1], levels[i - 1]
        for a in range(2):
            m[a] = from_table(d[i], r[i], a, t, dd, cc)
        walk(problem, reading, reading, n, t, dd, cc, m, levels[i], energy, cold, tilt, BOTH, n_burn_in, state)
        to_table(t, dd, cc, m, d[i], r[i])
