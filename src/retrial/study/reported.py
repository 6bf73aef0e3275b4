"""A number as printed: its text, and the interval of values that round to it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from retrial.study.problems import shown

_NUMBER = re.compile(
    r"(?P<relation>[<>≤≥]?)\s*(?P<number>[-−–]?(?:[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}))\s*(?P<end>[%+]?)"
)
NOT_REACHED = re.compile(
    r"n\.? ?[rec]\.?|n\.? ?a\.?|n/[area]|not (?:yet )?(?:reached|estimable|evaluable|estimated|calculable|available|assessable)",
    re.IGNORECASE,
)
"""How papers print a time that a curve did not reach."""
_MINUS_SIGNS = str.maketrans("−–", "--")
"""Typesetters print a minus sign or an en dash where a keyboard has a hyphen."""
_ALLOWED = (
    "a number as printed, such as 0.470, .042 or <0.001 (no exponent, no words, at most 12 digits on each side of the point)"
)
FIELDS_NOT_PLACES = frozenset(
    (
        *("n", "percent", "value", "ci", "level", "p", "chi_square", "df", "label", "where", "control", "experimental", "total"),
        *("hazard_ratio", "odds_ratio", "risk_ratio", "median", "events", "times", "shortest", "longest", "good", "evaluable"),
    )
)
"""Keys of a study file that stand beside numbers: as a place of a number they are a slip (`{n: 155, percent: 87}` is no two places)."""
_EDGE = 1e-9
"""Room for binary fractions at an interval's edge, in units of the last printed digit."""


