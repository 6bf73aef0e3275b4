"""Criticism of the survival models of a run: leave-one-out scores, LOO-PIT, stacking, predictive Kaplan-Meier bands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from retrial.criticism.ensemble import (
    PREDICTIVE_DRAWS,
    QUANTILES,
    ModelCriticism,
    criticise,
    mean_pit,
    posterior_studies,
    prior_studies,
)
from retrial.criticism.predictive import prior_draws, scheme_of
from retrial.criticism.summary import pit_rows, summary_rows
from retrial.dims import ARM, ARMS, TIME
from retrial.fit.ensemble import Fitted, Question
from retrial.fit.survival_likelihood import survival_data
from retrial.report.data import MODEL, PREDICTIVE, PREDICTIVES, QUANTILE, STATUS, SURVIVAL
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.store.progress import step


@dataclasses.dataclass(frozen=True, eq=False)
class Criticised:
    """What is kept of one endpoint's fits by one model: scores table by table, LOO-PIT rows, bands (predictive, arm, quantile, time)."""

    criticism: ModelCriticism
    pit: list[dict[str, object]]
    bands: np.ndarray
    times: np.ndarray
    status: str


def criticised(run: RunConfig, spec: ModelSpec, fitted: Fitted, question: Question) -> Criticised:
    """Criticise one model under the main prior (the first fitted one, where the main prior does not speak of this endpoint)."""
    prior = run.main_prior if run.main_prior in fitted.draws else next(iter(fitted.draws))
    hazard = spec.hazard_of()
    criticism = criticise(hazard, fitted, prior, question)
    priors = run.priors[prior].over(spec.priors).for_endpoint(question.endpoint)
    # the model is built, never compiled: it only names its parameters
    model = spec.build(spec.prepare(survival_data(question.table, 0, question.recorded)), priors)
    content = (run.study_file.stem, question.endpoint, spec.name, prior)
    before, after = (np.random.default_rng(seed_sequence(run.seed, *content, name)) for name in PREDICTIVES)
    studies = [
        prior_studies(hazard, prior_draws(model, priors, PREDICTIVE_DRAWS, before), question, before),
        posterior_studies(hazard, fitted, prior, question, after),
    ]
    times = scheme_of(question.table, question.recorded).times
    nothing = np.full((len(QUANTILES), len(ARMS), times.size), np.nan)
    bands = np.stack([nothing if found is None else np.quantile(found, QUANTILES, axis=0) for found in studies])
    pit = pit_rows(criticism, mean_pit(criticism, question.recorded))
    return Criticised(criticism, pit, bands, times, fitted.status(prior))


def write_criticism(parts: Sequence[Criticised], folder: Path) -> None:
    """criticism.csv, loo_pit.csv and predictive_ENDPOINT.nc of a run; nothing where no survival model was fitted."""
    if not parts:
        return
    with step("model criticism"):
        endpoints = dict.fromkeys(part.criticism.endpoint for part in parts)
        groups = {name: [part for part in parts if part.criticism.endpoint == name] for name in endpoints}
        rows = [row for group in groups.values() for row in summary_rows([part.criticism for part in group])]
        pd.DataFrame(rows).to_csv(folder / "criticism.csv", index=False)
        pit = [row for group in groups.values() for part in group for row in part.pit]
        if pit:
            pd.DataFrame(pit).to_csv(folder / "loo_pit.csv", index=False)
        for name, group in groups.items():
            _bands(group).to_netcdf(folder / f"predictive_{name}.nc", engine="h5netcdf")


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
