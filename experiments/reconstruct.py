"""`retrial reconstruct`: life tables that carry the printed survival numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.answers.survival import horizon_of
from retrial.audit.check import to_frame
from retrial.compare.estimate import to_frame as estimates_to_frame
from retrial.config import RunConfig
from retrial.errors import DataError
from retrial.experiments.audit import add_joint, audited
from retrial.experiments.frequentist import table_rows
from retrial.experiments.layout import draw_curves
from retrial.experiments.tables import EndpointTables, endpoint_tables, save_tables
from retrial.study.study import Study


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Reconstruct, and write reconstruction_ENDPOINT.nc, fidelity.csv, readings.csv, estimates.csv (spread) and figures/."""
    checks, used = audited(study, folder)
    found = endpoint_tables(run, used)
    if not found.tables and not found.failures:
        raise DataError("nothing to reconstruct", ["endpoints: got none with patients, medians, numbers at risk or a curve"])
    add_joint(checks, found.checks, folder)
    save_tables(found.tables, folder)
    estimates_to_frame([row for item in found.tables for row in table_rows(run, item)]).to_csv(
        folder / "estimates.csv", index=False
    )
    draw_curves(study, folder)
    for item in found.tables:
        print(_summary(run, item))
    if found.checks:
        print(to_frame(found.checks)[["claim", "verdict", "recomputed", "note"]].to_string(index=False, max_colwidth=90))
    return found.failures


def _summary(run: RunConfig, item: EndpointTables) -> str:
    """One line: how many tables, and in how many every printed number agrees."""
    agreement = pd.DataFrame() if item.fidelity is None else item.fidelity
    shared = agreement["agreement"].min() if "agreement" in agreement else float("nan")
    horizon = horizon_of(item.table, run.questions)
    return (
        f"{item.endpoint}: {item.source}; least agreement of a statistic {shared:.0%}; follow-up of both arms {horizon:g} months"
    )
