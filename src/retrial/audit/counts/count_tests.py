"""Family `count_tests`: which test of the printed counts gives the printed p (and the printed chi-square)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import gammaln

from retrial.audit.check import Check, Verdict
from retrial.audit.numbers import TRUNCATED, Agreement, agreement, printed_texts, show_p
from retrial.audit.rows import Row, continuous_or_not, count_rows, level_rows
from retrial.dims import ARMS
from retrial.study.reported import Quantity
from retrial.study.sections import BaselineVariable
from retrial.study.study import Study

Table = tuple[tuple[int, int], ...]

PEARSON = "Pearson"
YATES = "Yates"
FISHER = "Fisher exact"
FREEMAN_HALTON = "Fisher-Freeman-Halton exact"
LIKELIHOOD_RATIO = "likelihood ratio"
MID_P = "mid-p exact"
MAX_TABLES = 2_000_000
"""Tables enumerated for the exact test of r x 2 counts (below a second); beyond, counts are large and Pearson close to exact."""
_TIE = 1e-7
"""Relative room within which two tables count as equally probable: the rounding error of log-gamma."""


@dataclass(frozen=True, slots=True)
class TestValue:
    """One test of a table: p, and the statistic where it has one (NaN for exact tests)."""

    __test__ = False
    name: str
    p: float
    statistic: float = math.nan


def usual_tests(table: Table) -> tuple[TestValue, ...]:
    """Pearson, Yates (2 x 2), exact, likelihood-ratio and mid-p tests of an r x 2 table; empty where no comparison exists.

    With n the table's total and e_ij = (row total)(column total)/n: Pearson sum (o-e)^2/e, Yates the same with |o-e| less 1/2,
    likelihood ratio 2 sum o log(o/e), each against chi-square with r-1 degrees of freedom; exact: P(tables no more probable than
    the observed one | margins), by Fisher for 2 x 2 and Freeman and Halton (1951), Biometrika 38:141, beyond; mid-p: that less
    half the probability of the observed table (Lancaster 1961).
    """
    counts = np.array([row for row in table if sum(row) > 0], dtype=float)
    if counts.shape[0] < 2 or (counts.sum(axis=0) == 0).any():
        return ()
    found = [_chi_square(PEARSON, counts)]
    if counts.shape[0] == 2:
        found.append(_chi_square(YATES, counts, correction=True))
    found += _exact(counts)
    found.append(_chi_square(LIKELIHOOD_RATIO, counts, power="log-likelihood"))
    return tuple(found)


def smallest_expected(table: Table) -> float:
    """Smallest expected count under independence."""
    counts = np.array([row for row in table if sum(row) > 0], dtype=float)
    return float(np.outer(counts.sum(axis=1), counts.sum(axis=0)).min() / counts.sum())


def freeman_halton(table: Table) -> tuple[float, float] | None:
    """Exact two-sided p of an r x 2 table and the probability of the table itself; None beyond `MAX_TABLES` tables."""
    rows = sorted((sum(row), row[0]) for row in table)
    if math.prod(total + 1 for total, _ in rows[:-1]) > MAX_TABLES:
        return None
    column = sum(first for _, first in rows)
    filled, log_p = np.zeros(1, dtype=np.int64), np.zeros(1)
    for total, _ in rows[:-1]:
        choice = np.arange(total + 1)
        filled = (filled[:, None] + choice).ravel()
        log_p = (log_p[:, None] + _log_choose(total, choice)).ravel()
        filled, log_p = filled[filled <= column], log_p[filled <= column]
    last_total = rows[-1][0]
    possible = column - filled <= last_total
    log_p = log_p[possible] + _log_choose(last_total, column - filled[possible])
    observed = sum(float(_log_choose(total, np.array(first))) for total, first in rows)
    everything = float(_log_choose(sum(total for total, _ in rows), np.array(column)))
    extreme = log_p[log_p <= observed + _TIE]
    return min(1.0, float(np.exp(extreme - everything).sum())), math.exp(observed - everything)


def _chi_square(
    name: str, counts: np.ndarray, *, correction: bool = False, power: Literal["pearson", "log-likelihood"] = "pearson"
) -> TestValue:
    result = stats.chi2_contingency(counts, correction=correction, lambda_=power)
    return TestValue(name, float(result.pvalue), float(result.statistic))


def _exact(counts: np.ndarray) -> list[TestValue]:
    table = tuple((int(first), int(second)) for first, second in counts)
    if len(table) == 2:
        (a, b), (c, d) = table
        p = min(1.0, float(stats.fisher_exact(counts.astype(int)).pvalue))
        own = float(stats.hypergeom.pmf(a, a + b + c + d, a + b, a + c))
        return [TestValue(FISHER, p), TestValue(MID_P, p - own / 2)]
    result = freeman_halton(table)
    return [] if result is None else [TestValue(FREEMAN_HALTON, result[0]), TestValue(MID_P, result[0] - result[1] / 2)]


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


FAMILY = "count_tests"
ALPHA = 0.05
"""The level that papers read p-values against."""
SMALL_EXPECTED = 5.0
"""Below this expected count the chi-square approximation is commonly held unsafe and Fisher's test asked for (Cochran 1954)."""

