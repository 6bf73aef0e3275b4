"""Historical controls: counts of an outcome in earlier cohorts, and how far the present control arm may borrow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retrial.errors import PriorError
from retrial.priors.evidence import EvidenceTable, parse_evidence
from retrial.validate import as_text, is_number

UNKNOWN_CRITERIA = 0.5
"""Share of the difference between criteria given to a cohort whose criteria could not be read: halfway."""
DEFAULT_ROBUST_WEIGHT = 0.2
"""Prior weight of the vague part (RBesT's introduction; Schmidli et al. 2014)."""


@dataclass(frozen=True)
class HistoricalControls:
    """Earlier cohorts of one outcome. `more_generous` are the criteria by which more patients respond (mRECIST v RECIST 1.1)."""

    outcome: str
    labels: tuple[str, ...]
    events: tuple[int, ...]
    n: tuple[int, ...]
    criteria: tuple[str, ...]
    robust_weight: float
    more_generous: str = ""

    def offsets(self, criteria: str) -> tuple[float, ...]:
        """Multiple of the criteria's log odds ratio by which each cohort exceeds a study read by `criteria`: -1, -1/2, 0, 1/2 or 1."""
        if not self.more_generous or not criteria:
            return (0.0,) * len(self.events)
        here = self._share(criteria)
        return tuple(self._share(name) - here for name in self.criteria)

    def _share(self, criteria: str) -> float:
        if criteria in ("", "unknown"):
            return UNKNOWN_CRITERIA
        return float(criteria == self.more_generous)


def parse_historical(raw: Mapping[str, Any], key: str) -> HistoricalControls | None:
    """{evidence: TABLE, historical: {outcome, robust_weight, more_generous}} of a model; None where it has none. Raises `PriorError`."""
    if raw.get("historical") is None:
        return None
    said = raw["historical"]
    if not isinstance(said, Mapping):
        raise PriorError(f"cannot use {key}", [f"{key}.historical: got {said!r}; allowed is a mapping with an outcome"])
    allowed = ("outcome", "robust_weight", "more_generous")
    problems = [f"{key}.historical.{name}: unknown; allowed are {', '.join(allowed)}" for name in said if name not in allowed]
    weight = said.get("robust_weight", DEFAULT_ROBUST_WEIGHT)
    if not is_number(weight) or not 0 <= weight <= 1:
        problems.append(
            f"{key}.historical.robust_weight: got {weight!r}; allowed is a number from 0 (no robust part) to 1 (no borrowing)"
        )
    table = parse_evidence(raw.get("evidence"), f"evidence of {key}", f"{key}.evidence")
    outcome = as_text(said.get("outcome"), f"{key}.historical.outcome", problems)
    generous = as_text(said.get("more_generous"), f"{key}.historical.more_generous", problems)
    counts = table.counts(outcome)
    if not counts:
        known = sorted({name for row in table.rows.values() for name in row.counts})
        problems.append(f"{key}.historical.outcome: got {outcome!r}; the table has counts of {', '.join(known) or 'nothing'}")
    if problems:
        raise PriorError(f"cannot use {key}", problems)
    return _controls(table, counts, outcome, float(weight), generous)


def _controls(
    table: EvidenceTable, counts: Mapping[str, tuple[int, int]], outcome: str, weight: float, generous: str
) -> HistoricalControls:
    rows = [table.rows[name] for name in counts]
    return HistoricalControls(
        outcome=outcome,
        labels=tuple(row.label for row in rows),
        events=tuple(events for events, _ in counts.values()),
        n=tuple(n for _, n in counts.values()),
        criteria=tuple(row.criteria for row in rows),
        robust_weight=weight,
        more_generous=generous,
    )
