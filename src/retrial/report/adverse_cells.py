"""Terms and grades of adverse events: the counts, both analyses, and what to know of them, as one cell each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrial.compare.estimate import Estimate
from retrial.compare.notes import is_undecided
from retrial.report.data import ReportData

SECTION = "adverse_events"
MODEL = "adverse_events_hierarchical"
ANY = "any"
ONE_ARM, NO_EVENT = "†", "‡"
"""Marks of cells where one arm, or both, has nobody (or everybody) with the event."""
POOLING = ", pooling scale x "
"""Between the main prior's name and the factor by which its pooling scale was changed."""
_EFFECT, _CHANCE = "odds_ratio", "p_risk_difference_above_0"


@dataclass(frozen=True)
class EventCell:
    """One term and grade: patients with the event in each arm, and what the analyses say of the odds ratio."""

    term: str
    grade: str
    counts: tuple[int, int] | None
    independent: Estimate | None
    fisher: float
    shrunken: Estimate
    chance: float
    variants: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def undecided(self) -> bool:
        """Whether neither arm's count says anything of the comparison."""
        return is_undecided(self.shrunken.note)


def hierarchical_prior(data: ReportData) -> str:
    """The prior that the section quotes: the main one where the model was fitted with it; empty where there is no such model."""
    names = list(dict.fromkeys(row.prior for row in data.estimates if row.model == MODEL and row.quantity == _CHANCE))
    return data.main_prior if data.main_prior in names else next(iter(names), "")


def event_cells(data: ReportData) -> list[EventCell]:
    """Cells sorted by the shrunken odds ratio of any grade, most harm first; within a term any grade, then mild to severe."""
    prior = hierarchical_prior(data)
    mine = [row for row in data.estimates if row.endpoint.startswith(f"{SECTION}.")]
    bayes = {(row.endpoint, row.prior, row.quantity): row for row in mine if row.model == MODEL}
    independent = {row.endpoint: row for row in mine if row.method == "frequentist" and row.quantity == _EFFECT}
    fisher = {row.endpoint: row.point for row in mine if row.model == "fisher_exact" and row.quantity == "p_value"}
    factors = dict.fromkeys(name.partition(POOLING)[2] for _, name, _ in bayes if POOLING in name)
    found = []
    for endpoint in dict.fromkeys(key[0] for key in bayes):
        if (endpoint, prior, _EFFECT) not in bayes:
            continue
        _, term, grade = endpoint.split(".", 2)
        chance = bayes.get((endpoint, prior, _CHANCE))
        found.append(
            EventCell(
                term,
                grade,
                _counts(data, term, grade),
                independent.get(endpoint),
                fisher.get(endpoint, math.nan),
                bayes[endpoint, prior, _EFFECT],
                chance.point if chance is not None else math.nan,
                {
                    f: bayes[endpoint, name, _EFFECT]
                    for f in factors
                    if (endpoint, name := f"{prior}{POOLING}{f}", _EFFECT) in bayes
                },
            )
        )
    return _sorted(found)


def _counts(data: ReportData, term: str, grade: str) -> tuple[int, int] | None:
    terms = data.study.adverse_events.terms if data.study.adverse_events is not None else {}
    row = terms[term].grades.get(grade) if term in terms else None
    return None if row is None else (int(row.control.n), int(row.experimental.n))


def _sorted(cells: Sequence[EventCell]) -> list[EventCell]:
    overall = {cell.term: cell.shrunken.point for cell in cells}
    overall |= {cell.term: cell.shrunken.point for cell in cells if cell.grade == ANY}
    return sorted(cells, key=lambda cell: (-overall[cell.term], cell.term, cell.grade != ANY, cell.grade))


def mark_of(cell: EventCell) -> str:
    """The footnote of a cell whose counts leave the answer to the prior."""
    return "" if not cell.shrunken.note else NO_EVENT if cell.undecided else ONE_ARM


def footnotes(cells: Sequence[EventCell]) -> str:
    """What the marks mean, as far as there are any."""
    found = {mark_of(cell) for cell in cells}
    words = {
        ONE_ARM: "nobody, or everybody, of one arm has the event: the result leans on the prior",
        NO_EVENT: "nobody, or everybody, of both arms has it: the prior (and what the other terms lend) decides, P is not to be interpreted",
    }
    return "".join(f" {mark}: {text}." for mark, text in words.items() if mark in found)
