"""Frozen settings of the sampler and of what counts as a fit that may be believed."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar


class Sampler(StrEnum):
    """Engines that take the same PyMC model."""

    NUTPIE = "nutpie"
    PYMC = "pymc"
    NUMPYRO = "numpyro"


class Method(StrEnum):
    """Levels of METHODS 12: importance sampling with NUTS for what it fails at, or one of them for everything."""

    AUTO = "auto"
    IMPORTANCE = "importance"
    NUTS = "nuts"


class Adaptation(StrEnum):
    """How nutpie learns the scales of a posterior: each parameter's, or some of their correlations too; or as its model says."""

    DIAG = "diag"
    LOW_RANK = "low_rank"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """chains x draws after `tune` warm-up iterations; `pooled_draws` are shared by the tables of one ensemble.

    A fit that fails its diagnostics is run again with another seed, twice as long, and if that fails too, twice that, up to `retry`
    times; k times as long is in steps so small that only the kth part as many proposals are refused (divergences come from steps
    that are too large). What the last run gives stands.
    """

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"chains": 100, "tune": 1e6, "pooled_draws": 1e8, "min_draws": 1e6, "retry": 64, "threads": 1024}
    )

    method: Method = Method.AUTO
    engine: Sampler = Sampler.NUTPIE
    chains: int = 4
    tune: int = 200
    pooled_draws: int = 12_000
    min_draws: int = 400
    retry: int = 4
    target_accept: float = 0.8
    adaptation: Adaptation = Adaptation.MODEL
    threads: int = field(default=2, metadata={"in_key": False})  # the results do not depend on it

    LEAST: ClassVar[Mapping[str, int]] = MappingProxyType({"tune": 10, "min_draws": 10})
    """Below these there is nothing to diagnose."""

    def problems(self) -> list[str]:
        """An engine that is not installed, an acceptance that no sampler has, chains too short to be halved and ranked."""
        short = [
            f"{name}: got {getattr(self, name)}; allowed is at least {least}"
            for name, least in self.LEAST.items()
            if getattr(self, name) < least
        ]
        if short:
            return short
        if not 0.0 < self.target_accept < 1.0:
            return [f"target_accept: got {self.target_accept}; allowed is above 0 and below 1"]
        if self.engine is Sampler.NUMPYRO and importlib.util.find_spec("numpyro") is None:
            return ["engine: got numpyro, which is not installed; install it (pip install numpyro), or use nutpie or pymc"]
        return []

    @property
    def retries(self) -> tuple[int, ...]:
        """How many times as long a fit is run again, one after the other."""
        return tuple(2**k for k in range(1, self.retry.bit_length()))

    def retry_accept(self, times: int) -> float:
        """Acceptance aimed at when a fit is run again, `times` as long."""
        return 1.0 - (1.0 - self.target_accept) / times

    def draws(self, tables: int) -> int:
        """Draws a chain when `tables` fits are pooled: enough for `pooled_draws` together, never fewer than `min_draws`."""
        return max(self.min_draws, math.ceil(self.pooled_draws / (self.chains * tables)))


@dataclass(frozen=True, slots=True)
class DiagnosticLimits:
    """R-hat, effective sample sizes and divergences beyond which a fit is shown as failed (METHODS 10)."""

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType({"rhat": 10, "ess": 1e8, "divergences": 1e8})

    rhat: float = 1.01
    ess: float = 400.0
    divergences: int = 0

    def problems(self) -> list[str]:
        """An R-hat that no fit is below."""
        return [f"rhat: got {self.rhat}; allowed is above 1, to which R-hat falls"] if self.rhat <= 1.0 else []
