"""What a recorded time stands for: the recording interval that a simulated time, or a predictive probability, is held against."""

from __future__ import annotations

import numpy as np

from retrial.tables.recorded import Recorded
from retrial.tables.recorded import recording_intervals as grouped

_SAME_UNIT = 1e-6
"""Relative difference that units may have from rounding."""


def recording_intervals(times: np.ndarray, previous: np.ndarray, recorded: Recorded) -> tuple[np.ndarray, np.ndarray]:
    """Start and end (time,), in months, of the times that are recorded as each time of a table.

    As the likelihood has them where events are known to their recording unit.
    `recorded: exact`: t rounded to the recording unit w, (t - w/2, t + w/2], where w is the
    smallest step of the table's times; for continuous times it is next to nothing, on a monthly grid it is half a month either side.
    The first unit starts at 0: nobody is recorded at time 0 with an event.
    """
    if recorded != "exact":
        start, end, _ = grouped(times, previous, recorded)
        return np.maximum(start, 0.0), end
    unit = recording_unit(times)
    first = times <= unit * (1 + _SAME_UNIT)
    return np.where(first, 0.0, times - unit / 2), times + unit / 2


def recording_unit(times: np.ndarray) -> float:
    """Smallest step between times; 0 where there is only one."""
    return float(np.diff(times).min()) if times.size > 1 else 0.0
