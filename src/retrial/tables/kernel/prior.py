"""Prior of a life table: beta-binomial events and censorings whose mean hazards follow a random walk over pieces of the grid.

Given r at risk: d ~ BetaBin(r, a_d, b_d), c | d ~ BetaBin(r - d, a_c, b_c), independently over times and arms given the means;
at the last grid time everybody who is left leaves. BetaBin(k; n, a, b) = C(n, k) B(k + a, n - k + b) / B(a, b): each time has its
own hazard with a Beta(a, b) prior of mean a / (a + b), integrated out.

The mean is not known beforehand: early deaths, cures and follow-up that ends all at once are as possible as constant hazards.
For events and censorings of each arm apart, the grid is cut into `pieces`; a piece has one of K means on a log scale, the first
uniform over them, the next by a walk P(level j | level i) ∝ exp(-|log m_j - log m_i| / walk_scale). Where a mean is given, K is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from retrial.errors import ConfigError
from retrial.tables.kernel.compiled import inlined, uncounted
from retrial.tables.kernel.entries import Arms, events_of, leaves_by, position, stays_until

LEAST_LEAVING, LARGEST_MEAN = 0.05, 0.5
"""Lowest mean: a twentieth of the patients leaves over the whole grid; highest: half of those at risk at each time."""
LEVEL_RATIO = 1.7
"""About the ratio of two neighbouring means: finer is not seen in forty patients."""
CENSORING, EVENT = 0, 1
"""First index of the levels."""


@dataclass(frozen=True, slots=True)
class TablePrior:
    """Hyper-parameters of the beta-binomial prior.

    event_mean, censoring_mean    mean hazard per grid step; None: unknown, by piece and arm (the random walk above)
    event_shape, censoring_shape  a of Beta(a, b); 1 is weakly informative: the hazard's SD is about its mean
    pieces                        of the grid
    walk_scale                    mean change of the log hazard from one piece to the next
    """

    event_mean: float | None = None
    event_shape: float = 1.0
    censoring_mean: float | None = None
    censoring_shape: float = 1.0
    pieces: int = 6
    walk_scale: float = 0.7

    def __post_init__(self) -> None:
        problems = [
            f"reconstruction.prior.{name}: got {value}; allowed is above 0 and below 1"
            for name, value in (("event_mean", self.event_mean), ("censoring_mean", self.censoring_mean))
            if value is not None and not 0 < value < 1
        ] + [
            f"reconstruction.prior.{name}: got {value}; allowed is above 0"
            for name, value in (
                ("event_shape", self.event_shape),
                ("censoring_shape", self.censoring_shape),
                ("walk_scale", self.walk_scale),
                ("pieces", self.pieces),
            )
            if not value > 0
        ]
        if problems:
            raise ConfigError("cannot use the prior of the life tables", problems)

    def means(self, n_times: int) -> tuple[np.ndarray, np.ndarray]:
        """(K,) possible means of censorings and of events on a grid of `n_times`; a given mean K times."""
        given = (self.censoring_mean, self.event_mean)
        least = LEAST_LEAVING / max(n_times, 1)
        count = 1 if None not in given else 1 + round(math.log(LARGEST_MEAN / least) / math.log(LEVEL_RATIO))
        free = np.geomspace(least, LARGEST_MEAN, count)
        censoring, event = (free if mean is None else np.full(count, mean) for mean in given)
        return censoring, event

    def parameters(self, n_times: int) -> np.ndarray:
        """(K, 4) a_d, b_d, a_c, b_c at each level."""
        censoring, event = self.means(n_times)
        a_d, a_c = self.event_shape, self.censoring_shape
        return np.column_stack(
            [np.full(event.size, a_d), a_d * (1 - event) / event, np.full(event.size, a_c), a_c * (1 - censoring) / censoring]
        )

    def steps(self, n_times: int) -> np.ndarray:
        """(2, K, K) log P(level j | level i) of the walks of censorings and of events; uniform where the mean is given."""
        found = []
        for means in self.means(n_times):
            logs = -np.abs(np.subtract.outer(np.log(means), np.log(means))) / self.walk_scale
            found.append(logs - np.log(np.exp(logs).sum(axis=1, keepdims=True)))
        return np.stack(found)


def prior_factors(prior: TablePrior, n_times: int, n_patients: int) -> np.ndarray:
    """(K, 10, n + 1) factors: log BetaBin(k; m) = F[k] + G[m - k] + N[m], rows F, G, N of events, then of censorings; then by m the log
    probabilities of no event, one event, no censoring, one censoring: the commonest, as one look-up each.
    """
    out = []
    for a_d, b_d, a_c, b_c in prior.parameters(n_times):
        rows = np.concatenate([_factors(a_d, b_d, n_patients), _factors(a_c, b_c, n_patients)])
        few = [
            rows[row][k] + np.concatenate([np.full(k, -np.inf), rows[row + 1, : n_patients + 1 - k]]) + rows[row + 2]
            for row in (0, 3)
            for k in (0, 1)
        ]
        out.append(np.concatenate([rows, few]))
    return np.stack(out)


NO_EVENT, ONE_EVENT, NO_CENSORING, ONE_CENSORING = 6, 7, 8, 9
"""Rows of the factors, see `prior_factors`."""


def _factors(a: float, b: float, n: int) -> np.ndarray:
    k = np.arange(n + 1.0)
    return np.array(
        [
            gammaln(k + a) - gammaln(k + 1) - gammaln(a),
            gammaln(k + b) - gammaln(k + 1) - gammaln(b),
            gammaln(k + 1) - gammaln(k + a + b) + gammaln(a + b),
        ]
    )


@inlined
def piece_of(t: int, n_times: int, pieces: int) -> int:
    """Piece of the grid that a time belongs to."""
    return t * pieces // n_times


@uncounted
def at_risk_from(arms: Arms, a: int, time: int) -> tuple[int, int]:
    """Entries of an arm before a time, and patients at risk there."""
    i, left = position(arms, a, time), 0
    for k in range(i):
        left += arms.d[a, k] + arms.c[a, k]
    return i, arms.n[a] - left


@uncounted
def log_prior(
    factors: np.ndarray,
    levels: np.ndarray,
    arms: Arms,
    a: int,
    n_times: int,
    low: int,
    high: int,
    i: int,
    at_risk: int,
) -> float:
    """Log prior probability of what happens in one arm at the grid times low, ..., high - 1 given those who are still at risk,
    from its entries (`retrial.tables.kernel.entries`), of which i come before `low`: of two tables that differ there alone the prior's ratio,
    at the cost of what differs.

    Times at which nobody leaves come in runs with the same number at risk: a run of k counts k times log P(0 events, 0 censorings).
    """
    t, d, c, m = arms.t, arms.d, arms.c, arms.m[a]
    pieces = levels.shape[2]
    total, time, piece = 0.0, low, piece_of(low, n_times, pieces)
    stop = ((piece + 1) * n_times + pieces - 1) // pieces
    event, censoring = levels[EVENT, a, piece], levels[CENSORING, a, piece]
    while True:
        until = min(t[a, i], high) if i < m else high
        while True:
            end = min(until, stop)
            empty = end - time
            if empty > 0:
                total += empty * factors[event, NO_EVENT, at_risk]
                empty -= end == n_times  # at the last time everybody who is left leaves
                total += empty * factors[censoring, NO_CENSORING, at_risk]
                time = end
            if time < stop or time == high:
                break
            piece += 1
            stop = ((piece + 1) * n_times + pieces - 1) // pieces
            event, censoring = levels[EVENT, a, piece], levels[CENSORING, a, piece]
        if time == high:
            return total
        events, censored = d[a, i], c[a, i]
        if events <= 1:
            total += factors[event, NO_EVENT + events, at_risk]
        else:
            total += factors[event, 0, events] + factors[event, 1, at_risk - events] + factors[event, 2, at_risk]
        at_risk -= events
        if time < n_times - 1:
            if censored <= 1:
                total += factors[censoring, NO_CENSORING + censored, at_risk]
            else:
                total += (
                    factors[censoring, 3, censored] + factors[censoring, 4, at_risk - censored] + factors[censoring, 5, at_risk]
                )
        at_risk -= censored
        time += 1
        i += 1


@uncounted
def tilt_of(tilt: np.ndarray, arms: Arms, a: int) -> float:
    """Log of an arm's tilt: [a, 0] where somebody leaves by the time [a, 2], [a, 1] where somebody stays until [a, 3], less [a, 4] for every event
    more or less than [a, 5] (`retrial.tables.sample.smc.arms`).
    """
    total = 0.0
    if tilt[a, 0] != 0.0 and leaves_by(arms, a, tilt[a, 2]):
        total += tilt[a, 0]
    if tilt[a, 1] != 0.0 and stays_until(arms, a, tilt[a, 3]):
        total += tilt[a, 1]
    if tilt[a, 4] > 0.0:
        total -= tilt[a, 4] * abs(events_of(arms, a) - tilt[a, 5])
    return total
