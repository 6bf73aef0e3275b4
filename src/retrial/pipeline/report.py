"""`retrial report`: the report of a finished re-analysis, laid out again (run first where there is none)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.pipeline import reanalyse
from retrial.pipeline.layout import lay_out_report
from retrial.run_config import RunConfig
from retrial.store.folders import finish, open_run, read_manifest
from retrial.store.manifest import describe
from retrial.study.study import Study


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Find the re-analysis that was asked the same, or run it, and lay out its report in `folder`."""
    source = run.output_dir / "reanalyse" / folder.parent.name / folder.name
    with open_run(source, force=False) as place:
        if place is not None:
            finish(place, describe(run, study, list(reanalyse.work(run, study, place)), 0.0))
    lay_out_report(run, study, source, folder)
    return list(read_manifest(source)["failures"])
