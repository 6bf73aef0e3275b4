"""`retrial reconstruct`: life tables that carry the printed survival numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.experiments.audit import audited
from retrial.experiments.tables import endpoint_tables, save_tables

from retrial.config import RunConfig
from retrial.study.study import Study


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Audit, reconstruct, and write reconstruction_ENDPOINT.nc and fidelity.csv."""
    _, used = audited(study, folder)
    save_tables(endpoint_tables(run, used), folder)
    return []
