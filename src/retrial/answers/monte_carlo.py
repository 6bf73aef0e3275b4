"""Monte Carlo standard errors of pooled draws: how far an answer would move with other draws from the same posteriors.

The draws of an answer are of several life tables, each in proportion to its weight, and of several chains a table. Which table a draw
is of is not left to chance, so that only the spread within the tables counts. With n_m of the N draws from table m, x̄ the mean over all:

    Var x̄ = τ / N² Σ_m n_m / (n_m - 1) Σ_{i in m} (x_i - x̄_m)²,     τ = 1 + 2 Σ_k ρ_k

ρ_k is the autocorrelation at lag k within chains, about the mean of the table and over all tables together, summed as far as it is
positive (Geyer 1992, initial monotone sequence; as Vehtari et al. 2021, Bayesian Analysis 16:667, for one table). A probability is such
a mean. A quantile at p has the effective size S = p (1 - p) / Var of the mean of 1[x <= quantile], and as its error half the distance
between the order statistics at the 16 and 84 % quantiles of Beta(S p + 1, S (1 - p) + 1) (same paper, section 4.4). ArviZ has both for
one table only, with which a test holds this together.

Draws by importance sampling are resampled from proposals that all tables share: draws of one proposal, in whichever tables, are one.
Of them Var x̄ = 1 / N² Σ_s (Σ_{i of proposal s} (x_i - x̄_m(i)))², the delta method's variance of the weighted mean and of resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betaincinv
from scipy.stats import norm

_ONE_SIGMA = float(norm.cdf(1.0))
_LARGEST_SIZE = 1e9
"""Effective draws beyond which nothing changes: of values that are all equal."""


@dataclass(frozen=True, eq=False)
class Origin:
    """Life table and chain of each draw, (draw,) integers; draws of one chain stand together, in the order in which they were drawn.

    `source` (draw,) is the number of the proposal that a draw is, -1 where it is its chain's own; None where all are.
    """

    table: np.ndarray
    chain: np.ndarray
    source: np.ndarray | None = None

    @classmethod
    def of_chains(cls, chains: int, draws: int) -> Origin:
        """One posterior: `chains` chains of `draws` draws, one after the other."""
        return cls(np.zeros(chains * draws, dtype=int), np.repeat(np.arange(chains), draws))

    @property
    def size(self) -> int:
        return self.table.size

    def rows(self, kept: np.ndarray) -> Origin:
        """Of some of the draws."""
        return Origin(self.table[kept], self.chain[kept], None if self.source is None else self.source[kept])

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of each draw's table from 0, and draws of each table."""
        _, index, counts = np.unique(self.table, return_inverse=True, return_counts=True)
        return index, counts

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Block of each draw (a table's chain), its position there, and the blocks' lengths."""
        new = np.concatenate([[True], (np.diff(self.table) != 0) | (np.diff(self.chain) != 0)])
        block, starts = np.cumsum(new) - 1, np.flatnonzero(new)
        return block, np.arange(self.size) - starts[block], np.diff(np.append(starts, self.size))

    def mean_errors(self, values: np.ndarray) -> np.ndarray:
        """Standard errors of the means of values (k, draw); 0 where all are equal."""
        if self.source is None or (self.source < 0).all():
            return np.sqrt(self._of_chains(values)) / self.size
        shared = self.source >= 0
        own = Origin(self.table[~shared], self.chain[~shared])
        total = Origin(self.table[shared], self.chain[shared], self.source[shared])._of_proposals(values[:, shared])
        return np.sqrt(total + (own._of_chains(values[:, ~shared]) if own.size else 0.0)) / self.size

    def _of_chains(self, values: np.ndarray) -> np.ndarray:
        """Variance of the sum of draws of chains."""
        counts = self._tables[1]
        centred = self._centred(values)
        inside = np.stack([np.bincount(self._tables[0], row, counts.size) for row in centred**2])
        return np.asarray((inside * counts / np.maximum(counts - 1, 1)).sum(axis=1) * self._inefficiency(centred))

    def _of_proposals(self, values: np.ndarray) -> np.ndarray:
        """Variance of the sum of draws of shared proposals; NaN of a single one, whose error nothing tells."""
        index, count = self._proposals
        squares = np.stack([(np.bincount(index, row, count) ** 2).sum() for row in self._centred(values)])
        return squares * count / (count - 1) if count > 1 else np.full(len(values), np.nan)

    @cached_property
    def _proposals(self) -> tuple[np.ndarray, int]:
        known, index = np.unique(np.asarray(self.source), return_inverse=True)
        return index, known.size

    def _centred(self, values: np.ndarray) -> np.ndarray:
        """Values (k, draw) less the mean of their table."""
        index, counts = self._tables
        means = np.stack([np.bincount(index, row, counts.size) for row in values]) / counts
        return np.asarray(values - means[:, index])

    def _inefficiency(self, centred: np.ndarray) -> np.ndarray:
        """τ of values (k, draw) that are centred within tables; at least 1 / log10(draws), as antithetic chains are no better known."""
        block, position, lengths = self._places
        padded = np.zeros((len(centred), lengths.size, int(lengths.max())))
        padded[:, block, position] = centred
        total = np.einsum("kbi,kbi->k", padded, padded)

        def correlation(lag: int) -> np.ndarray:
            pairs = np.maximum(lengths - lag, 0).sum()
            if not pairs:
                return np.zeros(len(centred))
            product = np.einsum("kbi,kbi->k", padded[..., lag:], padded[..., : padded.shape[-1] - lag])
            return product / pairs * self.size / np.where(total > 0, total, 1.0)

        last = 1.0 + correlation(1)
        tau, going = 2 * last - 1.0, np.ones(len(centred), dtype=bool)
        for lag in range(2, padded.shape[-1] - 1, 2):
            pair = correlation(lag) + correlation(lag + 1)
            going &= pair > 0
            if not going.any():
                break
            last = np.where(going, np.minimum(last, pair), 0.0)
            tau += 2 * last
        return np.maximum(tau, 1 / np.log10(max(self.size, 10)))

    def quantile_errors(self, ordered: np.ndarray, draws: np.ndarray, levels: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
        """Standard errors of quantiles (k,) at levels (k,) of draws (draw,), whose sorted values are `ordered`."""
        ranks = self.quantile_ranks(draws, levels, quantiles)
        return np.full(levels.size, np.nan) if ranks is None else half_distances(ordered, ranks)

    def quantile_ranks(
        self, draws: np.ndarray, levels: np.ndarray, quantiles: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Places (k,) among the sorted draws of the order statistics whose half distance is a quantile's error; None where nothing tells it.

        They are the same for everything that rises with what was drawn.
        """
        errors = self.mean_errors((draws <= quantiles[:, None]).astype(float))
        if np.isnan(errors).any():
            return None
        variance = levels * (1 - levels)
        size = variance / np.maximum(errors**2, variance / _LARGEST_SIZE)
        low, high = (betaincinv(size * levels + 1, size * (1 - levels) + 1, q) for q in (1 - _ONE_SIGMA, _ONE_SIGMA))
        below = np.floor(np.maximum(low * draws.size, 1)).astype(int) - 1
        above = np.ceil(np.minimum(high * draws.size, draws.size)).astype(int) - 1
        return below, above


def half_distances(ordered: np.ndarray, ranks: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Errors (k,) of quantiles of sorted draws, from `Origin.quantile_ranks`."""
    return np.asarray(ordered[ranks[1]] - ordered[ranks[0]]) / 2
