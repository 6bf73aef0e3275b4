"""Checks across a study's sections: what no paper can print, so that the file must be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from retrial.dims import ARMS, TOTAL
from retrial.study.effects import Covariate, Multivariable, same_groups
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


_Found = Iterator[tuple[str, str]]


def _sizes(study: Study) -> _Found:
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


def _rows(study: Study) -> _Found:
    rows = dict(study.count_rows())
    for name, variable in (study.baseline.variables if study.baseline else {}).items():
        rows |= {f"baseline.variables.{name}.levels.{level}": row for level, row in (variable.levels or {}).items()}
    for path, row in rows.items():
        yield from _row_above_n(study, path, row)
    means = [name for name, item in (study.baseline.variables if study.baseline else {}).items() if item.levels is None]
    paths = [*rows, *(f"baseline.variables.{name}" for name in means)]
    yield from dict.fromkeys(problem for path in paths for problem in _nobody_evaluable(study, path))


def _row_above_n(study: Study, path: str, row: CountRow) -> _Found:
    for arm in (*ARMS, TOTAL):
        cell, known = getattr(row, arm), study.evaluable(path, arm)
        n = study.n(arm) if known is None else known
        if cell is not None and n is not None and cell.n.value > n:
            allowed = _size_of(study, arm) if known is None else f"evaluable, {n}"
            yield f"{path}.{arm}", f"got {cell.n} of {n} patients; allowed is at most {allowed}"


def _nobody_evaluable(study: Study, path: str) -> _Found:
    """More than the arm's n is no error: a table of all treated patients may stand beside an analysis of some of them."""
    for size, key in (study.said_evaluable(path, arm) for arm in ARMS):
        if size == 0:
            yield key, "got 0; allowed is at least 1 patient, or no row"


def _size_of(study: Study, arm: str) -> str:
    """The key that says how many patients there are."""
    if arm in ARMS:
        return f"arms.{arm}.n"
    return "the sum of arms.*.n" if study.total is None else "total.n"


