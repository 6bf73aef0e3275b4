"""Adverse events at a glance: every term and grade, the independent estimate beside the one that borrows from the other terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrial.answers.notes import is_undecided
from retrial.dims import ARMS
from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.dots import DotPanel, DotRow, DotText, dots
from retrial.report.figures.picture import Picture
from retrial.report.labels import arm_label, prior_label, upper_first, variant_label, words
from retrial.report.table import Line, Row, Table, text_row

SECTION = "adverse_events"
ANY = "any"
ONE_ARM, NO_EVENT = "†", "‡"
"""Marks of cells where one arm, or both, has nobody (or everybody) with the event."""
_EFFECT, _CHANCE = ("odds_ratio", "value"), ("risk_difference", "probability")
"""Quantity and statistic."""


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


def _model(data: ReportData) -> str:
    """The model of all terms together that the section shows, the first one where there are several; empty where there is none."""
    rows = (row for row in data.estimates if row.method == "bayes" and row.endpoint.startswith(f"{SECTION}."))
    return next((row.model for row in rows), "")


def hierarchical_prior(data: ReportData) -> str:
    """The prior that the section quotes: the main one where the model was fitted with it; empty where there is no such model."""
    model = _model(data)
    names = list(dict.fromkeys(row.prior for row in data.estimates if row.model == model and _kind(row) == _CHANCE))
    return data.main_prior if data.main_prior in names else next(iter(names), "")


def _kind(row: Estimate) -> tuple[str, str]:
    return row.quantity, row.statistic


def event_cells(data: ReportData) -> list[EventCell]:
    """Cells sorted by the shrunken odds ratio of any grade, most harm first; within a term any grade, then mild to severe."""
    prior, model = hierarchical_prior(data), _model(data)
    mine = [row for row in data.estimates if row.endpoint.startswith(f"{SECTION}.")]
    bayes = {
        (row.endpoint, row.variant, _kind(row)): row
        for row in mine
        if (row.method, row.model, row.prior) == ("bayes", model, prior) and _kind(row) in (_EFFECT, _CHANCE)
    }
    independent = {row.endpoint: row for row in mine if row.method == "frequentist" and _kind(row) == _EFFECT}
    fisher = {row.endpoint: row.point for row in mine if row.model == "fisher_exact" and row.quantity == "p_value"}
    variants = dict.fromkeys(variant for _, variant, _ in bayes if variant)
    found = []
    for endpoint in dict.fromkeys(key[0] for key in bayes):
        if (endpoint, "", _EFFECT) not in bayes:
            continue
        _, term, grade = endpoint.split(".", 2)
        chance = bayes.get((endpoint, "", _CHANCE))
        found.append(
            EventCell(
                term,
                grade,
                _counts(data, term, grade),
                independent.get(endpoint),
                fisher.get(endpoint, math.nan),
                bayes[endpoint, "", _EFFECT],
                chance.point if chance is not None else math.nan,
                {name: bayes[endpoint, name, _EFFECT] for name in variants if (endpoint, name, _EFFECT) in bayes},
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


_ROWS = 40
"""Terms of one picture: what fits a printed page."""


def adverse_pictures(data: ReportData) -> list[Picture]:
    """Terms under each other, grades beside each other; nothing where the hierarchical model was not fitted."""
    cells = event_cells(data)
    if not cells:
        return []
    terms = list(dict.fromkeys(cell.term for cell in cells))
    grades = sorted(dict.fromkeys(cell.grade for cell in cells), key=lambda grade: (grade != ANY, grade))
    at = {(cell.term, cell.grade): cell for cell in cells}
    parts = [terms[start : start + _ROWS] for start in range(0, len(terms), _ROWS)]
    pictures = []
    for number, part in enumerate(parts, 1):
        panels = [DotPanel(_grade(grade), [_dot_row(at.get((term, grade))) for term in part]) for grade in grades]
        text = _text(data, cells, f"{SECTION}_dots" + (f"_{number}" if len(parts) > 1 else ""))
        pictures.append(dots([_term(data, term) for term in part], panels, text))
    return pictures


def _dot_row(cell: EventCell | None) -> DotRow | None:
    if cell is None:
        return None
    counts = f"{cell.counts[1]} v {cell.counts[0]}" if cell.counts is not None else ""
    independent = None if cell.independent is None or cell.independent.failed else cell.independent
    notes = (fmt.p_value(cell.fisher), "failed" if cell.shrunken.failed else _two(cell.chance) + mark_of(cell))
    return DotRow((independent, cell.shrunken), counts, notes, strong=not (cell.undecided or 0.05 < cell.chance < 0.95))


def _two(probability: float) -> str:
    """Two decimals, never 0 or 1."""
    if not math.isfinite(probability):
        return fmt.MISSING
    return "<0.01" if probability < 0.01 else ">0.99" if probability > 0.99 else fmt.decimal(probability, 2)


def _text(data: ReportData, cells: Sequence[EventCell], key: str) -> DotText:
    control, experimental = (arm_label(data.study, arm) for arm in ARMS)
    title = "Adverse events: odds ratios, each term alone and all terms together"
    caption = (
        f"Open grey diamonds: each term and grade by itself (Woolf; 0.5 added to each cell where one is empty). Filled circles: the"
        f" hierarchical model ({prior_label(hierarchical_prior(data))} prior), in which terms and grades borrow from each other; the"
        " line between the two is the shrinkage. Bars are 95 % intervals; arrows leave the picture, a point's with its number. Any grade"
        " is the sum of the grades where they are printed. Small numbers: patients with the event, experimental"
        f" ({experimental}) v control ({control}). p: Fisher's exact"
        " test. P: posterior probability of more harm in the experimental arm, bold beyond 0.95 or 0.05. Sorted by the shrunken odds"
        f" ratio of any grade.{footnotes(cells)}"
    )
    decided = [cell for cell in cells if not cell.undecided] or cells
    top = max(decided, key=lambda cell: cell.chance)
    low = min(decided, key=lambda cell: cell.chance)
    alt = (
        f"Dot plot of {len(cells)} odds ratios of adverse events, independent and shrunken. The highest posterior probability of more harm is"
        f" {_two(top.chance)} ({_term(data, top.term)}, {_grade(top.grade)}), the lowest {_two(low.chance)} ({_term(data, low.term)},"
        f" {_grade(low.grade)}). The table below holds every number."
    )
    return DotText(key, title, caption, alt, "Odds ratio", ("less harm", "more harm"), ("p", "P"), ("by itself", "shrunken"))


def _term(data: ReportData, term: str) -> str:
    terms = data.study.adverse_events.terms if data.study.adverse_events is not None else {}
    return upper_first((terms[term].label if term in terms else "") or words(term))


def _grade(grade: str) -> str:
    return "Any grade" if grade == ANY else f"Grade {grade}"


def adverse_table(data: ReportData) -> Table | None:
    """Every term and grade in one table, with what the prior of the pooling scale changes."""
    cells = event_cells(data)
    if not cells:
        return None
    variants = list(dict.fromkeys(name for cell in cells for name in cell.variants))
    columns = (
        "Grade",
        upper_first(ARMS[1]),
        upper_first(ARMS[0]),
        "Fisher's p",
        "Odds ratio, by itself",
        "Odds ratio, shrunken",
        "P(more harm)",
        *((f"Shrunken, {' / '.join(map(variant_label, variants))}",) if variants else ()),
    )
    rows = _pooling_rows(data, variants)
    for term in dict.fromkeys(cell.term for cell in cells):
        rows.append(text_row([_term(data, term)], "group"))
        rows += [_table_row(cell, variants) for cell in cells if cell.term == term]
    prior = prior_label(hierarchical_prior(data))
    caption = (
        f"Odds ratios, experimental / control, with 95 % intervals: by itself (Woolf's confidence interval, 0.5 added to each cell where one is"
        f" empty) and shrunken (posterior median and equal-tailed credible interval, {prior} prior). The last column changes the half-normal"
        " prior of the pooling scale τ, the SD of terms' log odds ratios, by the factors: where it differs from the shrunken one, that"
        f" prior matters. Any grade is the sum of the grades in the model, and a group of its own where only it is printed.{footnotes(cells)}"
        f"{_not_analysed(data, cells)}"
    )
    return Table(f"{SECTION}_terms", "Every term and grade", caption, columns, tuple(rows), frozenset(range(1, len(columns))))


def _not_analysed(data: ReportData, cells: Sequence[EventCell]) -> str:
    """Printed rows without an analysis."""
    terms = data.study.adverse_events.terms if data.study.adverse_events is not None else {}
    known = {(cell.term, cell.grade) for cell in cells}
    printed = [(term, grade) for term, one in terms.items() for grade in one.grades]
    left = [f"{_term(data, term)} ({_grade(grade).lower()})" for term, grade in printed if (term, grade) not in known]
    return f" Not analysed, because the counts of the grades do not fit together: {', '.join(left)}." if left else ""


def _pooling_rows(data: ReportData, variants: Sequence[str]) -> list[Row]:
    """The common odds ratio and the pooling scale, under the prior and its variants."""
    prior, model = hierarchical_prior(data), _model(data)
    mine = {
        (*_kind(row), row.variant): row
        for row in data.estimates
        if row.endpoint == SECTION and (row.method, row.model, row.prior) == ("bayes", model, prior)
    }
    rows = [text_row(["All terms together"], "group")]
    for quantity, label in (("common_odds_ratio", "Common odds ratio"), ("effect_sd", "Pooling scale τ")):
        if (quantity, "value", "") not in mine:
            continue
        chance = mine.get((quantity, "probability", ""))
        told = fmt.probability(chance.point) if chance is not None else ""
        values = [mine.get((quantity, "value", name)) for name in variants]
        rows.append(_row([label, "", "", "", "", mine[quantity, "value", ""], told], values))
    return rows if len(rows) > 1 else []


def _table_row(cell: EventCell, variants: Sequence[str]) -> Row:
    control, experimental = ("", "") if cell.counts is None else (str(count) for count in cell.counts)
    alone = cell.independent if cell.independent is not None and not cell.independent.failed else "no events"
    chance = "" if cell.shrunken.failed else fmt.probability(cell.chance) + mark_of(cell)
    fisher = fmt.p_value(cell.fisher) if math.isfinite(cell.fisher) else fmt.MISSING
    values = [cell.variants.get(name) for name in variants]
    return _row([_grade(cell.grade), experimental, control, fisher, alone, cell.shrunken, chance], values)


def _row(values: Sequence[str | Estimate], variants: Sequence[Estimate | None]) -> Row:
    """Estimates as text with their interval, a failed one struck out with the reason; the variants' points in one cell."""
    cells: list[tuple[Line, ...]] = []
    for value in values:
        if isinstance(value, Estimate):
            failure = value.status.partition(";")[0] if value.failed else ""
            cells.append((Line(fmt.estimate_text(value), failed=failure, struck=value.failed),))
        else:
            cells.append((Line(value),))
    if variants:
        points = (fmt.MISSING if row is None or row.failed else fmt.ratio(row.point) for row in variants)
        cells.append((Line(" / ".join(points)),))
    return Row(tuple(cells), "failed" if any(isinstance(value, Estimate) and value.failed for value in values) else "")
