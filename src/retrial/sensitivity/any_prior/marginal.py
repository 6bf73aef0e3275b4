"""L(β) of a model fitted to life tables, from the draws that its fits under several priors left: any other prior is a weight.

A table's draws of all priors together are draws of the mixture Σ_k n_k π_k(β) L(β) / Z_k; the Z_k follow from the draws themselves (multistate
reweighting: Shirts, Chodera 2008, J Chem Phys 129:124105), and a draw weighs π(β) / Σ_k n_k π_k(β) / Z_k under any π. Draws are
collected in narrow bins of β, within which no prior changes. Tables keep their weights: posteriors are mixed over tables, not their likelihoods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from retrial.priors.prior import Prior
from retrial.sensitivity.any_prior.likelihood import Cells, distribution_of

GROUPS = 20
"""Groups of draws, each left out in turn: a Monte Carlo error to a sixth of itself."""
_WIDTH, _MOST_BINS = 0.005, 2000
_CONVERGED, _MOST_STEPS = 1e-10, 5000
_FEWEST = 1e-150
_REACH = 5.0
"""SDs of a bias beyond which it moves nothing."""


@dataclass(frozen=True, eq=False)
class OfTables:
    """Posteriors of each table by itself: limits and median (table,), P(β < x) (point, table), effective draws (table,)."""

    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray
    below: np.ndarray
    size: np.ndarray


@dataclass(frozen=True, eq=False)
class MarginalLikelihood:
    """L(β) on every table as masses of bins.

    edges   (bin + 1,), one of them 0;   points (bin,) mean β of a bin's draws
    mass    (group, table, bin), up to a factor of each table;   squares (table, bin): Σ of squared masses of single draws
    weights (table,), adding to 1
    """

    edges: np.ndarray
    points: np.ndarray
    mass: np.ndarray
    squares: np.ndarray
    weights: np.ndarray

    def normal(self, mu: np.ndarray, sigma: np.ndarray, tail: float) -> Cells:
        return self._cells(np.asarray(stats.norm.logpdf(self.points[:, None], mu, sigma)), tail)

    def below_one(self, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        density = _scaled(np.asarray(stats.norm.logpdf(self.points[:, None], mu, sigma)))
        return _at_zero(self.edges, _cumulated(_pooled(self.mass.sum(axis=0), density, self.weights)))

    def under(self, prior: Prior, tail: float) -> Cells:
        return self._cells(np.asarray(distribution_of(prior).logpdf(self.points))[:, None], tail)

    def cdf(self, prior: Prior, x: np.ndarray) -> np.ndarray:
        density = _scaled(np.asarray(distribution_of(prior).logpdf(self.points))[:, None])
        cumulated = _cumulated(_pooled(self.mass.sum(axis=0), density, self.weights))[0]
        return np.interp(x, self.edges, cumulated)

    def of_tables(self, prior: Prior, points: np.ndarray, tail: float) -> OfTables:
        """The posterior of every table alone under one prior, not mixed by their weights."""
        density = _scaled(np.asarray(distribution_of(prior).logpdf(self.points)))
        cumulated = _cumulated(self.mass.sum(axis=0) * density)
        total = (self.mass.sum(axis=0) @ density)[:, None]
        squares = (self.squares @ density**2) / np.maximum(total[:, 0], _FEWEST) ** 2
        below = np.array([_at(self.edges, cumulated, float(x)) for x in points])
        lower, median, upper = (_quantile(self.edges, cumulated, q) for q in (tail, 0.5, 1 - tail))
        return OfTables(lower, median, upper, below, _sizes(cumulated, squares))

    def for_no_effect(self, _prior: Prior) -> float:
        """Not from draws: the density at one point is not theirs to tell."""
        return float("nan")

    def with_bias(self, mean: float, sd: float) -> MarginalLikelihood:
        edges, points, spread = self.edges - mean, self.points - mean, self
        if sd > 0:
            spread = self._spread(sd)
            edges, points = spread.edges - mean, spread.points - mean
        return dataclasses.replace(spread, edges=edges, points=points)

    def _spread(self, sd: float) -> MarginalLikelihood:
        """Every bin's mass spread out as a normal of this SD, over as many bins more at either end as hold it."""
        width = float(np.median(np.diff(self.edges)))
        more = width * np.arange(1, int(np.ceil(_REACH * sd / width)) + 1)
        edges = np.concatenate([self.edges[0] - more[::-1], self.edges, self.edges[-1] + more])
        share = np.diff(stats.norm.cdf((edges - self.points[:, None]) / sd), axis=1)
        return MarginalLikelihood(edges, (edges[1:] + edges[:-1]) / 2, self.mass @ share, self.squares @ share**2, self.weights)

    def _cells(self, log_density: np.ndarray, tail: float) -> Cells:
        """Posteriors under priors with log densities (bin, cell)."""
        density, whole = _scaled(log_density), self.mass.sum(axis=0)
        pooled = _pooled(whole, density, self.weights)
        cumulated = _cumulated(pooled)
        below = _at_zero(self.edges, cumulated)
        without = [_at_zero(self.edges, _cumulated(_pooled(whole - part, density, self.weights))) for part in self.mass]
        error = np.sqrt((GROUPS - 1) / GROUPS * ((np.array(without) - np.mean(without, axis=0)) ** 2).sum(axis=0))
        squares = (_shares(whole, density, self.weights).T ** 2 @ self.squares * density.T**2).sum(axis=1)
        lower, median, upper = (_quantile(self.edges, cumulated, q) for q in (tail, 0.5, 1 - tail))
        return Cells(below, error, lower, median, upper, _sizes(cumulated, squares))


