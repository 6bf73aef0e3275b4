"""Ratios with their intervals, and tables of tests, of a study file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Literal

from pydantic import Field, model_validator

from retrial.dims import ARMS
from retrial.study.fields import (
    ConfidenceInterval,
    Interval,
    Key,
    Level,
    LogError,
    LogRatio,
    OneLimit,
    Positive,
    PValue,
    Section,
    Sides,
    Statistic,
    Tested,
)
from retrial.study.problems import Clash, shown
from retrial.study.reported import Quantity, Reported

Measure = Literal["hazard_ratio", "odds_ratio", "risk_ratio"]
MEASURES: tuple[Measure, ...] = ("hazard_ratio", "odds_ratio", "risk_ratio")
LOG_MEASURES: dict[str, Measure] = {f"log_{name}": name for name in MEASURES}


class Effect(Tested):
    """A printed ratio, numerator over denominator, with its interval; or its logarithm with the standard error.

    `numerator: experimental`, `denominator: control` is a treatment effect (the default); other names are a covariate's.
    The printed row label goes to `label`; where the label and the numbers disagree about the direction, `numerator` and
    `denominator` say what the numbers say, and the audit shows why. `good` says whether more of the event is better for the
    patient; where it is left out, `data.direction.is_good` goes by the measure and the names. `se` is of the log ratio, printed beside
    it or beside the ratio. `level` is the interval's; of a single limit it is one-sided.
    """

    endpoint: str = ""
    label: str = ""
    where: str = ""
    numerator: str = "experimental"
    denominator: str = "control"
    label_direction: Literal["as_printed", "reversed"] = "as_printed"
    adjusted_for: list[str] = Field(default_factory=list)
    good: bool | None = None
    hazard_ratio: Positive | None = None
    odds_ratio: Positive | None = None
    risk_ratio: Positive | None = None
    log_hazard_ratio: LogRatio | None = None
    log_odds_ratio: LogRatio | None = None
    log_risk_ratio: LogRatio | None = None
    se: LogError | None = None
    ci: ConfidenceInterval | None = None
    level: Level = 0.95
    p: PValue | None = None
    sides: Sides = 2

    @model_validator(mode="after")
    def _coherent(self) -> Effect:
        names = (*MEASURES, *LOG_MEASURES)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise Clash(f"got {' and '.join(given) or 'none'} of {', '.join(names)}; allowed is exactly one", also=names)
        if self.numerator == self.denominator:
            raise Clash(
                f"got numerator and denominator both {shown(self.numerator)}; allowed are two different names",
                at=("numerator", "denominator"),
            )
        if len({self.numerator, self.denominator} & set(ARMS)) == 1:
            raise Clash(
                f"got {shown(self.numerator)} over {shown(self.denominator)}; allowed are both arms ({' and '.join(ARMS)}),"
                f" or two names that are no arm",
                at=("numerator", "denominator"),
            )
        if self.ci is not None:
            self._check_limits(self.ci, given[0])
        return self

    def _check_limits(self, ci: Interval | OneLimit, name: str) -> None:
        limits = [ci.limit] if isinstance(ci, OneLimit) else [ci.lower, ci.upper]
        bound = next((limit for limit in limits if limit.is_bound), None)
        if bound is not None:
            allowed = "allowed are numbers; of an interval with one limit leave the other blank ([0.51, ] or [ , 0.98]) and say its level"
            raise Clash(f"got the limit {bound}; {allowed}", at=("ci",))
        if name in LOG_MEASURES:
            raise Clash(f"got a ci beside {name}; allowed is se, or {LOG_MEASURES[name]} with its ci", at=("ci",), also=(name,))
        if limits[0].low <= 0:
            which = "a lower limit" if isinstance(ci, Interval) or not ci.is_upper else "an upper limit"
            raise Clash(f"got {which} of {limits[0]}; allowed is above 0 for a ratio", at=("ci",))
        if isinstance(ci, Interval) and not ci.may_hold(self.estimate):
            raise Clash(
                f"got {ci.lower} to {ci.upper}, but the {self.measure} is {self.estimate}; allowed is an interval around it",
                at=("ci",),
                also=(self.measure,),
            )
        if isinstance(ci, OneLimit):
            self._check_one_limit(ci)

    def _check_one_limit(self, ci: OneLimit) -> None:
        if "level" not in self.model_fields_set or self.level <= 0.5:
            words = f"{100 * self.level:g}%" if "level" in self.model_fields_set else "no level"
            allowed = "allowed is its one-sided level: 97.5% for one end of a 95% interval, 95% for a one-sided 95% limit"
            raise Clash(f"got {words} beside a single limit; {allowed}", at=("ci",), also=("level",))
        wrong = ci.limit.high <= self.estimate.low if ci.is_upper else ci.limit.low >= self.estimate.high
        if wrong:
            side = "above" if ci.is_upper else "below"
            raise Clash(
                f"got the limit {ci.limit}, but the {self.measure} is {self.estimate}; allowed is a limit {side} it",
                at=("ci",),
                also=(self.measure,),
            )

    @property
    def given(self) -> str:
        """The key that holds the ratio or its logarithm."""
        return next(name for name in (*MEASURES, *LOG_MEASURES) if getattr(self, name) is not None)

    @property
    def measure(self) -> Measure:
        return next(name for name in MEASURES if self.given in (name, f"log_{name}"))

    @property
    def estimate(self) -> Quantity:
        """The ratio; of a printed logarithm b exp(b), rounding and all."""
        printed = getattr(self, self.given)
        if self.given in MEASURES:
            return printed
        return Quantity(tuple(_exp(item, 0.0, item.text, item.where) for item in printed.prints))

    @property
    def interval(self) -> Interval | None:
        """The two-sided interval at `interval_level`: as printed, or what the SE or a single limit implies, rounding and all.

        Of estimate b and SE s it is exp(b ± z s); of b and one limit l on the log scale, the other one is 2 b - l.
        """
        if isinstance(self.ci, Interval):
            return self.ci
        point = self.estimate.first
        if isinstance(self.ci, OneLimit):
            printed = self.ci.limit.first
            other = Reported.between(
                f"{point}² / {printed}",
                point.value**2 / printed.value,
                max(point.low, _TINY) ** 2 / printed.high,
                point.high**2 / max(printed.low, _TINY),
                decimals=printed.decimals,
            )
            sides = (Quantity((other,)), self.ci.limit)
            return Interval(*sides) if self.ci.is_upper else Interval(*sides[::-1])
        if self.se is None:
            return None
        z = NormalDist().inv_cdf(0.5 + self.level / 2)
        text = getattr(self, self.given).text if self.given in LOG_MEASURES else f"log {point}"
        lower, upper = (_limit_of_se(point, self.se.first, sign * z, text) for sign in (-1, 1))
        return Interval(Quantity((lower,)), Quantity((upper,)))

    @property
    def interval_level(self) -> float:
        """Content of `interval`; a single limit of one-sided level c is one end of an interval of 2 c - 1."""
        return 2 * self.level - 1 if isinstance(self.ci, OneLimit) else self.level

    @property
    def is_treatment(self) -> bool:
        return {self.numerator, self.denominator} == {"experimental", "control"}


STRATA = "stratification factors"
_STRATIFIED = re.compile(r"(?<!un)(?<!un[- ])(?<!non)(?<!non[- ])(?<!not[- ])stratified", re.IGNORECASE)


def with_strata(effects: object) -> object:
    """Effects whose name or label says "stratified" are adjusted for the strata, where their `adjusted_for` says nothing."""
    if not isinstance(effects, dict):
        return effects
    return {key: _with_strata(str(key), item) for key, item in effects.items()}


def _with_strata(key: str, item: object) -> object:
    if not isinstance(item, dict) or item.get("adjusted_for"):
        return item
    words = f"{key} {item.get('label') or ''}".replace("_", " ")
    return {**item, "adjusted_for": [STRATA]} if _STRATIFIED.search(words) else item


_TINY = 1e-12


def _exp(printed: Reported, add: float, text: str, where: str = "") -> Reported:
    """exp of a printed logarithm plus a number."""
    ends = (math.exp(end + add) for end in (printed.value, printed.low, printed.high))
    return Reported.between(f"exp({text})", *ends, decimals=printed.decimals, where=where)


def _limit_of_se(point: Reported, se: Reported, z: float, text: str) -> Reported:
    """point × exp(z SE) over the rounding of both."""
    ends = sorted(z * end for end in (max(se.low, 0.0), se.high))
    sign = "+" if z > 0 else "−"
    return Reported.between(
        f"exp({text} {sign} {abs(z):.3f} × {se})",
        point.value * math.exp(z * se.value),
        max(point.low, _TINY) * math.exp(ends[0]),
        point.high * math.exp(ends[1]),
        decimals=max(point.decimals, se.decimals),
    )


class TestResult(Tested):
    """χ² and p of one test, and its degrees of freedom where printed."""

    __test__ = False  # not a test case of pytest
    chi_square: Statistic | None = None
    p: PValue | None = None
    sides: Sides = 2
    df: int | None = Field(None, ge=1, le=100)


class TestRow(Section):
    """One variable's tests, by endpoint. `treatment: true` marks the comparison of the arms themselves."""

    __test__ = False
    label: str = ""
    groups: int = Field(2, ge=2, le=100)
    treatment: bool = False
    results: dict[Key, TestResult] = Field(min_length=1)


