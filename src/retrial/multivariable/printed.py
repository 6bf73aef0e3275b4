"""What a paper prints about one multivariable model, as numbers with their rounding."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import DataError
from retrial.multivariable.events import smallest_standard_error, split_standard_error
from retrial.multivariable.taken import TINY, log_ends, taken, too_many
from retrial.seeds import integer_seed
from retrial.study.effects import Covariate, Effect, Multivariable, TestResult, factors_of
from retrial.study.reported import Quantity
from retrial.study.study import Study

NAN = float("nan")
POOL, TRIED = 512, 40_000
"""Pairs (estimate, SE) kept of one printed ratio, and limits tried to find them."""
MOST = 20
"""Covariates of a model: its matrices are found in some minutes (16 covariates: 20 s for 1,000; time grows with the fourth power)."""
LEAST_POOL = 16
"""Fewer pairs than that mean that estimate and limits do not round to one Wald interval."""
_LEAST_P = 1e-300
_LEAST_Z = 0.05


@dataclass(frozen=True, slots=True)
class Keys:
    """Key paths of the study file that hold what is printed of one covariate; empty where nothing is."""

    effect: str
    unadjusted: str
    test: str
    margins: str
    events: str


@dataclass(frozen=True, slots=True)
class Overall:
    """The test of a factor with k levels beside its reference, k degrees of freedom: ends of √χ² over its rounding, and its key."""

    block: tuple[int, ...]
    ends: tuple[float, float]
    key: str

    @property
    def middle(self) -> float:
        """The middle of the rounding; its lower end where there is no other."""
        low, high = self.ends
        return (low + high) / 2 if math.isfinite(high) else low


@dataclass(frozen=True, eq=False)
class PrintedModel:
    """p covariates of one multivariable model; estimates b and standard errors s on the log scale.

    names      covariates in the file's order;  labels: as a reader calls them;  contrasts: "BCLC B / BCLC C";  effects: their keys
    treatment  position of the treatment, None without one (then experimental / control, whatever the file's order)
    pools      (p, K, 2): pairs (b, s) that round to the print, each as likely as the next
    test       (p, 2): bounds of |z| = √χ² of the univariable test; NaN where there is none
    unadjusted, unadjusted_se   (p, 2): bounds of the univariable log ratio and its SE; NaN where they are not printed
    share      (p,): part of the patients in the numerator's group;  with_treatment: its correlation with the treatment over `patients`
    per_unit   (p,): whether the ratio is per unit of a quantity;  keys: where the study file has it all
    factors    name of the factor that each covariate is a level of, empty of a covariate by itself
    blocks     for each covariate the positions of its factor's levels, itself alone where it is none
    fitted     for each covariate the positions that its univariable model holds: its block, or itself alone (`against: others`)
    overall    tests of a whole factor
    side       (p,): sign of a univariable log ratio that the study file says without printing it, else 0
    taken      what is not taken as printed, in words: the audit's corrections, and ratios outside the middle of their intervals
    scale      (p,): units of a ratio per unit in two standard deviations, 2 / (√d s), told by its SE s and the d events; 1 of two groups
    least_se   (p,): the smallest SE that the events allow, 0 where they do not say (`multivariable.events`)
    events     of the endpoint, else those that the smallest SE needs (4 / s²)
    """

    key: str
    endpoint: str
    measure: str
    where: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    contrasts: tuple[str, ...]
    effects: tuple[str, ...]
    treatment: int | None
    pools: np.ndarray
    test: np.ndarray
    unadjusted: np.ndarray
    unadjusted_se: np.ndarray
    share: np.ndarray
    with_treatment: np.ndarray
    patients: np.ndarray
    per_unit: np.ndarray
    keys: tuple[Keys, ...]
    taken: tuple[str, ...]
    scale: np.ndarray
    events: float
    events_printed: bool
    least_se: np.ndarray
    factors: tuple[str, ...]
    blocks: tuple[tuple[int, ...], ...]
    fitted: tuple[tuple[int, ...], ...]
    overall: tuple[Overall, ...]
    side: np.ndarray

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def units(self) -> tuple[tuple[int, ...], ...]:
        """Positions of every factor, and of every covariate that is none: what is left out, or kept, together."""
        return tuple(dict.fromkeys(self.blocks))

    @cached_property
    def weight(self) -> np.ndarray:
        """(p,): (b / s)² / √events, what leaving a covariate out does to the quadratic form (`statistics.quadratic_scale`)."""
        b, s = self.centre.T
        return np.asarray((b / s) ** 2 / math.sqrt(self.events))

    @cached_property
    def left_out(self) -> np.ndarray:
        """(p,): weight of all covariates that are not in the univariable model of each."""
        return np.array([self.weight.sum() - self.weight[list(block)].sum() for block in self.fitted])

    @property
    def within(self) -> np.ndarray:
        """(p (p - 1) / 2,): pairs of levels of one factor, in the order of `np.tril_indices`."""
        return np.array([j in self.blocks[i] for i, j in zip(*np.tril_indices(self.size, -1), strict=True)], dtype=bool)

    @property
    def centre(self) -> np.ndarray:
        """Mean (b, s) over the rounding, (p, 2)."""
        return np.asarray(self.pools.mean(axis=1))

    def others(self, position: int) -> tuple[int, ...]:
        """Every covariate but one."""
        return tuple(item for item in range(self.size) if item != position)


def printed_model(study: Study, key: str) -> PrintedModel:
    """The section `multivariable.KEY` of a study with all that its names point to.

    Raises `DataError` that names every ratio which has no interval, SE or p, and what is not there (in a view of two of more arms).
    """
    section, effects = study.multivariable[key], _effects(study, key)
    pools = np.stack(
        [_pairs(effect, integer_seed(0, key, name)) for name, effect in zip(section.covariates, effects, strict=True)]
    )
    endpoint = section.endpoint or effects[0].endpoint or key
    events = _events(study, endpoint)
    rows = [_of_covariate(study, section, name, item) for name, item in section.covariates.items()]
    treatments = [place for place, effect in enumerate(effects) if effect.is_treatment]
    factors, blocks = _blocks(study, section)
    items = list(section.covariates.values())
    per_unit = np.array([item.per_unit for item in items])
    of_groups = pools[~per_unit] if not per_unit.all() else pools
    d = events or 4.0 / float(np.min(of_groups[:, :, 1])) ** 2
    alone_se = np.array([row.unadjusted_se for row in rows]).mean(axis=1)
    se = np.where(np.isfinite(alone_se), alone_se, pools[:, :, 1].mean(axis=1))
    return PrintedModel(
        key=key,
        endpoint=endpoint,
        measure=effects[0].measure,
        where=section.where,
        names=tuple(section.covariates),
        labels=tuple(effect.label or name for name, effect in zip(section.covariates, effects, strict=True)),
        contrasts=tuple(_contrast(effect) for effect in effects),
        effects=tuple(item.effect for item in section.covariates.values()),
        treatment=treatments[0] if treatments else None,
        pools=pools,
        test=np.array([row.test for row in rows]),
        unadjusted=np.array([row.unadjusted for row in rows]),
        unadjusted_se=np.array([row.unadjusted_se for row in rows]),
        share=np.array([row.share for row in rows]),
        with_treatment=np.array([row.with_treatment for row in rows]),
        patients=np.array([row.patients for row in rows]),
        per_unit=per_unit,
        taken=tuple(word for item in items for word in taken(study, item)),
        scale=np.where(per_unit, 2.0 / (np.sqrt(d) * se), 1.0),
        keys=tuple(_keys(study, section, endpoint, name, item) for name, item in section.covariates.items()),
        events=d,
        events_printed=events is not None,
        least_se=np.array(
            [_least_se(study, endpoint, events, effect, item) for effect, item in zip(effects, items, strict=True)]
        ),
        factors=factors,
        blocks=blocks,
        fitted=tuple((place,) if item.against == "others" else blocks[place] for place, item in enumerate(items)),
        overall=tuple(_overall(study, section, factors, blocks)),
        side=np.array([_SIDES[item.side] for item in items]),
    )


_SIDES = {None: 0, "below": -1, "above": 1}


def _effects(study: Study, key: str) -> list[Effect]:
    """The ratios of a model, all of them there and with a precision."""
    section = study.multivariable[key]
    missing = [
        f"effects.{item.effect}: not of these arms" for item in section.covariates.values() if item.effect not in study.effects
    ]
    if missing:
        raise DataError(f"cannot use multivariable.{key}", missing)
    effects = [study.effects[item.effect] for item in section.covariates.values()]
    problems = [
        f"effects.{item.effect}.ci: missing; a multivariable model needs the interval, se or p of every ratio"
        for item, effect in zip(section.covariates.values(), effects, strict=True)
        if effect.interval is None and effect.p is None
    ]
    if len(effects) > MOST:
        problems.append(
            f"multivariable.{key}.covariates: got {len(effects)}; allowed are at most {MOST}: more take hours to sample"
        )
    if problems:
        raise DataError(f"cannot use multivariable.{key}", problems)
    return effects


def _blocks(study: Study, section: Multivariable) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Factor of every covariate, and the positions of its levels."""
    known, names = factors_of(section, study.effects), list(section.covariates)
    factors = tuple(known.get(name, "") for name in names)
    alike = {factor: tuple(place for place, other in enumerate(factors) if other == factor) for factor in set(factors) - {""}}
    return factors, tuple(alike.get(factor, (place,)) for place, factor in enumerate(factors))


def _overall(
    study: Study, section: Multivariable, factors: tuple[str, ...], blocks: tuple[tuple[int, ...], ...]
) -> Iterator[Overall]:
    """Printed tests of whole factors: a row of tests that its levels share, or that has the factor's name."""
    table, items = study.tests.get(section.tests), list(section.covariates.values())
    if table is None:
        return
    for block in dict.fromkeys(block for block in blocks if len(block) > 1):
        rows = Counter(items[place].test for place in block if items[place].test)
        shared = [row for row, count in rows.items() if count > 1]
        name = shared[0] if shared else factors[block[0]]
        row = table.rows.get(name)
        result = None if row is None else row.results.get(section.endpoint)
        if row is None or result is None or (result.df or row.groups - 1) != len(block):
            continue
        key = f"tests.{section.tests}.rows.{name}.results.{section.endpoint}"
        if result.chi_square is not None:
            yield Overall(block, _roots(result.chi_square), f"{key}.chi_square")
        elif result.p is not None:
            p = [min(1.0 - 1e-9, max(end, _LEAST_P)) for end in (result.p.high, result.p.low)]
            yield Overall(block, (stats.chi2.isf(p[0], len(block)) ** 0.5, stats.chi2.isf(p[1], len(block)) ** 0.5), f"{key}.p")


def _roots(chi_square: Quantity) -> tuple[float, float]:
    """√χ² at both ends of its rounding."""
    return math.sqrt(max(chi_square.low, 0.0)), math.sqrt(chi_square.high) if math.isfinite(chi_square.high) else math.inf


@dataclass(frozen=True)
class _Row:
    test: tuple[float, float]
    unadjusted: tuple[float, float]
    unadjusted_se: tuple[float, float]
    share: float
    with_treatment: float
    patients: float


def _of_covariate(study: Study, section: Multivariable, name: str, item: Covariate) -> _Row:
    effect, alone = study.effects[item.effect], study.effects.get(item.unadjusted)
    pairs = None if alone is None or (alone.interval is None and alone.p is None) else _pairs(alone, integer_seed(0, name))
    if pairs is not None and alone is not None and not effect.is_treatment and alone.numerator != effect.numerator:
        pairs = pairs * np.array([-1.0, 1.0])
    bounds = ((NAN, NAN), (NAN, NAN)) if pairs is None else tuple((float(x.min()), float(x.max())) for x in pairs.T)
    return _Row(_test(study, section, name, item), bounds[0], bounds[1], *_margins(study, item))


def _keys(study: Study, section: Multivariable, endpoint: str, name: str, item: Covariate) -> Keys:
    alone, result = study.effects.get(item.unadjusted), _result(study, section, name, item)
    return Keys(
        effect=_ratio_key(item.effect, study.effects[item.effect]),
        unadjusted="" if alone is None else _ratio_key(item.unadjusted, alone),
        test=""
        if result is None
        else f"tests.{section.tests}.rows.{item.test or name}.results.{section.endpoint}.{'p' if result.chi_square is None else 'chi_square'}",
        margins=f"baseline.variables.{item.baseline}.levels" if item.baseline else "",
        events=f"{'endpoints' if endpoint in study.endpoints else 'binary'}.{endpoint}",
    )


def _ratio_key(key: str, effect: Effect) -> str:
    """Of a ratio's precision, which its estimate goes with."""
    return f"effects.{key}.{'ci' if effect.ci is not None else 'se' if effect.se is not None else 'p'}"


def _contrast(effect: Effect) -> str:
    return f"{EXPERIMENTAL} / {CONTROL}" if effect.is_treatment else f"{effect.numerator} / {effect.denominator}"


def _pairs(effect: Effect, seed: int) -> np.ndarray:
    """Pairs (b, s), (`POOL`, 2), whose ratio and limits exp(b ± z s) round to the print; where none does, the interval's own middle and width."""
    random = np.random.default_rng(seed)
    sign = -1.0 if effect.is_treatment and effect.numerator == CONTROL else 1.0
    point = log_ends(effect.estimate)
    interval = effect.interval
    if interval is None:
        z = random.uniform(*_z_of(effect), POOL)
        b = random.uniform(*point, POOL)
        return np.column_stack([sign * b, np.maximum(abs(b), TINY) / z])
    low, high = (random.uniform(*log_ends(limit), TRIED) for limit in (interval.lower, interval.upper))
    b, s = (low + high) / 2, (high - low) / (2 * float(stats.norm.ppf(0.5 + effect.interval_level / 2)))
    inside = (b >= point[0]) & (b <= point[1]) & (s > 0)
    kept = np.flatnonzero(inside if inside.sum() >= LEAST_POOL else s > 0)
    chosen = kept[:POOL] if kept.size >= POOL else random.choice(kept, POOL)
    return np.column_stack([sign * b[chosen], s[chosen]])


def _z_of(effect: Effect | TestResult) -> tuple[float, float]:
    """|z| of a printed p over its rounding."""
    p = effect.two_sided_p
    if p is None:
        return NAN, NAN
    ends = [float(stats.norm.isf(min(1.0, max(end, _LEAST_P)) / 2)) for end in (p.high, p.low)]
    return max(ends[0], _LEAST_Z), max(ends[1], 2 * _LEAST_Z)


def _test(study: Study, section: Multivariable, name: str, item: Covariate) -> tuple[float, float]:
    """|z| of the univariable test: √χ² with one degree of freedom, else that of its p."""
    result = _result(study, section, name, item)
    if result is None:
        return NAN, NAN
    if result.chi_square is None:
        return _z_of(result)
    return _roots(result.chi_square)


def _result(study: Study, section: Multivariable, name: str, item: Covariate) -> TestResult | None:
    """The univariable test of a covariate in two groups; None where none of them is printed."""
    table = study.tests.get(section.tests)
    row = None if table is None else table.rows.get(item.test or name)
    result = None if row is None else row.results.get(section.endpoint)
    return None if row is None or result is None or row.groups != 2 or (result.df or 1) != 1 else result


def _margins(study: Study, item: Covariate) -> tuple[float, float, float]:
    """Share of the patients in the numerator's group, the group's correlation with the experimental arm (φ of the 2 x 2 table), and the patients."""
    if study.baseline is None or item.baseline not in study.baseline.variables:
        return NAN, NAN, NAN
    levels = study.baseline.variables[item.baseline].levels or {}
    if any(name not in levels for name in item.levels) or any(too_many(study, item.baseline)):
        return NAN, NAN, NAN
    counts = [sum(int(getattr(levels[name], arm).n) for name in item.levels) for arm in ARMS]
    sizes = [study.patients(f"baseline.variables.{item.baseline}.levels.{item.levels[0]}", arm) or 0 for arm in ARMS]
    if min(sizes) < 1 or any(count > size for count, size in zip(counts, sizes, strict=True)):
        return NAN, NAN, NAN
    n, inside = sum(sizes), sum(counts)
    if not 0 < inside < n:
        return NAN, NAN, NAN
    both = counts[1] * n - inside * sizes[1]
    return inside / n, both / math.sqrt(inside * (n - inside) * sizes[0] * sizes[1]), float(n)


def _least_se(study: Study, endpoint: str, events: float | None, effect: Effect, item: Covariate) -> float:
    """Of the arms by the events of each, of other groups by all of them; 0 of a ratio per unit."""
    if events is None or item.per_unit:
        return 0.0
    found = study.endpoints.get(endpoint)
    sides = [] if found is None else [getattr(found.events, arm) for arm in ARMS]
    each = [int(side.n) for side in sides if side is not None]
    if effect.is_treatment and effect.measure == "hazard_ratio" and len(each) == len(ARMS) and min(each) > 0:
        return split_standard_error(*each)
    return smallest_standard_error(events)


def _events(study: Study, endpoint: str) -> float | None:
    """Events of both arms; of a yes/no outcome the rarer of both answers."""
    if endpoint in study.endpoints:
        events = study.endpoints[endpoint].events
        if events.total is not None:
            return float(events.total.n.value) or None
        sides = [events.control, events.experimental]
        return None if None in sides else float(sum(int(side.n) for side in sides if side is not None)) or None
    outcome, n = study.binary.get(endpoint), study.n(TOTAL)
    if outcome is None or n is None:
        return None
    count = int(outcome.control.n) + int(outcome.experimental.n)
    return float(min(count, n - count)) or None
