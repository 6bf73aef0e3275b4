"""What the sampler does to every particle of a population (compiled): walks, energies, energies of pairs of arms, entries of drawn tables."""

from __future__ import annotations

import numpy as np

from retrial.tables.kernel.compiled import compiled, uncounted
from retrial.tables.kernel.energy import N_ESTIMATORS, N_PARTS, group_energy, joint_parts
from retrial.tables.kernel.entries import from_table, joint_columns, to_table
from retrial.tables.kernel.problem import ESTIMATOR, TEST, Problem
from retrial.tables.kernel.walk import TOTAL, energies, walk

NOT_A_READING = -1
"""Fills a row of readings."""


@compiled
def walk_all(
    problem: Problem,
    readings: np.ndarray,
    reading: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    levels: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    state: np.ndarray,
) -> int:
    """`walk.walk` of every particle (first axis), in place; returns how many proposals were taken. `reading` is (N, 2), of each arm while it is
    alone, in its first column for pairs.
    """
    accepted, column = 0, scope % 2
    for i in range(t.shape[0]):
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
            n_proposals,
            state,
        )
    return accepted


@compiled
def energies_all(
    problem: Problem,
    reading: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    scope: int,
    energy: np.ndarray,
) -> None:
    """`walk.energies` of every particle under its own reading, into `energy` (N, 4)."""
    for i in range(t.shape[0]):
        energies(problem, reading[i, scope % 2], n, t[i], d[i], c[i], m[i], scope, energy[i])


@uncounted
def parts_of_both(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    ct: np.ndarray,
    jd: np.ndarray,
    jr: np.ndarray,
    parts: np.ndarray,
) -> float:
    """Energy of both arms together; `parts` those of every estimator and test (`energy.joint_parts`)."""
    k = joint_columns(t, d, c, m, n[0], n[1], ct, jd, jr)
    joint_parts(real, inverse, jd, jr, parts)
    return group_energy(whole, real, times, inverse, ct, jd, jr, TOTAL, k)


@compiled
def pair_energies(
    problem: Problem,
    readings_of: np.ndarray,
    rule: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    out: np.ndarray,
) -> None:
    """(P, R) energies of what belongs to both arms, of particle first[k]'s control and second[k]'s experimental arm under each of the readings
    `readings_of` (rules, R) of its rule (infinite for `NOT_A_READING`); every estimator and test is computed once.
    """
    width = t.shape[2]
    t2, d2, c2, m2 = np.empty((2, width), np.int64), np.empty((2, width), np.int64), np.empty((2, width), np.int64), m[0].copy()
    ct, jd, jr = np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width), np.int64), np.empty((3, 2 * width + 1), np.int64)
    parts = np.zeros(N_PARTS)
    for k in range(first.size):
        readings = readings_of[rule[first[k]]]
        for a in range(2):
            p = first[k] if a == 0 else second[k]
            m2[a] = m[p, a]
            for i in range(m2[a]):
                t2[a, i], d2[a, i], c2[a, i] = t[p, a, i], d[p, a, i], c[p, a, i]
        whole, real = problem.whole[readings[0]], problem.real[readings[0]]
        total = parts_of_both(whole, real, problem.times, problem.inverse, n, t2, d2, c2, m2, ct, jd, jr, parts)
        for q in range(readings.size):
            out[k, q] = np.inf
            if readings[q] != NOT_A_READING:
                estimator, test = problem.whole[readings[q], ESTIMATOR], problem.whole[readings[q], TEST]
                out[k, q] = (
                    total + (parts[estimator] if estimator >= 0 else 0.0) + (parts[N_ESTIMATORS + test] if test >= 0 else 0.0)
                )


@compiled
def to_entries(d: np.ndarray, r: np.ndarray, t: np.ndarray, dd: np.ndarray, cc: np.ndarray, m: np.ndarray) -> None:
    """Entries (N, 1, M) and their numbers (N, 1) of one arm's tables: (N, T) events and (N, T + 1) at risk."""
    for i in range(d.shape[0]):
        m[i, 0] = from_table(d[i : i + 1], r[i : i + 1], 0, t[i], dd[i], cc[i])


@compiled
def to_tables(t: np.ndarray, dd: np.ndarray, cc: np.ndarray, m: np.ndarray, d: np.ndarray, r: np.ndarray) -> None:
    """(N, 3, T) events and (N, 3, T + 1) at risk of control, experimental and both, from entries."""
    for i in range(t.shape[0]):
        to_table(t[i], dd[i], cc[i], m[i], d[i], r[i])
