"""Simulated studies of known truth: how patients die, how they are lost, and whom the study left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from retrial.answers import curves
from retrial.experiments.fidelity.paper import Given
from retrial.models import lognormal, weibull
from retrial.tables.printed.statistics import Table

PATIENTS = (49, 43)
"""Control and experimental arm."""
HAZARDS: Mapping[str, Callable[..., Any]] = {"weibull": weibull.hazard, "lognormal": lognormal.hazard}
"""Families of the truth; the first is that of the model that is fitted."""
HAZARD_RATIOS, SHAPE, CONTROL_MEDIAN = (0.5, 0.7, 1.0), 1.2, 12.0
FOLLOW_UP = 28
"""Months from the first patient to the date of analysis."""
HORIZON = 12.0
"""Months of the answers; every study has patients at risk there in both arms, or nearly."""
LOSSES = ("staggered", "administrative", "exclusion", "informative")
"""staggered: follow-up of 6 to 28 months, uniform; administrative: all recruited in a year, followed to one date, nobody lost;
exclusion: lost from the first month on, whoever was censored up to `EXCLUDED` left out, as the study says; informative: as staggered, but a
fifth of those who would die leave in the three months before, which no analysis of these patients can know.
"""
EARLIEST, EXCLUDED, LAST_RECRUITED = 6, 6, 12
LEAVING, WARNING = 0.2, 3.0
"""Share of those about to die who leave before it, and how many months before at most."""
ANSWERS = ("log_hazard_ratio", "rmst_difference", "survival_difference")
"""Log of the hazard ratio averaged over the events to `HORIZON`, differences of restricted means and of survival there."""
_TIMES = np.geomspace(1e-4, 1e4, 4_001)
"""Months between which times of death are interpolated, log H in log t."""


@dataclass(frozen=True)
class Truth:
    """One numbered study: family, hazard ratio (log-normal: of the Weibull curves with the same medians), and how patients are lost."""

    number: int
    family: str
    hazard_ratio: float
    losses: str

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """One draw of the family's parameters."""
        values = {"control_median": CONTROL_MEDIAN, "shape": SHAPE, "log_hazard_ratio": float(np.log(self.hazard_ratio))}
        return {name: np.array([value]) for name, value in values.items()}

    def answers(self) -> dict[str, float]:
        """The true value of every answer."""
        return {name: float(values[0]) for name, values in answers(HAZARDS[self.family], self.parameters).items()}


def answers(hazard: Callable[..., Any], draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(draw,) of every answer under a hazard."""
    months, survival = curves.rmst(hazard, draws, HORIZON), curves.survival(hazard, draws, np.array([HORIZON]))[..., 0]
    ratio = curves.log_average_hazard_ratio(hazard, draws, HORIZON)
    return dict(zip(ANSWERS, (ratio, months[:, 1] - months[:, 0], survival[:, 1] - survival[:, 0]), strict=True))


def truth_of(number: int) -> Truth:
    """Losses, family and hazard ratio of a numbered study: every cell of the design in turn."""
    cells = [(family, ratio, losses) for family in HAZARDS for ratio in HAZARD_RATIOS for losses in LOSSES]
    return Truth(number, *cells[number % len(cells)])


def given(truth: Truth) -> Given:
    """What the paper prints beside the summaries."""
    return Given(excluded=EXCLUDED) if truth.losses == "exclusion" else Given()


def patients(truth: Truth) -> Table:
    """The simulated study as its true life table of months 1, ..., 28."""
    random = np.random.default_rng(40_000 + truth.number)
    counts = np.zeros((2, 2, FOLLOW_UP), dtype=int)
    for arm, size in enumerate(PATIENTS):
        missing = size
        while missing:
            death, limit = deaths(truth, arm, missing, random), limits(truth, missing, random)
            if truth.losses == "informative":
                left = death - random.uniform(0.0, WARNING, missing)
                limit = np.where((random.uniform(size=missing) < LEAVING) & (left > 0), np.minimum(limit, left), limit)
            kept = np.ones(missing, bool) if truth.losses != "exclusion" else (death <= limit) | (limit > EXCLUDED)
            month = np.ceil(np.minimum(death, limit)).astype(int)
            np.add.at(counts[:, arm], ((death <= limit)[kept].astype(int), month[kept] - 1), 1)
            missing -= int(kept.sum())
    return Table(np.arange(1.0, FOLLOW_UP + 1), counts[1], counts[0])


def deaths(truth: Truth, arm: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Times of death, by inversion of H(t)."""
    hazard = curves.cumulative_hazard(HAZARDS[truth.family], truth.parameters, _TIMES)[0, arm]
    return np.exp(np.interp(np.log(random.exponential(size=size)), np.log(hazard), np.log(_TIMES)))


def limits(truth: Truth, size: int, random: np.random.Generator) -> np.ndarray:
    """Times at which patients are lost, or the study ends."""
    if truth.losses == "administrative":
        return FOLLOW_UP - random.uniform(0.0, LAST_RECRUITED, size)
    first = 1 if truth.losses == "exclusion" else EARLIEST
    return random.integers(first, FOLLOW_UP + 1, size=size).astype(float)
