"""`Curve`: a digitised Kaplan-Meier curve as a CSV gives it, mended within the error of reading or refused line by line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.study.arms.names import ArmNames

COLUMNS = ("arm", "time", "survival")
DIGITISING_ERROR = 0.01
"""Default tolerance of S(t): published tests of digitising software find errors of about 0.005 to 0.01 on the survival axis."""
STRICT_PART = 0.5
"""Strict agreement asks for half of the tolerance: a curve has no printed digits."""
TIME_ERROR = 0.005
"""The same on the time axis, as a part of its length."""
_MENDED = 2 * DIGITISING_ERROR
"""How far a reading may lie outside 0 to 1, or above an earlier one: the errors of two readings."""
LEAST_PART = 0.5
"""Part of the events that a curve's last height would be without censoring which an arm nearly always has."""
_PERCENT = 50.0
"""A curve starts near 1 or near 100: an arm whose highest reading is at least this was read in percent."""
_LINES = 5
"""Lines that a message names."""
_FIRST_LINE = 2


@dataclass(frozen=True, slots=True)
class ArmCurve:
    """Readings of one arm in the order of time: S just after `times`; `above` S just before them, where a step was read at both of
    its corners (else the same). `given` are the heights as read, on the scale of 0 to 1. `least_events` are those that the arm had, as printed,
    or at least as many as it probably had; NaN where nobody knows its patients.
    """

    times: tuple[float, ...]
    heights: tuple[float, ...]
    above: tuple[float, ...]
    given: tuple[float, ...]
    least_events: float = math.nan

    @property
    def last(self) -> float:
        return self.times[-1]

    def at(self, time: float) -> float:
        """Height of the step curve through the readings; 1 before the first."""
        index = int(np.searchsorted(self.times, time + 1e-9)) - 1
        return 1.0 if index < 0 else self.heights[index]


@dataclass(frozen=True, slots=True)
class Curve:
    """A file's curve by arm, times in the study's unit; `mended` says what was put right, and how often."""

    name: str
    arms: Mapping[str, ArmCurve]
    mended: tuple[str, ...] = ()

    @property
    def last(self) -> float:
        """Last time at which an arm is read."""
        return max(curve.last for curve in self.arms.values())

    @property
    def time_error(self) -> float:
        return TIME_ERROR * self.last

    def of_patients(self, n: Mapping[str, int], events: Mapping[str, int]) -> Curve:
        """The curve with what is known of the arms' patients: their number n, and their events where these are printed. A curve of n patients that
        ends at S has at most n (1 - S) events, and seldom fewer than half of these.
        """
        arms = {
            name: replace(arm, least_events=float(events.get(name, LEAST_PART * n[name] * (1.0 - arm.heights[-1]))))
            for name, arm in self.arms.items()
        }
        return replace(self, arms=arms)


def read_curve(path: Path, names: ArmNames = ArmNames()) -> Curve:  # noqa: B008 - frozen
    """The curve of a CSV (arm,time,survival; time in the study's unit). Raises `DataError` with every fault and its lines.

    Mended, and counted: percentages (0 to 100), readings up to two errors outside 0 to 1 or above an earlier one (a curve falls: the
    nearest falling one by least squares), times below 0 by the error of the time axis.
    """
    frame = _of_arms(_frame(path), names)
    mended: list[str] = []
    problems = [*_bad(frame, "arm", ~frame["arm"].isin(ARMS), " or ".join([*names.roles, *names.others]))]
    time, height = frame["time"].to_numpy(), frame["survival"].to_numpy()
    least = -max(TIME_ERROR * np.nanmax(np.append(time, 0.0)), 0.05)
    problems += _bad(frame, "time", ~(np.isfinite(time) & (time >= least)), "a time of 0 or more")
    if (early := (time < 0) & (time >= least)).any():
        mended.append(f"{early.sum()} time{'s' if early.sum() > 1 else ''} just below 0 taken as 0")
    percent, words = _percent(frame)
    problems += words
    if percent:
        height = height / 100
        mended.append(f"{frame.shape[0]} readings in percent divided by 100")
    outside = ~((height >= -_MENDED) & (height <= 1 + _MENDED))
    problems += [] if words else _bad(frame, "survival", outside, "0 to 1 (or 0 to 100 throughout)")
    beyond = ((height < 0) | (height > 1)) & ~outside
    if beyond.any():
        mended.append(f"{beyond.sum()} reading{'s' if beyond.sum() > 1 else ''} just outside 0 to 1 taken as 0 or 1")
    frame = frame.assign(time=np.maximum(time, 0.0), survival=np.clip(height, 0.0, 1.0))
    if not problems:
        problems += [text for arm in ARMS for text in _rises(frame, arm)]
    if problems:
        raise DataError(f"cannot use the curve in {path}", problems)
    curves = {arm: _arm_curve(frame[frame["arm"] == arm], mended, arm) for arm in ARMS if (frame["arm"] == arm).any()}
    return Curve(path.name, curves, tuple(mended))


