"""Two counts of a response or another yes/no outcome, each by itself: a posterior on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from retrial.answers.notes import empty_arms, joined
from retrial.answers.rows import Subject
from retrial.data.kind import Fits, Kind, Place, Row, Values, failed_in_words
from retrial.data.prior_checks import PREDICTIONS, Before
from retrial.data.two_arms import (
    CONTROL,
    EFFECT,
    answered,
    complete_counts,
    effects,
    is_main,
    predicted_counts,
    scaled_counts,
    two_arms,
    way_of,
)
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import (
    EVERYBODY,
    benefit_sign,
    has_second_analysis,
    outcome_key,
    patients_note,
    source_of,
    two_by_two,
)
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.frequentist.two_by_two import odds_ratio
from retrial.priors.implied.conflict import conflict
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

_SECTIONS = ("response.", "binary.")
"""Count rows that are outcomes of interest; adverse events are a kind of their own."""


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of every response category, composite and binary outcome under every prior set."""
    with step(f"{spec.name}: quadrature"):
        paths = [path for path in study.count_rows() if path.startswith(_SECTIONS)]
        rows = [row for path in paths for row in _counts(run, spec, study, path)]
    return Fits(rows, failures=failed_in_words(rows))


def _counts(run: RunConfig, spec: ModelSpec, study: Study, path: str) -> Iterator[Estimate]:
    sign, key, source = benefit_sign(study, path), outcome_key(path), source_of(study, path, study.count_rows()[path])
    for everybody in (False, True) if has_second_analysis(study, path) else (False,):
        data, variant = two_arms(study, path, everybody=everybody), EVERYBODY if everybody else ""
        note = joined(empty_arms(data.events, data.n), "" if everybody else patients_note(study, path))
        for name, priors in run.sets_for(spec).items():
            complete = complete_counts(spec, priors.for_endpoint(key), sign)
            if complete is not None:
                way = way_of(priors.for_endpoint(key), sign)
                subject = Subject(key, DIFFERENCE, spec.name, name, source, note=joined(note, way), variant=variant)
                yield from answered(subject, spec.closed_form(data, complete), run.questions, sign)


def scale(run: RunConfig, spec: ModelSpec, study: Study, _posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """Draws from the grid of both logits; scaled are the likelihood, and the prior of the effect or of both arms."""
    for path in study.count_rows():
        if not is_main(study, path):
            continue
        key, sign, arms = outcome_key(path), benefit_sign(study, path), two_arms(study, path)
        for name, given in run.sets_for(spec).items():
            priors = complete_counts(spec, given.for_endpoint(key), sign)
            if priors is not None:
                named = {"endpoint": key, "model": spec.name, "prior": name}
                yield from scaled_counts(run, named, arms, priors, spec.closed_form(arms, priors.over(spec.priors)))


def predict(before: Before, spec: ModelSpec, given: PriorSet) -> Values:
    """Composite responses and yes/no outcomes."""
    for path in before.study.count_rows():
        if path.startswith(("response.composites.", "binary.")):
            key = outcome_key(path)
            yield from predicted_counts(before, spec, given.for_endpoint(key).over(spec.priors), path, key, _control_logit)


def _control_logit(priors: PriorSet, rng: np.random.Generator) -> np.ndarray:
    """Draws of the control arm's logit from its prior."""
    if CONTROL in priors.priors:
        p = np.clip(priors[CONTROL].distribution.rvs(size=PREDICTIONS, random_state=rng), 1e-300, 1 - 1e-16)
        return np.log(p) - np.log1p(-p)
    return np.asarray(priors["control_logit"].distribution.rvs(size=PREDICTIONS, random_state=rng))


def conflicts(run: RunConfig, study: Study) -> Iterator[Row]:
    """Odds ratios of responses (0.5 added to each cell where one is empty), a harm's turned to a benefit, against every prior set."""
    for path, row in study.count_rows().items():
        sign, key = benefit_sign(study, path), outcome_key(path)
        if not path.startswith(_SECTIONS) or sign == 0:
            continue
        try:
            ratio = odds_ratio(two_by_two(study, path, row), run.questions.level)
        except DataError:
            continue  # nobody or everybody has the outcome
        about = {"endpoint": key, "contrast": RATIO, "adjusted_for": "", "orientation": "as a benefit", "measure": EFFECT}
        for name, given in run.priors.items():
            prior = given.for_endpoint(key).priors.get(EFFECT)
            if prior is not None:
                yield {**about, "prior": name, **conflict(prior, sign * math.log(ratio.point), ratio.se_log)}


KIND = Kind(
    "counts", alone=True, needed=("posterior",), effects=effects, fit=fit, predict=predict, scale=scale, conflict=conflicts
)
