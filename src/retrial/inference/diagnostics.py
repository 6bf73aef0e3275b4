"""Convergence of one fit, and the verdict that every table shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from retrial.inference.engine import Draws
from retrial.inference.settings import DiagnosticLimits

TAILS = (0.05, 0.95)
"""Quantiles whose smaller effective sample size is the tail ESS (Vehtari et al. 2021)."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Worst values over the parameters of one fit; `status` is "ok" or "failed: ..." with every limit that was passed."""

    rhat_max: float
    ess_bulk_min: float
    ess_tail_min: float
    divergences: int
    draws: int
    status: str


def diagnose(draws: Draws, limits: DiagnosticLimits) -> Diagnostics:
    """Rank-normalised split R-hat, bulk and tail ESS (Vehtari et al. 2021) and divergences of one fit."""
    stacked = list(draws.values.values())
    rhat = max(_worst(array_stats.rhat, values, np.nanmax) for values in stacked)
    bulk = min(_worst(array_stats.ess, values, np.nanmin, method="bulk") for values in stacked)
    tail = min(_worst(array_stats.ess, values, np.nanmin, method="tail", prob=TAILS) for values in stacked)
    divergences = int(draws.diverging.sum())
    reasons = []
    if not rhat <= limits.rhat:
        reasons.append(f"R-hat {rhat:.3f} > {limits.rhat}")
    if not bulk >= limits.ess:
        reasons.append(f"bulk ESS {bulk:.0f} < {limits.ess:.0f}")
    if not tail >= limits.ess:
        reasons.append(f"tail ESS {tail:.0f} < {limits.ess:.0f}")
    if divergences > limits.divergences:
        reasons.append(f"{divergences} divergences > {limits.divergences}")
    return Diagnostics(rhat, bulk, tail, divergences, draws.diverging.size, f"failed: {', '.join(reasons)}" if reasons else "ok")


def _worst(statistic: Callable[..., Any], values: np.ndarray, worst: Callable[..., Any], **options: Any) -> float:
    """A statistic of (chain, draw, ...) per component, then its worst."""
    return float(worst(statistic(values, chain_axis=0, draw_axis=1, **options)))
