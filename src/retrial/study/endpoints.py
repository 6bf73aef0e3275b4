"""Time-to-event endpoints of a study file: medians, events, numbers at risk, and the files with curves or patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, InstanceOf, ValidationInfo, field_validator, model_validator

from retrial.dims import ARMS, TOTAL
from retrial.study.fields import (
    Cell,
    Count,
    Interval,
    Level,
    MedianTime,
    NearPath,
    OneLimit,
    Percent,
    Positive,
    PValue,
    Section,
    Sides,
    Statistic,
    Tested,
    Time,
    TwoLimits,
    decimal_of,
)
from retrial.study.problems import Clash, listed, shown
from retrial.study.reported import Quantity, Reported

TimeUnit = Literal["days", "weeks", "months", "years"]


@dataclass(frozen=True, slots=True)
class TimesByArm:
    """Shortest or longest times of the arms, where the paper prints them apart; `total` is that of all patients."""

    control: Quantity | None = None
    experimental: Quantity | None = None
    total: Quantity | None = None

    @classmethod
    def parse(cls, raw: object, decimal: str = "") -> TimesByArm | Quantity:
        """Read a time, {place: time}, or {control: time, experimental: time}."""
        if isinstance(raw, (TimesByArm, Quantity)):
            return raw
        by_arm = isinstance(raw, dict) and bool(raw) and set(raw) <= {*ARMS, TOTAL}
        read = {str(arm): _time(part, decimal) for arm, part in cast("dict[object, object]", raw).items()} if by_arm else {}
        return cls(**read) if by_arm else _time(raw, decimal)


def _time(raw: object, decimal: str) -> Quantity:
    quantity = Quantity.parse(raw, decimal)
    for printed in quantity.prints:
        if printed.relation or printed.percent or printed.value < 0:
            raise ValueError(
                f"got {shown(printed.text)}; allowed is a time of 0 or more, or one for each of control and experimental"
            )
    return quantity


Extreme = Annotated[
    InstanceOf[Quantity] | InstanceOf[TimesByArm], BeforeValidator(lambda raw, info: TimesByArm.parse(raw, decimal_of(info)))
]


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


class Censored(Section):
    """Patients of each arm censored before each time of `at_risk`, counted from the start."""

    control: list[Count] | None = None
    experimental: list[Count] | None = None

    @model_validator(mode="after")
    def _never_falling(self) -> Censored:
        for arm in ARMS:
            values = [int(count) for count in getattr(self, arm) or []]
            if any(later < earlier for earlier, later in pairwise(values)):
                words = "allowed are numbers that never fall (all who were censored before each time, not those since the time before)"
                raise Clash(f"got {values}; {words}", at=(arm,))
        return self


class AtRisk(Section):
    """Numbers at risk printed under a curve, and how many were censored before each time.

    `times_assumed` is the reason where the times are our reading of the figure.
    """

    times: list[Time] = Field(min_length=1)
    times_assumed: str = ""
    control: list[Count] | None = None
    experimental: list[Count] | None = None
    censored: Censored | None = None
    where: str = ""

    @model_validator(mode="after")
    def _same_length(self) -> AtRisk:
        for arm in ARMS:
            _one_a_time(self.times, getattr(self, arm), arm)
            _one_a_time(self.times, getattr(self.censored, arm, None), "censored")
        _rising(self.times)
        return self


def _one_a_time(times: list[Quantity], values: Sequence[object] | None, key: str) -> None:
    if values is not None and len(values) != len(times):
        raise Clash(f"got {len(values)} numbers for {len(times)} times; allowed is one a time", at=(key,), also=("times",))


def _rising(times: list[Quantity]) -> None:
    values = [time.value for time in times]
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise Clash("got times that do not rise; allowed are increasing times", at=("times",))


class Landmark(Section):
    """The Kaplan-Meier percentage alive (without the event) at one time, with its confidence interval."""

    percent: Percent
    ci: TwoLimits | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_percent(cls, raw: object) -> object:
        if isinstance(raw, Landmark) or (isinstance(raw, dict) and set(raw) & {"percent", "ci"}):
            return raw
        return {"percent": raw}

    @model_validator(mode="after")
    def _around(self) -> Landmark:
        if self.ci is not None and not self.ci.may_hold(self.percent):
            got = f"got {self.ci.lower} to {self.ci.upper}, but the percentage is {self.percent}"
            raise Clash(f"{got}; allowed is an interval around it", at=("ci",), also=("percent",))
        return self


class Landmarks(Section):
    """Survival percentages that the paper prints at set times, for each arm one a time (null: not printed)."""

    times: list[Time] = Field(min_length=1)
    control: list[Landmark | None] | None = None
    experimental: list[Landmark | None] | None = None
    level: Level = 0.95
    where: str = ""

    @model_validator(mode="after")
    def _same_length(self) -> Landmarks:
        for arm in ARMS:
            _one_a_time(self.times, getattr(self, arm), arm)
        _rising(self.times)
        printed = [landmark.percent.value for arm in ARMS for _, landmark in self.of(arm)]
        if printed and 0 < max(printed) <= 1:
            arm = next(arm for arm in ARMS if self.of(arm))
            raise Clash(
                f"got at most {max(printed):g} %, which looks like a proportion; allowed are percentages, 47.3 for 0.473",
                at=(arm,),
            )
        return self

    def of(self, arm: str) -> list[tuple[float, Landmark]]:
        """(time, landmark) of one arm, where printed."""
        pairs = zip(self.times, getattr(self, arm) or [], strict=False)
        return [(time.value, landmark) for time, landmark in pairs if landmark is not None]


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
    p: PValue | None = None
    sides: Sides = 2
    where: str = ""

    @property
    def words(self) -> str:
        """ "log-rank test"."""
        return _TESTS[self.name]


class PatientCovariate(Section):
    """How a column of a file of patients is read as a covariate.

    `kind` is told by the values where it is left out: numbers are numeric, texts categorical. `reference` is the level that the others
    are compared with, the most frequent where it is left out.
    """

    label: str = ""
    kind: Literal["numeric", "categorical"] | None = None
    reference: str = ""

    @model_validator(mode="after")
    def _of_levels(self) -> PatientCovariate:
        if self.kind == "numeric" and self.reference:
            raise Clash(
                f"got {shown(self.reference)} of a numeric covariate; allowed with kind: categorical",
                at=("reference",),
                also=("kind",),
            )
        return self


def _covariates_by_name(raw: object) -> object:
    """{column: section} of a column, a list of columns, or a mapping; a section that is left out is empty."""
    items = [raw] if isinstance(raw, (str, dict)) else raw
    if not isinstance(items, (list, tuple)):
        return raw
    pairs = [pair for item in items for pair in (item.items() if isinstance(item, dict) else [(item, None)])]
    names = [str(name) for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"got {listed(twice)} twice; allowed is each column once")
    if empty := [name for name in names if not name.strip()]:
        raise ValueError(f"got {len(empty)} empty names; allowed are columns of the file of patients")
    return {str(name): {} if section is None else section for name, section in pairs}


Covariates = Annotated[dict[str, PatientCovariate], BeforeValidator(_covariates_by_name)]


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
    covariates: Covariates = Field(default_factory=dict)

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
        self.refuse_own(self.covariates)
        return self

    def refuse_own(self, covariates: Iterable[str]) -> None:
        """Raises `Clash` where a covariate is the column of the time, the event, the arm or the entry."""
        for key in ("time", "event", "arm", "entry"):
            if getattr(self, key) in covariates:
                message = f"got {getattr(self, key)}, which is the column of the {key}; allowed are other columns"
                raise Clash(message, at=("covariates",), also=(key,))


class Endpoint(Section):
    """A time-to-event endpoint.

    `patients` names a CSV (time,event,arm) and `curve` one of (arm,time,survival), relative to the study file; `recording_unit`
    is the step, in the study's time unit, in which times were recorded. `late_entry` says that patients came under observation after
    time 0, so that the numbers at risk may rise.
    """

    label: str = ""
    where: str = ""
    events: Events = Field(default_factory=Events)
    shortest: Extreme | None = None
    longest: Extreme | None = None
    median: Medians = Field(default_factory=Medians)
    landmarks: Landmarks | None = None
    at_risk: AtRisk | None = None
    test: UnadjustedTest | None = None
    late_entry: bool = False
    patients: PatientFile | None = None
    covariates: Covariates = Field(default_factory=dict)
    curve: NearPath | None = None
    recorded: Literal["exact", "nearest", "floor", "ceiling", "interval"] = "exact"
    recording_unit: Positive | None = None

    @model_validator(mode="after")
    def _of_patients(self) -> Endpoint:
        if not self.covariates:
            return self
        if self.patients is None:
            names = listed(list(self.covariates))
            raise Clash(f"got {names} without patients; allowed are columns of the file of patients", at=("covariates",))
        if self.patients.covariates:
            raise Clash("got covariates here and in patients; allowed is one of the two", at=("covariates",), also=("patients",))
        self.patients.refuse_own(self.covariates)
        return self

    @property
    def adjusts_for(self) -> dict[str, PatientCovariate]:
        """Covariates of the patients, wherever they are named."""
        return self.covariates or (self.patients.covariates if self.patients is not None else {})

    @property
    def reading(self) -> Literal["exact", "nearest", "floor", "ceiling"]:
        """How recorded times are read; `interval` is the older name of `ceiling`."""
        return "ceiling" if self.recorded == "interval" else self.recorded

    def longest_of(self, group: str) -> Quantity | None:
        """Longest time of an arm or of all (total), where printed."""
        return _extreme(self.longest, group, latest=True)

    def shortest_of(self, group: str) -> Quantity | None:
        """Shortest time of an arm or of all (total), where printed."""
        return _extreme(self.shortest, group, latest=False)

    @property
    def data_files(self) -> dict[str, str]:
        """Paths of the data files relative to the study file, by key."""
        named = {"patients": None if self.patients is None else self.patients.file, "curve": self.curve}
        return {name: path for name, path in named.items() if path is not None}


def _extreme(printed: Quantity | TimesByArm | None, group: str, *, latest: bool) -> Quantity | None:
    """That of all patients follows from both arms'; an arm's follows from nothing else."""
    if not isinstance(printed, TimesByArm):
        return printed if group == TOTAL else None
    own: Quantity | None = getattr(printed, group)
    if own is not None or group != TOTAL or printed.control is None or printed.experimental is None:
        return own
    later = printed.control.value >= printed.experimental.value
    return printed.control if later == latest else printed.experimental
