"""`recording_of`: in which step the times of an endpoint were recorded, by its printed times and its curve's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from retrial.dims import ARMS, TOTAL
from retrial.study.endpoints import Endpoint, Median
from retrial.study.reported import Quantity, Reported
from retrial.tables.printed.digitised import ArmCurve, Curve

MAX_DECIMALS = 2
"""Finest unit that printed times are taken to imply: 0.01 of the study's."""
ENOUGH_ZEROS = 2
"""Printed zero decimals by which coarser recording is believed: one "10.0" is one chance in ten, two of them one in a hundred."""
LEAST_UNITS = 10
"""A step of which the follow-up has fewer is rounding of the print, no unit of recording."""
STEPS = (1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Steps of a grid for a curve of exact times."""
DAYS = (10.0, 5.0, 2.0)
"""Further ones where the study's unit is a day."""
CURVE_UNITS = 200
"""Steps that a curve of exact times is followed in: the error of its time axis."""
ROOM = 0.1
"""Part of a unit by which a reading may lie beside the step that it shows."""
_OFF, _SEEN, _CHANCE = 0.25, 0.2, 0.01
"""A curve falls at whole units where less than a quarter of what chance would put between them lies there, chance would put at least a
fifth, and all steps at whole units with at most this probability."""
LEAST_READINGS = 5
"""Readings of an arm from which it is told whether they are of its falls alone."""
_ALL_FALLS = 0.85
"""Part of the different times that an arm's events have which readings of the falls alone show at least."""
_REGULAR, _LATTICE = 0.05, 0.9
"""Spread of spacings, relative, of readings at set times; share of readings that must lie on a lattice."""
_COARSEST_LATTICE = 0.25
"""Spacing of readings at set times that is a grid for exact times; where they lie wider apart the times between are left open."""
_STEP = 0.005
"""A fall that counts as a step."""
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Recording:
    """`unit` in the study's time unit; `whole` where times are believed to be recorded in it (a curve then is flat within a unit); `why` in words."""

    unit: float
    whole: bool
    why: str


def recording_of(item: Endpoint, time_unit: str, follow_up: float, curve: Curve | None) -> Recording:
    """The unit said in the file; else the finer of what the printed times and the curve's own times tell.

    Numbers at risk stand at times of the figure's axis and say nothing. `follow_up` in the study's unit, NaN where unknown.
    """
    if item.recording_unit is not None:
        unit = item.recording_unit.value
        whole = curve is None or any(_tells_whole(arm, unit) is True for arm in curve.arms.values())
        return Recording(unit, whole, "recording_unit of the study file")
    if item.recorded != "exact":
        return Recording(1.0, True, f"recorded: {item.recorded}, so that times are whole units")
    printed = _printed(item, time_unit, follow_up)
    return printed if curve is None else _with_curve(printed, curve, time_unit, has_times=bool(printed_times(item)))


def printed_times(item: Endpoint) -> list[Reported]:
    """Printed times that somebody has: medians, shortest and longest, limits that are read off the curve; each value once."""
    printed = [median for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None]
    medians = [quantity for median in printed for quantity in (median.value, *_limits_off_the_curve(median))]
    extremes = [time for arm in (*ARMS, TOTAL) for time in (item.shortest_of(arm), item.longest_of(arm)) if time is not None]
    prints = [quantity.first for quantity in (*medians, *extremes)]
    return list({printed.value: printed for printed in prints if not printed.relation and math.isfinite(printed.value)}.values())


def limits_like_times(item: Endpoint) -> list[Reported]:
    """Limits of medians' intervals with no more decimals than their median: times, unless the interval is median ± z SE."""
    found = [median for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None and median.ci is not None]
    return [
        limit.first
        for median in found
        for limit in (median.ci.lower, median.ci.upper)
        if not limit.is_bound and (median.value.is_bound or limit.first.decimals <= median.value.first.decimals)
    ]


def _limits_off_the_curve(median: Median) -> list[Quantity]:
    """Limits of an interval that is open, or of a median that was not reached: no median ± z SE gives these, so that they are times."""
    if median.ci is None or (median.ci.is_closed and not median.value.is_bound):
        return []
    return [limit for limit in (median.ci.lower, median.ci.upper) if not limit.is_bound and limit.value > 0]


def _printed(item: Endpoint, time_unit: str, follow_up: float) -> Recording:
    times = printed_times(item)
    if not times:
        unit, why = _no_coarser(0, time_unit, follow_up, "no time is printed that somebody was recorded at", proven=False)
        return Recording(unit, False, why)
    texts = ", ".join(printed.text for printed in times[:4]) + (", ..." if len(times) > 4 else "")
    printed_decimals = min(max(printed.decimals for printed in times), MAX_DECIMALS)
    needed = min(max(_digits(printed) for printed in times), MAX_DECIMALS)
    zeros = sum(max(min(printed.decimals, MAX_DECIMALS) - needed, 0) for printed in times)
    proven = zeros >= ENOUGH_ZEROS
    decimals = needed if proven else printed_decimals
    why = f"printed times {texts}" + (": decimals that are all zero" if proven else "")
    unit, why = _no_coarser(decimals, time_unit, follow_up, why, proven=proven)
    return Recording(unit, proven or decimals > 0, why)


def _digits(printed: Reported) -> int:
    """Decimals without zeros at the end."""
    return max(-int(Decimal(str(printed.value)).normalize().as_tuple().exponent), 0)


def _no_coarser(decimals: int, time_unit: str, follow_up: float, why: str, *, proven: bool) -> tuple[float, str]:
    """A step of 10^-decimals, or finer: never whole years, nor (in months and years) one of which the follow-up has fewer than ten,
    unless zero decimals prove whole months.
    """
    if time_unit == "years" and decimals == 0:
        decimals, why = 1, f"{why}; nobody is recorded in whole years"
    elif time_unit == "months" and decimals == 0 and proven:
        return 1.0, why
    if time_unit in ("months", "years"):
        while decimals < MAX_DECIMALS and LEAST_UNITS * 10.0**-decimals > follow_up * (1 + _SAME):
            decimals, why = decimals + 1, f"{why}; the follow-up has fewer than {LEAST_UNITS} steps of {10.0**-decimals:g}"
    return round(10.0**-decimals, MAX_DECIMALS), why


def _with_curve(printed: Recording, curve: Curve, time_unit: str, *, has_times: bool) -> Recording:
    """The finer of both: what the printed times say, and the curve's falls on whole units or between them."""
    arms = list(curve.arms.values())
    told = {_tells_whole(arm, 1.0) for arm in arms} - {None} if time_unit in ("weeks", "months") else {False}
    if False not in told and (told or (printed.whole and printed.unit >= 1)):
        seen = "; the curve falls at whole units" if told else ""
        return Recording(min(printed.unit, 1.0), True, f"{printed.why}{seen}")
    lattice = spacing_of(arms)
    if not told and lattice is not None and lattice >= 1 and printed.unit >= 1:
        return Recording(printed.unit, False, f"{printed.why}; the curve is read once a unit")
    step = _nice(curve.last / CURVE_UNITS, time_unit)
    if lattice is not None and lattice <= max(_COARSEST_LATTICE, step) and time_unit != "years":
        step = lattice
    if has_times:
        step = min(step, printed.unit)
    falls = ", which falls between whole units" if False in told and time_unit in ("weeks", "months") else ""
    return Recording(step, False, f"{printed.why}; the curve's own times{falls}")


def _nice(step: float, time_unit: str) -> float:
    allowed = (*DAYS, *STEPS[:1]) if time_unit == "days" else STEPS
    return next((size for size in allowed if size <= step * (1 + _SAME)), allowed[-1])


def spacing_of(arms: Sequence[ArmCurve]) -> float | None:
    """Spacing of readings that were taken at set times (multiples of it, or just after them); None where they were not."""
    spaces = np.concatenate([np.diff(arm.times) for arm in arms])
    if spaces.size < LEAST_UNITS:
        return None
    space = float(np.median(spaces))
    regular = np.mean(np.abs(spaces - space) <= _REGULAR * space) >= _LATTICE
    nice = next((size for size in STEPS if abs(space - size) <= _REGULAR * size), None)
    if space > 1 - _REGULAR:
        nice = round(space)
    if not regular or nice is None:
        return None
    times = np.concatenate([arm.times for arm in arms]) / nice
    on = np.abs(times - np.round(times)) <= ROOM
    return float(nice) if on.mean() >= _LATTICE else None


def falls_only(arm: ArmCurve, step: float) -> bool:
    """Whether readings were taken at the falls alone, and at all of them: every one is lower than the one before, at times that are not set, and
    they are no fewer than the arm's events, at times in steps of `step`, have to make: `_ALL_FALLS` of T (1 - (1 - 1/T)^d) different ones on T steps.

    The last may be the end of the last plateau. A curve of many patients falls between any two readings: that each is lower than the one
    before says nothing there.
    """
    heights = np.array(arm.heights)
    if len(heights) < LEAST_READINGS or spacing_of([arm]) is not None:
        return False
    drops = (heights[:-1] - np.array(arm.above[1:]))[1:]
    falls = drops if drops[-1] > _SAME else drops[:-1]
    if np.mean(falls > _SAME) < _LATTICE:
        return False
    steps = max(arm.last / step, 1.0)
    expected = steps * (1.0 - (1.0 - 1.0 / steps) ** arm.least_events)
    seen = (heights[0] < 1.0 - _SAME) + (falls > _SAME).sum()
    return not seen < _ALL_FALLS * expected


def _spans(arm: ArmCurve, unit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end and depth of each fall, were times recorded in units: between two readings, or at one time that was read at both corners."""
    times, heights, above = (np.array(part) for part in (arm.times, arm.heights, arm.above))
    start, depth = times[:-1], heights[:-1] - above[1:]
    if falls_only(arm, unit):
        start = times[1:]
    corners = above > heights
    return (
        np.concatenate([start, times[corners]]),
        np.concatenate([times[1:], times[corners]]),
        np.concatenate([depth, (above - heights)[corners]]),
    )


def _tells_whole(arm: ArmCurve, unit: float) -> bool | None:
    """True where the curve falls at multiples of a unit, False where between them, None where the readings are too few to tell.

    A fall is seen to within its span; by chance a span of length L holds a multiple with probability L / unit + 2 ROOM.
    """
    start, end, depth = _spans(arm, unit)
    if not depth.size or depth.sum() <= 0:
        return None
    weights = depth / depth.sum()
    holds = np.floor(end / unit + ROOM) >= np.ceil(start / unit - ROOM)
    between = float(weights @ np.clip(1 - (end - start) / unit - 2 * ROOM, 0.0, 1.0))
    if between < _SEEN:
        return None
    if float(weights @ ~holds) >= _OFF * between:
        return False
    return True if (1 - between) ** int((depth[holds] > _STEP).sum()) <= _CHANCE else None
