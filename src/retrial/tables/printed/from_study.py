"""`targets_from_study`: the printed numbers of one endpoint of a study file, oriented to experimental / control."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.errors import ReconstructionError
from retrial.study.fields import OneLimit
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Median
from retrial.study.study import Study
from retrial.tables.printed.digitised import Curve
from retrial.tables.printed.followed import curve_targets
from retrial.tables.printed.grid import Grid, grid_of
from retrial.tables.printed.targets import RELATIVE_TOLERANCE, Target, Targets

_EDGE = 1e-9
"""Room for binary fractions at an interval's edge, relative to its size."""
_AFTER = 1e-4
"""Least distance of a time after another one."""
PERCENT = 100


def targets_from_study(
    study: Study,
    endpoint: str,
    *,
    curve: Curve | None = None,
    step: float | None = None,
    first: float | None = None,
    last: float | None = None,
) -> Targets:
    """Everything that the study file prints about one endpoint, and its digitised curve.

    The grid's step is the recording unit (`recording.recording_of`), its ends those of `grid.grid_of`; `step`, `first` and `last`
    override. A printed time is its grid time, or where the grid is finer than the print any that rounds to it. Raises
    `ReconstructionError` where the endpoint or an arm's size is missing.
    """
    if endpoint not in study.endpoints:
        raise ReconstructionError(f"got the endpoint {endpoint!r}; allowed are {sorted(study.endpoints)}")
    sizes = [study.followed(endpoint, arm) for arm in ARMS]
    if None in sizes:
        raise ReconstructionError(f"got no arms.control.n or arms.experimental.n; both are needed to reconstruct {endpoint}")
    item = study.endpoints[endpoint]
    if curve is not None:
        events = {arm: int(printed.n.value) for arm in ARMS if (printed := getattr(item.events, arm)) is not None}
        curve = curve.of_patients({arm: int(n or 0) for arm, n in zip(ARMS, sizes, strict=True)}, events)
    grid = grid_of(item, study.time_unit, curve, step=step, first=first, last=last)
    notes = list(grid.notes)
    if sizes != [study.n(arm) for arm in ARMS]:
        notes.append(f"of {' and '.join(f'{n} {arm}' for n, arm in zip(sizes, ARMS, strict=True))} patients, those evaluable")
    found = [*_events(item), *_times(item, grid), *_medians(item, grid), *_at_risk(item), *_landmarks(item)]
    if curve is not None:
        found += curve_targets(item, curve, grid, found, notes)
    several = list(_unadjusted(study, endpoint))
    if len(several) > 1:
        others = ", ".join(f"effects.{key}" for key in several[1:])
        notes.append(
            f"of several unadjusted hazard ratios the first is used, effects.{several[0]}; not {others} (a stratified one has adjusted_for)"
        )
    found += _comparison(item, treatment_effect(study, endpoint), notes)
    return Targets(
        endpoint=endpoint,
        n_control=int(sizes[0] or 0),
        n_experimental=int(sizes[1] or 0),
        first=grid.first,
        last=grid.last,
        step=grid.step,
        time_unit=study.time_unit,
        targets=tuple(found),
        notes=tuple(notes),
        curve=curve,
        assumed=tuple(_assumed(item)),
        excluded=_value(study.timeline.excluded_follow_up_up_to if study.timeline is not None else None),
        followed=_value(study.timeline.minimum_follow_up if study.timeline is not None else None),
    )


def _assumed(item: Endpoint) -> Iterator[tuple[str, str]]:
    """Groups of numbers whose times are our reading of a figure."""
    if item.at_risk is not None and item.at_risk.times_assumed:
        for group in ("at_risk", "censored"):
            yield group, item.at_risk.times_assumed


def _value(printed: Quantity | None) -> float:
    """A printed number's value; NaN where none is printed."""
    return printed.value if printed is not None else math.nan


def treatment_effect(study: Study, endpoint: str) -> Effect | None:
    """The unadjusted hazard ratio between the arms, where printed; of several the first."""
    return next(iter(_unadjusted(study, endpoint).values()), None)


def _unadjusted(study: Study, endpoint: str) -> dict[str, Effect]:
    return {
        key: effect
        for key, effect in study.effects.items()
        if effect.endpoint == endpoint and effect.is_treatment and not effect.adjusted_for and effect.measure == "hazard_ratio"
    }


