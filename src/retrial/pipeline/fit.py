"""`retrial fit`: one model under one prior; and the stage that fits every model of a run."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from retrial.answers.comparison.shared import ModelAnswers
from retrial.criticism.averages import average_rows, average_variance
from retrial.criticism.ensemble import ModelCriticism
from retrial.data.kind import Fits, Row
from retrial.errors import DataError, PriorError
from retrial.estimate import Estimate
from retrial.fit.evidence import evidence_rows
from retrial.frequentist.ratios import published_effects
from retrial.pipeline.adjusted import adjusted_answers
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.arms.single import for_arms_of, keep_own
from retrial.pipeline.audit import audit_stage
from retrial.pipeline.priors import missing_effects
from retrial.pipeline.results import audit_files, criticism_files, result_files, table_files
from retrial.pipeline.tables import Reconstructions, endpoint_tables, patient_checks, refuse_too_many_times, refused
from retrial.run_config import RunConfig
from retrial.sensitivity.own_probabilities import in_standard_errors
from retrial.store.progress import step
from retrial.store.stages import Asked, Stages, stages_of
from retrial.store.tables import read_rows
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

_SHOWN = ("hazard_ratio", "average_hazard_ratio", "odds_ratio", "risk_ratio", "common_odds_ratio", "effect_sd")
"""Quantities that the command prints; estimates.csv has all."""
_SHOWN_OF_ONE_ARM = ("median_survival", "proportion")
log = logging.getLogger("retrial")


def posteriors(run: RunConfig, study: Study, tables: Sequence[EndpointTables], stages: Stages) -> Fits:
    """Every model of the run fitted to what the study, as the audit lets it be used, has for it."""
    for words in run.left_out if study.response is not None or study.binary else ():
        log.info("%s", words)
    # the last first: samplers take longer than closed forms, and what takes long is not to be left to the end
    asked = [
        (f"posterior.{spec.name}", spec.kind.fit, run.of_model(spec), spec, study, list(tables) if spec.kind.from_tables else [])
        for spec in [*run.models.values()][::-1]
    ]
    return Fits.together(reversed(stages.all_of(asked, run.sampler.threads)))


def averages_asked(run: RunConfig, fits: Fits, tables: Sequence[EndpointTables]) -> list[Asked]:
    """The stage of answers averaged over the models that share them; none where there are none."""
    criticised = [item.criticism for item in fits.criticism]
    about = run.about("questions", "sampler")
    hypotheses = {item.endpoint: item.hypotheses for item in tables}
    return [("averages", averages, about, fits.shared, criticised, fits.diagnostics, hypotheses)] if fits.shared else []


def averages(
    run: RunConfig,
    shared: Sequence[ModelAnswers],
    criticised: Sequence[ModelCriticism],
    diagnostics: Sequence[Row],
    hypotheses: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> Fits:
    """Answers averaged over the models that share them, and the splits of their variance."""
    known = {(part.endpoint, part.model): part.shares for part in shared}
    evidence = evidence_rows([row for row in diagnostics if (row["endpoint"], row["model"]) in known], known)
    rows = average_rows(shared, criticised, evidence, run.questions, run.sampler.threads)
    return Fits(rows, variance=average_variance(shared, criticised, evidence, hypotheses))


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Audit, tables where the model needs them, one posterior; writes estimates.csv, diagnostics.csv, posterior_*.nc.

    Raises `PriorError` where the prior says nothing of what the model needs, before anything is computed.
    """
    run = for_arms_of(run, study)
    if missing := missing_effects(run, study):
        raise PriorError(f"cannot fit under the prior {run.main_prior}", missing)
    refuse_too_many_times(run, study)
    stages = stages_of(run)
    checks, used = audit_stage(stages, study)
    run = in_standard_errors(run, used)
    audit_files([*checks, *patient_checks(run, study)]).write(folder)
    needs_tables = any(spec.kind.from_tables for spec in run.models.values())
    reconstructed = endpoint_tables(run, used, refused(study, checks), stages) if needs_tables else Reconstructions([], [], [])
    table_files(reconstructed.tables).write(folder)
    fits = posteriors(run, used, reconstructed.tables, stages)
    with step("averages over models"):
        averaged = stages.all_of(averages_asked(run, fits, reconstructed.tables))
    fits = Fits.together([fits, *averaged, adjusted_answers(run, used, reconstructed.tables, stages)])
    if not fits.estimates and not reconstructed.failures and not fits.failures and run.models:
        words = f"the study has no data for the model {', '.join(run.models)} of which the prior {run.main_prior} speaks"
        lacking = [line for spec in run.models.values() if spec.kind.lacks for line in spec.kind.lacks(run, spec, used)]
        raise DataError("nothing to fit", [words, *lacking])
    result_files(run, used, fits.estimates, fits, printed=published_effects(study)).write(folder)
    stages.run("criticism", criticism_files, fits.criticism).write(folder)
    keep_own(folder, study)
    shown = _SHOWN_OF_ONE_ARM if study.one_arm else _SHOWN
    for row in read_rows(folder, "estimates", Estimate):
        if row.statistic == "value" and (row.quantity in shown or row.failed):
            interval = f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})"
            told = "; ".join(part for part in (row.status, row.note) if part)
            about = ", ".join(
                part for part in (f"prior {row.prior}" if row.prior else row.model, row.variant, row.adjusted_for) if part
            )
            name = row.quantity if math.isnan(row.time) else f"{row.quantity} at {row.time:g}"
            print(f"{row.endpoint:<12} {name:<14} {interval}  {study.names.contrast(row.contrast)}  {about}  {told}")
    return [*reconstructed.failures, *fits.failures]
