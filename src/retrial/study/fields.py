"""Field types of a study file: printed numbers, counts, intervals and means, read from their text."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from retrial.study.problems import Clash, shown
from retrial.study.reported import NOT_REACHED, Quantity, Reported, plain

MAX_PATIENTS = 10_000_000
"""Largest arm that is taken for a count and not for a slip of the key."""
_MEAN_SD = re.compile(r"\s*(?P<mean>.+?)\s*(?:±|\+/-|\+-)\s*(?P<sd>.+)\s*")
_CALENDAR = re.compile(r"(?P<month>[0-9]{4}-[0-9]{2})(?P<day>-[0-9]{2})?")


class Section(BaseModel):
    """Base of every part of a study: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def decimal_of(info: ValidationInfo) -> str:
    """The decimal mark that the study file declares; empty where it says nothing."""
    return (info.context or {}).get("decimal", "")


def _quantity(
    allowed: str, accepts: Callable[[Reported], bool], *, percent_sign: bool = False, whole: bool = False
) -> BeforeValidator:
    """Reader of a quantity whose prints must all be acceptable."""

    def read(raw: object, info: ValidationInfo) -> Quantity:
        if raw is None:
            raise ValueError(f"got nothing; allowed is {allowed}")
        quantity = Quantity.parse(raw, decimal_of(info), whole=whole)
        for printed in quantity.prints:
            if not accepts(printed) or (printed.percent and not percent_sign):
                raise ValueError(f"got {shown(printed.text)}; allowed is {allowed}")
        return quantity

    return BeforeValidator(read)


Count = Annotated[
    InstanceOf[Quantity],
    _quantity(
        f"a whole number from 0 to {MAX_PATIENTS}",
        lambda printed: printed.is_integer and 0 <= printed.value <= MAX_PATIENTS,
        whole=True,
    ),
]
Positive = Annotated[
    InstanceOf[Quantity], _quantity("a number above 0", lambda printed: not printed.relation and printed.value > 0)
]
LARGEST_LOG, LARGEST_SE = 27, 50
"""Of the logarithm of a ratio (of no more digits than a number may have), and of its standard error: with any level e to them is a number."""
LogRatio = Annotated[
    InstanceOf[Quantity],
    _quantity(
        f"the logarithm of a ratio, from -{LARGEST_LOG} to {LARGEST_LOG}",
        lambda printed: not printed.relation and abs(printed.value) <= LARGEST_LOG,
    ),
]
LogError = Annotated[
    InstanceOf[Quantity],
    _quantity(
        f"the standard error of the log ratio, above 0 and at most {LARGEST_SE}",
        lambda printed: not printed.relation and 0 < printed.value <= LARGEST_SE,
    ),
]
Time = Annotated[
    InstanceOf[Quantity], _quantity("a time of 0 or more", lambda printed: not printed.relation and printed.value >= 0)
]
MedianTime = Annotated[
    InstanceOf[Quantity],
    _quantity(
        "a time of 0 or more, NR (also NE, NA, not reached) where it was not reached, or a bound such as >30",
        lambda printed: printed.relation != "<" and printed.value >= 0,
    ),
]
PValue = Annotated[
    InstanceOf[Quantity], _quantity("a p-value from 0 to 1, such as 0.042 or <0.001", lambda printed: 0 <= printed.value <= 1)
]
Percent = Annotated[
    InstanceOf[Quantity], _quantity("a percentage from 0 to 100", lambda printed: 0 <= printed.value <= 100, percent_sign=True)
]
Statistic = Annotated[
    InstanceOf[Quantity], _quantity("a test statistic of 0 or more", lambda printed: printed.is_reached and printed.value >= 0)
]

