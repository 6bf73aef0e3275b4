"""`retrial reanalyse`: the main job, from the study file to the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.audit.run import numbers_recomputed
from retrial.data.kind import Fits
from retrial.pipeline.adjusted import adjusted_answers
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.arms.single import for_arms_of, keep_own
from retrial.pipeline.audit import audit_stage, findings
from retrial.pipeline.fit import averages_asked, posteriors
from retrial.pipeline.frequentist import frequentist_rows
from retrial.pipeline.pages.layout import lay_out_report
from retrial.pipeline.priors import prior_checks
from retrial.pipeline.probes import probed
from retrial.pipeline.results import Files, audit_files, criticism_files, probe_files, result_files, table_files
from retrial.pipeline.sensitivity import about_entry
from retrial.pipeline.tables import endpoint_tables, patient_checks, refuse_too_many_times, refused
from retrial.run_config import RunConfig
from retrial.sensitivity.analysis import DESIGN_VARIANCE, sensitivity_tables
from retrial.sensitivity.of_design.entry import given_entry
from retrial.sensitivity.own_probabilities import in_standard_errors
from retrial.store.progress import step
from retrial.store.stages import stages_of
from retrial.study.study import Study

log = logging.getLogger("retrial")


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Audit, tables, frequentist twins, posteriors, report; returns what failed."""
    run = for_arms_of(run, study)
    refuse_too_many_times(run, study)
    stages = stages_of(run)
    with step("audit"):
        printed, used = audit_stage(stages, study)
        checks = [*printed, *patient_checks(run, study)]
    run = in_standard_errors(run, used)
    counted = len(checks), numbers_recomputed(checks), len(findings(checks))
    log.info("audit: %d checks recompute %d printed numbers, %d findings", *counted)
    reconstructed = endpoint_tables(run, used, refused(study, checks), stages)
    tables = reconstructed.tables
    open_numbers = probed(run, tables, stages)
    with step("frequentist twins"):
        rows = stages.run("frequentist", frequentist_rows, run.about("questions"), study, used, tables)
    fits = posteriors(run, used, tables, stages)
    adjusted = adjusted_answers(run, used, tables, stages)
    together = Fits.together([fits, adjusted])
    with step("priors: what they imply, and which fight the data; sensitivity; averages over models"):
        about = run.about("models", "priors", "endpoints", "questions")
        wider = run.about("models", "priors", "endpoints", "questions", "sensitivity", "operating")
        told = [*rows, *together.estimates]
        challenged, late, priors, *averaged = stages.all_of(
            [
                ("sensitivity", sensitivity_tables, wider, used, together.posteriors, together.diagnostics),
                ("entry", given_entry, about_entry(run), used, tables, together.posteriors, together.diagnostics),
                ("priors", prior_checks, about, used, tables, told, together.posteriors),
                *averages_asked(run, fits, tables),
            ],
            run.sampler.threads,
        )
    lost = challenged.pop(DESIGN_VARIANCE, pd.DataFrame()).to_dict("records")
    fits = Fits.together([fits, *averaged, Fits(variance=[*late.variance, *lost]), adjusted])
    estimates = [*rows, *fits.estimates]
    with step("model criticism"):
        criticism = stages.run("criticism", criticism_files, fits.criticism)
    with step("report"):
        for files in (
            audit_files([*checks, *reconstructed.checks]),
            table_files(tables),
            probe_files(open_numbers),
            result_files(run, used, estimates, fits),
            Files(priors),
            Files(challenged),
            Files({"entry": pd.DataFrame(late.rows)}),
            criticism,
        ):
            files.write(folder)
        keep_own(folder, study)
        lay_out_report(run, study, printed, folder, folder)
    return [*reconstructed.failures, *open_numbers.failures, *fits.failures]
