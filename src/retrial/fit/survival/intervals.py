"""Events and exposure per interval and arm: what a piecewise constant hazard needs to know of a life table, and where to cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from retrial.cells import COUNTS
from retrial.dims import ARM, ARMS, RECONSTRUCTION, TIME
from retrial.errors import DataError
from retrial.fit.survival.likelihood import COLUMN, ROW, SurvivalData
from retrial.fit.survival.patients import PatientData
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded, recording_intervals, unit_ends

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

    def cuts(self, table: LifeTable, weights: np.ndarray, recorded: Recorded = "exact") -> tuple[float, ...]:
        """The `count` - 1 inner cut points in months, common to all tables of an endpoint.

        Where an event is known to a recording unit, each is at the end of the unit that was recorded at it or last before it: no unit
        goes across. Raises `DataError` where two of them are then the same.
        """
        if self.rule is CutRule.EQUAL_WIDTH:
            found = tuple(self.width * j for j in range(1, self.count))
        else:
            found = equal_event_cuts(table, weights, self.count)
        return found if recorded == "exact" else self._between_units(found, table, recorded)

    def _between_units(self, found: tuple[float, ...], table: LifeTable, recorded: Recorded) -> tuple[float, ...]:
        steps = np.diff(table.times[table.times > 0])
        unit = float(steps.max()) if steps.size else float(table.times[-1])
        moved = unit_ends(np.array(found), unit, recorded)
        if moved[0] <= 0 or (np.diff(moved) <= 0).any():
            wide = f"got intervals of {min(np.diff([0.0, *found])):g} months on units of {unit:g}"
            problem = f"{wide}; allowed are intervals of a unit or more (intervals.width, or fewer by intervals.count)"
            raise DataError(f"recorded: {recorded} with intervals shorter than the recording unit", [problem])
        return tuple(float(time) for time in moved)


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

    `events` D and `exposure` E, both (arm, interval): Σ D log h - E h; of patients with covariates (pattern, interval), whose arms and
    covariates are `experimental` (pattern,) and `values` (pattern, column) of `columns`. With `step` above 0, events are known to recording units
    of that length (months), each contributes log(1 - exp(-h step)), and E holds their time before it. `at_zero` (arm,) are events
    recorded at 0 to the nearest unit, in the first half of one, and not among `events`; None where there are none.
    """

    events: np.ndarray
    exposure: np.ndarray
    step: float
    at_zero: np.ndarray | None = None
    experimental: np.ndarray | None = None
    values: np.ndarray | None = None
    columns: tuple[str, ...] = ()

    GEOMETRY: ClassVar[frozenset[str]] = frozenset(
        f"{name}__{part}" for name in ("walk", "effect_walk") for part in ("share", "information")
    )
    """Values of `updates` that say how parameters are sampled, and change nothing of the model."""

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.step > 0, self.at_zero is not None, self.columns)

    @property
    def of_arms(self) -> IntervalCounts:
        """The same without covariates."""
        if self.experimental is None:
            return self
        arms = np.stack([1 - self.experimental, self.experimental])
        at_zero = None if self.at_zero is None else arms @ self.at_zero
        return IntervalCounts(arms @ self.events, arms @ self.exposure, self.step, at_zero)

    @property
    def dim(self) -> str:
        """What stands beside the intervals: arms, or patterns of arm and covariates."""
        return ARM if self.experimental is None else ROW

    @property
    def coords(self) -> dict[str, list[str]]:
        """Coordinates of that, and of the covariates."""
        if self.experimental is None:
            return {ARM: list(ARMS)}
        return {ROW: [str(place) for place in range(self.experimental.size)], COLUMN: list(self.columns)}

    def of_rows(self) -> dict[str, np.ndarray]:
        """Arm (pattern,) and covariates (pattern, column) of every pattern; nothing where every patient of an arm is alike."""
        if self.experimental is None or self.values is None:
            return {}
        return {"experimental_arm": self.experimental.astype(float), "covariate_values": self.values}

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
        arms = self.of_arms
        events = arms.events.copy()
        events[:, 0] += 0.0 if arms.at_zero is None else arms.at_zero
        common = arms.exposure * events.sum() / max(float(arms.exposure.sum()), _TINY)
        control, experimental = (events + common) / 2
        both = control + experimental
        return {"walk": both, "effect_walk": control * experimental / np.maximum(both, _TINY)}

    def updates(self) -> dict[str, np.ndarray]:
        told = {f"{name}__{part}": value for name, w in self.weights.items() for part, value in share_and_information(w).items()}
        if self.at_zero is not None:
            told["events_at_zero"] = self.at_zero
        return {COUNTS: self.counts, "step_months": np.asarray(self.step), **told, **self.of_rows()}


