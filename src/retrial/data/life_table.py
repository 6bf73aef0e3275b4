"""Survival models on the life tables of a run: fits, answers, diagnostics and the bands of the figures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from retrial.answers import curves
from retrial.answers.notes import empty_arms
from retrial.answers.rows import Subject
from retrial.answers.survival import follow_up_of, horizon_of, survival_rows
from retrial.criticism.pointwise import patients_observed
from retrial.dims import ARM, ARMS, RECONSTRUCTION, TIME
from retrial.estimate import Estimate
from retrial.fit.ensemble import EFFECT, Fitted, Question, fit_ensemble
from retrial.fit.posterior_file import posterior_tree
from retrial.fit.survival_likelihood import survival_data
from retrial.pipeline.criticism import Criticised, criticised
from retrial.pipeline.spread import variance_rows
from retrial.pipeline.tables import EndpointTables
from retrial.priors.prior_set import PriorSet
from retrial.report.data import LOWER, POINT, TIME_FINE, UPPER
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter, step

ANSWER_DRAWS = 24_000
"""Draws behind every answer: twice the 10,000 that interval limits ask for (METHODS 10), nearly independent after thinning."""
_BAND_POINTS = 121
"""Times of a posterior band: finer than a figure's pixels at print size."""
_BAND_DRAWS = 4000
"""Draws behind a band: its limits move by less than a line's width with more."""


@dataclasses.dataclass(frozen=True, eq=False)
class SurvivalResults:
    """Everything that the survival models of a run gave."""

    estimates: list[Estimate]
    diagnostics: pd.DataFrame
    bands: dict[str, xr.Dataset]
    failures: list[str]
    criticism: list[Criticised] = dataclasses.field(default_factory=list)
    variance: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def survival_posteriors(run: RunConfig, tables: Sequence[EndpointTables], folder: Path) -> SurvivalResults:
    """Fit each survival model of the run to every endpoint's tables under every prior set that speaks of a hazard ratio."""
    specs = [spec for spec in run.models.values() if spec.data == "life_table"]
    parts = [part for spec in specs if (part := _fit_model(run, spec, tables, folder)) is not None]
    if not parts:
        return SurvivalResults([], pd.DataFrame(), {}, [])
    return SurvivalResults(
        estimates=[row for part in parts for row in part.estimates],
        diagnostics=pd.concat([part.diagnostics for part in parts], ignore_index=True),
        bands={key: band for part in reversed(parts) for key, band in part.bands.items()},
        failures=[failure for part in parts for failure in part.failures],
        criticism=[item for part in parts for item in part.criticism],
        variance=[row for part in parts for row in part.variance],
    )


def _fit_model(run: RunConfig, spec: ModelSpec, tables: Sequence[EndpointTables], folder: Path) -> SurvivalResults | None:
    sets = {name: value for name, value in run.sets_for(spec).items() if value.speaks_of(EFFECT)}
    tables = [item for item in tables if any(value.speaks_of(EFFECT, item.endpoint) for value in sets.values())]
    if not tables:
        return None
    complete = {name: value.over(spec.priors) for name, value in sets.items()}
    specs = [spec.on(item.table, item.weights) for item in tables]
    questions = [
        Question(item.endpoint, item.table, item.weights, item.recorded, own.prepare)
        for own, item in zip(specs, tables, strict=True)
    ]
    total = sum(item.table.n_reconstructions for item in tables) * len(complete)
    with counter(f"fitting {spec.name}", total, "fits") as progress:
        fits = fit_ensemble(
            spec.name,
            spec.build,
            questions,
            complete,
            run.sampler_for(spec),
            run.limits,
            (run.seed, run.study_file.stem),
            progress,
        )
    rows: list[Estimate] = []
    bands = {}
    variance: list[dict[str, Any]] = []
    for own, fitted, question, item in zip(specs, fits, questions, tables, strict=True):
        path = folder / f"posterior_{item.endpoint}_{spec.name}.nc"
        _posterior(run, own, fitted, question, complete).to_netcdf(path, engine="h5netcdf")
        rows += _answers(run, own, fitted, item)
        bands[item.endpoint] = _band(run, own, fitted, item)
        variance += variance_rows(run, own, fitted, item)
    failures = [
        f"{fitted.endpoint}, {spec.name}, prior {prior}: {fitted.status(prior)}"
        for fitted in fits
        for prior in fitted.draws
        if fitted.status(prior) != "ok"
    ]
    with step(f"criticising {spec.name}"):
        criticism = [criticised(run, own, fitted, question) for own, fitted, question in zip(specs, fits, questions, strict=True)]
    return SurvivalResults(rows, _diagnostic_rows(fits), bands, failures, criticism, variance)


