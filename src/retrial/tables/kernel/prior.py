"""Prior of a life table: patients alike and independent given the hazards of their arm, which the two arms share up to a symmetrical effect.

At each grid time t a patient at risk has an event with probability 1 - exp(-h), else is censored with probability 1 - exp(-q); at the
last grid time everybody who is left leaves. Hazards are constant on `pieces` equal parts of the grid, and so

    p(cell event, t) = exp(-K(t)) (1 - exp(-h)),   p(cell censored, t) = exp(-K(t) - h) (1 - exp(-q)),   K(t) = Σ_{s < t} (h + q)

and an arm's table is multinomial: n! / Π d! c! · Π p(cell)^count. Log hazards are Gaussian about log(log 2 / T) (half of the patients over
the whole grid of T times):

    log h of arm a on piece j = α_j + (a - 1/2) (β + δ_j) + ε_aj    α a random walk from N(centre, level_scale²), β ~ N(0, effect_scale²),
                                                                  δ a random walk from 0, ε ~ N(0, overdispersion²)
    log q of arm a on piece j = γ_aj + ε'_aj                         each arm's own random walk, the same law for both

Under a rule that leaves out whoever was followed up to a time and not dead by then, q is 0 until then, and γ starts after it.

Exchanging the arms leaves the prior as it is. Walks of `walk_scale` change by an SD of that over the whole grid, however many the pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from retrial.errors import ConfigError
from retrial.tables.kernel.compiled import inlined, uncounted, uniform
from retrial.tables.kernel.entries import Arms, events_of, leaves_by, position, stays_until

CENSORING, EVENT = 0, 1
"""First index of hazards, kinds of cells."""
SAME, ACROSS = 2, 3
"""After the two kinds in `gaussians`: blocks of the precision of both arms' log event hazards, within an arm and across."""
STEP_WIDTH = 6.0
"""Width of the uniform proposals of a log hazard, in units of about its SD given the table and the others."""
RUNS = 2
"""Proposals that shift hazards on a run of pieces together, for each kind and arm (and for both arms) per proposal of every hazard: what
neighbours share moves slowly one by one, the more the smoother the walk.
"""
LEAST_HAZARD = -30.0
"""Log hazards are not followed below this: nobody leaves."""


