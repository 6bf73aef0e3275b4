"""Tests of independence of an r x 2 table of counts (rows are levels, columns the arms)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import gammaln

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
