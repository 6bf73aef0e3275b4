"""The results of a run as files: which frames and arrays there are under which names. The only place of the pipeline that writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from retrial.answers.agreement import agreements
from retrial.audit import check
from retrial.criticism.ensemble import PREDICTIVE_DRAWS, QUANTILES
from retrial.criticism.summary import summary_rows
from retrial.data.kind import Fits
from retrial.data.survival_checks import Criticised
from retrial.dims import ARM, ARMS, MODEL, PREDICTIVE, PREDICTIVES, QUANTILE, RECONSTRUCTION, STATUS, SURVIVAL, TIME
from retrial.estimate import Estimate, to_frame
from retrial.fit.evidence import evidence_rows, probability_rows
from retrial.fit.posterior_file import WEIGHT
from retrial.frequentist.ratios import published_effects
from retrial.pipeline.priors import used_sets
from retrial.pipeline.probes import Probed
from retrial.priors.prior_set import implied
from retrial.run_config import RunConfig
from retrial.store.artefacts import path_of
from retrial.store.stages import write_arrays
from retrial.store.tables import write_table
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import to_dataset

Arrays = dict[tuple[str, ...], xr.Dataset | xr.DataTree]


@dataclass(frozen=True, eq=False)
class Files:
    """Tables and arrays of a run by the names that `store.artefacts` has for them; beside an array's the endpoint (and model)."""

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write all of them."""
        for name, frame in self.frames.items():
            write_table(folder, name, frame)
        for (name, *keys), arrays in self.arrays.items():
            write_arrays(arrays, path_of(folder, name, *keys))


def audit_files(checks: Sequence[check.Check]) -> Files:
    """audit.csv."""
    return Files({"audit": check.to_frame(checks)})


def table_files(tables: Sequence[EndpointTables]) -> Files:
    """reconstruction_ENDPOINT.nc (tables, weights, readings), fidelity.csv and readings.csv."""
    arrays: Arrays = {}
    for item in tables:
        data = item.table.data.assign(weight=(RECONSTRUCTION, item.weights))
        if item.ensemble is not None:
            names = [reading.name for reading in item.ensemble.readings]
            data = data.assign(reading=(RECONSTRUCTION, names), island=(RECONSTRUCTION, item.ensemble.islands))
            data = data.assign_attrs(seed=item.ensemble.seed)
        arrays["reconstruction", item.endpoint] = data.assign_attrs(
            source=item.source, notes="\n".join([f"{item.source}." if item.notes else item.source, *item.notes])
        )
    reports = [item.fidelity for item in tables if item.fidelity is not None]
    health = [item.ensemble.health() for item in tables if item.ensemble is not None]
    frames = {"fidelity": reports, "readings": health}
    return Files({name: pd.concat(parts, ignore_index=True) for name, parts in frames.items() if parts}, arrays)


def probe_files(probed: Probed) -> Files:
    """spread.csv, and where they were asked for leave_one_out.csv, strict_comparison.csv and strict_ENDPOINT.nc."""
    strict: Arrays = {("strict", endpoint): to_dataset(ensemble) for endpoint, ensemble in probed.strict.items()}
    return Files(probed.frames, strict)


def result_files(
    run: RunConfig, study: Study, estimates: Sequence[Estimate], fits: Fits, printed: Sequence[Estimate] = ()
) -> Files:
    """estimates.csv, diagnostics.csv, evidence.csv, model_probabilities.csv, priors.csv, agreement.csv, variance.csv and multivariable.csv;
    posterior_ENDPOINT_MODEL.nc, of models with covariates posterior_ENDPOINT_MODEL_adjusted.nc, and band_ENDPOINT.nc.

    `study` as the audit lets it be used; `printed` are the ratios as printed, where the estimates do not hold them.
    """
    priors = [row for prior_set in used_sets(run, study, estimates) for row in implied(prior_set, run.questions.level)]
    agreed = [
        dataclasses.asdict(row) for row in agreements([*printed, *estimates], published_effects(study), run.questions.agreement)
    ]
    rows = {
        "diagnostics": fits.diagnostics,
        "priors": priors,
        "variance": fits.variance,
        "multivariable": fits.multivariable,
        "joint_posteriors": fits.joint,
        "agreement": agreed,
    }
    frames = {name: pd.DataFrame(list(found)) for name, found in rows.items()}
    frames["evidence"] = evidence_rows(fits.diagnostics, {place: _weights(tree) for place, tree in fits.posteriors.items()})
    frames["model_probabilities"] = probability_rows(frames["evidence"])
    posteriors: Arrays = {("posterior", *place): tree for place, tree in fits.posteriors.items()}
    posteriors |= {("posterior", endpoint, f"{model}_adjusted"): tree for (endpoint, model), tree in fits.adjusted.items()}
    bands: Arrays = {("band", endpoint): band for endpoint, band in fits.bands.items()}
    return Files({"estimates": to_frame(estimates), **frames}, {**posteriors, **bands})


def _weights(tree: xr.DataTree) -> np.ndarray:
    """Weights of the tables of a posterior, in the order of their numbers."""
    return tree["posterior"][WEIGHT].to_series().sort_index().to_numpy()


def criticism_files(parts: Sequence[Criticised]) -> Files:
    """criticism.csv, loo_pit.csv and predictive_ENDPOINT.nc of a run; nothing where no survival model was fitted."""
    endpoints = dict.fromkeys(part.criticism.endpoint for part in parts)
    groups = {name: [part for part in parts if part.criticism.endpoint == name] for name in endpoints}
    rows = [row for group in groups.values() for row in summary_rows([part.criticism for part in group])]
    pit = [row for group in groups.values() for part in group for row in part.pit]
    frames = {"criticism": pd.DataFrame(rows), "loo_pit": pd.DataFrame(pit)}
    return Files(frames, {("predictive", name): _bands(group) for name, group in groups.items()})


def _bands(group: Sequence[Criticised]) -> xr.Dataset:
    dims = (MODEL, PREDICTIVE, QUANTILE, ARM, TIME)
    coords = {
        MODEL: [part.criticism.model for part in group],
        PREDICTIVE: list(PREDICTIVES),
        QUANTILE: list(QUANTILES),
        ARM: list(ARMS),
        TIME: group[0].times,
    }
    variables = {SURVIVAL: (dims, np.stack([part.bands for part in group])), STATUS: (MODEL, [part.status for part in group])}
    return xr.Dataset(variables, coords, {"prior": group[0].criticism.prior, "draws": PREDICTIVE_DRAWS})
