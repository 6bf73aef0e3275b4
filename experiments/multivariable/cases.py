"""Real patients of public data sets, thinned to the size of small studies, with the covariates that a paper would adjust for.

rossi, gbsg2 and lung come with lifelines; the others with the package SurvSet (GPL-3, not a dependency: `pip install SurvSet`).
Continuous covariates are cut at their median over the data set and categories collapsed to two groups, as Tables 3 to 5 of many papers do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import datasets

from retrial.errors import DataError

TREATMENT = "treatment"


@dataclass(frozen=True, eq=False)
class Patients:
    """time, event 0/1, and covariates 0/1 of which `TREATMENT` comes first; rows are patients without a missing value."""

    name: str
    time: np.ndarray
    event: np.ndarray
    covariates: pd.DataFrame


def survset(name: str) -> pd.DataFrame:
    """A data set of the package SurvSet: `time`, `event` and covariates `num_...` and `fac_...`; DataError without the package."""
    try:
        loader = importlib.import_module("SurvSet.data").SurvLoader()
    except ModuleNotFoundError as error:
        words = "got no package SurvSet; it holds the data sets beside those of lifelines: pip install SurvSet"
        raise DataError("the experiment lacks its data", [words]) from error
    frame: pd.DataFrame = loader.load_dataset(name)["df"]
    return frame


def _groups(column: pd.Series) -> pd.Series:
    """0/1: a number above its median, a category other than its most frequent one."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() == column.notna().sum():
        levels = np.unique(numbers.dropna())
        return (numbers > (levels[0] if levels.size == 2 else numbers.median())).where(numbers.notna())
    return (column != column.mode()[0]).where(column.notna())


def _patients(name: str, frame: pd.DataFrame, time: str, event: str, treatment: pd.Series, covariates: Iterable[str]) -> Patients:
    grouped = {TREATMENT: treatment, **{item.replace(".", "_"): _groups(frame[item]) for item in covariates}}
    table = pd.DataFrame(grouped)
    known = table.notna().all(axis=1) & frame[time].notna() & (frame[time] > 0)
    return Patients(
        name,
        frame[time][known].to_numpy(float),
        frame[event][known].to_numpy(int),
        table[known].astype(float).reset_index(drop=True),
    )


def _rossi() -> Patients:
    frame = datasets.load_rossi()
    return _patients("rossi", frame, "week", "arrest", frame["fin"] == 1, ["age", "race", "wexp", "mar", "paro", "prio"])


def _gbsg2() -> Patients:
    frame = datasets.load_gbsg2()
    factors = ["age", "menostat", "tsize", "tgrade", "pnodes", "progrec", "estrec"]
    return _patients("gbsg2", frame, "time", "cens", frame["horTh"] == "yes", factors)


def _lung() -> Patients:
    frame = datasets.load_lung()
    factors = ["age", "ph.ecog", "ph.karno", "pat.karno", "wt.loss"]
    return _patients("lung", frame, "time", "status", frame["sex"] == 2, factors)


def _of_survset(name: str, treatment: str, experimental: str, factors: str, among: tuple[object, ...] = ()) -> Patients:
    frame = survset(name)
    if among:
        frame = frame[frame[treatment].isin(among)]
    arm = (frame[treatment].astype(str) == experimental).where(frame[treatment].notna())
    return _patients(name, frame, "time", "event", arm, factors.split())


TESTED: dict[str, Callable[[], Patients]] = {
    "rossi": _rossi,
    "gbsg2": _gbsg2,
    "lung": _lung,
    "veteran": lambda: _of_survset("veteran", "fac_trt", "2", "num_karno num_diagtime num_age fac_celltype fac_prior"),
    "whas500": lambda: _of_survset(
        "whas500", "fac_afb", "1", "fac_gender fac_cvd fac_sho fac_chf fac_mitype num_age num_hr num_sysbp num_bmi"
    ),
    "pbc": lambda: _of_survset("pbc", "fac_trt", "1", "num_age fac_sex fac_ascites fac_hepato fac_spiders"),
    "colon": lambda: _of_survset(
        "colon", "fac_rx", "Lev+5FU", "num_age fac_sex fac_differ fac_obstruct fac_adhere fac_node4", ("Obs", "Lev+5FU")
    ),
    "prostate": lambda: _of_survset(
        "prostate", "fac_stage", "4", "fac_hx fac_bm num_age num_wt num_sbp num_hg num_sz num_sg fac_pf"
    ),
    "melanoma": lambda: _of_survset("Melanoma", "fac_ulcer", "1", "fac_sex num_age num_thickness"),
    "hepatocellular": lambda: _of_survset(
        "hepatoCellular",
        "fac_Capsulation",
        "1",
        "fac_Gender fac_HBsAg fac_Cirrhosis fac_ALT fac_AFP fac_Tumorsize fac_Tumordifferentiation fac_Vascularinvasion fac_BCLC num_Age",
    ),
    "uis": lambda: _of_survset("uis", "fac_treat", "1", "fac_ivhx fac_race fac_site num_age num_beck num_ndrugtx"),
}
"""Data sets on which coverage is counted; the group compared is a treatment, or what a paper would call the exposure."""

CALIBRATING: dict[str, Callable[[], Patients]] = {
    "actg": lambda: _of_survset("actg", "fac_tx", "1", "fac_strat2 fac_sex fac_raceth fac_ivdrug num_karnof num_cd4 num_age"),
    "rott2": lambda: _of_survset(
        "rott2", "fac_chemo", "yes", "fac_meno fac_tsize fac_grade fac_hormon num_age num_nodes num_progesterone num_estrogen"
    ),
    "trace": lambda: _of_survset("TRACE", "fac_chf", "1", "num_wmi num_age fac_sex fac_diabetes fac_vf"),
    "follic": lambda: _of_survset("follic", "fac_ch", "Y", "fac_clinstg num_age num_hgb"),
    "pbc3": lambda: _of_survset(
        "Pbc3", "fac_tment", "1", "num_age num_crea num_alb num_bili num_alkph num_asptr fac_sex fac_stage fac_gibleed"
    ),
    "oropharynx": lambda: _of_survset(
        "d.oropha.rec", "fac_treatm", "2", "fac_sex fac_grade fac_cond fac_site fac_tstage fac_nstage num_age"
    ),
    "cost": lambda: _of_survset(
        "cost", "fac_hypTen", "yes", "fac_sex fac_ihd fac_prevStroke fac_diabetes fac_smoke fac_atrialFib num_age num_strokeScore"
    ),
    "grace": lambda: _of_survset("grace", "fac_revasc", "1", "num_los num_age num_sysbp fac_stchange"),
}
"""Other data sets, from which the errors of the quadratic likelihood and the prior of the correlations were taken."""


def thinned(patients: Patients, size: int, seed: int) -> Patients:
    """So many patients drawn without replacement."""
    chosen = np.sort(np.random.default_rng(seed).permutation(patients.time.size)[:size])
    return Patients(
        patients.name, patients.time[chosen], patients.event[chosen], patients.covariates.iloc[chosen].reset_index(drop=True)
    )