@dataclass(frozen=True, slots=True)
class TablePrior:
    """Hyper-parameters.

    pieces               of the grid, on which hazards are constant
    level_scale          SD of the log hazard on the first piece, of events and censorings
    walk_scale           SD of the change of the log event hazard over the whole grid, shared by the arms
    effect_scale         SD of the log hazard ratio on the first piece
    effect_walk_scale    SD of its change over the whole grid
    censoring_walk_scale SD of the change of the log hazard of censorings, each arm its own
    overdispersion       SD of what every piece and arm has to itself
    uncensored           first grid times at which nobody can be censored
    edge                 grid time where an edge of the pieces stands though censoring does not start there; 0: none is asked for
    """

    pieces: int = 12
    level_scale: float = 1.5
    walk_scale: float = 1.4
    effect_scale: float = 1.0
    effect_walk_scale: float = 0.5
    censoring_walk_scale: float = 3.0
    overdispersion: float = 0.0
    uncensored: int = 0
    edge: int = 0

    def __post_init__(self) -> None:
        above = ("pieces", "level_scale", "walk_scale", "effect_scale", "effect_walk_scale", "censoring_walk_scale")
        problems = [
            f"reconstruction.prior.{name}: got {getattr(self, name)}; allowed is above 0"
            for name in above
            if not getattr(self, name) > 0
        ]
        if not self.overdispersion >= 0:
            problems.append(f"reconstruction.prior.overdispersion: got {self.overdispersion}; allowed is 0 or above")
        problems += [
            f"reconstruction.prior.{name}: got {getattr(self, name)}; allowed is 0 or above"
            for name in ("uncensored", "edge")
            if getattr(self, name) < 0
        ]
        if problems:
            raise ConfigError("cannot use the prior of the life tables", problems)

    def edges(self, n_times: int) -> tuple[np.ndarray, int]:
        """(P + 1,) first grid times of the pieces, and `n_times`: equal parts, with an edge where censoring starts or `edge` says; and the pieces
        without censorings.

        Raises `ConfigError` where that is after the grid.
        """
        pieces, at = min(self.pieces, n_times), self.uncensored or self.edge
        if not at:
            return equal_parts(n_times, pieces), 0
        if at >= n_times:
            name = "uncensored" if self.uncensored else "edge"
            got = f"reconstruction.prior.{name}: got {at}; allowed is below the {n_times} times of the grid"
            raise ConfigError("cannot use the prior of the life tables", [got])
        found = equal_parts(n_times, max(pieces, 2))
        place = 1 + int(np.abs(found[1:-1] - at).argmin())
        found[place] = at
        return found, place if self.uncensored else 0

    def covariances(self, pieces: int, without: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(P, P) covariances of log hazards over the pieces: of an arm's censorings, of an arm's events, of events across the arms.

        On the first pieces, `without` of them, nobody is censored; what stands there for those is not used.
        """
        number = np.arange(pieces)
        walk, own = np.minimum.outer(number, number) / pieces, self.overdispersion**2 * np.eye(pieces)
        level, censoring = self.level_scale**2, np.eye(pieces)
        later = pieces - without
        censoring[without:, without:] = level + self.censoring_walk_scale**2 * walk[:later, :later] + own[:later, :later]
        baseline, effect = level + self.walk_scale**2 * walk, self.effect_scale**2 + self.effect_walk_scale**2 * walk
        return censoring, baseline + effect / 4 + own, baseline - effect / 4

    def gaussians(self, pieces: int, without: int = 0) -> np.ndarray:
        """(4, P, P) precisions: of an arm's censorings and events alone, and of both arms' events together, within an arm and across."""
        censoring, same, across = self.covariances(pieces, without)
        both = np.linalg.inv(np.block([[same, across], [across, same]]))
        return np.stack([np.linalg.inv(censoring), np.linalg.inv(same), both[:pieces, :pieces], both[:pieces, pieces:]])

    def roots(self, pieces: int, without: int = 0) -> np.ndarray:
        """(2, P, P) lower Cholesky factors of the covariances of one arm's censorings and events: hazards are drawn piece by piece."""
        censoring, same, _ = self.covariances(pieces, without)
        return np.stack([np.linalg.cholesky(censoring), np.linalg.cholesky(same)])


def log_factorials(n: int) -> np.ndarray:
    """(n + 1,) log k!."""
    return np.asarray(gammaln(np.arange(n + 1.0) + 1.0))


def coupling_energy(gaussians: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """(N,) minus the log of p(both arms' event hazards) / Π p(one arm's), from (N, 2, P) log hazards less their centre."""
    own, same, across = gaussians[EVENT], gaussians[SAME], gaussians[ACROSS]
    joint = np.linalg.slogdet(np.block([[same, across], [across, same]]))[1] - 2 * np.linalg.slogdet(own)[1]
    within = np.einsum("nai,ij,naj->n", deviations, same - own, deviations)
    between = 2 * np.einsum("ni,ij,nj->n", deviations[:, 0], across, deviations[:, 1])
    return np.asarray((within + between - joint) / 2)


@uncounted
def coupling_of(gaussians: np.ndarray, hazards: np.ndarray, n_times: int) -> float:
    """`coupling_energy` of one table's log hazards (2, 2, P), up to its constant."""
    mean, total = centre(n_times), 0.0
    for i in range(hazards.shape[2]):
        first, second, across = hazards[EVENT, 0, i] - mean, hazards[EVENT, 1, i] - mean, 0.0
        own_first, own_second = 0.0, 0.0
        for j in range(hazards.shape[2]):
            within = gaussians[SAME, i, j] - gaussians[EVENT, i, j]
            own_first += within * (hazards[EVENT, 0, j] - mean)
            own_second += within * (hazards[EVENT, 1, j] - mean)
            across += gaussians[ACROSS, i, j] * (hazards[EVENT, 1, j] - mean)
        total += 0.5 * (first * own_first + second * own_second) + first * across
    return total


@inlined
def centre(n_times: int) -> float:
    """Mean of a log hazard per grid time: half of the patients over the whole grid."""
    return math.log(math.log(2.0) / n_times)


def equal_parts(n_times: int, pieces: int) -> np.ndarray:
    """(P + 1,) first grid times of pieces of equal length, and `n_times`."""
    return (np.arange(pieces + 1) * n_times + pieces - 1) // pieces


@inlined
def piece_at(edges: np.ndarray, time: int) -> int:
    """The piece that a grid time is on."""
    piece = 0
    while edges[piece + 1] <= time:
        piece += 1
    return piece


@inlined
def log_leaving(log_hazard: float) -> float:
    """log(1 - exp(-h)) from log h."""
    return math.log(-math.expm1(-math.exp(log_hazard)))


@uncounted
def fill_cells(hazards: np.ndarray, a: int, edges: np.ndarray, cells: np.ndarray) -> None:
    """Log probabilities of one arm's cells (2, 2, T: arm, kind, time) from log hazards (2, 2, P: kind, arm, piece)."""
    pieces, left, n_times = hazards.shape[2], 0.0, edges[-1]
    for piece in range(pieces):
        h, q = math.exp(hazards[EVENT, a, piece]), math.exp(hazards[CENSORING, a, piece])
        event, censored = log_leaving(hazards[EVENT, a, piece]), log_leaving(hazards[CENSORING, a, piece]) - h
        for t in range(edges[piece], edges[piece + 1]):
            cells[a, EVENT, t] = event - left
            cells[a, CENSORING, t] = censored - left
            left += h + q
        if piece == pieces - 1:
            cells[a, CENSORING, n_times - 1] = q - left  # left counts the last time itself: its h stays


@uncounted
def log_prior(cells: np.ndarray, log_factorial: np.ndarray, arms: Arms, a: int, low: int, high: int) -> float:
    """Log prior probability of what happens in one arm at the grid times low, ..., high - 1, given the hazards and how many leave there,
    up to what that number alone decides.
    """
    t, d, c, i, m, total = arms.t, arms.d, arms.c, position(arms, a, low), arms.m[a], 0.0
    while i < m and t[a, i] < high:
        events, censored, time = d[a, i], c[a, i], t[a, i]
        total += events * cells[a, EVENT, time] + censored * cells[a, CENSORING, time]
        total -= log_factorial[events] + log_factorial[censored]
        i += 1
    return total


@uncounted
def count_pieces(arms: Arms, a: int, edges: np.ndarray, statistics: np.ndarray) -> None:
    """Sufficient statistics of one arm's hazards, (2, P, 2: kind, piece, number who left so and times at which patients might have)."""
    t, d, c, pieces, n_times = arms.t, arms.d, arms.c, statistics.shape[1], edges[-1]
    piece, low, stop = 0, 0, edges[1]
    statistics[:] = 0.0
    for i in range(arms.m[a]):
        time, events, censored = t[a, i], d[a, i], c[a, i]
        while time >= stop:
            piece += 1
            low, stop = stop, edges[piece + 1]
        statistics[EVENT, piece, 0] += events
        statistics[EVENT, piece, 1] += (events + censored) * (time - low + 1)
        statistics[CENSORING, piece, 1] += events * (time - low)
        if time < n_times - 1:
            statistics[CENSORING, piece, 0] += censored
            statistics[CENSORING, piece, 1] += censored * (time - low + 1)
        else:  # nothing is left to chance there
            statistics[CENSORING, piece, 1] += censored * (time - low)
    later, i = 0, arms.m[a] - 1
    for piece in range(pieces - 1, -1, -1):
        low, stop = edges[piece], edges[piece + 1]
        statistics[EVENT, piece, 1] += later * (stop - low)
        statistics[CENSORING, piece, 1] += later * (stop - low)
        while i >= 0 and t[a, i] >= low:
            later += d[a, i] + c[a, i]
            i -= 1


@inlined
def log_likelihood(log_hazard: float, count: float, exposure: float) -> float:
    """Of one hazard: `count` times left by it, `exposure` times at risk."""
    return count * log_leaving(log_hazard) - math.exp(log_hazard) * (exposure - count)


@uncounted
def move_hazards(
    gaussians: np.ndarray,
    hazards: np.ndarray,
    arms: Arms,
    a: int,
    edges: np.ndarray,
    coupling: float,
    statistics: np.ndarray,
    state: np.ndarray,
) -> None:
    """One Metropolis-Hastings proposal for every hazard of an arm given its table and, as far as they are coupled (0: not, 1: as in the prior of both
    arms), the other arm's hazards. A hazard of `LEAST_HAZARD` is none, and stays so.
    """
    pieces, mean = hazards.shape[2], centre(edges[-1])
    count_pieces(arms, a, edges, statistics)
    for kind in range(2):
        together = coupling if kind == EVENT else 0.0
        for piece in range(pieces):
            own = gaussians[kind, piece, piece]
            if together > 0.0:
                own = (1.0 - together) * own + together * gaussians[SAME, piece, piece]
            count, exposure, old = statistics[kind, piece, 0], statistics[kind, piece, 1], hazards[kind, a, piece]
            if old <= LEAST_HAZARD:
                continue
            new = old + STEP_WIDTH * (uniform(state) - 0.5) / math.sqrt(own + count)
            if new < LEAST_HAZARD:
                continue
            pull = 0.0
            for other in range(pieces):
                if other != piece:
                    weight = gaussians[kind, piece, other]
                    if together > 0.0:
                        weight = (1.0 - together) * weight + together * gaussians[SAME, piece, other]
                    pull += weight * (hazards[kind, a, other] - mean)
                if together > 0.0:
                    pull += together * gaussians[ACROSS, piece, other] * (hazards[kind, 1 - a, other] - mean)
            change = -(new - old) * (pull + 0.5 * own * (new + old - 2.0 * mean))
            change += log_likelihood(new, count, exposure) - log_likelihood(old, count, exposure)
            if change >= 0.0 or math.log(1.0 - uniform(state)) <= change:
                hazards[kind, a, piece] = new


@uncounted
def move_runs(
    gaussians: np.ndarray,
    hazards: np.ndarray,
    scope: int,
    edges: np.ndarray,
    coupling: float,
    statistics: np.ndarray,
    state: np.ndarray,
) -> None:
    """`RUNS` Metropolis-Hastings proposals for each kind and arm of `scope` (0, 1, else both) that shift its log hazards on a run of pieces by
    one amount, and where the arms are coupled as many for the events of both; `statistics` (2, P, 2) of each arm as of `count_pieces`.
    """
    mean = centre(edges[-1])
    for a in range(2):
        if scope != 1 - a:
            for kind in range(2):
                for _ in range(RUNS):
                    shift_run(gaussians, hazards, a, a, kind, coupling if kind == EVENT else 0.0, mean, statistics, state)
    if coupling > 0.0:
        for _ in range(RUNS):
            shift_run(gaussians, hazards, 0, 1, EVENT, coupling, mean, statistics, state)


@uncounted
def shift_run(
    gaussians: np.ndarray,
    hazards: np.ndarray,
    first: int,
    last: int,
    kind: int,
    together: float,
    mean: float,
    statistics: np.ndarray,
    state: np.ndarray,
) -> None:
    """One proposal for the hazards of the arms `first` to `last` on a run of pieces; none where one of them is `LEAST_HAZARD` or would be."""
    pieces = hazards.shape[2]
    low, high = int(uniform(state) * pieces), int(uniform(state) * pieces)
    low, high = min(low, high, pieces - 1), min(max(low, high), pieces - 1)
    own, pull, count = 0.0, 0.0, 0.0
    for arm in range(first, last + 1):
        for piece in range(low, high + 1):
            count += statistics[arm, kind, piece, 0]
            if hazards[kind, arm, piece] <= LEAST_HAZARD:
                return
            for other in range(pieces):
                weight, across = gaussians[kind, piece, other], 0.0
                if together > 0.0:
                    weight = (1.0 - together) * weight + together * gaussians[SAME, piece, other]
                    across = together * gaussians[ACROSS, piece, other]
                    pull += across * (hazards[kind, 1 - arm, other] - mean)
                pull += weight * (hazards[kind, arm, other] - mean)
                if low <= other <= high:
                    own += weight + (across if last > first else 0.0)
    shift = STEP_WIDTH * (uniform(state) - 0.5) / math.sqrt(own + count)
    change = -shift * (pull + 0.5 * own * shift)
    for arm in range(first, last + 1):
        for piece in range(low, high + 1):
            old = hazards[kind, arm, piece]
            if old + shift < LEAST_HAZARD:
                return
            left, exposure = statistics[arm, kind, piece, 0], statistics[arm, kind, piece, 1]
            change += log_likelihood(old + shift, left, exposure) - log_likelihood(old, left, exposure)
    if change >= 0.0 or math.log(1.0 - uniform(state)) <= change:
        for arm in range(first, last + 1):
            for piece in range(low, high + 1):
                hazards[kind, arm, piece] += shift


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
