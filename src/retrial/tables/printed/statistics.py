"""Every statistic of a two-arm integer life table that a paper may print, in plain Python types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.errors import DataError
from retrial.tables.kernel import comparison, kaplan_meier
from retrial.tables.kernel.energy import LARGEST_BETA
from retrial.tables.printed.readings import MedianReading, RatioReading, TestReading, code
from retrial.tables.sample.structure import with_totals

GROUP_ROWS = {ARMS[0]: 0, ARMS[1]: 1, TOTAL: 2}


@dataclass(frozen=True, slots=True)
class Interval:
    """Estimate with its confidence limits; inf where never reached, NaN where not defined."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hazard ratio experimental / control: β = log HR, its SE, limits of the ratio and Wald's z² and p."""

    log_hazard_ratio: float
    se: float
    hazard_ratio: float
    lower: float
    upper: float
    chi_square: float
    p: float


class Table:
    """Counts (2 arms, T) of events and censorings on a grid of times, arm 0 control, 1 experimental; a censoring leaves
    after events. `entered` (2 arms, T) patients come under observation at a time and are at risk after it.
    """

    def __init__(
        self,
        times: Sequence[float] | np.ndarray,
        events: np.ndarray,
        censored: np.ndarray,
        entered: np.ndarray | int = 0,
    ) -> None:
        self.times = np.ascontiguousarray(times, dtype=float)
        events, censored = np.asarray(events, dtype=np.int64), np.asarray(censored, dtype=np.int64)
        if events.shape != (2, self.times.size) or censored.shape != events.shape:
            raise DataError(
                f"got counts of shapes {events.shape} and {censored.shape}; allowed is (2 arms, {self.times.size} times)"
            )
        self.d, self.r = with_totals(events, events + censored - entered)
        leaving = events + censored
        self.leaving = np.concatenate([leaving, leaving.sum(axis=0, keepdims=True)])
        self.inverse = comparison.inverses(int(self.r[2].max()))

    def n(self, group: str) -> int:
        return int(self.leaving[GROUP_ROWS[group]].sum())

    def events(self, group: str) -> int:
        return int(self.d[GROUP_ROWS[group]].sum())

    def shortest(self, group: str = TOTAL) -> float:
        """First time at which a patient leaves."""
        return float(self.times[np.flatnonzero(self.leaving[GROUP_ROWS[group]])[0]])

    def longest(self, group: str = TOTAL) -> float:
        return float(self.times[np.flatnonzero(self.leaving[GROUP_ROWS[group]])[-1]])

    def censored_before(self, group: str, time: float) -> int:
        """Patients censored at a recorded time below `time`."""
        row, index = GROUP_ROWS[group], int(np.searchsorted(self.times, time - 1e-9))
        return int((self.leaving - self.d)[row, :index].sum())

    def at_risk(self, group: str, time: float) -> int:
        """Patients whose recorded time is at least `time`, and who entered before it."""
        return int(self.r[GROUP_ROWS[group], np.searchsorted(self.times, time - 1e-9)])

    def survival(self, group: str) -> np.ndarray:
        """Kaplan-Meier Ŝ at the grid's times."""
        return kaplan_meier.survival(self.d, self.r, GROUP_ROWS[group])

    def survival_at(self, group: str, time: float) -> float:
        index = int(np.searchsorted(self.times, time + 1e-9)) - 1
        return 1.0 if index < 0 else float(self.survival(group)[index])

    def reaches(self, group: str, time: float) -> bool:
        """Whether Ŝ(time) is defined: somebody is followed until then, or nobody is left before."""
        row = GROUP_ROWS[group]
        leaving = np.flatnonzero(self.leaving[row])
        if leaving.size == 0:
            return False  # nobody is in the arm
        last = leaving[-1]
        return bool(time <= self.times[last] + 1e-9 or self.d[row, last] == self.r[row, last])

    def rmst(self, group: str, horizon: float) -> float:
        """∫ Ŝ from 0 to the horizon; Ŝ keeps its last value after the last time."""
        edges = np.concatenate([[0.0], np.minimum(self.times, horizon), [horizon]])
        levels = np.concatenate([[1.0], self.survival(group)])
        return float((np.diff(np.maximum.accumulate(edges)) * levels).sum())

    def median(self, group: str, reading: MedianReading, level: float = 0.95) -> Interval:
        """First t with Ŝ <= 1/2 and its interval by one rule."""
        row, z = GROUP_ROWS[group], float(stats.norm.ppf(0.5 + level / 2))
        index = kaplan_meier.median_index(self.d, self.r, row)
        value = math.inf if index < 0 else float(self.times[index])
        if reading is MedianReading.GREENWOOD_DENSITY:
            se = math.nan if index < 0 else kaplan_meier.median_density_se(self.d, self.r, row, self.times)
            return Interval(value, value - z * se, value + z * se)
        limits = kaplan_meier.brookmeyer_crowley(self.d, self.r, row, z, code(reading))
        lower, upper = (math.inf if limit < 0 else float(self.times[limit]) for limit in limits)
        return Interval(value, lower, upper)

    def hazard_ratio(self, reading: RatioReading, level: float = 0.95) -> Ratio:
        """Hazard ratio by one estimator; infinite or 0 where one arm has no events."""
        beta, se = comparison.hazard_ratio(self.d, self.r, self.inverse, code(reading), 0.0)
        if abs(beta) > LARGEST_BETA:
            beta, se = math.copysign(math.inf, beta), math.inf
        spread = float(stats.norm.ppf(0.5 + level / 2)) * se
        statistic = (beta / se) ** 2 if math.isfinite(beta) else math.nan
        ends = (0.0, math.inf) if math.isinf(se) else (math.exp(beta - spread), math.exp(beta + spread))
        return Ratio(beta, se, math.exp(beta), *ends, statistic, float(stats.chi2.sf(statistic, 1)))

    def chi_square(self, reading: TestReading) -> float:
        """χ² of one test (1 df)."""
        return float(comparison.chi_square(self.d, self.r, self.inverse, code(reading), 0.0))
