"""Power-scaling of sampled posteriors: survival models pooled over their tables, and the hierarchical models of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from retrial.data.counted import EFFECT, categories_of, complete_sets, graded_of, outcome_of
from retrial.dims import PRIOR, RECONSTRUCTION
from retrial.fit.posterior_file import WEIGHT, by_number
from retrial.fit.survival_likelihood import cell_log_likelihood, survival_data
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.priors.implied.power_scaling import pooled_log_density, sensitivity
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

CHAINS, DRAWS = 4, 1000
"""Draws behind a sensitivity: its simulation error is then about 0.01 (tested)."""
LOG_HAZARD_RATIO = "log_hazard_ratio"
Row = dict[str, Any]


def scaled_row(named: Row, draws: np.ndarray, log_prior: np.ndarray, log_likelihood: np.ndarray) -> Row:
    shape = (CHAINS, -1)
    found = sensitivity(draws.reshape(shape), log_prior.reshape(shape), log_likelihood.reshape(shape))
    numbers = {"psense_prior": found.prior, "psense_likelihood": found.likelihood, "pareto_k": found.pareto_k}
    return {**named, **numbers, "diagnosis": found.diagnosis}


def effect_rows(named: Row, logits: np.ndarray, p: np.ndarray, log_prior: np.ndarray, likelihood: np.ndarray) -> Iterator[Row]:
    """Log odds ratio and risk difference; columns of `logits` and `p` are the arms."""
    values = {("log_odds_ratio", RATIO): logits[:, 1] - logits[:, 0], ("risk_difference", DIFFERENCE): p[:, 1] - p[:, 0]}
    for (quantity, contrast), value in values.items():
        yield scaled_row({**named, "quantity": quantity, "contrast": contrast}, value, log_prior, likelihood)


def life_tables(run: RunConfig, spec: ModelSpec, study: Study, folder: Path) -> Iterator[Row]:
    """Survival models: draws pooled over the tables, each table's posterior scaled by itself."""
    for endpoint in study.endpoints:
        path = folder / f"posterior_{endpoint}_{spec.name}.nc"
        if not path.is_file():
            continue
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            posterior, observed = by_number(tree)
        weights = observed[WEIGHT].to_numpy()
        table = LifeTable(observed.drop_vars(WEIGHT))
        own = spec.on(table, weights)
        recorded = study.endpoints[endpoint].recorded
        for name in posterior[PRIOR].to_numpy():
            if str(name) not in run.priors:
                continue
            draws, share = _pooled(posterior.sel({PRIOR: name}), weights)
            likelihood = np.empty(share.size)
            for index in np.unique(share):
                rows = share == index
                likelihood[rows] = _survival_log_likelihood(
                    own, table, int(index), recorded, {k: v[rows] for k, v in draws.items()}
                )
            effect, prior = draws[LOG_HAZARD_RATIO], run.priors[str(name)].for_endpoint(endpoint)[LOG_HAZARD_RATIO]
            log_prior = pooled_log_density(prior.distribution.logpdf(effect), share)
            named = {
                "endpoint": endpoint,
                "quantity": LOG_HAZARD_RATIO,
                "contrast": RATIO,
                "model": spec.name,
                "prior": str(name),
            }
            yield scaled_row(named, effect, log_prior, pooled_log_density(likelihood, share))


def _pooled(posterior: xr.Dataset, weights: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws (draw, ...) over the tables by their weights, thinned, and the table that each is of."""
    total = CHAINS * DRAWS
    edges = np.round(np.cumsum(weights) / weights.sum() * total).astype(int)
    share = np.searchsorted(edges, np.arange(total), side="right")
    values = {}
    for name, value in posterior.data_vars.items():
        array = value.transpose(RECONSTRUCTION, "chain", "draw", ...).to_numpy()
        array = array.reshape(array.shape[0], -1, *array.shape[3:])
        values[str(name)] = np.concatenate([_thinned(array[m], int((share == m).sum())) for m in range(len(weights))])
    order = np.random.default_rng(total).permutation(total)
    return {name: value[order] for name, value in values.items()}, share[order]


def _thinned(array: np.ndarray, size: int) -> np.ndarray:
    return array[np.linspace(0, len(array) - 1, size).round().astype(int)]


def _survival_log_likelihood(
    spec: ModelSpec, table: LifeTable, index: int, recorded: Any, draws: Mapping[str, np.ndarray]
) -> np.ndarray:
    data = survival_data(table, index, recorded)
    columns = {name: value[..., None, None] for name, value in draws.items()}
    cells = cell_log_likelihood(spec.hazard_of(), data.times, data.previous, columns, data.recorded, np)
    used = data.counts > 0
    return (cells[:, used] * data.counts[used]).sum(axis=1)


def chains(run: RunConfig, spec: ModelSpec, study: Study, folder: Path) -> Iterator[Row]:
    """Hierarchical models: the common odds ratio, and the composite responses."""
    outcome = outcome_of(spec)
    path = folder / f"posterior_{outcome}_{spec.name}.nc"
    if not path.is_file():
        return
    data = categories_of(study) if spec.data == "categories" else graded_of(study)
    if data is None:
        return
    benefit = 1 if spec.data == "categories" else -1
    sets = complete_sets(run, spec, benefit)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        posterior = by_number(tree)[0].isel({RECONSTRUCTION: 0})
    for name in (str(item) for item in posterior[PRIOR].to_numpy() if str(item) in run.priors):
        draws = {
            str(key): _thinned(value.to_numpy().reshape(-1, *value.shape[2:]), CHAINS * DRAWS)
            for key, value in posterior.sel({PRIOR: name}).data_vars.items()
        }
        log_prior = sets[name][EFFECT].distribution.logpdf(draws[EFFECT])
        log_prior = log_prior if log_prior.ndim == 1 else log_prior.sum(axis=1)
        p = spec.probabilities_of(draws, data)
        likelihood = multinomial(data.patients.to_numpy(), p)
        named = {"endpoint": outcome, "model": spec.name, "prior": name}
        if draws[EFFECT].ndim == 1:
            about = {**named, "quantity": "common_log_odds_ratio", "contrast": RATIO}
            yield scaled_row(about, draws[EFFECT], log_prior, likelihood)
        for key, inside in _composites(study, spec).items():
            value = p[..., inside].sum(axis=-1)
            logits = np.log(value) - np.log1p(-value)
            yield from effect_rows({**named, "endpoint": key}, logits, value, log_prior, likelihood)


def _composites(study: Study, spec: ModelSpec) -> dict[str, list[int]]:
    """Positions of the categories of each composite."""
    if spec.data != "categories" or study.response is None:
        return {}
    names = list(study.response.categories)
    return {key: [names.index(name) for name in item.of] for key, item in study.response.composites.items()}


def multinomial(counts: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Σ y log p over arms (and terms) of probabilities (draw, arm, ..., category)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(p), 0.0)
    return terms.reshape(len(p), -1).sum(axis=1)