def _posterior(
    run: RunConfig, spec: ModelSpec, fitted: Fitted, question: Question, complete: Mapping[str, PriorSet]
) -> xr.DataTree:
    """The fits of one endpoint as ArviZ reads them."""
    priors = {name: complete[name].for_endpoint(fitted.endpoint) for name in fitted.draws}
    data = question.prepare(survival_data(question.table, 0, question.recorded))
    return posterior_tree(
        spec.build(data, next(iter(priors.values()))),
        fitted.draws,
        priors,
        patients_observed(spec.hazard_of(), question),
        {"model": spec.name, "endpoint": fitted.endpoint, "inference_library": str(run.sampler.engine)},
    )


def _answers(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables) -> list[Estimate]:
    horizon, hazard = horizon_of(item.table, run.questions), spec.hazard_of()
    events = item.table.events.sum(TIME).max(RECONSTRUCTION).to_numpy()
    # everybody may have the event in time: only an arm without one has no likelihood of its own
    note, follow_up = empty_arms(events, [math.inf] * len(ARMS)), follow_up_of(item.table)

    def under(prior: str) -> list[Estimate]:
        subject = Subject(item.endpoint, "", spec.name, prior, item.source, fitted.status(prior), note)
        return survival_rows(subject, hazard, _pooled(run, fitted, prior), horizon, run.questions, spec.proportional, follow_up)

    with ThreadPoolExecutor(run.sampler.threads) as pool:
        return [row for rows in pool.map(under, fitted.draws) for row in rows]


def _pooled(run: RunConfig, fitted: Fitted, prior: str) -> dict[str, np.ndarray]:
    pooled = fitted.pooled(prior, integer_seed(run.seed, "pool", fitted.endpoint, fitted.model, prior))
    size = next(iter(pooled.values())).shape[0]
    # evenly thinned: the draws are ordered by table, so every table keeps its share
    rows = np.linspace(0, size - 1, min(size, ANSWER_DRAWS)).round().astype(int)
    return {name: values[rows] for name, values in pooled.items()}


def _band(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables) -> xr.Dataset:
    """Posterior of S(t) under the main prior that the model was fitted with."""
    prior = run.main_prior if run.main_prior in fitted.draws else next(iter(fitted.draws))
    pooled = _pooled(run, fitted, prior)
    size = next(iter(pooled.values())).shape[0]
    rows = np.linspace(0, size - 1, min(size, _BAND_DRAWS)).astype(int)
    times = np.linspace(0.0, float(item.table.times[-1]), _BAND_POINTS)
    values = curves.survival(spec.hazard_of(), {name: value[rows] for name, value in pooled.items()}, times)
    low, middle, high = np.quantile(values, [run.questions.tail, 0.5, 1 - run.questions.tail], axis=0)
    dims = (ARM, TIME_FINE)
    attributes: dict[str, Any] = {
        "model": spec.name,
        "prior": prior,
        "level": run.questions.level,
        "status": fitted.status(prior),
    }
    return xr.Dataset(
        {POINT: (dims, middle), LOWER: (dims, low), UPPER: (dims, high)}, {ARM: list(ARMS), TIME_FINE: times}, attributes
    )


def _diagnostic_rows(fits: Sequence[Fitted]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "endpoint": fitted.endpoint,
                "model": fitted.model,
                "prior": prior,
                "reconstruction": index,
                **dataclasses.asdict(item),
            }
            for fitted in fits
            for prior, items in fitted.diagnostics.items()
            for index, item in enumerate(items)
        ]
    )
