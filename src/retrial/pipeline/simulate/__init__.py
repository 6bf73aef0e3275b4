"""`retrial simulate`: operating characteristics of stated rules of decision, in simulated studies of this study's size."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retrial.errors import DataError
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.audit import audit_stage
from retrial.pipeline.pages.layout import draw_sensitivity
from retrial.pipeline.results import Files
from retrial.pipeline.tables import endpoint_tables, patient_checks, refuse_too_many_times, refused
from retrial.run_config import RunConfig
from retrial.sensitivity.any_prior.effects import effects_of
from retrial.sensitivity.operating.borrowing import borrowing_rows, models_that_borrow
from retrial.sensitivity.operating.fitted import fitted_rows, models_of, scenarios
from retrial.sensitivity.operating.printed import printed_rows
from retrial.sensitivity.own_probabilities import in_standard_errors
from retrial.store.progress import counter
from retrial.store.stages import Stages, stages_of
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

log = logging.getLogger("retrial")
Row = dict[str, Any]
STAGE = "operating"
_SHOWN = ("endpoint", "model", "prior", "true_ratio", "rule", "kind", "claims", "claims_error", "coverage")


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """operating.csv and its figure; returns which scenarios failed. Raises `DataError` where the study has no effect to simulate."""
    models = models_of(run)
    refuse_too_many_times(run, study)
    stages = stages_of(run)
    printed, used = audit_stage(stages, study)
    if study.one_arm:
        raise DataError("nothing to simulate", ["the study has one arm: a rule about an effect needs two"])
    checks = [*printed, *patient_checks(run, study)]
    run = in_standard_errors(run, used)
    wanted = models and study.endpoints
    tables = endpoint_tables(run, used, refused(study, checks), stages) if wanted else None
    rows = list(_rows(run, used, tables.tables if tables else [], stages))
    if not rows:
        raise DataError(
            "nothing to simulate", ["effects: got no treatment effect with an interval, and no life table; one is needed"]
        )
    frame = pd.DataFrame(rows)
    Files({"operating": frame}).write(folder)
    draw_sensitivity(run, study, folder)
    shown = frame[frame["prior"] == run.main_prior].reindex(columns=list(_SHOWN))
    print(shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.3f}"))
    named = frame[frame["status"] != "ok"].drop_duplicates(["endpoint", "model", "true_ratio", "status"])
    failed = [
        f"{row['endpoint']}, {row['model']}, true ratio {row['true_ratio']:.3g}: {row['status']}"
        for row in named.to_dict("records")
    ]
    return [*(tables.failures if tables else []), *failed]


def _rows(run: RunConfig, used: Study, tables: Sequence[EndpointTables], stages: Stages) -> Iterator[Row]:
    """Of printed ratios, of the models of life tables, and of counts that borrow; each scenario is kept as it is done."""
    for effect in effects_of(run, used, {}, []):
        yield from printed_rows(effect, run.operating, run.questions.tail)
    asked = [(spec, item, *one) for spec in models_of(run) for item in tables for one in scenarios(run)]
    with counter("simulating", len(asked) * run.operating.studies, "studies") as advance:
        for spec, item, ratio, hazard in asked:
            about = run.about("models", "priors", "endpoints", "sampler", "limits", "questions", "operating")
            yield from stages.run(STAGE, fitted_rows, about, spec, used, item, ratio, hazard)
            advance(run.operating.studies)
    for spec in models_that_borrow(run):
        about = run.about("models", "priors", "questions", "operating")
        yield from stages.run(STAGE, borrowing_rows, about, spec, used)
