"""Family `time`: recorded times, events and medians against the study's calendar and its eligibility criteria."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retrial.audit.calendar import Calendar, calendar_of
from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import show_time
from retrial.audit.ratio_checks import events_of
from retrial.dims import ARMS, TOTAL
from retrial.study.sections import Endpoint, Median
from retrial.study.study import Study

FAMILY = "time"
UNUSED_SHARE = 0.5
"""Share of the accrual period whose patients had more potential follow-up than anyone's time, from which on it is a finding."""
UNUSED_CHANCE = 0.001
"""...if besides, with uniform accrual, the chance that none of the censored patients entered in that share is below this."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One endpoint's times with what is needed to judge them."""

    study: Study
    key: str
    endpoint: Endpoint
    calendar: Calendar | None

    @property
    def label(self) -> str:
        return self.endpoint.label or self.key

    def check(self, part: str, claim: str, recomputed: str, verdict: Verdict, reading: str = "", note: str = "") -> Check:
        """A check of this endpoint; findings leave the numbers as printed."""
        return Check(
            family=FAMILY,
            claim=f"{self.label}: {claim}",
            where=self.endpoint.where,
            path=f"endpoints.{self.key}{part}",
            printed=claim,
            recomputed=recomputed,
            verdict=verdict,
            reading=reading,
            note=note,
            consequence=Consequence.AS_PRINTED if verdict in _FINDINGS else Consequence.NONE,
            numbers=0,
        )


_FINDINGS = (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)


def checks(study: Study) -> Iterator[Check]:
    """Shortest and longest time, medians within them, censoring before the median, numbers at risk, for each endpoint."""
    for key, endpoint in study.endpoints.items():
        item = Recorded(study, key, endpoint, calendar_of(study))
        if endpoint.shortest is not None:
            yield from _shortest(item)
        if endpoint.longest is not None:
            yield from _longest(item)
        yield from _medians_within(item)
        yield from _before_median(item)
        yield from _at_risk(item)


def losses_before_median(patients: int, events: int) -> int:
    """Fewest censorings before a Kaplan-Meier median among `patients` with `events` in all.

    S(M) = product of (1 - d/r) is smallest when all c censorings come first and all events after: 1 - events / (patients - c).
    S(M) <= 1/2 then needs patients - c <= 2 events.
    """
    return max(0, patients - 2 * events)


def _shortest(item: Recorded) -> Iterator[Check]:
    shortest, unit = item.endpoint.shortest, item.study.time_unit
    timeline = item.study.timeline
    excluded = timeline.excluded_follow_up_up_to if timeline else None
    if shortest is None or excluded is None:
        return
    claim = f"shortest time {shortest} {unit}, follow-up of at most {excluded} {unit} excluded"
    if shortest.high > excluded.low and shortest.value > excluded.value:
        yield item.check(".shortest", claim, "", Verdict.CONSISTENT)
        return
    yield item.check(
        ".shortest",
        claim,
        f"{shortest} is not above {excluded}",
        Verdict.CONSISTENT_ONLY_IF,
        f"the criterion spared patients who had an event (only they can be as short as {shortest} {unit}), or was not applied",
        "selection by later follow-up: early censorings were removed and early events kept",
    )


def _longest(item: Recorded) -> Iterator[Check]:
    longest, calendar, unit = item.endpoint.longest, item.calendar, item.study.time_unit
    if longest is None:
        return
    if calendar is None:
        claim = f"longest time {longest} {unit}"
        yield item.check(".longest", claim, "", Verdict.NOT_CHECKABLE, note="timeline.accrual_start, accrual_end or cut_off is missing")
        return
    claim = f"longest time {longest} {unit}, potential follow-up {calendar.shortest:.1f} to {calendar.longest:.1f} {unit}"
    share = calendar.share_above(longest.value)
    if longest.low > calendar.longest:
        note = f"longer than anybody can have been followed by the cut-off ({show_time(calendar.longest, unit)})"
        yield item.check(".longest", claim, f"at most {calendar.longest:.1f}", Verdict.INCONSISTENT, note=note)
        return
    censored = _censored(item)
    if share <= UNUSED_SHARE or (censored is not None and (1 - share) ** censored >= UNUSED_CHANCE):
        yield item.check(".longest", claim, f"{100 * share:.0f} % of accrual could have longer times", Verdict.CONSISTENT)
        return
    survivors = "" if censored is None else f" ({censored} of {item.study.n(TOTAL)} patients had no event)"
    last = calendar.entry_for(longest.value)
    yield item.check(
        ".longest",
        claim,
        f"entry before {last}, {100 * share:.0f} % of the accrual period, leaves more than {longest} {unit} until the cut-off",
        Verdict.CONSISTENT_ONLY_IF,
        f"everybody who entered before {last} had an event or was lost to follow-up before the cut-off",
        f"no time beyond {longest} {unit}{survivors}: the cut-off ended hardly anybody's follow-up, censoring is loss to follow-up",
    )


def _censored(item: Recorded) -> int | None:
    """Patients without the event."""
    n, total = item.study.n(TOTAL), events_of(item.endpoint)[2]
    return None if n is None or total is None else n - total