Tested = dict[str, tuple[Table, tuple[TestValue, ...]]]
"""Reading of a variable's levels -> the table under it and that table's tests."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which tests reproduce a printed number, and whether only by truncation."""

    names: tuple[str, ...]
    truncated: bool = False

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        return " or ".join(self.names) + (f" ({TRUNCATED})" if self.truncated else "")


def checks(study: Study) -> Iterator[Check]:
    """One check a printed test of counts; rows with nobody, or everybody, of both arms are named as not checkable."""
    for row in count_rows(study):
        yield from _row(study, row)
    for name, variable in continuous_or_not(study.baseline, levels=True):
        if variable.p is not None:
            yield _variable(study, name, variable, variable.p)


def matching(tests: Iterable[TestValue], printed: Quantity | None, *, statistic: bool = False) -> Match:
    """Tests whose p (or statistic) prints as one of the places does: by rounding, else by truncation."""
    found = [(test.name, test.statistic if statistic else test.p) for test in tests]
    for wanted in (Agreement.ROUNDED, Agreement.TRUNCATED):
        for print_ in printed.prints if printed else ():
            names = tuple(name for name, value in found if not math.isnan(value) and agreement(print_, value) is wanted)
            if names:
                return Match(names, wanted is Agreement.TRUNCATED)
    return Match(())


def two_by_two(study: Study, row: Row) -> Table | None:
    """The row's counts against the rest of each arm; None where an arm's size is missing."""
    sizes = [study.n(arm) for arm in ARMS]
    if sizes[0] is None or sizes[1] is None:
        return None
    control, experimental = row.arms
    return ((control, experimental), (sizes[0] - control, sizes[1] - experimental))


def _row(study: Study, row: Row) -> Iterator[Check]:
    p, chi_square = row.counts.p, row.counts.chi_square
    table = two_by_two(study, row)
    compared = f"{row.label}: {row.arms[0]} v {row.arms[1]} (control v experimental)"
    tests = usual_tests(table) if table else ()
    if (p is not None or chi_square is not None) and tests and table:
        yield judged(compared, row.where, row.path, table, tests, p, chi_square)
    elif table is not None and not tests:
        who = "no event in either arm" if row.arms == (0, 0) else "everybody is in the row"
        yield _not_checkable(compared, row, f"{who}: no comparison exists")
    elif p is not None or chi_square is not None:
        yield _not_checkable(compared, row, "the size of an arm is missing (arms.*.n)")


def _not_checkable(claim: str, row: Row, missing: str) -> Check:
    printed = "" if row.counts.p is None else f"p {row.counts.p}"
    return Check(FAMILY, claim, row.where, f"{row.path}.p", printed, "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)


def judged(
    claim: str, where: str, path: str, table: Table, tests: tuple[TestValue, ...], p: Quantity | None, chi_square: Quantity | None
) -> Check:
    """The check of a printed p or χ² of a table, given the table's tests."""
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
    """The test of a baseline variable: its levels against the arms, under each reading where the levels are not exclusive."""
    rows = list(level_rows(study, name, variable))
    table = tuple(row.arms for row in rows)
    where, path = rows[0].where, f"baseline.variables.{name}"
    compared = "; ".join(f"{row.counts.label or row.path.rsplit('.', 1)[-1]} {row.arms[0]} v {row.arms[1]}" for row in rows)
    claim = f"{variable.label or name}: {compared}"
    tested = _tested(study, variable, table)
    if not tested:
        missing = "fewer than two levels with patients: no comparison exists"
        return Check(FAMILY, claim, where, f"{path}.p", f"p {p}", "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)
    if variable.exclusive:
        return judged(claim, where, path, *tested[""], p, None)
    return _not_exclusive(claim, where, path, tested, p)


def arms_give_p(study: Study, path: str) -> bool:
    """Whether the arms' counts give the printed p of the row, or of its baseline variable (totals play no part in it)."""
    parts = path.split(".")
    if parts[0] != "baseline" or study.baseline is None:
        row = next(row for row in count_rows(study) if row.path == path)
        table = two_by_two(study, row)
        return table is not None and bool(matching(usual_tests(table), row.counts.p))
    variable = study.baseline.variables[parts[2]]
    counts = tuple(row.arms for row in level_rows(study, parts[2], variable))
    return any(matching(tests, variable.p) for _, tests in _tested(study, variable, counts).values())


def _tested(study: Study, variable: BaselineVariable, table: Table) -> Tested:
    readings = {"": table} if variable.exclusive else _readings(study, table)
    return {reading: (counts, tests) for reading, counts in readings.items() if (tests := usual_tests(counts))}


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
