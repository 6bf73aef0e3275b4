"""A number as printed: its text, and the interval of values that round to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from retrial.study.problems import shown

_NUMBER = re.compile(
    r"(?P<relation>[<>≤≥]?)\s*(?P<number>[-−–]?(?:[0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}))\s*(?P<percent>%?)"
)
_MINUS_SIGNS = str.maketrans("−–", "--")
"""Typesetters print a minus sign or an en dash where a keyboard has a hyphen."""
_ALLOWED = (
    "a number as printed, such as 0.470, .042 or <0.001 (no exponent, no comma, at most 12 digits on each side of the point)"
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


@dataclass(frozen=True, slots=True)
class Reported:
    """One printed number.

    `text` is kept as printed; "0.470" has `decimals` 3 and stands for the values in [`low`, `high`] =
    [0.4695, 0.4705] (both ends count: papers do not say how they round a half). "<0.001" and "≤0.001" have `relation` "<"
    and stand for [0, 0.001]; ">24" has ">" and stands for [24, ∞). "47.8%" has `percent` true and the value 47.8.
    `where` names the table and row, and is empty when the section's own `where` holds.
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
        object.__setattr__(self, "text", self.text.strip())
        match = _NUMBER.fullmatch(self.text)
        if match is None:
            raise ValueError(f"got {shown(self.text)}; allowed is {_ALLOWED}")
        number = Decimal(match["number"].translate(_MINUS_SIGNS))
        relation = match["relation"].replace("≤", "<").replace("≥", ">")
        if relation == "<" and number <= 0:
            raise ValueError(f"got {shown(self.text)}; allowed after < is a number above 0")
        decimals = max(0, -int(number.as_tuple().exponent))
        half = Decimal(1).scaleb(-decimals) / 2
        low, high = float(number - half), float(number + half)
        if relation:
            low, high = (0.0, float(number)) if relation == "<" else (float(number), float("inf"))
        computed = {"value": float(number), "decimals": decimals, "relation": relation, "percent": bool(match["percent"])}
        for name, value in {**computed, "low": low, "high": high}.items():
            object.__setattr__(self, name, value)

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
    """One quantity of the paper and every place that prints it (the first is the one used unless an audit corrects it)."""

    prints: tuple[Reported, ...]

    @classmethod
    def parse(cls, raw: object) -> Quantity:
        """Read a scalar ("0.470") or a mapping of places to scalars ({Table 5: 0.467, Abstract: 0.567})."""
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
            return cls(tuple(Reported(text, place) for place, text in raw.items()))
        if not isinstance(raw, str):
            raise ValueError(f"got {shown(raw)}; allowed is a number as printed, or {{place: number as printed}}")
        return cls((Reported(raw),))

    @property
    def first(self) -> Reported:
        return self.prints[0]

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
