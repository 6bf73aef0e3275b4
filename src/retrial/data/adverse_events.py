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
from retrial.data.chains import EFFECT, GradedEvents, fit_chains, graded_events, scalable
from retrial.data.kind import Fits, Kind, Place, Row, Values, refused
from retrial.data.prior_checks import Before, both_arms
from retrial.dims import ANY_GRADE, ARMS, OTHER_GRADES
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import patients_note
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.grades import grades_of, wholes
from retrial.study.outcomes import AdverseEventTerm
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

log = logging.getLogger("retrial")
OUTCOME = "adverse_events"
"""Endpoint of what is said of all terms together."""
HARM = -1


Counts = tuple[int, int]


def effects(study: Study) -> tuple[str, ...]:
    """The odds ratio that the terms' are pooled towards."""
    return (EFFECT,) if study.adverse_events is not None else ()


def graded_of(study: Study) -> GradedEvents | None:
    """Every term in its exclusive grade groups, worst first, among the patients of the table (`evaluable`, else the arms' n).

    None without terms or arm sizes. Raises `DataError` where grades of one term have different patients.

    A printed group that holds others ("any", ">=3" beside 3 and 4) is their sum and what it holds beside them; that rest is a group of its
    own: the one that alone is missing, else "other" of the group ("any" where no other group is printed).
    """
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    if not terms or any(study.n(arm) is None for arm in ARMS):
        return None
    sizes = np.array([[_size(study, name, arm) for name in terms] for arm in ARMS])
    split = sorted({grade for term in terms.values() for grade in term.grades if grade != ANY_GRADE}, key=_worst, reverse=True)
    groups, sums = zip(*(_groups(term, split) for term in terms.values()), strict=True)
    met = dict.fromkeys(grade for found in groups for grade in found)
    ends = (OTHER_GRADES, ANY_GRADE)
    grades = [grade for grade in (*split, *(grade for grade in met if grade not in (*split, *ends)), *ends) if grade in met]
    counts = [[[found.get(grade, (0, 0))[arm] for grade in grades] for found in groups] for arm in range(len(ARMS))]
    known = [[grade in found for grade in grades] for found in groups]
    return graded_events(list(terms), grades, counts, sizes, known, sums)


def _size(study: Study, name: str, arm: str) -> int:
    """Patients of one arm among whom a term was counted."""
    grades = study.adverse_events.terms[name].grades if study.adverse_events is not None else {}
    sizes = {study.patients(f"adverse_events.terms.{name}.grades.{grade}", arm) or 0 for grade in grades}
    if len(sizes) > 1:
        said = f"adverse_events.terms.{name}: got grades of {', '.join(map(str, sorted(sizes)))} patients in the {arm} arm"
        raise DataError("cannot model the adverse events", [f"{said}; allowed is one number (evaluable.{arm} of the term)"])
    return sizes.pop()


def _worst(key: str) -> tuple[int, str]:
    return max(grades_of(key) or (0,)), key


def _groups(term: AdverseEventTerm, split: Sequence[str]) -> tuple[dict[str, Counts], dict[str, tuple[str, ...]]]:
    """Patients (control, experimental) of one term by exclusive group, and the groups of every printed one, as far as they can be told."""
    printed: dict[str, Counts] = {grade: (int(row.control.n), int(row.experimental.n)) for grade, row in term.grades.items()}
    within = {whole.key: whole for whole in wholes(printed)}
    found: dict[str, Counts] = {}
    sums: dict[str, tuple[str, ...]] = {}
    for key in sorted(printed, key=lambda key: len(grades_of(key) or ())):
        if key not in within:
            if not any(_overlap(key, other) for other in found):
                found[key], sums[key] = printed[key], (key,)
            continue
        whole = within[key]
        parts = tuple(group for part in whole.parts for group in sums.get(part, ()))
        rest = tuple(printed[key][arm] - sum(found[group][arm] for group in parts) for arm in (0, 1))
        if min(rest) < 0 or (whole.sums and any(rest)):
            continue  # the parts stand, the whole says nothing; the audit has the finding
        sums[key] = parts
        if not whole.sums and (any(rest) or _missing(whole.key, parts, split)):
            name = _missing(whole.key, parts, split) or (OTHER_GRADES if key == ANY_GRADE else f"{OTHER_GRADES} {key}")
            found[name], sums[key] = (rest[0], rest[1]), (*parts, name)
            sums |= {name: (name,)} if name in split else {}
    if ANY_GRADE not in printed and any(whole.key == ANY_GRADE and whole.sums for whole in wholes([*found, ANY_GRADE])):
        sums[ANY_GRADE] = tuple(found)
    return found, dict(sorted(sums.items(), key=lambda item: (item[0] == ANY_GRADE, [-grade for grade in _worst(item[0])[:1]])))


def _missing(key: str, parts: Sequence[str], split: Sequence[str]) -> str:
    """The one group of the table that makes the parts all of any grade; empty where there is none, or several."""
    absent = [group for group in split if group not in parts and not any(_overlap(group, part) for part in parts)]
    complete = key == ANY_GRADE and any(
        whole.key == ANY_GRADE and whole.sums for group in absent[:1] for whole in wholes([*parts, group, ANY_GRADE])
    )
    return absent[0] if len(absent) == 1 and complete else ""


def _overlap(one: str, other: str) -> bool:
    """Whether two groups share a grade, so that a patient may be in both."""
    return one != other and bool((grades_of(one) or frozenset()) & (grades_of(other) or frozenset()))


def left_out(study: Study, events: GradedEvents) -> str:
    """Printed groups that cannot be analysed, in words; empty where there are none."""
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    lost = [
        f"{key} {grade}"
        for key, sums in zip(events.terms, events.sums, strict=True)
        for grade in terms[key].grades
        if grade not in sums
    ]
    return f"{', '.join(lost)}: left out, does not fit together with the grades beside it" if lost else ""


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
    notes = {
        name: patients_note(study, f"adverse_events.terms.{name}.grades.{next(iter(events.sums[index]))}")
        for index, name in enumerate(events.terms)
    }
    nobody = empty_arms(events.counts.sum(axis=(1, 2)), events.n.sum(axis=1))

    def answers(subject: Subject, draws: Mapping[str, np.ndarray]) -> list[Estimate]:
        table = spec.probabilities_of(draws, events)
        about = dataclasses.replace(subject, source=where)
        together = dataclasses.replace(about, note=nobody)
        return pooling_rows(together, draws, run.questions) + adverse_event_rows(about, events, table, run.questions, notes)

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
