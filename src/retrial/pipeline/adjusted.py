"""Models with the covariates of an endpoint's patients, where the study file names some."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from retrial.answers.follow_up import FollowUp
from retrial.data.covariates import Adjustment
from retrial.data.covariates.cox import cox_fits
from retrial.data.kind import Fits
from retrial.dims import MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.pipeline.tables import chosen_endpoints
from retrial.run_config import RunConfig
from retrial.store.stages import Asked, Stages
from retrial.study.study import Study
from retrial.tables.covariates import CovariateRows, covariates_of
from retrial.tables.endpoint import EndpointTables
from retrial.tables.findings.patients import first_event_time
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import Patients

log = logging.getLogger("retrial")
ONE_ARM = "covariates are not used in a study of one arm: there is no effect of treatment to adjust"


def check_covariates(run: RunConfig, study: Study) -> None:
    """Refuse covariates that cannot be used, before anything is computed or written. Raises `DataError` with the faults of all endpoints."""
    found = list[DataError]()
    for key in chosen_endpoints(run, study):
        try:
            covariates_of(study, run.study_file.parent, key)
        except DataError as error:
            found.append(error)
    if found:
        raise DataError(found[0].title, [line for error in found for line in error.problems])


def adjusted_answers(run: RunConfig, study: Study, tables: Sequence[EndpointTables], stages: Stages) -> Fits:
    """Every survival model of the run with the covariates, and Cox regressions; nothing of endpoints without covariates."""
    asked = list[Asked]()
    for item in tables:
        given = _adjustment(run, study, item)
        if given is None:
            continue
        asked.append((f"cox.{item.endpoint}", cox_fits, given, run.questions.level))
        for spec in run.models.values():
            if spec.kind.adjust is not None:
                about = dataclasses.replace(run, priors=run.sets_for(spec)).about(*_ABOUT)
                asked.append((f"adjusted.{item.endpoint}.{spec.name}", spec.kind.adjust, about, spec, study, item, given))
    return Fits.together(stages.all_of(asked, run.sampler.threads))


_ABOUT = ("priors", "sampler", "limits", "questions", "covariates")


def _adjustment(run: RunConfig, study: Study, item: EndpointTables) -> Adjustment | None:
    rows = covariates_of(study, run.study_file.parent, item.endpoint)
    if rows is None:
        return None
    if study.one_arm:
        log.info("%s: %s", item.endpoint, ONE_ARM)
        return None
    for words in rows.words:
        log.info("%s: %s", item.endpoint, words)
    table = _table(study, item.endpoint, rows)
    source = "; ".join([item.source, *rows.words])
    follow_up = FollowUp.of(item.table, item.weights)
    return Adjustment(item.endpoint, rows, table, item.recorded, source, follow_up)


def _table(study: Study, key: str, rows: CovariateRows) -> LifeTable:
    """The life table of the same patients, as that of all patients of the endpoint is made (`pipeline.tables`)."""
    endpoint = study.endpoints[key]
    table = LifeTable.from_patients(rows.time, rows.event, rows.experimental, rows.entry)
    unit = None if endpoint.recording_unit is None else endpoint.recording_unit.value * MONTHS_PER_UNIT[study.time_unit]
    if endpoint.reading != "exact":
        own = endpoint.patients.time_unit if endpoint.patients is not None else None
        return table.on_recording_grid(unit or MONTHS_PER_UNIT[own or study.time_unit], endpoint.reading)
    steps = np.diff(table.times)
    step = float(steps.min()) if steps.size else np.nan
    return table.with_first_events_at(first_event_time(Patients(table, step), f"endpoints.{key}", unit))
