"""Patients that a count is of: all of an arm, those that the file says, those with a value, or those that the percentages imply.

A percentage that is not k/n may be k of fewer patients. What speaks for that is that one number of patients explains several percentages at once
(or a p): k_i and percentage p_i leave w_i = k_i (1/low_i - 1/high_i) whole numbers open on average, so that m percentages that are misprinted
each by itself have one number in common with chance n Π(w_i / n). Where the percentages of both arms are too large for all patients, fewer
patients are likelier than a misprint in each arm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from retrial.audit.counts.contingency import Table, matching, usual_tests_by_sides
from retrial.audit.numbers import Agreement, agreement, best, sides_of
from retrial.audit.rows import Row, continuous_or_not, level_rows, outcome_rows
from retrial.dims import ARMS
from retrial.study.fields import Cell, CountRow
from retrial.study.reported import Reported
from retrial.study.study import Study

PERCENT = 100.0
CHANCE = 0.05
"""Chance of percentages that agree by accident below which they are taken for percentages of fewer patients."""
MOST = 8
"""Denominators of an arm that are tried for a p, the likeliest first: coarse percentages of many patients leave more open."""
_MORE = 2
"""A table of adverse events may be of all treated patients beside an analysis of some: up to so many times n are tried."""
_TOO_OPEN = 5_000
"""Numbers of patients beyond which a percentage says nothing of them."""
WITH_VALUE, BY_PERCENT = " with a value", ""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Implied:
    """What the percentages of a section (or of one row) say of its patients.

    path   the section, or the row
    sizes  by arm: every number of patients that fits most of its percentages, the likeliest first
    why    in words: `WITH_VALUE` (the categories add to it), or nothing (`BY_PERCENT`)
    """

    path: str
    sizes: Mapping[str, tuple[int, ...]]
    why: str

    @property
    def used(self) -> Pair:
        """The patients that models use."""
        return self.sizes[ARMS[0]][0], self.sizes[ARMS[1]][0]


@dataclass(frozen=True, slots=True)
class Denominators:
    """The study's numbers of patients, and what its percentages imply, by path of a count row."""

    study: Study
    implied: Mapping[str, Implied]

    def sizes(self, row: Row, column: str) -> tuple[int, ...]:
        """What a percentage of this column can be of: the patients expected first, then all, those with a value, others implied."""
        found = self.implied.get(row.path)
        known = [self.expected(row, column), self.study.n(column), with_value(self.study, row, column)]
        if found is not None and column in ARMS:
            known += found.sizes[column]
        elif found is not None:
            known += [sum(pair) for pair in product(*(sizes[:MOST] for sizes in found.sizes.values()))]
        return tuple(dict.fromkeys(size for size in known if size is not None))

    def expected(self, row: Row, column: str) -> int | None:
        """Patients that a column of the row is taken to be of: those that the percentages imply, else those of the file, else all."""
        found = self.implied.get(row.path)
        if found is None:
            return self.study.patients(row.path, column)
        return sum(found.used) if column not in ARMS else found.sizes[column][0]

    def pairs(self, row: Row) -> dict[Pair, str]:
        """Patients of both arms that a test of the row can compare, in words; the first, without words, is expected. Empty without sizes."""
        first = [self.expected(row, arm) for arm in ARMS]
        every = [self.study.n(arm) for arm in ARMS]
        if first[0] is None or first[1] is None:
            return {}
        expected = (first[0], first[1])
        found = {expected: ""}
        for pair in product(*(self._choices(row, arm, count) for arm, count in zip(ARMS, row.arms, strict=True))):
            words = f"of {'all ' if list(pair) == every else ''}{pair[0]} v {pair[1]} patients"
            found.setdefault((pair[0], pair[1]), f"{words}, not of {expected[0]} v {expected[1]}")
        return found

    def _choices(self, row: Row, arm: str, count: int) -> list[int]:
        own = _fitting(self.study, row, arm)[:MOST]
        return [size for size in dict.fromkeys([*self.sizes(row, arm)[:MOST], *own]) if size >= max(1, count)]


