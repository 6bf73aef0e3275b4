"""Patients with covariates: one survival model with main effects of them, its conditional and its standardised (marginal) answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.answers.rows import Subject
from retrial.answers.standardised import standardised, standardised_rows
from retrial.answers.survival import survival_rows
from retrial.data.kind import Fits, diagnostic_row
from retrial.estimate import Estimate
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.engine import Draws, Job
from retrial.fit.ensemble import EFFECT, Question, fit_ensemble
from retrial.fit.levels import fit_group
from retrial.fit.survival.likelihood import COVARIATE_EFFECTS, COVARIATE_PREDICTOR, Hazard
from retrial.fit.survival.patients import patient_data
from retrial.frequentist.rows import RATIO
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter
from retrial.tables.covariates import CovariateRows
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

CONDITIONAL = "conditional on the covariates"
"""Variant of ratios between patients whose covariates are the same."""
MARGINAL = "standardised over the patients' covariates"
"""Variant of answers about all patients in one arm and all of them in the other."""
COMPLETE = "unadjusted, patients with every covariate"
"""Variant of unadjusted answers of the patients that the adjusted ones are of: of Cox regressions always, of models where others are left out."""
AT_MEANS = "of a patient whose numeric covariates are at their means and the others at their reference levels"
_SHAPE = "shape"
_FEW = 20
_SAME = 1e-6
"""Difference of log hazards that is rounding."""


@dataclass(frozen=True, eq=False)
class Adjustment:
    """What the models of an endpoint are adjusted with.

    `rows` are its patients, `table` the life table of the same patients as models are fitted to it (`recorded`), `follow_up` that of all of
    the endpoint's, so that adjusted and unadjusted answers are about the same times.
    """

    endpoint: str
    rows: CovariateRows
    table: LifeTable
    recorded: Recorded
    source: str
    follow_up: FollowUp


def adjusted(run: RunConfig, spec: ModelSpec, given: Adjustment, sets: Mapping[str, PriorSet], study: str) -> Fits:
    """A model under complete prior sets, with independent normal priors of the covariates' coefficients (`run.covariates`).

    Conditional ratios of treatment and covariates, standardised answers, and where patients are left out the unadjusted answers of those
    who are not. Raises `DataError` where there are too many different patients.
    """
    of_endpoint = {name: value.for_endpoint(given.endpoint) for name, value in sets.items()}
    of_endpoint = {name: value for name, value in of_endpoint.items() if EFFECT in value.priors}
    if not of_endpoint:
        return Fits()
    data = spec.prepare(patient_data(given.rows, given.table, given.recorded))
    jobs = [
        Job(
            data,
            dataclasses.replace(value, priors={**value.priors, COVARIATE_EFFECTS: run.covariates.prior}),
            integer_seed(run.seed, study, given.endpoint, spec.name, name, "adjusted"),
        )
        for name, value in of_endpoint.items()
    ]
    sampler = run.sampler_for(spec)
    with counter(f"fitting {spec.name} with covariates", len(jobs), "fits") as progress:
        fits = fit_group(spec.build, jobs, sampler, run.limits, sampler.draws(1), progress)
    parts = [_told(run, spec, given, name, *fit) for name, fit in zip(of_endpoint, fits, strict=True)]
    return Fits.together([*parts, *_without(run, spec, given, sets, study)])


def _told(run: RunConfig, spec: ModelSpec, given: Adjustment, prior: str, fit: Draws, health: Diagnostics) -> Fits:
    draws = {name: value.reshape(-1, *value.shape[2:]) for name, value in fit.values.items()}
    chains, length = fit.diverging.shape
    origin = Origin(np.zeros(chains * length, dtype=int), np.repeat(np.arange(chains), length), fit.sources.ravel())
    subject = Subject(
        given.endpoint,
        RATIO,
        spec.name,
        prior,
        f"{given.source}; coefficients {run.covariates.prior}",
        health.status,
        variant=CONDITIONAL,
        adjusted_for=given.rows.names,
        origin=origin,
    )
    rows = [*_conditional(run, spec, given, subject, draws), *_marginal(run, spec, given, subject, draws)]
    variant = f"adjusted for {given.rows.names}"
    failures = [] if health.status == "ok" else [f"{given.endpoint}, {spec.name}, prior {prior}, {variant}: {health.status}"]
    return Fits(rows, [diagnostic_row(given.endpoint, spec.name, prior, 0, health, variant)], failures)


def _conditional(
    run: RunConfig, spec: ModelSpec, given: Adjustment, subject: Subject, draws: Mapping[str, np.ndarray]
) -> Iterator[Estimate]:
    """Ratios of the treatment and of every column of the covariates."""
    hazard, own = spec.hazard_of(), {name: value for name, value in draws.items() if name != COVARIATE_EFFECTS}
    times = given.follow_up.times(run.questions)
    hazards_are_proportional = are_proportional(hazard, own, np.array(times))
    if spec.proportional:
        yield from subject.ratio_from_draws("hazard_ratio", draws[EFFECT], run.questions)
    else:
        note = "" if hazards_are_proportional else AT_MEANS
        varying, about = curves.log_hazard_ratio(hazard, own, np.array(times)), dataclasses.replace(subject, note=note)
        for index, time in enumerate(times):
            yield from about.ratio_from_draws("hazard_ratio", varying[:, index], run.questions, time)
    measure, factor = "hazard_ratio", np.ones(len(draws[EFFECT]))
    if not hazards_are_proportional:
        measure, factor = "time_ratio", -1.0 / draws[_SHAPE]
        yield from _ratio(run, subject, measure, draws[EFFECT] * factor)
    for place, column in enumerate(given.rows.columns):
        effect = draws[COVARIATE_EFFECTS][:, place] * factor
        about = dataclasses.replace(subject, contrast=column.contrast, note=column.words)
        yield from _ratio(run, about, measure, effect)
        if not column.level:
            yield from _ratio(run, dataclasses.replace(about, contrast=column.of_a_unit), measure, effect / column.scale)


def _ratio(run: RunConfig, subject: Subject, measure: str, log_ratio: np.ndarray) -> Iterator[Estimate]:
    """A ratio and its logarithm, without probabilities at thresholds that were set for the treatment."""
    yield subject.from_draws(measure, "ratio", np.exp(log_ratio), run.questions)
    yield subject.from_draws(f"log_{measure}", "log ratio", log_ratio, run.questions)


def are_proportional(hazard: Hazard, draws: Mapping[str, np.ndarray], times: np.ndarray) -> bool:
    """Whether covariates multiply the hazard by exp(γ · z) at all times in both arms, as far as some draws show."""
    few = {name: value[:_FEW] for name, value in draws.items()}
    size = len(few[EFFECT])
    logs = [
        np.stack(
            [
                hazard(times, arm, {name: v[..., None, None] for name, v in {**few, COVARIATE_PREDICTOR: value}.items()}, np)[0]
                for arm in (np.zeros((1, 1)), np.ones((1, 1)))
            ]
        )
        for value in (np.zeros(size), np.ones(size))
    ]
    return bool(np.abs(logs[1] - logs[0] - 1.0).max() < _SAME)


def _marginal(
    run: RunConfig, spec: ModelSpec, given: Adjustment, subject: Subject, draws: Mapping[str, np.ndarray]
) -> Iterator[Estimate]:
    """Answers of draws that are evenly thinned to `run.covariates.draws`."""
    origin = subject.origin or Origin.of_chains(1, len(draws[EFFECT]))
    kept = np.linspace(0, origin.size - 1, min(origin.size, run.covariates.draws)).round().astype(int)
    patterns, count = np.unique(given.rows.values, axis=0, return_counts=True)
    times, horizon = given.follow_up.times(run.questions), given.follow_up.horizon(run.questions)
    some = {name: value[kept] for name, value in draws.items()}
    found = standardised(spec.hazard_of(), some, patterns, count / count.sum(), times, horizon)
    about = dataclasses.replace(subject, contrast="", variant=MARGINAL, origin=origin.rows(kept))
    yield from standardised_rows(about, found, run.questions, times, horizon)


def _without(run: RunConfig, spec: ModelSpec, given: Adjustment, sets: Mapping[str, PriorSet], study: str) -> Sequence[Fits]:
    """Unadjusted answers of the same patients, where they are not all of the endpoint's."""
    if not given.rows.left_out:
        return ()
    question = Question(given.endpoint, given.table, np.ones(1), given.recorded, spec.prepare)
    about = (run.sampler_for(spec), run.limits, (run.seed, f"{study} patients with every covariate"))
    fitted = fit_ensemble(spec.name, spec.build, [question], sets, *about)[0]
    parts = []
    for prior in fitted.draws:
        pooled, origin = fitted.pooled(prior, 0), Origin(*fitted.origin(prior, 0))
        status = fitted.status(prior)
        subject = Subject(given.endpoint, "", spec.name, prior, given.source, status, variant=COMPLETE, origin=origin)
        rows = survival_rows(subject, spec.hazard_of(), pooled, run.questions, given.follow_up, spec.proportional)
        health = [diagnostic_row(given.endpoint, spec.name, prior, 0, item, COMPLETE) for item in fitted.diagnostics[prior]]
        failures = [] if status == "ok" else [f"{given.endpoint}, {spec.name}, prior {prior}, {COMPLETE}: {status}"]
        parts.append(Fits(rows, health, failures))
    return parts
