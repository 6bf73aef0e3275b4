"""Replica exchange: particles at several inverse temperatures walk, and neighbours change places (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uniform
from retrial.tables.kernel.entries import Arms
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.problem import Problem
from retrial.tables.kernel.walk import N_ENERGIES, walk


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
    swaps: np.ndarray,
    state: np.ndarray,
) -> None:
    """`n_sweeps` times: every particle (first axis) makes `n_proposals` proposals at its rung's temperatures `cold` (L, 5), and then
    neighbouring rungs of a ladder exchange their particles with probability

        min(1, exp(Σ_g (b_g' - b_g) (E_g' - E_g)))      b, E temperatures of a rung and energies of its particle, ' those of the next

    pairs of an even and an odd rung in turn. `at` (R, L) numbers the particle on each rung of each ladder; `redraws` (L, 4) as of a walk, of
    each rung; `swaps` (2, L - 1) counts exchanges tried and made.
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
                    BOTH,
                    n_proposals,
                    redraws[rung],
                    state,
                )
            for rung in range(sweep % 2, n_rungs - 1, 2):
                i, j, change = at[ladder, rung], at[ladder, rung + 1], 0.0
                for g in range(N_ENERGIES):
                    change += (cold[rung + 1, g] - cold[rung, g]) * (energy[j, g] - energy[i, g])
                swaps[0, rung] += 1
                if change >= 0.0 or math.log(1.0 - uniform(state)) <= change:
                    at[ladder, rung], at[ladder, rung + 1] = j, i
                    swaps[1, rung] += 1
