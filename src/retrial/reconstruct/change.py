"""What a proposal changes in the prior and in the energy of a table (compiled into the walk)."""

from __future__ import annotations

import numpy as np

from retrial.reconstruct.compiled import inlined
from retrial.reconstruct.energy import group_energy, joint_energy
from retrial.reconstruct.prior import log_prior_at

JOINT = 3
"""Place of the hazard ratio's and χ²'s energy, after the three groups'."""


@inlined
def touched(steps: np.ndarray, n_steps: int, arm: int) -> tuple[int, int]:
    """First and last time at which a proposal changes an arm; (0, -1) where it does not."""
    first, last = 0, -1
    for i in range(n_steps):
        if steps[i, 0] == arm:
            low, high = min(steps[i, 2], steps[i, 4]), max(steps[i, 2], steps[i, 4])
            if last < 0:
                first, last = low, high
            else:
                first, last = min(first, low), max(last, high)
    return first, last


@inlined
def prior_change(
    factors: np.ndarray,
    levels: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    steps: np.ndarray,
    n_steps: int,
    prior: np.ndarray,
    new_prior: np.ndarray,
) -> float:
    """Change of the log prior by a proposal; the new terms go to `new_prior`."""
    change = 0.0
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            new_prior[arm, t] = log_prior_at(factors, levels, d, r, arm, t)
            change += new_prior[arm, t] - prior[arm, t]
    return change


@inlined
def keep_prior(steps: np.ndarray, n_steps: int, prior: np.ndarray, new_prior: np.ndarray) -> None:
    """Take over the prior's terms that a proposal changed."""
    for arm in range(2):
        first, last = touched(steps, n_steps, arm)
        for t in range(first, last + 1):
            prior[arm, t] = new_prior[arm, t]


@inlined
def changes(steps: np.ndarray, n_steps: int, g: int) -> bool:
    """Whether a proposal changes an arm (0, 1), or both arms together (2: not by an exchange of cells between the arms)."""
    if g < 2:
        return steps[0, 0] == g or (n_steps == 2 and steps[1, 0] == g)
    forth = steps[0, 1] == steps[1, 3] and steps[0, 2] == steps[1, 4]
    return n_steps == 1 or not (forth and steps[1, 1] == steps[0, 3] and steps[1, 2] == steps[0, 4])


@inlined
def within(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    steps: np.ndarray,
    n_steps: int,
    energy: np.ndarray,
    new: np.ndarray,
    limit: float,
) -> bool:
    """Whether a changed table's energy is at most `limit`; then `new` holds it. The cheapest parts come first."""
    total, low = 0.0, limit >= 0.0
    for g in range(3):
        if low:
            new[g] = energy[g]
            if changes(steps, n_steps, g):
                new[g] = group_energy(whole, real, times, inverse, curve, d, r, g, limit - total)
            total += new[g]
            low = total <= limit
    if low:
        new[JOINT] = joint_energy(whole, real, inverse, d, r, limit - total)
        low = total + new[JOINT] <= limit
    return low
