"""Compile a model once, fit it to many data sets and priors: results are arrays, never sampler objects."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import nutpie
import pyarrow
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.model.fgraph import ModelNamed, fgraph_from_model, model_from_fgraph
from pytensor.compile import SharedVariable
from pytensor.graph import FunctionGraph
from pytensor.graph.replace import clone_replace

from retrial.dims import RAW
from retrial.errors import FitError
from retrial.fit import callbacks
from retrial.fit.settings import Adaptation, Sampler, SamplerSettings
from retrial.priors import pymc_priors
from retrial.priors.prior_set import PriorSet

PACKED = "packed_data"


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A model whose only shared variable is the vector `packed_data`, and where each former `pm.Data` lies in it."""

    model: pm.Model
    initial: np.ndarray
    places: Mapping[str, tuple[slice, tuple[int, ...]]]

    def values(self, updates: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector with these data in it; names that the model has no data for are left out.

        Raises `FitError` where an array has another shape than the one compiled in.
        """
        return self.changed(self.initial, updates)

    def changed(self, vector: np.ndarray, updates: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of another vector than the model's own."""
        vector = vector.copy()
        for name, value in updates.items():
            if name not in self.places:
                continue
            place, shape = self.places[name]
            if np.shape(value) != shape:
                raise FitError(
                    f"data {name}: got the shape {np.shape(value)}; allowed is {shape}, which the model was compiled for"
                )
            vector[place] = np.ravel(value)
        return vector


def packed(model: pm.Model) -> PackedModel:
    """The same model with its data in one vector and the lengths of its dimensions fixed."""
    graph: Any
    graph, copies = fgraph_from_model(model)
    shared = [variable for variable in model.data_vars if isinstance(variable, SharedVariable)]
    initial = np.concatenate([np.ravel(variable.get_value()) for variable in shared]).astype(float)
    vector = pytensor.shared(initial, name=PACKED, shape=initial.shape)
    places, start = {}, 0
    replaced = {
        copies[length]: pt.constant(length.get_value())
        for length in model.dim_lengths.values()
        if isinstance(length, SharedVariable)
    }
    for variable in shared:
        value = variable.get_value()
        place = slice(start, start + value.size)
        part = vector[place].reshape(value.shape).astype(value.dtype)
        part.name = variable.name
        # a named variable is a copy of its data behind a marker of PyMC's
        replaced[copies[variable].owner.inputs[0]] = part
        places[str(variable.name)] = (place, value.shape)
        start = place.stop
    outputs = clone_replace(graph.outputs, replace=replaced, rebuild_strict=False)
    kept = [output for output in outputs if not (output.owner and isinstance(output.owner.op, ModelNamed))]
    # as PyMC's own freeze_dims_and_data hands names and lengths over
    merged: Any = FunctionGraph(outputs=kept, clone=False)
    merged._coords = graph._coords
    merged._dim_lengths = {name: replaced.get(length, length) for name, length in graph._dim_lengths.items()}
    result = model_from_fgraph(merged, mutate_fgraph=True)
    order = [variable.name for variable in model.free_RVs]
    result.free_RVs.sort(key=lambda variable: order.index(variable.name))
    return PackedModel(result, initial, places)


class FitData(Protocol):
    """What a model is fitted to, as its `build` wants it."""

    @property
    def structure(self) -> tuple[object, ...]:
        """What is compiled in and cannot be changed by `updates` (a rule, a coordinate)."""

    def updates(self) -> dict[str, np.ndarray]:
        """Values of the model's `pm.Data`, for a refit of the compiled model."""


Build = Callable[[Any, PriorSet], pm.Model]
Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One fit: its data, a prior set that covers the model's parameters, its seed, and its weight among fits that are pooled with it."""

    data: FitData
    priors: PriorSet
    seed: int
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior of one fit: parameter -> (chain, draw, ...), and divergences per (chain, draw).

    `source` (chain, draw): number of the draw in a sample that several fits share; None where the draws are this fit's own.
    """

    values: dict[str, np.ndarray]
    diverging: np.ndarray
    source: np.ndarray | None = None

    @property
    def sources(self) -> np.ndarray:
        """(chain, draw): `source`, -1 for a draw that no other fit has."""
        return np.full(self.diverging.shape, -1) if self.source is None else self.source

    def thinned(self, draws: int) -> Draws:
        """Every k-th draw of each chain, `draws` of them."""
        rows = np.linspace(0, self.diverging.shape[1] - 1, draws).round().astype(int)
        source = None if self.source is None else self.source[:, rows]
        return Draws({name: value[:, rows] for name, value in self.values.items()}, self.diverging[:, rows], source)


Fitter = Callable[[Job, int, int, float | None], Draws]
"""(job, draws, warm-up, acceptance aimed at; None: the settings') -> posterior; safe to call from several threads."""


def fitter_for(build: Build, jobs: Sequence[Job], settings: SamplerSettings) -> Fitter:
    """Compile the model for jobs of one shape. Raises `FitError` where shapes differ: one compiled model serves one."""
    refuse_different_shapes(jobs)
    return _nutpie_fitter(build, jobs[0], settings) if settings.engine is Sampler.NUTPIE else _pymc_fitter(build, settings)


def refuse_different_shapes(jobs: Sequence[Job]) -> None:
    """Raises `FitError` where shapes differ."""
    shapes = {_shape(job) for job in jobs}
    if len(shapes) != 1:
        raise FitError(f"got fits of {len(shapes)} different shapes in one batch; allowed is one: {sorted(map(str, shapes))[:3]}")


def fit_many(
    fitter: Fitter,
    jobs: Sequence[Job],
    draws: int,
    tune: int,
    threads: int,
    progress: Progress | None = None,
    target_accept: float | None = None,
) -> list[Draws]:
    """Fit every job; results in the order of the jobs, the same on any number of threads."""

    def one(job: Job) -> Draws:
        result = fitter(job, draws, tune, target_accept)
        if progress is not None:
            progress(1)
        return result

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, jobs))


