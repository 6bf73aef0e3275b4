"""Real patients of public data sets, thinned to the size of small trials, as life tables on whole units or tenths of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from lifelines import datasets

from retrial.dims import ARMS
from retrial.tables.printed.statistics import Table

DAYS_PER_MONTH = 365.25 / 12
DAYS_PER_YEAR = 365.25
MOST = 0.8
"""Largest part of an arm that a thinning takes, so that thinnings of one data set differ."""


WITHIN = 7
"""Seed of the times within the unit of a data set that is recorded more coarsely than a study prints."""


@dataclass(frozen=True)
class Patients:
    """time in units (above 0) as recorded every `recorded` units, event 0/1, experimental 0/1; `unit` as a study file says it; minimum follow-up
    where the source says that everybody had it.
    """

    time: np.ndarray
    event: np.ndarray
    experimental: np.ndarray
    unit: str
    recorded: float
    followed: float = np.nan

    def steps(self, step: float) -> np.ndarray:
        """Number of the step (1, 2, ...) in which each patient leaves; a time recorded more coarsely is anywhere in its own unit."""
        time = self.time
        if step < self.recorded:
            time = time - self.recorded * np.random.default_rng(WITHIN).uniform(size=time.size)
        return np.maximum(np.ceil(np.round(time / step, ROUNDING)), 1.0).astype(int)


ROUNDING = 9
"""Decimals of steps: 3 / 0.1 is 30 of them, not 30.000000000000004."""


def _units(
    time: pd.Series, event: pd.Series, experimental: pd.Series, unit: str, length: float = 1.0, recorded: float = 1.0
) -> Patients:
    known = time.notna() & event.notna() & experimental.notna()
    units = time[known].to_numpy(dtype=float) / length
    return Patients(units, event[known].to_numpy(dtype=int), experimental[known].to_numpy(dtype=int), unit, recorded / length)


def _lung() -> Patients:
    frame = datasets.load_lung()
    return _units(frame["time"], frame["status"], frame["sex"] == 2, "months", DAYS_PER_MONTH)


def _gbsg2() -> Patients:
    frame = datasets.load_gbsg2()
    return _units(frame["time"], frame["cens"], frame["horTh"] == "yes", "months", DAYS_PER_MONTH)


def _lymph_node() -> Patients:
    frame = datasets.load_lymph_node()
    return _units(frame["survtime"], frame["censdead"], frame["menopause"] == frame["menopause"].min(), "months", DAYS_PER_MONTH)


def _rossi() -> Patients:
    frame = datasets.load_rossi()
    # "were followed for one year after release" (Rossi, Berk and Lenihan 1980): nobody is censored before week 52
    return replace(_units(frame["week"], frame["arrest"], frame["fin"] == 1, "weeks"), followed=52.0)


def _waltons() -> Patients:
    frame = datasets.load_waltons()
    return _units(frame["T"], frame["E"], frame["group"] == "control", "days")


def _kidney() -> Patients:
    # quarter-years; the file says months because a study file knows no quarters
    frame = datasets.load_kidney_transplant()
    return _units(frame["time"], frame["death"], frame["age"] < frame["age"].median(), "months", DAYS_PER_YEAR / 4)


def _democracies() -> Patients:
    frame = datasets.load_dd()
    return _units(frame["duration"], frame["observed"], frame["democracy"] == "Democracy", "years")


def _senators() -> Patients:
    frame = datasets.load_canadian_senators()
    party = frame["Political Affiliation at Appointment"].astype(str)
    return _units(frame["diff_days"], frame["observed"], party.str.startswith("Liberal"), "years", DAYS_PER_YEAR)


def _larynx() -> Patients:
    # quarter-years, as above
    frame = datasets.load_larynx()
    return _units(frame["time"], frame["death"], (frame["Stage_III"] + frame["Stage_IV"]) == 0, "months", 0.25, recorded=0.1)


def _heart() -> Patients:
    frame = datasets.load_stanford_heart_transplants()
    last = frame.sort_values("stop").groupby("id").tail(1)
    return _units(last["stop"], last["event"], last["transplant"] == 1, "months", DAYS_PER_MONTH)


SOURCES: dict[str, Callable[[], Patients]] = {
    "lung": _lung,
    "gbsg2": _gbsg2,
    "lymph_node_survival": _lymph_node,
    "rossi": _rossi,
    "waltons": _waltons,
    "kidney_transplant": _kidney,
    "democracies": _democracies,
    "senators": _senators,
    "larynx": _larynx,
    "heart_transplant": _heart,
}
SIZES = (40, 90)
LEAST_LARGE = 70
"""A thinning to "90" takes at least so many of each arm, else the data set is only thinned to 40."""


def sizes_of(patients: Patients) -> tuple[int, ...]:
    """Sizes that a data set is large enough for."""
    smaller = min(int((patients.experimental == arm).sum()) for arm in range(len(ARMS)))
    return tuple(size for size in SIZES if size == SIZES[0] or MOST * smaller >= LEAST_LARGE)


def thinned(patients: Patients, per_arm: int, seed: int, step: float = 1.0) -> Table:
    """So many patients of each arm (at most `MOST` of it) drawn without replacement, as a life table on multiples of `step` units."""
    random = np.random.default_rng(seed)
    chosen = []
    for arm in range(len(ARMS)):
        members = random.permutation(np.flatnonzero(patients.experimental == arm))
        chosen.append(members[: min(per_arm, int(MOST * members.size))])
    steps = patients.steps(step)
    last = int(max(steps[index].max() for index in chosen))
    counts = np.zeros((2, 2, last), dtype=int)
    for arm, index in enumerate(chosen):
        np.add.at(counts, (patients.event[index], arm, steps[index] - 1), 1)
    return Table(np.round(np.arange(1, last + 1) * step, ROUNDING), counts[1], counts[0])
