"""Everything a run says of its priors beside the posteriors: densities, prior predictive, conflict and power-scaling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.estimate import Estimate
from retrial.pipeline.conflict import conflict_table
from retrial.pipeline.power_scaling import power_scaling_table
from retrial.pipeline.prior_predictive import prior_predictive
from retrial.pipeline.tables import EndpointTables
from retrial.pipeline.used import used_sets
from retrial.priors.implied.densities import density_rows
from retrial.run_config import RunConfig
from retrial.study.study import Study


def write_prior_checks(
    run: RunConfig, study: Study, tables: Sequence[EndpointTables], estimates: Sequence[Estimate], folder: Path
) -> None:
    """Write prior_densities.csv, prior_predictive.csv, conflict.csv and power_scaling.csv; a table without rows is not written.

    Reads the sampled posteriors that the run has written to `folder`.
    """
    frames = {
        "prior_densities": pd.DataFrame([row for prior_set in used_sets(run, estimates) for row in density_rows(prior_set)]),
        "prior_predictive": prior_predictive(run, study, tables, estimates),
        "conflict": conflict_table(run, study),
        "power_scaling": power_scaling_table(run, study, folder),
    }
    for name, frame in frames.items():
        if not frame.empty:
            frame.to_csv(folder / f"{name}.csv", index=False)
