"""`retrial reconstruct`: life tables that carry the printed survival numbers."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.answers.follow_up import FollowUp
from retrial.audit.check import Check, Verdict
from retrial.errors import DataError
from retrial.estimate import to_frame
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.arms.single import keep_own
from retrial.pipeline.audit import audit_stage
from retrial.pipeline.frequentist import table_rows
from retrial.pipeline.pages.layout import draw_curves
from retrial.pipeline.probes import probed
from retrial.pipeline.results import Files, audit_files, probe_files, table_files
from retrial.pipeline.tables import endpoint_tables, patient_checks, refused
from retrial.run_config import RunConfig
from retrial.store.stages import stages_of
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

NOTHING = (
    "endpoints: got none with patients, a median, numbers at risk, percentages, a curve, or a longest time beside an unadjusted hazard ratio or"
    " a test of the arms; the sizes of both arms (arms.control.n, arms.experimental.n) are needed too"
)
log = logging.getLogger("retrial")
WIDTH = 140
"""Characters of a printed line."""


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Reconstruct, and write reconstruction_ENDPOINT.nc, fidelity.csv, readings.csv, spread.csv, estimates.csv and figures/; under a
    switch leave_one_out.csv and strict_comparison.csv.
    """
    stages = stages_of(run)
    printed, used = audit_stage(stages, study)
    checks = [*printed, *patient_checks(run, study)]
    audit_files(checks).write(folder)
    _say_contradictions(checks)
    found = endpoint_tables(run, used, refused(study, checks), stages)
    if not found.tables and not found.failures:
        lacking = [f"endpoints.{key}: {missing}" for key, missing in found.lacking.items()]
        raise DataError("nothing to reconstruct", lacking or [NOTHING])
    open_numbers = probed(run, found.tables, stages)
    rows = [row for item in found.tables for row in table_rows(run, item)]
    for files in (
        audit_files([*checks, *found.checks]),
        table_files(found.tables),
        probe_files(open_numbers),
        Files({"estimates": to_frame(rows)}),
    ):
        files.write(folder)
    keep_own(folder, study)
    draw_curves(study, folder)
    for item in found.tables:
        print(_summary(run, item))
    for check in found.checks:
        verdict = "consistent with reservations" if check.verdict is Verdict.CONSISTENT_ONLY_IF else check.verdict.value
        print(f"\n{check.claim}: {verdict}. {check.recomputed}.")
        if check.verdict is not Verdict.INCONSISTENT and check.note:
            print(textwrap.fill(f"{check.note}.", WIDTH))
    return [*found.failures, *open_numbers.failures]


def _say_contradictions(checks: Sequence[Check]) -> None:
    """What the audit refuses of the survival numbers, before the long part: it is the answer to a study that contradicts itself."""
    for check in checks:
        if check.verdict is Verdict.INCONSISTENT and check.path.startswith(("endpoints.", "effects.", "arms.", "total.")):
            log.warning("%s: %s; %s (%s)", check.path, check.claim, check.note or check.recomputed, check.consequence.value)


def _least(fidelity: pd.DataFrame) -> float:
    """Smallest agreement of a printed number, a curve being one number an arm: the mean over its readings."""
    name = fidelity["statistic"].where(~fidelity["statistic"].str.startswith("survival at "), "curve " + fidelity["arm"])
    curve = name.str.startswith("curve ")
    return float(
        min([*fidelity["agreement"][~curve], *fidelity["agreement"][curve].groupby(name[curve]).mean()], default=float("nan"))
    )


def _summary(run: RunConfig, item: EndpointTables) -> str:
    """One line: how many tables, and in how many every printed number agrees; patients that were given have nothing to agree with."""
    parts = [f"{item.endpoint}: {item.source}"]
    if item.fidelity is not None and len(item.fidelity):
        parts.append(f"least agreement of a statistic {_least(item.fidelity):.0%}")
    return "; ".join([*parts, f"follow-up of both arms {FollowUp.of(item.table, item.weights).months:g} months"])
