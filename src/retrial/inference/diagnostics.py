"""Convergence of fits, and the verdict that every table shows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from retrial.inference.convergence import ess_bulk, ess_tail, rhat
from retrial.inference.engine import Draws
from retrial.inference.settings import DiagnosticLimits

TAILS = (0.05, 0.95)
"""Quantiles whose smaller effective sample size is the tail ESS (Vehtari et al. 2021)."""
_BATCH = 100
"""Fits looked at together: a few megabytes of draws."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Worst values over the parameters of one fit; `status` is "ok" or "failed: ..." with every limit that was passed."""

    rhat_max: float
    ess_bulk_min: float
    ess_tail_min: float
    divergences: int
    draws: int
    status: str


def diagnose(fits: Sequence[Draws], limits: DiagnosticLimits, threads: int = 1) -> list[Diagnostics]:
    """Rank-normalised split R-hat, bulk and tail ESS (Vehtari et al. 2021) and divergences of every fit (of one shape)."""
    batches = [fits[start : start + _BATCH] for start in range(0, len(fits), _BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        return [item for batch in pool.map(lambda part: _diagnose_batch(part, limits), batches) for item in batch]


def _diagnose_batch(fits: Sequence[Draws], limits: DiagnosticLimits) -> list[Diagnostics]:
    series = [component for name in fits[0].values for component in _components([fit.values[name] for fit in fits])]
    worst_rhat = np.max([rhat(values) for values in series], axis=0)
    worst_bulk = np.min([ess_bulk(values) for values in series], axis=0)
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
