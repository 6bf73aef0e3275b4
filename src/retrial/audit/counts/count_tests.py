"""Family `count_tests`: which test of the printed counts gives the printed p (and the printed chi-square)."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.counts.contingency import (
    FISHER,
    PEARSON,
    Match,
    Table,
    TestValue,
    matching,
    ordered_tests,
    rarer_tests,
    smallest_expected,
    usual_tests_by_sides,
)
from retrial.audit.counts.denominators import Denominators, Pair, denominators_of, table_of
from retrial.audit.numbers import LEAST_P, Agreement, Sides, agreement, best, printed_texts, show_p, sides_in_words, sides_of
from retrial.audit.rows import Row, continuous_or_not, count_rows, level_rows
from retrial.dims import ARMS
from retrial.study.reported import Quantity
from retrial.study.sections import BaselineVariable
from retrial.study.study import Study

FAMILY = "count_tests"
ALPHA = 0.05
"""The level that papers read p-values against."""
SMALL_EXPECTED = 5.0
"""Below this expected count the chi-square approximation is commonly held unsafe and Fisher's test asked for (Cochran 1954)."""

STRATIFIED = "a test that is stratified or adjusted (such as Cochran-Mantel-Haenszel), which needs the patients"
STRATA_ROOM = 0.15
"""Largest distance in |z| from the usual tests that is put down to stratification of a randomised study, whose strata are alike in the arms."""
_LIKELIEST = 4
"""Pairs of numbers of patients that are tried where many counts are."""
_NAMED = 3
"""Readings named in a finding."""

_UNKNOWN = re.compile(r"(?i)(unknown|missing|not (available|known|reported|done|assessed|evaluable)|n/?[aekrd]|unk)\b.*")
"""Levels that tests usually leave out."""

Tested = dict[str, tuple[Table, tuple[TestValue, ...]]]
"""Reading of a variable's levels -> the table under it and that table's tests."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a printed p (or χ²) of a row can be of: patients of both arms and sides, in words (none where as expected), and its tests."""

    words: str
    table: Table
    tests: tuple[TestValue, ...]


def checks(study: Study) -> Iterator[Check]:
    """One check a printed test of counts; rows with nobody, or everybody, of both arms are named as not checkable."""
    patients = denominators_of(study)
    for row in count_rows(study):
        yield from _row(study, patients, row)
    for name, variable in continuous_or_not(study.baseline, levels=True):
        if variable.p is not None:
            yield _variable(study, name, variable, variable.p)


def readings_of(patients: Denominators, row: Row, counts: Pair, sides: Sides = 2, most: int | None = None) -> Iterator[Reading]:
    """Usual tests of the expected patients first; then of others (the first `most` pairs), rarer tests, and the other number of sides."""
    other: Sides = 1 if sides == 2 else 2
    pairs = {sizes: words for sizes, words in patients.pairs(row).items() if all(map(operator.le, counts, sizes))}
    for which in (sides, other):
        for sizes, words in islice(pairs.items(), most):
            table = table_of(counts, sizes)
            said = ", ".join(filter(None, ("" if which == 1 else sides_in_words(which, sides), words)))
            yield Reading(said, table, usual_tests_by_sides(table, which))
            if which == 2 and not words:
                yield Reading(said, table, rarer_tests(table))


def gives_p(patients: Denominators, row: Row, counts: Pair, p: Quantity) -> bool:
    """Whether these counts give the printed p, by rounding, under some reading (of patients: the likeliest)."""
    found = (matching(item.tests, p) for item in readings_of(patients, row, counts, sides_of(row.counts), _LIKELIEST))
    return any(match and not match.truncated for match in found)


