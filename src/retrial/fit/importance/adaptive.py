"""Adaptive importance sampling of many targets that share a model: proposals where the worst target is, until every target passes.

Laplace approximations at anchors on the unconstrained scale, each a multivariate t; deterministic-mixture weights (Owen, Zhou 2000, JASA
95:135); an anchor already drawn from near its target is moved to the target's weighted moments (Cornuet et al. 2012, Scand J Stat 39:798);
Pareto-smoothed weights (Vehtari et al. 2024, JMLR 25(72)). METHODS, section 12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from retrial.fit.diagnostics import TAILS
from retrial.fit.importance import kernel
from retrial.fit.importance.linear import LinearModel
from retrial.fit.importance.proposal import Component, Mixture, at_mode, of_moments
from retrial.tables.kernel.compiled import STATE_WORDS

FIRST_POWER, POWER = 11, 9
"""2^power draws of each of the first proposals and of a few later ones, and of many later ones: many proposals of few draws cost less than few
of many (100 unlike tables, 10 parameters, 6 priors: 125,000 draws in all with 2^9, 181,000 with 2^11)."""
MOST_DRAWS = 2**18
"""Draws of all proposals together, at most."""
MOST_ROUNDS, AT_A_TIME = 12, 32
"""Rounds of new proposals, and how many in one."""
MODES_AT_A_TIME = 8
"""How many of these by the mode, which takes longer to find than moments: they get more draws."""
_MORE_ROUNDS = 2
"""Rounds after a look at the tails of all targets."""
HIGHEST_K = 0.7
"""Pareto k beyond which importance weights are not to be trusted, however many draws (Vehtari et al. 2024)."""
RESULTS = 5
"""Numbers of a target: effective size, Pareto k, log evidence, its relative standard error, effective size of the tails."""
_FIRST = 6
"""Priors under which the mean table is looked at first."""
_SAME = 1.0
"""SDs within which two modes are one."""
_STRETCH, _PROBE_POWER = 12.0, 9
"""How far, in SDs, and with 2^how many draws other modes are looked for along each coordinate."""
_AT_ONCE = 50
_CELLS_AT_ONCE = 2**24
"""Cells times draws held at once, 128 MiB: patients with covariates have thousands of cells."""
_NEAR = 12.0
"""Times the effective size wanted below which that of the tails, which is mostly smaller by a half, is looked at."""
ENOUGH_TO_MOVE = 60.0
"""Effective draws of a target from which its moments are better known than by its mode."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Posteriors of one model: counts (table, cell), hyper-parameters (prior, value), and pairs (target, 2) of a table and a prior.

    `shares` (target,): the weight of each among those of its prior, adding to 1. `peaks` are (prior, coordinate, value) of the
    components of priors that are mixtures, about each of which there may be a mode.
    """

    counts: np.ndarray
    values: np.ndarray
    pairs: np.ndarray
    shares: np.ndarray
    peaks: Sequence[tuple[int, int, float]] = ()

    def tasks(self, some: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Targets (`some` of them) of one prior each, few enough for the processors to share them evenly."""
        asked = np.arange(len(self.pairs)) if some is None else some
        for prior in range(len(self.values)):
            mine = asked[self.pairs[asked, 1] == prior]
            yield from (mine[start : start + _AT_ONCE] for start in range(0, mine.size, _AT_ONCE))