def _shape(job: Job) -> tuple[object, ...]:
    families = sorted((name, prior.family) for name, prior in job.priors.priors.items() if prior.support == "positive")
    return (tuple(families), job.data.structure, *((name, value.shape) for name, value in sorted(job.data.updates().items())))


def _nutpie_fitter(build: Build, first: Job, settings: SamplerSettings) -> Fitter:
    model = build(first.data, first.priors)
    names = [str(variable.name) for variable in parameters_of(model)]
    data = packed(model)
    with callbacks.kept() as how:
        compiled = nutpie.compile_pymc_model(data.model, **how)

    def fit(job: Job, draws: int, tune: int, target_accept: float | None = None) -> Draws:
        trace = nutpie.sample(
            compiled.with_data(**{PACKED: data.values(_updates(job, names))}),
            draws=draws,
            tune=tune,
            chains=settings.chains,
            cores=1,
            seed=job.seed,
            target_accept=target_accept or settings.target_accept,
            adaptation=Adaptation.LOW_RANK.value if settings.adaptation is Adaptation.LOW_RANK else Adaptation.DIAG.value,
            progress_bar=False,
            return_raw_trace=True,
        )
        return _from_arrow(trace, names, tune)

    return fit


def parameters_of(model: pm.Model) -> list[Any]:
    """Variables whose draws are kept: all but those that are sampled in place of another one (`RAW`)."""
    return [variable for variable in (*model.free_RVs, *model.deterministics) if not str(variable.name).endswith(RAW)]


def _updates(job: Job, names: Sequence[str]) -> dict[str, np.ndarray]:
    values = job.data.updates()
    for name, prior in job.priors.priors.items():
        if name in names:
            values |= pymc_priors.updates(name, prior)
    return values


def _from_arrow(trace: Any, names: Sequence[str], tune: int) -> Draws:
    """Draws after warm-up from nutpie's raw trace (a record batch a chain, warm-up first)."""
    draws, stats = trace.get_arrow_trace()
    values = {name: np.stack([_column(batch, name)[tune:] for batch in draws]) for name in names}
    diverging = np.stack([_column(batch, "diverging")[tune:] for batch in stats]).astype(bool)
    return Draws(values, diverging)


def _column(batch: Any, name: str) -> np.ndarray:
    """A column as (draw,) or (draw, element)."""
    column = pyarrow.array(batch.column(name))
    if not hasattr(column, "flatten"):
        return column.to_numpy(zero_copy_only=False)
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _pymc_fitter(build: Build, settings: SamplerSettings) -> Fitter:
    """PyMC's own sampler or numpyro: compiles at every call, gives the same answer."""

    def fit(job: Job, draws: int, tune: int, target_accept: float | None = None) -> Draws:
        model = build(job.data, job.priors)
        with warnings.catch_warnings():
            # convergence warnings are replaced by our own diagnostics, which name the fit
            warnings.simplefilter("ignore", UserWarning)
            tree = pm.sample(
                draws=draws,
                tune=tune,
                chains=settings.chains,
                cores=1,
                random_seed=job.seed,
                target_accept=target_accept or settings.target_accept,
                nuts_sampler=str(settings.engine),
                progressbar=False,
                compute_convergence_checks=False,
                model=model,
            )
        values = {str(variable.name): tree.posterior[variable.name].to_numpy() for variable in parameters_of(model)}
        return Draws(values, tree.sample_stats["diverging"].to_numpy().astype(bool))

    return fit
