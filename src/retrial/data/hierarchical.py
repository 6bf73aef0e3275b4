"""Hierarchical models of counts: response categories, adverse events, and a control arm that borrows from earlier cohorts."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrial.answers.hierarchical import adverse_event_rows, category_rows, pooling_rows
from retrial.answers.notes import empty_arms
from retrial.answers.proportions import with_numbers_needed
from retrial.answers.response import response_rows
from retrial.answers.rows import Subject
from retrial.data.chains import CategoryCounts, GradedEvents, patients_observed
from retrial.data.closed_form import failed_in_words, failed_row
from retrial.data.cohorts import BorrowedCounts
from retrial.data.counted import EFFECT, borrowing_data, categories_of, complete_sets, graded_of, left_out, outcome_of
from retrial.errors import DataError, FitError
from retrial.estimate import Estimate
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.engine import Job
from retrial.fit.ensemble import fit_group
from retrial.fit.posterior_file import posterior_tree
from retrial.frequentist.counts import benefit_sign, outcome_key, source_of
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.models.response_borrowing import robust_weight
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter, step
from retrial.study.study import Study

log = logging.getLogger("retrial")
TARGET_ACCEPT = 0.9
"""Smaller steps than survival models take: with few steps and grades the scales of pooling are known little better than their priors."""

SHOWN_OF_VARIANTS = ("common_odds_ratio", "effect_sd", "odds_ratio", "risk_difference", "p_risk_difference_above_0")


@dataclass
class HierarchicalResults:
    """Rows, diagnostics and failures of one stage."""

    estimates: list[Estimate] = field(default_factory=list)
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """Diagnostics in the columns of `survival`."""
        return pd.DataFrame(self.diagnostics)


def hierarchical_posteriors(run: RunConfig, study: Study, folder: Path) -> HierarchicalResults:
    """Fit every hierarchical model of the run that the study has data for; writes posterior_OUTCOME_MODEL.nc."""
    results = HierarchicalResults()
    for words in run.left_out if study.response is not None or study.binary else ():
        log.info("%s", words)
    for spec in run.models.values():
        try:
            _one_model(run, spec, study, folder, results)
        except DataError as error:
            # printed counts that cannot be right end this model, not the run
            results.failures.append(f"{spec.name}: {'; '.join(error.problems) or error}")
    return results


def _one_model(run: RunConfig, spec: ModelSpec, study: Study, folder: Path, results: HierarchicalResults) -> None:
    if spec.data == "categories" and (categories := categories_of(study)) is not None:
        _fit(run, spec, categories, _category_answers(study, categories), 1, folder, results)
    elif spec.data == "adverse_events" and (events := graded_of(study)) is not None:
        if words := left_out(study, events):
            log.info("%s: %s", spec.name, words)
        _fit(run, spec, events, _adverse_answers(study, events), -1, folder, results)
    elif spec.data == "historical_counts":
        rows = _borrowed(run, spec, study)
        results.estimates += rows
        results.failures += failed_in_words(rows)


Answers = Callable[[Subject, Mapping[str, np.ndarray], RunConfig, ModelSpec], list[Estimate]]


def _fit(
    run: RunConfig,
    spec: ModelSpec,
    data: CategoryCounts | GradedEvents,
    answers: Answers,
    benefit: int,
    folder: Path,
    results: HierarchicalResults,
) -> None:
    """One model under every prior set that speaks of an odds ratio, and under variants of the pooling scale."""
    outcome = outcome_of(spec)
    sets = complete_sets(run, spec, benefit)
    if not sets:
        return
    jobs = [
        Job(data, priors, integer_seed(run.seed, run.study_file.stem, outcome, spec.name, name)) for name, priors in sets.items()
    ]
    settings = dataclasses.replace(run.sampler_for(spec), target_accept=max(run.sampler.target_accept, TARGET_ACCEPT))
    with counter(f"fitting {spec.name}", len(jobs), "fits") as progress:
        found = fit_group(spec.build, jobs, settings, run.limits, settings.draws(1), progress)
    for name, (draws, health) in zip(sets, found, strict=True):
        flat = {key: value.reshape(-1, *value.shape[2:]) for key, value in draws.values.items()}
        rows = answers(Subject(outcome, RATIO, spec.name, name, "", health.status), flat, run, spec)
        results.estimates += [row for row in rows if name in run.priors or row.quantity in SHOWN_OF_VARIANTS]
        results.diagnostics.append(_diagnostic_row(outcome, spec.name, name, health))
        if health.status != "ok":
            results.failures.append(f"{outcome}, {spec.name}, prior {name}: {health.status}")
    tree = posterior_tree(
        spec.build(data, jobs[0].priors),
        {name: [draws] for name, (draws, _) in zip(sets, found, strict=True)},
        sets,
        patients_observed(data.patients, lambda draws: spec.probabilities_of(draws, data)),
        {"model": spec.name, "endpoint": outcome, "inference_library": str(settings.engine)},
    )
    tree.to_netcdf(folder / f"posterior_{outcome}_{spec.name}.nc", engine="h5netcdf")


def _diagnostic_row(outcome: str, model: str, prior: str, health: Diagnostics) -> dict[str, Any]:
    return {"endpoint": outcome, "model": model, "prior": prior, "reconstruction": 0, **dataclasses.asdict(health)}


def _category_answers(study: Study, counts: CategoryCounts) -> Answers:
    def answers(subject: Subject, draws: Mapping[str, np.ndarray], run: RunConfig, spec: ModelSpec) -> list[Estimate]:
        table, sizes = spec.probabilities_of(draws, None), counts.counts.sum(axis=1)
        rows = pooling_rows(subject, draws, run.questions)
        for path, row in study.count_rows().items():
            if path.startswith("response."):
                note = empty_arms((int(row.control.n), int(row.experimental.n)), sizes)
                about = dataclasses.replace(subject, endpoint=outcome_key(path), source=source_of(study, path, row), note=note)
                rows += category_rows(about, study, path, table, run.questions, benefit_sign(study, path))
        return rows

    return answers


def _adverse_answers(study: Study, events: GradedEvents) -> Answers:
    def answers(subject: Subject, draws: Mapping[str, np.ndarray], run: RunConfig, spec: ModelSpec) -> list[Estimate]:
        table = spec.probabilities_of(draws, events)
        where = study.adverse_events.where if study.adverse_events is not None else ""
        about = dataclasses.replace(subject, source=where)
        together = dataclasses.replace(about, note=empty_arms(events.counts.sum(axis=(1, 2)), events.n * len(events.terms)))
        return pooling_rows(together, draws, run.questions) + adverse_event_rows(about, events, table, run.questions)

    return answers


def _borrowed(run: RunConfig, spec: ModelSpec, study: Study) -> list[Estimate]:
    """Rows of the outcome that the historical controls speak of, under every prior set."""
    controls = spec.historical
    if controls is None:
        return []
    outcomes = {outcome_key(path): path for path in study.count_rows() if not path.startswith("adverse_events")}
    if not outcomes:
        return []
    if controls.outcome not in outcomes:
        said = f"models.{spec.name}.historical.outcome: got {controls.outcome}"
        log.info("%s: %s; the study has %s", spec.name, said, ", ".join(outcomes))
        return []
    path = outcomes[controls.outcome]
    data, sign = borrowing_data(study, path, controls), benefit_sign(study, path)
    source = f"{source_of(study, path, study.count_rows()[path])}; control borrows from {', '.join(controls.labels)}"
    rows, note = list[Estimate](), empty_arms(data.arms.events, data.arms.n)
    with step(f"{spec.name}: quadrature"):
        for name, given in run.sets_for(spec).items():
            priors = given.for_endpoint(controls.outcome)
            if EFFECT in priors.priors or {"control_probability", "experimental_probability"} <= set(priors.priors):
                subject = Subject(controls.outcome, DIFFERENCE, spec.name, name, source, note=note)
                rows += _borrowed_rows(run, spec, data, subject, priors.over(spec.priors), sign)
    return rows


def _borrowed_rows(
    run: RunConfig, spec: ModelSpec, data: BorrowedCounts, subject: Subject, priors: PriorSet, sign: int
) -> list[Estimate]:
    joint = spec.closed_form(data, priors)
    try:
        answers = response_rows(subject, joint, run.questions)
    except FitError as error:
        return [failed_row(subject, error, run.questions)]
    rows = with_numbers_needed(answers, subject, run.questions, sign)
    weight = dataclasses.replace(subject, contrast="control").probability(
        "posterior_weight_robust", robust_weight(data, priors, joint)
    )
    return [*rows, weight]
