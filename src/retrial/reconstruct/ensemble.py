"""`Ensemble`: the tables that a reconstruction delivers, with what is needed to trust them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from retrial.reconstruct.prior import TablePrior
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.survival.life_table import LifeTable


@dataclass(frozen=True, slots=True)
class ReconstructionSettings:
    """How to sample.

    n_tables     tables delivered, over all readings
    agreement    "default" or "strict" (every printed digit), METHODS 4
    prior        of the tables
    ratios, tests, medians  readings that are tried
    islands      independent samplers per attainable reading; their spread is the evidence's error
    particles    tables per island
    proposals    Metropolis-Hastings proposals per table and level (at least half, at most ten times as many, by acceptance)
    target_proposals  proposals per table at the target itself
    share        effective sample size that a level's weights keep
    last_temperature  inverse temperature at which a reading that still has no table in agreement is given up
    pilot_particles, pilot_proposals, pilot_energy  first look at every reading: those that stay further than `pilot_energy` tolerances
                 from agreement are reported as not attained and not sampled further
    least_tables fewest tables of an attainable reading (weights still follow the evidence)
    threads      of the computation; the result does not depend on it
    relaxed      where no reading is attainable: deliver the closest tables instead of raising `ReconstructionError`
    """

    n_tables: int = 100
    agreement: str = "default"
    prior: TablePrior = field(default_factory=TablePrior)
    ratios: tuple[RatioReading, ...] = tuple(RatioReading)
    tests: tuple[TestReading, ...] = tuple(TestReading)
    medians: tuple[MedianReading, ...] = tuple(MedianReading)
    islands: int = 2
    particles: int = 96
    proposals: int = 800
    target_proposals: int = 8_000
    share: float = 0.6
    last_temperature: float = 30.0
    pilot_particles: int = 24
    pilot_proposals: int = 300
    pilot_energy: float = 4.0
    least_tables: int = 5
    threads: int = 2
    relaxed: bool = False


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """What became of one reading.

    status        "attained", "not attained" (no sampler arrived: `least_energy` is the closest, in tolerances, with `violated` the printed
                  numbers that the closest table misses) or "impossible" (`reason`: the reading cannot print the numbers whatever the table)
    log_evidence  log P(agreement | printed structure) under the prior, mean over islands on the natural scale; its standard error
    share         posterior probability of the reading among the attained, each equally likely beforehand
    """

    reading: Reading
    status: str
    log_evidence: float = -np.inf
    log_evidence_se: float = np.nan
    share: float = 0.0
    least_energy: float = np.nan
    violated: tuple[str, ...] = ()
    reason: str = ""
    chains_started: int = 0
    chains_arrived: int = 0
    unique_tables: int = 0
    unique_ancestors: int = 0
    acceptance: float = np.nan
    proposals: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Tables that carry the printed numbers of one endpoint.

    `table` has dims (reconstruction, arm, time), times in months; `readings` one per reconstruction; `weights` sum to 1 and make the pooled
    tables a draw from the posterior over readings and tables. `relaxed` says that no table agrees and these are the closest.
    """

    endpoint: str
    table: LifeTable
    readings: tuple[Reading, ...]
    weights: np.ndarray
    results: tuple[ReadingResult, ...]
    seed: int
    relaxed: bool = False

    @property
    def attained(self) -> tuple[ReadingResult, ...]:
        return tuple(result for result in self.results if result.status == "attained")

    @property
    def effective_tables(self) -> float:
        """1 / Σ w²."""
        return float(1.0 / (self.weights**2).sum())

    def health(self) -> pd.DataFrame:
        """One row per reading."""
        return pd.DataFrame(
            [
                {
                    "endpoint": self.endpoint,
                    "hazard_ratio": str(result.reading.ratio or ""),
                    "chi_square": str(result.reading.test or ""),
                    "median_ci": str(result.reading.median or ""),
                    "status": result.status,
                    "log_evidence": result.log_evidence,
                    "log_evidence_se": result.log_evidence_se,
                    "share": result.share,
                    "chains_started": result.chains_started,
                    "chains_arrived": result.chains_arrived,
                    "unique_tables": result.unique_tables,
                    "unique_ancestors": result.unique_ancestors,
                    "acceptance": result.acceptance,
                    "proposals": result.proposals,
                    "least_energy": result.least_energy,
                    "violated": ", ".join(result.violated),
                    "reason": result.reason,
                }
                for result in self.results
            ]
        )
