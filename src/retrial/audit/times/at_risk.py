"""Part of the family `time`: numbers at risk against medians, the longest time, and the censoring that they imply."""

from __future__ import annotations

import math
from collections.abc import Iterator

from retrial.audit.check import Check, Verdict
from retrial.audit.times.follow_up import Recorded, calendar_of
from retrial.dims import ARMS, TOTAL
from retrial.study.sections import AtRisk
from retrial.study.study import Study


def checks(study: Study) -> Iterator[Check]:
    """For each endpoint with numbers at risk: up to one check a median, one of the longest time, one of the censoring."""
    for key, endpoint in study.endpoints.items():
        if endpoint.at_risk is not None:
            item = Recorded(study, key, endpoint, calendar_of(study))
            yield from _longest(item, endpoint.at_risk)
            # with late entry, the share at risk says nothing of survival or censoring
            if not endpoint.late_entry:
                yield from _medians(item, endpoint.at_risk)
                yield from _lost(item, endpoint.at_risk)


def ticks_of(table: AtRisk, arm: str) -> list[tuple[float, int]]:
    """(time, number at risk) of one arm; empty where not printed."""
    counts = getattr(table, arm, None) or []
    return [(time.value, int(count)) for time, count in zip(table.times, counts, strict=False)]


def _medians(item: Recorded, table: AtRisk) -> Iterator[Check]:
    """Censoring only raises S(t) above (at risk)/n, and beyond the median S is at most 1/2: so is (at risk)/n."""
    for arm, median in item.medians:
        ticks, n = ticks_of(table, arm), item.n(arm)
        if not ticks or n is None:
            continue
        wrong = [f"{count} of {n} at {time:g}" for time, count in ticks if time > median.value.high and 2 * count > n]
        claim = f"median {median.value} ({arm}), at risk {_listed(ticks)}"
        expected = "at most n/2 at risk beyond the median"
        if wrong:
            note = f"more than half at risk beyond the median: {'; '.join(wrong)}; the numbers at risk are left out"
            part = f".at_risk.{arm}"
            yield item.left_out(".at_risk", item.check(part, claim, expected, Verdict.INCONSISTENT, _assumed(table), note))
        else:
            yield item.check(f".at_risk.{arm}", claim, expected, Verdict.CONSISTENT, _assumed(table))


def _longest(item: Recorded, table: AtRisk) -> Iterator[Check]:
    """Somebody at risk at t has a time of at least t; nobody at risk, nobody beyond."""
    longest = item.endpoint.longest_of(TOTAL)
    if longest is None:
        return
    ticks = [tick for arm in ARMS for tick in ticks_of(table, arm)]
    reached = max((time for time, count in ticks if count > 0), default=0.0)
    both = [set(ticks_of(table, arm)) for arm in ARMS]
    empty = min((time for time, _ in ticks if all((time, 0) in arm for arm in both)), default=float("inf"))
    wrong = longest.high < reached or longest.low > empty
    claim = f"longest time {longest}"
    expected = f"somebody at risk at {reached:g}" + (f", nobody at {empty:g}" if math.isfinite(empty) else "")
    if not wrong:
        yield item.check(".longest", claim, expected, Verdict.CONSISTENT)
        return
    note = "the numbers at risk run beyond the longest time, or end before it; they are left out"
    yield item.left_out(".at_risk", item.check(".longest", claim, expected, Verdict.INCONSISTENT, note=note))


def _lost(item: Recorded, table: AtRisk) -> Iterator[Check]:
    """Of c censored at most (at risk at t) left later; before the shortest potential follow-up the cut-off took nobody."""
    censored, calendar = item.censored, item.calendar
    if table.control is None or table.experimental is None or censored is None or calendar is None:
        return
    ticks = zip(ticks_of(table, ARMS[0]), ticks_of(table, ARMS[1]), strict=True)
    early = [(time, first + second) for (time, first), (_, second) in ticks if time <= calendar.shortest]
    if not early:
        return
    time, left = early[-1]
    lost = max(0, censored - left)
    claim, recomputed = (
        f"{censored} censored, {left} at risk at {time:g} {item.unit}",
        f"at least {lost} censored before {time:g}",
    )
    if lost == 0:
        yield item.check(".at_risk", claim, recomputed, Verdict.CONSISTENT)
        return
    reading = f"at least {lost} of the {censored} censored left before {time:g} {item.unit}"
    note = f"not by the cut-off: everybody had at least {calendar.shortest:.1f} {item.unit} of potential follow-up"
    reading = "; ".join(filter(None, (reading, _assumed(table))))
    yield item.check(".at_risk", claim, recomputed, Verdict.CONSISTENT_ONLY_IF, reading, note)


def _listed(ticks: list[tuple[float, int]]) -> str:
    return ", ".join(f"{count} at {time:g}" for time, count in ticks)


def _assumed(table: AtRisk) -> str:
    return "times of the numbers at risk as assumed in the study file" if table.times_assumed else ""