def _keys(tree: Any, *path: str) -> dict[str, None]:
    """Names below a key of the file, in its order."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return dict.fromkeys(tree) if isinstance(tree, Mapping) else {}


def _names(study: Study, tree: Mapping[str, Any]) -> _Found:
    """Names that one section uses and another one must define."""
    endpoints = _keys(tree, "endpoints")
    for key, effect in study.effects.items():
        if effect.endpoint and endpoints:
            yield from _unknown(f"effects.{key}.endpoint", [effect.endpoint], endpoints)
    for table, tests in study.tests.items():
        for row, item in tests.rows.items():
            if endpoints:
                yield from _unknown(f"tests.{table}.rows.{row}.results", list(item.results), endpoints)
    for key, model in study.multivariable.items():
        yield from _multivariable(study, f"multivariable.{key}", model, tree)
    categories = _keys(tree, "response", "categories")
    for key, composite in (study.response.composites if study.response else {}).items():
        yield from _unknown(f"response.composites.{key}.of", composite.of, categories)
    if study.adverse_events is not None:
        yield from _ranked(study.adverse_events, tree)


def _multivariable(study: Study, path: str, model: Multivariable, tree: Mapping[str, Any]) -> _Found:
    """What the section of a multivariable model names and other sections do not have, or have of something else."""
    yield from _named(f"{path}.endpoint", model.endpoint, {**_keys(tree, "endpoints"), **_keys(tree, "binary")})
    yield from _named(f"{path}.tests", model.tests, _keys(tree, "tests"))
    for name, item in model.covariates.items():
        yield from _covariate(study, f"{path}.covariates.{name}", model, item, tree)
    named = [item.effect for item in model.covariates.values()]
    if len(set(named)) < len(named):
        yield f"{path}.covariates", f"got the effects {listed(named)}; allowed is each once"
    mine = {key: study.effects[key] for key in dict.fromkeys(named) if key in study.effects}
    known = _keys(tree, "endpoints")
    endpoints = {one.endpoint for one in mine.values() if one.endpoint in known}
    for what, values in (("measure", {one.measure for one in mine.values()}), ("endpoint", endpoints)):
        if len(values) > 1:
            yield f"{path}.covariates", f"got effects of the {what}s {listed(sorted(values))}; allowed is one {what}"
    treatments = [key for key, one in mine.items() if one.is_treatment]
    if len(treatments) > 1:
        yield f"{path}.covariates", f"got the treatment effects {listed(treatments)}; allowed is one"
    yield from _each_once(study, path, model)
    for name, item in model.covariates.items():
        if item.effect in mine and not mine[item.effect].adjusted_for:
            rest = listed([other for other in model.covariates if other != name])
            yield f"effects.{item.effect}.adjusted_for", f"missing, so that it reads as unadjusted; {path} says: [{rest}]"
    others = [name for name, item in model.covariates.items() if item.effect not in treatments]
    for name in model.collinear_with:
        if name not in others or not treatments:
            allowed = listed(others) if treatments else "none: the model has no treatment"
            yield f"{path}.collinear_with", f"got {shown(name)}; allowed are {allowed}"


def _each_once(study: Study, path: str, model: Multivariable) -> _Found:
    """What can be of one covariate of a model only: a univariable ratio, a test, a group of the baseline table."""
    table = study.tests.get(model.tests)
    tests = {
        name: item.test or (name if table is not None and name in table.rows else "") for name, item in model.covariates.items()
    }
    groups = {
        name: f"{item.baseline}: {listed(sorted(item.levels))}" if item.baseline else ""
        for name, item in model.covariates.items()
    }
    ratios = {name: item.unadjusted for name, item in model.covariates.items()}
    for key, used in (("unadjusted", ratios), ("test", tests), ("levels", groups)):
        first: dict[str, str] = {}
        for name, value in used.items():
            if value and value in first:
                yield (
                    f"{path}.covariates.{name}.{key}",
                    f"got {shown(value)}, that of {first[value]} too; allowed is each for one covariate",
                )
            first.setdefault(value, name)


def _covariate(study: Study, path: str, model: Multivariable, item: Covariate, tree: Mapping[str, Any]) -> _Found:
    for name in ("effect", "unadjusted"):
        yield from _named(f"{path}.{name}", getattr(item, name), _keys(tree, "effects"))
    if item.test and not model.tests:
        yield f"{path}.test", f"got {shown(item.test)}; allowed beside tests, the key of a table of tests"
    elif item.test:
        yield from _named(f"{path}.test", item.test, _keys(tree, "tests", model.tests, "rows"))
    variables = _keys(tree, "baseline", "variables")
    yield from _named(f"{path}.baseline", item.baseline, variables)
    for level in item.levels if item.baseline in variables else ():
        yield from _named(f"{path}.levels", level, _keys(tree, "baseline", "variables", item.baseline, "levels"))
    if item.baseline in variables:
        yield from _group(study, path, item)
    yield from _unadjusted(study, path, item)


def _unadjusted(study: Study, path: str, item: Covariate) -> _Found:
    """The univariable ratio is of the same groups, measure and endpoint, and is adjusted for nothing."""
    both = [study.effects[key] for key in (item.effect, item.unadjusted) if key in study.effects]
    if item.unadjusted and item.unadjusted == item.effect:
        yield (
            f"{path}.unadjusted",
            f"got {shown(item.unadjusted)}, the adjusted ratio itself; allowed is the key of the univariable ratio, or nothing",
        )
        return
    if len(both) < 2:
        return
    adjusted, alone = both
    if not same_groups(*both):
        words = f"{alone.numerator} / {alone.denominator}"
        yield f"{path}.unadjusted", f"got a ratio of {words}; allowed is one of {adjusted.numerator} and {adjusted.denominator}"
    if alone.adjusted_for:
        yield (
            f"{path}.unadjusted",
            f"got {shown(item.unadjusted)}, which is adjusted for {listed(alone.adjusted_for)}; allowed is a ratio adjusted for nothing",
        )
    for what in ("measure", "endpoint"):
        one, other = getattr(adjusted, what), getattr(alone, what)
        if one and other and one != other:
            yield (
                f"{path}.unadjusted",
                f"got a ratio of the {what} {shown(other)}; allowed is that of {item.effect}, {shown(one)}",
            )


def _group(study: Study, path: str, item: Covariate) -> _Found:
    """The numerator's group is some of the patients: neither all of a variable's levels, nor all of those counted, nor nobody."""
    levels = (
        study.baseline.variables[item.baseline].levels
        if study.baseline is not None and item.baseline in study.baseline.variables
        else None
    )
    if not levels or any(name not in levels for name in item.levels):
        return
    if len(set(item.levels)) < len(item.levels):
        yield f"{path}.levels", f"got {listed(item.levels)}; allowed is each level once"
        return
    allowed = f"allowed are some of {listed(list(levels))}, those of the numerator"
    counts = [sum(int(getattr(levels[name], arm).n) for name in item.levels) for arm in ARMS]
    sizes = [study.patients(f"baseline.variables.{item.baseline}.levels.{item.levels[0]}", arm) for arm in ARMS]
    if len(levels) > 1 and len(item.levels) == len(levels):
        yield f"{path}.levels", f"got all levels of {item.baseline}, {listed(item.levels)}; {allowed}"
    elif not sum(counts):
        yield f"{path}.levels", f"got {listed(item.levels)}, which nobody has; {allowed}"
    elif None not in sizes and sum(counts) >= sum(size for size in sizes if size is not None):
        yield f"{path}.levels", f"got {listed(item.levels)}, which all {sum(counts)} patients have; {allowed}"


def _named(path: str, name: str, known: Mapping[str, None]) -> _Found:
    if name and name not in known:
        yield path, f"got {shown(name)}; allowed are {listed(list(known)) or 'none: the file has no such section'}"


def _ranked(adverse_events: AdverseEvents, tree: Mapping[str, Any]) -> _Found:
    """Rankings name terms that have the ranking's grade."""
    terms_with: dict[str, dict[str, None]] = {}
    for term in _keys(tree, "adverse_events", "terms"):
        for grade in _keys(tree, "adverse_events", "terms", term, "grades"):
            terms_with.setdefault(grade, {})[term] = None
    for position, ranking in enumerate(adverse_events.rankings):
        path = f"adverse_events.rankings.{position}"
        if ranking.grade in terms_with:
            yield from _unknown(f"{path}.terms", ranking.terms, terms_with[ranking.grade])
        else:
            yield f"{path}.grade", f"got {shown(ranking.grade)}; allowed are {listed(list(terms_with))}"


