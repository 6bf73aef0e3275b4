"""`retrial reanalyse`: the main job, from the study file to the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.audit.run import numbers_recomputed
from retrial.data.closed_form import count_posteriors, failed_in_words, ratio_posteriors
from retrial.data.hierarchical import hierarchical_posteriors
from retrial.data.life_table import survival_posteriors
from retrial.estimate import Estimate, to_frame
from retrial.pipeline.audit import add_joint, audited, findings
from retrial.pipeline.criticism import write_criticism
from retrial.pipeline.frequentist import frequentist_rows
from retrial.pipeline.layout import lay_out_report, save_bands
from retrial.pipeline.prior_checks import write_prior_checks
from retrial.pipeline.probes import write_probes
from retrial.pipeline.spread import write_spread
from retrial.pipeline.tables import endpoint_tables, refused, save_tables
from retrial.pipeline.used import used_sets
from retrial.priors.prior_set import implied
from retrial.run_config import RunConfig
from retrial.store.progress import step
from retrial.study.study import Study

log = logging.getLogger("retrial")


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Audit, tables, frequentist twins, posteriors, report; returns what failed."""
    with step("audit"):
        checks, used = audited(study, folder)
    log.info(
        "audit: %d checks recompute %d printed numbers, %d findings",
        len(checks),
        numbers_recomputed(checks),
        len(findings(checks)),
    )
    reconstructed = endpoint_tables(run, used, refused(study, checks))
    tables = reconstructed.tables
    add_joint(checks, reconstructed.checks, folder)
    save_tables(tables, folder)
    probed = write_probes(run, tables, folder)
    with step("frequentist twins"):
        rows = frequentist_rows(run, study, used, tables)
    with step("posteriors in closed form"):
        closed = [*ratio_posteriors(run, used), *count_posteriors(run, used)]
    survival = survival_posteriors(run, tables, folder)
    counted = hierarchical_posteriors(run, used, folder)
    estimates = [*rows, *closed, *survival.estimates, *counted.estimates]
    write_results(run, estimates, pd.concat([survival.diagnostics, counted.table], ignore_index=True), folder)
    with step("priors: what they imply, and which fight the data"):
        write_prior_checks(run, used, tables, estimates, folder)
    save_bands(survival.bands, folder)
    write_criticism(survival.criticism, folder)
    write_spread(run, used, survival.variance, estimates, folder)
    with step("report"):
        lay_out_report(run, study, folder, folder)
    return [*reconstructed.failures, *probed, *survival.failures, *counted.failures, *failed_in_words(closed)]


def write_results(run: RunConfig, estimates: Sequence[Estimate], diagnostics: pd.DataFrame, folder: Path) -> None:
    """estimates.csv, diagnostics.csv and priors.csv of a run."""
    to_frame(estimates).to_csv(folder / "estimates.csv", index=False)
    if not diagnostics.empty:
        diagnostics.to_csv(folder / "diagnostics.csv", index=False)
    priors = [row for prior_set in used_sets(run, estimates) for row in implied(prior_set, run.questions.level)]
    if priors:
        pd.DataFrame(priors).to_csv(folder / "priors.csv", index=False)
