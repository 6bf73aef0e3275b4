"""A study of one arm: which models say something of it, and which rows of its tables are its own.

The arm is the control of a study whose other arm has nobody: its likelihood is what it would be alone, and nothing of the other arm or of
a comparison is kept. The effect of a treatment then has its prior alone, which plays no part in the arm's answers; it is taken proper, so
that it can be sampled.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pandas as pd

from retrial.dims import CONTROL, EXPERIMENTAL, TOTAL
from retrial.priors.prior import Prior
from retrial.priors.prior_set import TOGETHER, PriorSet
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO
from retrial.run_config import RunConfig
from retrial.store.artefacts import TABLES
from retrial.store.tables import read_table, write_table
from retrial.study.study import Study

log = logging.getLogger("retrial")
NOT_RUN = "not run: one arm"
_EFFECTS = (LOG_HAZARD_RATIO.name, LOG_ODDS_RATIO.name)
_OF_TWO = ("ratio", "difference", "number_needed", "effect")
"""Words in the names of quantities and parameters that compare two arms."""
_NO_PART = Prior("normal", (0.0, 1.0), "of no arm of the study; it plays no part in its answers")


def for_arms_of(run: RunConfig, study: Study) -> RunConfig:
    """The run with the models and priors that a study of one arm has a use for; the run itself for a study of two."""
    if not study.one_arm:
        return run
    models = {name: spec for name, spec in run.models.items() if spec.kind.alone and spec.proportional}
    for name in run.models:
        if name not in models:
            log.info("%s: %s", name, NOT_RUN)
    priors = {
        name: _without_effect(value)
        for name, value in run.priors.items()
        if name == run.main_prior or value.speaks_of(TOGETHER[0])
    }
    return dataclasses.replace(run, models=models, priors=priors)


def _without_effect(given: PriorSet) -> PriorSet:
    """The set with an effect that plays no part."""
    kept = {name: prior for name, prior in given.priors.items() if name not in _EFFECTS}
    effects = {} if TOGETHER[0] in kept else {LOG_ODDS_RATIO.name: _NO_PART}
    return PriorSet(given.name, {**kept, LOG_HAZARD_RATIO.name: _NO_PART, **effects}, given.description)


def keep_own(folder: Path, study: Study) -> None:
    """Take out of the tables in a run folder what is not of the one arm that a study has."""
    for name in TABLES if study.one_arm else ():
        if (frame := read_table(folder, name)) is not None:
            write_table(folder, name, own(frame, totals=name == "fidelity"))


def own(frame: pd.DataFrame, *, totals: bool = False) -> pd.DataFrame:
    """Rows that are of the arm, or of a covariate's groups; `totals`: also those of all patients, who are the arm's."""
    gone = {EXPERIMENTAL, f"{EXPERIMENTAL} / {CONTROL}", f"{EXPERIMENTAL} - {CONTROL}", *(() if totals else (TOTAL,))}
    kept = pd.Series(True, index=frame.index)
    for column in ("contrast", "arm"):
        if column in frame.columns:
            kept &= ~frame[column].isin(gone)
    if "status" in frame.columns:  # what could not be computed for want of the other arm
        kept &= ~frame["status"].str.contains(f"{EXPERIMENTAL} arm", regex=False)
    if "contrast" not in frame.columns:
        for column in ("quantity", "parameter"):
            if column in frame.columns:
                kept &= ~frame[column].map(lambda value: any(word in str(value) for word in _OF_TWO))
    return frame[kept]