def is_adjusted(effect: Effect, endpoint: str) -> bool:
    """Whether this is a hazard ratio between the arms that rests on covariates, and so is none of a life table."""
    return effect.endpoint == endpoint and effect.is_treatment and bool(effect.adjusted_for) and effect.measure == "hazard_ratio"


def exact(statistic: str, arm: str, printed: Quantity, where: str, time: float = math.nan) -> Target:
    """A target that must agree exactly."""
    value = printed.value
    return Target(statistic, arm, printed.text, value, value, value, value, value, printed.where(where), time)


def within(statistic: str, arm: str, printed: Quantity, tolerance: float, where: str, level: float = 0.95) -> Target:
    """A target that must agree within max(rounding, tolerance); "<" and ">" keep their half-open interval."""
    value, low, high = printed.value, printed.low, printed.high
    if printed.first.relation:
        wide = (low, high)
    else:
        wide = (min(low, value - tolerance), max(high, value + tolerance))
    room = _EDGE * max(abs(value), _EDGE)
    return Target(
        statistic,
        arm,
        printed.text,
        value,
        wide[0] - room,
        wide[1] + room,
        low - room,
        high + room,
        printed.where(where),
        level=level,
    )


def beyond(statistic: str, arm: str, printed: Quantity, where: str, level: float = 0.95) -> Target:
    """A time that was not reached (a target of ∞), or that lies beyond a printed one (after it; from it on where ≥ is printed)."""
    low = printed.low if printed.text.startswith("≥") else printed.low + _AFTER
    return Target(statistic, arm, printed.text, printed.value, low, math.inf, low, math.inf, printed.where(where), level=level)


def _width(median: Median) -> float:
    """Width of a median's interval; twice its finite side where the other limit is a bound, 0 without any."""
    ci, point = median.ci, median.value
    if ci is None or (ci.lower.is_bound and ci.upper.is_bound):
        return 0.0
    if ci.is_closed:
        return ci.upper.value - ci.lower.value
    if point.is_bound:
        return 0.0
    return 2 * (ci.upper.value - point.value if ci.lower.is_bound else point.value - ci.lower.value)


def _events(item: Endpoint) -> Iterator[Target]:
    for column in (*ARMS, TOTAL):
        printed = getattr(item.events, column)
        if printed is not None:
            yield exact("events", column, printed.n, item.events.where or item.where)


def _recorded(statistic: str, arm: str, printed: Quantity, where: str, grid: Grid) -> Target:
    """A printed time that somebody was recorded at: its grid time, or any that prints the same."""
    if grid.has_one(printed):
        return exact(statistic, arm, printed, where)
    low, high = grid.span(printed)
    return Target(statistic, arm, printed.text, printed.value, low, high, low, high, printed.where(where))


def _times(item: Endpoint, grid: Grid) -> Iterator[Target]:
    """Shortest and longest times; that of all patients is left out where it only repeats an arm's."""
    for name, printed in (("shortest", item.shortest), ("longest", item.longest)):
        if isinstance(printed, Quantity):
            yield _recorded(name, TOTAL, printed, item.where, grid)
        elif printed is not None:
            for arm in (*ARMS, TOTAL):
                if (own := getattr(printed, arm)) is not None:
                    yield _recorded(name, arm, own, item.where, grid)


def _medians(item: Endpoint, grid: Grid) -> Iterator[Target]:
    for arm in (*ARMS, TOTAL):
        median: Median | None = getattr(item.median, arm)
        if median is None:
            continue
        where = median.where or item.where
        yield (
            beyond("median", arm, median.value, where)
            if median.value.is_bound
            else _recorded("median", arm, median.value, where, grid)
        )
        if median.ci is not None:
            tolerance = RELATIVE_TOLERANCE * _width(median)
            for name, limit in (("median_lower", median.ci.lower), ("median_upper", median.ci.upper)):
                if not limit.is_bound:
                    yield _widened(within(name, arm, limit, tolerance, where, median.level), grid.slack)
                elif limit.value > 0:
                    yield beyond(name, arm, limit, where, median.level)


def _widened(target: Target, slack: float) -> Target:
    """A limit of a median on a grid coarser than the print."""
    edges = {"low": -slack, "strict_low": -slack, "high": slack, "strict_high": slack}
    return dataclasses.replace(target, **{name: getattr(target, name) + change for name, change in edges.items()})