@dataclass(eq=False)
class Sample:
    """Draws of all proposals so far, and what the targets' weights are made of.

    points (draw, k);  room (table, at least draw) for log-likelihoods, filled up to the draws
    log_prior (prior, draw);  counts (component,) of draws;  mixture: Σ count x density
    of the proposals at the points, to which new ones are added: kept one by one they would take more memory than all else
    """

    model: LinearModel
    targets: Targets
    used: np.ndarray
    components: list[Component] = field(default_factory=list)
    points: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    room: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    log_prior: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    counts: list[int] = field(default_factory=list)
    mixture: Mixture = field(default_factory=lambda: Mixture.of_none(0))

    @property
    def size(self) -> int:
        return len(self.points)

    @property
    def tables(self) -> np.ndarray:
        """(table, draw) log-likelihoods."""
        return self.room[:, : self.size]

    @cached_property
    def order(self) -> np.ndarray:
        """(k, draw): sorts each coordinate."""
        return np.ascontiguousarray(np.argsort(self.points, axis=0).T.astype(np.int32))

    @cached_property
    def priors(self) -> np.ndarray:
        """(prior, draw): log prior - log of the mixture of the proposals, each in proportion to its draws."""
        return self.log_prior - (self.mixture.log - np.log(sum(self.counts)))

    def add(self, new: list[Component], powers: list[int], seeds: list[np.random.SeedSequence]) -> None:
        """Draw from new proposals (or again from old ones) and look at every draw with all of them."""
        for name in ("order", "priors"):
            self.__dict__.pop(name, None)
        fresh = np.concatenate([one.draws(power, seed) for one, power, seed in zip(new, powers, seeds, strict=True)])
        tables, log_prior = self._log_likelihoods(fresh), self.model.log_priors(fresh, self.targets.values)
        known = {id(one): place for place, one in enumerate(self.components)}
        again = any(id(one) in known for one in new)
        for one, power in zip(new, powers, strict=True):
            if id(one) in known:
                self.counts[known[id(one)]] += 2**power
            else:
                self.components.append(one)
                self.counts.append(2**power)
        before = self.points
        self.points = np.concatenate([before, fresh]) if len(before) else fresh
        if self.room.shape[1] < self.size:
            larger = np.empty((len(tables), 2 * self.size))
            if len(before):
                larger[:, : len(before)] = self.room[:, : len(before)]
            self.room = larger
        self.room[:, len(before) : self.size] = tables
        self.log_prior = np.concatenate([self.log_prior, log_prior], axis=1) if len(before) else log_prior
        if again or not known:
            self.mixture = self._mixed(self.points, 0)
        else:
            self._mixed(before, len(known), self.mixture)
            self.mixture = self.mixture.beside(self._mixed(fresh, 0))

    def _mixed(self, points: np.ndarray, first: int, to: Mixture | None = None) -> Mixture:
        """The proposals from the `first` on, added `to` what is there."""
        found = Mixture.of_none(len(points), self.components[0].log_peak) if to is None else to
        columns = np.ascontiguousarray(points.T)
        for one, count in zip(self.components[first:], self.counts[first:], strict=True):
            one.add_to(found, columns, count)
        return found

    def _log_likelihoods(self, points: np.ndarray) -> np.ndarray:
        """(table, draw), in parts whose cells fit into memory."""
        counts, found = self.targets.counts[:, self.used].T, []
        step = max(_CELLS_AT_ONCE // self.used.size, 1)
        for start in range(0, len(points), step):
            cells = self.model.cells(points[start : start + step], self.targets.values[0])[:, self.used]
            found.append((cells @ counts).T)
        return np.concatenate(found, axis=1) if len(found) > 1 else found[0]

    def mode(self, table: np.ndarray, values: np.ndarray, start: np.ndarray) -> Component | None:
        """Laplace approximation of the posterior given counts of a table and the values of a prior."""
        vector = self.model.with_counts(values, table)
        return at_mode(lambda points: self.model.slope(points, vector), start)


@dataclass(frozen=True, eq=False)
class Health:
    """Of every target (target, 5) what `RESULTS` counts; the effective size of each prior's pooled weights; and, where they were asked for,
    places (target, draw) of equally weighted draws among the sample's.
    """

    results: np.ndarray
    pooled: np.ndarray
    chosen: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))

    @property
    def size(self) -> np.ndarray:
        """Of the bulk or the tails, whichever is smaller."""
        return np.minimum(self.results[:, 0], self.results[:, 4])

    @property
    def k(self) -> np.ndarray:
        return self.results[:, 1]

    def passed(self, wanted: float) -> np.ndarray:
        """Whether each target has an effective size of `wanted`, and weights that may be trusted."""
        return np.asarray((self.size >= wanted) & ~(self.k >= HIGHEST_K))


@dataclass(frozen=True, eq=False)
class Asked:
    """Equally weighted draws of every target: how many, and the states (target, word) of its random numbers."""

    draws: int
    states: np.ndarray


def health(
    sample: Sample,
    wanted: float,
    threads: int,
    before: Health | None = None,
    some: np.ndarray | None = None,
    asked: Asked | None = None,
) -> Health:
    """Weigh every target; with `some`, these alone, the others (and what is pooled, with `asked`) are as `before`. With `asked`, draw from each,
    and look at all tails.
    """
    targets, priors, order = sample.targets, sample.priors, sample.order
    results = np.empty((len(targets.pairs), RESULTS)) if before is None else before.results.copy()
    drawn = None if asked is None or some is None else before
    sizes = np.zeros(len(targets.values)) if drawn is None else drawn.pooled.copy()
    states = np.empty((0, STATE_WORDS), dtype=np.uint64) if asked is None else asked.states.copy()
    shape = (len(states), 0 if asked is None else asked.draws)
    chosen = np.empty(shape, dtype=np.int64) if drawn is None else drawn.chosen.copy()
    near = _NEAR * wanted if asked is None else np.inf

    def one(mine: np.ndarray) -> tuple[int, np.ndarray]:
        pool, found, prior = np.zeros(sample.size), np.empty((mine.size, RESULTS)), int(targets.pairs[mine[0], 1])
        rows, shares = targets.pairs[mine, 0], targets.shares[mine]
        own, picked = (part[mine] if len(states) else part for part in (states, chosen))
        kernel.weigh_many(sample.room, priors[prior], rows, shares, order, np.array(TAILS), near, found, pool, own, picked)
        results[mine] = found
        if len(states):
            chosen[mine] = picked
        return prior, pool

    last, total = -1, np.zeros(sample.size)
    with ThreadPoolExecutor(threads) as executor:
        for prior, pool in executor.map(one, targets.tasks(some)):
            total = total + pool if prior == last else pool
            last = prior
            if drawn is None:  # more proposals take nothing from what is pooled
                sizes[prior] = total.sum() ** 2 / (total**2).sum()
    return Health(results, sizes, chosen)


