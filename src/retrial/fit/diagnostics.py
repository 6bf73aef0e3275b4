"""Convergence of fits, and the verdict that every table shows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import fft, special, stats

from retrial.fit.engine import Draws
from retrial.fit.settings import DiagnosticLimits

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
    return np.asarray(special.ndtri((rank - _BLOM_OFFSET) / (flat.shape[1] + _BLOM_SIZE)).reshape(draws.shape))


def rhat(draws: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat, the larger of bulk and folded, per series."""
    return rhat_and_bulk(draws)[0]


def rhat_and_bulk(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`rhat` and `ess_bulk`, which look at the same ranks."""
    split = split_chains(draws)
    folded = np.abs(split - np.median(split, axis=(1, 2), keepdims=True))
    scores = rank_normalised(split)
    return np.maximum(_plain_rhat(scores), _plain_rhat(rank_normalised(folded))), _ess(scores)


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


def mean_ess(chains: np.ndarray) -> np.ndarray:
    """Effective sample size of the mean of chains (series, chain, draw), per series."""
    return _ess(chains)


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


TAILS = (0.05, 0.95)
"""Quantiles whose smaller effective sample size is the tail ESS (Vehtari et al. 2021)."""
_BATCH = 100
"""Fits looked at together: a few megabytes of draws."""


class Level(StrEnum):
    """What gave a fit."""

    IMPORTANCE = "importance"
    REWEIGHTED = "reweighted"
    NUTS = "nuts"


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Worst values over the parameters of one fit, and how it was run the last time.

    rhat_max       largest rank-normalised split R-hat; empty where there are no chains (importance sampling)
    ess_bulk_min, ess_tail_min   smallest effective sample sizes of bulk and tails
    divergences    divergent transitions
    draws          of all chains
    status         "ok", or "failed: ..." with every limit that was passed
    attempts       how many times it was run
    tune           warm-up of a chain
    target_accept  acceptance aimed at
    method         importance (weighted draws of proposals that all fits of the model share), reweighted (chains of NUTS under another prior of
                   the same data) or nuts
    pareto_k       shape of the tail of the importance weights: 0.7 and above would not be trusted; empty where there are none
    log_evidence, log_evidence_se  log of the probability (density, for exact times) of the data under the model and prior, and its standard
                   error; empty where NUTS gave the fit
    log_evidence_null, log_evidence_null_se  the same with the treatment effect at 0 and no prior of it; empty where the model has no single effect
    check          largest difference from NUTS, in Monte Carlo errors, where the fit was chosen to be checked; empty elsewhere
    """

    rhat_max: float
    ess_bulk_min: float
    ess_tail_min: float
    divergences: int
    draws: int
    status: str
    attempts: int = 1
    tune: int = 0
    target_accept: float = float("nan")
    method: Level = Level.NUTS
    pareto_k: float = float("nan")
    log_evidence: float = float("nan")
    log_evidence_se: float = float("nan")
    log_evidence_null: float = float("nan")
    log_evidence_null_se: float = float("nan")
    check: float = float("nan")


def diagnose(fits: Sequence[Draws], limits: DiagnosticLimits, threads: int = 1) -> list[Diagnostics]:
    """Rank-normalised split R-hat, bulk and tail ESS (Vehtari et al. 2021) and divergences of every fit (of one shape)."""
    batches = [fits[start : start + _BATCH] for start in range(0, len(fits), _BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        return [item for batch in pool.map(lambda part: _diagnose_batch(part, limits), batches) for item in batch]


def _diagnose_batch(fits: Sequence[Draws], limits: DiagnosticLimits) -> list[Diagnostics]:
    series = [component for name in fits[0].values for component in _components([fit.values[name] for fit in fits])]
    of_ranks = [rhat_and_bulk(values) for values in series]
    worst_rhat = np.max([found for found, _ in of_ranks], axis=0)
    worst_bulk = np.min([found for _, found in of_ranks], axis=0)
    worst_tail = np.min([ess_tail(values, TAILS) for values in series], axis=0)
    rows = zip(fits, worst_rhat, worst_bulk, worst_tail, strict=True)
    return [_verdict(float(r), float(b), float(t), fit, limits) for fit, r, b, t in rows]


def _components(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(fit, chain, draw) of each element of a parameter."""
    stacked = np.stack(values)
    flat = stacked.reshape(*stacked.shape[:3], -1)
    return [flat[..., index] for index in range(flat.shape[-1])]


def _verdict(rhat_max: float, bulk: float, tail: float, fit: Draws, limits: DiagnosticLimits) -> Diagnostics:
    divergences = int(fit.diverging.sum())
    reasons = []
    if not rhat_max <= limits.rhat:
        reasons.append(f"R-hat {rhat_max:.3f} > {limits.rhat}")
    if not bulk >= limits.ess:
        reasons.append(f"bulk ESS {bulk:.0f} < {limits.ess:.0f}")
    if not tail >= limits.ess:
        reasons.append(f"tail ESS {tail:.0f} < {limits.ess:.0f}")
    if divergences > limits.divergences:
        reasons.append(f"{divergences} divergences > {limits.divergences}")
    status = f"failed: {', '.join(reasons)}" if reasons else "ok"
    return Diagnostics(rhat_max, bulk, tail, divergences, fit.diverging.size, status)
