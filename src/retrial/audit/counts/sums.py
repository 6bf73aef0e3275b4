"""Part of the family `counts`: arms add to totals, levels and categories to n, composites and grades to their sums."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.counts.count_tests import arms_give_p
from retrial.audit.counts.denominators import Denominators, denominators_of, percent_agreement
from retrial.audit.numbers import Agreement
from retrial.audit.rows import COLUMNS, Row, continuous_or_not, count_rows, outcome_rows
from retrial.dims import ARMS, TOTAL
from retrial.study.fields import Cell, CountRow
from retrial.study.grades import ANY, FATAL, Whole, grades_of, wholes
from retrial.study.study import Study

FAMILY = "counts"
_FEW = 0.1
"""Share of an arm that may be missing from an analysis of survival (not treated, no follow-up)."""
_BETTER = re.compile(
    r"s?CR|VGPR|PR|MR|SD|((stringent )?complete|(very good )?partial|minor)[ _]?(response|remission)?|stable([ _]disease)?",
    re.IGNORECASE,
)
"""Names of response categories that are better than progression."""
_MOST = 0.5
"""Share of the terms beyond which a sum that fails in them is not how the paper counted."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A printed number in one column and what the parts add to."""

    column: str
    printed: int
    parts: tuple[int, ...]

    @property
    def difference(self) -> int:
        """Sum of the parts less the printed number."""
        return sum(self.parts) - self.printed

    def __str__(self) -> str:
        return f"{self.column} {' + '.join(map(str, self.parts))} = {sum(self.parts)}"


def checks(study: Study) -> Iterator[Check]:
    """Every sum that the printed counts must keep."""
    yield from _sizes(study)
    for row in count_rows(study):
        if row.counts.total is not None:
            yield _total(study, row)
    yield from _levels(study)
    yield from _response(study)
    yield from _grades(study)
    for key, endpoint in study.endpoints.items():
        yield from _endpoint(study, key)
        if endpoint.at_risk is not None:
            yield from _at_start(study, key)


def column_sums(study: Study, parts: Mapping[str, CountRow], printed: CountRow | None = None, section: str = "") -> list[Sum]:
    """For each column that all `parts` (rows of `section`) print: its sum beside the printed row's number (None: beside their patients)."""
    found = []
    for column in COLUMNS:
        cells: list[Cell | None] = [getattr(row, column) for row in parts.values()]
        of = study.patients(f"{section}.{next(iter(parts))}", column) if printed is None and parts else None
        whole = of if printed is None else _count(getattr(printed, column))
        if whole is not None and cells and None not in cells and study.n(column) != 0:
            found.append(Sum(column, whole, tuple(int(cell.n) for cell in cells if cell is not None)))
    return found


def _count(cell: Cell | None) -> int | None:
    return None if cell is None else int(cell.n)


def _check(
    claim: str,
    where: str,
    path: str,
    sums: list[Sum],
    *,
    feeds_models: bool = False,
    missing_allowed: bool = False,
) -> Check:
    """One check over the columns of a sum; a sum below n may mean patients without a value, one above never."""
    wrong = [item for item in sums if item.difference != 0]
    short = missing_allowed and all(item.difference < 0 for item in wrong)
    verdict = Verdict.CONSISTENT if not wrong else Verdict.CONSISTENT_ONLY_IF if short else Verdict.INCONSISTENT
    absent = ", ".join(f"{-item.difference} ({item.column})" for item in wrong)
    return Check(
        family=FAMILY,
        claim=claim,
        where=where,
        path=path,
        printed=", ".join(f"{item.column} {item.printed}" for item in sums),
        recomputed="; ".join(map(str, sums)),
        verdict=verdict,
        reading=f"patients without a value: {absent}" if wrong and short else "",
        note="" if not wrong or short else "; ".join(f"{item}, printed {item.printed}" for item in wrong),
        consequence=Consequence.AS_PRINTED if wrong and feeds_models else Consequence.NONE,
        numbers=len(sums),
    )


def _left_out(check: Check, path: str, value: object, reason: str) -> Check:
    """The check, with the decision to leave out what its failure makes unusable."""
    if check.verdict is Verdict.CONSISTENT:
        return check
    decision = Decision(path, Consequence.EXCLUDED, value, f"{check.note}: {reason}")
    return replace(check, note=f"{check.note}; {reason}", consequence=Consequence.EXCLUDED, decision=decision)


