"""Ordered response categories of all patients at once: every category and composite from one model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from retrial.answers.hierarchical import category_rows, pooling_rows
from retrial.answers.notes import empty_arms, joined
from retrial.answers.rows import Subject
from retrial.data.chains import EFFECT, CategoryCounts, category_counts, fit_chains, scalable
from retrial.data.kind import Fits, Kind, Place, Row, Values, refused
from retrial.data.prior_checks import Before, both_arms, effect_rows
from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import EVERYBODY, benefit_sign, has_second_analysis, outcome_key, patients_note, source_of
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

OUTCOME = "response"
"""Endpoint of what is said of all steps together."""
BENEFIT = 1
IN_NO_CATEGORY = "in no category"


def effects(study: Study) -> tuple[str, ...]:
    """The odds ratio that the steps' are pooled towards."""
    return (EFFECT,) if study.response is not None else ()


def categories_of(study: Study, *, everybody: bool = False) -> CategoryCounts | None:
    """Evaluable patients (or everybody) of each arm by category, best first; None where there are fewer than two categories.

    Patients in no category make a last one of their own, so that rates stay those of all these patients. Raises `DataError` where an arm has
    fewer patients than its categories, or categories have different patients.
    """
    rows = study.response.categories if study.response is not None else {}
    if len(rows) < 2:
        return None
    counts = [[int(getattr(row, arm).n) for row in rows.values()] for arm in ARMS]
    sizes = [study.n(arm) if everybody else _shared_size(study, list(rows), arm) for arm in ARMS]
    rest = [0 if size is None else size - sum(inside) for size, inside in zip(sizes, counts, strict=True)]
    for arm, size, inside in zip(ARMS, sizes, counts, strict=True):
        if size is not None and sum(inside) > size:
            got = f"response.categories: got {sum(inside)} patients over the categories of the {arm} arm"
            allowed = f"allowed is at most {size} (arms.{arm}.n, or evaluable)"
            raise DataError("cannot model the response categories", [f"{got}; {allowed}"])
    if not any(rest):
        return category_counts(list(rows), *counts)
    return category_counts([*rows, IN_NO_CATEGORY], *([*inside, left] for inside, left in zip(counts, rest, strict=True)))


def _shared_size(study: Study, names: Sequence[str], arm: str) -> int | None:
    sizes = {study.patients(f"response.categories.{name}", arm) for name in names}
    if len(sizes) > 1:
        said = f"response.categories: got categories of {', '.join(map(str, sorted(map(int, filter(None, sizes)))))} patients in the {arm} arm"
        raise DataError("cannot model the response categories", [f"{said}; allowed is one number (response.evaluable.{arm})"])
    return sizes.pop()


def composites(study: Study) -> dict[str, list[int]]:
    """Positions of the categories of each composite."""
    if study.response is None:
        return {}
    names = list(study.response.categories)
    return {key: [names.index(name) for name in item.of] for key, item in study.response.composites.items()}


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of the common effect, of every category and of every composite under every prior set that speaks of an odds ratio."""
    try:
        counts = categories_of(study)
        if counts is None:
            return Fits()
        found = [_fit(run, spec, study, counts)]
        if has_second_analysis(study, next(path for path in study.count_rows() if path.startswith("response."))):
            every = categories_of(study, everybody=True)
            found += [_fit(run, spec, study, every, EVERYBODY)] if every is not None else []
    except DataError as error:
        return refused(spec, error)
    return Fits.together(found)


def _fit(run: RunConfig, spec: ModelSpec, study: Study, counts: CategoryCounts, variant: str = "") -> Fits:
    sizes = counts.counts.sum(axis=1)

    def answers(subject: Subject, draws: Mapping[str, np.ndarray]) -> list[Estimate]:
        table = spec.probabilities_of(draws, counts)
        rows = pooling_rows(subject, draws, run.questions)
        for path, row in study.count_rows().items():
            if path.startswith("response."):
                empty = empty_arms((int(row.control.n), int(row.experimental.n)), sizes)
                note = joined(empty, "" if variant else patients_note(study, path))
                about = dataclasses.replace(subject, endpoint=outcome_key(path), source=source_of(study, path, row), note=note)
                rows += category_rows(about, study, path, table, run.questions, benefit_sign(study, path))
        return rows

    return fit_chains(run, spec, OUTCOME, counts, answers, BENEFIT, variant)


def scale(run: RunConfig, spec: ModelSpec, study: Study, posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """The common odds ratio, and the composite responses."""
    counts = categories_of(study) if (OUTCOME, spec.name) in posteriors else None
    if counts is None:
        return
    for item in scalable(run, spec, posteriors, OUTCOME, counts, BENEFIT):
        yield from item.common()
        for key, inside in composites(study).items():
            value = item.p[..., inside].sum(axis=-1)
            logits = np.log(value) - np.log1p(-value)
            yield from effect_rows({**item.named, "endpoint": key}, logits, value, item.log_prior, item.likelihood)


def predict(before: Before, spec: ModelSpec, given: PriorSet) -> Values:
    """Every composite and category."""
    try:
        counts = categories_of(before.study)
    except DataError:
        return  # the fits say so
    if counts is None or EFFECT not in given.priors or before.study.response is None:
        return
    table = spec.probabilities_of(before.drawn(spec, counts, given.over(spec.priors), EFFECT), counts)
    alone = {name: [index] for index, name in enumerate(before.study.response.categories)}
    for key, columns in {**composites(before.study), **alone}.items():
        value = table[..., columns].sum(axis=-1)
        yield from both_arms(key, value[:, 0], value[:, 1])


KIND = Kind("categories", needed=("probabilities",), effects=effects, fit=fit, predict=predict, scale=scale)
