"""One endpoint's recorded times with what is needed to judge them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.potential_follow_up import Calendar
from retrial.audit.ratio_checks import events_of
from retrial.dims import ARMS, TOTAL
from retrial.study.sections import Endpoint, Median
from retrial.study.study import Study

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

    @property
    def censored(self) -> int | None:
        """Patients without the event."""
        n, total = self.study.n(TOTAL), events_of(self.endpoint)[2]
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
