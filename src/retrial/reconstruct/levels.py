"""Moves of the prior's levels, given the table (compiled)."""

from __future__ import annotations

import math

import numpy as np

from retrial.reconstruct.compiled import inlined, next_bits, uncounted, uniform
from retrial.reconstruct.prior import log_prior_at

_LENGTHS = np.array([1, 1, 1, 1, 1, 2, 2, 3])
"""Steps of a level, each as likely, up or down."""


@inlined
def walk_change(steps: np.ndarray, levels: np.ndarray, kind: int, arm: int, piece: int, new: int) -> float:
    """Change of the walk's log probability when one level becomes `new`."""
    old, change = levels[kind, arm, piece], 0.0
    if piece > 0:
        before = levels[kind, arm, piece - 1]
        change += steps[kind, before, new] - steps[kind, before, old]
    if piece < levels.shape[2] - 1:
        after = levels[kind, arm, piece + 1]
        change += steps[kind, new, after] - steps[kind, old, after]
    return change


@uncounted
def move_level(
    factors: np.ndarray,
    steps: np.ndarray,
    levels: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    prior: np.ndarray,
    new_prior: np.ndarray,
    state: np.ndarray,
) -> bool:
    """One Metropolis-Hastings proposal: one level of one kind, arm and piece goes up or down; `prior` (2, T) is kept up to date."""
    bits = np.int64(next_bits(state) >> np.uint64(1))
    kind, arm, length = bits & 1, (bits >> 1) & 1, _LENGTHS[(bits >> 2) & 7]
    pieces, n_times = levels.shape[2], d.shape[1]
    piece = (((bits >> 8) & 0xFFFFFF) * pieces) >> 24
    old = levels[kind, arm, piece]
    new = old + (length if (bits >> 5) & 1 else -length)
    if new < 0 or new >= factors.shape[0]:
        return False
    change = walk_change(steps, levels, kind, arm, piece, new)
    first, stop = (piece * n_times + pieces - 1) // pieces, ((piece + 1) * n_times + pieces - 1) // pieces
    levels[kind, arm, piece] = new
    for t in range(first, stop):
        new_prior[arm, t] = log_prior_at(factors, levels, d, r, arm, t)
        change += new_prior[arm, t] - prior[arm, t]
    if change < 0.0 and math.log(1.0 - uniform(state)) > change:
        levels[kind, arm, piece] = old
        return False
    for t in range(first, stop):
        prior[arm, t] = new_prior[arm, t]
    return True