def _row(study: Study, patients: Denominators, row: Row) -> Iterator[Check]:
    p, chi_square = row.counts.p, row.counts.chi_square
    readings = readings_of(patients, row, row.arms, sides_of(row.counts))
    first = next(readings, None)
    compared = f"{row.label}: {row.arms[0]} v {row.arms[1]} (control v experimental)"
    if first is None and (p is not None or chi_square is not None):
        yield _not_checkable(compared, row, "the size of an arm is missing (arms.*.n)")
    elif first is not None and not first.tests:
        who = "no event in either arm" if row.arms == (0, 0) else "everybody is in the row"
        yield _nothing_to_compare(compared, row, f"{who}: no comparison exists")
    elif first is not None and (p is not None or chi_square is not None):
        expected = judged(compared, row.where, row.path, first.table, first.tests, p, chi_square)
        yield expected if expected.verdict is not Verdict.INCONSISTENT else _otherwise(study, row, expected, readings)


def _not_checkable(claim: str, row: Row, missing: str) -> Check:
    printed = "" if row.counts.p is None else f"p {row.counts.p}"
    return Check(FAMILY, claim, row.where, f"{row.path}.p", printed, "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)


def _nothing_to_compare(claim: str, row: Row, why: str) -> Check:
    """No event, or nobody without one: the exact p is 1, and no other test has a p."""
    p = row.counts.p
    if p is None:
        return _not_checkable(claim, row, why)
    is_one = best(agreement(print_, 1.0) for print_ in p.prints) is Agreement.ROUNDED
    verdict, reading = (Verdict.CONSISTENT, f"{FISHER}: 1 by definition") if is_one else (Verdict.INCONSISTENT, "")
    note = "" if is_one else f"{why}; the exact test gives p 1, no other test gives a p"
    return Check(FAMILY, claim, row.where, f"{row.path}.p", f"p {printed_texts(p)}", f"{FISHER} p 1", verdict, reading, note)


def _otherwise(study: Study, row: Row, expected: Check, readings: Iterable[Reading]) -> Check:
    """A p that the expected tests do not give: of other patients, of one side, of a test that needs the patients, or wrong."""
    p, chi_square = row.counts.p, row.counts.chi_square
    found: dict[str, Check] = {}
    for item in readings:
        check = judged(expected.claim, row.where, row.path, item.table, item.tests, p, chi_square)
        if check.verdict is not Verdict.INCONSISTENT:
            found.setdefault(f"{check.reading} ({item.words})" if item.words else check.reading, check)
    if found:
        first = next(iter(found.values()))
        named = list(found)[:_NAMED]
        more = f"; or {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        if p is not None and chi_square is None and study.randomised and _is_near(row, p, study):
            more += f"; or {STRATIFIED}"
        return replace(
            first,
            verdict=Verdict.CONSISTENT_ONLY_IF,
            reading="; or ".join(named) + more,
            recomputed=f"{expected.recomputed}; {first.recomputed}",
        )
    if p is not None and chi_square is None and study.randomised and _is_near(row, p, study):
        return replace(expected, verdict=Verdict.CONSISTENT_ONLY_IF, reading=STRATIFIED, note=f"no unstratified test gives p {p}")
    return expected


def _is_near(row: Row, p: Quantity, study: Study) -> bool:
    """Whether a test that is stratified or adjusted by factors of the randomisation may give this p of an outcome."""
    pairs = [study.patients(row.path, arm) for arm in ARMS]
    if row.path.startswith("baseline.") or pairs[0] is None or pairs[1] is None:
        return False
    tests = usual_tests_by_sides(table_of(row.arms, (pairs[0], pairs[1])), sides_of(row.counts))
    z = [float(stats.norm.isf(test.p / sides_of(row.counts))) for test in tests if 0 < test.p < 1]
    low, high = (float(stats.norm.isf(min(1.0, max(end, LEAST_P)) / sides_of(row.counts))) for end in (p.first.high, p.first.low))
    return bool(z) and min(z) - STRATA_ROOM <= high and low <= max(z) + STRATA_ROOM


def judged(
    claim: str, where: str, path: str, table: Table, tests: tuple[TestValue, ...], p: Quantity | None, chi_square: Quantity | None
) -> Check:
    """The check of a printed p and χ² against every usual test of a table; without either, what the tests give."""
    by_p, by_statistic = matching(tests, p), matching(tests, chi_square, statistic=True)
    verdict, reading = _verdict(by_p, by_statistic, p, chi_square)
    printed = [f"χ² {printed_texts(chi_square)}"] if chi_square else []
    printed += [f"p {printed_texts(p)}"] if p else []
    return Check(
        family=FAMILY,
        claim=claim,
        where=(p or chi_square).where(where) if (p or chi_square) else where,  # type: ignore[union-attr]
        path=f"{path}.{'p' if p else 'chi_square'}",
        printed=", ".join(printed),
        recomputed=_listed(tests),
        verdict=verdict,
        reading=reading,
        note=_note(verdict, table, tests, by_p, p),
        numbers=len(printed),
    )


def _verdict(by_p: Match, by_statistic: Match, p: Quantity | None, chi_square: Quantity | None) -> tuple[Verdict, str]:
    if (p is not None and not by_p) or (chi_square is not None and not by_statistic):
        parts = [f"p: {by_p or 'none'}"] if p is not None else []
        parts += [f"χ²: {by_statistic or 'none'}"] if chi_square is not None else []
        return Verdict.INCONSISTENT, "; ".join(parts)
    truncated = by_p.truncated or by_statistic.truncated
    if p is None or chi_square is None:
        only = by_p or by_statistic
        return (Verdict.CONSISTENT_ONLY_IF if truncated else Verdict.CONSISTENT), str(only)
    common = tuple(name for name in by_p.names if name in by_statistic.names)
    if common and not truncated:
        return Verdict.CONSISTENT, str(Match(common))
    if common:
        return Verdict.CONSISTENT_ONLY_IF, str(Match(common, truncated=True))
    return Verdict.CONSISTENT_ONLY_IF, f"two different tests; χ²: {by_statistic}; p: {by_p}"


def _note(verdict: Verdict, table: Table, tests: tuple[TestValue, ...], by_p: Match, p: Quantity | None) -> str:
    """Remarks, worst first: no test gives it, 5 % depends on the test, Pearson on small expected counts."""
    parts = []
    if verdict is Verdict.INCONSISTENT:
        parts.append("none of the usual tests on these counts gives what is printed")
    if p is not None and by_p:
        parts += _crossing(tests, p)
    smallest = smallest_expected(table)
    if by_p and PEARSON in by_p.names and smallest < SMALL_EXPECTED:
        exact = next((test for test in tests if "exact" in test.name and "mid" not in test.name), None)
        parts.append(f"smallest expected count {smallest:.1f}" + (f", {exact.name} p {show_p(exact.p)}" if exact else ""))
    return "; ".join(parts)


def _crossing(tests: tuple[TestValue, ...], p: Quantity) -> list[str]:
    """Tests on the other side of 5 % than the printed p."""
    significant = p.first.high <= ALPHA or (p.value < ALPHA and not p.first.relation)
    if p.first.relation == ">" and p.value < ALPHA:
        return []
    other = [f"{test.name} {show_p(test.p)}" for test in tests if (test.p < ALPHA) != significant]
    side = "below" if significant else "above"
    return [f"printed p is {side} 0.05, on the other side: {', '.join(other)}"] if other else []


def _listed(tests: tuple[TestValue, ...]) -> str:
    return "; ".join(
        f"{test.name} " + ("" if math.isnan(test.statistic) else f"χ² {test.statistic:.3f} ") + f"p {show_p(test.p)}"
        for test in tests
    )


def _variable(study: Study, name: str, variable: BaselineVariable, p: Quantity) -> Check:
    """The test of a baseline variable: its levels against the arms, under each reading of the levels."""
    rows = list(level_rows(study, name, variable))
    where, path = rows[0].where, f"baseline.variables.{name}"
    compared = "; ".join(f"{row.counts.label or row.path.rsplit('.', 1)[-1]} {row.arms[0]} v {row.arms[1]}" for row in rows)
    claim = f"{variable.label or name}: {compared}"
    tested = _tested(study, name, variable)
    if not tested:
        missing = "fewer than two levels with patients: no comparison exists"
        return Check(FAMILY, claim, where, f"{path}.p", f"p {p}", "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)
    if not variable.exclusive:
        return _not_exclusive(claim, where, path, tested, p)
    checks_ = {reading: judged(claim, where, path, *tables, p, None) for reading, tables in tested.items()}
    first = next(iter(checks_.values()))
    if first.verdict is not Verdict.INCONSISTENT:
        return first
    fits = {reading: check for reading, check in checks_.items() if check.verdict is not Verdict.INCONSISTENT}
    for reading, check in fits.items():
        return replace(check, verdict=Verdict.CONSISTENT_ONLY_IF, reading=f"{check.reading}, {reading}")
    return first


def arms_give_p(study: Study, path: str) -> bool:
    """Whether the arms' counts give the printed p of the row, or of its baseline variable (totals play no part in it)."""
    parts = path.split(".")
    if parts[0] != "baseline" or study.baseline is None:
        row = next(row for row in count_rows(study) if row.path == path)
        return row.counts.p is not None and gives_p(denominators_of(study), row, row.arms, row.counts.p)
    variable = study.baseline.variables[parts[2]]
    return any(matching(tests, variable.p) for _, tests in _tested(study, parts[2], variable).values())


def _tested(study: Study, name: str, variable: BaselineVariable) -> Tested:
    rows = list(level_rows(study, name, variable))
    table = tuple(row.arms for row in rows)
    sides = sides_of(variable)
    other: Sides = 1 if sides == 2 else 2
    tables = _levels(study, rows, table) if variable.exclusive else _readings(study, table)
    found = {reading: (counts, usual_tests_by_sides(counts, sides)) for reading, counts in tables.items()}
    if variable.exclusive:
        found |= {
            ", ".join(filter(None, (reading, sides_in_words(other, sides)))): (counts, usual_tests_by_sides(counts, other))
            for reading, counts in tables.items()
        }
        found["the levels taken in their order"] = (table, ordered_tests(table))
    return {reading: item for reading, item in found.items() if item[1]}


def _levels(study: Study, rows: list[Row], table: Table) -> dict[str, Table]:
    """Tables that a p over exclusive levels can come from: all of them, without unknown values; one level alone is against the others."""
    known = tuple(
        row.arms for row in rows if not _UNKNOWN.fullmatch(f"{row.counts.label or row.path.rsplit('.', 1)[-1]}".strip())
    )
    sizes = [study.patients(rows[0].path, arm) for arm in ARMS]
    if len(table) == 1 and sizes[0] is not None and sizes[1] is not None:
        return {"": table_of(table[0], (sizes[0], sizes[1]))}
    found = {"": table}
    if 1 < len(known) < len(table):
        found["patients of unknown level left out"] = known
    return found


def _readings(study: Study, table: Table) -> dict[str, Table]:
    """Tables that a p over overlapping levels can come from."""
    readings = {"the printed rows alone, patients with none left out": table}
    sizes = [study.n(arm) for arm in ARMS]
    if sizes[0] is None or sizes[1] is None:
        return readings
    some = (sum(row[0] for row in table), sum(row[1] for row in table))
    none = (sizes[0] - some[0], sizes[1] - some[1])
    if min(none) >= 0:
        readings["the printed rows and a row of patients with none"] = (*table, none)
        readings["any v none, nobody counted twice"] = (some, none)
    return readings


def _not_exclusive(
    claim: str, where: str, path: str, tested: dict[str, tuple[Table, tuple[TestValue, ...]]], p: Quantity
) -> Check:
    matches = {reading: match for reading, (_, tests) in tested.items() if (match := matching(tests, p))}
    found = [f"{match} on {reading}" for reading, match in matches.items()]
    return Check(
        family=FAMILY,
        claim=claim,
        where=p.where(where),
        path=f"{path}.p",
        printed=f"p {printed_texts(p)}",
        recomputed=" | ".join(
            f"{reading}: " + "; ".join(f"{test.name} p {show_p(test.p)}" for test in tests)
            for reading, (_, tests) in tested.items()
        ),
        verdict=Verdict.CONSISTENT_ONLY_IF if found else Verdict.INCONSISTENT,
        reading="; or ".join(found) or "none",
        note="the levels do not partition the patients" + ("" if found else "; no reading of them gives the printed p"),
    )
