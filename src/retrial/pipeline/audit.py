"""`retrial audit`: every printed number that can be recomputed, and what the models use instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.audit.check import Check, Verdict
from retrial.audit.run import apply_decisions, run_audit
from retrial.audit.table import render
from retrial.pipeline.results import audit_files
from retrial.pipeline.tables import patient_checks
from retrial.run_config import RunConfig
from retrial.store.progress import step
from retrial.study.study import Study


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Print the audit as a table and write `audit.csv`. Findings are the paper's, not failures of the run."""
    with step("audit"):
        checks, _ = audited(study)
        checks += patient_checks(run, study)
    audit_files(checks).write(folder)
    print(render(checks))
    return []


def audited(study: Study) -> tuple[list[Check], Study]:
    """Checks, and the study as the models may use it."""
    checks = run_audit(study)
    return checks, apply_decisions(study, checks)


def findings(checks: Sequence[Check]) -> list[Check]:
    """Checks whose verdict is not plain consistency."""
    return [check for check in checks if check.verdict in (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)]
