"""Public patient data, most of them as they come with lifelines: time, event, experimental."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from lifelines import datasets

from retrial.tables.life_table import LifeTable


def _patients(time: pd.Series, event: pd.Series, experimental: pd.Series) -> pd.DataFrame:
    columns = {"time": time.astype(float), "event": event.astype(int), "experimental": experimental.astype(int)}
    return pd.DataFrame(columns).reset_index(drop=True)


def _leukaemia() -> pd.DataFrame:
    """Freireich et al. 1963: weeks in remission; 6-MP against placebo (`gehan` in R's MASS). Rx is 0 for 6-MP in this copy."""
    data = datasets.load_leukemia()
    return _patients(data["t"], data["status"], 1 - data["Rx"])


def _lung() -> pd.DataFrame:
    """Loprinzi et al. 1994 (NCCTG; `lung` in R's survival): days; women against men."""
    data = datasets.load_lung()
    return _patients(data["time"], data["status"], data["sex"] - 1)


def _gbsg2() -> pd.DataFrame:
    """Schumacher et al. 1994 (German Breast Cancer Study Group; `GBSG2` in R's TH.data): days without recurrence; hormonal therapy or not."""
    data = datasets.load_gbsg2()
    return _patients(data["time"], data["cens"], data["horTh"] == "yes")


def _glioma() -> pd.DataFrame:
    """Grana et al. 2002 (grade III of `glioma` in R's coin): months; radioimmunotherapy against control."""
    data = datasets.load_g3()
    return _patients(data["time"], data["event"], data["group"] == "RIT")


def _waltons() -> pd.DataFrame:
    """`waltons` of lifelines: days that flies live, here in one group."""
    data = datasets.load_waltons()
    return _patients(data["T"], data["E"], 0 * data["E"])


def _aml() -> pd.DataFrame:
    """Miller 1997 (`aml` in R's survival): weeks; not maintained against maintained chemotherapy. Typed in here."""
    maintained = {9: 1, 13: 1, 18: 1, 23: 1, 28: 0, 31: 1, 34: 1, 45: 0, 48: 1, 161: 0}
    rows = [(time, event, 0) for time, event in maintained.items()] + [(13, 0, 0)]
    rows += [(time, int(time != 16), 1) for time in (5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45)]
    return pd.DataFrame(rows, columns=["time", "event", "experimental"]).astype({"time": float})


def _ovarian() -> pd.DataFrame:
    """Edmonson et al. 1979 (`ovarian` in R's survival): days; treatment 2 against 1. Typed in here; flexsurv prints 15588 days, 12 deaths."""
    first = [
        (59, 1),
        (115, 1),
        (156, 1),
        (268, 1),
        (329, 1),
        (431, 1),
        (448, 0),
        (477, 0),
        (638, 1),
        (803, 0),
        (855, 0),
        (1040, 0),
        (1106, 0),
    ]
    second = [
        (353, 1),
        (365, 1),
        (377, 0),
        (421, 0),
        (464, 1),
        (475, 1),
        (563, 1),
        (744, 0),
        (769, 0),
        (770, 0),
        (1129, 0),
        (1206, 0),
        (1227, 0),
    ]
    rows = [(time, event, arm) for arm, patients in enumerate((first, second)) for time, event in patients]
    return pd.DataFrame(rows, columns=["time", "event", "experimental"]).astype({"time": float})


PATIENTS: dict[str, Callable[[], pd.DataFrame]] = {
    "leukaemia": _leukaemia,
    "lung": _lung,
    "gbsg2": _gbsg2,
    "glioma": _glioma,
    "waltons": _waltons,
    "aml": _aml,
    "ovarian": _ovarian,
}


def table(patients: pd.DataFrame) -> LifeTable:
    """The patients' life table; the unit of its times is theirs."""
    return LifeTable.from_patients(*(patients[name].to_numpy() for name in ("time", "event", "experimental")))


def at_event_times(patients: pd.DataFrame) -> tuple[pd.DataFrame, tuple[float, ...]]:
    """Patients whose censorings are moved to the event time before them, and cuts at every event time (the last interval has none).

    Breslow 1974 (Biometrics 30:89): with a constant hazard between event times, this is Cox's model.
    """
    times = np.unique(patients.loc[patients["event"] == 1, "time"])
    before = np.searchsorted(times, patients["time"], side="right") - 1
    moved = patients.assign(time=np.where(before >= 0, times[before], 0.0))
    return moved, tuple(float(time) for time in times[:-1])
