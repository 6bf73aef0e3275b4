"""Frozen settings of the sampler and of what counts as a fit that may be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Sampler(StrEnum):
    """Engines that take the same PyMC model."""

    NUTPIE = "nutpie"
    PYMC = "pymc"
    NUMPYRO = "numpyro"


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """chains x draws after `tune` warm-up iterations; `pooled_draws` are shared by the tables of one ensemble.

    A fit that fails its diagnostics is run once more, `retry` times as long and with another seed; what it gives then stands.
    """

    engine: Sampler = Sampler.NUTPIE
    chains: int = 4
    tune: int = 400
    pooled_draws: int = 12_000
    min_draws: int = 400
    retry: int = 4
    target_accept: float = 0.8
    threads: int = 2

    def draws(self, tables: int) -> int:
        """Draws a chain when `tables` fits are pooled: enough for `pooled_draws` together, never fewer than `min_draws`."""
        return max(self.min_draws, math.ceil(self.pooled_draws / (self.chains * tables)))


@dataclass(frozen=True, slots=True)
class DiagnosticLimits:
    """R-hat, effective sample sizes and divergences beyond which a fit is shown as failed (METHODS 10)."""

    rhat: float = 1.01
    ess: float = 400.0
    divergences: int = 0