def _of_arms(frame: pd.DataFrame, names: ArmNames) -> pd.DataFrame:
    """The readings of the arms that are compared, each arm called by its role; `names` are the study file's."""
    # a role's word that is another arm's name, or nobody's, is no role
    arm = frame["arm"].map(lambda name: names.roles.get(name, f"{name} (no arm)" if name in ARMS else name))
    return frame.assign(arm=arm)[~frame["arm"].isin(names.others)].reset_index(drop=True)


def _frame(path: Path) -> pd.DataFrame:
    """Columns arm, time, survival, and the line of the file; numbers that cannot be read are NaN, as written in `text_time`, ..."""
    try:
        frame = pd.read_csv(path, skipinitialspace=True, skip_blank_lines=False, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the curve in {path}", [str(error)[:200]]) from error
    if not isinstance(frame.index, pd.RangeIndex):
        words = "got lines with more values than columns; allowed are one value a column, with decimal points (0.95, not 0,95)"
        raise DataError(f"cannot use the curve in {path}", [words])
    frame.columns = [str(name).strip() for name in frame.columns]
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(
            f"cannot use the curve in {path}", [f"got columns {list(frame.columns)[:8]}; needed are {', '.join(COLUMNS)}"]
        )
    frame = frame[list(COLUMNS)].fillna("").apply(lambda column: column.str.strip())
    frame = frame.assign(line=np.arange(len(frame)) + _FIRST_LINE)[(frame != "").any(axis=1)]
    if frame.empty:
        raise DataError(f"cannot use the curve in {path}", ["got no rows; allowed is at least one"])
    texts = {f"text_{name}": frame[name] for name in COLUMNS}
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in ("time", "survival")}
    return frame.assign(**texts, **numbers).reset_index(drop=True)


def _bad(frame: pd.DataFrame, name: str, mask: np.ndarray | pd.Series, allowed: str) -> Iterator[str]:
    """One sentence for the bad values of a column."""
    rows = np.flatnonzero(np.asarray(mask))
    if rows.size:
        shown = [f"{frame[f'text_{name}'][row][:20]!r} in line {frame['line'][row]}" for row in rows[:_LINES]]
        more = f" and {rows.size - _LINES} more" if rows.size > _LINES else ""
        yield f"{name}: got {', '.join(shown)}{more}; allowed is {allowed}"


def _percent(frame: pd.DataFrame) -> tuple[bool, list[str]]:
    """Whether the readings are percentages; a sentence where one arm's are and the other's are not."""
    tops = {arm: float(part.max()) for arm in ARMS if not (part := frame.loc[frame["arm"] == arm, "survival"].dropna()).empty}
    kinds = {arm: top >= _PERCENT for arm, top in tops.items() if top > 0}
    if len(set(kinds.values())) > 1:
        ranges = ", ".join(f"{arm} up to {top:g}" for arm, top in tops.items())
        return False, [f"survival: got one arm in percent and the other not ({ranges}); allowed is one scale, 0 to 1 or 0 to 100"]
    return any(kinds.values()), []


def _sorted(part: pd.DataFrame) -> pd.DataFrame:
    """By time; of several readings at one time the highest first (a vertical step, read at both corners)."""
    return part.sort_values(["time", "survival"], ascending=[True, False], kind="stable")


def _rises(frame: pd.DataFrame, arm: str) -> Iterator[str]:
    """A sentence where an arm's readings rise by more than their errors."""
    part = _sorted(frame[frame["arm"] == arm])
    heights = part["survival"].to_numpy()
    lowest = np.minimum.accumulate(np.append(1.0 + _MENDED, heights))[:-1]
    rows = np.flatnonzero(heights > lowest + _MENDED)
    if rows.size:
        lines = ", ".join(f"{part['text_survival'].iloc[row]} in line {part['line'].iloc[row]}" for row in rows[:_LINES])
        more = f" and {rows.size - _LINES} more" if rows.size > _LINES else ""
        yield f"survival: got a curve of the {arm} arm that rises ({lines}{more}); allowed are readings that fall with time, within {_MENDED:g}"


def _arm_curve(part: pd.DataFrame, mended: list[str], arm: str) -> ArmCurve:
    ordered = _sorted(part)
    times, given = ordered["time"].to_numpy(), ordered["survival"].to_numpy()
    falling = _falling(given)
    risen = int((np.diff(given) > 1e-12).sum())
    if risen:
        mended.append(f"{risen} reading{'s' * (risen > 1)} of the {arm} arm a little above the one before smoothed")
    last = np.append(times[1:] != times[:-1], True)
    first = np.append(True, times[1:] != times[:-1])
    columns = (times[last], falling[last], falling[first], given[last])
    after, height, above, read = (tuple(float(value) for value in column) for column in columns)
    return ArmCurve(after, height, above, read)


def _falling(heights: np.ndarray) -> np.ndarray:
    """The falling sequence nearest to the readings by least squares (pool adjacent violators)."""
    values: list[float] = []
    sizes: list[int] = []
    for height in heights:
        values.append(float(height))
        sizes.append(1)
        while len(values) > 1 and values[-1] > values[-2]:
            size = sizes[-1] + sizes[-2]
            pooled = (values[-1] * sizes[-1] + values[-2] * sizes[-2]) / size
            values[-2:], sizes[-2:] = [pooled], [size]
    return np.repeat(values, sizes)
