"""`retrial fit`: one model under one prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.data.closed_form import count_posteriors, failed_in_words, ratio_posteriors
from retrial.data.hierarchical import hierarchical_posteriors
from retrial.data.life_table import survival_posteriors
from retrial.errors import DataError, PriorError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import published_effects
from retrial.pipeline.audit import audited
from retrial.pipeline.criticism import write_criticism
from retrial.pipeline.reanalyse import write_results
from retrial.pipeline.spread import write_spread
from retrial.pipeline.tables import Reconstructions, endpoint_tables, refused, save_tables
from retrial.pipeline.used import missing_effects
from retrial.run_config import RunConfig
from retrial.study.study import Study

_SHOWN = ("hazard_ratio", "odds_ratio", "risk_ratio", "common_odds_ratio", "effect_sd")
"""Quantities that the command prints; estimates.csv has all."""


def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """Audit, tables where the model needs them, one posterior; writes estimates.csv, diagnostics.csv, posterior_*.nc.

    Raises `PriorError` where the prior says nothing of what the model needs, before anything is computed.
    """
    if missing := missing_effects(run, study):
        raise PriorError(f"cannot fit under the prior {run.main_prior}", missing)
    checks, used = audited(study, folder)
    needs_tables = any(spec.data == "life_table" for spec in run.models.values())
    reconstructed = endpoint_tables(run, used, refused(study, checks)) if needs_tables else Reconstructions([], [], [])
    tables = reconstructed.tables
    save_tables(tables, folder)
    survival = survival_posteriors(run, tables, folder)
    counted = hierarchical_posteriors(run, used, folder)
    closed = [*ratio_posteriors(run, used), *count_posteriors(run, used)]
    estimates: list[Estimate] = [*closed, *survival.estimates, *counted.estimates]
    if not estimates and not reconstructed.failures and not counted.failures:
        words = f"the study has no data for the model {', '.join(run.models)} of which the prior {run.main_prior} speaks"
        raise DataError("nothing to fit", [words])
    write_results(run, estimates, pd.concat([survival.diagnostics, counted.table], ignore_index=True), folder)
    write_criticism(survival.criticism, folder)
    write_spread(run, used, survival.variance, [*published_effects(study), *estimates], folder)
    for row in estimates:
        if (row.quantity in _SHOWN and row.statistic == "value") or row.failed:
            interval = f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})"
            told = "; ".join(part for part in (row.status, row.note) if part)
            about = ", ".join(part for part in (f"prior {row.prior}", row.variant, row.adjusted_for) if part)
            name = row.quantity if math.isnan(row.time) else f"{row.quantity} at {row.time:g}"
            print(f"{row.endpoint:<12} {name:<14} {interval}  {row.contrast}  {about}  {told}")
    return [*reconstructed.failures, *survival.failures, *counted.failures, *failed_in_words(closed)]
