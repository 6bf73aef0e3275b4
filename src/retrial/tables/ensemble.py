"""`Ensemble`: the tables that a reconstruction delivers, with what is needed to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from retrial.dims import RECONSTRUCTION
from retrial.errors import ConfigError
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import DesignReading, MedianReading, RatioReading, Reading, TestReading

PROPOSALS = 300
"""Default proposals per level: neither patients nor the grid's fineness ask for more, because what a population leaves unmixed the ladders mix."""
EFFORTS = {"quick": (4, 64, 1), "standard": (8, 64, 5), "thorough": (24, 100, 12)}
"""Islands, for few patients their particles, and rounds of each effort; the Monte Carlo error that it left is in readings.csv and spread.csv."""
FEW_PATIENTS, FEWEST_PARTICLES = 120, 32
"""Beyond `FEW_PATIENTS` an effort's particles fall as 1/n, because each costs as n and the ladders' mixing is what counts; never below
`FEWEST_PARTICLES`, or the effort's own.
"""


_MOST_PIECES = 100
"""Pieces of the grid: more than there are recorded times says nothing more."""


@dataclass(frozen=True, slots=True)
class ReconstructionSettings:
    """How to sample.

    n_tables      tables delivered, over all readings
    agreement     "default" or "strict" (every printed digit), METHODS 4
    prior         of the tables
    ratios, tests, medians, designs  readings that are tried; designs only where the study says what follow-up left patients out
    effort        "quick" (an answer in seconds, to look at), "standard" or "thorough": how many islands, rounds and particles, where these are None
    islands       independent samplers of an endpoint, each over all readings; their spread is the answers' Monte Carlo error
    rounds        of the islands' ladders, at most
    enough        effective tables, by the islands' spread, for each of `n_tables` at which there is no further round; 0: never
    particles     tables per island that cool together; None: the effort's, fewer where patients are many
    proposals     Metropolis-Hastings proposals per table and level (half to twice as many, by acceptance); None: 300
    target_proposals  proposals per table at the target itself, in units of `proposals`
    share         effective sample size that a level's weights keep
    last_temperature  inverse temperature at which a reading that still has no table in agreement is given up
    pilot_particles, pilot_share  a small sampler for each reading in which no island ended
    least_tables  fewest tables of an attained reading (weights still follow the evidence)
    threads       of the computation; the result does not depend on it
    relaxed       where no reading is attained: deliver the closest tables instead of raising `ReconstructionError`
    """

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType(
        {
            "n_tables": 1e5,
            "islands": 1e4,
            "rounds": 1e6,
            "particles": 1e6,
            "proposals": 1e8,
            "target_proposals": 1e4,
            "last_temperature": 1e6,
            "pilot_particles": 1e6,
            "least_tables": 1e5,
            "threads": 1024,
        }
    )

    n_tables: int = 100
    agreement: str = "default"
    prior: TablePrior = field(default_factory=TablePrior)
    ratios: tuple[RatioReading, ...] = tuple(RatioReading)
    tests: tuple[TestReading, ...] = tuple(TestReading)
    medians: tuple[MedianReading, ...] = tuple(MedianReading)
    designs: tuple[DesignReading, ...] = tuple(DesignReading)
    effort: str = "standard"
    islands: int = None  # type: ignore[assignment]  # filled from the effort
    enough: float = 0.5
    rounds: int = None  # type: ignore[assignment]  # filled from the effort
    particles: int | None = None
    proposals: int | None = None
    target_proposals: int = 2
    share: float = 0.8
    last_temperature: float = 30.0
    pilot_particles: int = 48
    pilot_share: float = 0.7
    least_tables: int = 2
    threads: int = field(default=2, metadata={"in_key": False})
    relaxed: bool = False

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            problem = f"reconstruction.effort: got {self.effort!r}; allowed are {', '.join(EFFORTS)}"
            raise ConfigError("cannot reconstruct with these settings", [problem])
        if self.islands is None:
            object.__setattr__(self, "islands", EFFORTS[self.effort][0])
        if self.rounds is None:
            object.__setattr__(self, "rounds", EFFORTS[self.effort][2])
        least = {
            "n_tables": 1,
            "islands": 1,
            "rounds": 1,
            "particles": 2,
            "pilot_particles": 2,
            "threads": 1,
            "target_proposals": 0,
            "least_tables": 0,
        }
        problems = [
            f"reconstruction.{name}: got {getattr(self, name)}; allowed is at least {low}"
            for name, low in least.items()
            if getattr(self, name) is not None and getattr(self, name) < low
        ]
        problems += [
            f"reconstruction.{name}: got {getattr(self, name)}; allowed is above 0 and below 1"
            for name in ("share", "pilot_share")
            if not 0 < getattr(self, name) < 1
        ]
        problems += [
            f"reconstruction.{name}: got []; allowed is at least one"
            for name in ("ratios", "tests", "medians", "designs")
            if not getattr(self, name)
        ]
        if not self.enough >= 0:
            problems.append(f"reconstruction.enough: got {self.enough}; allowed is 0 or above")
        if self.prior.pieces > _MOST_PIECES:
            problems.append(f"reconstruction.prior.pieces: got {self.prior.pieces}; allowed is at most {_MOST_PIECES}")
        if self.agreement not in ("default", "strict"):
            problems.append(f"reconstruction.agreement: got {self.agreement!r}; allowed are default and strict")
        if problems:
            raise ConfigError("cannot reconstruct with these settings", problems)

    def particles_for(self, n_patients: int) -> int:
        """Tables per island of an endpoint with so many patients."""
        most = EFFORTS[self.effort][1]
        return self.particles or max(min(most, FEWEST_PARTICLES), min(most, most * FEW_PATIENTS // n_patients))

    @property
    def level_proposals(self) -> int:
        """Proposals per table and level."""
        return self.proposals or PROPOSALS


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """What became of one reading.

    status        "attained", "not attained" (no sampler arrived; `miss` and `violated` describe its closest table) or "impossible"
                  (`reason`: the reading cannot print the numbers whatever the table)
    log_evidence  log of P(agreement, structure | reading) under the prior over P(structure) where each arm has hazards of its own, which is the
                  same for every reading of an endpoint and design; mean over islands on the natural scale. With several designs P(structure) is
                  in it, where the samplers know it
    log_evidence_se  its standard error by the islands' spread; NaN where one small sampler is all there is
    share         posterior probability of the reading among the attained, each equally likely beforehand
    share_se      its standard error (jackknife over the islands)
    joint_share, joint_share_se  the same given the numbers of all endpoints of the paper, and its standard error; NaN where there is none
    software_share  joint share under the prior of the programs that the study file names
    miss          the closest table's largest distance from an agreement interval, in half-widths of it; 0 where attained
    violated      printed numbers that the closest table misses
    islands, chains_started, proposals  samplers that had this reading among their hypotheses, draws that they kept (tables that a pilot began
                  with), proposals; chains_arrived: draws under it
    effective_tables  effective sample size of the RMST difference, from the islands' spread; NaN with fewer than three
    """

    reading: Reading
    status: str
    log_evidence: float = -np.inf
    log_evidence_se: float = np.nan
    share: float = 0.0
    share_se: float = np.nan
    joint_share: float = np.nan
    joint_share_se: float = np.nan
    software_share: float = np.nan
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
    """What one island found: the readings it sampled (of one design), (N,) `which` of them each draw is of, (N, 2, T) events d and at risk r, (N, 2,
    P) log event hazards per grid time, (N, 4) energies, (N,) ancestors (descents of its ladders; a pilot's first tables), and its summary (log
    evidence: of the readings' mean; log structure: of how probable the printed structure is under the prior where each arm has hazards of its own,
    NaN where nobody knows; started: draws, N or more; whether it is a pilot of its reading; own evidence: what it found itself, where islands that
    count alike have their mean as log evidence).
    """

    readings: tuple[Reading, ...]
    which: np.ndarray
    d: np.ndarray
    r: np.ndarray
    log_hazards: np.ndarray
    energy: np.ndarray
    ancestor: np.ndarray
    log_evidence: float
    temperature: float
    acceptance: float
    proposals: int
    started: int
    log_structure: float = np.nan
    pilot: bool = False
    own_evidence: float = np.nan

    @property
    def arrived(self) -> bool:
        return self.log_evidence > -np.inf

    @property
    def alone(self) -> float:
        """The log evidence that it found itself."""
        return self.log_evidence if np.isnan(self.own_evidence) else self.own_evidence

    @property
    def nearest(self) -> float:
        """Energy of the nearest table; 0 where some agree."""
        return float(self.energy.sum(axis=1).min())

    def renamed(self, reading: Reading) -> Island:
        """The nearest table alone, put down to a reading that it was not sampled under, infinitely far from agreement."""
        nearest = [int(self.energy.sum(axis=1).argmin())]
        arrays = {name: getattr(self, name)[nearest] for name in ("d", "r", "log_hazards", "ancestor")}
        energy = np.full((1, self.energy.shape[1]), np.inf)
        return replace(self, readings=(reading,), which=np.zeros(1, int), energy=energy, log_evidence=-np.inf, **arrays)

    def of(self, reading: Reading) -> Island:
        """The particles that ended in one reading, with that reading's log evidence log(Z R n / N)."""
        mine = self.which == self.readings.index(reading)
        with np.errstate(divide="ignore"):
            share = float(np.log(len(self.readings) * mine.mean()))
        return replace(
            self,
            readings=(reading,),
            which=np.zeros(mine.sum(), int),
            d=self.d[mine],
            r=self.r[mine],
            log_hazards=self.log_hazards[mine],
            energy=self.energy[mine],
            ancestor=self.ancestor[mine],
            log_evidence=self.log_evidence + share,
            own_evidence=self.own_evidence + share,
        )


class Drawn(NamedTuple):
    """A table to be delivered: its reading, its share of the posterior (up to a factor), (2, T) events, (2, T + 1) at risk, and the number
    of the sampler that it comes from.
    """

    reading: Reading
    weight: float
    d: np.ndarray
    r: np.ndarray
    island: int


@dataclass(frozen=True, slots=True, eq=False)
class PrintedHazards:
    """Hazards that were sampled with the tables: the posterior given what is printed, under the tables' own model (`kernel.prior`).

    Draws are equally likely. `starts` (P,) months where each piece begins if who leaves at a grid time does so in the `step` (months) before it,
    below 0 for a grid that begins at 0; nobody leaves before the first. `log_hazards` (draw, arm, P) log events per patient-month; `island`
    (draw,) the sampler of each, whose draws share ancestors.
    """

    starts: np.ndarray
    step: float
    log_hazards: np.ndarray
    island: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Tables that carry the printed numbers of one endpoint.

    `table` has dims (reconstruction, arm, time), times in months; `readings` one per reconstruction; `weights` sum to 1 and
    make the pooled tables a draw from the posterior over readings and tables. `relaxed` says that no table agrees and these
    are the closest. `islands` (M,) numbers the independent sampler that each table comes from: tables of one sampler share ancestors, so
    that Monte Carlo errors are taken over samplers. `hazards` are those of the tables' model, None where it is relaxed. `pool` keeps every
    island that arrived, from which the tables were drawn.
    """

    endpoint: str
    table: LifeTable
    readings: tuple[Reading, ...]
    weights: np.ndarray
    results: tuple[ReadingResult, ...]
    seed: int
    relaxed: bool = False
    islands: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    hazards: PrintedHazards | None = None
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
                    "design": str(result.reading.design or ""),
                    "status": result.status,
                    "log_evidence": result.log_evidence,
                    "log_evidence_se": result.log_evidence_se,
                    "share": result.share,
                    "share_se": result.share_se,
                    "joint_share": result.joint_share,
                    "joint_share_se": result.joint_share_se,
                    "software_share": result.software_share,
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


_PARTS: dict[str, tuple[str, type[StrEnum]]] = {
    "hazard_ratio_reading": ("ratio", RatioReading),
    "chi_square_reading": ("test", TestReading),
    "median_ci_reading": ("median", MedianReading),
    "design_reading": ("design", DesignReading),
}
"""Variables of a stored ensemble, parts of a reading and their values."""


def to_dataset(ensemble: Ensemble) -> xr.Dataset:
    """Events and censorings (reconstruction, arm, time) with weight and readings per reconstruction; seed, endpoint,
    relaxed as attributes.
    """
    columns = {
        name: (RECONSTRUCTION, np.array([str(getattr(reading, part) or "") for reading in ensemble.readings], dtype=np.str_))
        for name, (part, _) in _PARTS.items()
    }
    data = ensemble.table.data.assign(
        {"weight": (RECONSTRUCTION, ensemble.weights), "island": (RECONSTRUCTION, ensemble.islands), **columns}
    )
    return data.assign_attrs(endpoint=ensemble.endpoint, seed=ensemble.seed, relaxed=int(ensemble.relaxed))


def from_dataset(data: xr.Dataset) -> Ensemble:
    """The stored ensemble, without the samplers' health (that is in its own table)."""
    parts = [[kind(value) if value else None for value in map(str, data[name].values)] for name, (_, kind) in _PARTS.items()]
    readings = [Reading(*values) for values in zip(*parts, strict=True)]
    table = LifeTable(data[["events", "censored"]].drop_attrs())
    return Ensemble(
        endpoint=str(data.attrs["endpoint"]),
        table=table,
        readings=tuple(readings),
        weights=data["weight"].to_numpy(),
        results=(),
        seed=int(data.attrs["seed"]),
        relaxed=bool(data.attrs["relaxed"]),
        islands=data["island"].to_numpy(),
    )
