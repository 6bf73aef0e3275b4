"""Posteriors without sampling: every printed ratio, and every count, under every prior set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

from retrial.answers.notes import empty_arms
from retrial.answers.proportions import with_numbers_needed
from retrial.answers.questions import Questions
from retrial.answers.response import response_rows
from retrial.answers.rows import Subject, ratio_rows
from retrial.data.two_arms import TwoArms
from retrial.errors import DataError, FitError
from retrial.estimate import Estimate
from retrial.frequentist.counts import benefit_sign, outcome_key, source_of, two_by_two
from retrial.frequentist.ratios import effect_endpoint, log_ratio
from retrial.frequentist.rows import DIFFERENCE
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.fields import CountRow
from retrial.study.study import Study

_PRIOR_OF_MEASURE = {"hazard_ratio": "log_hazard_ratio", "odds_ratio": "log_odds_ratio", "risk_ratio": "log_odds_ratio"}
_RESPONSE_SECTIONS = ("response.", "binary.")
"""Count rows that are outcomes of interest; adverse events have their own hierarchical model."""


def ratio_posteriors(run: RunConfig, study: Study) -> list[Estimate]:
    """Rows of every printed ratio under every prior set, for each model of ratios."""
    specs = [spec for spec in run.models.values() if spec.data == "ratio"]
    return [row for spec in specs for key in study.effects for row in _ratio(run, spec, study, key)]


def _ratio(run: RunConfig, spec: ModelSpec, study: Study, key: str) -> Iterator[Estimate]:
    effect = study.effects[key]
    if run.endpoints and effect.endpoint and effect.endpoint not in run.endpoints:
        return
    parameter, of_treatment = _PRIOR_OF_MEASURE[effect.measure], effect.is_treatment
    for name, priors in run.sets_for(spec).items():
        mine = priors.for_endpoint(effect.endpoint or "")
        if parameter not in mine.priors or not (of_treatment or mine[parameter].is_symmetric):
            continue  # a belief in the treatment's benefit says nothing of a prognostic factor
        try:
            data = log_ratio(effect, key)
        except DataError:
            # no interval and no p: the frequentist rows say so with the missing key; there is nothing to update
            return
        subject = Subject(
            effect_endpoint(effect, key), data.contrast, spec.name, name, data.source, adjusted_for=data.adjusted_for
        )
        yield from ratio_rows(subject, effect.measure, spec.closed_form(data, mine[parameter]), run.questions)


def count_posteriors(run: RunConfig, study: Study) -> list[Estimate]:
    """Rows of every response category, composite and binary outcome under every prior set."""
    specs = [spec for spec in run.models.values() if spec.data == "counts"]
    rows = {path: row for path, row in study.count_rows().items() if path.startswith(_RESPONSE_SECTIONS)}
    return [estimate for spec in specs for path, row in rows.items() for estimate in _counts(run, spec, study, path, row)]


def _counts(run: RunConfig, spec: ModelSpec, study: Study, path: str, row: CountRow) -> Iterator[Estimate]:
    counts, sign = two_by_two(study, path, row), benefit_sign(study, path)
    data = TwoArms((counts.control, counts.experimental), (counts.n_control, counts.n_experimental), benefit=sign >= 0)
    for name, priors in run.sets_for(spec).items():
        complete = complete_counts(spec, priors.for_endpoint(outcome_key(path)), sign)
        if complete is None:
            continue
        note = empty_arms(data.events, data.n)
        subject = Subject(outcome_key(path), DIFFERENCE, spec.name, name, source_of(study, path, row), note=note)
        try:
            rows = response_rows(subject, spec.closed_form(data, complete), run.questions)
        except FitError as error:
            yield failed_row(subject, error, run.questions)
            continue
        yield from with_numbers_needed(rows, subject, run.questions, sign)


def failed_row(subject: Subject, error: FitError, questions: Questions) -> Estimate:
    """The row of a posterior of two counts that could not be computed: no numbers, and why."""
    failed = dataclasses.replace(subject, status=f"failed: {error}")
    return failed.row("risk_difference", "probability", math.nan, questions, (math.nan, math.nan))


def failed_in_words(rows: Iterable[Estimate]) -> list[str]:
    """One line for every failed row."""
    return [f"{row.endpoint}, {row.model}, prior {row.prior}: {row.status}" for row in rows if row.failed]


def complete_counts(spec: ModelSpec, priors: PriorSet, sign: int) -> PriorSet | None:
    """The set with the model's own priors; None where it says nothing of counts.

    A prior that favours benefit or harm says nothing of an outcome that is neither (stable disease alone).
    """
    if "control_probability" in priors.priors:
        return priors
    if "log_odds_ratio" not in priors.priors or (sign == 0 and not priors["log_odds_ratio"].is_symmetric):
        return None
    return priors.over(spec.priors)
