"""R-hat and effective sample sizes of many fits at once: the same numbers as ArviZ, without a Python loop over the fits.

Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, Bayesian Analysis 16:667. ArviZ takes one series at a time, which for
thousands of short fits costs as much as sampling them; tests hold these functions to ArviZ's values.
All arrays are (series, chain, draw).
"""

from __future__ import annotations

import numpy as np
from scipy import fft, stats

_BLOM_OFFSET = 3.0 / 8.0
"""Ranks r of S values become normal quantiles of (r - 3/8) / (S + 1/4)."""
_BLOM_SIZE = 1.0 / 4.0


def split_chains(draws: np.ndarray) -> np.ndarray:
    """Halve every chain (the middle draw of an odd number is dropped)."""
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=-2)


def rank_normalised(draws: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks over all chains of a series."""
    flat = draws.reshape(draws.shape[0], -1)
    rank = stats.rankdata(flat, method="average", axis=1)
    return stats.norm.ppf((rank - _BLOM_OFFSET) / (flat.shape[1] + _BLOM_SIZE)).reshape(draws.shape)


def rhat(draws: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat, the larger of bulk and folded, per series."""
    split = split_chains(draws)
    folded = np.abs(split - np.median(split, axis=(1, 2), keepdims=True))
    return np.maximum(_plain_rhat(rank_normalised(split)), _plain_rhat(rank_normalised(folded)))


def _plain_rhat(chains: np.ndarray) -> np.ndarray:
    n = chains.shape[-1]
    between = n * chains.mean(axis=-1).var(axis=-1, ddof=1)
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / within + n - 1) / n)


def ess_bulk(draws: np.ndarray) -> np.ndarray:
    """Effective sample size of the rank-normalised split chains, per series."""
    return _ess(rank_normalised(split_chains(draws)))


def ess_tail(draws: np.ndarray, tails: tuple[float, float]) -> np.ndarray:
    """The smaller effective sample size of the indicators of two quantiles, per series."""
    quantiles = np.quantile(draws, tails, axis=(1, 2))
    below = [draws <= quantile[:, None, None] for quantile in quantiles]
    return np.minimum(*(_ess(split_chains(indicator).astype(float)) for indicator in below))


def _ess(chains: np.ndarray) -> np.ndarray:
    """S / τ, τ = -1 + 2 Σ pairs of autocorrelations, cut at the first pair not above 0 and made monotone (Geyer 1992)."""
    series, m, n = chains.shape
    covariance = _autocovariance(chains).mean(axis=1)
    within = covariance[:, 0] * n / (n - 1.0)
    total = covariance[:, 0] + (chains.mean(axis=-1).var(axis=-1, ddof=1) if m > 1 else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within[:, None] - covariance) / total[:, None]
    rho[:, 0] = 1.0
    pairs = rho[:, : n // 2 * 2].reshape(series, -1, 2).sum(axis=2)
    last = max((n - 3) // 2, 1)
    stop = np.where((pairs[:, :last] <= 0).any(axis=1), (pairs[:, :last] <= 0).argmax(axis=1), last)
    monotone = np.minimum.accumulate(pairs, axis=1)
    kept = np.where(np.arange(pairs.shape[1]) < stop[:, None], monotone, 0.0).sum(axis=1)
    tau = -1.0 + 2.0 * kept + np.maximum(rho[np.arange(series), 2 * stop], 0.0)
    ess = m * n / np.maximum(tau, 1.0 / np.log10(m * n))
    constant = np.ptp(chains.reshape(series, -1), axis=1) < np.finfo(float).resolution
    return np.where(constant, m * n, ess)


def _autocovariance(chains: np.ndarray) -> np.ndarray:
    """Biased autocovariance of every chain at every lag, by Fourier transform."""
    n = chains.shape[-1]
    size = fft.next_fast_len(2 * n, real=True)
    centred = fft.rfft(chains - chains.mean(axis=-1, keepdims=True), size, axis=-1)
    return fft.irfft(np.abs(centred) ** 2, size, axis=-1)[..., :n] / n
