"""Arithmetic of a printed ratio, its interval and its p: what each implies of the others, within their rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from retrial.audit.numbers import Range, truncation_interval
from retrial.multivariable.events import split_standard_error
from retrial.study.reported import Reported

_ROOM = 1e-9
"""Relative room for binary fractions where an interval's edge is met exactly."""

Part = Literal["estimate", "lower", "upper"]
PARTS: tuple[Part, ...] = ("estimate", "lower", "upper")


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio as printed in one place each, with the confidence level of its interval."""

    estimate: Reported
    lower: Reported
    upper: Reported
    level: float = 0.95

    @property
    def quantile(self) -> float:
        """Normal quantile of the interval, 1.960 for 95 %."""
        return float(stats.norm.isf((1 - self.level) / 2))

    @property
    def standard_error(self) -> float:
        """SE of the log ratio: (log U - log L) / (2 z)."""
        return (math.log(self.upper.value) - math.log(self.lower.value)) / (2 * self.quantile)

    def with_part(self, part: Part, value: Reported) -> Ratio:
        """The same ratio with another print of one number."""
        if part == "estimate":
            return replace(self, estimate=value)
        return replace(self, lower=value) if part == "lower" else replace(self, upper=value)


def log_box(ratio: Ratio, *, truncated: bool = False) -> tuple[Range, Range, Range]:
    """Rounding (or cut-off) intervals of log lower, log upper and log estimate."""
    ends = [
        truncation_interval(item) if truncated else Range(item.low, item.high)
        for item in (ratio.lower, ratio.upper, ratio.estimate)
    ]
    lower, upper, estimate = (Range(math.log(low), math.log(high)) for low, high in ends)
    return lower, upper, estimate


def geometric_mean(ratio: Ratio) -> Range:
    """sqrt(L U) over the rounding of both limits."""
    return Range(math.sqrt(ratio.lower.low * ratio.upper.low), math.sqrt(ratio.lower.high * ratio.upper.high))


def is_symmetric(ratio: Ratio, *, truncated: bool = False) -> bool:
    """Whether the estimate can be the geometric mean of its limits, as in every Wald interval of a log ratio."""
    return bool(_vertices(ratio, truncated=truncated))


def standard_error_range(ratio: Ratio) -> Range:
    """SE of the log ratio over the rounding of both limits."""
    lower, upper, _ = log_box(ratio)
    return Range(max(0.0, upper.low - lower.high) / (2 * ratio.quantile), (upper.high - lower.low) / (2 * ratio.quantile))


def wald_p(ratio: Ratio) -> Range | None:
    """Range of the two-sided Wald p over all (L, U) within their rounding whose geometric mean prints as the estimate.

    z = z_level (log L + log U) / (log U - log L) is monotone along every line of the (log L, log U) plane, so its ends lie at the
    vertices of the polygon that the rounding box and the two lines log L + log U = 2 log(estimate's rounding limits) bound.
    None where the polygon is empty (the interval is not symmetric).
    """
    vertices = _vertices(ratio)
    if not vertices:
        return None
    sums = [lower + upper for lower, upper in vertices]
    z = [_z(total, upper - lower, ratio.quantile) for total, (lower, upper) in zip(sums, vertices, strict=True)]
    smallest = 0.0 if min(sums) <= 0 <= max(sums) else min(z)
    return _p_range(smallest, max(z))


def p_without(ratio: Ratio, omitted: Part) -> Range:
    """Range of the Wald p from two of the three numbers, over their rounding."""
    lower, upper, estimate = log_box(ratio)
    if omitted == "estimate":
        corners = [(low + high, high - low) for low in lower for high in upper]
    elif omitted == "lower":
        corners = [(2 * middle, 2 * (high - middle)) for high in upper for middle in estimate]
    else:
        corners = [(2 * middle, 2 * (middle - low)) for low in lower for middle in estimate]
    z = [_z(total, width, ratio.quantile) for total, width in corners]
    totals = [total for total, _ in corners]
    return _p_range(0.0 if min(totals) <= 0 <= max(totals) else min(z), max(z))


def p_of_any_two(ratio: Ratio) -> Range:
    """Hull of the p-values that any two of the three numbers give: for an interval that is not symmetric."""
    found = [p_without(ratio, part) for part in PARTS]
    return Range(min(item.low for item in found), max(item.high for item in found))


def asymmetry(ratio: Ratio) -> float:
    """|log estimate - log geometric mean| in standard errors."""
    middle = (math.log(ratio.lower.value) + math.log(ratio.upper.value)) / 2
    return abs(math.log(ratio.estimate.value) - middle) / ratio.standard_error


def wald_z(ratio: Ratio) -> float:
    """log estimate / SE."""
    return math.log(ratio.estimate.value) / ratio.standard_error


@dataclass(frozen=True, slots=True)
class OtherTests:
    """|z| that tests of the same patients can have beside Wald's: of score and log-rank tests, and of these and the likelihood ratio."""

    score: Range
    every: Range


def z_of_other_tests(ratio: Ratio, events: int | None = None) -> OtherTests:
    """|z| that a score, log-rank or likelihood-ratio test of the same patients can have beside Wald's, over all rounding.

    The information I(u) of one two-group coefficient at distance u from the null is a sum of q (1 - q), q its logistic function at u; let
    a(0), a(b) be its terms at the null and at the estimate b > 0. The score U(0), the integral of I from 0 to b, is
    2 sinh(b/2) Σ √(a(0) a(b)), so that z = U(0) / √Σ a(0) lies between 2 tanh(b/2) and 2 sinh(b/2) times √I(b) = 1 / SE (Cauchy-Schwarz;
    Greub and Rheinboldt 1959, with a(0) / a(b) within e^±b). The likelihood ratio is 2 ∫ v I(v) dv with I(v) within I(b) e^±(b-v), and at
    most a quarter of the `events`. Without ties: the log-rank's variance is smaller where many die at one time.
    """
    logs = sorted(abs(edge) for edge in log_box(ratio)[2])
    least = 0.0 if ratio.estimate.low <= 1 <= ratio.estimate.high else logs[0]
    error = standard_error_range(ratio)
    if error.low <= 0:
        return OtherTests(Range(0.0, math.inf), Range(0.0, math.inf))
    score = Range(2 * math.tanh(least / 2) / error.high, 2 * math.sinh(logs[1] / 2) / error.low)
    lowest = math.sqrt(max(0.0, 2 * (least - 1 + math.exp(-least)))) / error.high
    highest = _largest_likelihood_ratio(logs[1], error.low, events)
    return OtherTests(score, Range(min(score.low, lowest), max(score.high, highest)))


def _largest_likelihood_ratio(distance: float, error: float, events: int | None) -> float:
    """√(2 ∫ v min(I(b) e^(b-v), d/4) dv) from 0 to b, b the distance and I(b) = 1 / error²; without events the minimum is its first part."""
    at_estimate = 1 / error**2
    most = math.inf if events is None else max(at_estimate, events / 4)
    edge = max(0.0, distance - math.log(most / at_estimate)) if math.isfinite(most) else 0.0
    flat = most * edge**2 / 2 if edge > 0 else 0.0
    return math.sqrt(2 * (flat + at_estimate * ((edge + 1) * math.exp(distance - edge) - distance - 1)))


def possible_splits(events: int, standard_error: float) -> Range | None:
    """Fewest and most events of one group for which sqrt(1/d1 + 1/d2) <= standard_error; None where no split is possible."""
    possible = [
        first for first in range(1, events) if split_standard_error(first, events - first) <= standard_error * (1 + _ROOM)
    ]
    return Range(possible[0], possible[-1]) if possible else None


def _z(total: float, width: float, quantile: float) -> float:
    return abs(total) * quantile / width if width > 0 else math.inf


def _p_range(smallest_z: float, largest_z: float) -> Range:
    return Range(float(2 * stats.norm.sf(largest_z)), min(1.0, float(2 * stats.norm.sf(smallest_z))))


def _vertices(ratio: Ratio, *, truncated: bool = False) -> list[tuple[float, float]]:
    """Corners of {(log L, log U) in their intervals, (log L + log U) / 2 in the estimate's}."""
    lower, upper, estimate = log_box(ratio, truncated=truncated)
    room = _ROOM * (1 + abs(estimate.low) + abs(estimate.high))
    return [
        (low, high)
        for low, high in _candidates(lower, upper, estimate)
        if lower.low - room <= low <= lower.high + room
        and upper.low - room <= high <= upper.high + room
        and 2 * (estimate.low - room) <= low + high <= 2 * (estimate.high + room)
    ]


def _candidates(lower: Range, upper: Range, estimate: Range) -> Iterator[tuple[float, float]]:
    yield from ((low, high) for low in lower for high in upper)
    for middle in estimate:
        yield from ((low, 2 * middle - low) for low in lower)
        yield from ((2 * middle - high, high) for high in upper)
