"""Family `medians`: kind of the confidence interval, and the median of all patients between those of the arms."""

from __future__ import annotations

import math
from collections.abc import Iterator

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import Range, show_range
from retrial.audit.rows import COLUMNS
from retrial.study.fields import Interval
from retrial.study.sections import Endpoint, Median
from retrial.study.study import Study

FAMILY = "medians"
SYMMETRIC = "median ± z SE (SE of the Kaplan-Meier median, as SPSS and SAS print it)"
UNDECIDED = "symmetric within a rounding too coarse to tell its kind"
CLEAR = 0.1
"""Rounding (of median and midpoint, as a share of the interval's width) up to which symmetry is hardly chance."""
OPEN = "limits read off the curve, which does not reach all of them"
REFLECTED = "limits read off the curve (Brookmeyer-Crowley)"


def checks(study: Study) -> Iterator[Check]:
    """One check a printed median with interval, and one an endpoint whose three medians are printed."""
    for key, endpoint in study.endpoints.items():
        label = endpoint.label or key
        for column in COLUMNS:
            median = getattr(endpoint.median, column)
            if median is not None and median.ci is not None:
                where = median.where or endpoint.where
                yield _interval(f"{label}, {column}", where, f"endpoints.{key}.median.{column}", median, median.ci)
        yield from _between(label, key, endpoint)


def midpoint(ci: Interval) -> Range:
    """Middle of the interval over the rounding of its limits."""
    return Range((ci.lower.low + ci.upper.low) / 2, (ci.lower.high + ci.upper.high) / 2)


def kind(median: Median, ci: Interval) -> str:
    """What the symmetry of an interval about its median says of the way it was made."""
    if not ci.is_closed or median.value.is_bound:
        return OPEN
    middle = midpoint(ci)
    if not median.value.first.meets(*middle):
        return REFLECTED
    rounding = (middle.high - middle.low) + (median.value.high - median.value.low)
    return SYMMETRIC if rounding <= CLEAR * (ci.upper.value - ci.lower.value) else UNDECIDED


def _interval(label: str, where: str, path: str, median: Median, ci: Interval) -> Check:
    inside = ci.lower.low <= median.value.high and median.value.low <= ci.upper.high
    return Check(
        family=FAMILY,
        claim=f"{label}: median {median.value}, CI {ci.lower} to {ci.upper}",
        where=median.value.where(where),
        path=path,
        printed=f"{median.value} ({ci.lower} to {ci.upper})",
        recomputed=f"middle of the interval {show_range(midpoint(ci), ci.lower.first.decimals)}" if ci.is_closed else "",
        verdict=Verdict.CONSISTENT if inside else Verdict.INCONSISTENT,
        reading=kind(median, ci),
        note="" if inside else "the median lies outside its interval",
        consequence=Consequence.NONE if inside else Consequence.AS_PRINTED,
        numbers=1 if kind(median, ci) == SYMMETRIC else 0,
    )


def _between(label: str, key: str, endpoint: Endpoint) -> Iterator[Check]:
    """A pooled Kaplan-Meier median leaves the arms' only where hazards cross and the arms' shares at risk change."""
    control, experimental, total = (getattr(endpoint.median, column) for column in COLUMNS)
    if control is None or experimental is None or total is None:
        return
    low = min(control.value.low, experimental.value.low)
    high = max(control.value.high, experimental.value.high)
    if math.isinf(low):
        low, high = 0.0, math.inf
    between = low <= total.value.high and total.value.low <= high
    yield Check(
        family=FAMILY,
        claim=f"{label}: median of all {total.value}, control {control.value}, experimental {experimental.value}",
        where=total.where or endpoint.where,
        path=f"endpoints.{key}.median.total.value",
        printed=str(total.value),
        recomputed=f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more",
        verdict=Verdict.CONSISTENT if between else Verdict.CONSISTENT_ONLY_IF,
        reading="" if between else "hazards cross and censoring differs between the arms",
        note="" if between else "the median of all patients lies outside those of the arms",
        consequence=Consequence.NONE if between else Consequence.AS_PRINTED,
        numbers=0,
    )