def denominators_of(study: Study) -> Denominators:
    """What the percentages of every section say; where those of a section have no number in common, row by row."""
    found: dict[str, Implied] = {}
    for path, rows in _units(study):
        together = _implied(study, path, rows)
        apart = [] if together or len(rows) == 1 else [item for row in rows if (item := _implied(study, row.path, [row]))]
        found |= {row.path: together for row in rows if together}
        found |= {item.path: item for item in apart}
    return Denominators(study, found)


def table_of(counts: Sequence[int], sizes: Pair) -> Table:
    """Counts against the rest of each arm."""
    return ((counts[0], counts[1]), (sizes[0] - counts[0], sizes[1] - counts[1]))


def percent_agreement(prints: Iterable[Reported], count: int, denominators: Iterable[int]) -> tuple[Agreement, int]:
    """The best agreement of all prints with one denominator, and that denominator; the first denominator wins ties."""
    printed = tuple(prints)
    found = [(best(agreement(item, PERCENT * count / n) for item in printed), n) for n in denominators if n >= max(1, count)]
    return min(found, key=lambda item: [*Agreement].index(item[0]), default=(Agreement.NONE, 0))


def with_value(study: Study, row: Row, column: str) -> int | None:
    """Patients in the exclusive rows that the row belongs to, where they are fewer than all; None where not."""
    cells = [getattr(part, column) for part in _exclusive_parts(study, row)]
    value, n = sum(int(cell.n) for cell in cells if cell is not None), study.n(column)
    return value if cells and None not in cells and value > 0 and (n is None or value < n) else None


def _exclusive_parts(study: Study, row: Row) -> list[CountRow]:
    """The rows among which every patient with a value is counted once."""
    section, _, rest = row.path.partition(".")
    if section == "response" and study.response is not None:
        return list(study.response.categories.values())
    if section == "baseline" and study.baseline is not None:
        variable = study.baseline.variables[rest.split(".")[1]]
        return list((variable.levels or {}).values()) if variable.exclusive else []
    return []


def _units(study: Study) -> Iterator[tuple[str, list[Row]]]:
    """Rows that are likely to be of the same patients, and the key path that they share."""
    for name, variable in continuous_or_not(study.baseline, levels=True):
        yield f"baseline.variables.{name}", list(level_rows(study, name, variable))
    shared: dict[str, list[Row]] = {}
    for row in outcome_rows(study):
        section = row.path.split(".", 1)[0]
        shared.setdefault(row.path if section == "binary" else section, []).append(row)
    yield from shared.items()


def _implied(study: Study, path: str, rows: list[Row]) -> Implied | None:
    """What the rows' percentages say together; None where all patients explain them, or nothing does."""
    if any(study.evaluable(row.path, arm) is not None for row in rows for arm in ARMS):
        return None
    sizes: dict[str, tuple[int, ...]] = {}
    chance, value = 1.0, True
    for arm in ARMS:
        n, cells = study.n(arm), [row.cells[arm] for row in rows]
        if n is None:
            return None
        found = _common(cells, n, _MORE * n if path.startswith("adverse_events") else n)
        if found is None:
            return None
        known = with_value(study, rows[0], arm)
        sizes[arm] = found[0] if known not in found[0] else (known, *(size for size in found[0] if size != known))
        chance, value = chance * found[1], value and sizes[arm][0] in (n, known)
    if all(sizes[arm][0] == study.n(arm) for arm in ARMS):
        return None
    if value:
        return Implied(path, sizes, WITH_VALUE)
    pair = next((pair for pair in _pairs(sizes) if any(_gives_p(row, pair) for row in rows)), None)
    unexplained = not any(_gives_p(row, (study.n(ARMS[0]) or 0, study.n(ARMS[1]) or 0)) for row in rows)
    both = all(sizes[arm][0] < (study.n(arm) or 0) for arm in ARMS)
    if chance > CHANCE and not both and not (pair and unexplained):
        return None
    if pair is not None:
        sizes = {arm: (size, *(other for other in sizes[arm] if other != size)) for arm, size in zip(ARMS, pair, strict=True)}
    return Implied(path, sizes, BY_PERCENT)


