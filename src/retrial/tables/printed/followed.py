"""What a digitised curve says of S(t) at the times of a grid, as further printed numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrial.dims import TOTAL
from retrial.study.endpoints import Endpoint
from retrial.tables.printed.digitised import DIGITISING_ERROR, STRICT_PART, ArmCurve, Curve
from retrial.tables.printed.grid import Grid, last_at_risk
from retrial.tables.printed.recording import ROOM, falls_only, spacing_of
from retrial.tables.printed.targets import Target

SHORT = 0.8
"""A curve that is read to less than this part of an arm's known follow-up was not read to its end."""
_SAME = 1e-6


def curve_targets(
    item: Endpoint, curve: Curve, grid: Grid, others: Sequence[Target], notes: list[str], tolerance: float = DIGITISING_ERROR
) -> list[Target]:
    """S(t) at every grid time that the curve tells, to within the error of reading; where a percentage is printed, that holds alone."""
    found: list[Target] = []
    notes += [f"curve {curve.name}: {text}" for text in curve.mended]
    n_times = round((grid.last - grid.first) / grid.step) + 1
    times = [round(grid.first + i * grid.step, 9) for i in range(n_times)]
    printed = {(target.arm, round(target.time / grid.step)): target for target in others if target.statistic == "landmark"}
    falls = all(falls_only(arm, grid.step) for arm in curve.arms.values())
    if not grid.recording.whole:
        between = (
            "holds until the next, as each is a fall and there are about as many as events"
            if falls
            else "is anything between the two"
        )
        notes.append(f"curve {curve.name}: from one reading to the next S {between}")
    for name, arm in curve.arms.items():
        hold = held_until(item, curve, name, grid, notes, falls=falls)
        for time in times:
            span = heights_at(arm, time, grid.step, whole=grid.recording.whole, hold=hold, falls=falls)
            if span is None:
                continue
            low, high = span
            edges = [(max(low - width, 0.0), min(high + width, 1.0)) for width in (tolerance, tolerance * STRICT_PART)]
            landmark = printed.get((name, round(time / grid.step)))
            if landmark is not None and abs(landmark.time - time) <= _SAME:
                if edges[0][0] > landmark.high or edges[0][1] < landmark.low:
                    read = f"{(low + high) / 2:.3f} for {name} at {time:g}"
                    notes.append(f"the curve reads {read}, where {landmark.printed} is printed: the print holds")
                continue
            value = (low + high) / 2
            found.append(Target("survival", name, f"{value:.3f}", value, *edges[0], *edges[1], where=curve.name, time=time))
    return found


def held_until(item: Endpoint, curve: Curve, name: str, grid: Grid, notes: list[str], *, falls: bool) -> float:
    """Time to which an arm's last plateau is known to run: the end of the figure, unless the curve was not read to its arm's end."""
    arm = curve.arms[name]
    longest = item.longest_of(name) or item.longest_of(TOTAL)
    known = max([longest.value if longest else 0.0, last_at_risk(item).get(name, (0.0, 0))[0]])
    if arm.last >= SHORT * known or (falls and arm.heights[-1] < arm.heights[-2]):
        end = max(curve.last, known, longest.high if longest else 0.0)
        return end + grid.slack
    notes.append(
        f"curve {curve.name}: the {name} arm is read to {arm.last:g} only, of a follow-up to {known:g}; after it the curve says nothing"
    )
    return arm.last + grid.step


def heights_at(
    arm: ArmCurve, time: float, step: float, *, whole: bool, hold: float, falls: bool = False
) -> tuple[float, float] | None:
    """Lowest and highest S(time) that the readings allow (the same where one tells it); None after `hold`.

    Exact times: the curve at `time` itself. Where times are recorded in whole steps the curve is flat from one to the next, and the reading
    nearest to the middle of it is the surest. A reading up to `ROOM` of a step before `time` shows it too (the time axis has errors), unless
    readings are at any times: these can be just before a fall. Between two readings of different heights S is anything between them, unless
    the readings are of the falls alone (of both arms, as one reader reads them alike).
    """
    read, falls = np.array(arm.times), falls and not whole
    if whole:
        near = np.flatnonzero((read >= time - _SAME * step) & (read < time + (1 - ROOM) * step))
        if near.size:
            height = arm.heights[near[np.abs(read[near] - time - step / 2).argmin()]]
            return height, height
    before = int(np.searchsorted(read, time + ROOM * step, side="right")) - 1
    if before < 0:
        return (1.0, 1.0) if falls else (arm.above[0], 1.0)
    height = arm.heights[before]
    early = ROOM if whole or falls or spacing_of([arm]) is not None else 0.0
    if read[before] >= time - (early + _SAME) * step:
        return height, height
    if before == read.size - 1:
        return (height, height) if time <= hold + _SAME else None
    return (height, height) if falls else (arm.above[before + 1], height)
