"""Events and exposure per interval and arm: what a piecewise constant hazard needs to know of a life table, and where to cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from retrial.cells import COUNTS
from retrial.dims import ARM, RECONSTRUCTION, TIME
from retrial.errors import DataError
from retrial.fit.survival_likelihood import SurvivalData
from retrial.tables.life_table import LifeTable

_SAME_STEP = 1e-6
"""Largest relative difference between recording intervals that are taken for one length."""


_TINY = 1e-12
"""Stands for 0 where something is divided by a number of events or months."""


class CutRule(StrEnum):
    """Where the intervals of a piecewise constant hazard end."""

    EQUAL_WIDTH = "equal_width"
    EQUAL_EVENTS = "equal_events"


@dataclass(frozen=True, slots=True)
class IntervalRule:
    """`count` intervals, the last one open: each `width` months long, or (then `width` says nothing) each with as many events."""

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType({"count": 1000, "width": 1e6})

    rule: CutRule = CutRule.EQUAL_WIDTH
    count: int = 8
    width: float = 3.0

    def cuts(self, table: LifeTable, weights: np.ndarray) -> tuple[float, ...]:
        """The `count` - 1 inner cut points in months, common to all tables of an endpoint."""
        if self.rule is CutRule.EQUAL_WIDTH:
            return tuple(self.width * j for j in range(1, self.count))
        return equal_event_cuts(table, weights, self.count)


def equal_event_cuts(table: LifeTable, weights: np.ndarray, count: int) -> tuple[float, ...]:
    """Cut points at recorded times, such that intervals hold as nearly as many events as ties allow.

    The events are the tables' mean, weighted as the tables are, over both arms: no table has cut points of its own, so that
    parameters mean the same in all of them. Raises `DataError` where fewer than `count` times have events.
    """
    mean = weights @ table.events.sum(ARM).transpose(RECONSTRUCTION, TIME).to_numpy()
    times, events = table.times[mean > 0], mean[mean > 0]
    if times.size < count:
        problem = f"intervals.count: got {count} with equal events; allowed is at most {times.size}, the times that have events"
        raise DataError("cannot cut the time axis", [problem])
    wanted = events.sum() * np.arange(1, count) / count
    cumulative = events.cumsum()
    place = np.abs(cumulative[:, None] - wanted).argmin(axis=0)
    for j in range(1, count - 1):
        place[j] = max(place[j], place[j - 1] + 1)
    latest = times.size - count + np.arange(count - 1)
    return tuple(float(time) for time in times[np.minimum(place, latest)])


@dataclass(frozen=True, eq=False)
class IntervalCounts:
    """Sufficient statistics of a piecewise exponential model.

    `events` D and `exposure` E, both (arm, interval): Σ D log h - E h. With `step` above 0, events are recorded at the end of
    recording intervals of that length (months), each contributes log(1 - exp(-h step)), and E holds their time before it.
    """

    events: np.ndarray
    exposure: np.ndarray
    step: float

    GEOMETRY: ClassVar[frozenset[str]] = frozenset(
        f"{name}__{part}" for name in ("walk", "effect_walk") for part in ("share", "information")
    )
    """Values of `updates` that say how parameters are sampled, and change nothing of the model."""

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.step > 0,)

    @property
    def counts(self) -> np.ndarray:
        """(statistic, arm, interval): D and E, the data of the cells log h (or log(1 - exp(-h step))) and -h."""
        return np.stack([self.events, self.exposure])

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """About how many events tell the log hazard ("walk") and the log hazard ratio ("effect_walk") of each interval, (interval,).

        Halfway between the events and those of one common hazard (an interval without events says much where many were at risk);
        of the ratio, as a log rate ratio's: c e / (c + e).
        """
        common = self.exposure * self.events.sum() / max(float(self.exposure.sum()), _TINY)
        control, experimental = (self.events + common) / 2
        both = control + experimental
        return {"walk": both, "effect_walk": control * experimental / np.maximum(both, _TINY)}

    def updates(self) -> dict[str, np.ndarray]:
        told = {f"{name}__{part}": value for name, w in self.weights.items() for part, value in share_and_information(w).items()}
        return {COUNTS: self.counts, "step_months": np.asarray(self.step), **told}


def share_and_information(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each interval's share of the weights w, (interval,), and of every cut B A / (B + A), the weights before and after it, (step,)."""
    total = max(float(weights.sum()), _TINY)
    before = weights.cumsum()[:-1]
    return {"share": weights / total, "information": before * (total - before) / total}


def interval_counts(data: SurvivalData, cuts: tuple[float, ...]) -> IntervalCounts:
    """Collapse a life table to the intervals (0, cuts[0]], (cuts[0], cuts[1]], ..., the last one open.

    Months before a late entry are no exposure.
    Raises `DataError` where `recorded: interval` meets recording intervals of different lengths, or that cross an interval's end.
    """
    starts, lengths = spans(cuts)
    until = data.previous if data.recorded == "interval" else data.times
    of_events, of_censored = (np.clip(times[:, None] - starts, 0.0, lengths) for times in (until, data.times))
    member = (data.times[:, None] > starts) & (data.times[:, None] <= starts + lengths)
    exposure = np.maximum(data.events @ of_events + data.censored @ of_censored - data.entered @ of_censored, 0.0)
    step = _recording_step(data, starts) if data.recorded == "interval" else 0.0
    return IntervalCounts(data.events @ member.astype(float), exposure, step)


def spans(cuts: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of every interval; the last one has no end."""
    starts = np.array([0.0, *cuts])
    return starts, np.append(np.diff(starts), np.inf)


def _recording_step(data: SurvivalData, starts: np.ndarray) -> float:
    holding = data.events.sum(axis=0) > 0
    steps = (data.times - data.previous)[holding]
    crossing = ((data.previous[holding, None] < starts) & (data.times[holding, None] > starts)).any()
    if steps.size and (np.ptp(steps) > _SAME_STEP * steps.max() or crossing):
        raise DataError(
            "recorded: interval with a piecewise exponential model",
            [
                f"got recording intervals of {steps.min():g} to {steps.max():g} months; allowed is one length, and cuts between them"
            ],
        )
    return float(steps[0]) if steps.size else 1.0
