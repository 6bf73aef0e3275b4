"""One model over an ensemble of life tables and many priors: fits, their health, and the draws pooled over the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrial.fit.diagnostics import Diagnostics
from retrial.fit.engine import Build, Draws, FitData, Job, Progress
from retrial.fit.levels import fit_group
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.fit.survival.likelihood import SurvivalData, survival_data
from retrial.priors.prior_set import PriorSet
from retrial.seeds import integer_seed
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

EFFECT = "log_hazard_ratio"
"""Parameter that every survival model has, and that a prior set must speak of to be fitted."""


def _as_it_is(data: SurvivalData) -> FitData:
    return data


@dataclass(frozen=True, eq=False)
class Question:
    """What to fit for one endpoint: its tables, how times were recorded, their weights (adding to 1), and what of a table is fitted."""

    endpoint: str
    table: LifeTable
    weights: np.ndarray
    recorded: Recorded = "exact"
    prepare: Callable[[SurvivalData], FitData] = _as_it_is


@dataclass(frozen=True, eq=False)
class Fitted:
    """Fits of one endpoint by one model: `draws[prior][reconstruction]`, and their diagnostics in the same order."""

    endpoint: str
    model: str
    weights: np.ndarray
    draws: Mapping[str, Sequence[Draws]]
    diagnostics: Mapping[str, Sequence[Diagnostics]]

    def status(self, prior: str) -> str:
        """ "ok", or how many fits failed and the first one's reason."""
        failed = [item.status for item in self.diagnostics[prior] if item.status != "ok"]
        if not failed:
            return "ok"
        return f"failed: {len(failed)} of {len(self.diagnostics[prior])} fits; first: {failed[0].removeprefix('failed: ')}"

    def pooled(self, prior: str, seed: int) -> dict[str, np.ndarray]:
        """Draws (draw,) of every parameter over all tables, each table in proportion to its weight.

        With equal weights all draws are used; else each table's draws are thinned to its share by a systematic sample.
        """
        fits, keep = self.draws[prior], self._kept(prior, seed)
        size = fits[0].diverging.size
        return {
            name: np.concatenate(
                [fit.values[name].reshape(size, *fit.values[name].shape[2:])[rows] for fit, rows in zip(fits, keep, strict=True)]
            )
            for name in fits[0].values
        }

    def origin(self, prior: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Table, chain and shared proposal (-1: none) of every draw of `pooled`, all (draw,)."""
        keep, length = self._kept(prior, seed), self.draws[prior][0].diverging.shape[1]
        table = np.repeat(np.arange(len(keep)), [rows.size for rows in keep])
        sources = [fit.sources.ravel()[rows] for fit, rows in zip(self.draws[prior], keep, strict=True)]
        return table, np.concatenate(keep) // length, np.concatenate(sources)

    def _kept(self, prior: str, seed: int) -> list[np.ndarray]:
        """Rows that `pooled` takes of each table's draws, which are chain after chain."""
        size = self.draws[prior][0].diverging.size
        counts = _shares(self.weights, size, np.random.default_rng(seed))
        return [np.linspace(0, size - 1, count).round().astype(int) for count in counts]


def _shares(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws taken of each table: `size` for the heaviest, in proportion for the others, remainders rounded at random."""
    exact = size * weights / weights.max()
    return (np.floor(exact) + (rng.uniform(size=weights.size) < exact % 1)).astype(int)


def fit_ensemble(
    name: str,
    build: Build,
    questions: Sequence[Question],
    priors: Mapping[str, PriorSet],
    settings: SamplerSettings,
    limits: DiagnosticLimits,
    seed_content: tuple[int, str],
    progress: Progress | None = None,
) -> list[Fitted]:
    """Fit every table of every endpoint under every prior set with one compiled model.

    Endpoints are padded to one grid length with empty months, which contribute nothing. Seeds derive from (run seed,
    study, endpoint, model, prior, reconstruction). Diagnostics never raise: a failed fit is kept and named.
    """
    run_seed, study = seed_content
    length = max(question.table.times.size for question in questions)
    keys, jobs = [], []
    for question in questions:
        tables = [
            question.prepare(padded(survival_data(question.table, index, question.recorded), length))
            for index in range(question.table.n_reconstructions)
        ]
        for prior_name, general in priors.items():
            prior = general.for_endpoint(question.endpoint)
            if EFFECT not in prior.priors:
                continue  # a set whose evidence is of other endpoints
            for index, data in enumerate(tables):
                keys.append((question.endpoint, prior_name))
                seed = integer_seed(run_seed, study, question.endpoint, name, prior_name, index)
                jobs.append(Job(data, prior, seed, float(question.weights[index])))
    groups = [[i for i, job in enumerate(jobs) if job.data.structure == kind] for kind in {job.data.structure for job in jobs}]
    draws = settings.draws(min(question.table.n_reconstructions for question in questions))
    results: dict[int, tuple[Draws, Diagnostics]] = {}
    for group in groups:
        found = fit_group(build, [jobs[i] for i in group], settings, limits, draws, progress, EFFECT)
        results.update(zip(group, found, strict=True))
    return [_collect(name, question, priors, keys, results) for question in questions]


def _collect(
    name: str,
    question: Question,
    priors: Mapping[str, PriorSet],
    keys: Sequence[tuple[str, str]],
    results: Mapping[int, tuple[Draws, Diagnostics]],
) -> Fitted:
    spoken = [prior for prior in priors if (question.endpoint, prior) in keys]
    mine = {prior: [results[i] for i, key in enumerate(keys) if key == (question.endpoint, prior)] for prior in spoken}
    draws = {prior: [fit for fit, _ in found] for prior, found in mine.items()}
    health = {prior: [item for _, item in found] for prior, found in mine.items()}
    return Fitted(question.endpoint, name, question.weights, draws, health)


def padded(data: SurvivalData, length: int) -> SurvivalData:
    """The same table with empty later months up to `length` rows."""
    extra = length - data.times.size
    if extra <= 0:
        return data
    later = data.times[-1] + np.arange(1, extra + 1)
    return dataclasses.replace(
        data,
        times=np.concatenate([data.times, later]),
        previous=np.concatenate([data.previous, later - 1]),
        counts=np.pad(data.counts, ((0, 0), (0, 0), (0, extra))),
    )
