"""A printed multivariable model: which ratios, univariable results and rows of the baseline table are of one covariate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field, model_validator

from retrial.study.effects import Effect
from retrial.study.fields import Key, PValue, Section
from retrial.study.problems import Clash, listed, shown


class Covariate(Section):
    """One covariate, by its keys in the other sections.

    `effect` is its ratio in the multivariable model, `unadjusted` its univariable ratio, `test` its row in the table of univariable tests (the
    covariate's own key, where the table has such a row). `baseline` and `levels` are its row group of the baseline table and the levels that
    belong to the numerator's group. `per_unit` says that the ratio is per unit of a quantity, not of two groups.
    """

    effect: str
    unadjusted: str = ""
    test: str = ""
    baseline: str = ""
    levels: list[str] = Field(default_factory=list)
    per_unit: bool = False

    @model_validator(mode="after")
    def _levels_of(self) -> Covariate:
        if bool(self.baseline) != bool(self.levels):
            given, other = ("baseline", "levels") if self.baseline else ("levels", "baseline")
            raise Clash(f"got {given} without {other}; allowed are both (or neither)", at=(given,), also=(other,))
        if self.levels and self.per_unit:
            raise Clash("got levels of a ratio per unit; allowed are levels of a group", at=("levels",), also=("per_unit",))
        return self


class Multivariable(Section):
    """The multivariable model of one endpoint: all of its covariates, and how they were chosen.

    `tests` names the table of univariable tests, `selected_below` the univariable p below which covariates were taken into the model.
    """

    endpoint: str = ""
    where: str = ""
    tests: str = ""
    selected_below: PValue | None = None
    covariates: dict[Key, Covariate] = Field(min_length=2)


Found = Iterator[tuple[str, str]]


def problems_of_models(models: Mapping[str, Multivariable], effects: Mapping[str, Effect], known: Mapping[str, object]) -> Found:
    """(key path, message) of what the sections of multivariable models name and other sections do not have, or have of something else.

    `known` is the file as written: a name that stands in it is known, even where its entry was refused for another reason.
    """
    for key, model in models.items():
        path = f"multivariable.{key}"
        yield from _unknown(f"{path}.endpoint", model.endpoint, {**_below(known, "endpoints"), **_below(known, "binary")})
        yield from _unknown(f"{path}.tests", model.tests, _below(known, "tests"))
        for name, item in model.covariates.items():
            yield from _of_covariate(f"{path}.covariates.{name}", model, item, effects, known)
        yield from _together(path, model, effects)


def _of_covariate(
    path: str, model: Multivariable, item: Covariate, effects: Mapping[str, Effect], known: Mapping[str, object]
) -> Found:
    for name in ("effect", "unadjusted"):
        yield from _unknown(f"{path}.{name}", getattr(item, name), _below(known, "effects"))
    if item.test and not model.tests:
        yield f"{path}.test", f"got {shown(item.test)}; allowed beside tests, the key of a table of tests"
    elif item.test:
        yield from _unknown(f"{path}.test", item.test, _below(known, "tests", model.tests, "rows"))
    yield from _unknown(f"{path}.baseline", item.baseline, _below(known, "baseline", "variables"))
    for level in item.levels if item.baseline in _below(known, "baseline", "variables") else ():
        yield from _unknown(f"{path}.levels", level, _below(known, "baseline", "variables", item.baseline, "levels"))
    both = [effects[key] for key in (item.effect, item.unadjusted) if key in effects]
    if len(both) == 2 and not same_groups(*both):
        words = f"{both[1].numerator} / {both[1].denominator}"
        yield f"{path}.unadjusted", f"got a ratio of {words}; allowed is one of {both[0].numerator} and {both[0].denominator}"


def _together(path: str, model: Multivariable, effects: Mapping[str, Effect]) -> Found:
    """What all covariates of one model share: the endpoint, the measure, and that each is named once."""
    named = [item.effect for item in model.covariates.values()]
    if len(set(named)) < len(named):
        yield f"{path}.covariates", f"got the effects {listed(named)}; allowed is each once"
    mine = {key: effects[key] for key in dict.fromkeys(named) if key in effects}
    for what, values in (
        ("measure", {one.measure for one in mine.values()}),
        ("endpoint", {one.endpoint for one in mine.values()}),
    ):
        if len(values) > 1:
            yield f"{path}.covariates", f"got effects of the {what}s {listed(sorted(values))}; allowed is one {what}"
    treatments = [key for key, one in mine.items() if one.is_treatment]
    if len(treatments) > 1:
        yield f"{path}.covariates", f"got the treatment effects {listed(treatments)}; allowed is one"


def same_groups(one: Effect, other: Effect) -> bool:
    """Whether two ratios compare the same groups, in either order."""
    return {one.numerator, one.denominator} == {other.numerator, other.denominator}


def _below(tree: Mapping[str, object], *path: str) -> dict[str, None]:
    """Names below a key of the file, in its order."""
    node: object = tree
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return dict.fromkeys(node) if isinstance(node, Mapping) else {}


def _unknown(path: str, name: str, known: Mapping[str, None]) -> Found:
    if name and name not in known:
        yield path, f"got {shown(name)}; allowed are {listed(list(known)) or 'none: the file has no such section'}"
