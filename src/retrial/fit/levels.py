"""Fits of one shape, by the cheapest level that is good enough: importance sampling, else NUTS under some of the priors, reweighted to the
others of the same data; METHODS, section 12.

Some of the fits that are not by NUTS are held against it in every run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from retrial.fit.diagnostics import Diagnostics, Level, diagnose
from retrial.fit.engine import Build, Draws, Fitter, Job, Progress, fit_many, fitter_for, refuse_different_shapes
from retrial.fit.importance import self_check
from retrial.fit.importance.fits import Group, by_importance, shared_model
from retrial.fit.reweighting import by_reweighting
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.seeds import integer_seed, seed_sequence

Fit = tuple[Draws, Diagnostics]


def fit_group(
    build: Build,
    jobs: Sequence[Job],
    settings: SamplerSettings,
    limits: DiagnosticLimits,
    draws: int,
    progress: Progress | None,
    effect: str = "",
) -> list[Fit]:
    """Fit jobs of one shape, `draws` a chain of each, as `settings.method` says.

    auto: by importance sampling where that passes, the others by NUTS or by chains of NUTS reweighted, and a random share by NUTS too;
    importance, nuts: all of them by that level, whatever comes out (models without cells, or of too many parameters, by NUTS all the same).
    `effect` names the parameter whose evidence at 0 is wanted, too.
    """
    refuse_different_shapes(jobs)
    model = None if settings.method is Method.NUTS else shared_model(build, jobs, settings, limits, draws)
    with ThreadPoolExecutor(1) as beside:
        # compiled while importance sampling runs: it takes longer than that
        fitter = beside.submit(fitter_for, build, jobs, settings) if settings.method is not Method.IMPORTANCE else None
        groups = [] if model is None else by_importance(model, jobs, settings, limits, draws, effect)
    found = {row: fit for group in groups for row, fit in zip(group.rows, group.fits, strict=False)}
    if settings.method is Method.AUTO:
        found = {row: fit for row, fit in found.items() if fit[1].status == "ok"}
    if progress is not None and found:
        progress(len(found))
    rest = [row for row in range(len(jobs)) if row not in found]

    def nuts(mine: Sequence[int], size: int, told: Progress | None = None) -> list[Fit]:
        compiled = fitter_for(build, jobs, settings) if fitter is None else fitter.result()
        return by_nuts(compiled, [jobs[row] for row in mine], settings, limits, size, told)

    if settings.method is Method.AUTO:
        found |= by_reweighting(lambda anchors: nuts(anchors, draws, progress), jobs, rest, limits, progress)
    elif rest:
        found |= zip(rest, nuts(rest, draws, progress), strict=True)
    cheap = [row for row, (_, health) in sorted(found.items()) if health.method is not Level.NUTS]
    checked = _checked(cheap, jobs) if settings.method is Method.AUTO else []
    # what a check can see is limited by the least draws of a fit that may be believed
    for row, reference in zip(checked, nuts(checked, min(draws, settings.min_draws)) if checked else [], strict=True):
        found[row] = _with_check(found[row], reference, groups, row)
    return [found[row] for row in range(len(jobs))]


def _checked(rows: Sequence[int], jobs: Sequence[Job]) -> list[int]:
    if not rows:
        return []
    rng = np.random.default_rng(seed_sequence(min(job.seed for job in jobs), "self-check"))
    return [rows[place] for place in self_check.chosen(len(rows), rng)]


def _with_check(fit: Fit, reference: Fit, groups: Sequence[Group], row: int) -> Fit:
    """The fit with its largest difference from NUTS, failed where that is too large, or where NUTS itself failed."""
    draws, health = fit
    if reference[1].status != "ok":
        return draws, dataclasses.replace(health, status=f"failed: not to be checked, NUTS {reference[1].status}")
    if health.method is Level.REWEIGHTED:
        differs = float(np.max(np.abs(self_check.chain_differences(draws.values, reference[0].values))))
    else:
        group = next(group for group in groups if row in group.rows)
        differs = self_check.largest_difference(*group.weighted(row), _kept(reference[0], group))
    status = health.status
    if not differs <= self_check.LARGEST:
        status = f"failed: differs from NUTS by {differs:.1f} Monte Carlo errors > {self_check.LARGEST:g}"
    return draws, dataclasses.replace(health, check=differs, status=status)


def _kept(draws: Draws, group: Group) -> Mapping[str, np.ndarray]:
    return {name: draws.values[name] for name in group.sample.model.names}


def by_nuts(
    fitter: Fitter,
    jobs: Sequence[Job],
    settings: SamplerSettings,
    limits: DiagnosticLimits,
    draws: int,
    progress: Progress | None,
) -> list[Fit]:
    """Fit jobs by NUTS; those that fail again, twice as long, then twice that, in ever smaller steps, as far as the settings go:
    the last result stands, thinned to the same size.
    """
    fits = fit_many(fitter, jobs, draws, settings.tune, settings.threads, progress)
    asked: dict[str, Any] = {"tune": settings.tune, "target_accept": settings.target_accept, "method": Level.NUTS}
    health = [dataclasses.replace(item, **asked) for item in diagnose(fits, limits, settings.threads)]
    for attempt, times in enumerate(settings.retries, start=2):
        failed = [i for i, item in enumerate(health) if item.status != "ok"]
        if not failed:
            break
        again = [dataclasses.replace(jobs[i], seed=integer_seed(jobs[i].seed, "retry", times)) for i in failed]
        tune, accept = times * settings.tune, settings.retry_accept(times)
        longer = fit_many(fitter, again, times * draws, tune, settings.threads, target_accept=accept)
        for i, fit, item in zip(failed, longer, diagnose(longer, limits, settings.threads), strict=True):
            told: dict[str, Any] = {"tune": tune, "target_accept": accept, "method": Level.NUTS, "attempts": attempt}
            fits[i], health[i] = fit.thinned(draws), dataclasses.replace(item, **told)
    return list(zip(fits, health, strict=True))