class TestTable(Section):
    """A table of tests, such as the univariable analysis."""

    __test__ = False
    where: str = ""
    rows: dict[Key, TestRow] = Field(min_length=1)


class Covariate(Section):
    """One covariate, by its keys in the other sections; a factor of three or more levels is one covariate a level, each over the same reference.

    `effect` is its ratio in the multivariable model, `unadjusted` its univariable ratio, `test` its row in the table of univariable tests (the
    covariate's own key, where the table has such a row). `baseline` and `levels` are its row group of the baseline table and the levels that
    belong to the numerator's group. `per_unit` says that the ratio is per unit of a quantity, not of two groups.
    `factor` names the factor that the group is a level of; left out it is told by a shared test, baseline variable or denominator (`factors_of`).
    `against` says what a level's univariable numbers are of: its factor's levels fitted together (`reference`, as papers print them), or this
    group alone against all other patients (`others`). `side` of 1 is where the univariable ratio lies, where its test alone is printed.
    """

    effect: str
    unadjusted: str = ""
    test: str = ""
    baseline: str = ""
    levels: list[str] = Field(default_factory=list)
    per_unit: bool = False
    factor: str = ""
    against: Literal["reference", "others"] = "reference"
    side: Literal["below", "above"] | None = None

    @model_validator(mode="after")
    def _levels_of(self) -> Covariate:
        if bool(self.baseline) != bool(self.levels):
            given, other = ("baseline", "levels") if self.baseline else ("levels", "baseline")
            raise Clash(f"got {given} without {other}; allowed are both (or neither)", at=(given,), also=(other,))
        if self.levels and self.per_unit:
            raise Clash("got levels of a ratio per unit; allowed are levels of a group", at=("levels",), also=("per_unit",))
        if self.factor and self.per_unit:
            raise Clash("got the factor of a ratio per unit; allowed is that of a group", at=("factor",), also=("per_unit",))
        return self


