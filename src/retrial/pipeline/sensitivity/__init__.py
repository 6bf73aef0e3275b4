"""`retrial sensitivity`: how much scepticism or confounding the printed treatment effects survive."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from retrial.data.kind import failed_in_words
from retrial.errors import DataError
from retrial.estimate import to_frame
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.arms.single import NOT_RUN
from retrial.pipeline.audit import audited
from retrial.pipeline.results import audit_files
from retrial.run_config import RunConfig
from retrial.sensitivity.confounding import benchmark_estimates
from retrial.sensitivity.credibility import credibility_estimates
from retrial.sensitivity.evalue import e_value_estimates
from retrial.store.tables import write_table
from retrial.study.study import Study

log = logging.getLogger("retrial")


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Reverse-Bayes and E-values of every printed treatment effect, in closed form, and one more confounder; writes estimates.csv.

    Returns the rows that must not be used.
    """
    checks, used = audited(study)
    audit_files(checks).write(folder)
    rows = [*e_value_estimates(used), *credibility_estimates(used), *benchmark_estimates(used, run.questions, run.seed)]
    if not rows and study.one_arm:
        log.info("sensitivity: %s", NOT_RUN)
        return []
    if not rows:
        raise DataError("nothing to do", ["effects: got no treatment effect with an interval or p; one is needed"])
    frame = to_frame(rows)
    write_table(folder, "estimates", frame)
    shown = frame[frame["statistic"] == "value"][["endpoint", "quantity", "contrast", "point", "model"]]
    print(shown.assign(contrast=shown["contrast"].map(study.names.contrast)).to_string(index=False))
    return failed_in_words(rows)
