"""Field types of a study file: printed numbers, counts, intervals and means, read from their text."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, InstanceOf, StringConstraints, model_validator

from retrial.study.problems import shown
from retrial.study.reported import Quantity, Reported

MAX_PATIENTS = 10_000_000
"""Largest arm that is taken for a count and not for a slip of the key."""
_MEAN_SD = re.compile(r"\s*(?P<mean>\S+?)\s*(?:±|\+/-|\+-)\s*(?P<sd>\S+)\s*")
_CALENDAR = re.compile(r"(?P<month>[0-9]{4}-[0-9]{2})(?P<day>-[0-9]{2})?")


class Section(BaseModel):
    """Base of every part of a study: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _quantity(allowed: str, accepts: Callable[[Reported], bool], percent_sign: bool = False) -> BeforeValidator:
    """Reader of a quantity whose prints must all be acceptable."""

    def read(raw: object) -> Quantity:
        quantity = Quantity.parse(raw)
        for printed in quantity.prints:
            if not accepts(printed) or (printed.percent and not percent_sign):
                raise ValueError(f"got {shown(printed.text)}; allowed is {allowed}")
        return quantity

    return BeforeValidator(read)


Count = Annotated[
    InstanceOf[Quantity],
    _quantity(
        f"a whole number from 0 to {MAX_PATIENTS}", lambda printed: printed.is_integer and 0 <= printed.value <= MAX_PATIENTS
    ),
]
Positive = Annotated[
    InstanceOf[Quantity], _quantity("a number above 0", lambda printed: not printed.relation and printed.value > 0)
]
Time = Annotated[
    InstanceOf[Quantity], _quantity("a time of 0 or more", lambda printed: not printed.relation and printed.value >= 0)
]
PValue = Annotated[
    InstanceOf[Quantity], _quantity("a p-value from 0 to 1, such as 0.042 or <0.001", lambda printed: 0 <= printed.value <= 1)
]
Percent = Annotated[
    InstanceOf[Quantity], _quantity("a percentage from 0 to 100", lambda printed: 0 <= printed.value <= 100, percent_sign=True)
]
Statistic = Annotated[InstanceOf[Quantity], _quantity("a test statistic of 0 or more", lambda printed: printed.value >= 0)]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval as printed, with its limits in order."""

    lower: Quantity
    upper: Quantity

    @classmethod
    def parse(cls, raw: object) -> Interval:
        """Read [lower, upper]; either limit may be {place: number}."""
        if isinstance(raw, Interval):
            return raw
        if not isinstance(raw, list) or len(raw) != 2:
            raise ValueError(f"got {shown(raw)}; allowed is a list of two limits, such as [0.252, 0.879]")
        lower, upper = Quantity.parse(raw[0]), Quantity.parse(raw[1])
        for printed in lower.prints + upper.prints:
            if printed.relation or printed.percent:
                raise ValueError(f"got the limit {shown(printed.text)}; allowed is a plain number")
        if lower.value >= upper.value:
            raise ValueError(f"got the interval {lower} to {upper}, upside down or empty; allowed is lower < upper")
        return cls(lower, upper)

    def may_hold(self, quantity: Quantity) -> bool:
        """Whether some print of the quantity lies between the limits, all taken within rounding."""
        return any(self.lower.low <= printed.high and printed.low <= self.upper.high for printed in quantity.prints)


@dataclass(frozen=True, slots=True)
class MeanSD:
    """A mean and standard deviation as printed."""

    mean: Quantity
    sd: Quantity

    @classmethod
    def parse(cls, raw: object) -> MeanSD:
        """Read "54.5 ± 12.7" (also +/-), or a mapping of places to such texts."""
        if isinstance(raw, MeanSD):
            return raw
        places = raw if isinstance(raw, dict) and raw else {"": raw}
        pairs = {place: _mean_and_sd(text) for place, text in places.items()}
        means = Quantity(tuple(Reported(mean, place) for place, (mean, _) in pairs.items()))
        sds = Quantity(tuple(Reported(sd, place) for place, (_, sd) in pairs.items()))
        for mean, sd in zip(means.prints, sds.prints, strict=True):
            if mean.relation or sd.relation or mean.percent or sd.percent or sd.value < 0:
                raise ValueError(f"got {shown(f'{mean} ± {sd}')}; allowed is a plain mean and an SD of 0 or more")
        return cls(means, sds)


def _mean_and_sd(raw: object) -> tuple[str, str]:
    match = _MEAN_SD.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"got {shown(raw)}; allowed is mean ± SD, such as 54.5 ± 12.7, or {{place: mean ± SD}}")
    return match["mean"], match["sd"]


ConfidenceInterval = Annotated[InstanceOf[Interval], BeforeValidator(Interval.parse)]
MeanWithSD = Annotated[InstanceOf[MeanSD], BeforeValidator(MeanSD.parse)]


class Evaluable(Section):
    """Patients of each arm among whom an outcome is counted, where they are not all of the arm (evaluable, treated, with a value)."""

    control: Count | None = None
    experimental: Count | None = None

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, arm)} ({arm})" for arm in type(self).model_fields if getattr(self, arm) is not None)


class Cell(Section):
    """A count, with its percentage where the paper prints one, and the patients that it is of where they are not the arm's n."""

    n: Count
    percent: Percent | None = None
    evaluable: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_count(cls, raw: object) -> object:
        if isinstance(raw, dict) and set(raw) & {"n", "percent", "evaluable"}:
            return raw
        return raw if isinstance(raw, Cell) else {"n": raw}

    def __int__(self) -> int:
        return int(self.n)

    @property
    def value(self) -> float:
        return self.n.value