def _sizes(study: Study) -> Iterator[Check]:
    sizes = [study.n(arm) for arm in ARMS]
    if study.total is not None and sizes[0] is not None and sizes[1] is not None:
        sums = [Sum(TOTAL, int(study.total.n), (sizes[0], sizes[1]))]
        check = _check("patients of the arms add to the total", study.total.n.where(), "total.n", sums)
        yield _left_out(check, "total", None, "the sizes of the arms are used")


def _total(study: Study, row: Row) -> Check:
    cell = row.cells[TOTAL]
    sums = [Sum(TOTAL, int(cell.n), row.arms)]
    feeds = not row.path.startswith("baseline.")
    check = _check(f"{row.label}: arms add to the total", cell.n.where(row.where), f"{row.path}.total", sums, feeds_models=feeds)
    if check.verdict is Verdict.CONSISTENT or not arms_give_p(study, row.path):
        return check
    return replace(check, note=f"{check.note}; the arms' counts give the printed p, so the total is misprinted")


def _levels(study: Study) -> Iterator[Check]:
    for name, variable in continuous_or_not(study.baseline, levels=True):
        sums = column_sums(study, variable.levels or {}, section=f"baseline.variables.{name}.levels")
        if variable.exclusive and sums and study.baseline is not None:
            where = variable.where or study.baseline.where
            claim = f"{variable.label or name}: levels add to n"
            yield _check(claim, where, f"baseline.variables.{name}", sums, missing_allowed=True)


def _response(study: Study) -> Iterator[Check]:
    if study.response is None:
        return
    where, categories = study.response.where, study.response.categories
    sums = column_sums(study, categories, section="response.categories")
    if sums and _only_better_than_progression(categories):
        claim = f"{' + '.join(categories)} at most n; worse categories are not printed"
        check = _check(claim, where, "response.categories", [_at_least(item) for item in sums], feeds_models=True)
        yield replace(check, recomputed="; ".join(map(str, sums)))
    elif sums:
        yield _check(
            f"{' + '.join(categories)} add to n", where, "response.categories", sums, feeds_models=True, missing_allowed=True
        )
    for key, composite in study.response.composites.items():
        parts = {name: categories[name] for name in composite.of if name in categories}
        sums = column_sums(study, parts, composite)
        if sums and len(parts) == len(composite.of):
            yield _check(f"{key} = {' + '.join(parts)}", where, f"response.composites.{key}", sums, feeds_models=True)


def _only_better_than_progression(categories: Mapping[str, CountRow]) -> bool:
    """Whether every category is known by its name and better than progression, which some patients of nearly every study have."""
    return all(any(_BETTER.fullmatch(text.strip()) for text in (key, row.label) if text) for key, row in categories.items())


def _grades(study: Study) -> Iterator[Check]:
    """Each group of grades against the exclusive groups within it, as far as the printed grades are all of it."""
    events, kept = study.adverse_events, grade_sums(study)
    for (name, whole), holds in kept.items():
        term = events.terms[name] if events is not None else None
        if events is None or term is None:
            continue
        sums = column_sums(study, {key: term.grades[key] for key in whole.parts}, term.grades[whole.key])
        sign = "=" if whole.sums else "is at least"
        group = "any grade" if whole.key == ANY else f"grade {whole.key}"
        claim = f"{term.label or name}: {group} {sign} {' + '.join(whole.parts)}"
        path = f"adverse_events.terms.{name}.grades.{whole.key}"
        check = _check(claim, events.where, path, sums if whole.sums else [_at_least(item) for item in sums], feeds_models=True)
        if not holds and check.verdict is Verdict.INCONSISTENT:
            check = replace(
                check,
                verdict=Verdict.CONSISTENT_ONLY_IF,
                reading="groups of grades are not exclusive, or not all printed: the sum fails in most terms",
                note="",
                consequence=Consequence.AS_PRINTED,
            )
        yield check


def _at_least(item: Sum) -> Sum:
    """A sum that may stay below the printed number: what is missing counts as another part."""
    return Sum(item.column, item.printed, (*item.parts, -item.difference)) if item.difference < 0 else item


