"""Potential follow-up: what the calendar of a study allows."""

from __future__ import annotations

import calendar as month_lengths
from dataclasses import dataclass
from datetime import date, timedelta

from retrial.dims import MONTHS_PER_UNIT
from retrial.study.study import Study

_DAYS_PER_MONTH = 365.25 / 12
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
