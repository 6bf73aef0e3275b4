"""Checks across a study's sections: what no paper can print, so that the file must be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from retrial.dims import ARMS, TOTAL
from retrial.study.consistency.multivariable import multivariable
from retrial.study.consistency.names import Found, keys, unknown
from retrial.study.fields import CountRow
from retrial.study.problems import Problem, listed, shown
from retrial.study.sections import AdverseEvents, Endpoint
from retrial.study.study import Study
from retrial.study.text.files import LEADS_OUT, is_within

_YEAR_MONTH = len("2020-01")


def problems_of(study: Study, tree: Mapping[str, Any], folder: Path) -> list[Problem]:
    """Every problem that needs more than one key to see.

    `tree` is the file as written: a name that stands in it is known, even where its entry was refused for another reason.
    """
    found = [*_sizes(study), *_rows(study), *_names(study, tree), *_timeline(study)]
    for key, endpoint in study.endpoints.items():
        found += _endpoint(study, f"endpoints.{key}", endpoint, folder)
    return [Problem(tuple(path.split(".")), message) for path, message in found]


def _sizes(study: Study) -> Found:
    for arm in ARMS:
        if study.n(arm) == 0:
            yield f"arms.{arm}.n", "got 0; allowed is at least 1 patient"
    needing = [name for name in ("response", "binary", "adverse_events", "baseline") if getattr(study, name)]
    survival = [f"endpoints.{key}" for key, item in study.endpoints.items() if item.patients is None and _has_counts(item)]
    for arm in ARMS:
        if study.n(arm) is None and (needing or survival):
            yield f"arms.{arm}.n", f"missing; needed by {listed(needing + survival)}"


def _has_counts(endpoint: Endpoint) -> bool:
    return any((endpoint.events.control, endpoint.events.experimental, endpoint.events.total, endpoint.at_risk))


def _rows(study: Study) -> Found:
    rows = dict(study.count_rows())
    for name, variable in (study.baseline.variables if study.baseline else {}).items():
        rows |= {f"baseline.variables.{name}.levels.{level}": row for level, row in (variable.levels or {}).items()}
    for path, row in rows.items():
        yield from _row_above_n(study, path, row)
    means = [name for name, item in (study.baseline.variables if study.baseline else {}).items() if item.levels is None]
    paths = [*rows, *(f"baseline.variables.{name}" for name in means)]
    yield from dict.fromkeys(problem for path in paths for problem in _nobody_evaluable(study, path))


def _row_above_n(study: Study, path: str, row: CountRow) -> Found:
    for arm in (*ARMS, TOTAL):
        cell, known = getattr(row, arm), study.evaluable(path, arm)
        n = study.n(arm) if known is None else known
        if cell is not None and n is not None and cell.n.value > n:
            allowed = _size_of(study, arm) if known is None else f"evaluable, {n}"
            yield f"{path}.{arm}", f"got {cell.n} of {n} patients; allowed is at most {allowed}"


def _nobody_evaluable(study: Study, path: str) -> Found:
    """More than the arm's n is no error: a table of all treated patients may stand beside an analysis of some of them."""
    for size, key in (study.said_evaluable(path, arm) for arm in ARMS):
        if size == 0:
            yield key, "got 0; allowed is at least 1 patient, or no row"


def _size_of(study: Study, arm: str) -> str:
    """The key that says how many patients there are."""
    if arm in ARMS:
        return f"arms.{arm}.n"
    return "the sum of arms.*.n" if study.total is None else "total.n"


def _names(study: Study, tree: Mapping[str, Any]) -> Found:
    """Names that one section uses and another one must define."""
    endpoints = keys(tree, "endpoints")
    for key, effect in study.effects.items():
        if effect.endpoint and endpoints:
            yield from unknown(f"effects.{key}.endpoint", [effect.endpoint], endpoints)
    for table, tests in study.tests.items():
        for row, item in tests.rows.items():
            if endpoints:
                yield from unknown(f"tests.{table}.rows.{row}.results", list(item.results), endpoints)
    for key, model in study.multivariable.items():
        yield from multivariable(study, f"multivariable.{key}", model, tree)
    categories = keys(tree, "response", "categories")
    for key, composite in (study.response.composites if study.response else {}).items():
        yield from unknown(f"response.composites.{key}.of", composite.of, categories)
    if study.adverse_events is not None:
        yield from _ranked(study.adverse_events, tree)


