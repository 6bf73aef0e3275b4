"""Numbers to text, the same way everywhere on the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from retrial.estimate import Estimate

MISSING = "–"
MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
_RATIO_DECIMALS = 3
"""Papers print hazard ratios with two or three decimals: three, so that agreement can be seen."""
_SMALLEST_P = 0.001
_LARGE = 1e6
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNIFICANT = 5
"""Digits of a number whose kind is unknown."""

Formatter = Callable[[float], str]


def decimal(value: float, decimals: int) -> str:
    """Fixed decimals, a true minus sign, thousands separated by a comma from 10,000 on, no negative zero."""
    if not isinstance(value, (int, float, np.number)) or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    rounded = round(float(value), decimals) + 0.0
    text = f"{abs(rounded):,.{decimals}f}" if abs(rounded) >= 10_000 else f"{abs(rounded):.{decimals}f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def ratio(value: float) -> str:
    """Hazard, odds and risk ratios: three decimals, fewer where the number is large; "<0.001", and "3×10⁸" from a million on."""
    if 0 <= value < 10.0**-_RATIO_DECIMALS / 2:
        return f"<{_SMALLEST_P}"
    if _LARGE <= value < math.inf:
        mantissa, exponent = f"{value:.0e}".split("e")
        return f"{mantissa}×10{exponent.lstrip('+0').translate(_SUPERSCRIPT)}"
    if not math.isfinite(value) or abs(value) < 10:
        return decimal(value, _RATIO_DECIMALS)
    return decimal(value, 2 if abs(value) < 100 else 0)


def p_value(value: float) -> str:
    """Three decimals, "<0.001" below and ">0.999" above."""
    if 0 <= value < _SMALLEST_P:
        return f"<{_SMALLEST_P}"
    if 1 - _SMALLEST_P < value < 1:
        return f">{1 - _SMALLEST_P}"
    return decimal(value, 3)


def probability(value: float) -> str:
    """A posterior probability: like a p-value, three decimals, never rounded to 0 or 1."""
    return p_value(value) if value != 1 else f">{1 - _SMALLEST_P}"


def months(value: float) -> str:
    """A time in months as shown."""
    return decimal(value, 1)


def percent(value: float) -> str:
    """A share in percent as shown."""
    return decimal(value, 1)


def share(value: float) -> str:
    """0.5 to "50 %"; "100 %" and "0 %" only where they are exact."""
    if not math.isfinite(value):
        return MISSING
    if 0.995 <= value < 1:
        return f">99{NBSP}%"
    return f"<1{NBSP}%" if 0 < value < 0.01 else f"{decimal(100 * value, 0)}{NBSP}%"


def count(value: float) -> str:
    """A whole number, with thousands separated."""
    return f"{int(value):,}" if math.isfinite(value) else decimal(value, 0)


def patients(value: float) -> str:
    """A number of patients: whole where it is, else (a number needed to treat) with one decimal."""
    return count(value) if math.isfinite(value) and value == int(value) else decimal(value, 1)


def _like(estimate: Estimate) -> Formatter:
    """Decimals for a quantity without a unit, by the size of its largest number: 3 below 10, 2 below 100, 1 above."""
    known = [abs(value) for value in (estimate.point, estimate.lower, estimate.upper) if math.isfinite(value)]
    largest = max(known, default=0.0)
    return lambda value: decimal(value, 3 if largest < 10 else 2 if largest < 100 else 1)


def general(value: Any) -> str:
    """A number or text whose kind is unknown: text as it is, numbers with five significant digits."""
    if value is None:
        return MISSING
    if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
        return str(value)
    number = float(value)
    if not math.isfinite(number) or number == int(number):
        return decimal(number, 0)
    digits = _SIGNIFICANT - 1 - math.floor(math.log10(abs(number)))
    return decimal(number, min(max(digits, 1), 6)).rstrip("0").rstrip(".")


def level(value: float) -> str:
    """0.95 to "95 %", with a space that does not break."""
    return f"{100 * value:.4g}{NBSP}%" if math.isfinite(value) else ""


_BY_UNIT: dict[str, Formatter] = {
    "ratio": ratio,
    "log ratio": lambda value: decimal(value, 3),
    "probability": lambda value: decimal(value, 3),
    "p-value": p_value,
    "months": months,
    "percent": percent,
    "percent points": percent,
    "percentage points": percent,
    "patients": patients,
}


def formatter_of(estimate: Estimate) -> Formatter:
    """How this estimate's numbers are written, by its quantity and unit."""
    if estimate.statistic == "probability":
        return probability
    return _BY_UNIT.get(estimate.unit) or _like(estimate)


def interval(lower: float, upper: float, write: Formatter) -> str:
    """ "0.252 to 0.879"; empty where a limit is missing."""
    if math.isnan(lower) or math.isnan(upper):
        return ""
    return f"{write(lower)} to {write(upper)}"


def estimate_text(estimate: Estimate, write: Formatter | None = None) -> str:
    """ "0.470 (0.252 to 0.879)", or the point alone; limits that are no interval are called a range."""
    write = write or formatter_of(estimate)
    limits = interval(estimate.lower, estimate.upper, write)
    if not limits:
        return write(estimate.point)
    return f"{write(estimate.point)} ({'range ' if estimate.interval_kind == 'none' else ''}{limits})"
