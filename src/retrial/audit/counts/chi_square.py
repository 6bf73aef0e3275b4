"""Family `chi_square_p`: every number of degrees of freedom for which the printed chi-square gives the printed p."""

from __future__ import annotations

from collections.abc import Iterator

from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.numbers import (
    TRUNCATED,
    Agreement,
    Range,
    Sides,
    agreement,
    show_p,
    sides_in_words,
    sides_of,
    truncation_interval,
)
from retrial.study.reported import Quantity, Reported
from retrial.study.study import Study

FAMILY = "chi_square_p"
MAX_DF = 10
"""Most degrees of freedom tried: eleven groups are more than a clinical table has."""


def checks(study: Study) -> Iterator[Check]:
    """One check a printed pair of chi-square and p: the rows of test tables, and the endpoints' unadjusted tests."""
    for key, table in study.tests.items():
        for name, row in table.rows.items():
            for endpoint, result in row.results.items():
                df = result.df or row.groups - 1
                path = f"tests.{key}.rows.{name}.results.{endpoint}"
                label = f"{row.label or name}, {_endpoint_label(study, endpoint)}"
                yield from _pair(label, table.where, path, result.chi_square, result.p, df, sides_of(result))
    for key, endpoint_ in study.endpoints.items():
        test = endpoint_.test
        if test is not None and not _is_table_row(study, key, test.where):
            where = test.where or endpoint_.where
            label = f"{_endpoint_label(study, key)}: {test.words}"
            yield from _pair(label, where, f"endpoints.{key}.test", test.chi_square, test.p, 1, sides_of(test))


def p_of(chi_square: Reported, df: int, *, truncated: bool = False) -> Range:
    """Range of P(chi-square with `df` > x) over all x that round (or are cut off) to the printed statistic."""
    low, high = truncation_interval(chi_square) if truncated else Range(chi_square.low, chi_square.high)
    return Range(float(stats.chi2.sf(high, df)), float(stats.chi2.sf(max(0.0, low), df)))


def fitting_df(chi_square: Reported, p: Reported) -> tuple[int, ...]:
    """Degrees of freedom from 1 to `MAX_DF` for which statistic and p agree, within the rounding of both."""
    return tuple(df for df in range(1, MAX_DF + 1) if agreement(p, *p_of(chi_square, df)) is Agreement.ROUNDED)


def _is_table_row(study: Study, endpoint: str, where: str) -> bool:
    """Whether the test is the same print as a row of a test table (then that row's check covers it)."""
    return any(
        row.treatment and endpoint in row.results and table.where and table.where in where
        for table in study.tests.values()
        for row in table.rows.values()
    )


def _endpoint_label(study: Study, key: str) -> str:
    endpoint = study.endpoints.get(key)
    return (endpoint.label if endpoint else "") or key


def _pair(
    label: str, where: str, path: str, chi_square: Quantity | None, p: Quantity | None, df: int, sides: Sides = 2
) -> Iterator[Check]:
    if chi_square is None and p is None:
        return
    if chi_square is None or p is None:
        missing = "chi_square" if chi_square is None else "p"
        printed = f"p {p}" if chi_square is None else f"χ² {chi_square}"
        yield Check(FAMILY, label, where, path, printed, "", Verdict.NOT_CHECKABLE, note=f"{missing} is not printed", numbers=0)
        return
    fits = fitting_df(chi_square.first, p.first)
    verdict, reading, note = judged(chi_square.first, p.first, df, fits, sides)
    shown = sorted({df, *fits})
    yield Check(
        family=FAMILY,
        claim=f"{label}: χ² {chi_square}, p {p} ({df + 1} groups)",
        where=where,
        path=path,
        printed=f"χ² {chi_square}, p {p}",
        recomputed="; ".join(f"df {k}: p {show_p(float(stats.chi2.sf(chi_square.value, k)))}" for k in shown),
        verdict=verdict,
        reading=reading,
        note=note,
    )


def judged(chi_square: Reported, p: Reported, df: int, fits: tuple[int, ...], sides: Sides) -> tuple[Verdict, str, str]:
    """Verdict of a χ² beside its p, its reading and its note; `fits` are the degrees of freedom that agree."""
    half = Range(*(end / 2 for end in p_of(chi_square, df)))
    is_half = df == 1 and agreement(p, *half) is Agreement.ROUNDED
    if is_half and sides == 1:
        return Verdict.CONSISTENT, "df = 1, one-sided", ""
    if df in fits and sides == 1:
        return Verdict.CONSISTENT_ONLY_IF, f"df = {df}, {sides_in_words(2, sides)}", ""
    if df in fits:
        return Verdict.CONSISTENT, f"df = {df}", ""
    if agreement(p, *p_of(chi_square, df)) is Agreement.TRUNCATED:
        return Verdict.CONSISTENT_ONLY_IF, f"df = {df}, p {TRUNCATED}", ""
    if agreement(p, *p_of(chi_square, df, truncated=True)) is not Agreement.NONE:
        return Verdict.CONSISTENT_ONLY_IF, f"df = {df}, χ² {TRUNCATED}", ""
    if is_half:
        return Verdict.CONSISTENT_ONLY_IF, "df = 1, p one-sided", ""
    if fits:
        listed = " or ".join(map(str, fits))
        return Verdict.CONSISTENT_ONLY_IF, f"df = {listed}", f"{fits[0] + 1} groups were tested, not {df + 1} as the row says"
    implied = Range(float(stats.chi2.isf(min(1.0, p.high), df)), float(stats.chi2.isf(max(0.0, p.low), df)))
    wanted = f"p {p} with df {df} needs χ² {implied.low:.2f} to {implied.high:.2f}"
    return Verdict.INCONSISTENT, "", f"no df from 1 to {MAX_DF} fits; {wanted}"
