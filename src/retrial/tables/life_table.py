"""`LifeTable`: events and censorings per (arm, time), the one survival data type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from retrial.dims import ARM, ARMS, CENSORED, EVENTS, RECONSTRUCTION, TIME
from retrial.errors import DataError
from retrial.tables.recorded import ZERO_SHARE, Recorded

LATE = "late"
_LATE_FIELDS = ("status", "arm", "exit", "entry", "count")

MAX_COUNT = 2**53
"""Largest count that a float holds exactly."""
_OFF_GRID = 1e-6
"""Recording units by which a time may miss a whole one: rounding of days to months."""


@dataclass(frozen=True, eq=False)
class LateEntry:
    """Patients who came under observation after time 0, in groups of one kind; all arrays (group,) of whole numbers.

    `status` 0 event, 1 censored; `arm` 0 control, 1 experimental; `exit` and `entry` are rows of the table: `count` patients are at
    risk at the times t with times[entry] < t <= times[exit]. They are among the table's events and censorings at `exit`.
    """

    status: np.ndarray
    arm: np.ndarray
    exit: np.ndarray
    entry: np.ndarray
    count: np.ndarray

    def entered(self, n_times: int) -> np.ndarray:
        """(arm, time) patients who enter at each time, at risk from then on."""
        cell = self.arm * n_times + self.entry
        return np.bincount(cell, self.count, len(ARMS) * n_times).astype(np.int64).reshape(len(ARMS), n_times)

    def moved(self, rows: np.ndarray) -> LateEntry:
        """The same patients in a table in which row i is `rows[i]`."""
        return LateEntry(self.status, self.arm, rows[self.exit], rows[self.entry], self.count)


@dataclass(frozen=True, eq=False)
class LifeTable:
    """Integer life tables of a two-arm study.

    `data` is a Dataset with int64 `events` d and `censored` c over dims (reconstruction, arm, time); coordinates
    arm = ("control", "experimental"), time in months, increasing, > = 0. A censoring at t leaves after the events at t.
    With one recording unit, row t holds the patients whose recorded time is t. Variables `late_...` over `late`, where there are
    any, are the groups of `LateEntry`: a table with late entry is one table, never an ensemble.
    """

    data: xr.Dataset

    @classmethod
    def from_counts(cls, times: Sequence[float] | np.ndarray, events: np.ndarray, censored: np.ndarray) -> LifeTable:
        """Tables from counts of shape (arm, time) or (reconstruction, arm, time)."""
        d, c = (np.asarray(counts) for counts in (events, censored))
        if d.ndim == 2:
            d, c = d[None], c[None]
        shape = (*d.shape[:1], len(ARMS), len(times))
        if d.shape != shape or c.shape != shape:
            raise DataError(
                f"got counts of shapes {d.shape} and {c.shape}; allowed is (reconstruction, 2 arms, {len(times)} times)"
            )
        if not all(_are_counts(counts) for counts in (d, c)):
            raise DataError("got counts that are negative or not whole; allowed are whole numbers from 0")
        grid = np.asarray(times, dtype=float)
        if grid.size == 0 or not np.isfinite(grid).all() or grid[0] < 0 or (np.diff(grid) <= 0).any():
            raise DataError(f"got the times {grid[:5].tolist()}...; allowed are finite, increasing times from 0 (months)")
        coords = {RECONSTRUCTION: np.arange(shape[0]), ARM: list(ARMS), TIME: grid}
        dims = (RECONSTRUCTION, ARM, TIME)
        return cls(xr.Dataset({EVENTS: (dims, d.astype(np.int64)), CENSORED: (dims, c.astype(np.int64))}, coords))

    @classmethod
    def from_patients(
        cls, time: np.ndarray, event: np.ndarray, experimental: np.ndarray, entry: np.ndarray | None = None
    ) -> LifeTable:
        """Collapse patients (months, 0/1 event, 0/1 experimental arm), whatever their number, to one table of distinct times.

        `entry` (months) is when each came under observation, 0 from the start; left out: all from the start.
        Time O(n log n) and a few arrays of n numbers; the table has one column a distinct time, and what is computed from
        it does not depend on n. Raises `DataError` for columns of other lengths or values, and for an entry above 0 that is not
        before the time.
        """
        time, event, experimental = np.asarray(time, dtype=float), np.asarray(event), np.asarray(experimental)
        if time.ndim != 1 or time.size == 0 or not time.shape == event.shape == experimental.shape:
            shapes = f"{time.shape}, {event.shape} and {experimental.shape}"
            raise DataError(f"got patients of shapes {shapes}; allowed are three columns of one length, at least 1")
        for name, column in (("event", event), ("experimental", experimental)):
            if not ((column == 0) | (column == 1)).all():
                raise DataError(f"got values of {name} that are neither 0 nor 1; allowed are 0 and 1")
        if not (np.isfinite(time).all() and time.min() >= 0):
            raise DataError("got times that are negative or not finite; allowed are months from 0")
        late = _late_patients(time, entry)
        entries = np.zeros(0) if entry is None else np.asarray(entry, dtype=float)[late]
        grid, column = np.unique(np.concatenate([time, entries]), return_inverse=True)
        leaving = (event.astype(np.int64) * len(ARMS) + experimental.astype(np.int64)) * grid.size + column[: time.size]
        counts = np.bincount(leaving, minlength=2 * len(ARMS) * grid.size).reshape(2, len(ARMS), grid.size)
        table = cls.from_counts(grid, counts[1], counts[0])
        if not late.size:
            return table
        kinds, count = np.unique(leaving[late] * grid.size + column[time.size :], return_counts=True)
        (status, arm, out), into = np.unravel_index(kinds // grid.size, (2, len(ARMS), grid.size)), kinds % grid.size
        return table.with_late(LateEntry(1 - status, arm, out, into, count))

    def with_late(self, late: LateEntry | None) -> LifeTable:
        """The same counts, some of them of patients who entered late."""
        if late is None:
            return self
        return LifeTable(
            self.data.assign({f"late_{name}": (LATE, getattr(late, name).astype(np.int64)) for name in _LATE_FIELDS})
        )

    @property
    def late(self) -> LateEntry | None:
        """Who entered late; None where everybody is observed from time 0."""
        if LATE not in self.data.dims:
            return None
        return LateEntry(*(self.data[f"late_{name}"].to_numpy() for name in _LATE_FIELDS))

    @property
    def entered(self) -> xr.DataArray:
        """Patients who enter at each time above 0 and are at risk from then on, dims (arm, time)."""
        size = self.times.size
        counts = np.zeros((len(ARMS), size), np.int64) if self.late is None else self.late.entered(size)
        return xr.DataArray(counts, {ARM: list(ARMS), TIME: self.times}, (ARM, TIME))

    @property
    def times(self) -> np.ndarray:
        return self.data[TIME].to_numpy()

    @property
    def events(self) -> xr.DataArray:
        return self.data[EVENTS]

    @property
    def censored(self) -> xr.DataArray:
        return self.data[CENSORED]

    @property
    def n_reconstructions(self) -> int:
        return self.data.sizes[RECONSTRUCTION]

    @property
    def n(self) -> xr.DataArray:
        """Patients, dims (reconstruction, arm)."""
        return (self.events + self.censored).sum(TIME)

    @property
    def at_risk(self) -> xr.DataArray:
        """Patients with time >= t who entered before t, dims (reconstruction, arm, time)."""
        leaving = self.events + self.censored
        if self.late is not None:
            leaving = leaving - self.entered
        return leaving.isel({TIME: slice(None, None, -1)}).cumsum(TIME).isel({TIME: slice(None, None, -1)})

    def on_recording_grid(self, unit: float, recorded: Recorded = "ceiling") -> LifeTable:
        """The same tables with a row for every recording unit (months) up to the last, also those in which nobody leaves.

        With `ceiling` an event recorded at t lies between its row and the one before it, one recorded at 0 in the first unit; else those
        recorded at 0 have a row of their own before the first unit's (`ZERO_SHARE`).
        Raises `DataError` for times between whole units.
        """
        index = np.rint(self.times / unit).astype(int)
        off = np.abs(self.times / unit - index) > _OFF_GRID
        if off.any():
            times = ", ".join(f"{time:g}" for time in (self.times / unit)[off][:5])
            problem = f"got {times} recording units; allowed are whole ones (or recorded: exact)"
            raise DataError(f"recorded: {recorded} with times between the units of recording", [problem])
        grid = np.arange(min(1, index[0]), max(1, index[-1]) + 1)
        events, censored = (np.zeros((*counts.shape[:2], grid.size), np.int64) for counts in (self.events, self.censored))
        for full, counts in ((events, self.events), (censored, self.censored)):
            full[..., index - grid[0]] = counts.transpose(RECONSTRUCTION, ARM, TIME).to_numpy()
        if grid[0] == 0 and recorded == "ceiling":
            events[..., 1] += events[..., 0]
            events[..., 0] = 0
        table = LifeTable.from_counts(grid * unit, events, censored)
        table = table if self.late is None else table.with_late(self.late.moved(index - grid[0]))
        return table.with_first_events_at(ZERO_SHARE * unit)

    def with_first_events_at(self, months: float) -> LifeTable:
        """The events recorded at time 0 taken at a time before every other; a censoring at 0, which says nothing, stays.

        Raises `DataError` where the time is not before the others.
        """
        times = self.times
        if times[0] > 0 or not self.events.isel({TIME: 0}).any():
            return self
        if not months > 0 or (times.size > 1 and months >= times[1]):
            raise DataError(f"got {months:g} months for the events at time 0; allowed is a time above 0 and before the next one")
        events, censored = (
            np.insert(counts.transpose(RECONSTRUCTION, ARM, TIME).to_numpy(), 1, 0, axis=-1)
            for counts in (self.events, self.censored)
        )
        events[..., 1], events[..., 0] = events[..., 0], 0
        table = LifeTable.from_counts(np.insert(times, 1, months), events, censored)
        rows = np.arange(times.size) + (np.arange(times.size) > 0)
        return table if self.late is None else table.with_late(self.late.moved(rows))

    def select(self, reconstruction: int) -> LifeTable:
        """One table, still with its reconstruction dim."""
        return LifeTable(self.data.isel({RECONSTRUCTION: [reconstruction]}))

    def counts(self, reconstruction: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Plain (arm, time) arrays of events and censorings of one table."""
        one = self.data.isel({RECONSTRUCTION: reconstruction})
        return one[EVENTS].to_numpy(), one[CENSORED].to_numpy()

    def patients(self, reconstruction: int = 0) -> dict[str, np.ndarray]:
        """Columns time, event, experimental, and where somebody entered late entry: one row a patient of one table (for software
        that wants patients).
        """
        events, censored = (counts.copy() for counts in self.counts(reconstruction))
        late = self.late
        if late is not None:
            for status, counts in enumerate((events, censored)):
                mine = late.status == status
                np.subtract.at(counts, (late.arm[mine], late.exit[mine]), late.count[mine])
        pieces = [
            (np.repeat(self.times, counts[arm]), status, arm)
            for arm in range(len(ARMS))
            for status, counts in ((1, events), (0, censored))
        ]
        columns = {
            "time": np.concatenate([times for times, _, _ in pieces]),
            "event": np.concatenate([np.full(times.size, status) for times, status, _ in pieces]),
            "experimental": np.concatenate([np.full(times.size, arm) for times, _, arm in pieces]),
        }
        if late is None:
            return columns
        named = {"time": self.times[late.exit], "event": 1 - late.status, "experimental": late.arm}
        entry = np.repeat(self.times[late.entry], late.count)
        joined = {name: np.append(columns[name], np.repeat(values, late.count)) for name, values in named.items()}
        return {**joined, "entry": np.append(np.zeros(columns["time"].size), entry)}


def _late_patients(time: np.ndarray, entry: np.ndarray | None) -> np.ndarray:
    """Numbers of the patients who entered after time 0."""
    if entry is None:
        return np.zeros(0, np.int64)
    entry = np.asarray(entry, dtype=float)
    if entry.shape != time.shape or not (np.isfinite(entry).all() and entry.min() >= 0):
        raise DataError(f"got entries of shape {entry.shape}, or negative; allowed is a number of months from 0 a patient")
    late = np.flatnonzero(entry > 0)
    if (entry[late] >= time[late]).any():
        raise DataError("got patients who enter when they leave, or later; allowed are entries before the time")
    return late


def _are_counts(counts: np.ndarray) -> bool:
    return counts.dtype.kind in "biuf" and bool(((counts >= 0) & (counts <= MAX_COUNT) & (counts == np.floor(counts))).all())
