"""`LifeTable`: events and censorings per (arm, time), the one survival data type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from retrial.dims import ARM, ARMS, CENSORED, EVENTS, RECONSTRUCTION, TIME
from retrial.errors import DataError

MAX_COUNT = 2**53
"""Largest count that a float holds exactly."""
_OFF_GRID = 1e-6
"""Recording units by which a time may miss a whole one: rounding of days to months."""


@dataclass(frozen=True, eq=False)
class LifeTable:
    """Integer life tables of a two-arm study.

    `data` is a Dataset with int64 `events` d and `censored` c over dims (reconstruction, arm, time); coordinates
    arm = ("control", "experimental"), time in months, increasing, > = 0. A censoring at t leaves after the events at t.
    With one recording unit, row t holds the patients whose recorded time is t.
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
    def from_patients(cls, time: np.ndarray, event: np.ndarray, experimental: np.ndarray) -> LifeTable:
        """Collapse patients (months, 0/1 event, 0/1 experimental arm), whatever their number, to one table of distinct times.

        Time O(n log n) and a few arrays of n numbers; the table has one column a distinct time, and what is computed from
        it does not depend on n. Raises `DataError` for columns of other lengths or values.
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
        grid, column = np.unique(time, return_inverse=True)
        cell = (event.astype(np.int64) * len(ARMS) + experimental.astype(np.int64)) * grid.size + column
        counts = np.bincount(cell, minlength=2 * len(ARMS) * grid.size).reshape(2, len(ARMS), grid.size)
        return cls.from_counts(grid, counts[1], counts[0])

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
        """Patients with time >= t, dims (reconstruction, arm, time)."""
        leaving = self.events + self.censored
        return leaving.isel({TIME: slice(None, None, -1)}).cumsum(TIME).isel({TIME: slice(None, None, -1)})

    def on_recording_grid(self, unit: float) -> LifeTable:
        """The same tables with a row for every recording unit (months) up to the last, also those in which nobody leaves.

        An event recorded at t then lies between its row and the one before it. Raises `DataError` for times between whole units.
        """
        index = np.rint(self.times / unit).astype(int)
        off = np.abs(self.times / unit - index) > _OFF_GRID
        if off.any():
            times = ", ".join(f"{time:g}" for time in (self.times / unit)[off][:5])
            problem = f"got {times} recording units; allowed are whole ones (or recorded: exact)"
            raise DataError("recorded: interval with times between the units of recording", [problem])
        grid = np.arange(min(1, index[0]), index[-1] + 1)
        events, censored = (np.zeros((*counts.shape[:2], grid.size), np.int64) for counts in (self.events, self.censored))
        for full, counts in ((events, self.events), (censored, self.censored)):
            full[..., index - grid[0]] = counts.transpose(RECONSTRUCTION, ARM, TIME).to_numpy()
        return LifeTable.from_counts(grid * unit, events, censored)

    def select(self, reconstruction: int) -> LifeTable:
        """One table, still with its reconstruction dim."""
        return LifeTable(self.data.isel({RECONSTRUCTION: [reconstruction]}))

    def counts(self, reconstruction: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Plain (arm, time) arrays of events and censorings of one table."""
        one = self.data.isel({RECONSTRUCTION: reconstruction})
        return one[EVENTS].to_numpy(), one[CENSORED].to_numpy()

    def patients(self, reconstruction: int = 0) -> dict[str, np.ndarray]:
        """Columns time, event, experimental: one entry a patient of one table (for software that wants patients)."""
        events, censored = self.counts(reconstruction)
        pieces = [
            (np.repeat(self.times, counts[arm]), status, arm)
            for arm in range(len(ARMS))
            for status, counts in ((1, events), (0, censored))
        ]
        return {
            "time": np.concatenate([times for times, _, _ in pieces]),
            "event": np.concatenate([np.full(times.size, status) for times, status, _ in pieces]),
            "experimental": np.concatenate([np.full(times.size, arm) for times, _, arm in pieces]),
        }


def _are_counts(counts: np.ndarray) -> bool:
    return counts.dtype.kind in "biuf" and bool(((counts >= 0) & (counts <= MAX_COUNT) & (counts == np.floor(counts))).all())
