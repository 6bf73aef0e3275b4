"""`targets_from_study`: the printed numbers of one endpoint of a study file, oriented to experimental / control."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.errors import ReconstructionError
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Median
from retrial.study.study import Study
from retrial.tables.printed.targets import RELATIVE_TOLERANCE, Target, Targets

_EDGE = 1e-9
"""Room for binary fractions at an interval's edge, relative to its size."""
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
    end = last if last is not None else _end(item, unit, notes, alone=study.one_arm)
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
            if effect.endpoint == endpoint and effect.is_treatment and not effect.adjusted_for and effect.hazard_ratio is not None
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
        yield exact("median", arm, median.value, where)
        if median.ci is not None:
            tolerance = RELATIVE_TOLERANCE * (median.ci.upper.value - median.ci.lower.value)
            yield within("median_lower", arm, median.ci.lower, tolerance, where, median.level)
            yield within("median_upper", arm, median.ci.upper, tolerance, where, median.level)


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
        if effect.p is not None and not printed_test:
            yield _p_value("p", effect.p, effect.where)
        elif effect.p is not None and _wald_fits(effect):
            yield _p_value("hazard_ratio_p", effect.p, effect.where)
        elif effect.p is not None:
            notes.append(f"p = {effect.p} beside the hazard ratio is not Wald's p of the printed interval; it is not used")
    if test is not None and test.chi_square is not None:
        yield within("chi_square", TOTAL, test.chi_square, RELATIVE_TOLERANCE * test.chi_square.value, test.where)
    if test is not None and test.p is not None:
        yield _p_value("p", test.p, test.where)


def _p_value(statistic: str, printed: Quantity, where: str) -> Target:
    return within(statistic, TOTAL, printed, RELATIVE_TOLERANCE * printed.value, where)


def _ratio(effect: Effect) -> Iterator[Target]:
    ratio = effect.hazard_ratio
    if ratio is None:
        return
    limits = [] if effect.ci is None else [("hazard_ratio_lower", effect.ci.lower), ("hazard_ratio_upper", effect.ci.upper)]
    for name, printed in [("hazard_ratio", ratio), *limits]:
        target = within(name, TOTAL, printed, RELATIVE_TOLERANCE * printed.value, effect.where, effect.level)
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
    if effect.ci is None or effect.hazard_ratio is None or effect.p is None:
        return False
    quantile = float(stats.norm.ppf(0.5 + effect.level / 2))
    ratio, lower, upper = effect.hazard_ratio, effect.ci.lower, effect.ci.upper
    narrow = (math.log(upper.low) - math.log(lower.high)) / (2 * quantile)
    wide = (math.log(upper.high) - math.log(lower.low)) / (2 * quantile)
    sizes = sorted(abs(math.log(limit)) for limit in (ratio.low, ratio.high))
    least = 0.0 if ratio.low <= 1 <= ratio.high else sizes[0]
    low, high = (2 * float(stats.norm.sf(z)) for z in (sizes[1] / narrow, least / wide))
    return low <= effect.p.high and effect.p.low <= high


def _recording_unit(item: Endpoint) -> float:
    """1 where every printed time is whole, else the step of its decimals."""
    medians = [median.value for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None]
    times = [*medians, *(time for time in (item.shortest, item.longest) if time is not None)]
    decimals = max((-int(Decimal(time.text.strip()).normalize().as_tuple().exponent) for time in times), default=0)
    return 10.0 ** -min(max(decimals, 0), _MAX_DECIMALS)


def _end(item: Endpoint, unit: float, notes: list[str], *, alone: bool = False) -> float:
    """Last grid time."""
    if item.longest is not None:
        return item.longest.value
    empty = _nobody_at_risk(item, alone=alone)
    if empty is not None:
        notes.append(f"no longest time is printed: the grid ends before {empty:g}, where nobody is at risk")
        return unit * (math.ceil(empty / unit - _EDGE) - 1)
    medians = [median for arm in (*ARMS, TOTAL) if (median := getattr(item.median, arm)) is not None]
    seen = [median.ci.upper.value if median.ci else median.value.value for median in medians]
    seen += [time.value for time in item.at_risk.times] if item.at_risk is not None else []
    end = unit * math.ceil(_FOLLOW_UP * max(seen, default=12.0) / unit)
    notes.append(
        f"no longest time is printed: the grid is taken to end at {end:g}, {_FOLLOW_UP:g} times the largest printed time"
    )
    return end


def _nobody_at_risk(item: Endpoint, *, alone: bool = False) -> float | None:
    """First time with a printed number at risk of 0 in both arms, or in the one that there is (`alone`)."""
    if item.at_risk is None or item.at_risk.control is None or (item.at_risk.experimental is None and not alone):
        return None
    others = item.at_risk.control if alone else item.at_risk.experimental
    columns = zip(item.at_risk.times, item.at_risk.control, others or [], strict=True)
    return next((time.value for time, control, experimental in columns if int(control) == 0 and int(experimental) == 0), None)
