"""Compile a survival model once, fit it to many tables and priors: results are arrays, never sampler objects."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import nutpie
import pymc as pm

from retrial.errors import FitError
from retrial.inference.settings import Sampler, SamplerSettings
from retrial.priors import pymc_priors
from retrial.priors.prior_set import PriorSet
from retrial.survival import observed
from retrial.survival.observed import SurvivalData

Build = Callable[[SurvivalData, PriorSet], pm.Model]
Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One fit: a table, a prior set that covers the model's parameters, and its seed."""

    data: SurvivalData
    priors: PriorSet
    seed: int


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior of one fit: parameter -> (chain, draw, ...), and divergences per (chain, draw)."""

    values: dict[str, np.ndarray]
    diverging: np.ndarray


def fit_many(
    build: Build, jobs: Sequence[Job], settings: SamplerSettings, draws: int, progress: Progress | None = None
) -> list[Draws]:
    """Fit every job; results in the order of the jobs, the same on any number of threads.

    Jobs must share shapes of tables, the recording rule and the families of positive priors: one compiled model serves them all.
    Raises `FitError` when they do not, or when the sampler cannot start.
    """
    _same_shape(jobs)
    match settings.engine:
        case Sampler.NUTPIE:
            return _with_nutpie(build, jobs, settings, draws, progress)
        case Sampler.PYMC | Sampler.NUMPYRO:
            return [_with_pymc(build, job, settings, draws, progress) for job in jobs]


def _same_shape(jobs: Sequence[Job]) -> None:
    shapes = {(job.data.counts.shape, job.data.recorded, _families(job.priors)) for job in jobs}
    if len(shapes) != 1:
        raise FitError(f"got fits of {len(shapes)} different shapes in one batch; allowed is one: {sorted(map(str, shapes))[:3]}")


def _families(priors: PriorSet) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, prior.family) for name, prior in priors.priors.items() if prior.support == "positive"))


def _with_nutpie(
    build: Build, jobs: Sequence[Job], settings: SamplerSettings, draws: int, progress: Progress | None
) -> list[Draws]:
    model = build(jobs[0].data, jobs[0].priors)
    compiled = nutpie.compile_pymc_model(model)
    names = [variable.name for variable in model.free_RVs]
    wanted = {variable.name for variable in model.data_vars}

    def one(job: Job) -> Draws:
        trace = nutpie.sample(
            compiled.with_data(**{key: value for key, value in _updates(job, names).items() if key in wanted}),
            draws=draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            seed=job.seed,
            target_accept=settings.target_accept,
            progress_bar=False,
            return_raw_trace=True,
        )
        if progress is not None:
            progress(1)
        return _from_arrow(trace, names, settings.tune)

    with ThreadPoolExecutor(settings.threads) as pool:
        return list(pool.map(one, jobs))


def _updates(job: Job, names: Sequence[str]) -> dict[str, np.ndarray]:
    values = observed.updates(job.data)
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
    return np.asarray(batch[name].to_numpy())


def _with_pymc(build: Build, job: Job, settings: SamplerSettings, draws: int, progress: Progress | None) -> Draws:
    """PyMC's own sampler or numpyro: slower, the same answer."""
    model = build(job.data, job.priors)
    with warnings.catch_warnings():
        # convergence warnings are replaced by our own diagnostics, which name the fit
        warnings.simplefilter("ignore", UserWarning)
        tree = pm.sample(
            draws=draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            random_seed=job.seed,
            target_accept=settings.target_accept,
            nuts_sampler=str(settings.engine),
            progressbar=False,
            compute_convergence_checks=False,
            model=model,
        )
    if progress is not None:
        progress(1)
    names = [variable.name for variable in model.free_RVs]
    return Draws(
        {name: tree.posterior[name].to_numpy() for name in names}, tree.sample_stats["diverging"].to_numpy().astype(bool)
    )
