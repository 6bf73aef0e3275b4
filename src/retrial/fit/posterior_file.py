"""The posteriors of one model in one NetCDF file that ArviZ reads: every prior and table, pointwise log densities for some of them.

    posterior       every parameter (prior, reconstruction, chain, draw, own dim), in single precision: a draw's Monte Carlo error is a
                    hundred thousand times its rounding
    sample_stats    diverging (prior, reconstruction, chain, draw)
    observed_data   what was fitted (reconstruction, ...)
    log_likelihood  log p(one observation | draw) (prior, reconstruction, observation, chain, draw)
    log_prior       log density of each parameter that the prior set speaks of (prior, reconstruction, chain, draw, own dim)

`reconstruction` is the table (one, where nothing was reconstructed), with its `weight` as a coordinate. The typical table is first in
every group, then those that also have pointwise values: `isel` means the same table and prior in all groups, `sel` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from retrial.dims import CHAIN, DRAW, PRIOR, RECONSTRUCTION
from retrial.fit.engine import Draws
from retrial.priors.prior_set import PriorSet

OBSERVATION, WEIGHT = "observation", "weight"
MOST_VALUES = 2**25
"""Log-likelihoods in a file: 130 MB in memory, on disk about a tenth, where patients of one cell pack together."""
_CHUNK_DRAWS = 400
"""Draws packed together: equal patients are then within the 32 kB in which gzip looks for repetitions."""
_PACKED = {"zlib": True, "complevel": 1, "shuffle": True}


@dataclass(frozen=True, eq=False)
class Observed:
    """What posteriors are of.

    data            the fitted data, (reconstruction, ...)
    weights         (reconstruction,), adding to 1
    leading         numbers of the tables that are to have pointwise values, the typical one first
    log_likelihood  table, draws (draw, ...) -> (draw, observation), observations independent given the parameters
    observations    table -> what each observation is, name -> (observation,)
    """

    data: xr.Dataset
    weights: np.ndarray
    leading: np.ndarray
    log_likelihood: Callable[[int, Mapping[str, np.ndarray]], np.ndarray]
    observations: Callable[[int], Mapping[str, np.ndarray]]


def posterior_tree(
    model: pm.Model,
    fits: Mapping[str, Sequence[Draws]],
    priors: Mapping[str, PriorSet],
    observed: Observed,
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """Groups of `fits[prior][table]`, to be written by `to_netcdf`, packed; the same fits give the same bytes.

    `priors` are the complete sets, by the names in `fits`. The model need not be compiled: it names its observed variable, and dims
    and coordinates of its parameters.
    """
    names, tables = _with_pointwise(fits, observed)
    others = np.setdiff1d(np.arange(observed.weights.size), observed.leading)
    order = np.concatenate([observed.leading, others])
    whole = _labels(fits, list(fits), observed, order)
    found = {"posterior": _posterior(model, fits, whole, attributes), "sample_stats": _sample_stats(fits, whole)}
    if names:
        some = _labels(fits, names, observed, tables)
        found["log_likelihood"] = _log_likelihood(str(model.observed_RVs[0].name), fits, observed, some)
        found["log_prior"] = _log_prior(model, fits, priors, some)
    for group in found.values():
        for variable in group.data_vars.values():
            variable.encoding = dict(_PACKED)
            if OBSERVATION in variable.dims:
                draws = min(variable.sizes[DRAW], _CHUNK_DRAWS)
                variable.encoding["chunksizes"] = (1, 1, variable.sizes[OBSERVATION], 1, draws)
    where = {key: whole[key] for key in (RECONSTRUCTION, WEIGHT)}
    found["observed_data"] = observed.data.isel({RECONSTRUCTION: order}).assign_coords(where)
    return xr.DataTree.from_dict(found)


def by_number(tree: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset]:
    """The groups `posterior` and `observed_data`, tables in the order of their numbers."""
    posterior, observed = (tree[group].to_dataset().load().sortby(RECONSTRUCTION) for group in ("posterior", "observed_data"))
    return posterior, observed


def typical_posterior(path: Path, prior: str) -> xr.Dataset:
    """Draws (chain, draw, own dim) on the typical table, under a prior (the first one where it is not in the file); `attrs` say which."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        whole = tree["posterior"].to_dataset()
        names = [str(name) for name in whole[PRIOR].to_numpy()]
        place = names.index(prior) if prior in names else 0
        one = whole.isel({PRIOR: place, RECONSTRUCTION: 0}).load()
        told = {"prior": names[place], "table": int(one[RECONSTRUCTION]), "tables": whole.sizes[RECONSTRUCTION]}
    return one.drop_vars([PRIOR, RECONSTRUCTION, WEIGHT]).assign_attrs(told)


