"""How a recomputed number is held against a printed one, and how it is written in a finding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, NamedTuple

from retrial.audit.check import Verdict
from retrial.study.fields import Tested
from retrial.study.reported import Quantity, Reported

_EDGE = 1e-9
"""Room for binary fractions at an interval's edge, in units of the last printed digit."""
LEAST_P = 1e-300
"""Smallest p whose normal quantile is computed; a p printed as below a bound reaches down to it."""
_SMALL_P = 5e-5
"""Below this a p-value is written with an exponent: four decimals would show zeros."""
_MOST_DECIMALS = 12
"""As many as `Reported` reads."""
TRUNCATED = "truncated instead of rounded"


Sides = Literal[1, 2]


def sides_of(section: Tested) -> Sides:
    """Sides of a section's printed p: 1 where the file says so (`sides: 1`), else 2."""
    return 1 if section.sides == 1 else 2


def sides_in_words(sides: Sides, said: Sides) -> str:
    """How a reading's number of sides differs from what is expected; empty where it does not."""
    if sides == said:
        return ""
    return "one-sided" if sides == 1 else "two-sided, not one-sided as the file says"


class Range(NamedTuple):
    """All values that a recomputed number can have, given the rounding of what it is computed from."""

    low: float
    high: float


class Agreement(StrEnum):
    """How a recomputed number meets a printed one."""

    ROUNDED = "rounded"
    TRUNCATED = "truncated"
    NONE = "none"


def agreement(printed: Reported, low: float, high: float | None = None) -> Agreement:
    """Whether some value in [`low`, `high`] (one value: `low`) prints as `printed`: rounded half up first, then truncated."""
    high = low if high is None else high
    if printed.meets(low, high):
        return Agreement.ROUNDED
    interval = truncation_interval(printed)
    room = _EDGE * printed.unit_in_last_place
    if not printed.relation and low < interval.high - room and high > interval.low - room:
        return Agreement.TRUNCATED
    return Agreement.NONE


def best(found: Iterable[Agreement]) -> Agreement:
    """The best of several agreements (rounded, then truncated, then none)."""
    return min(found, key=[*Agreement].index, default=Agreement.NONE)


def truncation_interval(printed: Reported) -> Range:
    """Values that are cut off, not rounded, to this text."""
    step = printed.unit_in_last_place
    return Range(printed.value, printed.value + step) if printed.value >= 0 else Range(printed.value - step, printed.value)


def verdict_of(found: Agreement) -> Verdict:
    """Rounded agrees; truncated agrees under that reading only; otherwise the numbers contradict one another."""
    return {
        Agreement.ROUNDED: Verdict.CONSISTENT,
        Agreement.TRUNCATED: Verdict.CONSISTENT_ONLY_IF,
        Agreement.NONE: Verdict.INCONSISTENT,
    }[found]


def printed_texts(quantity: Quantity) -> str:
    """The distinct texts of a quantity, in the order of its places."""
    return " / ".join(dict.fromkeys(print_.text for print_ in quantity.prints))


def show_p(p: float) -> str:
    """A recomputed p-value with four decimals."""
    return f"{p:.1e}" if 0 < p < _SMALL_P else f"{p:.4f}"


def show_p_range(interval: Range) -> str:
    """A range of p-values."""
    low, high = show_p(interval.low), show_p(interval.high)
    return low if low == high else f"{low} to {high}"


def show_range(interval: Range, decimals: int) -> str:
    """A range of values with the digits that the printed number has, and one more."""
    low, high = f"{interval.low:.{decimals + 1}f}", f"{interval.high:.{decimals + 1}f}"
    return low if low == high else f"{low} to {high}"


def show_time(value: float, unit: str) -> str:
    """A time with one decimal and its unit."""
    return f"{value:.1f} {unit}"


def significant(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits, never in exponent form for the sizes of clinical ratios."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = min(_MOST_DECIMALS, max(0, digits - 1 - math.floor(math.log10(abs(value)))))
    return f"{value:.{decimals}f}"
