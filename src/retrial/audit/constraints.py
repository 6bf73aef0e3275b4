"""The relations that the counts of outcome tables must keep: sums, totals, percentages, the p of a usual test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from retrial.audit.contingency import usual_tests
from retrial.audit.count_tests import matching, two_by_two
from retrial.audit.numbers import Agreement
from retrial.audit.percentages import denominators, grim, percent_agreement
from retrial.audit.rows import COLUMNS, Row
from retrial.audit.sums import ANY, is_one_of_several
from retrial.dims import ARMS, TOTAL
from retrial.study.reported import Quantity
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
    solutions  values of one of its cells that keep it, the others as given (none for a p: too many counts give one)
    elsewhere  whether a number that no model uses (a percentage, a p, a total) can be the wrong one
    part       key path that a model would have to leave out
    """

    text: str
    cells: tuple[Cell, ...]
    holds: Callable[[Values], bool]
    solutions: Callable[[Values, Cell], Iterable[int]]
    elsewhere: bool
    part: str


def constraints(study: Study, rows: Mapping[str, Row]) -> list[Constraint]:
    """All relations among the counts of `rows` (by key path)."""
    return [*_sums(study, rows), *_rows(study, rows)]


def _rows(study: Study, rows: Mapping[str, Row]) -> Iterator[Constraint]:
    """Total, percentages and p of each row."""
    for row in rows.values():
        arms = tuple((row.path, arm) for arm in ARMS)
        if TOTAL in row.cells:
            yield _sum(f"{row.label}: arms add to the total", arms, (row.path, TOTAL), True, row.path)
        for column, cell in row.cells.items():
            known = denominators(study, row, column)
            if cell.percent is not None and known:
                yield _percent(f"{row.label}, {column}: {cell.percent} %", (row.path, column), cell.percent, known, row.path)
        if row.counts.p is not None and two_by_two(study, row) is not None:
            yield _p(study, row, row.counts.p)


def _sums(study: Study, rows: Mapping[str, Row]) -> Iterator[Constraint]:
    """Categories add to n, composites and "any" grades to their parts."""
    for column in COLUMNS:
        yield from _partition(study, rows, column)
        for whole, parts, part in _wholes(study):
            cells = tuple((path, column) for path in parts)
            if all(column in rows[path].cells for path in (whole, *parts)):
                yield _sum(f"{rows[whole].label}, {column}: sum of its parts", cells, (whole, column), column == TOTAL, part)


def _partition(study: Study, rows: Mapping[str, Row], column: str) -> Iterator[Constraint]:
    """Response categories add to n; fewer may be patients without a category."""
    n = study.n(column)
    cells = tuple((path, column) for path in rows if path.startswith("response.categories."))
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
    )


def _wholes(study: Study) -> Iterator[tuple[str, list[str], str]]:
    """(path of a sum, paths of its parts, path to leave out)."""
    if study.response is not None:
        for key, composite in study.response.composites.items():
            if set(composite.of) <= set(study.response.categories):
                path = f"response.composites.{key}"
                yield path, [f"response.categories.{name}" for name in composite.of], path
    for name, term in (study.adverse_events.terms if study.adverse_events else {}).items():
        part = f"adverse_events.terms.{name}"
        parts = {grade: row for grade, row in term.grades.items() if grade != ANY}
        if ANY in term.grades and parts and not is_one_of_several(parts, term.grades[ANY]):
            yield f"{part}.grades.{ANY}", [f"{part}.grades.{grade}" for grade in parts], part


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
    )


def _percent(text: str, cell: Cell, percent: Quantity, known: tuple[int, ...], part: str) -> Constraint:
    return Constraint(
        text=text,
        cells=(cell,),
        holds=lambda values: percent_agreement(percent.prints, values[cell], known)[0] is not Agreement.NONE,
        solutions=lambda _values, _cell: grim(percent.first, known[0]),
        elsewhere=True,
        part=part,
    )


def _p(study: Study, row: Row, p: Quantity) -> Constraint:
    sizes = [study.n(arm) or 0 for arm in ARMS]
    cells = tuple((row.path, arm) for arm in ARMS)

    def holds(values: Values) -> bool:
        control, experimental = (values[cell] for cell in cells)
        table = ((control, experimental), (sizes[0] - control, sizes[1] - experimental))
        match = matching(usual_tests(table), p)
        return bool(match) and not match.truncated

    return Constraint(f"{row.label}: p {p}", cells, holds, lambda _values, _cell: (), True, row.path)
