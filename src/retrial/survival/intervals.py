"""Events and exposure per interval and arm: what a piecewise constant hazard needs to know of a life table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.errors import DataError
from retrial.survival.observed import SurvivalData

_SAME_STEP = 1e-6
"""Largest relative difference between recording intervals that are taken for one length."""


@dataclass(frozen=True, eq=False)
class IntervalCounts:
    """Sufficient statistics of a piecewise exponential model.

    `events` D and `exposure` E, both (arm, interval): Σ D log h - E h. With `step` above 0, events are recorded at the end of
    recording intervals of that length (months), each contributes log(1 - exp(-h step)), and E holds their time before it.
    """

    events: np.ndarray
    exposure: np.ndarray
    step: float

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.step > 0,)

    def updates(self) -> dict[str, np.ndarray]:
        return {"events": self.events, "exposure": self.exposure, "step_months": np.asarray(self.step)}


def interval_counts(data: SurvivalData, width: float, intervals: int) -> IntervalCounts:
    """Collapse a life table to `intervals` intervals of `width` months, ((j-1) width, j width], the last one open.

    Raises `DataError` where `recorded: interval` meets recording intervals of different lengths, or that cross an interval's end.
    """
    starts = width * np.arange(intervals)
    lengths = np.append(np.full(intervals - 1, float(width)), np.inf)
    until = data.previous if data.recorded == "interval" else data.times
    of_events, of_censored = (np.clip(times[:, None] - starts, 0.0, lengths) for times in (until, data.times))
    member = (data.times[:, None] > starts) & (data.times[:, None] <= starts + lengths)
    exposure = data.events @ of_events + data.censored @ of_censored
    step = _recording_step(data, starts) if data.recorded == "interval" else 0.0
    return IntervalCounts(data.events @ member.astype(float), exposure, step)


def _recording_step(data: SurvivalData, starts: np.ndarray) -> float:
    holding = data.events.sum(axis=0) > 0
    steps = (data.times - data.previous)[holding]
    crossing = ((data.previous[holding, None] < starts) & (data.times[holding, None] > starts)).any()
    if steps.size and (np.ptp(steps) > _SAME_STEP * steps.max() or crossing):
        raise DataError(
            "recorded: interval with a piecewise exponential model",
            [
                f"got recording intervals of {steps.min():g} to {steps.max():g} months; allowed is one length that divides the model's width"
            ],
        )
    return float(steps[0]) if steps.size else 1.0
