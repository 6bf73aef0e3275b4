"""What the sampler does to every particle of a population (compiled): walks, exchanges between temperatures, energies, energies of pairs of arms,
entries of drawn tables.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uniform
from retrial.tables.kernel.energy import N_ESTIMATORS, N_PARTS, group_energy, joint_parts
from retrial.tables.kernel.entries import Arms, columns_for, from_table, joint_columns, room_like, to_table
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.prior import coupling_of, move_hazards, move_runs
from retrial.tables.kernel.problem import ESTIMATOR, TEST, Problem
from retrial.tables.kernel.walk import N_ENERGIES, TOTAL, energies, walk

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
    slots: bool,
    hazards: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    scope: int,
    n_proposals: int,
    redraws: np.ndarray,
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
            Arms(t[i], d[i], c[i], m[i], n, slots),
            hazards[i],
            energy[i],
            cold,
            tilt,
            scope,
            n_proposals,
            redraws,
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
    slots: bool,
    scope: int,
    energy: np.ndarray,
) -> None:
    """`walk.energies` of every particle under its own reading, into `energy` (N, 4)."""
    for i in range(t.shape[0]):
        energies(problem, reading[i, scope % 2], Arms(t[i], d[i], c[i], m[i], n, slots), scope, energy[i])


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
    slots: bool,
    first: np.ndarray,
    second: np.ndarray,
    out: np.ndarray,
) -> None:
    """(P, R) energies of what belongs to both arms, of particle first[k]'s control and second[k]'s experimental arm under each of the readings
    `readings_of` (rules, R) of its rule (infinite for `NOT_A_READING`); every estimator and test is computed once.
    """
    width, parts = t.shape[2], np.zeros(N_PARTS)
    both, columns = room_like(Arms(t[0], d[0], c[0], m[0], n, slots)), columns_for(width)
    for k in range(first.size):
        readings = readings_of[rule[first[k]]]
        for a in range(2):
            p = first[k] if a == 0 else second[k]
            both.m[a] = m[p, a]
            for i in range(m[p, a]):
                both.t[a, i], both.d[a, i], both.c[a, i] = t[p, a, i], d[p, a, i], c[p, a, i]
        whole, real = problem.whole[readings[0]], problem.real[readings[0]]
        n_columns = joint_columns(both, both, columns)
        joint_parts(real, problem.inverse, columns.both_d, columns.both_r, parts)
        total = group_energy(
            whole, real, problem.times, problem.inverse, columns.t, columns.both_d, columns.both_r, TOTAL, n_columns
        )
        for q in range(readings.size):
            out[k, q] = np.inf
            if readings[q] != NOT_A_READING:
                estimator, test = problem.whole[readings[q], ESTIMATOR], problem.whole[readings[q], TEST]
                out[k, q] = (
                    total + (parts[estimator] if estimator >= 0 else 0.0) + (parts[N_ESTIMATORS + test] if test >= 0 else 0.0)
                )


@compiled
def couple_all(
    problem: Problem,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    slots: bool,
    hazards: np.ndarray,
    coupling: np.ndarray,
    logs: np.ndarray,
    state: np.ndarray,
) -> None:
    """Couple the arms of every particle step by step, their tables as they are: at each of the rising `coupling` (K,) the log weight (N,) falls
    by the step times the coupling's energy, and then the hazards are moved (annealed importance sampling, Neal 2001).
    """
    statistics = np.empty((2, 2, hazards.shape[3], 2))
    for i in range(t.shape[0]):
        arms = Arms(t[i], d[i], c[i], m[i], n, slots)
        for k in range(1, coupling.size):
            logs[i] -= (coupling[k] - coupling[k - 1]) * coupling_of(problem.gaussians, hazards[i], problem.edges[-1])
            for a in range(2):
                move_hazards(problem.gaussians, hazards[i], arms, a, problem.edges, coupling[k], statistics[a], state)
            move_runs(problem.gaussians, hazards[i], np.int64(BOTH), problem.edges, coupling[k], statistics, state)


@compiled
def to_entries(d: np.ndarray, r: np.ndarray, slots: bool, t: np.ndarray, dd: np.ndarray, cc: np.ndarray, m: np.ndarray) -> None:
    """Entries (N, 1, M) and their numbers (N, 1) of one arm's tables: (N, T) events and (N, T + 1) at risk."""
    for i in range(d.shape[0]):
        m[i, 0] = from_table(d[i : i + 1], r[i : i + 1], 0, slots, t[i], dd[i], cc[i])


@compiled
def to_tables(t: np.ndarray, dd: np.ndarray, cc: np.ndarray, m: np.ndarray, d: np.ndarray, r: np.ndarray) -> None:
    """(N, 3, T) events and (N, 3, T + 1) at risk of control, experimental and both, from entries."""
    for i in range(t.shape[0]):
        to_table(t[i], dd[i], cc[i], m[i], d[i], r[i])


@compiled
def exchange(
    problem: Problem,
    readings: np.ndarray,
    reading: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    slots: bool,
    hazards: np.ndarray,
    energy: np.ndarray,
    cold: np.ndarray,
    tilt: np.ndarray,
    at: np.ndarray,
    n_proposals: int,
    n_sweeps: int,
    redraws: np.ndarray,
    state: np.ndarray,
) -> None:
    """`n_sweeps` times: every particle (first axis) makes `n_proposals` proposals at its rung's temperatures `cold` (L, 5), and then
    neighbouring rungs of a ladder exchange their particles with probability

        min(1, exp(Σ_g (b_g' - b_g) (E_g' - E_g)))      b, E temperatures of a rung and energies of its particle, ' those of the next

    pairs of an even and an odd rung in turn. `at` (R, L) numbers the particle on each rung of each ladder; `redraws` (L, 4) as of a walk, of
    each rung.
    """
    n_ladders, n_rungs = at.shape
    for sweep in range(n_sweeps):
        for ladder in range(n_ladders):
            for rung in range(n_rungs):
                i = at[ladder, rung]
                arms = Arms(t[i], d[i], c[i], m[i], n, slots)
                walk(
                    problem,
                    readings,
                    reading[i, :1],
                    arms,
                    hazards[i],
                    energy[i],
                    cold[rung],
                    tilt,
                    np.int64(BOTH),  # a constant would have all of the walk compiled again, for it alone
                    n_proposals,
                    redraws[rung],
                    state,
                )
            for rung in range(sweep % 2, n_rungs - 1, 2):
                i, j, change = at[ladder, rung], at[ladder, rung + 1], 0.0
                for g in range(N_ENERGIES):
                    change += (cold[rung + 1, g] - cold[rung, g]) * (energy[j, g] - energy[i, g])
                if change >= 0.0 or math.log(1.0 - uniform(state)) <= change:
                    at[ladder, rung], at[ladder, rung + 1] = j, i
