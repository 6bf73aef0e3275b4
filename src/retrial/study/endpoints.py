"""Time-to-event endpoints of a study file: medians, events, numbers at risk, and the files with curves or patients."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, InstanceOf, ValidationInfo, field_validator, model_validator

from retrial.study.fields import (
    Cell,
    Count,
    Interval,
    Level,
    MedianTime,
    NearPath,
    OneLimit,
    Section,
    Statistic,
    Tested,
    Time,
    decimal_of,
)
from retrial.study.problems import Clash
from retrial.study.reported import Quantity, Reported


class Median(Section):
    """A Kaplan-Meier median with its confidence interval; what was not reached, or lies beyond a time, is a bound (`Reported`)."""

    value: MedianTime
    ci: InstanceOf[Interval] | None = None
    level: Level = 0.95
    where: str = ""

    @field_validator("ci", mode="before")
    @classmethod
    def _both_limits(cls, raw: object, info: ValidationInfo) -> Interval | None:
        """An upper limit that is left blank was not reached; a lower one says nothing."""
        ci = None if raw is None else Interval.parse(raw, decimal_of(info))
        if not isinstance(ci, OneLimit):
            return ci
        blank = Quantity((Reported("≥0" if ci.is_upper else "NR"),))
        return Interval(blank, ci.limit) if ci.is_upper else Interval(ci.limit, blank)


class Medians(Section):
    """Medians of the arms and of all patients."""

    control: Median | None = None
    experimental: Median | None = None
    total: Median | None = None


class Events(Section):
    """Events observed, per arm where the paper says so."""

    control: Cell | None = None
    experimental: Cell | None = None
    total: Cell | None = None
    where: str = ""


class AtRisk(Section):
    """Numbers at risk printed under a curve. `times_assumed` is the reason where the times are our reading of the figure."""

    times: list[Time] = Field(min_length=1)
    times_assumed: str = ""
    control: list[Count] | None = None
    experimental: list[Count] | None = None
    where: str = ""

    @model_validator(mode="after")
    def _same_length(self) -> AtRisk:
        for arm, counts in (("control", self.control), ("experimental", self.experimental)):
            if counts is not None and len(counts) != len(self.times):
                raise Clash(
                    f"got {len(counts)} numbers for {len(self.times)} times; allowed is one a time", at=(arm,), also=("times",)
                )
        values = [time.value for time in self.times]
        if any(later <= earlier for earlier, later in pairwise(values)):
            raise Clash("got times that do not rise; allowed are increasing times", at=("times",))
        return self


TestName = Literal["unknown", "log_rank", "cox", "cox_score", "cox_wald", "cox_likelihood_ratio"]
_TESTS: dict[TestName, str] = {
    "unknown": "unadjusted test",
    "log_rank": "log-rank test",
    "cox": "univariable Cox test",
    "cox_score": "score test of univariable Cox regression",
    "cox_wald": "Wald test of univariable Cox regression",
    "cox_likelihood_ratio": "likelihood-ratio test of univariable Cox regression",
}


class UnadjustedTest(Tested):
    """The test of the arms without covariates, where printed; `name` is the test that the paper names, "cox" where only the model is.

    It changes the words of the audit, not the readings that a reconstruction tries.
    """

    name: TestName = "unknown"
    chi_square: Statistic | None = None
    where: str = ""

    @property
    def words(self) -> str:
        """ "log-rank test"."""
        return _TESTS[self.name]


class Endpoint(Section):
    """A time-to-event endpoint.

    `patients` names a CSV (time,event,arm) and `curve` one of (arm,time,survival), relative to the study file.
    """

    label: str = ""
    where: str = ""
    events: Events = Field(default_factory=Events)
    shortest: Time | None = None
    longest: Time | None = None
    median: Medians = Field(default_factory=Medians)
    at_risk: AtRisk | None = None
    test: UnadjustedTest | None = None
    patients: NearPath | None = None
    curve: NearPath | None = None
    recorded: Literal["exact", "interval"] = "exact"
