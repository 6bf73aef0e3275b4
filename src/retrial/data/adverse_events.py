"""A table of adverse events: every term in its exclusive grade groups at once, from one model."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from retrial.answers.hierarchical import adverse_event_rows, pooling_rows
from retrial.answers.notes import empty_arms
from retrial.answers.rows import Subject
from retrial.data.chains import EFFECT, GradedEvents, effects, fit_chains, graded_events, scalable
from retrial.data.kind import Fits, Kind, Place, Row, Values, refused
from retrial.data.prior_checks import Before, both_arms
from retrial.dims import ANY_GRADE, ARMS, OTHER_GRADES
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.outcomes import AdverseEventTerm
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

log = logging.getLogger("retrial")
OUTCOME = "adverse_events"
"""Endpoint of what is said of all terms together."""
HARM = -1


def graded_of(study: Study) -> GradedEvents | None:
    """Every term in its exclusive grade groups, worst first. None without terms or arm sizes.

    "Any" beside printed groups is their sum: it gives a group that alone is missing, and what else it holds beyond them ends the term's chain
    as a group of its own ("any" where no other is printed).
    """
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    sizes = [study.n(arm) for arm in ARMS]
    if not terms or None in sizes:
        return None
    split = sorted({grade for term in terms.values() for grade in term.grades if grade != ANY_GRADE}, reverse=True)
    groups = {key: _groups(term, split) for key, term in terms.items()}
    met = {grade for found in groups.values() for grade in found}
    grades = [*split, *(grade for grade in (OTHER_GRADES, ANY_GRADE) if grade in met)]
    counts = [[[found.get(grade, (0, 0))[arm] for grade in grades] for found in groups.values()] for arm in range(len(ARMS))]
    known = [[grade in found for grade in grades] for found in groups.values()]
    return graded_events(list(terms), grades, counts, [int(size or 0) for size in sizes], known)


def _groups(term: AdverseEventTerm, split: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Patients (control, experimental) of one term by exclusive group, as far as they can be told."""
    printed = {grade: (int(row.control.n), int(row.experimental.n)) for grade, row in term.grades.items()}
    found = {grade: counts for grade, counts in printed.items() if grade != ANY_GRADE}
    if ANY_GRADE not in printed:
        return found
    rest = tuple(whole - sum(counts[arm] for counts in found.values()) for arm, whole in enumerate(printed[ANY_GRADE]))
    missing = [grade for grade in split if grade not in found]
    if min(rest) < 0 or not (missing or not found or (len(split) == 1 and any(rest))):
        return found
    ends = ANY_GRADE if not found else missing[0] if len(missing) == 1 else OTHER_GRADES
    return {**found, ends: (rest[0], rest[1])}


def left_out(study: Study, events: GradedEvents) -> str:
    """Terms whose any grade is printed but cannot be analysed, in words; empty where there are none."""
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    names = [
        key for key, whole in zip(events.terms, events.with_any, strict=True) if ANY_GRADE in terms[key].grades and not whole
    ]
    return f"{', '.join(names)}: any grade left out, it has fewer patients than the grades beside it" if names else ""


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of the common effect, of every term, grade and any grade under every prior set that speaks of an odds ratio."""
    try:
        events = graded_of(study)
    except DataError as error:
        return refused(spec, error)
    if events is None:
        return Fits()
    if words := left_out(study, events):
        log.info("%s: %s", spec.name, words)
    where = study.adverse_events.where if study.adverse_events is not None else ""
    nobody = empty_arms(events.counts.sum(axis=(1, 2)), events.n * len(events.terms))

    def answers(subject: Subject, draws: Mapping[str, np.ndarray]) -> list[Estimate]:
        table = spec.probabilities_of(draws, events)
        about = dataclasses.replace(subject, source=where)
        together = dataclasses.replace(about, note=nobody)
        return pooling_rows(together, draws, run.questions) + adverse_event_rows(about, events, table, run.questions)

    return fit_chains(run, spec, OUTCOME, events, answers, HARM)


def scale(run: RunConfig, spec: ModelSpec, study: Study, posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """The common odds ratio."""
    events = graded_of(study) if (OUTCOME, spec.name) in posteriors else None
    if events is not None:
        for item in scalable(run, spec, posteriors, OUTCOME, events, HARM):
            yield from item.common()


def predict(before: Before, spec: ModelSpec, given: PriorSet) -> Values:
    """One term in every grade group: terms are exchangeable, before the data one says what all say."""
    try:
        events = graded_of(before.study)
    except DataError:
        return  # the fits say so
    if events is None or EFFECT not in given.priors:
        return
    priors = given.over(spec.priors)
    mirrored = PriorSet(priors.name, {**priors.priors, EFFECT: priors[EFFECT].mirrored})
    table = spec.probabilities_of(before.drawn(spec, events, mirrored, EFFECT), events)
    for index, grade in enumerate(events.grades):
        term = int(events.known[:, index].argmax())
        yield from both_arms(f"{OUTCOME}: a term, {grade}", table[:, 0, term, index], table[:, 1, term, index])


KIND = Kind("adverse_events", needed=("probabilities",), effects=effects, fit=fit, predict=predict, scale=scale)
