"""Family `time` (with `at_risk`): recorded times and medians against the study's calendar and eligibility criteria."""

from __future__ import annotations

import calendar as month_lengths
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.numbers import show_time
from retrial.audit.ratios.checks import events_of
from retrial.dims import ARMS, MONTHS_PER_UNIT, TOTAL
from retrial.study.sections import Endpoint, Median
from retrial.study.study import Study

_DAYS_PER_MONTH = 365.25 / 12
_SHORT_MONTH = 30
"""Days of a month where a paper divides days by 30."""
_YEAR_MONTH = 7
"""Characters of 2020-01."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates of accrual and cut-off, and how many days one unit of the study's times has."""

    accrual_start: date
    accrual_end: date
    cut_off: date
    days_per_unit: float

    @property
    def shortest(self) -> float:
        """Potential follow-up of the last patient to enter, in the study's unit."""
        return (self.cut_off - self.accrual_end).days / self.days_per_unit

    @property
    def longest(self) -> float:
        """Potential follow-up of the first patient to enter, in the study's unit."""
        return (self.cut_off - self.accrual_start).days / self.days_per_unit

    def share_above(self, time: float) -> float:
        """Share of the accrual period whose patients have a potential follow-up above `time`."""
        span = self.longest - self.shortest
        if span <= 0:
            return float(self.longest > time)
        return min(1.0, max(0.0, (self.longest - time) / span))

    def entry_for(self, time: float) -> date:
        """Date of entry that leaves exactly `time` until the cut-off (the end of accrual where that is earlier)."""
        return min(self.accrual_end, self.cut_off - timedelta(days=round(time * self.days_per_unit)))


def calendar_of(study: Study) -> Calendar | None:
    """The study's calendar; a month without a day is its first day for the start of accrual, its last day otherwise."""
    timeline = study.timeline
    if timeline is None or timeline.accrual_start is None or timeline.accrual_end is None or timeline.cut_off is None:
        return None
    days = MONTHS_PER_UNIT[study.time_unit] * _DAYS_PER_MONTH
    start = _day(timeline.accrual_start, last=False)
    return Calendar(start, _day(timeline.accrual_end, last=True), _day(timeline.cut_off, last=True), days)


def _day(text: str, *, last: bool) -> date:
    year, month = int(text[:4]), int(text[5:_YEAR_MONTH])
    length = month_lengths.monthrange(year, month)[1]
    if len(text) == _YEAR_MONTH:
        return date(year, month, length if last else 1)
    return date(year, month, min(length, max(1, int(text[8:]))))


