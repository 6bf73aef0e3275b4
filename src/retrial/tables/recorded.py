"""What a recorded time stands for: the reading of an endpoint's recorded times, and the interval of each."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Recorded = Literal["exact", "nearest", "floor", "ceiling"]
"""How times were recorded: as they were, to the nearest unit, in completed units, or at the end of the unit (the next visit)."""
IN_WORDS: dict[Recorded, str] = {
    "exact": "",
    "nearest": ", times taken as recorded to the nearest unit",
    "floor": ", times taken as recorded in completed units",
    "ceiling": ", times taken as recorded at the end of their unit",
}
"""What is said of a reading where answers name their tables."""
ZERO_SHARE = 0.25
"""Where events recorded at time 0 stand on a grid of recording units, in units: no other row is there."""
_SAME = 1e-6
"""Relative difference that units may have from rounding."""


def recording_intervals(times: Any, previous: Any, recorded: Recorded) -> tuple[Any, Any, Any]:
    """Start and end of the interval in which an event recorded at each time happened, and the point at which a censoring counts.

    With u = times - `previous` the unit, all in months, (time,): `nearest` (t - u/2, t + u/2] and t, its middle; `floor` [t, t + u) and
    t + u/2, its middle; `ceiling` (t - u, t] and t, as a patient is known to be without the event at a visit. `exact`: t alone.
    """
    if recorded == "exact":
        return times, times, times
    unit = times - previous
    if recorded == "nearest":
        return times - unit / 2, times + unit / 2, times
    if recorded == "floor":
        return times, times + unit, times + unit / 2
    return previous, times, times


def grouped_times(times: np.ndarray, recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    """Times above 0 of a table, and the time one unit before each (in exact time and for `ceiling` the row before), both (time,), months.

    `nearest` and `floor` need a row for every recording unit; events recorded at 0 stand at `ZERO_SHARE` of a unit: in (0, u/2] for
    `nearest`, in [0, u) for `floor`, where their row becomes 0.
    """
    if recorded in ("exact", "ceiling"):
        return times, np.concatenate([[0.0], times[:-1]])
    from_zero = times.size > 1 and abs(times[0] - ZERO_SHARE * times[1]) <= _SAME * times[1]
    unit = times[1] if from_zero else times[0]
    times, units = times.copy(), np.full(times.size, unit)
    if from_zero:
        units[0] = unit if recorded == "floor" else unit / 2
        times[0] = 0.0 if recorded == "floor" else unit / 4
    return times, times - units


def unit_ends(times: np.ndarray, unit: float, recorded: Recorded) -> np.ndarray:
    """Where the interval of the last time recorded at or before each of `times` ends (months): nothing recorded goes across it."""
    last = np.floor(times / unit * (1 + _SAME)) * unit
    return np.asarray(last + {"nearest": unit / 2, "floor": unit}.get(recorded, 0.0))
