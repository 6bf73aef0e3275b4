"""Family `percentages`: every printed percentage against k/n at its printed decimals (GRIM)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import TRUNCATED, Agreement, agreement, best, printed_texts, verdict_of
from retrial.audit.rows import COLUMNS, Row, count_rows
from retrial.dims import TOTAL
from retrial.study.fields import Cell, CountRow
from retrial.study.reported import Reported
from retrial.study.study import Study

FAMILY = "percentages"
_PERCENT = 100.0
_SHOWN = 4
"""Numerators named in a finding; a coarse percentage of a large n has many."""


def grim(percent: Reported, n: int) -> tuple[int, ...]:
    """All counts k with 100 k / n printing as `percent` (rounded half up; for "<1" all in that range).

    Empty: no number of patients among n gives this percentage. After Brown and Heathers (2017), Soc Psychol Personal Sci 8:363.
    Raises nothing: n < 1 gives no count.
    """
    return tuple(_possible(percent, n))


def _possible(percent: Reported, n: int) -> Iterator[int]:
    if n < 1:
        return
    first = max(0, math.floor(percent.low / _PERCENT * n) - 1)
    last = min(n, math.ceil(min(percent.high, _PERCENT) / _PERCENT * n) + 1)
    yield from (k for k in range(first, last + 1) if percent.rounds_to(_PERCENT * k / n))


def percent_agreement(prints: Iterable[Reported], count: int, denominators: Iterable[int]) -> tuple[Agreement, int]:
    """The best agreement of all prints with one denominator, and that denominator; the first denominator wins ties."""
    printed = tuple(prints)
    found = [(best(agreement(item, _PERCENT * count / n) for item in printed), n) for n in denominators if n >= max(1, count)]
    return min(found, key=lambda item: [*Agreement].index(item[0]), default=(Agreement.NONE, 0))


def denominators(study: Study, row: Row, column: str) -> tuple[int, ...]:
    """Numbers that a percentage can be of: the column's patients, and those with a value (a category, a level) where fewer."""
    n = study.n(column)
    known = () if n is None else (n,)
    cells = [getattr(part, column) for part in _exclusive_parts(study, row)]
    with_value = sum(int(cell.n) for cell in cells if cell is not None)
    fewer = bool(cells) and None not in cells and (n is None or with_value < n)
    return (*known, with_value) if fewer else known


def _exclusive_parts(study: Study, row: Row) -> list[CountRow]:
    """The rows among which every patient with a value is counted once."""
    section, _, rest = row.path.partition(".")
    if section == "response" and study.response is not None:
        return list(study.response.categories.values())
    if section == "baseline" and study.baseline is not None:
        variable = study.baseline.variables[rest.split(".")[1]]
        return list((variable.levels or {}).values()) if variable.exclusive else []
    return []


def checks(study: Study) -> Iterator[Check]:
    """One check a printed percentage (all its places together)."""
    for row in count_rows(study):
        for column, cell in row.cells.items():
            if cell.percent is not None:
                yield _check(row.label, row.where, f"{row.path}.{column}.percent", cell, denominators(study, row, column))
    for key, endpoint in study.endpoints.items():
        for column in COLUMNS:
            events, n = getattr(endpoint.events, column), study.n(column)
            if events is not None and events.percent is not None:
                where, known = endpoint.events.where or endpoint.where, () if n is None else (n,)
                label = f"{endpoint.label or key}: events" + ("" if column == TOTAL else f", {column}")
                yield _check(label, where, f"endpoints.{key}.events.{column}.percent", events, known)


def _check(label: str, where: str, path: str, cell: Cell, known: tuple[int, ...]) -> Check:
    percent, count = cell.percent, int(cell.n)
    if percent is None or not known:
        return Check(
            FAMILY, f"{label}: {cell.percent} %", where, path, str(cell.percent), "", Verdict.NOT_CHECKABLE,
            note="the number of patients is missing (arms.*.n)", numbers=0,
        )  # fmt: skip
    found, n = percent_agreement(percent.prints, count, known)
    reading = TRUNCATED if found is Agreement.TRUNCATED else ""
    if found is not Agreement.NONE and n != known[0]:
        reading = "; ".join(filter(None, (f"of the {n} with a value, not of all {known[0]}", reading)))
    verdict = Verdict.CONSISTENT_ONLY_IF if reading else verdict_of(found)
    return Check(
        family=FAMILY,
        claim=f"{label}: {count} of {known[0]} is {printed_texts(percent)} %",
        where=percent.where(where),
        path=path,
        printed=printed_texts(percent),
        recomputed=f"{_PERCENT * count / known[0]:.{percent.first.decimals + 2}f}",
        verdict=verdict,
        reading=reading,
        note="" if found is not Agreement.NONE else _no_fit(percent.first, count, known[0]),
        consequence=Consequence.NONE if found is not Agreement.NONE or path.startswith("baseline.") else Consequence.AS_PRINTED,
        numbers=len(percent.prints),
    )


def _no_fit(percent: Reported, count: int, n: int) -> str:
    possible = tuple(islice(_possible(percent, n), _SHOWN + 1))
    if not possible:
        return f"no count among {n} gives {percent.text} %; {count}/{n} is {_PERCENT * count / n:.{percent.decimals}f} %"
    counts = ", ".join(map(str, possible[:_SHOWN])) + (" or more" if len(possible) > _SHOWN else "")
    return f"{percent.text} % of {n} would be {counts}, not {count}"