def _ranked(adverse_events: AdverseEvents, tree: Mapping[str, Any]) -> Found:
    """Rankings name terms that have the ranking's grade."""
    terms_with: dict[str, dict[str, None]] = {}
    for term in keys(tree, "adverse_events", "terms"):
        for grade in keys(tree, "adverse_events", "terms", term, "grades"):
            terms_with.setdefault(grade, {})[term] = None
    for position, ranking in enumerate(adverse_events.rankings):
        path = f"adverse_events.rankings.{position}"
        if ranking.grade in terms_with:
            yield from unknown(f"{path}.terms", ranking.terms, terms_with[ranking.grade])
        else:
            yield f"{path}.grade", f"got {shown(ranking.grade)}; allowed are {listed(list(terms_with))}"


def _timeline(study: Study) -> Found:
    if study.timeline is None:
        return
    order = [(name, getattr(study.timeline, name)) for name in ("accrual_start", "accrual_end", "cut_off")]
    given = [(name, date) for name, date in order if date]
    for (earlier, first), (later, second) in pairwise(given):
        shared = min(len(first), len(second))
        if second[:shared] < first[:shared]:
            yield f"timeline.{later}", f"got {second}, before timeline.{earlier} {first}; allowed is the same time or later"


def _endpoint(study: Study, path: str, endpoint: Endpoint, folder: Path) -> Found:
    for arm in ARMS:
        events, n = getattr(endpoint.events, arm), study.patients(f"{path}.events", arm)
        if events is not None and n is not None and events.value > n:
            allowed = f"arms.{arm}.n" if events.evaluable is None else "its evaluable"
            yield f"{path}.events.{arm}", f"got {events.n} events of {n} patients; allowed is at most {allowed}"
    total, n = endpoint.events.total, study.n(TOTAL)
    if total is not None and n is not None and total.n.value > n:
        yield f"{path}.events.total", f"got {total.n} events of {n} patients; allowed is at most {_size_of(study, TOTAL)}"
    for group in (*ARMS, TOTAL):
        shortest, longest = endpoint.shortest_of(group), endpoint.longest_of(group) or endpoint.longest_of(TOTAL)
        if shortest is not None and longest is not None and shortest.value > longest.value:
            yield f"{path}.shortest", f"got {shortest}, above longest {longest}; allowed is shortest <= longest"
            break
    yield from _medians(path, endpoint)
    yield from _at_risk(study, path, endpoint)
    for name, file in endpoint.data_files.items():
        if not _is_file(folder / file):
            yield f"{path}.{name}", f"got {shown(file)}; there is no such file in {folder}"
        elif not is_within(folder / file, folder / ".."):
            yield f"{path}.{name}", f"got {shown(file)}, {LEADS_OUT.removeprefix('got ')}"


def _medians(path: str, endpoint: Endpoint) -> Found:
    for arm in (*ARMS, TOTAL):
        median = getattr(endpoint.median, arm)
        if median is not None and median.ci is not None and not median.ci.may_hold(median.value):
            got = f"got {median.ci.lower} to {median.ci.upper}, but the median is {median.value}"
            yield f"{path}.median.{arm}.ci", f"{got}; allowed is an interval around it"


def _at_risk(study: Study, path: str, endpoint: Endpoint) -> Found:
    for arm in ARMS:
        counts = getattr(endpoint.at_risk, arm, None) or []
        values, n = [int(count) for count in counts], study.patients(f"{path}.events", arm)
        if any(later > earlier for earlier, later in pairwise(values)) and not endpoint.late_entry:
            allowed = "allowed are numbers that never rise, or late_entry: true in"
            yield f"{path}.at_risk.{arm}", f"got {values}; {allowed} {path} where patients entered after time 0"
        most = max(values if endpoint.late_entry else values[:1], default=0)
        if n is not None and most > n:
            yield f"{path}.at_risk.{arm}", f"got {most} of {n} patients; allowed is at most arms.{arm}.n"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system, or a folder that may not be entered
        return False
