"""Tests of a table of counts: every usual p (and statistic), two-sided and one-sided, and which of them print as given."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import gammaln

from retrial.audit.numbers import TRUNCATED, Agreement, Sides, agreement
from retrial.study.reported import Quantity

Table = tuple[tuple[int, int], ...]

PEARSON = "Pearson"
YATES = "Yates"
FISHER = "Fisher exact"
FREEMAN_HALTON = "Fisher-Freeman-Halton exact"
LIKELIHOOD_RATIO = "likelihood ratio"
MID_P = "mid-p exact"
MIETTINEN_NURMINEN, WALD_DIFFERENCE = "Miettinen-Nurminen", "Wald (risk difference)"
TREND, LINEAR, MANN_WHITNEY = "Cochran-Armitage trend", "linear-by-linear", "Mann-Whitney"
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


def rarer_tests(table: Table) -> tuple[TestValue, ...]:
    """Two-sided tests that some papers take instead: Miettinen-Nurminen, and of a 2 x 2 table Wald's of the risk difference.

    Miettinen-Nurminen (without strata also Cochran-Mantel-Haenszel): (n - 1) / n of Pearson's χ². Wald: (p1 - p2)² / Σ p (1 - p) / n.
    """
    pearson = next((test for test in usual_tests(table) if test.name == PEARSON), None)
    if pearson is None:
        return ()
    counts = np.array([row for row in table if sum(row) > 0], dtype=float)
    n, df = counts.sum(), counts.shape[0] - 1
    value = pearson.statistic * (n - 1) / n
    found = [TestValue(MIETTINEN_NURMINEN, float(stats.chi2.sf(value, df)), value)]
    share, sizes = counts[0] / counts.sum(axis=0), counts.sum(axis=0)
    variance = float((share * (1 - share) / sizes).sum())
    if df == 1 and variance > 0:
        value = float((share[0] - share[1]) ** 2) / variance
        found.append(TestValue(WALD_DIFFERENCE, float(stats.chi2.sf(value, 1)), value))
    return tuple(found)


def one_sided_tests(table: Table) -> tuple[TestValue, ...]:
    """The usual and rarer tests of a 2 x 2 table against one side: the tail of the observed direction; empty for more rows.

    Half of the two-sided p where the statistic is normal or chi-square with 1 degree of freedom (its signed root is normal); for the exact tests
    the hypergeometric tail (mid-p: less half the probability of the observed table).
    """
    tests = {test.name: test for test in (*usual_tests(table), *rarer_tests(table))}
    if len(table) != 2 or not tests:
        return ()
    (a, b), (c, d) = table
    law = stats.hypergeom(a + b + c + d, a + b, a + c)
    own, tail = float(law.pmf(a)), min(1.0, float(min(law.cdf(a), law.sf(a - 1))))
    exact = {FISHER: tail, MID_P: tail - own / 2}
    return tuple(TestValue(f"one-sided {name}", exact.get(name, test.p / 2), test.statistic) for name, test in tests.items())


def usual_tests_by_sides(table: Table, sides: Sides) -> tuple[TestValue, ...]:
    """The usual two-sided tests, or all one-sided ones."""
    return usual_tests(table) if sides == 2 else one_sided_tests(table)


def ordered_tests(table: Table) -> tuple[TestValue, ...]:
    """Two-sided tests of three or more ordered rows: Cochran-Armitage trend, linear-by-linear, Mann-Whitney; empty for fewer rows.

    Trend: χ² = n r² with r the correlation of row number and arm (1 df); linear-by-linear: (n - 1) r²; Mann-Whitney: the same (n - 1) r² with
    midranks for row numbers, which is the square of its z with the correction for ties.
    """
    counts = np.array([row for row in table if sum(row) > 0], dtype=float)
    if counts.shape[0] < 3 or (counts.sum(axis=0) == 0).any():
        return ()
    n, sums = counts.sum(), counts.sum(axis=1)
    rank, number = np.cumsum(sums) - (sums - 1) / 2, np.arange(1.0, len(sums) + 1)
    found = ((TREND, number, n), (LINEAR, number, n - 1), (MANN_WHITNEY, rank, n - 1))
    values = [(name, scale * _correlation(counts, score) ** 2) for name, score, scale in found]
    return tuple(TestValue(name, float(stats.chi2.sf(value, 1)), float(value)) for name, value in values)


def _correlation(counts: np.ndarray, score: np.ndarray) -> float:
    """Correlation of a row's score with the arm (0, 1) over all patients."""
    n, sums, columns = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    centred = score - (sums * score).sum() / n
    covariance = (counts[:, 1] * centred).sum() / n
    return float(covariance / math.sqrt((sums * centred**2).sum() / n * columns[0] * columns[1] / n**2))


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


@dataclass(frozen=True, slots=True)
class Match:
    """Which tests reproduce a printed number, and whether only by truncation."""

    names: tuple[str, ...]
    truncated: bool = False

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        return " or ".join(self.names) + (f" ({TRUNCATED})" if self.truncated else "")


def matching(tests: Iterable[TestValue], printed: Quantity | None, *, statistic: bool = False) -> Match:
    """Tests whose p (or statistic) prints as one of the places does: by rounding, else by truncation."""
    found = [(test.name, test.statistic if statistic else test.p) for test in tests]
    for wanted in (Agreement.ROUNDED, Agreement.TRUNCATED):
        for print_ in printed.prints if printed else ():
            names = tuple(name for name, value in found if not math.isnan(value) and agreement(print_, value) is wanted)
            if names:
                return Match(names, wanted is Agreement.TRUNCATED)
    return Match(())
