"""`retrial sensitivity`: which other assumptions the conclusions about the treatment survive, and at which they tip."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.audit.check import Check
from retrial.data.kind import Fits, failed_in_words
from retrial.errors import DataError
from retrial.estimate import Estimate, to_frame
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.arms.single import NOT_RUN
from retrial.pipeline.audit import audit_stage, findings
from retrial.pipeline.fit import posteriors
from retrial.pipeline.pages.layout import draw_sensitivity
from retrial.pipeline.results import Files, audit_files
from retrial.pipeline.tables import Reconstructions, endpoint_tables, patient_checks, refuse_too_many_times, refused
from retrial.report.sensitivity.conclusions import conclusion_sentences
from retrial.run_config import RunConfig
from retrial.sensitivity.analysis import DESIGN_VARIANCE, sensitivity_tables
from retrial.sensitivity.confounding import benchmark_estimates
from retrial.sensitivity.credibility import credibility_estimates
from retrial.sensitivity.evalue import e_value_estimates
from retrial.sensitivity.of_design.entry import given_entry
from retrial.sensitivity.own_probabilities import in_standard_errors
from retrial.store.stages import Stages, stages_of
from retrial.store.tables import write_table
from retrial.study.study import Study

log = logging.getLogger("retrial")


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Tables, posteriors and what challenges them; writes estimates.csv (closed form on the printed effects) and the tables and figures of
    the stage. Returns what failed.
    """
    refuse_too_many_times(run, study)
    stages = stages_of(run)
    printed, used = audit_stage(stages, study)
    checks = [*printed, *patient_checks(run, study)]
    log.info("audit: %d findings", len(findings(checks)))
    audit_files(checks).write(folder)
    if study.one_arm:
        log.info("sensitivity: %s", NOT_RUN)
        write_table(folder, "estimates", to_frame([]))
        return []
    run = in_standard_errors(run, used)
    rows = closed_form(run, used)
    reconstructed, fits = fitted(run, study, used, checks, stages)
    about = run.about("models", "priors", "endpoints", "questions", "sensitivity", "operating")
    tables = stages.run("sensitivity", sensitivity_tables, about, used, fits.posteriors, fits.diagnostics)
    tables.pop(DESIGN_VARIANCE, None)
    late = stages.run("entry", given_entry, about_entry(run), used, reconstructed.tables, fits.posteriors, fits.diagnostics)
    if not rows and "conclusions" not in tables:
        raise DataError("nothing to do", ["effects: got no treatment effect with an interval or p; one is needed"])
    Files({"estimates": to_frame(rows), **tables, "entry": pd.DataFrame(late.rows)}).write(folder)
    draw_sensitivity(run, study, folder)
    shown = to_frame([row for row in rows if row.statistic == "value" and row.variant == ""])
    if len(shown):
        shown = shown.assign(contrast=shown["contrast"].map(study.names.contrast))
        print(shown[["endpoint", "quantity", "contrast", "point", "model"]].to_string(index=False))
    for heading, sentences in conclusion_sentences(
        study, tables.get("conclusions"), tables.get("tipping"), tables.get("under_priors"), run.sensitivity.claim
    ):
        print("\n" + " ".join([f"{heading}:", *sentences]))
    return [*reconstructed.failures, *fits.failures, *failed_in_words(rows)]


def about_entry(run: RunConfig) -> RunConfig:
    """What fits given entry depend on."""
    return run.about("models", "priors", "endpoints", "questions", "sampler", "limits")


def closed_form(run: RunConfig, used: Study) -> list[Estimate]:
    """E-values, reverse-Bayes and one more confounder, of every printed treatment effect."""
    return [*e_value_estimates(used), *credibility_estimates(used), *benchmark_estimates(used, run.questions, run.seed)]


def fitted(run: RunConfig, study: Study, used: Study, checks: Sequence[Check], stages: Stages) -> tuple[Reconstructions, Fits]:
    """Posteriors of the models of life tables, where the run has any; those of a re-analysis with the same settings are taken from it."""
    models = {name: spec for name, spec in run.models.items() if spec.kind.from_tables}
    if not models or not study.endpoints:
        return Reconstructions([], [], []), Fits()
    reconstructed = endpoint_tables(run, used, refused(study, checks), stages)
    return reconstructed, posteriors(dataclasses.replace(run, models=models), used, reconstructed.tables, stages)