def _medians_within(item: Recorded) -> Iterator[Check]:
    """A median between the shortest and the longest time."""
    shortest, longest = item.endpoint.shortest, item.endpoint.longest
    if shortest is None and longest is None:
        return
    low = shortest.low if shortest else 0.0
    high = longest.high if longest else float("inf")
    for column, median in _medians(item):
        inside = low <= median.value.high and median.value.low <= high
        yield item.check(
            f".median.{column}",
            f"median {median.value} ({column})",
            f"times run from {low:g} to {high:g}",
            Verdict.CONSISTENT if inside else Verdict.INCONSISTENT,
            note="" if inside else "a Kaplan-Meier median is one of the recorded times",
        )


def _medians(item: Recorded) -> Iterator[tuple[str, Median]]:
    for column in (*ARMS, TOTAL):
        median = getattr(item.endpoint.median, column)
        if median is not None:
            yield column, median


def _before_median(item: Recorded) -> Iterator[Check]:
    """How much censoring before the median the events imply, and whether the cut-off can have caused it."""
    events = dict(zip((*ARMS, TOTAL), events_of(item.endpoint), strict=True))
    for column, median in _medians(item):
        n, observed = item.study.n(column), events[column]
        claim = f"median {median.value} {item.study.time_unit} ({column})"
        if n is None or observed is None:
            if column == TOTAL:
                missing = "events.total" if observed is None else "arms.*.n"
                yield item.check(f".median.{column}", claim, "", Verdict.NOT_CHECKABLE, note=f"{missing} is missing")
            continue
        yield _implied_losses(item, column, median, n, observed)


def _implied_losses(item: Recorded, column: str, median: Median, n: int, events: int) -> Check:
    claim = f"{events} events among {n} ({column}), median {median.value} {item.study.time_unit}"
    losses, part = losses_before_median(n, events), f".median.{column}"
    recomputed = f"at least {losses} censored before the median"
    if events == 0:
        return item.check(part, claim, "", Verdict.INCONSISTENT, note="without events no median is reached")
    if losses == 0:
        return item.check(part, claim, recomputed, Verdict.CONSISTENT)
    least = item.calendar.shortest if item.calendar else None
    if least is None or median.value.value >= least:
        reading = f"at least {losses} of the {n - events} censored left before the median"
        return item.check(part, claim, recomputed, Verdict.CONSISTENT_ONLY_IF, reading, "fewer than half of the patients had an event")
    return item.check(
        part,
        claim,
        recomputed,
        Verdict.CONSISTENT_ONLY_IF,
        f"at least {losses} of the {n - events} censored were lost before {median.value} {item.study.time_unit}",
        f"not by the cut-off: everybody had at least {least:.1f} {item.study.time_unit} of potential follow-up",
    )


def _at_risk(item: Recorded) -> Iterator[Check]:
    """Numbers at risk against extremes, medians, and the censoring that they imply before the shortest potential follow-up."""
    table = item.endpoint.at_risk
    if table is None:
        return
    times = [time.value for time in table.times]
    for column, median in _medians(item):
        counts = getattr(table, column, None)
        n = item.study.n(column)
        if counts is None or n is None:
            continue
        beyond = [(time, int(count)) for time, count in zip(times, counts, strict=True) if time > median.value.high]
        wrong = [f"{count} of {n} at {time:g}" for time, count in beyond if 2 * count > n]
        claim = f"median {median.value} ({column}) with numbers at risk {', '.join(map(str, counts))} at {', '.join(f'{t:g}' for t in times)}"
        note = f"S(t) is at least (at risk)/n, above 1/2 beyond the median: {'; '.join(wrong)}" if wrong else ""
        verdict = Verdict.INCONSISTENT if wrong else Verdict.CONSISTENT
        yield item.check(f".at_risk.{column}", claim, "at most n/2 at risk beyond the median", verdict, _assumed(item), note)
    yield from _lost_by_tick(item, times)


def _assumed(item: Recorded) -> str:
    return "times of the numbers at risk as assumed in the study file" if item.endpoint.at_risk and item.endpoint.at_risk.times_assumed else ""


def _lost_by_tick(item: Recorded, times: list[float]) -> Iterator[Check]:
    table, censored, calendar = item.endpoint.at_risk, _censored(item), item.calendar
    if table is None or table.control is None or table.experimental is None or censored is None or calendar is None:
        return
    ticks = [(time, int(first) + int(second)) for time, first, second in zip(times, table.control, table.experimental, strict=True)]
    early = [(time, left) for time, left in ticks if time <= calendar.shortest]
    if not early:
        return
    time, left = early[-1]
    lost, unit = max(0, censored - left), item.study.time_unit
    claim = f"{censored} censored, {left} at risk at {time:g} {unit}"
    recomputed = f"at least {lost} censored before {time:g} {unit}"
    if lost == 0:
        yield item.check(".at_risk", claim, recomputed, Verdict.CONSISTENT)
        return
    reading = f"at least {lost} of the {censored} censored left before {time:g} {unit}"
    note = f"not by the cut-off: everybody had at least {calendar.shortest:.1f} {unit} of potential follow-up"
    reading = "; ".join(filter(None, (reading, _assumed(item))))
    yield item.check(".at_risk", claim, recomputed, Verdict.CONSISTENT_ONLY_IF, reading, note)