_MIDDLE_DOTS = str.maketrans(dict.fromkeys("·∙⋅•‧․・·．", "·"))
"""What looks like the decimal mark of The Lancet."""
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]")
_WIDTHLESS = str.maketrans(dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_RELATIONS = {"<=": "≤", ">=": "≥", "=<": "≤", "=>": "≥", "⩽": "≤", "⩾": "≥", "≦": "≤", "≧": "≥", "＞": ">", "＜": "<"}
_SPACED_GROUPS = re.compile(r"(?<![\d.,·])[1-9]\d{0,2}(?:[ '’]\d{3})+(?![\d '’])")
_MARKED = re.compile(r"(?P<start>[<>≤≥]?\s*[-−–]?\s*)(?P<body>[\d.,]*\d)(?P<end>\s*[%+]?)")
_LOST_MARK = re.compile(r"0\d+")


def plain(text: str, decimal: str = "", *, whole: bool = False) -> str:
    """A printed number with a point for its decimal mark and nothing between thousands.

    Middle dots are decimal marks, whatever the file says; spaces (thin, no-break, plain) and apostrophes between groups of three digits go.
    `decimal` is the mark that the file declares ("" where it says nothing: a point). The other of comma and point separates thousands only
    where nothing else can be meant: between several groups (1,234,567), before a decimal mark (1,234.5), or in a `whole` number (1,234).
    Texts that are no number come back as they are. Raises `ValueError` with what to type instead where a mark could mean two things, is not
    the declared one, or was lost (0823).
    """
    mark, other = (",", ".") if decimal == "," else (".", ",")
    text = _SPACES.sub(" ", text.translate(_WIDTHLESS).translate(_MIDDLE_DOTS)).strip()
    for typed, sign in _RELATIONS.items():
        text = text.replace(typed, sign)
    text = _SPACED_GROUPS.sub(lambda match: re.sub(r"[ '’]", "", match[0]), text).replace("·", mark)
    match = _MARKED.fullmatch(text)
    if match is None:
        return text
    start, body, end = match["start"], match["body"], match["end"]
    if _LOST_MARK.match(body):
        raise ValueError(
            f"got {shown(text)}, which may have lost its decimal mark; allowed is 0{mark}{body[1:]} or {body.lstrip('0') or 0}"
        )
    number, problem = _marks_read(body, mark, other, whole=whole)
    if problem:
        raise ValueError(f"got {shown(text)}; allowed is {start}{problem.format(end=end)}{_declared(mark, decimal)}")
    return f"{start}{number}{end}"


def _declared(mark: str, decimal: str) -> str:
    if decimal:
        return f" (the file says decimal: {shown(decimal)})"
    return ' (or decimal: "," at the top of the file, where all its numbers have decimal commas)' if mark == "." else ""


def _marks_read(body: str, mark: str, other: str, *, whole: bool) -> tuple[str, str]:
    """Digits with a decimal point, and what to type instead where the marks do not tell (then the number is not to be used)."""
    first, last = re.escape(other), re.escape(mark)
    if other not in body:
        if body.count(mark) <= 1:
            return body.replace(mark, "."), ""
        spaced = f" (a space after each comma makes it several: [{body.replace(mark, ', ')}])" if mark == "," else ""
        return "", f"one decimal mark{spaced}"
    if re.fullmatch(rf"[1-9]\d{{0,2}}(?:{first}\d{{3}})+{last}\d+", body) or re.fullmatch(
        rf"[1-9]\d{{0,2}}(?:{first}\d{{3}}){{{1 if whole else 2},}}", body
    ):
        return body.replace(other, "").replace(mark, "."), ""
    asked = body.replace(mark, "").replace(other, mark)
    if re.fullmatch(rf"[1-9]\d{{0,2}}{first}\d{{3}}", body):
        return "", f"{body.replace(other, '')}{{end}} where it separates thousands, {asked}{{end}} where it is a decimal mark"
    return "", asked + "{end}"


@dataclass(frozen=True, slots=True)
class Reported:
    """One printed number.

    `text` is kept as printed, but for its decimal mark, which is a point, and spaces in it; "0.470" has `decimals` 3 and stands for the values
    in [`low`, `high`] = [0.4695, 0.4705] (both ends count: papers do not say how they round a half). "<0.001" and "≤0.001" have `relation` "<"
    and stand for [0, 0.001]; ">24", "24+" have ">" and stand for [24, ∞). "47.8%" has `percent` true and the value 47.8. "NR", "NE", "NA",
    "not reached" have ">" too and stand for ∞: a time that was not reached. `where` names the table and row, and is empty when the section's
    own `where` holds.
    """

    text: str
    where: str = ""
    value: float = field(init=False)
    decimals: int = field(init=False)
    relation: str = field(init=False)
    percent: bool = field(init=False)
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", plain(self.text))
        if NOT_REACHED.fullmatch(self.text):
            return self._set(math.inf, 0, ">", math.inf, math.inf)
        match = _NUMBER.fullmatch(self.text)
        if match is None or (match["end"] == "+" and match["relation"]):
            raise ValueError(f"got {shown(self.text)}; allowed is {_ALLOWED}")
        number = Decimal(match["number"].translate(_MINUS_SIGNS))
        relation = ">" if match["end"] == "+" else match["relation"].replace("≤", "<").replace("≥", ">")
        if relation == "<" and number <= 0:
            raise ValueError(f"got {shown(self.text)}; allowed after < is a number above 0")
        decimals = max(0, -int(number.as_tuple().exponent))
        half = Decimal(1).scaleb(-decimals) / 2
        low, high = float(number - half), float(number + half)
        if relation:
            low, high = (0.0, float(number)) if relation == "<" else (float(number), math.inf)
        return self._set(float(number), decimals, relation, low, high, percent=match["end"] == "%")

    def _set(self, value: float, decimals: int, relation: str, low: float, high: float, *, percent: bool = False) -> None:
        computed = {"value": value, "decimals": decimals, "relation": relation, "percent": percent, "low": low, "high": high}
        for name, item in computed.items():
            object.__setattr__(self, name, item)

    @classmethod
    def between(cls, text: str, value: float, low: float, high: float, *, decimals: int = 0, where: str = "") -> Self:
        """A number that is not printed itself but follows from printed ones: its value, and all values that their rounding allows."""
        new = object.__new__(cls)
        object.__setattr__(new, "text", text)
        object.__setattr__(new, "where", where)
        new._set(value, decimals, "", low, high)
        return new

    def two_sided(self) -> Self:
        """A one-sided p as the two-sided p of the same test: 2 min(p, 1 - p), rounding and all."""
        ends = sorted(2 * min(end, 1 - end) for end in (max(self.low, 0.0), min(self.high, 1.0)))
        high = 1.0 if self.low <= 0.5 <= self.high else ends[1]
        new = self.between(f"{self.text} one-sided", 2 * min(self.value, 1 - self.value), ends[0], high, where=self.where)
        object.__setattr__(new, "decimals", self.decimals)
        object.__setattr__(new, "relation", self.relation if self.value <= 0.5 else {"<": ">", ">": "<"}.get(self.relation, ""))
        return new

    @property
    def is_reached(self) -> bool:
        """Whether it is a number, or a bound with one; False of "NR", "NE"."""
        return math.isfinite(self.value)

    @property
    def unit_in_last_place(self) -> float:
        """The step of the last printed digit, 0.001 for "0.470"."""
        return float(Decimal(1).scaleb(-self.decimals))

    @property
    def is_integer(self) -> bool:
        return self.decimals == 0 and not self.relation

    def rounds_to(self, value: float) -> bool:
        """Whether `value`, rounded half up, prints as this text."""
        edge = _EDGE * self.unit_in_last_place
        return self.low - edge <= value <= self.high + edge

    def truncates_to(self, value: float) -> bool:
        """Whether `value`, cut off after the last printed digit, prints as this text."""
        if self.relation:
            return False
        step, edge = self.unit_in_last_place, _EDGE * self.unit_in_last_place
        if self.value >= 0:
            return self.value - edge <= value < self.value + step - edge
        return self.value - step + edge < value <= self.value + edge

    def meets(self, low: float, high: float) -> bool:
        """Whether some value in [`low`, `high`] rounds to this text."""
        edge = _EDGE * self.unit_in_last_place
        return self.low - edge <= high and low <= self.high + edge

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of the paper and every place that prints it (the first is the one used unless an audit corrects it).

    `decided` says what the audit made of it ("used as corrected, printed 0.467"), and is empty where it is as printed.
    """

    prints: tuple[Reported, ...]
    decided: str = field(default="", compare=False)

    @classmethod
    def parse(cls, raw: object, decimal: str = "", *, whole: bool = False) -> Quantity:
        """Read a scalar ("0.470") or a mapping of places to scalars ({Table 5: 0.467, Abstract: 0.567}); marks as in `plain`."""
        if isinstance(raw, Quantity):
            return raw
        if isinstance(raw, dict):
            if not raw:
                raise ValueError("got an empty mapping; allowed is a number, or a mapping of places to numbers")
            for place, text in raw.items():
                if not isinstance(text, str) or not isinstance(place, str) or not place.strip():
                    raise ValueError(f"got {shown(text)} at the place {shown(place)}; allowed is {{place: number as printed}}")
                if place in FIELDS_NOT_PLACES:
                    words = "allowed is a number, or {place: number as printed} with places such as Table 2 or Abstract"
                    raise ValueError(f"got {shown(place)}, a key that does not belong here and is no place; {words}")
            return cls(tuple(Reported(plain(text, decimal, whole=whole), place) for place, text in raw.items()))
        if not isinstance(raw, str):
            raise ValueError(f"got {shown(raw)}; allowed is a number as printed, or {{place: number as printed}}")
        return cls((Reported(plain(raw, decimal, whole=whole)),))

    @property
    def first(self) -> Reported:
        return self.prints[0]

    @property
    def is_bound(self) -> bool:
        """Whether it is printed as a bound or as not reached: no number to compute with."""
        return bool(self.first.relation)

    def two_sided(self) -> Quantity:
        """A one-sided p as the two-sided p of the same test."""
        return Quantity(tuple(printed.two_sided() for printed in self.prints))

    @property
    def value(self) -> float:
        return self.first.value

    @property
    def low(self) -> float:
        return self.first.low

    @property
    def high(self) -> float:
        return self.first.high

    @property
    def text(self) -> str:
        return self.first.text

    def where(self, default: str = "") -> str:
        """The place of the first print, or the section's."""
        return self.first.where or default

    def __int__(self) -> int:
        return int(self.first.value)

    def __float__(self) -> float:
        return self.first.value

    def __str__(self) -> str:
        return self.text