class Multivariable(Section):
    """The multivariable model of one endpoint: all of its covariates, and how they were chosen.

    `tests` names the table of univariable tests, `selected_below` the univariable p below which covariates were taken into the model,
    `collinear_with` the covariates of which the paper says that they are collinear with the treatment.
    """

    endpoint: str = ""
    where: str = ""
    tests: str = ""
    selected_below: PValue | None = None
    collinear_with: list[str] = Field(default_factory=list)
    covariates: dict[Key, Covariate] = Field(min_length=2)


VAGUE = frozenset(
    (
        *("no", "none", "absent", "negative", "without", "never", "yes", "present", "positive", "low", "lower", "high", "higher"),
        *("normal", "reference", "other", "others", "rest", "unknown"),
    )
)
"""Names of groups that two covariates may share without being levels of one factor."""


def factors_of(section: Multivariable, effects: Mapping[str, Effect]) -> dict[str, str]:
    """The factor of every covariate that is one of its levels, by the covariates' keys; what stands for itself is left out.

    Levels of one factor have the same `factor`, or name the same row of tests or the same baseline variable, or have the same denominator
    (which is no `VAGUE` word) and different numerators. A `factor` that is written alone keeps a covariate out of all others.
    """
    names = {name: item.factor for name, item in section.covariates.items()}
    open_ones = [name for name, item in section.covariates.items() if not item.factor and not item.per_unit]
    open_ones = [name for name in open_ones if not _is_arms(effects.get(section.covariates[name].effect))]
    for marks in _MARKS:
        groups: dict[str, list[str]] = {}
        for name in open_ones:
            mark = marks(section.covariates[name], effects)
            if mark:
                groups.setdefault(mark, []).append(name)
        for mark, members in groups.items():
            sides = {_numerator(section.covariates[name], effects) or name for name in members}
            if len(members) > 1 and len(sides) == len(members):
                shared = next((names[name] for name in members if names[name]), _as_written(mark, section, members, effects))
                old = {names[name] for name in members if names[name]}
                names = {key: shared if key in members or (value and value in old) else value for key, value in names.items()}
    sizes = Counter(value for value in names.values() if value)
    return {name: value for name, value in names.items() if value and sizes[value] > 1}


def side_name(text: str) -> str:
    """A group's name, as two of them are held against each other."""
    return " ".join(text.casefold().split())


def _is_arms(effect: Effect | None) -> bool:
    return effect is not None and effect.is_treatment


def _as_written(mark: str, section: Multivariable, members: Sequence[str], effects: Mapping[str, Effect]) -> str:
    """A reference as the file writes it; names of tests and variables are."""
    found = (effects.get(section.covariates[name].effect) for name in members)
    return next((effect.denominator for effect in found if effect is not None and side_name(effect.denominator) == mark), mark)


def _numerator(item: Covariate, effects: Mapping[str, Effect]) -> str:
    effect = effects.get(item.effect)
    return "" if effect is None else side_name(effect.numerator)


def _reference(item: Covariate, effects: Mapping[str, Effect]) -> str:
    effect = effects.get(item.effect)
    name = "" if effect is None else side_name(effect.denominator)
    return "" if name in VAGUE else name


_MARKS: tuple[Callable[[Covariate, Mapping[str, Effect]], str], ...] = (
    lambda item, _: item.baseline,
    lambda item, _: item.test,
    _reference,
)


def same_groups(one: Effect, other: Effect) -> bool:
    """Whether two ratios compare the same groups, in either order."""
    return {one.numerator, one.denominator} == {other.numerator, other.denominator}
