"""Time-to-event endpoints of a study file: medians, events, numbers at risk, and the files with curves or patients."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from retrial.study.fields import Cell, ConfidenceInterval, Count, Level, NearPath, PValue, Section, Statistic, Time
from retrial.study.problems import Clash, listed

TimeUnit = Literal["days", "weeks", "months", "years"]


class Median(Section):
    """A Kaplan-Meier median with its confidence interval."""

    value: Time
    ci: ConfidenceInterval | None = None
    level: Level = 0.95
    where: str = ""


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


class UnadjustedTest(Section):
    """The test of the arms without covariates, where printed; `name` is the test that the paper names, "cox" where only the model is.

    It changes the words of the audit, not the readings that a reconstruction tries.
    """

    name: TestName = "unknown"
    chi_square: Statistic | None = None
    p: PValue | None = None
    where: str = ""

    @property
    def words(self) -> str:
        """ "log-rank test"."""
        return _TESTS[self.name]


class PatientFile(Section):
    """A CSV with one patient a row: its columns, the names that it has for the arms, and the values that mean an event or a censoring.

    `entry` is the column of the times at which patients came under observation; where it is empty, a column `entry` is read if
    there is one, and `none` reads none. `time_unit` and `decimal` are said where the file's are not the study's, or not plain.
    """

    file: NearPath
    time: str = "time"
    event: str = "event"
    arm: str = "arm"
    entry: str = ""
    arms: dict[str, Literal["control", "experimental"]] = Field(default_factory=dict)
    events: list[str] = Field(default_factory=list)
    censored: list[str] = Field(default_factory=list)
    time_unit: TimeUnit | None = None
    decimal: Literal[",", "."] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_path(cls, raw: object) -> object:
        return {"file": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _one_meaning(self) -> PatientFile:
        both = sorted(set(self.events) & set(self.censored))
        if both:
            raise Clash(
                f"got {listed(both)}, which events has too; allowed is each value once", at=("censored",), also=("events",)
            )
        if bool(self.events) != bool(self.censored):
            given, other = ("events", "censored") if self.events else ("censored", "events")
            message = f"got values without {other}; allowed are both, such as events: [2], censored: [1]"
            raise Clash(message, at=(given,), also=(other,))
        columns = [name for name in (self.time, self.event, self.arm, self.entry) if name]
        if len(set(columns)) < len(columns):
            raise Clash(f"got the columns {listed(columns)}; allowed is each column once", also=("time", "event", "arm", "entry"))
        return self


class Endpoint(Section):
    """A time-to-event endpoint.

    `patients` names a CSV (time,event,arm) and `curve` one of (arm,time,survival), relative to the study file. `late_entry` says
    that patients came under observation after time 0, so that the numbers at risk may rise.
    """

    label: str = ""
    where: str = ""
    events: Events = Field(default_factory=Events)
    shortest: Time | None = None
    longest: Time | None = None
    median: Medians = Field(default_factory=Medians)
    at_risk: AtRisk | None = None
    test: UnadjustedTest | None = None
    late_entry: bool = False
    patients: PatientFile | None = None
    curve: NearPath | None = None
    recorded: Literal["exact", "interval"] = "exact"

    @property
    def data_files(self) -> dict[str, str]:
        """Paths of the data files relative to the study file, by key."""
        named = {"patients": None if self.patients is None else self.patients.file, "curve": self.curve}
        return {name: path for name, path in named.items() if path is not None}