def _with_pointwise(fits: Mapping[str, Sequence[Draws]], observed: Observed) -> tuple[list[str], np.ndarray]:
    """Priors and tables with pointwise values: the typical table under as many priors as there is room for, then more tables."""
    draws = next(iter(fits.values()))[0].diverging.size
    room = MOST_VALUES // (draws * max(_count(observed.observations(int(table))) for table in observed.leading))
    return list(fits)[:room], observed.leading[: max(room // len(fits), 1)]


def _count(observations: Mapping[str, np.ndarray]) -> int:
    return next(iter(observations.values())).size


def _labels(fits: Mapping[str, Sequence[Draws]], names: Sequence[str], observed: Observed, tables: np.ndarray) -> dict[str, Any]:
    chains, draws = next(iter(fits.values()))[0].diverging.shape
    places = {PRIOR: list(names), RECONSTRUCTION: tables, CHAIN: np.arange(chains), DRAW: np.arange(draws)}
    return {**places, WEIGHT: (RECONSTRUCTION, observed.weights[tables])}


def _stacked(value_of: Callable[[str, int], np.ndarray], labels: Mapping[str, Any]) -> np.ndarray:
    """(prior, reconstruction, ...) of what is had fit by fit."""
    return np.stack([np.stack([value_of(prior, int(k)) for k in labels[RECONSTRUCTION]]) for prior in labels[PRIOR]])


def _own_dims(model: pm.Model, name: str, extra: int) -> dict[str, Any]:
    """Dims of a parameter and their coordinates, as its model names them; else as ArviZ would."""
    dims = model.named_vars_to_dims.get(name, tuple(f"{name}_dim_{i}" for i in range(extra)))
    return {str(dim): model.coords.get(dim) for dim in dims}


def _variables(
    model: pm.Model, names: Sequence[str], labels: Mapping[str, Any], value_of: Callable[[str, str, int], np.ndarray]
) -> xr.Dataset:
    """Parameters or what belongs to each, (prior, reconstruction, chain, draw, own dim)."""
    variables, coords = {}, dict(labels)
    for name in names:
        values = _stacked(lambda prior, k, name=name: value_of(name, prior, k).astype(np.float32), labels)  # type: ignore[misc]
        own = _own_dims(model, name, values.ndim - 4)
        variables[name] = ((PRIOR, RECONSTRUCTION, CHAIN, DRAW, *own), values)
        coords |= {dim: list(items) for dim, items in own.items() if items is not None}
    return xr.Dataset(variables, coords)


def _posterior(
    model: pm.Model, fits: Mapping[str, Sequence[Draws]], labels: Mapping[str, Any], attributes: Mapping[str, Any]
) -> xr.Dataset:
    names = list(next(iter(fits.values()))[0].values)
    found = _variables(model, names, labels, lambda name, prior, k: fits[prior][k].values[name])
    return found.assign_attrs({**attributes, "creation_library": "retrial", "creation_library_language": "Python"})


def _sample_stats(fits: Mapping[str, Sequence[Draws]], labels: Mapping[str, Any]) -> xr.Dataset:
    diverging = _stacked(lambda prior, k: fits[prior][k].diverging, labels)
    return xr.Dataset({"diverging": ((PRIOR, RECONSTRUCTION, CHAIN, DRAW), diverging)}, labels)


def _log_prior(
    model: pm.Model, fits: Mapping[str, Sequence[Draws]], priors: Mapping[str, PriorSet], labels: Mapping[str, Any]
) -> xr.Dataset:
    """Standard normal effects of a hierarchy are part of the model, not of its priors."""
    names = [name for name in fits[labels[PRIOR][0]][0].values if all(name in priors[prior].priors for prior in labels[PRIOR])]

    def density(name: str, prior: str, k: int) -> np.ndarray:
        return np.asarray(priors[prior][name].distribution.logpdf(fits[prior][k].values[name]))

    told = {"note": "log prior density of each parameter that the prior set or the model's own priors state"}
    return _variables(model, names, labels, density).assign_attrs(told)


def _log_likelihood(name: str, fits: Mapping[str, Sequence[Draws]], observed: Observed, labels: Mapping[str, Any]) -> xr.Dataset:
    """A table with fewer observations than another one has missing values at its end."""
    items = [observed.observations(int(table)) for table in labels[RECONSTRUCTION]]
    size = max(_count(item) for item in items)

    def one(prior: str, k: int) -> np.ndarray:
        fit = fits[prior][k]
        draws = {name: value.reshape(fit.diverging.size, *value.shape[2:]) for name, value in fit.values.items()}
        found = observed.log_likelihood(k, draws).T.astype(np.float32)
        return np.pad(found, ((0, size - len(found)), (0, 0)), constant_values=np.nan).reshape(size, *fit.diverging.shape)

    about = {
        key: ((RECONSTRUCTION, OBSERVATION), np.stack([np.pad(item[key], (0, size - _count(item)), "edge") for item in items]))
        for key in items[0]
    }
    values = {name: ((PRIOR, RECONSTRUCTION, OBSERVATION, CHAIN, DRAW), _stacked(one, labels))}
    note = "log p(one observation | draw), every observation of weight 1"
    return xr.Dataset(values, {**labels, OBSERVATION: np.arange(size), **about}, {"note": note})
