"""Real patients of public data sets in two groups, thinned to the size of small trials, as life tables on equal units of the follow-up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from retrial.dims import ARMS
from retrial.experiments.multivariable.cases import survset
from retrial.seeds import integer_seed
from retrial.tables.life_table import LifeTable

SOURCES = (
    "e1684",
    "prostate",
    "LeukSurv",
    "Melanoma",
    "pharmacoSmoking",
    "zinc",
    "nki70",
    "burn",
    "breast",
    "stagec",
    "rdata",
    "vlbw",
    "TRACE",
    "whas500",
    "uis",
    "colon",
    "Aids2",
    "veteran",
    "ova",
    "retinopathy",
    "pbc",
    "Pbc3",
    "cgd",
    "scania",
    "follic",
    "mgus",
    "hepatoCellular",
    "diabetes",
    "rott2",
    "wpbc",
    "UnempDur",
    "cost",
    "support2",
    "flchain",
    "Framingham",
    "acath",
    "d.oropha.rec",
    "DLBCL",
    "grace",
    "Dialysis",
)
"""Data sets of the package SurvSet without time-dependent covariates, of 100 patients and more; none of them by what it says of the prior."""
PER_ARM, MOST = 60, 0.8
"""Patients of each group that are taken, and the largest part of a group that is."""
UNITS = 48
"""Grid times: four years of months."""
LEAST_SHARE, LEAST_VALUES = 0.25, 5
"""Part of the patients in the smaller group of a factor that divides them, and values that a number to be cut at its median has."""


def groups(frame: pd.DataFrame) -> pd.Series:
    """0/1 by the first factor of two balanced levels, else by the first number's median."""
    for name in frame.filter(regex="^fac_"):
        shares = frame[name].value_counts(normalize=True)
        if len(shares) == len(ARMS) and shares.min() > LEAST_SHARE:
            return (frame[name] == frame[name].iloc[0]).where(frame[name].notna()).astype(float)
    for name in frame.filter(regex="^num_"):
        numbers = pd.to_numeric(frame[name])
        if numbers.nunique() > LEAST_VALUES:
            return (numbers > numbers.median()).where(numbers.notna()).astype(float)
    raise ValueError("got no column that divides the patients in two groups")


def table(name: str) -> LifeTable:
    """Patients of each group drawn without replacement, seeded by the name, on `UNITS` grid times."""
    frame = survset(name)
    group = groups(frame)
    known = group.notna() & frame["time"].notna() & (frame["time"] > 0)
    time, event = frame["time"][known].to_numpy(float), frame["event"][known].to_numpy(float) > 0
    arm, random = group[known].to_numpy(int), np.random.default_rng(integer_seed(0, name))
    members = [random.permutation(np.flatnonzero(arm == number)) for number in range(len(ARMS))]
    chosen = np.concatenate([every[: min(PER_ARM, int(MOST * every.size))] for every in members])
    unit = np.ceil(np.round(time[chosen] / time[chosen].max() * UNITS, 9)).astype(int)
    counts = np.zeros((2, len(ARMS), UNITS), int)
    np.add.at(counts, (event[chosen].astype(int), arm[chosen], np.maximum(unit, 1) - 1), 1)
    return LifeTable.from_counts(np.arange(1.0, UNITS + 1), counts[1], counts[0])


def tables() -> Iterator[tuple[str, LifeTable]]:
    """Of every data set."""
    for name in SOURCES:
        yield name, table(name)
