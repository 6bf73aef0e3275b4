"""Tests of r x 2 tables: against SciPy, brute-force enumeration and published values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.counts import contingency
from retrial.audit.counts.contingency import Table, freeman_halton, smallest_expected, usual_tests


def by_name(table: Table) -> dict[str, float]:
    return {test.name: test.p for test in usual_tests(table)}


def test_tea_tasting() -> None:
    """Fisher (1935), The Design of Experiments: 3 of 4 cups right, two-sided p = 34/70; one-sided 17/70."""
    found = by_name(((3, 1), (1, 3)))
    assert found[contingency.FISHER] == pytest.approx(34 / 70, abs=1e-12)
    assert found[contingency.MID_P] == pytest.approx(34 / 70 - 0.5 * 16 / 70, abs=1e-12)


def test_pearson_and_yates_closed_form() -> None:
    """n (ad - bc)^2 / (margins), and with |ad - bc| - n/2."""
    (a, b), (c, d) = (17, 24), (32, 19)
    n, margins = a + b + c + d, (a + b) * (c + d) * (a + c) * (b + d)
    found = {test.name: test for test in usual_tests(((a, b), (c, d)))}
    assert found[contingency.PEARSON].statistic == pytest.approx(n * (a * d - b * c) ** 2 / margins, abs=1e-10)
    assert found[contingency.YATES].statistic == pytest.approx(n * (abs(a * d - b * c) - n / 2) ** 2 / margins, abs=1e-10)
    expected = [(a + b) * (a + c) / n, (a + b) * (b + d) / n, (c + d) * (a + c) / n, (c + d) * (b + d) / n]
    ratio = 2 * sum(o * math.log(o / e) for o, e in zip((a, b, c, d), expected, strict=True))
    assert found[contingency.LIKELIHOOD_RATIO].statistic == pytest.approx(ratio, abs=1e-10)
    assert found[contingency.PEARSON].p == pytest.approx(
        math.erfc(math.sqrt(found[contingency.PEARSON].statistic / 2)), abs=1e-10
    )


counts = st.integers(0, 9)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(counts, counts), min_size=2, max_size=4))
def test_freeman_halton_is_the_enumeration(rows: list[tuple[int, int]]) -> None:
    totals = [sum(item) for item in rows]
    column = sum(item[0] for item in rows)
    law = stats.multivariate_hypergeom(m=totals, n=column) if column else None
    tables = [item for item in itertools.product(*(range(total + 1) for total in totals)) if sum(item) == column]
    probabilities = np.array([law.pmf(list(item)) if law is not None and sum(totals) else 1.0 for item in tables])
    own = probabilities[tables.index(tuple(item[0] for item in rows))]
    expected = probabilities[probabilities <= own * (1 + 1e-7)].sum()
    found = freeman_halton(tuple(rows))
    assert found is not None
    assert found[0] == pytest.approx(expected, abs=1e-8)
    assert found[1] == pytest.approx(own, abs=1e-8)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(counts, counts, counts, counts)
def test_freeman_halton_of_two_rows_is_fisher(a: int, b: int, c: int, d: int) -> None:
    found = freeman_halton(((a, b), (c, d)))
    assert found is not None
    assert found[0] == pytest.approx(stats.fisher_exact([[a, b], [c, d]]).pvalue, abs=1e-9)


def test_large_tables_have_no_exact_test() -> None:
    big = ((2000, 1900), (1500, 1600), (1800, 1750))
    assert freeman_halton(big) is None
    assert {test.name for test in usual_tests(big)} == {contingency.PEARSON, contingency.LIKELIHOOD_RATIO}


@pytest.mark.parametrize("table", [((0, 0), (49, 43)), ((49, 43), (0, 0)), ((0, 5), (0, 7)), ((3, 4),)])
def test_no_comparison_no_tests(table: Table) -> None:
    assert usual_tests(table) == ()


def test_empty_levels_are_left_out() -> None:
    assert by_name(((3, 4), (0, 0), (5, 6))) == by_name(((3, 4), (5, 6)))


def test_smallest_expected() -> None:
    assert smallest_expected(((2, 2), (47, 41))) == pytest.approx(4 * 43 / 92)


def test_one_sided_tests_are_the_tail_of_the_observed_direction() -> None:
    """20 of 101 against 10 of 105: Fisher's tail by SciPy; Miettinen-Nurminen 0.01850741 as published."""
    table = ((10, 20), (95, 81))
    found = {test.name: test.p for test in contingency.one_sided_tests(table)}
    assert found["one-sided Fisher exact"] == pytest.approx(stats.fisher_exact(table, alternative="less").pvalue, abs=1e-12)
    assert found["one-sided Pearson"] == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue / 2, abs=1e-12)
    assert found["one-sided Miettinen-Nurminen"] == pytest.approx(0.01850741, abs=5e-9)
    turned = tuple((second, first) for first, second in table)
    assert {test.name: test.p for test in contingency.one_sided_tests(turned)} == pytest.approx(found, abs=1e-12)  # type: ignore[arg-type]
    assert contingency.one_sided_tests(((1, 2), (3, 4), (5, 6))) == ()


def test_ordered_levels() -> None:
    """Mann-Whitney as SciPy's with ties and without continuity correction; trend n r² with r the correlation of level and arm."""
    table = ((10, 22), (15, 18), (25, 12))
    arms = [np.repeat([1, 2, 3], column) for column in np.array(table).T]
    found = {test.name: test.p for test in contingency.ordered_tests(table)}
    expected = stats.mannwhitneyu(*arms, use_continuity=False, method="asymptotic").pvalue
    assert found[contingency.MANN_WHITNEY] == pytest.approx(expected, abs=1e-12)
    r = np.corrcoef(np.concatenate(arms), np.repeat([0, 1], [50, 52]))[0, 1]
    assert found[contingency.TREND] == pytest.approx(stats.chi2.sf(102 * r**2, 1), abs=1e-12)
    assert found[contingency.LINEAR] == pytest.approx(stats.chi2.sf(101 * r**2, 1), abs=1e-12)
    assert contingency.ordered_tests(table[:2]) == ()