class CountRow(Section):
    """Counts of one row of a two-arm table, and what the paper prints about their comparison."""

    label: str = ""
    where: str = ""
    control: Cell
    experimental: Cell
    total: Cell | None = None
    evaluable: Evaluable | None = None
    chi_square: Statistic | None = None
    p: PValue | None = None


def _level(raw: object) -> float:
    if isinstance(raw, float):
        return raw
    printed = Reported(raw) if isinstance(raw, str) else None
    if printed is None or printed.relation or not 0 < printed.value < (100 if printed.percent else 1):
        raise ValueError(f"got {shown(raw)}; allowed is a level between 0 and 1, such as 0.95, or 95%")
    return printed.value / 100 if printed.percent else printed.value


def _calendar(raw: object) -> str:
    """A month or a day that exists."""
    match = _CALENDAR.fullmatch(raw) if isinstance(raw, str) else None
    try:
        if match is not None:
            date.fromisoformat(match["month"] + (match["day"] or "-01"))
            return match[0]
    except ValueError:
        pass
    raise ValueError(f"got {shown(raw)}; allowed is a month or a day, such as 2020-01 or 2020-01-31")


def _near_path(raw: str) -> str:
    """A relative path to a file in the study's folder, below it, or below the folder above it."""
    parts = PurePosixPath(os.path.normpath(raw)).parts
    is_relative = not (PurePosixPath(raw).is_absolute() or PureWindowsPath(raw).drive)
    if not raw.strip() or not is_relative or parts[:2] == ("..", ".."):
        allowed = (
            "a path from the study file to a file beside it, below its folder, or at most one folder up (../data/patients.csv)"
        )
        raise ValueError(f"got {shown(raw)}; allowed is {allowed}")
    return raw


Level = Annotated[float, BeforeValidator(_level)]
Calendar = Annotated[str, BeforeValidator(_calendar)]
NearPath = Annotated[str, AfterValidator(_near_path)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A name inside a study file; no dots, so that a dotted path finds one value."""
GradeKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9<>=≤≥][A-Za-z0-9<>=≤≥ +/_–-]{0,63}$")]
"""Name of a grade group as tables head it: any, 3, 3-4, >=3, 3+, grade 3."""
