"""Readings: which estimator made the printed hazard ratio, χ² and medians' intervals, as hypotheses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product


class RatioReading(StrEnum):
    """Estimator of the hazard ratio; the order is the compiled code's (`comparison`)."""

    COX_BRESLOW = "cox_breslow"
    COX_EFRON = "cox_efron"
    MANTEL_HAENSZEL = "mantel_haenszel"
    OBSERVED_EXPECTED = "observed_expected"


class TestReading(StrEnum):
    """Test that made the χ² (or, where no χ² is printed, the p); the order is the compiled code's."""

    __test__ = False
    LOG_RANK = "log_rank"
    SCORE_BRESLOW = "cox_score_breslow"
    SCORE_EFRON = "cox_score_efron"
    WALD_BRESLOW = "cox_wald_breslow"
    WALD_EFRON = "cox_wald_efron"
    LIKELIHOOD_RATIO_BRESLOW = "cox_likelihood_ratio_breslow"
    LIKELIHOOD_RATIO_EFRON = "cox_likelihood_ratio_efron"


class MedianReading(StrEnum):
    """Rule of the medians' intervals; the order is the compiled code's (`kaplan_meier`)."""

    GREENWOOD_DENSITY = "greenwood_density"
    CROWLEY_PLAIN = "brookmeyer_crowley_plain"
    CROWLEY_LOG = "brookmeyer_crowley_log"
    CROWLEY_LOG_LOG = "brookmeyer_crowley_log_log"


def code(reading: RatioReading | TestReading | MedianReading | None) -> int:
    """Code of a reading in the compiled kernels; -1 for none."""
    return -1 if reading is None else list(type(reading)).index(reading)


@dataclass(frozen=True, slots=True)
class Reading:
    """One hypothesis about all three; None where the paper prints no such number."""

    ratio: RatioReading | None
    test: TestReading | None
    median: MedianReading | None

    @property
    def codes(self) -> tuple[int, int, int]:
        """Whole numbers from 0 that identify the reading, for seeds."""
        return (1 + code(self.ratio), 1 + code(self.test), 1 + code(self.median))

    @property
    def name(self) -> str:
        return " + ".join(part for part in (self.ratio, self.test, self.median) if part is not None) or "no reading"


def all_readings(
    ratios: tuple[RatioReading, ...], tests: tuple[TestReading, ...], medians: tuple[MedianReading, ...]
) -> tuple[Reading, ...]:
    """Every combination; an empty tuple stands for "not printed"."""
    return tuple(Reading(*parts) for parts in product(ratios or (None,), tests or (None,), medians or (None,)))
