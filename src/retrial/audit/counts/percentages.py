"""Family `percentages`: every printed percentage against k/n at its printed decimals (GRIM)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.counts.denominators import Implied, denominators_of, percent_agreement, sizes_of
from retrial.audit.numbers import TRUNCATED, Agreement, printed_texts, verdict_of
from retrial.audit.rows import COLUMNS, Row, count_rows
from retrial.dims import ARMS, TOTAL
from retrial.study.fields import Cell, Evaluable
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


def checks(study: Study) -> Iterator[Check]:
    """One check a printed percentage (all its places together), and one a section whose percentages are of other patients than all."""
    known = denominators_of(study)
    for implied in {item.path: item for item in known.implied.values()}.values():
        yield _of_fewer(study, implied, [row for row in count_rows(study) if known.implied.get(row.path) is implied])
    yield from _said(study)
    for row in count_rows(study):
        for column, cell in row.cells.items():
            if cell.percent is not None:
                yield _check(row.label, row.where, f"{row.path}.{column}.percent", cell, known.sizes(row, column))
    for key, endpoint in study.endpoints.items():
        for column in COLUMNS:
            events, n = getattr(endpoint.events, column), study.n(column)
            if events is not None and events.percent is not None:
                said = None if events.evaluable is None else int(events.evaluable)
                sizes = tuple(dict.fromkeys(size for size in (said, n) if size is not None))
                label = f"{endpoint.label or key}: events" + ("" if column == TOTAL else f", {column}")
                where = endpoint.events.where or endpoint.where
                yield _check(label, where, f"endpoints.{key}.events.{column}.percent", events, sizes)


def _of_fewer(study: Study, implied: Implied, rows: list[Row]) -> Check:
    """Percentages that one smaller number of patients explains: models take it, and all patients beside it."""
    arms, used = [arm for arm in ARMS if study.n(arm) != 0], implied.used
    every, some = (
        " v ".join(map(str, sizes)) for sizes in ([study.n(arm) for arm in arms], [implied.sizes[arm][0] for arm in arms])
    )
    found = " v ".join(_alternatives(implied.sizes[arm]) for arm in arms)
    reading = f"percentages of {some} patients{implied.why}, not of all {every}"
    note = "models take these patients, and beside them all of the arm with the others as patients without the event"
    several = any(len(sizes) > 1 for sizes in implied.sizes.values())
    path, value = f"{implied.path}.evaluable", Evaluable.model_validate(dict(zip(ARMS, map(str, used), strict=True)))
    uses = not implied.path.startswith("baseline.")
    decision = Decision(path, Consequence.AS_PRINTED, value, reading) if uses else None
    return Check(
        family=FAMILY,
        claim=f"{rows[0].label if len(rows) == 1 else implied.path.replace('_', ' ')}: patients that the percentages are of",
        where=rows[0].where,
        path=path,
        printed=f"n {every}",
        recomputed=found,
        verdict=Verdict.CONSISTENT_ONLY_IF,
        reading=reading,
        note="; ".join(filter(None, (f"also possible: {found}" if several else "", note if uses else ""))),
        consequence=Consequence.AS_PRINTED if uses else Consequence.NONE,
        numbers=0,
        decision=decision,
    )


def _alternatives(sizes: tuple[int, ...]) -> str:
    ordered = sorted(sizes)
    return f"{ordered[0]}" if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _said(study: Study) -> Iterator[Check]:
    """Numbers of evaluable patients above the arm's: of all treated beside an analysis of some, or who got the other arm's treatment."""
    found: dict[str, tuple[int, int, str]] = {}
    for row in count_rows(study):
        for arm in ARMS:
            (size, key), n = study.said_evaluable(row.path, arm), study.n(arm)
            if size is not None and n is not None and size > n:
                found[key] = (size, n, row.where)
    for key, (size, n, where) in found.items():
        yield Check(
            family=FAMILY, claim=f"{size} patients evaluable of an arm of {n}", where=where, path=key, printed=str(size), recomputed=f"n {n}",
            verdict=Verdict.CONSISTENT_ONLY_IF, reading="another analysis set than the arm's n (all treated, or by the treatment that they got)",
            note=f"{size - n} of them are not among the patients of the arm", consequence=Consequence.AS_PRINTED, numbers=0,
        )  # fmt: skip


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
        reading = "; ".join(filter(None, (f"of {n} patients, not of {known[0]}", reading)))
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
        note="" if found is not Agreement.NONE else _no_fit(percent.first, count, known[0]) + _of_others(cell, known[0]),
        consequence=Consequence.NONE if found is not Agreement.NONE or path.startswith("baseline.") else Consequence.AS_PRINTED,
        numbers=len(percent.prints),
    )


def _no_fit(percent: Reported, count: int, n: int) -> str:
    possible = tuple(islice(_possible(percent, n), _SHOWN + 1))
    if not possible:
        return f"no count among {n} gives {percent.text} %; {count}/{n} is {_PERCENT * count / n:.{percent.decimals}f} %"
    counts = ", ".join(map(str, possible[:_SHOWN])) + (" or more" if len(possible) > _SHOWN else "")
    return f"{percent.text} % of {n} would be {counts}, not {count}"


def _of_others(cell: Cell, n: int) -> str:
    """The fewer patients of which a count is its percentage, where they are few enough to be told apart."""
    sizes = [size for size in sizes_of(cell, n) if size < n]
    if not 0 < len(sizes) <= _SHOWN:
        return ""
    return f"; {int(cell.n)} of {' or '.join(map(str, sizes))} would be it: say evaluable if no more could be assessed"
