"""Part of the family `time`: printed survival percentages against medians, numbers at risk, censored and events, and their own limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.ratios.checks import events_of
from retrial.audit.times.follow_up import Recorded, calendar_of
from retrial.dims import ARMS
from retrial.study.endpoints import Landmark, Landmarks
from retrial.study.study import Study

HALF = 50.0
PERCENT = 100.0
_ROOM = 1e-9


def checks(study: Study) -> Iterator[Check]:
    """For each arm with printed percentages: that they fall, each with the median, each with the numbers at risk, each with its limits; for
    each arm with numbers censored: that they, the events and those at risk are all patients.
    """
    for key, endpoint in study.endpoints.items():
        item = Recorded(study, key, endpoint, calendar_of(study))
        for arm in ARMS:
            if endpoint.landmarks is not None and endpoint.landmarks.of(arm):
                yield from _falling(item, arm, endpoint.landmarks.of(arm))
                yield from _medians(item, arm, endpoint.landmarks.of(arm))
                yield from _counted(item, arm, endpoint.landmarks.of(arm))
                yield from _limits(item, arm, endpoint.landmarks)
            yield from _censored(item, arm)


def _path(arm: str) -> str:
    return f".landmarks.{arm}"


def _found(item: Recorded, arm: str, claim: str, expected: str, wrong: list[str]) -> Check:
    verdict = Verdict.INCONSISTENT if wrong else Verdict.CONSISTENT
    check = item.check(_path(arm), claim, expected, verdict, note="; ".join(wrong))
    return item.left_out(_path(arm), check) if wrong else check


def _falling(item: Recorded, arm: str, printed: list[tuple[float, Landmark]]) -> Iterator[Check]:
    """A survival curve never rises."""
    if len(printed) < 2:
        return
    claim = ", ".join(f"{landmark.percent} % at {time:g}" for time, landmark in printed) + f" ({arm})"
    wrong = [
        f"{two.percent} % at {later:g} is more than {one.percent} % at {time:g}; the percentages are left out"
        for (time, one), (later, two) in pairwise(printed)
        if two.percent.low > one.percent.high
    ]
    yield _found(item, arm, claim, "percentages that never rise", wrong)


def _medians(item: Recorded, arm: str, printed: list[tuple[float, Landmark]]) -> Iterator[Check]:
    """Above one half before the median, at most one half from it on; both taken within rounding."""
    median = next((median for column, median in item.medians if column == arm), None)
    if median is None:
        return
    wrong = []
    for time, landmark in printed:
        if time < median.value.low - _ROOM and landmark.percent.high <= HALF:
            wrong.append(f"{landmark.percent} % at {time:g}, before the median, is not above one half")
        if time >= median.value.high - _ROOM and landmark.percent.low > HALF:
            wrong.append(f"{landmark.percent} % at {time:g}, after the median, is above one half")
    claim = (
        f"median {median.value}, " + ", ".join(f"{landmark.percent} % at {time:g}" for time, landmark in printed) + f" ({arm})"
    )
    yield _found(item, arm, claim, "above 50 % before the median, at most 50 % after it", [f"{text}; left out" for text in wrong])


def _counted(item: Recorded, arm: str, printed: list[tuple[float, Landmark]]) -> Iterator[Check]:
    """S(t) is lowest where all censorings come before all events, and highest the other way round.

    With r at risk at t and e events before it, r / (r + e) <= S(t) <= 1 - e / n, and e is at most min(E, n - r), at least E - r of E events
    in all; n - r - c where the censored are printed.
    """
    n = item.n(arm)
    if n is None or item.endpoint.at_risk is None:
        return
    total = events_of(item.endpoint)[ARMS.index(arm)]
    for time, landmark in printed:
        left = _left_at(item, arm, time)
        if left is None:
            continue
        at_risk, censored = left
        most = n - at_risk if total is None else min(total, n - at_risk)
        least = 0 if total is None else max(0, total - at_risk)
        if censored is not None:
            most = least = n - at_risk - censored
        low = PERCENT * at_risk / (at_risk + most) if at_risk + most > 0 else 0.0
        high = PERCENT * (1 - least / n)
        claim = f"{landmark.percent} % at {time:g} ({arm}), {at_risk} of {n} at risk" + (
            f", {censored} censored" if censored is not None else ""
        )
        expected = f"{low:.1f} to {high:.1f} %"
        if landmark.percent.low <= high + _ROOM and landmark.percent.high >= low - _ROOM:
            yield item.check(_path(arm), claim, expected, Verdict.CONSISTENT)
        elif landmark.percent.high < low:
            gone = math.ceil(at_risk * (1 - landmark.percent.high / low) - _ROOM)
            reading = f"at least {gone} of those at risk at {time:g} had the event at just that time"
            yield item.check(_path(arm), claim, expected, Verdict.CONSISTENT_ONLY_IF, reading)
        else:
            yield _found(item, arm, claim, expected, [f"no numbers of events and censorings give {landmark.percent} %; left out"])


def _left_at(item: Recorded, arm: str, time: float) -> tuple[int, int | None] | None:
    """Numbers at risk and censored printed for a time."""
    table = item.endpoint.at_risk
    counts = getattr(table, arm, None)
    if table is None or counts is None:
        return None
    censored = getattr(table.censored, arm, None) or [None] * len(counts)
    for tick, count, lost in zip(table.times, counts, censored, strict=False):
        if abs(tick.value - time) <= _ROOM:
            return int(count), None if lost is None else int(lost)
    return None


def _limits(item: Recorded, arm: str, landmarks: Landmarks) -> Iterator[Check]:
    """Greenwood's variance is at least the binomial S (1 - S) / n; no transformation makes the interval of it shorter than by these three."""
    n = item.n(arm)
    if n is None:
        return
    z = float(stats.norm.ppf(0.5 + landmarks.level / 2))
    for time, landmark in landmarks.of(arm):
        if landmark.ci is None or not math.isfinite(landmark.ci.upper.high):
            continue
        widths = [
            shortest_width(s / PERCENT, n, z) for s in (landmark.percent.low, landmark.percent.value, landmark.percent.high)
        ]
        least = PERCENT * min(widths)
        printed = landmark.ci.upper.high - landmark.ci.lower.low
        claim = f"{landmark.percent} % ({landmark.ci.lower} to {landmark.ci.upper}) at {time:g} ({arm}), {n} patients"
        wrong = (
            []
            if printed >= least * (1 - _ROOM)
            else ["the limits are closer than so many patients allow, even if all were followed"]
        )
        verdict = Verdict.INCONSISTENT if wrong else Verdict.CONSISTENT
        yield item.check(
            _path(arm), claim, f"limits at least {least:.1f} percentage points apart", verdict, note="; ".join(wrong)
        )


