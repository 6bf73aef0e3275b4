"""One sample reweighted to a grid of normal priors on the effect: posteriors of every table under every prior, without a refit.

log w = Σ n ℓ + log p(other parameters) + log N(β; mean, sd) - log q: the priors of a grid differ in one factor, that of β, so that sums over
draws are matrix products, (table, draw) by (draw, prior). New proposals where a target fails, as in `adaptive`. METHODS, section 12.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrial.errors import FitError
from retrial.fit.engine import Build, Job
from retrial.fit.importance import kernel
from retrial.fit.importance.adaptive import AT_A_TIME, ENOUGH_TO_MOVE, HIGHEST_K, MOST_ROUNDS, POWER, RESULTS, Sample, adapted
from retrial.fit.importance.fits import POOLED_SHARE, shared_model, targets_of, wanted_size
from retrial.fit.importance.proposal import Component, of_moments
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_updates
from retrial.seeds import seed_sequence

_AT_ONCE = 2048
"""Draws looked at together: their density under a thousand priors is then 16 MB."""
_NODES = 4000
"""Intervals over which the pooled distributions are cumulated, with as many draws in each."""


@dataclass(frozen=True, eq=False)
class EffectGrid:
    """Posteriors of the effect β under normal priors (prior,), of every table and pooled over the tables by their weights.

    mean, sd, size, log_evidence, log_evidence_se   (table, prior): `size` is the effective one of the weights, the errors are of the logs
    k             (prior,): Pareto k of the table whose effective size is smallest
    pooled_mean, pooled_sd, pooled_size  (prior,): of all tables together, each with its weight
    nodes, cdf    (node,), (prior, node): P(β <= node) of the pooled posterior
    passed        (prior,): every table has the effective size that its fit would be asked for, and weights that may be trusted
    """

    means: np.ndarray
    sds: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    size: np.ndarray
    log_evidence: np.ndarray
    log_evidence_se: np.ndarray
    k: np.ndarray
    pooled_mean: np.ndarray
    pooled_sd: np.ndarray
    pooled_size: np.ndarray
    nodes: np.ndarray
    cdf: np.ndarray
    passed: np.ndarray

    def below(self, value: float) -> np.ndarray:
        """(prior,) P(β < value) of the pooled posterior; its Monte Carlo error is √(p (1 - p) / `pooled_size`)."""
        return np.array([np.interp(value, self.nodes, row) for row in self.cdf])

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        """(level, prior) of the pooled posterior."""
        return np.array([np.interp(levels, row, self.nodes) for row in self.cdf]).T


def effect_grid(
    build: Build,
    jobs: Sequence[Job],
    effect: str,
    means: np.ndarray,
    sds: np.ndarray,
    settings: SamplerSettings,
    limits: DiagnosticLimits,
) -> EffectGrid:
    """Posteriors of a model's `effect` for each job's table under N(mean, sd²) for each pair of `means` and `sds` (prior,).

    `jobs` are one a table, of one shape; their priors of the other parameters hold, that of the effect is replaced. A prior of which `passed` is
    false must not be shown. Raises `FitError` where the model is none for importance sampling (no cells, too many parameters, an effect that is
    not sampled as itself), or no mode is found.
    """
    means, sds = np.asarray(means, dtype=float), np.asarray(sds, dtype=float)
    wide = Prior("normal", (float(np.median(means)), float(sds.max())))
    jobs = [_under(job, effect, wide) for job in jobs]
    draws = settings.draws(len(jobs))
    model = shared_model(build, jobs, settings, limits, draws)
    if model is None or effect not in model.places:
        raise FitError(f"a grid of priors of {effect}: got a model whose posteriors importance sampling does not give")
    targets = targets_of(model, jobs)
    if not model.is_linear(targets.values[0], targets.counts[0]) or len(targets.values) > 1:
        raise FitError(f"a grid of priors of {effect}: got tables that do not share one model")
    wanted, pooled = wanted_size(settings.chains * draws, limits.ess), POOLED_SHARE * settings.pooled_draws
    seed = seed_sequence(min(job.seed for job in jobs), "effect grid", effect)
    sample, _ = adapted(model, targets, wanted, pooled, seed, settings.threads)
    if not sample.size:
        raise FitError(f"a grid of priors of {effect}: no mode found of any table")
    return _Grid(sample, model.places[effect], effect, wide, means, sds, wanted, settings.threads).settled(seed)


def _under(job: Job, effect: str, prior: Prior) -> Job:
    return dataclasses.replace(job, priors=PriorSet(str(prior), {**job.priors.priors, effect: prior}))


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the draws of w and w², (table, prior) and of w β and w β²; the largest log weight of each table is taken off."""

    total: np.ndarray
    squares: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def size(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.total**2 / self.squares)


