"""`retrial audit`: every printed number that can be recomputed, and what the models use instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.audit.check import Check, Verdict
from retrial.audit.run import audited
from retrial.audit.table import render
from retrial.pipeline.arms.comparisons import write_audit
from retrial.run_config import RunConfig
from retrial.store.progress import step
from retrial.store.stages import Stages
from retrial.store.tables import read_rows
from retrial.study.arms.many import MultiArmStudy
from retrial.study.study import Study


def work(run: RunConfig, study: Study | MultiArmStudy, folder: Path) -> Sequence[str]:
    """Print the audit as a table and write `audit.csv`. Findings are the paper's, not failures of the run."""
    with step("audit"):
        write_audit(run, study, folder)
    print(render(read_rows(folder, "audit", Check)))
    return []


def audit_stage(stages: Stages, study: Study) -> tuple[list[Check], Study]:
    """The same, kept; the study that models use knows what its file calls the arms."""
    checks, used = stages.run("audit", audited, study)
    return checks, used.called(study.names)


def findings(checks: Sequence[Check]) -> list[Check]:
    """Checks whose verdict is not plain consistency."""
    return [check for check in checks if check.verdict in (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)]
