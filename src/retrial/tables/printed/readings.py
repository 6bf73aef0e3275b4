"""Readings: which estimator made the printed hazard ratio, χ² and medians' intervals, and who was in the study, as hypotheses."""

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


class DesignReading(StrEnum):
    """What a follow-up that left patients out means for the tables: nothing, or that nobody is censored up to it."""

    AS_THEY_ARE = "as_they_are"
    ELIGIBILITY = "eligibility"


def code(reading: RatioReading | TestReading | MedianReading | DesignReading | None) -> int:
    """Code of a reading in the compiled kernels and in seeds; -1 for none."""
    return -1 if reading is None else list(type(reading)).index(reading)


@dataclass(frozen=True, slots=True)
class Reading:
    """One hypothesis about the three estimators, each None where the paper prints no such number, and the design, None where the study file says of
    no follow-up that left patients out.
    """

    ratio: RatioReading | None
    test: TestReading | None
    median: MedianReading | None
    design: DesignReading | None = None

    @property
    def codes(self) -> tuple[int, ...]:
        """Whole numbers from 0 that identify the reading, for seeds."""
        estimators = (1 + code(self.ratio), 1 + code(self.test), 1 + code(self.median))
        return (*estimators, code(self.design)) if self.ruled else estimators

    @property
    def ruled(self) -> bool:
        """Whether patients were left out whose follow-up was short."""
        return self.design is DesignReading.ELIGIBILITY

    @property
    def name(self) -> str:
        """Its estimators, and its design where that is not the tables as they are."""
        return self.estimators + (f" + {self.design}" if self.ruled else "")

    @property
    def estimators(self) -> str:
        return " + ".join(part for part in (self.ratio, self.test, self.median) if part is not None) or "no reading"


def all_readings(
    ratios: tuple[RatioReading, ...],
    tests: tuple[TestReading, ...],
    medians: tuple[MedianReading, ...],
    designs: tuple[DesignReading, ...] = (),
) -> tuple[Reading, ...]:
    """Every combination; an empty tuple stands for "not printed"."""
    return tuple(
        Reading(*parts) for parts in product(ratios or (None,), tests or (None,), medians or (None,), designs or (None,))
    )
