"""A digitised Kaplan-Meier curve as further printed numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.study.arms.names import ArmNames
from retrial.tables.printed.targets import Target, Targets

COLUMNS = ("arm", "time", "survival")
DIGITISING_ERROR = 0.01
"""Default tolerance of S(t): published tests of digitising software find errors of about 0.005 to 0.01 on the survival axis."""
ROOM = 0.1
"""Part of a recording unit by which a reading may lie before the step that it shows."""
_SAME = 1e-6
STRICT_PART = 0.5
"""Strict agreement asks for half of the tolerance: a curve has no printed digits."""


def with_curve(
    targets: Targets,
    path: Path,
    tolerance: float = DIGITISING_ERROR,
    names: ArmNames = ArmNames(),  # noqa: B008 - frozen
) -> Targets:
    """Targets with S(t) at every grid time that a CSV (arm,time,survival; time in the study's unit) covers.

    The curve is a step function that falls at grid times: S at a grid time is the reading nearest to the middle of the unit that
    follows it, else one up to `ROOM` of a unit before it (readings have errors on the time axis too); where there is neither, it
    lies between the readings on either side. Raises `DataError` naming the bad rows.
    """
    frame = read_curve(path, names)
    found: list[Target] = []
    for arm in ARMS:
        part = frame[frame["arm"] == arm].sort_values("time", kind="stable")
        if part.empty:
            continue
        # Digitised steps carry some error: a curve can only fall.
        read, heights = part["time"].to_numpy(), np.minimum.accumulate(part["survival"].to_numpy())
        for time in targets.times:
            span = heights_at(read, heights, float(time), targets.step)
            if span is None:
                continue
            low, high = span
            edges = [(max(low - width, 0.0), min(high + width, 1.0)) for width in (tolerance, tolerance * STRICT_PART)]
            value = (low + high) / 2
            found.append(Target("survival", arm, f"{value:.3f}", value, *edges[0], *edges[1], where=path.name, time=time))
    kept = tuple(item for item in targets.targets if item.statistic != "survival")
    return dataclasses.replace(targets, targets=kept + tuple(found))


def heights_at(read: np.ndarray, heights: np.ndarray, time: float, step: float) -> tuple[float, float] | None:
    """Lowest and highest S(time) that readings allow (the same where one tells it); None before the first and after the last."""
    near = np.flatnonzero((read >= time - _SAME * step) & (read < time + (1 - ROOM) * step))
    if near.size:
        height = float(heights[near[np.abs(read[near] - time - step / 2).argmin()]])
        return height, height
    before = int(np.searchsorted(read, time)) - 1
    if before >= 0 and read[before] >= time - ROOM * step:
        return float(heights[before]), float(heights[before])
    if before < 0 or before == read.size - 1:
        return None
    return float(heights[before + 1]), float(heights[before])


def read_curve(path: Path, names: ArmNames = ArmNames()) -> pd.DataFrame:  # noqa: B008 - frozen
    """The CSV, checked: readings of the arms that are compared, each arm called by its role."""
    try:
        frame = pd.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the curve in {path}", [str(error)[:200]]) from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(
            f"cannot use the curve in {path}", [f"got columns {list(frame.columns)[:8]}; needed are {', '.join(COLUMNS)}"]
        )
    numbers = {name: pd.to_numeric(frame[name], errors="coerce") for name in ("time", "survival")}
    bad = {
        "arm": ~frame["arm"].isin([*names.roles, *names.others]),
        "time": ~(numbers["time"] >= 0),
        "survival": ~((numbers["survival"] >= 0) & (numbers["survival"] <= 1)),
    }
    problems = [
        f"{name}: got bad values in lines {[int(line) + 2 for line in np.flatnonzero(mask)[:5]]}; allowed is {allowed}"
        for (name, mask), allowed in zip(
            bad.items(), (" or ".join([*names.roles, *names.others]), "a time of 0 or more", "0 to 1"), strict=True
        )
        if mask.any()
    ]
    if problems or frame.empty:
        raise DataError(f"cannot use the curve in {path}", problems or ["got no rows; allowed is at least one"])
    read = frame.assign(time=numbers["time"].astype(float), survival=numbers["survival"].astype(float))
    mine = read[frame["arm"].isin(list(names.roles))]
    return mine.assign(arm=mine["arm"].map(names.roles))
