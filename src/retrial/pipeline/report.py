"""`retrial report`: the report of a re-analysis (run first where there is none, from the stages that are there)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from retrial.pipeline import reanalyse
from retrial.run_config import RunConfig
from retrial.store.artefacts import REPORT, artefact_of
from retrial.store.crate import finish_run
from retrial.store.files import link
from retrial.store.folders import FILES, open_run, read_manifest
from retrial.store.manifest import describe
from retrial.study.arms.many import MultiArmStudy
from retrial.study.study import Study

log = logging.getLogger("retrial")


def work(run: RunConfig, study: Study | MultiArmStudy, folder: Path) -> Sequence[str]:
    """Find the re-analysis that was asked the same, or run it; its report, which this program laid out, gets a second name in `folder`."""
    source = run.output_dir / "reanalyse" / folder.parent.name / folder.name
    with open_run(source, force=False) as place:
        if place is not None:
            others = sorted(path.name for path in source.parent.glob("*") if path.is_dir() and path != source)
            there = f" (there of other settings: {', '.join(others)})" if others else ""
            log.warning("%s: no finished re-analysis with these settings%s; running it first", source.parent, there)
            finish_run(place, describe(run, study, list(reanalyse.work(run, study, place)), 0.0))
    manifest = read_manifest(source)
    for name in manifest[FILES]:
        if artefact_of(name) in REPORT:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            link(source / name, folder / name)
    return list(manifest["failures"])
