"""`grid_of`: the recorded times that a table of one endpoint has, with the reasons in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from retrial.dims import ARMS, TOTAL
from retrial.study.endpoints import Endpoint
from retrial.study.reported import Quantity, Reported
from retrial.tables.printed.digitised import Curve
from retrial.tables.printed.recording import ROOM, Recording, limits_like_times, printed_times, recording_of

FOLLOW_UP = 2.0
"""Where neither the longest time, nor a number at risk of 0, nor a curve is given, the grid ends at this multiple of the largest
printed time.
"""
NO_TIME = 12.0
"""...and of this, in the study's unit, where no time is printed at all."""
_SAME = 1e-6
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Grid:
    """Times first, first + step, ..., last in the study's unit.

    `slack` is what a printed time may miss a grid time by beside its rounding: half a step where the step is coarser than the print.
    """

    first: float
    last: float
    step: float
    recording: Recording
    slack: float
    notes: tuple[str, ...]

    def span(self, printed: Quantity) -> tuple[float, float]:
        """Grid times that print as this (both ends of the rounding interval count)."""
        return printed.low - self.slack, printed.high + self.slack

    def has_one(self, printed: Quantity) -> bool:
        """Whether the printed value is a grid time and no other prints the same."""
        low, high = self.span(printed)
        inside = multiples(low, high, self.step)
        return inside is not None and inside[0] == inside[1] and abs(inside[0] * self.step - printed.value) <= _SAME * self.step


def multiples(low: float, high: float, step: float) -> tuple[int, int] | None:
    """First and last k with k step in [low, high]; None without any (or without end)."""
    if not math.isfinite(high):
        return None
    first, last = math.ceil(low / step - _SAME), math.floor(high / step + _SAME)
    return (first, last) if first <= last else None


def grid_of(
    item: Endpoint,
    time_unit: str,
    curve: Curve | None = None,
    *,
    step: float | None = None,
    first: float | None = None,
    last: float | None = None,
) -> Grid:
    """From the shortest printed time (else one step) to the longest; else to the last step before a printed number at risk of 0 in both
    arms; else one step beyond the curve and the numbers at risk; else to twice the largest printed time. Notes say which.
    """
    end, why = _follow_up(item, curve)
    recording = recording_of(item, time_unit, last or end, curve)
    unit = step or recording.unit
    prints = printed_times(item)
    asked = step is not None or item.recording_unit is not None
    held = [*prints, *_limits(item), *(limits_like_times(item) if asked else [])]
    off = list(dict.fromkeys(printed.text for printed in held if multiples(printed.low, printed.high, unit) is None))
    wide = [
        printed.text for printed in prints if (inside := multiples(printed.low, printed.high, unit)) and inside[0] < inside[1]
    ]
    slack = unit / 2 if off else 0.0
    notes = [f"recording unit {unit:g} {time_unit} ({recording.why if step is None else 'as asked'})"]
    if off:
        notes.append(f"{_listed(off)} ({time_unit}): printed more finely than that, and held to half a unit")
    if wide:
        notes.append(f"{_listed(wide)} ({time_unit}): printed more coarsely than that, and any time that rounds to it")
    shortest, longest = item.shortest_of(TOTAL), item.longest_of(TOTAL)
    start = first if first is not None else _edge(shortest, unit, slack, latest=False) if shortest else unit
    if last is not None:
        stop = last
    elif longest is not None:
        stop = _edge(longest, unit, slack, latest=True)
    else:
        stop = _stop(item, curve, end, unit)
        notes.append(why.format(f"{stop:g} {time_unit}"))
    return Grid(round(start, _DIGITS), round(max(stop, start), _DIGITS), unit, recording, slack, tuple(notes))


def _limits(item: Endpoint) -> Iterator[Reported]:
    """Limits of medians that are recorded times: those of intervals that are read off the curve, not symmetric about the median."""
    for arm in (*ARMS, TOTAL):
        median = getattr(item.median, arm)
        if median is None or median.ci is None or not median.ci.is_closed or median.value.is_bound:
            continue
        lower, value, upper = median.ci.lower, median.value, median.ci.upper
        if not lower.low + upper.low <= 2 * value.high or not lower.high + upper.high >= 2 * value.low:
            yield from (lower.first, upper.first)


def _listed(texts: list[str]) -> str:
    return ", ".join(texts[:4]) + (", ..." if len(texts) > 4 else "")


def _edge(printed: Quantity, unit: float, slack: float, *, latest: bool) -> float:
    """Last (first) grid time that prints as an extreme."""
    inside = multiples(printed.low - slack, printed.high + slack, unit)
    return unit * (inside[latest] if inside else round(printed.value / unit))


def _follow_up(item: Endpoint, curve: Curve | None) -> tuple[float, str]:
    """About how long patients were followed, in the study's unit, and how it is told from what is printed."""
    longest = item.longest_of(TOTAL)
    if longest is not None:
        return longest.value, ""
    empty = nobody_at_risk(item)
    if empty is not None:
        return empty, f"no longest time is printed: the grid ends at {{}}, before {empty:g}, where nobody is at risk"
    if curve is not None:
        end = max([curve.last, *(time for time, _ in last_at_risk(item).values())])
        return end, "no longest time is printed: the grid ends at {}, one step after the curve and the numbers at risk"
    seen = max(_seen(item), default=NO_TIME)
    return (
        FOLLOW_UP * seen,
        f"no longest time is printed: the grid is taken to end at {{}}, {FOLLOW_UP:g} times the largest printed time",
    )


def _stop(item: Endpoint, curve: Curve | None, end: float, unit: float) -> float:
    """Last grid time where no longest time is printed."""
    if nobody_at_risk(item) is not None:
        return unit * (math.ceil(end / unit - _SAME) - 1)
    return unit * math.ceil(end / unit - _SAME) if curve is None else unit * (math.ceil(end / unit - ROOM) + 1)


def _seen(item: Endpoint) -> Iterator[float]:
    """Times that the paper prints."""
    for arm in (*ARMS, TOTAL):
        median = getattr(item.median, arm)
        if median is not None:
            ends = (median.value, *((median.ci.lower, median.ci.upper) if median.ci else ()))
            yield from (end.value for end in ends if end.first.is_reached and end.value > 0)
        yield from (time.value for time in (item.longest_of(arm), item.shortest_of(arm)) if time is not None)
    for table in (item.at_risk, item.landmarks):
        yield from (time.value for time in (table.times if table is not None else []))


def last_at_risk(item: Endpoint) -> dict[str, tuple[float, int]]:
    """Last printed time of each arm at which somebody is at risk, and how many are."""
    found: dict[str, tuple[float, int]] = {}
    for arm in ARMS:
        counts = getattr(item.at_risk, arm, None) or []
        left = [(time.value, int(count)) for time, count in zip(item.at_risk.times if item.at_risk else [], counts, strict=False)]
        there = [tick for tick in left if tick[1] > 0]
        if there:
            found[arm] = there[-1]
    return found


def nobody_at_risk(item: Endpoint) -> float | None:
    """First time with a printed number at risk of 0 in both arms."""
    if item.at_risk is None or item.at_risk.control is None or item.at_risk.experimental is None:
        return None
    columns = zip(item.at_risk.times, item.at_risk.control, item.at_risk.experimental, strict=True)
    return next((time.value for time, control, experimental in columns if int(control) == 0 and int(experimental) == 0), None)