FAMILY = "time"
_FINDINGS = (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A study's endpoint and calendar (None where the file does not give it)."""

    study: Study
    key: str
    endpoint: Endpoint
    calendar: Calendar | None

    @property
    def unit(self) -> str:
        return self.study.time_unit

    def n(self, column: str) -> int | None:
        """Patients that the endpoint is about."""
        return self.study.followed(self.key, column)

    @property
    def censored(self) -> int | None:
        """Patients without the event."""
        n, total = self.n(TOTAL), events_of(self.endpoint)[2]
        return None if n is None or total is None else n - total

    @property
    def medians(self) -> Iterator[tuple[str, Median]]:
        """Printed medians by column."""
        for column in (*ARMS, TOTAL):
            median = getattr(self.endpoint.median, column)
            if median is not None:
                yield column, median

    def check(self, part: str, claim: str, recomputed: str, verdict: Verdict, reading: str = "", note: str = "") -> Check:
        """A check of this endpoint; findings leave the numbers as printed."""
        return Check(
            family=FAMILY,
            claim=f"{self.endpoint.label or self.key}: {claim}",
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

    def left_out(self, part: str, check: Check) -> Check:
        """The check, with the decision to leave out one part of this endpoint."""
        decision = Decision(f"endpoints.{self.key}{part}", Consequence.EXCLUDED, None, check.note)
        return replace(check, consequence=Consequence.EXCLUDED, decision=decision)


UNUSED_SHARE = 0.5
"""Share of the accrual period whose patients had more potential follow-up than anyone's time, from which on it is a finding."""
UNUSED_CHANCE = 1e-6
"""...if besides, with uniform accrual, the chance that none of the censored entered in that share is below this. Far below 0.05,
because patients who entered late are over-represented among the censored."""


def checks(study: Study) -> Iterator[Check]:
    """Shortest and longest time, medians within them, censoring before the median; for each endpoint."""
    for key, endpoint in study.endpoints.items():
        item = Recorded(study, key, endpoint, calendar_of(study))
        if endpoint.shortest is not None:
            yield from _shortest(item)
        # with late entry, times begin before accrual, and a median needs no share of all patients
        if endpoint.longest is not None and not endpoint.late_entry:
            yield from _longest(item)
        yield from _medians_within(item)
        if not endpoint.late_entry:
            yield from _before_median(item)


def losses_before_median(patients: int, events: int) -> int:
    """Fewest censorings before a Kaplan-Meier median among `patients` with `events` in all.

    S(M) = product of (1 - d/r) is smallest when all c censorings come first and all events after: 1 - events / (patients - c).
    S(M) <= 1/2 then needs patients - c <= 2 events.
    """
    return max(0, patients - 2 * events)


def _shortest(item: Recorded) -> Iterator[Check]:
    shortest, unit = item.endpoint.shortest_of(TOTAL), item.unit
    timeline = item.study.timeline
    excluded = timeline.excluded_follow_up_up_to if timeline else None
    if shortest is None or excluded is None:
        return
    claim = f"shortest time {shortest} {unit}, follow-up of at most {excluded} {unit} excluded"
    if shortest.value > excluded.value:
        yield item.check(".shortest", claim, "", Verdict.CONSISTENT)
        return
    yield item.check(
        ".shortest",
        claim,
        f"{shortest} is not above {excluded}",
        Verdict.CONSISTENT_ONLY_IF,
        f"the criterion spared patients who had an event (only they can be as short as {shortest} {unit}), or was not applied",
        "eligibility hangs on what happened after entry: early censorings go, early events stay",
    )


def _longest(item: Recorded) -> Iterator[Check]:
    longest, calendar, unit = item.endpoint.longest_of(TOTAL), item.calendar, item.unit
    if longest is None:
        return
    if calendar is None:
        claim = f"longest time {longest} {unit}"
        yield item.check(
            ".longest", claim, "", Verdict.NOT_CHECKABLE, note="timeline.accrual_start, accrual_end or cut_off is missing"
        )
        return
    claim = f"longest time {longest} {unit}, potential follow-up {calendar.shortest:.1f} to {calendar.longest:.1f} {unit}"
    share = calendar.share_above(longest.value)
    if longest.low > calendar.longest:
        if unit == "months" and longest.low <= calendar.longest * _DAYS_PER_MONTH / _SHORT_MONTH:
            reading = f"months of {_SHORT_MONTH} days: {calendar.longest * _DAYS_PER_MONTH / _SHORT_MONTH:.1f} at most"
            yield item.check(".longest", claim, f"at most {calendar.longest:.1f}", Verdict.CONSISTENT_ONLY_IF, reading)
            return
        note = f"longer than anybody can have been followed by the cut-off ({show_time(calendar.longest, unit)})"
        yield item.check(".longest", claim, f"at most {calendar.longest:.1f}", Verdict.INCONSISTENT, note=note)
        return
    censored = item.censored
    if share <= UNUSED_SHARE or (censored is not None and (1 - share) ** censored >= UNUSED_CHANCE):
        yield item.check(".longest", claim, f"{100 * share:.0f} % of accrual could have longer times", Verdict.CONSISTENT)
        return
    survivors = "" if censored is None else f" ({censored} of {item.n(TOTAL)} patients had no event)"
    last = calendar.entry_for(longest.value)
    yield item.check(
        ".longest",
        claim,
        f"entry before {last}, {100 * share:.0f} % of the accrual period, leaves more than {longest} {unit} until the cut-off",
        Verdict.CONSISTENT_ONLY_IF,
        f"all who entered before {last} had an event or left follow-up before the cut-off",
        f"no time beyond {longest} {unit}{survivors}: censoring is mostly loss to follow-up or an earlier end, not the cut-off",
    )


def _medians_within(item: Recorded) -> Iterator[Check]:
    """A median between the shortest and the longest time."""
    for column, median in item.medians:
        if median.value.is_bound:
            continue
        shortest = item.endpoint.shortest_of(column) or item.endpoint.shortest_of(TOTAL)
        longest = item.endpoint.longest_of(column) or item.endpoint.longest_of(TOTAL)
        if shortest is None and longest is None:
            continue
        low = shortest.low if shortest else 0.0
        high = longest.high if longest else float("inf")
        inside = low <= median.value.high and median.value.low <= high
        claim, times = f"median {median.value} ({column})", f"times run from {low:g} to {high:g}"
        if inside:
            yield item.check(f".median.{column}", claim, times, Verdict.CONSISTENT)
            continue
        part = "shortest" if median.value.high < low else "longest"
        note = f"a Kaplan-Meier median is one of the recorded times; the {part} time is left out, the median kept"
        yield item.left_out(f".{part}", item.check(f".median.{column}", claim, times, Verdict.INCONSISTENT, note=note))


def _before_median(item: Recorded) -> Iterator[Check]:
    """How much censoring before the median the events imply, and whether the cut-off can have caused it."""
    events = dict(zip((*ARMS, TOTAL), events_of(item.endpoint), strict=True))
    for column, median in item.medians:
        n, observed = item.n(column), events[column]
        claim = f"median {median.value} {item.unit} ({column})"
        if n is None or observed is None:
            if column == TOTAL:
                missing = "events.total" if observed is None else "arms.*.n"
                yield item.check(f".median.{column}", claim, "", Verdict.NOT_CHECKABLE, note=f"{missing} is missing")
            continue
        if not median.value.is_bound:
            yield _implied_losses(item, column, median, n, observed)
        elif not median.value.first.is_reached:
            yield _stays_above(item, column, median, n, observed)


def _stays_above(item: Recorded, column: str, median: Median, n: int, events: int) -> Check:
    """Whether a curve can stay above one half: it ends highest, at 1 - events / n, when nobody is censored before the last event."""
    claim, part = f"{events} events among {n} ({column}), median not reached ({median.value})", f".median.{column}"
    highest = f"the curve ends at {1 - events / n:.3f} at most"
    if 2 * events < n:
        return item.check(part, claim, highest, Verdict.CONSISTENT)
    note = "half of the patients had the event, so that the median is reached; the median is left out, the events are kept"
    return item.left_out(part, item.check(part, claim, highest, Verdict.INCONSISTENT, note=note))


def _implied_losses(item: Recorded, column: str, median: Median, n: int, events: int) -> Check:
    claim = f"{events} events among {n} ({column}), median {median.value} {item.unit}"
    losses, part = losses_before_median(n, events), f".median.{column}"
    recomputed = f"at least {losses} censored before the median"
    if events == 0:
        return item.check(part, claim, "", Verdict.INCONSISTENT, note="without events no median is reached")
    least = item.calendar.shortest if item.calendar else None
    if losses == 0 or least is None or median.value.value >= least:
        return item.check(part, claim, recomputed, Verdict.CONSISTENT)
    return item.check(
        part,
        claim,
        recomputed,
        Verdict.CONSISTENT_ONLY_IF,
        f"at least {losses} of the {n - events} censored were lost before {median.value} {item.unit}",
        f"not by the cut-off: everybody had at least {least:.1f} {item.unit} of potential follow-up",
    )