def _unknown(path: str, used: Sequence[str], known: Mapping[str, None]) -> _Found:
    for name in dict.fromkeys(used):
        if name not in known:
            yield path, f"got {shown(name)}; allowed are {listed(list(known))}"
    if len(set(used)) < len(used):
        yield path, f"got {listed(used)}; allowed is each name once"


def _timeline(study: Study) -> _Found:
    if study.timeline is None:
        return
    order = [(name, getattr(study.timeline, name)) for name in ("accrual_start", "accrual_end", "cut_off")]
    given = [(name, date) for name, date in order if date]
    for (earlier, first), (later, second) in pairwise(given):
        shared = min(len(first), len(second))
        if second[:shared] < first[:shared]:
            yield f"timeline.{later}", f"got {second}, before timeline.{earlier} {first}; allowed is the same time or later"


def _endpoint(study: Study, path: str, endpoint: Endpoint, folder: Path) -> _Found:
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


def _medians(path: str, endpoint: Endpoint) -> _Found:
    for arm in (*ARMS, TOTAL):
        median = getattr(endpoint.median, arm)
        if median is not None and median.ci is not None and not median.ci.may_hold(median.value):
            got = f"got {median.ci.lower} to {median.ci.upper}, but the median is {median.value}"
            yield f"{path}.median.{arm}.ci", f"{got}; allowed is an interval around it"


def _at_risk(study: Study, path: str, endpoint: Endpoint) -> _Found:
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