def adapted(
    model: LinearModel,
    targets: Targets,
    wanted: float,
    pooled: float,
    seed: np.random.SeedSequence,
    threads: int,
    asked: Asked | None = None,
) -> tuple[Sample, Health]:
    """Proposals until every target passes (an effective size of `wanted`, Pareto k below `HIGHEST_K`), or rounds end; then draws until
    the pooled weights of every prior have an effective size of `pooled`, or draws end.
    """
    sample = Sample(model, targets, (targets.counts > 0).any(axis=0))
    first = _first(sample)
    if not first:
        return sample, Health(np.full((len(targets.pairs), RESULTS), np.nan), np.zeros(len(targets.values)))
    probes = list(first[0].stretched(_STRETCH))
    powers = [FIRST_POWER] * len(first) + [_PROBE_POWER] * len(probes)
    sample.add([*first, *probes], powers, seed.spawn(len(powers)))
    found = health(sample, wanted, threads)
    for _ in range(MOST_ROUNDS):
        failing = np.flatnonzero(~found.passed(wanted))
        new = _new(sample, found, failing)
        if not new:
            break
        sample.add([one for one, _ in new], [power for _, power in new], seed.spawn(len(new)))
        # what passed goes on passing: new proposals take next to nothing from the effective size of a target far from them
        found = health(sample, wanted, threads, found, failing)
    found = health(sample, wanted, threads, asked=asked)
    for _ in range(_MORE_ROUNDS):
        # the tails of all are looked at only now: a few have enough effective draws and too few there
        failing = np.flatnonzero(~found.passed(wanted))
        new = _new(sample, found, failing)
        if not new or sample.size + sum(2**power for _, power in new) > MOST_DRAWS:
            break
        sample.add([one for one, _ in new], [power for _, power in new], seed.spawn(len(new)))
        found = health(sample, wanted, threads, found, failing, asked)
    while found.passed(wanted).any() and found.pooled.min() < pooled and 2 * sample.size <= MOST_DRAWS:
        again = [int(np.log2(count)) for count in sample.counts]
        sample.add(list(sample.components), again, seed.spawn(len(again)))
        found = health(sample, wanted, threads, asked=asked)
    return sample, found


def _first(sample: Sample) -> list[Component]:
    """Laplace approximations of the mean table under some of the priors."""
    targets, found = sample.targets, list[Component]()
    weights = np.bincount(targets.pairs[:, 0], targets.shares, len(targets.counts))
    mean = weights @ targets.counts / weights.sum()
    start = np.zeros(sample.model.size)
    for prior in np.unique(np.linspace(0, len(targets.values) - 1, _FIRST).round().astype(int)):
        one = sample.mode(mean, targets.values[prior], start)
        if one is not None:
            found.append(one)
            start = one.centre
    for prior, coordinate, value in targets.peaks if found else ():
        start = found[0].centre.copy()
        start[coordinate] = value
        one = sample.mode(mean, targets.values[prior], start)
        if one is not None and all(other.distance(one.centre) > _SAME for other in found):
            found.append(one)
    return found


def _new(sample: Sample, found: Health, failing: np.ndarray) -> list[tuple[Component, int]]:
    """Proposals for the worst target and some of the others that fail, and the logarithm of how many draws each shall have."""
    if not failing.size:
        return []
    worst = failing[np.lexsort((found.size[failing], -np.nan_to_num(found.k[failing], nan=np.inf) // HIGHEST_K))]
    picked = worst[np.unique(np.linspace(0, worst.size - 1, AT_A_TIME).round().astype(int))]
    known = found.size[picked] > ENOUGH_TO_MOVE
    unknown = picked[~known]
    unknown = unknown[np.unique(np.linspace(0, max(unknown.size - 1, 0), MODES_AT_A_TIME).round().astype(int))[: unknown.size]]
    priors, weights, new = sample.priors, np.empty(sample.size), list[tuple[Component, int]]()
    moved = POWER if picked.size > MODES_AT_A_TIME else FIRST_POWER  # a round of few proposals would add little
    for target in (*picked[known], *unknown):
        table, prior = sample.targets.pairs[target]
        kernel.weigh(sample.tables[table], priors[prior], weights, np.empty(RESULTS))
        one, power = of_moments(sample.points, weights) if found.size[target] > ENOUGH_TO_MOVE else None, moved
        if one is None:
            one = sample.mode(sample.targets.counts[table], sample.targets.values[prior], sample.points[weights.argmax()])
            power = FIRST_POWER
        if one is not None:
            new.append((one, power))
    return new
