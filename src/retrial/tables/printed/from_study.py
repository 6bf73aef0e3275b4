"""`targets_from_study`: the printed numbers of one endpoint of a study file, oriented to experimental / control."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.errors import ReconstructionError
from retrial.study.fields import OneLimit
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Median
from retrial.study.study import Study
from retrial.tables.printed.targets import RELATIVE_TOLERANCE, Target, Targets

_EDGE = 1e-9
"""Room for binary fractions at an interval's edge, relative to its size."""
_AFTER = 1e-6
"""Least distance of a time after another one."""
_FOLLOW_UP = 2.0
"""Where neither the longest time nor a number at risk of 0 is printed, the grid ends at this multiple of the largest
printed time.
"""
_MAX_DECIMALS = 2
"""Finest recording unit that printed times are taken to imply: 0.01 of the study's unit."""


def targets_from_study(
    study: Study, endpoint: str, *, step: float | None = None, first: float | None = None, last: float | None = None
) -> Targets:
    """Everything that the study file prints about one endpoint.

    The grid's step is the recording unit: 1 where every printed time is a whole number, else the printed decimals. It runs
    from the shortest printed time (else one step) to the longest (else the last step before a printed number at risk of 0 in
    both arms; else twice the largest printed time). `step`, `first` and `last` override. Raises `ReconstructionError` where
    the endpoint or an arm's size is missing.
    """
    if endpoint not in study.endpoints:
        raise ReconstructionError(f"got the endpoint {endpoint!r}; allowed are {sorted(study.endpoints)}")
    sizes = [study.n(arm) for arm in ARMS]
    if None in sizes:
        raise ReconstructionError(f"got no arms.control.n or arms.experimental.n; both are needed to reconstruct {endpoint}")
    item = study.endpoints[endpoint]
    found = [*_events(item), *_times(item), *_medians(item), *_at_risk(item)]
    effect = treatment_effect(study, endpoint)
    notes: list[str] = []
    found += _comparison(item, effect, notes)
    unit = step or _recording_unit(item)
    start = first if first is not None else (item.shortest.value if item.shortest else unit)
    end = last if last is not None else _end(item, unit, notes)
    return Targets(
        endpoint=endpoint,
        n_control=int(sizes[0] or 0),
        n_experimental=int(sizes[1] or 0),
        first=start,
        last=max(end, start),
        step=unit,
        time_unit=study.time_unit,
        targets=tuple(found),
        notes=tuple(notes),
    )


def treatment_effect(study: Study, endpoint: str) -> Effect | None:
    """The unadjusted hazard ratio between the arms, where printed."""
    return next(
        (
            effect
            for effect in study.effects.values()
            if effect.endpoint == endpoint
            and effect.is_treatment
            and not effect.adjusted_for
            and effect.measure == "hazard_ratio"
        ),
        None,
    )


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


def _times(item: Endpoint) -> Iterator[Target]:
    for name in ("shortest", "longest"):
        printed = getattr(item, name)
        if printed is not None:
            yield exact(name, TOTAL, printed, item.where)


def _medians(item: Endpoint) -> Iterator[Target]:
    for arm in (*ARMS, TOTAL):
        median: Median | None = getattr(item.median, arm)
        if median is None:
            continue
        where = median.where or item.where
        yield beyond("median", arm, median.value, where) if median.value.is_bound else exact("median", arm, median.value, where)
        if median.ci is not None:
            tolerance = RELATIVE_TOLERANCE * _width(median)
            for name, limit in (("median_lower", median.ci.lower), ("median_upper", median.ci.upper)):
                if not limit.is_bound:
                    yield within(name, arm, limit, tolerance, where, median.level)
                elif limit.value > 0:
                    yield beyond(name, arm, limit, where, median.level)


def _at_risk(item: Endpoint) -> Iterator[Target]:
    if item.at_risk is None:
        return
    for arm in ARMS:
        for time, printed in zip(item.at_risk.times, getattr(item.at_risk, arm) or [], strict=False):
            yield exact("at_risk", arm, printed, item.at_risk.where or item.where, time.value)


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


def _recording_unit(item: Endpoint) -> float:
    """1 where every printed time is whole, else the step of its decimals."""
    medians = [median.value for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None]
    medians = [printed for printed in medians if printed.first.is_reached]
    times = [*medians, *(time for time in (item.shortest, item.longest) if time is not None)]
    decimals = max((-int(Decimal(repr(time.value)).normalize().as_tuple().exponent) for time in times), default=0)
    return 10.0 ** -min(max(decimals, 0), _MAX_DECIMALS)


def _end(item: Endpoint, unit: float, notes: list[str]) -> float:
    """Last grid time."""
    if item.longest is not None:
        return item.longest.value
    empty = _nobody_at_risk(item)
    if empty is not None:
        notes.append(f"no longest time is printed: the grid ends before {empty:g}, where nobody is at risk")
        return unit * (math.ceil(empty / unit - _EDGE) - 1)
    medians = [median for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None]
    ends = [(median.value, *((median.ci.lower, median.ci.upper) if median.ci else ())) for median in medians]
    seen = [max((end.value for end in group if end.first.is_reached), default=0.0) for group in ends]
    seen += [time.value for time in item.at_risk.times] if item.at_risk is not None else []
    end = unit * math.ceil(_FOLLOW_UP * (max(seen, default=0.0) or 12.0) / unit)
    notes.append(
        f"no longest time is printed: the grid is taken to end at {end:g}, {_FOLLOW_UP:g} times the largest printed time"
    )
    return end


def _nobody_at_risk(item: Endpoint) -> float | None:
    """First time with a printed number at risk of 0 in both arms."""
    if item.at_risk is None or item.at_risk.control is None or item.at_risk.experimental is None:
        return None
    columns = zip(item.at_risk.times, item.at_risk.control, item.at_risk.experimental, strict=True)
    return next((time.value for time, control, experimental in columns if int(control) == 0 and int(experimental) == 0), None)
