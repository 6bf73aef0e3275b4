"""What the section of a multivariable model names and says, against the other sections: ratios, tests, baseline, levels of factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from retrial.dims import ARMS
from retrial.study.consistency.names import Found, keys, named
from retrial.study.effects import VAGUE, Covariate, Multivariable, factors_of, same_groups, side_name
from retrial.study.problems import listed, shown
from retrial.study.study import Study


def multivariable(study: Study, path: str, model: Multivariable, tree: Mapping[str, Any]) -> Found:
    """What the section of a multivariable model names and other sections do not have, or have of something else."""
    yield from named(f"{path}.endpoint", model.endpoint, {**keys(tree, "endpoints"), **keys(tree, "binary")})
    yield from named(f"{path}.tests", model.tests, keys(tree, "tests"))
    for name, item in model.covariates.items():
        yield from _covariate(study, f"{path}.covariates.{name}", model, item, tree)
    used = [item.effect for item in model.covariates.values()]
    if len(set(used)) < len(used):
        yield f"{path}.covariates", f"got the effects {listed(used)}; allowed is each once"
    mine = {key: study.effects[key] for key in dict.fromkeys(used) if key in study.effects}
    known = keys(tree, "endpoints")
    endpoints = {one.endpoint for one in mine.values() if one.endpoint in known}
    for what, values in (("measure", {one.measure for one in mine.values()}), ("endpoint", endpoints)):
        if len(values) > 1:
            yield f"{path}.covariates", f"got effects of the {what}s {listed(sorted(values))}; allowed is one {what}"
    treatments = [key for key, one in mine.items() if one.is_treatment]
    if len(treatments) > 1:
        yield f"{path}.covariates", f"got the treatment effects {listed(treatments)}; allowed is one"
    yield from _each_once(study, path, model)
    yield from _factors(study, path, model)
    for name, item in model.covariates.items():
        if item.effect in mine and not mine[item.effect].adjusted_for:
            rest = listed([other for other in model.covariates if other != name])
            yield f"effects.{item.effect}.adjusted_for", f"missing, so that it reads as unadjusted; {path} says: [{rest}]"
    others = [name for name, item in model.covariates.items() if item.effect not in treatments]
    for name in model.collinear_with:
        if name not in others or not treatments:
            allowed = listed(others) if treatments else "none: the model has no treatment"
            yield f"{path}.collinear_with", f"got {shown(name)}; allowed are {allowed}"


def _factors(study: Study, path: str, model: Multivariable) -> Found:
    """Levels of a factor have one reference, no patient in two of them, and a test of as many groups; and nobody need guess what is one."""
    factors = factors_of(model, study.effects)
    table = study.tests.get(model.tests)
    for factor in dict.fromkeys(factors.values()):
        mine = {name: model.covariates[name] for name, value in factors.items() if value == factor}
        if any(problem for name, item in mine.items() for problem in _group(study, f"{path}.covariates.{name}", item)):
            continue  # what makes it a level may be what is wrong
        effects = {name: study.effects[item.effect] for name, item in mine.items() if item.effect in study.effects}
        references = {side_name(effect.denominator): effect.denominator for effect in effects.values()}
        if len(references) > 1 or any(item.per_unit for item in mine.values()):
            allowed = (
                f"allowed is one for all levels of {factor}; write each ratio over the same level, or give each its own factor"
            )
            for name in mine:
                yield f"{path}.covariates.{name}.factor", f"got the denominators {listed(list(references.values()))}; {allowed}"
            continue  # the rest would be said of covariates that may be no levels of it
        used = Counter(level for item in mine.values() for level in item.levels)
        twice = [level for level, count in used.items() if count > 1]
        if twice:
            for name in mine:
                yield (
                    f"{path}.covariates.{name}.levels",
                    f"got {listed(twice)} twice; allowed is each level in one group of {factor}",
                )
        rows = {item.test for item in mine.values() if item.test} | (
            {factor} if table is not None and factor in table.rows else set()
        )
        for row in rows:
            shared = factor == row or sum(item.test == row for item in mine.values()) > 1
            if table is not None and row in table.rows and shared and table.rows[row].groups != len(mine) + 1:
                got, allowed = table.rows[row].groups, f"allowed is {len(mine) + 1}, the levels of {factor} with its reference"
                yield f"tests.{model.tests}.rows.{row}.groups", f"got {got} beside the {len(mine)} ratios of {factor}; {allowed}"
    yield from _unclear(study, path, model, factors)
    yield from _without_factor(study, path, model, factors)


def _without_factor(study: Study, path: str, model: Multivariable, factors: Mapping[str, str]) -> Found:
    """`against` is about levels of a factor, `side` about a covariate without a univariable ratio."""
    for name, item in model.covariates.items():
        if item.against == "others" and name not in factors:
            yield (
                f"{path}.covariates.{name}.against",
                "got others of a covariate that is no level of a factor; allowed beside factor",
            )
        if item.side is not None and item.unadjusted in study.effects:
            yield f"{path}.covariates.{name}.side", f"got {item.side} beside unadjusted, which says it; allowed is one of them"


def _unclear(study: Study, path: str, model: Multivariable, factors: Mapping[str, str]) -> Found:
    """Two ratios that share a group, but of which nothing says whether they are levels of one factor."""
    known = {name: study.effects[item.effect] for name, item in model.covariates.items() if item.effect in study.effects}
    open_ones = [name for name, effect in known.items() if not (effect.is_treatment or model.covariates[name].per_unit)]
    for one, other in combinations(open_ones, 2):
        same = factors.get(one, one) == factors.get(other, other)
        if same or (model.covariates[one].factor and model.covariates[other].factor):
            continue
        sides = [[side_name(text) for text in (known[name].numerator, known[name].denominator)] for name in (one, other)]
        (top, bottom), (second_top, second_bottom) = sides
        levels = bottom == second_bottom and top != second_top and not {top, second_top} <= VAGUE
        chained = bottom != second_bottom and bool({top, bottom} & {second_top, second_bottom} - VAGUE)
        if levels or chained:
            words = " and ".join(f"{known[name].numerator} / {known[name].denominator}" for name in (one, other))
            allowed = (
                "allowed are ratios over one reference with the same factor (levels of one), or a factor each (different ones)"
            )
            yield f"{path}.covariates.{other}.factor", f"missing beside the ratios {words} of {one} and {other}; {allowed}"


def _each_once(study: Study, path: str, model: Multivariable) -> Found:
    """What can be of one covariate of a model only: a univariable ratio, a test, a group of the baseline table."""
    table = study.tests.get(model.tests)
    factors = factors_of(model, study.effects)
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
            # the levels of a factor have one overall test
            levels = key == "test" and value in first and name in factors and factors[name] == factors.get(first[value])
            if value and value in first and not levels:
                yield (
                    f"{path}.covariates.{name}.{key}",
                    f"got {shown(value)}, that of {first[value]} too; allowed is each for one covariate",
                )
            first.setdefault(value, name)


def _covariate(study: Study, path: str, model: Multivariable, item: Covariate, tree: Mapping[str, Any]) -> Found:
    for name in ("effect", "unadjusted"):
        yield from named(f"{path}.{name}", getattr(item, name), keys(tree, "effects"))
    if item.test and not model.tests:
        yield f"{path}.test", f"got {shown(item.test)}; allowed beside tests, the key of a table of tests"
    elif item.test:
        yield from named(f"{path}.test", item.test, keys(tree, "tests", model.tests, "rows"))
    variables = keys(tree, "baseline", "variables")
    yield from named(f"{path}.baseline", item.baseline, variables)
    for level in item.levels if item.baseline in variables else ():
        yield from named(f"{path}.levels", level, keys(tree, "baseline", "variables", item.baseline, "levels"))
    if item.baseline in variables:
        yield from _group(study, path, item)
    yield from _unadjusted(study, path, item)


def _unadjusted(study: Study, path: str, item: Covariate) -> Found:
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
    others = item.against == "others" and alone.numerator == adjusted.numerator
    if not others and not same_groups(*both):
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


def _group(study: Study, path: str, item: Covariate) -> Found:
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