def share_and_information(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each interval's share of the weights w, (interval,), and of every cut B A / (B + A), the weights before and after it, (step,)."""
    total = max(float(weights.sum()), _TINY)
    before = weights.cumsum()[:-1]
    return {"share": weights / total, "information": before * (total - before) / total}


def interval_counts(data: SurvivalData | PatientData, cuts: tuple[float, ...]) -> IntervalCounts:
    """Collapse a life table, or patients with covariates, to the intervals (0, cuts[0]], (cuts[0], cuts[1]], ..., the last one open.

    Months before a late entry are no exposure.
    Raises `DataError` where recording intervals have different lengths, or cross an interval's end.
    """
    starts, lengths = spans(cuts)
    first, last, point = recording_intervals(data.times, data.previous, data.recorded)
    of_events, of_censored = (np.clip(times[:, None] - starts, 0.0, lengths) for times in (first, point))
    middle = ((first + last) / 2)[:, None]
    member = ((middle > starts) & (middle <= starts + lengths)).astype(float)
    entered = data.counts[2] if len(data.counts) > 2 else 0.0 * data.counts[0]
    exposure = _summed(data, data.counts[0], of_events) + _summed(data, data.counts[1] - entered, of_censored)
    exposure = np.maximum(exposure, 0.0)
    patients = {} if isinstance(data, SurvivalData) else {name: getattr(data, name) for name in _OF_PATTERNS}
    if data.recorded == "exact":
        return IntervalCounts(_summed(data, data.counts[0], member), exposure, 0.0, **patients)
    half = (data.recorded == "nearest") & (data.previous < 0)
    whole = np.where(half, 0.0, data.counts[0])
    at_zero = _summed(data, data.counts[0] - whole, np.ones((data.times.size, 1)))[:, 0]
    step = _recording_step(whole.reshape(-1, data.times.size), first, last, starts)
    return IntervalCounts(_summed(data, whole, member), exposure, step, at_zero if at_zero.any() else None, **patients)


_OF_PATTERNS = ("experimental", "values", "columns")


def _summed(data: SurvivalData | PatientData, counts: np.ndarray, per_time: np.ndarray) -> np.ndarray:
    """Σ over times of counts, (arm, time) or (row,), times a matrix (time or row, interval): (arm or pattern, interval)."""
    if isinstance(data, SurvivalData):
        return np.asarray(counts @ per_time)
    total = np.zeros((data.experimental.size, per_time.shape[1]))
    np.add.at(total, data.pattern, counts[:, None] * per_time)
    return total


def spans(cuts: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of every interval; the last one has no end."""
    starts = np.array([0.0, *cuts])
    return starts, np.append(np.diff(starts), np.inf)


def _recording_step(events: np.ndarray, first: np.ndarray, last: np.ndarray, starts: np.ndarray) -> float:
    holding = events.sum(axis=0) > 0
    steps, room = (last - first)[holding], _SAME_STEP * np.maximum(starts, 1.0)
    crossing = ((first[holding, None] < starts - room) & (last[holding, None] > starts + room)).any()
    if steps.size and (np.ptp(steps) > _SAME_STEP * steps.max() or crossing):
        raise DataError(
            "recorded in units, with a piecewise exponential model",
            [
                f"got recording intervals of {steps.min():g} to {steps.max():g} months; allowed is one length, and cuts between them"
            ],
        )
    return float(steps[0]) if steps.size else 1.0
