"""The sections of a study file; every one but `title` is optional (see the README for worked files)."""

from __future__ import annotations

from pydantic import Field, model_validator

from retrial.study.effects import MEASURES, Effect, Measure, TestResult, TestRow, TestTable
from retrial.study.endpoints import AtRisk, Endpoint, Events, Median, Medians, PatientCovariate, PatientFile, UnadjustedTest
from retrial.study.fields import Calendar, Count, CountRow, Evaluable, Key, MeanWithSD, PValue, Section, Sides, Tested, Time
from retrial.study.outcomes import AdverseEvents, AdverseEventTerm, BinaryOutcome, Composite, Ranking, Response
from retrial.study.problems import Clash

__all__ = [
    "MEASURES",
    "AdverseEventTerm",
    "AdverseEvents",
    "Arm",
    "Arms",
    "AtRisk",
    "Baseline",
    "BaselineVariable",
    "BinaryOutcome",
    "Citation",
    "Composite",
    "Effect",
    "Endpoint",
    "Events",
    "Measure",
    "Median",
    "Medians",
    "PatientCovariate",
    "PatientFile",
    "Ranking",
    "Response",
    "TestResult",
    "TestRow",
    "TestTable",
    "Timeline",
    "UnadjustedTest",
]


class Citation(Section):
    """Whose paper it is."""

    text: str = ""
    doi: str = ""
    licence: str = ""
    note: str = ""


class Arm(Section):
    """One treatment arm; `n` is needed wherever its patients are counted."""

    label: str = ""
    n: Count | None = None


class Arms(Section):
    """The two arms; effects run experimental / control unless an effect says otherwise."""

    control: Arm = Field(default_factory=Arm)
    experimental: Arm = Field(default_factory=Arm)


class Timeline(Section):
    """Calendar of the study ("2020-01" or "2020-01-31"), the follow-up (in `time_unit`) up to which nobody was taken, and that which
    everybody without an event had at least.
    """

    accrual_start: Calendar | None = None
    accrual_end: Calendar | None = None
    cut_off: Calendar | None = None
    excluded_follow_up_up_to: Time | None = None
    minimum_follow_up: Time | None = None
    where: str = ""


class BaselineVariable(Tested):
    """A row group of the baseline table: `levels` of a category, or mean ± SD of a continuous variable.

    `exclusive: false` says that the levels do not partition the patients (comorbidities).
    `positive: true` says that the quantity cannot be negative, so that an SD beyond the mean shows skewness.
    `evaluable` are the patients with a value, where some have none.
    """

    label: str = ""
    where: str = ""
    evaluable: Evaluable | None = None
    levels: dict[Key, CountRow] | None = Field(None, min_length=1)
    exclusive: bool = True
    control: MeanWithSD | None = None
    experimental: MeanWithSD | None = None
    total: MeanWithSD | None = None
    positive: bool = False
    p: PValue | None = None
    sides: Sides = 2

    @model_validator(mode="after")
    def _one_kind(self) -> BaselineVariable:
        means = [name for name in ("control", "experimental") if getattr(self, name) is not None]
        if (
            len(means) == (0 if self.levels is None else 2)
            or len(means) == 1
            or (self.levels is not None and self.total is not None)
        ):
            got = means + [name for name in ("levels", "total") if getattr(self, name) is not None]
            raise Clash(
                f"got {' and '.join(got) or 'neither levels nor means'}; allowed is either levels (of a category) or control and"
                f" experimental, and perhaps total, as mean ± SD",
                also=("levels", "control", "experimental", "total"),
            )
        return self


class Baseline(Section):
    """The baseline table."""

    where: str = ""
    variables: dict[Key, BaselineVariable] = Field(min_length=1)