def _at_risk(item: Endpoint) -> Iterator[Target]:
    if item.at_risk is None:
        return
    where = item.at_risk.where or item.where
    for name, table in (("at_risk", item.at_risk), ("censored", item.at_risk.censored)):
        for arm in ARMS:
            for time, printed in zip(item.at_risk.times, getattr(table, arm, None) or [], strict=False):
                yield exact(name, arm, printed, where, time.value)


def _landmarks(item: Endpoint) -> Iterator[Target]:
    """Printed percentages, to within their rounding."""
    if item.landmarks is None:
        return
    for arm in ARMS:
        for time, landmark in item.landmarks.of(arm):
            value, *edges = (number / PERCENT for number in (landmark.percent.value, landmark.percent.low, landmark.percent.high))
            low, high = max(edges[0] - _EDGE, 0.0), min(edges[1] + _EDGE, 1.0)
            where = landmark.percent.where(item.landmarks.where or item.where)
            text = landmark.percent.text.removesuffix("%").strip() + " %"
            yield Target("landmark", arm, text, value, low, high, low, high, where, time)


def _comparison(item: Endpoint, effect: Effect | None, notes: list[str]) -> Iterator[Target]:
    """Hazard ratio with limits and p, χ² with p. A lone p of the effect is the test's."""
    test = item.test
    printed_test = test is not None and (test.chi_square is not None or test.p is not None)
    if effect is not None:
        yield from _ratio(effect)
        p = effect.two_sided_p
        if p is not None and not printed_test:
            yield _p_value("p", p, effect.where)
        elif p is not None and _wald_fits(effect):
            yield _p_value("hazard_ratio_p", p, effect.where)
        elif p is not None:
            notes.append(f"p = {p} beside the hazard ratio is not Wald's p of the printed interval; it is not used")
    if test is not None and test.chi_square is not None:
        yield within("chi_square", TOTAL, test.chi_square, RELATIVE_TOLERANCE * test.chi_square.value, test.where)
    if test is not None and test.two_sided_p is not None:
        yield _p_value("p", test.two_sided_p, test.where)


def _p_value(statistic: str, printed: Quantity, where: str) -> Target:
    return within(statistic, TOTAL, printed, RELATIVE_TOLERANCE * printed.value, where)


def _ratio(effect: Effect) -> Iterator[Target]:
    limits = []
    if isinstance(effect.ci, OneLimit):
        limits = [("hazard_ratio_upper" if effect.ci.is_upper else "hazard_ratio_lower", effect.ci.limit)]
    elif effect.interval is not None:
        limits = [("hazard_ratio_lower", effect.interval.lower), ("hazard_ratio_upper", effect.interval.upper)]
    for name, printed in [("hazard_ratio", effect.estimate), *limits]:
        target = within(name, TOTAL, printed, RELATIVE_TOLERANCE * printed.value, effect.where, effect.interval_level)
        yield target if effect.numerator == "experimental" else _inverted(target)


def _inverted(target: Target) -> Target:
    """Control / experimental turned round: 1/x, and the limits change places."""
    names = {"hazard_ratio_lower": "hazard_ratio_upper", "hazard_ratio_upper": "hazard_ratio_lower"}
    return Target(
        names.get(target.statistic, target.statistic),
        target.arm,
        f"1/{target.printed}",
        1 / target.value,
        1 / target.high,
        1 / target.low,
        1 / target.strict_high,
        1 / target.strict_low,
        target.where,
        target.time,
        target.level,
    )


def _wald_fits(effect: Effect) -> bool:
    """Whether the printed p can be Wald's, 2 Φ(-|z|), z = log HR / SE with the SE from the printed interval (all rounding
    allowed).
    """
    interval, p = effect.interval, effect.two_sided_p
    if interval is None or p is None:
        return False
    quantile = float(stats.norm.ppf(0.5 + effect.interval_level / 2))
    ratio, lower, upper = effect.estimate, interval.lower, interval.upper
    narrow = (math.log(upper.low) - math.log(lower.high)) / (2 * quantile)
    wide = (math.log(upper.high) - math.log(lower.low)) / (2 * quantile)
    sizes = sorted(abs(math.log(limit)) for limit in (ratio.low, ratio.high))
    least = 0.0 if ratio.low <= 1 <= ratio.high else sizes[0]
    low, high = (2 * float(stats.norm.sf(z)) for z in (sizes[1] / narrow, least / wide))
    return low <= p.high and p.low <= high
