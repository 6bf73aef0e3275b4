"""Fits by importance sampling: jobs that share a model to draws and their health, one sample of proposals for all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from retrial.cells import COUNTS
from retrial.fit.diagnostics import Diagnostics, Level
from retrial.fit.engine import Build, Draws, Job
from retrial.fit.importance import kernel
from retrial.fit.importance.adaptive import HIGHEST_K, RESULTS, Asked, Health, Sample, Targets, adapted
from retrial.fit.importance.linear import LinearModel, linear_model, parameter_count
from retrial.fit.importance.null import null_evidence
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.priors import pymc_priors
from retrial.seeds import seed_sequence
from retrial.tables.kernel.compiled import random_state

MOST_PARAMETERS = 14
"""Parameters beyond which proposals about modes lose the posterior: efficiency falls geometrically with them (METHODS 12)."""
_MARGIN = 1.1
"""Times the effective size that a target must have: resampling adds a little to its errors."""
POOLED_SHARE = 10 / 12
"""Effective size of the weights pooled over tables, of the draws asked of them together: 10,000 of 12,000."""


@dataclass(frozen=True, eq=False)
class Group:
    """Fits of some jobs by one sample: `rows` are their places among all jobs, `fits` in the same order."""

    rows: Sequence[int]
    sample: Sample
    fits: Sequence[tuple[Draws, Diagnostics]]

    def weighted(self, row: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Parameters (draw, ...) of all proposals' draws, and the smoothed weights of one job."""
        table, prior = self.sample.targets.pairs[self.rows.index(row)]
        weights = np.empty(self.sample.size)
        kernel.weigh(self.sample.tables[table], self._priors[prior], weights, np.empty(RESULTS))
        return self._parameters, weights

    @cached_property
    def _priors(self) -> np.ndarray:
        return self.sample.priors

    @cached_property
    def _parameters(self) -> dict[str, np.ndarray]:
        return parameters(self.sample)


def parameters(sample: Sample) -> dict[str, np.ndarray]:
    """Parameters (draw, ...) of every draw."""
    model = sample.model
    return dict(zip(model.names, model.parameters(sample.points, sample.targets.values[0]), strict=True))


def shared_model(
    build: Build, jobs: Sequence[Job], settings: SamplerSettings, limits: DiagnosticLimits, draws: int
) -> LinearModel | None:
    """The functions of the jobs' model; None of a model without cells, with more than `MOST_PARAMETERS` parameters, or where so few draws
    are asked for that no weights could pass.
    """
    if not np.isfinite(wanted_size(settings.chains * draws, limits.ess)) or COUNTS not in jobs[0].data.updates():
        return None
    model = build(jobs[0].data, jobs[0].priors)
    if len(model.observed_RVs) != 1 or COUNTS not in model.named_vars or parameter_count(model) > MOST_PARAMETERS:
        return None
    return linear_model(model)


def by_importance(
    model: LinearModel, jobs: Sequence[Job], settings: SamplerSettings, limits: DiagnosticLimits, draws: int, effect: str = ""
) -> list[Group]:
    """Groups of jobs that differ in numbers of patients and priors only, each fitted by one sample; `draws` a chain of each.

    With the name of an `effect` the diagnostics hold the evidence with this effect at 0, too.
    """
    groups, wanted, told = dict[bytes, list[int]](), wanted_size(settings.chains * draws, limits.ess), _Told(model)
    for row, job in enumerate(jobs):
        groups.setdefault(_what_is_shared(told, job), []).append(row)
    return [
        _fitted(model, rows, [jobs[row] for row in rows], settings, limits, draws, wanted, effect) for rows in groups.values()
    ]


def wanted_size(draws: int, least: float) -> float:
    """Effective size of weights from which `draws` of them have one of `least`: 1 / least = 1 / draws + 1 / size."""
    return _MARGIN / (1 / least - 1 / draws) if draws > least else np.inf