@dataclass(frozen=True, eq=False)
class _Grid:
    """A sample, where its effect is, the prior that it was drawn for, and the priors that are asked for."""

    sample: Sample
    place: int
    effect: str
    wide: Prior
    means: np.ndarray
    sds: np.ndarray
    wanted: float
    threads: int

    @property
    def shares(self) -> np.ndarray:
        """(table,) weights, adding to 1."""
        targets = self.sample.targets
        return np.bincount(targets.pairs[:, 0], targets.shares, len(targets.counts))

    def _prior(self, index: int) -> Prior:
        return Prior("normal", (float(self.means[index]), float(self.sds[index])))

    def _without_effect(self) -> np.ndarray:
        """(draw,) log prior of the other parameters - log of the mixture of the proposals."""
        found: np.ndarray = self.sample.priors[0] - self.wide.distribution.logpdf(self.sample.points[:, self.place])
        return found

    def settled(self, seed: np.random.SeedSequence) -> EffectGrid:
        """New proposals for priors under which a table fails, until none does or rounds end; then all of them."""
        failing = np.arange(self.means.size)
        for _ in range(MOST_ROUNDS):
            parts = _Parts.of(self)
            sizes = parts.sums(failing).size
            worst = sizes.argmin(axis=0)
            least = sizes[worst, np.arange(failing.size)]
            bad = (least < self.wanted) | (parts.worst_k(failing, worst) >= HIGHEST_K)
            failing, worst, least = failing[bad], worst[bad], least[bad]
            order = np.argsort(least)
            new = self._new(parts, failing[order], worst[order])
            if not new:
                break
            # what passed goes on passing, as in `adapted`
            self.sample.add(new, [POWER] * len(new), seed.spawn(len(new)))
        return self._told(_Parts.of(self))

    def _new(self, parts: _Parts, failing: np.ndarray, worst: np.ndarray) -> list[Component]:
        """Proposals under some of the failing priors, the worst among them, each of its own worst table: at its weighted moments, where those
        are known, else at its mode."""
        if not failing.size:
            return []
        picked = np.unique(np.linspace(0, failing.size - 1, AT_A_TIME).round().astype(int))
        found = list[Component | None]()
        for prior, table in zip(failing[picked].tolist(), worst[picked].tolist(), strict=True):
            result, weights = parts.weighed(prior, table)
            one = of_moments(parts.points, weights) if result[0] > ENOUGH_TO_MOVE else None
            found.append(self._mode(prior, table) if one is None else one)
        return [one for one in found if one is not None]

    def _mode(self, prior: int, table: int) -> Component | None:
        sample = self.sample
        values = sample.model.packed.changed(sample.targets.values[0], effect_updates(self.effect, self._prior(prior)))
        start = sample.components[0].centre.copy()
        start[self.place] = np.clip(self.means[prior], *np.quantile(sample.points[:, self.place], (0.01, 0.99)))
        return sample.mode(sample.targets.counts[table], values, start)

    def _told(self, parts: _Parts) -> EffectGrid:
        everything = np.arange(self.means.size)
        sums = parts.sums(everything)
        k = parts.worst_k(everything, sums.size.argmin(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, square = sums.first / sums.total, sums.second / sums.total
            log_evidence = np.log(sums.total / self.sample.size) + parts.largest[:, None] - np.log(self.sds * np.sqrt(2 * np.pi))
            error = np.sqrt(np.maximum(1 / sums.size - 1 / self.sample.size, 0.0))
        sd = np.sqrt(np.maximum(square - mean**2, 0.0))
        pooled_mean, passed = self.shares @ mean, (sums.size.min(axis=0) >= self.wanted) & ~(k >= HIGHEST_K)
        pooled_sd = np.sqrt(np.maximum(self.shares @ square - pooled_mean**2, 0.0))
        of_all = parts.pooled(self.shares[:, None] / np.where(sums.total > 0, sums.total, np.inf))
        about = (mean, sd, sums.size, log_evidence, error, k, pooled_mean, pooled_sd)
        return EffectGrid(self.means, self.sds, *about, *of_all, passed)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Draws (draw, k) in the order of their effect β, and log weights without the prior of it, (table, draw) less `largest` (table,)."""

    grid: _Grid
    points: np.ndarray
    log_weights: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, grid: _Grid) -> _Parts:
        order = np.argsort(grid.sample.points[:, grid.place], kind="stable")
        log_weights = grid.sample.tables[:, order] + grid._without_effect()[order]
        largest = log_weights.max(axis=1)
        return cls(grid, grid.sample.points[order], log_weights - largest[:, None], largest)

    @cached_property
    def effect(self) -> np.ndarray:
        return np.ascontiguousarray(self.points[:, self.grid.place])

    def _chunks[T](self, priors: np.ndarray, work: Callable[[np.ndarray, np.ndarray, np.ndarray], T]) -> Iterator[T]:
        """`work` of effect (draw,), weights (table, draw) without its prior, and exp(-(β - mean)² / 2 sd²), (draw, prior), part by part."""
        means, sds = self.grid.means[priors], self.grid.sds[priors]

        def one(start: int) -> T:
            beta = self.effect[start : start + _AT_ONCE]
            density = np.exp(-0.5 * ((beta[:, None] - means) / sds) ** 2)
            return work(beta, np.exp(self.log_weights[:, start : start + _AT_ONCE]), density)

        with ThreadPoolExecutor(self.grid.threads) as pool:
            yield from pool.map(one, range(0, self.effect.size, _AT_ONCE))

    def sums(self, priors: np.ndarray) -> _Sums:
        """Over all draws, under these priors."""

        def of_part(beta: np.ndarray, weights: np.ndarray, density: np.ndarray) -> np.ndarray:
            of_weights = np.concatenate([weights, weights * beta, weights * beta**2]) @ density
            return np.concatenate([of_weights, weights**2 @ density**2])

        total = np.zeros((4 * len(self.log_weights), priors.size))
        for part in self._chunks(priors, of_part):
            total += part
        weights, first, second, squares = np.split(total, 4)
        return _Sums(weights, squares, first, second)

    def weighed(self, prior: int, table: int) -> tuple[np.ndarray, np.ndarray]:
        """What `adaptive.RESULTS` counts and the smoothed weights (draw,) of one table under one prior."""
        weights, found = np.empty(self.effect.size), np.empty(RESULTS)
        log_prior = -0.5 * ((self.effect - self.grid.means[prior]) / self.grid.sds[prior]) ** 2
        kernel.weigh(self.log_weights[table], log_prior, weights, found)
        return found, weights

    def worst_k(self, priors: np.ndarray, tables: np.ndarray) -> np.ndarray:
        """(prior,) Pareto k of one table under each of some priors."""
        with ThreadPoolExecutor(self.grid.threads) as pool:
            return np.array([found[1] for found, _ in pool.map(self.weighed, priors.tolist(), tables.tolist())])

    def pooled(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Effective size (prior,) of weights pooled over tables, each times `scale` (table, prior); nodes, and the distribution over them."""
        nodes = self.effect[np.linspace(0, self.effect.size - 1, _NODES + 1).round().astype(int)]
        masses, squares = np.zeros((scale.shape[1], _NODES)), np.zeros(scale.shape[1])

        def of_part(beta: np.ndarray, weights: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            mixed = density * (weights.T @ scale)
            cell = np.searchsorted(nodes, beta).clip(1, _NODES) - 1
            first = np.flatnonzero(np.diff(cell, prepend=-1))
            return cell[first], np.add.reduceat(mixed, first, axis=0).T, (mixed**2).sum(axis=0)

        for cells, mass, square in self._chunks(np.arange(scale.shape[1]), of_part):
            masses[:, cells] += mass
            squares += square
        total = masses.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            cdf = np.cumsum(masses, axis=1) / total[:, None]
            return np.nan_to_num(total**2 / squares), nodes, np.pad(cdf, ((0, 0), (1, 0)))