_LIMIT = r"(?:[<>≤≥]?\s*[-−–]?\s*[\d.,·]*\d%?\+?|[A-Za-z./ ]*[A-Za-z.])"
_BETWEEN = r"(?P<between>\s*(?:\bto\b|\bbis\b|\band\b|;|, |,(?!.*,)|\.\.\.?|[-‐‑‒–—―−~])\s*)"
_INTERVAL_TEXT = re.compile(rf"[\[({{]?\s*(?P<lower>{_LIMIT}){_BETWEEN}(?P<upper>{_LIMIT})\s*[\])}}]?")
_NOTHING = ("", "-", "–", "—")
_TWO_LIMITS = "a list of two limits, such as [0.252, 0.879]"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval as printed, with its limits in order; a limit that was not reached is a bound (`Reported`)."""

    lower: Quantity
    upper: Quantity

    @classmethod
    def parse(cls, raw: object, decimal: str = "") -> Interval | OneLimit:
        """Read [lower, upper] or a text (0.252 to 0.879, 0.252–0.879); either limit may be {place: number}, or one of them nothing."""
        if isinstance(raw, Interval | OneLimit):
            return raw
        ends = _two_ends(raw, decimal)
        limits = [None if _is_nothing(end) else _limit(end, decimal, ends) for end in ends]
        lower, upper = limits
        if lower is None or upper is None:
            given = lower or upper
            if given is None:
                raise ValueError("got no limit; allowed is at least one, or leave ci out")
            return OneLimit(given, is_upper=lower is None)
        for printed in lower.prints + upper.prints:
            if printed.percent or printed.relation == "<":
                raise ValueError(f"got the limit {shown(printed.text)}; allowed is a plain number, NR or a bound such as >30")
        if lower.value >= upper.value and lower.first.is_reached:
            raise ValueError(f"got the interval {lower} to {upper}, upside down or empty; allowed is lower < upper")
        return cls(lower, upper)

    @property
    def is_closed(self) -> bool:
        """Whether both limits are numbers."""
        return not (self.lower.is_bound or self.upper.is_bound)

    def may_hold(self, quantity: Quantity) -> bool:
        """Whether some print of the quantity lies between the limits, all taken within rounding."""
        return any(self.lower.low <= printed.high and printed.low <= self.upper.high for printed in quantity.prints)


@dataclass(frozen=True, slots=True)
class OneLimit:
    """One limit of a confidence interval whose other one is not printed."""

    limit: Quantity
    is_upper: bool

    def __str__(self) -> str:
        return f"up to {self.limit}" if self.is_upper else f"{self.limit} or more"


def _is_nothing(end: object) -> bool:
    return end is None or (isinstance(end, str) and end.strip() in _NOTHING)


def _limit(end: object, decimal: str, ends: list[object]) -> Quantity:
    """One limit; where its marks do not tell, the message shows the whole interval as it should be."""
    try:
        return Quantity.parse(end, decimal)
    except ValueError as error:
        corrected = [_corrected(item, decimal) for item in ends]
        if not any(corrected):
            raise
        shown_ends = [text or str(item or "") for text, item in zip(corrected, ends, strict=True)]
        raise ValueError(f"{error}; the interval is then [{', '.join(shown_ends)}]") from error


def _corrected(end: object, decimal: str) -> str:
    """A limit with the decimal mark that the file should have; empty where it is right, or is no number at all."""
    mark = "," if decimal == "," else "."
    if not isinstance(end, str) or NOT_REACHED.fullmatch(end.strip()):
        return ""
    try:
        plain(end, decimal)
    except ValueError:
        bare = end.strip()
        lost = re.fullmatch(r"0(\d+)", bare)
        return f"0{mark}{lost[1]}" if lost else bare.replace(".", ",") if mark == "," else bare.replace(",", ".")
    return ""


def _two_ends(raw: object, decimal: str) -> list[object]:
    """Both limits of an interval, as typed."""
    if isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]
    if isinstance(raw, list) and len(raw) == 2:
        return raw
    match = _INTERVAL_TEXT.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is not None and (match["between"] != "," or all("." in match[name] for name in ("lower", "upper"))):
        return [match["lower"], match["upper"]]
    pairs = raw if isinstance(raw, list) and all(isinstance(item, str) and re.fullmatch(r"\d+", item) for item in raw) else []
    if len(pairs) == 4:
        first, second = (".".join(pairs[place : place + 2]) for place in (0, 2))
        asked = (
            f'allowed is [{first}, {second}] (or decimal: "," at the top of the file, where all its numbers have decimal commas)'
        )
        raise ValueError(f"got a list of 4 ({', '.join(pairs)}), as from decimal commas; {asked}")
    hint = "; with decimal commas put a space after the comma between the limits: [0,252, 0,879]" if decimal == "," else ""
    raise ValueError(f"got {shown(raw)}; allowed is {_TWO_LIMITS}{hint}")


@dataclass(frozen=True, slots=True)
class MeanSD:
    """A mean and standard deviation as printed."""

    mean: Quantity
    sd: Quantity

    @classmethod
    def parse(cls, raw: object, decimal: str = "") -> MeanSD:
        """Read "54.5 ± 12.7" (also +/-), or a mapping of places to such texts."""
        if isinstance(raw, MeanSD):
            return raw
        places = raw if isinstance(raw, dict) and raw else {"": raw}
        pairs = {place: _mean_and_sd(text, decimal) for place, text in places.items()}
        means = Quantity(tuple(Reported(mean, place) for place, (mean, _) in pairs.items()))
        sds = Quantity(tuple(Reported(sd, place) for place, (_, sd) in pairs.items()))
        for mean, sd in zip(means.prints, sds.prints, strict=True):
            if mean.relation or sd.relation or mean.percent or sd.percent or sd.value < 0:
                raise ValueError(f"got {shown(f'{mean} ± {sd}')}; allowed is a plain mean and an SD of 0 or more")
        return cls(means, sds)


def _mean_and_sd(raw: object, decimal: str) -> tuple[str, str]:
    match = _MEAN_SD.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"got {shown(raw)}; allowed is mean ± SD, such as 54.5 ± 12.7, or {{place: mean ± SD}}")
    return plain(match["mean"], decimal), plain(match["sd"], decimal)


ConfidenceInterval = Annotated[
    InstanceOf[Interval] | InstanceOf[OneLimit],
    BeforeValidator(lambda raw, info: Interval.parse(raw, decimal_of(info))),
]


def _two_limits(raw: object, info: ValidationInfo) -> Interval:
    ci = Interval.parse(raw, decimal_of(info))
    if isinstance(ci, OneLimit) or not ci.is_closed:
        raise ValueError(f"got {ci if isinstance(ci, OneLimit) else f'{ci.lower} to {ci.upper}'}; allowed is {_TWO_LIMITS}")
    return ci


TwoLimits = Annotated[InstanceOf[Interval], BeforeValidator(_two_limits)]
MeanWithSD = Annotated[InstanceOf[MeanSD], BeforeValidator(lambda raw, info: MeanSD.parse(raw, decimal_of(info)))]


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


def _side(raw: object) -> object:
    return int(raw) if isinstance(raw, str) and raw.strip() in ("1", "2") else raw


Sides = Annotated[Literal[1, 2], BeforeValidator(_side)]


class Tested(Section):
    """What prints a p: of `sides` 1 or 2 (both are fields of the sections themselves, in their place)."""

    if TYPE_CHECKING:
        p: PValue | None
        sides: Sides

    @model_validator(mode="after")
    def _sides_of_a_p(self) -> Self:
        if self.sides == 1 and self.p is None:
            raise Clash("got 1 without a p; allowed is sides: 1 beside a one-sided p", at=("sides",), also=("p",))
        return self

    @property
    def two_sided_p(self) -> Quantity | None:
        """The p of the two-sided test, whichever of both is printed."""
        return self.p.two_sided() if self.p is not None and self.sides == 1 else self.p


class CountRow(Tested):
    """Counts of one row of a two-arm table, and what the paper prints about their comparison."""

    label: str = ""
    where: str = ""
    control: Cell
    experimental: Cell
    total: Cell | None = None
    evaluable: Evaluable | None = None
    chi_square: Statistic | None = None
    p: PValue | None = None
    sides: Sides = 2


def _level(raw: object, info: ValidationInfo) -> float:
    if isinstance(raw, float):
        return raw
    printed = Reported(plain(raw, decimal_of(info))) if isinstance(raw, str) else None
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
