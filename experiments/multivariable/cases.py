"""Real patients of public data sets, thinned to the size of small studies, with the covariates that a paper would adjust for.

rossi, gbsg2 and lung come with lifelines; the others with the package SurvSet (GPL-3, not a dependency: `pip install SurvSet`).
Continuous covariates are cut at their median over the data set and categories collapsed to two groups, as Tables 3 to 5 of many papers do;
data sets named `..._levels` keep some as factors of three or four levels (numbers in thirds), each over its first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from lifelines import datasets

from retrial.errors import DataError

TREATMENT = "treatment"
LEVELS = "*"
"""End of the name of a covariate that stays a factor of three or more levels."""
MOST_LEVELS = 4


@dataclass(frozen=True, eq=False)
class Patients:
    """time, event 0/1, and covariates 0/1 of which `TREATMENT` comes first; rows are patients without a missing value.

    factors   by name, the covariates that are levels of one factor; its reference is where all are 0
    """

    name: str
    time: np.ndarray
    event: np.ndarray
    covariates: pd.DataFrame
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, tuple[str, ...]]:
        """Factors with their levels, and every other covariate by itself, in order."""
        of = {level: factor for factor, levels in self.factors.items() for level in levels}
        names = dict.fromkeys(of.get(str(name), str(name)) for name in self.covariates)
        return {name: self.factors.get(name, (name,)) for name in names}


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


def _levels(name: str, column: pd.Series) -> dict[str, pd.Series]:
    """0/1 of every level but the first, the reference: thirds of a number of more than five values, categories as they are, the last ones (of
    more than `MOST_LEVELS`) together."""
    numbers = pd.to_numeric(column, errors="coerce")
    known = column.notna()
    if numbers.notna().sum() == known.sum() and numbers.nunique() > MOST_LEVELS + 1:
        codes = pd.Series(np.searchsorted(np.quantile(numbers[known], [1 / 3, 2 / 3]), numbers), column.index)
    else:
        codes = pd.Series(pd.Categorical(column).codes, column.index).clip(upper=MOST_LEVELS - 1)
    found = range(1, int(codes[known].max()) + 1)
    return {f"{name}_{code}": (codes == code).where(known) for code in found}


def _patients(name: str, frame: pd.DataFrame, time: str, event: str, treatment: pd.Series, covariates: Iterable[str]) -> Patients:
    """A covariate that ends on `LEVELS` is a factor."""
    grouped, factors = {TREATMENT: treatment}, {}
    for item in covariates:
        plain = item.removesuffix(LEVELS).replace(".", "_")
        column = frame[item.removesuffix(LEVELS)]
        found = _levels(plain, column) if item.endswith(LEVELS) else {plain: _groups(column)}
        grouped |= found
        if len(found) > 1:
            factors[plain] = tuple(found)
    table = pd.DataFrame(grouped)
    known = table.notna().all(axis=1) & frame[time].notna() & (frame[time] > 0)
    return Patients(
        name,
        frame[time][known].to_numpy(float),
        frame[event][known].to_numpy(int),
        table[known].astype(float).reset_index(drop=True),
        factors,
    )


def _rossi() -> Patients:
    frame = datasets.load_rossi()
    return _patients("rossi", frame, "week", "arrest", frame["fin"] == 1, ["age", "race", "wexp", "mar", "paro", "prio"])


def _gbsg2() -> Patients:
    frame = datasets.load_gbsg2()
    factors = ["age", "menostat", "tsize", "tgrade", "pnodes", "progrec", "estrec"]
    return _patients("gbsg2", frame, "time", "cens", frame["horTh"] == "yes", factors)


def _gbsg2_levels() -> Patients:
    frame = datasets.load_gbsg2()
    factors = ["age*", "menostat", "tsize", "tgrade*", "pnodes", "progrec"]
    return _patients("gbsg2_levels", frame, "time", "cens", frame["horTh"] == "yes", factors)


def _lung_levels() -> Patients:
    frame = datasets.load_lung()
    frame["ph.ecog"] = frame["ph.ecog"].clip(upper=2)
    factors = ["age", "ph.ecog*", "pat.karno", "wt.loss*"]
    return _patients("lung_levels", frame, "time", "status", frame["sex"] == 2, factors)


def _larynx_levels() -> Patients:
    frame = datasets.load_larynx()
    frame["stage"] = 1 + frame["Stage_II"] + 2 * frame["Stage_III"] + 3 * frame["Stage_IV"]
    return _patients("larynx_levels", frame, "time", "death", frame["age"] > 65, ["stage*", "age"])


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
    "gbsg2_levels": _gbsg2_levels,
    "lung_levels": _lung_levels,
    "colon_levels": lambda: _of_survset(
        "colon", "fac_rx", "Lev+5FU", "num_age* fac_sex fac_obstruct fac_node4", ("Obs", "Lev+5FU")
    ),
    "veteran_levels": lambda: _of_survset("veteran", "fac_trt", "2", "num_karno* num_diagtime num_age fac_celltype*"),
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
    "rott2_levels": lambda: _of_survset("rott2", "fac_chemo", "yes", "fac_tsize* fac_grade num_age* num_nodes* num_progesterone"),
    "pbc3_levels": lambda: _of_survset("Pbc3", "fac_tment", "1", "num_age num_alb* num_bili* fac_sex fac_stage*"),
    "oropharynx_levels": lambda: _of_survset(
        "d.oropha.rec", "fac_treatm", "2", "fac_sex fac_grade* fac_site* fac_tstage* num_age"
    ),
}
"""Other data sets, from which the errors of the quadratic likelihood and the prior of the correlations were taken."""


def thinned(patients: Patients, size: int, seed: int) -> Patients:
    """So many patients drawn without replacement."""
    chosen = np.sort(np.random.default_rng(seed).permutation(patients.time.size)[:size])
    return Patients(
        patients.name,
        patients.time[chosen],
        patients.event[chosen],
        patients.covariates.iloc[chosen].reset_index(drop=True),
        patients.factors,
    )
