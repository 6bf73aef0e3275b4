"""`Ensemble`: the tables that a reconstruction delivers, with what is needed to trust them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from retrial.errors import ConfigError
from retrial.reconstruct.prior import TablePrior
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.survival.life_table import LifeTable

MIN_PROPOSALS, PROPOSALS_PER_SIZE, MANY_PATIENTS = 300, 4, 400
"""Default proposals per level; beyond `MANY_PATIENTS` patients move in blocks."""


@dataclass(frozen=True, slots=True)
class ReconstructionSettings:
    """How to sample.

    n_tables      tables delivered, over all readings
    agreement     "default" or "strict" (every printed digit), METHODS 4
    prior         of the tables
    ratios, tests, medians  readings that are tried
    islands       independent samplers of an endpoint, shared out to the attained readings by their evidence in the pilot
    particles     tables per island
    proposals     Metropolis-Hastings proposals per table and level (half to twice as many, by acceptance); None: by the
    table's size target_proposals  proposals per table at the target itself, in units of `proposals`
    share         effective sample size that a level's weights keep
    last_temperature  inverse temperature at which a reading that still has no table in agreement is given up
    pilot_particles, pilot_share  one small sampler per reading comes first
    pilot_energy  readings whose pilot came at least this close (Σ log(1 + tolerances)) without arriving get one full sampler
    evidence_window  readings whose pilot's log evidence is this far below the best are attained but not sampled further
    least_tables  fewest tables of an attained reading (weights still follow the evidence)
    threads       of the computation; the result does not depend on it
    relaxed       where no reading is attained: deliver the closest tables instead of raising `ReconstructionError`
    """

    n_tables: int = 100
    agreement: str = "default"
    prior: TablePrior = field(default_factory=TablePrior)
    ratios: tuple[RatioReading, ...] = tuple(RatioReading)
    tests: tuple[TestReading, ...] = tuple(TestReading)
    medians: tuple[MedianReading, ...] = tuple(MedianReading)
    islands: int = 16
    particles: int = 96
    proposals: int | None = None
    target_proposals: int = 2
    share: float = 0.9
    last_temperature: float = 60.0
    pilot_particles: int = 48
    pilot_share: float = 0.8
    pilot_energy: float = 2.5
    evidence_window: float = 12.0
    least_tables: int = 2
    threads: int = 2
    relaxed: bool = False

    def __post_init__(self) -> None:
        least = {
            "n_tables": 1,
            "islands": 1,
            "particles": 2,
            "pilot_particles": 2,
            "threads": 1,
            "target_proposals": 0,
            "least_tables": 0,
        }
        problems = [
            f"reconstruction.{name}: got {getattr(self, name)}; allowed is at least {low}"
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        problems += [
            f"reconstruction.{name}: got {getattr(self, name)}; allowed is above 0 and below 1"
            for name in ("share", "pilot_share")
            if not 0 < getattr(self, name) < 1
        ]
        if self.agreement not in ("default", "strict"):
            problems.append(f"reconstruction.agreement: got {self.agreement!r}; allowed are default and strict")
        if problems:
            raise ConfigError("cannot reconstruct with these settings", problems)

    def proposals_for(self, n_patients: int, n_times: int) -> int:
        """Proposals per level: about five for every patient and cell unless set."""
        return self.proposals or max(MIN_PROPOSALS, PROPOSALS_PER_SIZE * (min(n_patients, MANY_PATIENTS) + 4 * n_times))


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """What became of one reading.

    status        "attained", "not attained" (no sampler arrived; `miss` and `violated` describe its closest table) or "impossible"
                  (`reason`: the reading cannot print the numbers whatever the table)
    log_evidence  log P(agreement | printed structure) under the prior, mean over islands on the natural scale; relative
    standard error share         posterior probability of the reading among the attained, each equally likely beforehand
    miss          the closest table's largest distance from an agreement interval, in half-widths of it; 0 where attained
    violated      printed numbers that the closest table misses
    effective_tables  effective sample size of the RMST difference, from the islands' spread; NaN with fewer than three
    """

    reading: Reading
    status: str
    log_evidence: float = -np.inf
    log_evidence_se: float = np.nan
    share: float = 0.0
    miss: float = np.nan
    violated: tuple[str, ...] = ()
    reason: str = ""
    islands: int = 0
    chains_started: int = 0
    chains_arrived: int = 0
    unique_tables: int = 0
    unique_ancestors: int = 0
    effective_tables: float = np.nan
    acceptance: float = np.nan
    proposals: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Island:
    """What one compiled island returned: (N, 2, T) events d and at risk r, (N, 4) energies, (N,) ancestors, and its summary."""

    reading: Reading
    d: np.ndarray
    r: np.ndarray
    energy: np.ndarray
    ancestor: np.ndarray
    log_evidence: float
    temperature: float
    acceptance: float
    proposals: int

    @property
    def arrived(self) -> bool:
        return self.log_evidence > -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Tables that carry the printed numbers of one endpoint.

    `table` has dims (reconstruction, arm, time), times in months; `readings` one per reconstruction; `weights` sum to 1 and
    make the pooled tables a draw from the posterior over readings and tables. `relaxed` says that no table agrees and these
    are the closest. `pool` keeps every island that arrived, from which the tables were drawn.
    """

    endpoint: str
    table: LifeTable
    readings: tuple[Reading, ...]
    weights: np.ndarray
    results: tuple[ReadingResult, ...]
    seed: int
    relaxed: bool = False
    pool: tuple[Island, ...] = ()

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
                    "islands": result.islands,
                    "chains_started": result.chains_started,
                    "chains_arrived": result.chains_arrived,
                    "unique_tables": result.unique_tables,
                    "unique_ancestors": result.unique_ancestors,
                    "effective_tables": result.effective_tables,
                    "acceptance": result.acceptance,
                    "proposals": result.proposals,
                    "miss": result.miss,
                    "violated": ", ".join(result.violated),
                    "reason": result.reason,
                }
                for result in self.results
            ]
        )