@dataclass(frozen=True, eq=False)
class _Told:
    """What jobs' data and priors say to a model; many jobs share either."""

    model: LinearModel
    known: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def data(self, job: Job) -> dict[str, np.ndarray]:
        return self._once(job.data, job.data.updates)

    def priors(self, job: Job) -> dict[str, np.ndarray]:
        return self._once(job.priors, lambda: _of_priors(self.model, job))

    def _once(self, of: object, told: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        if id(of) not in self.known:
            self.known[id(of)] = told()
        return self.known[id(of)]


def _what_is_shared(told: _Told, job: Job) -> bytes:
    """All that cells and parameters depend on but numbers of patients, and what only says how parameters are sampled."""
    kept = told.model.shaping - set(getattr(job.data, "GEOMETRY", ()))
    updates = {**told.data(job), **told.priors(job)}
    return b"|".join(name.encode() + np.asarray(updates[name]).tobytes() for name in sorted(kept & updates.keys()))


def targets_of(model: LinearModel, jobs: Sequence[Job]) -> Targets:
    """Tables and priors, each once."""
    told, shares = _Told(model), np.array([job.share for job in jobs], dtype=float)
    data = [told.data(job) for job in jobs]
    geometry = {name: _mean([item[name] for item in data], shares) for name in data[0] if name != COUNTS}
    tables, values = dict[bytes, int](), dict[bytes, int]()
    counts, vectors, pairs = list[np.ndarray](), list[np.ndarray](), list[tuple[int, int]]()
    packed = dict[int, np.ndarray]()
    for item, job in zip(data, jobs, strict=True):
        if id(job.priors) not in packed:
            packed[id(job.priors)] = model.values({**geometry, **told.priors(job)})
        pair = []
        for known, found, one in ((tables, counts, np.ravel(item[COUNTS])), (values, vectors, packed[id(job.priors)])):
            key = one.tobytes()
            if key not in known:
                known[key] = len(found)
                found.append(one)
            pair.append(known[key])
        pairs.append((pair[0], pair[1]))
    places = np.array(pairs)
    total = np.bincount(places[:, 1], shares, len(vectors))
    peaks = {peak: None for job, (_, prior) in zip(jobs, pairs, strict=True) for peak in _peaks(model, job, prior)}
    return Targets(np.array(counts, dtype=float), np.stack(vectors), places, shares / total[places[:, 1]], list(peaks))


def _peaks(model: LinearModel, job: Job, row: int) -> Iterator[tuple[int, int, float]]:
    """Centres of the components of mixtures among a job's priors, by the prior's row and the coordinate."""
    for name, prior in job.priors.priors.items():
        if prior.family == "normal_mixture" and name in model.places:
            for weight, centre in zip(np.ravel(prior["weights"]), np.ravel(prior["mu"]), strict=True):
                if weight > 0:
                    yield row, model.places[name], float(centre)


def _mean(values: Sequence[np.ndarray], shares: np.ndarray) -> np.ndarray:
    return np.asarray(np.average(np.stack(values), axis=0, weights=shares))


def _of_priors(model: LinearModel, job: Job) -> dict[str, np.ndarray]:
    told = {name: prior for name, prior in job.priors.priors.items() if name in model.names}
    return {key: value for name, prior in told.items() for key, value in pymc_priors.updates(name, prior).items()}


def _fitted(
    model: LinearModel,
    rows: Sequence[int],
    jobs: Sequence[Job],
    settings: SamplerSettings,
    limits: DiagnosticLimits,
    draws: int,
    wanted: float,
    effect: str = "",
) -> Group:
    targets = targets_of(model, jobs)
    if not model.is_linear(targets.values[0], targets.counts[0]):
        return Group(rows, Sample(model, targets, np.empty(0)), [])
    seed = seed_sequence(min(job.seed for job in jobs), "importance")
    states = np.stack([random_state(np.random.SeedSequence(job.seed)) for job in jobs])
    asked = Asked(settings.chains * draws, states)
    sample, health = adapted(model, targets, wanted, POOLED_SHARE * settings.pooled_draws, seed, settings.threads, asked)
    if not sample.size:
        return Group(rows, sample, [])
    fits = _drawn(sample, health, (settings.chains, draws), limits)
    at_null = null_evidence(
        model, targets, effect, wanted, seed_sequence(min(job.seed for job in jobs), "null"), settings.threads
    )
    if at_null is not None:
        fits = [(one, _with_null(told, numbers)) for (one, told), numbers in zip(fits, at_null, strict=True)]
    return Group(rows, sample, fits)


def _with_null(health: Diagnostics, numbers: np.ndarray) -> Diagnostics:
    log_evidence, error = (float(number) for number in numbers)
    return dataclasses.replace(health, log_evidence_null=log_evidence, log_evidence_null_se=error)


def _drawn(sample: Sample, health: Health, shape: tuple[int, int], limits: DiagnosticLimits) -> list[tuple[Draws, Diagnostics]]:
    """Equally weighted draws of every target, (chain, draw)."""
    values, made = parameters(sample), []
    for picked, numbers in zip(health.chosen, health.results, strict=True):
        own = {name: value[picked].reshape(*shape, *value.shape[1:]) for name, value in values.items()}
        made.append((Draws(own, np.zeros(shape, dtype=bool), picked.reshape(shape)), _verdict(numbers, picked.size, limits)))
    return made


def _verdict(numbers: np.ndarray, draws: int, limits: DiagnosticLimits) -> Diagnostics:
    size, k, log_evidence, error, tail = (float(number) for number in numbers)
    bulk, tails = (1 / (1 / draws + 1 / max(one, 1.0)) for one in (size, tail))
    reasons = []
    if k >= HIGHEST_K:
        reasons.append(f"Pareto k {k:.2f} >= {HIGHEST_K}")
    if not bulk >= limits.ess:
        reasons.append(f"bulk ESS {bulk:.0f} < {limits.ess:.0f}")
    if not tails >= limits.ess:
        reasons.append(f"tail ESS {tails:.0f} < {limits.ess:.0f}")
    return Diagnostics(
        float("nan"),
        bulk,
        tails,
        0,
        draws,
        f"failed: {', '.join(reasons)}" if reasons else "ok",
        method=Level.IMPORTANCE,
        pareto_k=k,
        log_evidence=log_evidence,
        log_evidence_se=error,
    )