def marginal_likelihood(
    draws: np.ndarray, groups: np.ndarray, priors: Sequence[Prior], weights: np.ndarray
) -> MarginalLikelihood:
    """From draws of β (prior, table, draw) under their priors; `groups` (same shape) numbers, from 0, the part that each draw is left out with."""
    edges = _edges(draws)
    size, tables = edges.size - 1, draws.shape[1]
    place = np.clip(np.searchsorted(edges, draws, side="right") - 1, 0, size - 1)
    totals = np.bincount(place.ravel(), draws.ravel(), size)
    counted = np.bincount(place.ravel(), minlength=size)
    points = np.where(counted > 0, totals / np.maximum(counted, 1), (edges[1:] + edges[:-1]) / 2)
    flat = (groups * tables + np.arange(tables)[:, None]) * size + place
    counts = np.bincount(flat.ravel(), minlength=GROUPS * tables * size).reshape(GROUPS, tables, size).astype(float)
    together = _mixture(counts.sum(axis=0), np.stack([distribution_of(prior).logpdf(points) for prior in priors]), draws.shape[2])
    return MarginalLikelihood(edges, points, counts / together, counts.sum(axis=0) / together**2, weights)


def _edges(draws: np.ndarray) -> np.ndarray:
    """Edges of bins over all draws, 0 among them."""
    low, high = min(float(draws.min()), 0.0), max(float(draws.max()), 0.0)
    width = max(_WIDTH, (high - low) / _MOST_BINS)
    return width * np.arange(np.floor(low / width) - 1, np.ceil(high / width) + 2)


def _mixture(counts: np.ndarray, log_priors: np.ndarray, draws: int) -> np.ndarray:
    """Σ_k n_k π_k(β) / Z_k, (table, bin), from counts (table, bin) of the draws of all priors and π_k (prior, bin)."""
    density = np.exp(log_priors - log_priors.max(axis=1, keepdims=True))
    inverse = np.ones((len(counts), len(density)))
    for _ in range(_MOST_STEPS):
        together = np.maximum(draws * inverse @ density, _FEWEST)
        found = 1 / np.maximum((counts / together) @ density.T, _FEWEST)
        found /= found[:, :1]
        moved = np.abs(np.log(found / inverse)).max()
        inverse = found
        if moved < _CONVERGED:
            break
    return np.maximum(draws * inverse @ density, _FEWEST)


def _scaled(log_density: np.ndarray) -> np.ndarray:
    return np.exp(log_density - log_density.max(axis=0))


def _pooled(mass: np.ndarray, density: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Posterior of every bin (cell, bin), tables mixed by their weights."""
    return (_shares(mass, density, weights).T @ mass) * density.T


def _shares(mass: np.ndarray, density: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What a unit of mass of each table weighs, (table, cell): 0 where a prior leaves a table nothing."""
    left = mass @ density
    return np.where(left > _FEWEST, weights[:, None] / np.maximum(left, _FEWEST), 0.0)


def _sizes(cumulated: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Effective draws of each cell; 0 where nothing is left."""
    return np.divide(1.0, squares, out=np.zeros(squares.shape), where=np.isfinite(cumulated[:, -1]) & (squares > 0))


def _cumulated(pooled: np.ndarray) -> np.ndarray:
    """CDF at the edges, (cell, bin + 1)."""
    found = np.cumsum(np.pad(pooled, ((0, 0), (1, 0))), axis=1)
    return np.divide(found, found[:, -1:], out=np.full(found.shape, np.nan), where=found[:, -1:] > 0)


def _at_zero(edges: np.ndarray, cumulated: np.ndarray) -> np.ndarray:
    return _at(edges, cumulated, 0.0)


def _at(edges: np.ndarray, cumulated: np.ndarray, x: float) -> np.ndarray:
    """CDF at one point, linear within its bin."""
    right = int(np.clip(np.searchsorted(edges, x), 1, edges.size - 1))
    share = np.clip((x - edges[right - 1]) / (edges[right] - edges[right - 1]), 0.0, 1.0)
    return np.asarray((1 - share) * cumulated[:, right - 1] + share * cumulated[:, right])


def _quantile(edges: np.ndarray, cumulated: np.ndarray, q: float) -> np.ndarray:
    """Of every cell, linear within its bin."""
    right = np.clip((cumulated < q).sum(axis=1), 1, edges.size - 1)
    rows = np.arange(len(cumulated))
    first, last = cumulated[rows, right - 1], cumulated[rows, right]
    share = np.divide(q - first, last - first, out=np.zeros(first.shape), where=last > first)
    return np.asarray(edges[right - 1] + share * (edges[right] - edges[right - 1]))
