"""Level 2 of fits: chains of NUTS under one prior, reweighted to other priors of the same data. METHODS, section 12.

    log w(θ) = Σ_parameters log p_to(θ_j) - log p_of(θ_j)

The likelihood is the same and cancels: the weights depend on the parameters alone whose priors differ, most often one, however many the model
has. Pareto-smoothed; draws are resampled within their chain and in their order, so that the chains' diagnostics see the repeated draws as what
they are. A target far from all chains fails and is a chain of its own, to which others are reweighted in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from retrial.fit.diagnostics import Diagnostics, Level, diagnose
from retrial.fit.engine import Draws, Job, Progress
from retrial.fit.importance import kernel
from retrial.fit.importance.adaptive import HIGHEST_K, RESULTS
from retrial.fit.settings import DiagnosticLimits
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.seeds import seed_sequence

Fit = tuple[Draws, Diagnostics]
LEAST_SHARE = 0.25
"""Of the effective draws of the chains that a reweighted fit must keep, in bulk and tails: limits are then known half as well, at worst."""


def by_reweighting(
    sampled: Callable[[Sequence[int]], Sequence[Fit]],
    jobs: Sequence[Job],
    rows: Sequence[int],
    limits: DiagnosticLimits,
    progress: Progress | None = None,
) -> dict[int, Fit]:
    """Fits of some `rows` of jobs: of the jobs of one data set the first, whose answers are quoted first, is `sampled`, the others are
    reweighted; of those that fail that with the widest priors is sampled, and so on until none is left.
    """
    groups = dict[bytes, list[int]]()
    for row in rows:
        groups.setdefault(_data_of(jobs[row]), []).append(row)
    waiting, found = [[group[0], *_widest_first(jobs, group[1:])] for group in groups.values()], dict[int, Fit]()
    while any(waiting):
        anchors = [group[0] for group in waiting if group]
        found.update(zip(anchors, sampled(anchors), strict=True))
        waiting = [group[1:] for group in waiting if group]
        for place, (anchor, group) in enumerate(zip(anchors, waiting, strict=True)):
            if found[anchor][1].status == "ok":
                passed = _passed(found[anchor], jobs[anchor], {row: jobs[row] for row in group}, limits)
                found |= passed
                waiting[place] = [row for row in group if row not in passed]
                if progress is not None and passed:
                    progress(len(passed))
    return found


def _data_of(job: Job) -> bytes:
    updates = job.data.updates()
    return b"|".join(name.encode() + np.asarray(updates[name]).tobytes() for name in sorted(updates))


def _differing(one: PriorSet, other: PriorSet) -> list[str]:
    """Parameters whose priors differ; their sources do not matter."""
    return [name for name in one.priors if not _same(one.priors[name], other.priors[name])]


def _same(one: Prior, other: Prior) -> bool:
    return (one.family, one.parameters) == (other.family, other.parameters)


def _widest_first(jobs: Sequence[Job], rows: Sequence[int]) -> list[int]:
    """By the interquartile ranges of the priors, so that what is reweighted to lies within what was drawn."""

    def width(row: int) -> float:
        spread = [np.subtract(*prior.distribution.ppf([0.75, 0.25])) for prior in jobs[row].priors.priors.values()]
        return float(np.log(np.maximum(spread, 1e-12)).sum())

    return sorted(rows, key=width, reverse=True)


def _passed(anchor: Fit, of: Job, targets: Mapping[int, Job], limits: DiagnosticLimits) -> dict[int, Fit]:
    """The targets that the chains of a fit can be reweighted to."""
    draws, health = anchor
    near = {row: job for row, job in targets.items() if _can_be_weighed(draws, of.priors, job.priors)}
    made = {row: _reweighted(draws, of.priors, job) for row, job in near.items()}
    told = diagnose([fit for fit, _ in made.values()], limits) if made else []
    found = {}
    for (row, (fit, k)), own in zip(made.items(), told, strict=True):
        enough = all(getattr(own, name) >= LEAST_SHARE * getattr(health, name) for name in ("ess_bulk_min", "ess_tail_min"))
        if own.status == "ok" and enough and not k >= HIGHEST_K:
            asked: dict[str, Any] = {"tune": health.tune, "target_accept": health.target_accept, "attempts": health.attempts}
            found[row] = fit, dataclasses.replace(own, method=Level.REWEIGHTED, pareto_k=k, **asked)
    return found


def _can_be_weighed(draws: Draws, of: PriorSet, to: PriorSet) -> bool:
    """Whether both priors speak of the same parameters, and all that differ were kept."""
    return of.priors.keys() == to.priors.keys() and all(name in draws.values for name in _differing(of, to))


def _reweighted(draws: Draws, of: PriorSet, job: Job) -> tuple[Draws, float]:
    """Chains resampled in proportion to smoothed weights, and Pareto k."""
    shape = draws.diverging.shape
    log_ratio = np.zeros(shape)
    for name in _differing(of, job.priors):
        value = draws.values[name]
        with np.errstate(divide="ignore"):
            of_each = job.priors[name].distribution.logpdf(value) - of[name].distribution.logpdf(value)
        log_ratio += np.asarray(of_each).reshape(*shape, -1).sum(axis=-1)
    weights, result = np.empty(log_ratio.size), np.empty(RESULTS)
    kernel.weigh(log_ratio.ravel(), np.zeros(log_ratio.size), weights, result)
    rng = np.random.default_rng(seed_sequence(job.seed, "reweighted"))
    rows = np.stack([_resampled(chain, rng) for chain in weights.reshape(shape)])
    values = {
        name: np.stack([chain[row] for chain, row in zip(value, rows, strict=True)]) for name, value in draws.values.items()
    }
    return Draws(values, np.zeros(shape, dtype=bool)), float(result[1])


def _resampled(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Systematic sample of a chain's draws, in their order."""
    places = (np.arange(weights.size) + rng.uniform()) / weights.size
    return np.minimum(np.searchsorted(np.cumsum(weights) / weights.sum(), places), weights.size - 1)
