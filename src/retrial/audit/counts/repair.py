"""Counts that contradict one another: which single misprint explains them, and what the models then use.

Contradictions that share counts are one case, and a case is put down to one misprint:

* if it can sit in a number that no model uses (a percentage, a p, a total) the arms' counts are used as printed, unless there
  are several contradictions and changing exactly one arm's count to exactly one value removes them all: then that is used;
* if it must sit in the arms' counts (a composite or a grade sum fails, or categories add to more than n) and exactly one change
  of one count removes all contradictions, that value is used where something speaks for it: a percentage, a total, a p or another
  place of the paper that the new value meets and the printed one does not. Otherwise the part of the table is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.counts.count_tests import gives_p
from retrial.audit.counts.denominators import Denominators, denominators_of, percent_agreement
from retrial.audit.counts.percentages import grim
from retrial.audit.counts.sums import FAMILY, grade_sums
from retrial.audit.numbers import Agreement
from retrial.audit.rows import COLUMNS, Row, outcome_rows
from retrial.dims import ARMS, TOTAL
from retrial.study.reported import Quantity, Reported
from retrial.study.study import Study

Cell = tuple[str, str]
"""Key path of a row, and a column."""
Values = Mapping[Cell, int]


@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """One relation of printed counts.

    text       what it is, for a finding
    cells      the counts in it
    holds      whether given counts keep it
    solutions  values of one of its cells that keep it, the others as given (none for a p and for a least: too many counts give one)
    elsewhere  whether a number that no model uses (a percentage, a p, a total) can be the wrong one
    part       key path that a model would have to leave out
    evidence   whether it is a number of its own (a percentage, a total, a p), not a sum of the counts in question
    """

    text: str
    cells: tuple[Cell, ...]
    holds: Callable[[Values], bool]
    solutions: Callable[[Values, Cell], Iterable[int]]
    elsewhere: bool
    part: str
    evidence: bool = False


def constraints(study: Study, rows: Mapping[str, Row]) -> list[Constraint]:
    """All relations among the counts of `rows` (by key path)."""
    return [*_sums(study, rows), *_rows(study, rows)]


def _rows(study: Study, rows: Mapping[str, Row]) -> Iterator[Constraint]:
    """Total, percentages and p of each row."""
    patients = denominators_of(study)
    for row in rows.values():
        arms = tuple((row.path, arm) for arm in ARMS)
        if TOTAL in row.cells:
            yield _sum(f"{row.label}: arms add to the total", arms, (row.path, TOTAL), True, row.path)
        for column, cell in row.cells.items():
            known = patients.sizes(row, column)
            if cell.percent is not None and known:
                yield _percent(f"{row.label}, {column}: {cell.percent} %", (row.path, column), cell.percent, known, row.path)
        if row.counts.p is not None and patients.pairs(row):
            yield _p(patients, row, row.counts.p)


def _sums(study: Study, rows: Mapping[str, Row]) -> Iterator[Constraint]:
    """Categories add to n, composites and "any" grades to their parts."""
    for column in COLUMNS:
        yield from _partition(study, rows, column)
        for whole, parts, part, is_sum in _wholes(study):
            cells = tuple((path, column) for path in parts)
            if not all(column in rows[path].cells for path in (whole, *parts)):
                continue
            if is_sum:
                yield _sum(f"{rows[whole].label}, {column}: sum of its parts", cells, (whole, column), column == TOTAL, part)
            else:
                yield _at_least(
                    f"{rows[whole].label}, {column}: at least its parts", cells, (whole, column), column == TOTAL, part
                )


def _partition(study: Study, rows: Mapping[str, Row], column: str) -> Iterator[Constraint]:
    """Response categories add to n; fewer may be patients without a category."""
    cells = tuple((path, column) for path in rows if path.startswith("response.categories."))
    n = study.patients(cells[0][0], column) if cells else None
    if n is None or not cells or any(column not in rows[path].cells for path, _ in cells):
        return
    known = n
    short = sum(int(rows[path].cells[column].n) for path, _ in cells) < known

    def rest(values: Values, cell: Cell) -> int:
        return known - sum(values[other] for other in cells if other != cell)

    yield Constraint(
        text=f"response categories, {column}: add to n = {known}",
        cells=cells,
        holds=lambda values: rest(values, cells[0]) == values[cells[0]],
        solutions=lambda values, cell: [rest(values, cell)],
        elsewhere=short or column == TOTAL,
        part="response",
        evidence=True,
    )


def _wholes(study: Study) -> Iterator[tuple[str, list[str], str, bool]]:
    """(path of a sum, paths of its parts, path to leave out, whether the parts are all of it)."""
    if study.response is not None:
        for key, composite in study.response.composites.items():
            if set(composite.of) <= set(study.response.categories):
                path = f"response.composites.{key}"
                yield path, [f"response.categories.{name}" for name in composite.of], path, True
    for (name, whole), holds in grade_sums(study).items():
        if holds:
            part = f"adverse_events.terms.{name}"
            yield f"{part}.grades.{whole.key}", [f"{part}.grades.{grade}" for grade in whole.parts], part, whole.sums


def _sum(text: str, parts: tuple[Cell, ...], whole: Cell, elsewhere: bool, part: str) -> Constraint:
    def excess(values: Values) -> int:
        return sum(values[cell] for cell in parts) - values[whole]

    return Constraint(
        text=text,
        cells=(*parts, whole),
        holds=lambda values: excess(values) == 0,
        solutions=lambda values, cell: [values[cell] + (excess(values) if cell == whole else -excess(values))],
        elsewhere=elsewhere,
        part=part,
        evidence=elsewhere,
    )


def _at_least(text: str, parts: tuple[Cell, ...], whole: Cell, elsewhere: bool, part: str) -> Constraint:
    def holds(values: Values) -> bool:
        return sum(values[cell] for cell in parts) <= values[whole]

    return Constraint(text, (*parts, whole), holds, lambda _values, _cell: (), elsewhere, part, elsewhere)


def _percent(text: str, cell: Cell, percent: Quantity, known: tuple[int, ...], part: str) -> Constraint:
    return Constraint(
        text=text,
        cells=(cell,),
        holds=lambda values: percent_agreement(percent.prints, values[cell], known)[0] is not Agreement.NONE,
        solutions=lambda _values, _cell: grim(percent.first, known[0]),
        elsewhere=True,
        part=part,
        evidence=True,
    )


def _p(patients: Denominators, row: Row, p: Quantity) -> Constraint:
    cells = tuple((row.path, arm) for arm in ARMS)

    def holds(values: Values) -> bool:
        control, experimental = (values[cell] for cell in cells)
        return gives_p(patients, row, (control, experimental), p)

    return Constraint(f"{row.label}: p {p}", cells, holds, lambda _values, _cell: (), True, row.path, True)


def checks(study: Study) -> Iterator[Check]:
    """One check a case in which models use something else than the printed counts (other families report the contradictions)."""
    rows = {row.path: row for row in outcome_rows(study)}
    values = {(row.path, column): int(cell.n) for row in rows.values() for column, cell in row.cells.items()}
    relations = constraints(study, rows)
    for case in cases([item for item in relations if not item.holds(values)]):
        decision = resolved(study, rows, values, relations, case)
        if decision is not None:
            row = rows[case[0].cells[0][0]]
            wrong = "; ".join(item.text for item in case)
            yield Check(
                family=FAMILY,
                claim=f"what models use where counts contradict one another: {row.label}",
                where=row.where,
                path=decision.path,
                printed=wrong,
                recomputed="" if decision.value is None else str(decision.value),
                verdict=Verdict.INCONSISTENT,
                note=decision.reason,
                consequence=decision.consequence,
                numbers=0,
                decision=decision,
            )


def cases(failing: list[Constraint]) -> list[list[Constraint]]:
    """Failing constraints in groups that share no count; in a group, those that only the arms' counts can explain come first."""
    groups: list[list[Constraint]] = []
    for item in failing:
        touching = [group for group in groups if any(set(item.cells) & set(other.cells) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([*(other for group in touching for other in group), item])
    return [sorted(group, key=lambda item: item.elsewhere) for group in groups]


def single_changes(
    study: Study, rows: Mapping[str, Row], values: Values, relations: list[Constraint], case: list[Constraint]
) -> list[tuple[Cell, int]]:
    """Every change of one count that removes the whole case and breaks no other relation.

    Where another place of the paper prints one of these values for its count, only such changes are taken.
    """
    found: list[tuple[Cell, int]] = []
    elsewhere: list[tuple[Cell, int]] = []
    for cell in sorted(set.intersection(*(set(item.cells) for item in case))):
        candidates = next((set(fits) for item in case if (fits := tuple(item.solutions(values, cell)))), set())
        touched = [item for item in relations if cell in item.cells]
        for value in sorted(candidates - {values[cell]}):
            if 0 <= value <= (study.patients(*cell) or 0) and all(item.holds({**values, cell: value}) for item in touched):
                (elsewhere if _printed(rows, cell, value) else found).append((cell, value))
    return elsewhere or found


def _printed(rows: Mapping[str, Row], cell: Cell, value: int) -> bool:
    """Whether some place of the paper prints this value of a count."""
    return value in {int(print_.value) for print_ in rows[cell[0]].cells[cell[1]].n.prints}


def resolved(
    study: Study, rows: Mapping[str, Row], values: Values, relations: list[Constraint], case: list[Constraint]
) -> Decision | None:
    """What models use instead of the printed counts; None where those stand."""
    changes = single_changes(study, rows, values, relations, case)
    arms = [change for change in changes if change[0][1] != TOTAL]
    tenable = all(item.elsewhere for item in case)
    wrong = "; ".join(item.text for item in case)
    supported = [change for change in arms if any(item.evidence for item in case) or _printed(rows, *change)]
    if len(supported) == len(arms) == 1 and (not tenable or (len(case) > 1 and len(changes) == 1)):
        cell, value = arms[0]
        label = f"{rows[cell[0]].label}, {cell[1]}"
        reason = (
            f"{label}: {values[cell]} contradicts {len(case)} printed relations, {value} none; no other single count does that"
        )
        path = f"{cell[0]}.{cell[1]}.n"
        return Decision(path, Consequence.CORRECTED, Quantity((Reported(str(value), "audit"),)), reason)
    if tenable:
        return None
    without = "a single change would remove this, but no percentage, total, p or other place speaks for it"
    several = without if len(arms) == 1 else f"{len(arms)} different single changes would remove this"
    open_ended = not any(tuple(item.solutions(values, cell)) for item in case for cell in item.cells)
    none = "nothing tells which count is wrong" if open_ended else "no single change removes this"
    reason = f"{wrong}: {several if arms else none}"
    return Decision(case[0].part, Consequence.EXCLUDED, None, reason)