def shortest_width(s: float, n: int, z: float) -> float:
    """Width of the interval of S(t) with the binomial variance, the least of plain, log and log-log, each cut off at 0 and 1."""
    if not 0 < s < 1:
        return 0.0
    relative = math.sqrt((1 - s) / (n * s))
    plain = (max(s - z * s * relative, 0.0), min(s + z * s * relative, 1.0))
    log = (s * math.exp(-z * relative), min(s * math.exp(z * relative), 1.0))
    spread = z * relative / abs(math.log(s))
    log_log = (s ** math.exp(spread), s ** math.exp(-spread))
    return min(high - low for low, high in (plain, log, log_log))


def _censored(item: Recorded, arm: str) -> Iterator[Check]:
    """Patients who left before t had the event or were censored: n - at risk - censored events, which never get fewer."""
    table, n = item.endpoint.at_risk, item.n(arm)
    lost, counts = getattr(table.censored if table else None, arm, None), getattr(table, arm, None)
    if table is None or lost is None or counts is None or n is None:
        return
    events = [n - int(count) - int(gone) for count, gone in zip(counts, lost, strict=False)]
    total = events_of(item.endpoint)[ARMS.index(arm)]
    wrong = [] if min(events) >= 0 else ["more censored than have left"]
    wrong += ["the events before each time get fewer"] if any(later < earlier for earlier, later in pairwise(events)) else []
    wrong += [f"{total} events are printed"] if total is not None and max(events) > total else []
    path = f".at_risk.censored.{arm}"
    claim = (
        f"{', '.join(str(gone) for gone in lost)} censored, {', '.join(str(count) for count in counts)} at risk of {n} ({arm})"
    )
    recomputed = f"events before each time {', '.join(str(count) for count in events)}"
    check = item.check(path, claim, recomputed, Verdict.INCONSISTENT if wrong else Verdict.CONSISTENT, note="; ".join(wrong))
    yield item.left_out(path, check) if wrong else check
