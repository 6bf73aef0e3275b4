"""`retrial report`: the report of a finished re-analysis, laid out again (run first where there is none)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.config import RunConfig
from retrial.experiments import reanalyse
from retrial.experiments.layout import lay_out_report
from retrial.manifest import describe
from retrial.store import finish, open_run, read_manifest
from retrial.study.study import Study


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Find the re-analysis that was asked the same, or run it, and lay out its report in `folder`."""
    source = run.output_dir / "reanalyse" / folder.parent.name / folder.name
    with open_run(source, force=False) as work_to_do:
        if work_to_do:
            finish(source, describe(run, study, source, list(reanalyse.work(run, study, source)), 0.0))
    lay_out_report(run, study, source, folder)
    return list(read_manifest(source)["failures"])