def _pairs(sizes: Mapping[str, tuple[int, ...]]) -> Iterator[Pair]:
    yield from product(sizes[ARMS[0]][:MOST], sizes[ARMS[1]][:MOST])


def _gives_p(row: Row, sizes: Pair) -> bool:
    if row.counts.p is None or any(count > size for count, size in zip(row.arms, sizes, strict=True)):
        return False
    return bool(matching(usual_tests_by_sides(table_of(row.arms, sizes), sides_of(row.counts)), row.counts.p))


def _common(cells: list[Cell], n: int, most: int) -> tuple[tuple[int, ...], float] | None:
    """Numbers of patients other than n, up to `most`, that explain most of the percentages, and the chance that they do so by accident.

    (n,) with chance 1 where n explains all (or there are none); None where no number explains more than n does.
    """
    printed = [cell for cell in cells if cell.percent is not None]
    wrong = [cell for cell in printed if not _explains(cell, n)]
    if not wrong:
        return (n,), 1.0
    least = max(1, *(int(cell.n) for cell in cells))
    tried = {size for cell in wrong for size in sizes_of(cell, most) if size >= least and size != n}
    scores = {size: sum(_explains(cell, size) for cell in printed) for size in tried}
    highest = max(scores.values(), default=0)
    if highest <= len(printed) - len(wrong):
        return None
    best_first = sorted(scores, key=lambda size: (size > n, _distance(printed, size)))
    sizes = tuple(size for size in best_first if scores[size] == highest)
    explained = [cell for cell in wrong if any(_explains(cell, size) for size in sizes) and int(cell.n) > 0]
    return sizes, most * math.prod(min(1.0, _open(cell) / most) for cell in explained) if explained else 1.0


def _distance(cells: list[Cell], size: int) -> float:
    """How far percentages are from those of this number of patients, in their last digits, as a sum of squares over what it explains."""
    explained = [(cell, cell.percent.first) for cell in cells if cell.percent is not None and _explains(cell, size)]
    return sum(((PERCENT * int(cell.n) / size - percent.value) / percent.unit_in_last_place) ** 2 for cell, percent in explained)


def _explains(cell: Cell, size: int) -> bool:
    return cell.percent is None or percent_agreement(cell.percent.prints, int(cell.n), (size,))[0] is not Agreement.NONE


def _open(cell: Cell) -> float:
    """How many numbers of patients the rounding of a percentage leaves open on average."""
    low, high = (cell.percent.low, cell.percent.high) if cell.percent is not None else (0.0, PERCENT)
    return math.inf if low <= 0 else PERCENT * int(cell.n) * (1 / low - 1 / min(high, PERCENT))


def _fitting(study: Study, row: Row, arm: str) -> list[int]:
    """Numbers of patients up to the arm's n of which the row's own percentage can be, the largest first; empty without one."""
    n = study.n(arm)
    return [] if n is None else sizes_of(row.cells[arm], n)


def sizes_of(cell: Cell, most: int) -> list[int]:
    """Numbers of patients up to `most` of which a cell's count is its percentage, the largest first; empty where that is no information."""
    count = int(cell.n)
    if cell.percent is None or count == 0 or min(_open(cell), most) > _TOO_OPEN:
        return []
    percent = cell.percent.first
    largest = most if percent.low <= 0 else min(most, math.floor(PERCENT * count / percent.low) + 1)
    least = max(count, math.ceil(PERCENT * count / min(percent.high, PERCENT)) - 1)
    return [size for size in range(largest, least - 1, -1) if percent.rounds_to(PERCENT * count / size)]