def grade_sums(study: Study) -> dict[tuple[str, Whole], bool]:
    """(term, group with its parts), and whether the paper's table keeps that relation: one that fails in most terms is not the paper's.

    A group that is a few more than its parts, every count confirmed by its percentage, holds patients of grade 5, which is not printed: no sum.
    """
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    rows = {row.path: row for row in outcome_rows(study)}
    patients = denominators_of(study)
    found: dict[tuple[str, Whole], bool] = {}
    fails: dict[Whole, list[bool]] = {}
    for name, term in terms.items():
        for whole in wholes(term.grades):
            sums = column_sums(study, {key: term.grades[key] for key in whole.parts}, term.grades[whole.key])
            wrong = any(item.difference > 0 or (whole.sums and item.difference != 0) for item in sums)
            path = f"adverse_events.terms.{name}.grades"
            here = [rows[f"{path}.{key}"] for key in (whole.key, *whole.parts)]
            deaths = wrong and whole.sums and _may_be_fatal(patients, whole, sums, here)
            fails.setdefault(whole, []).append(wrong and not deaths)
            found[name, replace(whole, sums=whole.sums and not deaths)] = deaths
    kept = {whole: len(wrong) == 1 or sum(wrong) <= _MOST * len(wrong) for whole, wrong in fails.items()}
    return {key: deaths or kept[key[1]] for key, deaths in found.items()}


def _may_be_fatal(patients: Denominators, whole: Whole, sums: list[Sum], rows: list[Row]) -> bool:
    """Whether the group's excess over its parts is no more than the worst part, whose percentages and the others' confirm each count."""
    worst = max(range(len(whole.parts)), key=lambda place: max(grades_of(whole.parts[place]) or ()))
    if max(grades_of(whole.parts[worst]) or ()) == FATAL:
        return False
    return all(
        item.difference == 0
        or (
            0 < -item.difference <= max(item.parts[worst], 1)
            and all(_confirmed(patients, row, item.column) for row in rows)
            and rows[0].cells[item.column].percent is not None
        )
        for item in sums
    )


def _confirmed(patients: Denominators, row: Row, column: str) -> bool:
    """Whether a count is what its percentage says; none needs no percentage."""
    cell, known = row.cells[column], patients.sizes(row, column)
    if cell.percent is None or not known:
        return int(cell.n) == 0
    return percent_agreement(cell.percent.prints, int(cell.n), known)[0] is not Agreement.NONE


def _endpoint(study: Study, key: str) -> Iterator[Check]:
    """Events of the arms against the total."""
    endpoint = study.endpoints[key]
    events = endpoint.events
    if events.control is None or events.experimental is None or events.total is None:
        return
    sums = [Sum(TOTAL, int(events.total.n), (int(events.control), int(events.experimental)))]
    where, claim = events.where or endpoint.where, f"{endpoint.label or key}: events of the arms add to the total"
    n, cell = study.n(TOTAL), events.total
    sure = cell.percent is not None and n and percent_agreement(cell.percent.prints, int(cell.n), (n,))[0] is not Agreement.NONE
    value = events.model_copy(update={"control": None, "experimental": None, "total": cell if sure else None})
    reason = (
        "the total, which its percentage confirms, is used without the arms"
        if sure
        else "nothing says which of the three is wrong"
    )
    yield _left_out(_check(claim, where, f"endpoints.{key}.events.total", sums), f"endpoints.{key}.events", value, reason)


def _at_start(study: Study, key: str) -> Iterator[Check]:
    """Numbers at risk at time 0 are the arms' sizes."""
    endpoint = study.endpoints[key]
    table = endpoint.at_risk
    if table is None or not table.times or table.times[0].value != 0 or endpoint.late_entry:
        return
    sums = [
        Sum(arm, n, (int(counts[0]),))
        for arm in ARMS
        if (counts := getattr(table, arm)) is not None and (n := study.n(arm)) is not None
    ]
    if sums:
        where, claim = table.where or endpoint.where, f"{endpoint.label or key}: at risk at time 0 = n"
        check = _check(claim, where, f"endpoints.{key}.at_risk", sums)
        if (
            sums
            and all(-_FEW * item.printed <= item.difference <= 0 for item in sums)
            and check.verdict is not Verdict.CONSISTENT
        ):
            absent = ", ".join(f"{-item.difference} ({item.column})" for item in sums if item.difference)
            check = replace(
                check,
                verdict=Verdict.CONSISTENT_ONLY_IF,
                reading=f"patients without follow-up, or not in this analysis: {absent}",
            )
        yield _left_out(check, f"endpoints.{key}.at_risk", None, "numbers at risk of other patients than the arms'")
