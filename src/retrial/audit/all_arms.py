"""What a paper prints of three or more arms together: tests of all arms and totals over them, which no comparison of two can check."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.counts import percentages
from retrial.audit.counts.contingency import LIKELIHOOD_RATIO, PEARSON, TestValue, usual_tests
from retrial.audit.counts.count_tests import judged
from retrial.audit.numbers import Range, printed_texts, show_p_range
from retrial.audit.rows import Row, continuous_or_not, count_rows, level_rows
from retrial.audit.run import run_audit
from retrial.study.arms.many import MultiArmStudy
from retrial.study.arms.names import ArmNames
from retrial.study.fields import MeanSD
from retrial.study.reported import Quantity
from retrial.study.study import Study

NOT_USED = "a number of all arms; no comparison uses it"
ANOVA = "one-way analysis of variance"


def checks_of_all_arms(study: MultiArmStudy) -> list[Check]:
    """Effects whose arms were told by their names, totals, tests of all arms (χ² with (arms - 1) degrees of freedom and its kin), and what is
    each arm's own.
    """
    counts = _counts(study)
    found = [*_told(study), *_sizes(study), *_events(study)]
    for row in count_rows(study.whole):
        mine = counts.get(row.path, {})
        found += _total(study, row, mine)
        if len(mine) == len(study.arms) and not row.path.startswith("baseline."):
            found += _test(study, row, mine)
    for name, variable in continuous_or_not(study.whole.baseline, levels=True):
        if variable.p is not None and variable.exclusive:
            found += _levels(study, list(level_rows(study.whole, name, variable)), variable.label or name, variable.p, counts)
    return [*found, *_means(study), *dict.fromkeys(_singles(study))]


OWN = ("counts", "percentages", "medians", "time")
"""Families of checks that are an arm's own."""
_OF_FEWER = ".evaluable"
"""End of the path of a check that tells how many patients a pair's percentages are of."""


def is_of_pair(check: Check) -> bool:
    """Whether a check of two of the arms is told as theirs: each arm's own are told of the arm, but for what changes the models."""
    changes = check.consequence not in (Consequence.NONE, Consequence.AS_PRINTED) or check.path.endswith(_OF_FEWER)
    return check.family not in OWN or changes


def _singles(study: MultiArmStudy) -> Iterator[Check]:
    """What is each arm's own. Percentages are told as the arm's comparisons read them: their models take the patients that both arms imply."""
    read = _percentages(study)
    for one in study.singles:
        for check in run_audit(one):
            if check.family in OWN and not check.path.endswith(_OF_FEWER):
                told = named_check(check, one.names)
                yield from read.get(told.path, [told])


def _percentages(study: MultiArmStudy) -> dict[str, list[Check]]:
    """What the comparisons say of every percentage, each thing once, by key path."""
    found: dict[str, list[Check]] = {}
    for pair in study.comparisons():
        for check in run_audit(pair):
            told = named_check(check, pair.names)
            if check.family == percentages.FAMILY and told not in found.setdefault(told.path, []):
                found[told.path].append(told)
    return found


def named_check(check: Check, names: ArmNames) -> Check:
    """The check with the arms called as the study file calls them."""
    told: dict[str, Any] = {
        name: names.prose(getattr(check, name)) for name in ("claim", "printed", "recomputed", "reading", "note")
    }
    return replace(check, path=names.path(check.path), **told)


def _of_arms[T](study: MultiArmStudy, get: Callable[[Study, str], T | None]) -> dict[str, T]:
    """What `get` finds of each arm, in the order of the arms."""
    found: dict[str, T] = {}
    for pair, (name, role) in ((one, item) for one in study.every for item in one.names.roles.items()):
        value = get(pair, role) if name not in found else None
        if value is not None:
            found[name] = value
    return {name: found[name] for name in study.arms if name in found}


def _counts(study: MultiArmStudy) -> dict[str, dict[str, int]]:
    """Counts of every row by arm."""
    rows: dict[str, dict[str, int]] = {}
    for pair in study.every:
        for row in count_rows(pair):
            for name, role in pair.names.roles.items():
                rows.setdefault(row.path, {}).setdefault(name, int(row.cells[role].n))
    return {path: {name: mine[name] for name in study.arms if name in mine} for path, mine in rows.items()}


def _told(study: MultiArmStudy) -> Iterator[Check]:
    for key, words in study.told.items():
        yield Check(
            family="direction",
            claim=f"effects.{key} is {words}",
            where=study.whole.effects[key].where if key in study.whole.effects else "",
            path=f"effects.{key}",
            printed=key,
            recomputed=words,
            verdict=Verdict.CONSISTENT_ONLY_IF,
            reading=f"its key and label mean {words}",
            note="the file does not name the arms of this effect: write numerator and denominator",
            numbers=0,
        )


def _sum(claim: str, where: str, path: str, parts: Mapping[str, int], total: int) -> Check:
    """Whether the arms' numbers add to the printed total."""
    adds = sum(parts.values()) == total
    return Check(
        family="counts",
        claim=claim,
        where=where,
        path=path,
        printed=f"total {total}",
        recomputed=f"{' + '.join(f'{name} {n}' for name, n in parts.items())} = {sum(parts.values())}",
        verdict=Verdict.CONSISTENT if adds else Verdict.INCONSISTENT,
        note="" if adds else NOT_USED,
        consequence=Consequence.NONE,
    )


def _sizes(study: MultiArmStudy) -> Iterator[Check]:
    total, parts = study.whole.total, _of_arms(study, lambda pair, role: pair.n(role))
    if total is not None and len(parts) == len(study.arms):
        yield _sum("patients of the arms add to the total", total.n.where(), "total.n", parts, int(total.n))


def _events(study: MultiArmStudy) -> Iterator[Check]:
    for key, endpoint in study.whole.endpoints.items():
        total = endpoint.events.total

        def events(pair: Study, role: str, key: str = key) -> int | None:
            cell = getattr(pair.endpoints[key].events, role)
            return None if cell is None else int(cell)

        parts = _of_arms(study, events)
        if total is not None and len(parts) == len(study.arms):
            claim = f"{endpoint.label or key}: events of the arms add to the total"
            yield _sum(claim, endpoint.events.where or endpoint.where, f"endpoints.{key}.events.total", parts, int(total))


def _total(study: MultiArmStudy, row: Row, mine: Mapping[str, int]) -> Iterator[Check]:
    total = row.counts.total
    if total is not None and len(mine) == len(study.arms):
        where = total.n.where(row.where)
        yield _sum(f"{row.label}: arms add to the total", where, f"{row.path}.total", mine, int(total))


def _test(study: MultiArmStudy, row: Row, mine: Mapping[str, int]) -> Iterator[Check]:
    """The printed test of one row over all arms."""
    p, chi_square = (_of_all(number) for number in (row.counts.p, row.counts.chi_square))
    sizes = _of_arms(study, lambda pair, role: pair.patients(row.path, role))
    if (p is None and chi_square is None) or len(sizes) < len(mine):
        return
    table = tuple((mine[name], sizes[name] - mine[name]) for name in mine)
    claim = f"{row.label}: {' v '.join(f'{n} ({name})' for name, n in mine.items())}, all arms"
    if tests := usual_tests(table):
        yield judged(claim, row.where, row.path, table, tests, p, chi_square)


def _of_all(number: Quantity | None) -> Quantity | None:
    """A number that names no two arms as its place."""
    return None if number is None or any("/" in one.where or " v" in one.where for one in number.prints) else number


def _levels(
    study: MultiArmStudy, rows: list[Row], label: str, p: Quantity, counts: Mapping[str, Mapping[str, int]]
) -> Iterator[Check]:
    """The test of a baseline variable: its levels against all arms."""
    mine = [counts.get(row.path, {}) for row in rows]
    if _of_all(p) is None or not rows or any(len(one) < len(study.arms) for one in mine):
        return
    table = tuple(tuple(one[name] for name in study.arms) for one in mine)
    turned = tuple(zip(*table, strict=True))
    tests = usual_tests(turned) if len(table) == 2 else _contingency(np.array(table, float))
    if tests:
        path = rows[0].path.split(".levels.")[0]
        claim = f"{label}: {'; '.join(' v '.join(map(str, row)) for row in table)} ({' v '.join(study.arms)})"
        yield judged(claim, rows[0].where, path, turned, tests, p, None)


def _contingency(counts: np.ndarray) -> tuple[TestValue, ...]:
    """Pearson's and the likelihood-ratio test of levels against arms, (levels - 1)(arms - 1) degrees of freedom."""
    counts = counts[counts.sum(axis=1) > 0]
    if len(counts) < 2 or (counts.sum(axis=0) == 0).any():
        return ()
    found = [stats.chi2_contingency(counts, correction=False, lambda_=power) for power in ("pearson", "log-likelihood")]
    names = (PEARSON, LIKELIHOOD_RATIO)
    return tuple(TestValue(name, float(one.pvalue), float(one.statistic)) for name, one in zip(names, found, strict=True))


def _means(study: MultiArmStudy) -> Iterator[Check]:
    """The printed p of a mean over all arms, by one-way analysis of variance."""
    sizes = _of_arms(study, lambda pair, role: pair.n(role))
    for name, variable in continuous_or_not(study.whole.baseline, levels=False):

        def mean(pair: Study, role: str, name: str = name) -> MeanSD | None:
            mine: Any = pair.baseline.variables.get(name) if pair.baseline is not None else None
            return None if mine is None else getattr(mine, role)

        means, p = _of_arms(study, mean), _of_all(variable.p)
        if p is None or len(means) < len(study.arms) or min(sizes.values(), default=0) < 2:
            continue
        found = anova_p(list(means.values()), [sizes[arm] for arm in means])
        fits = any(found.low <= one.high and one.low <= found.high for one in p.prints)
        where = variable.where or (study.whole.baseline.where if study.whole.baseline is not None else "")
        yield Check(
            family="mean_tests",
            claim=f"{variable.label or name}: {' v '.join(f'{one.mean} ± {one.sd}' for one in means.values())}, all arms",
            where=where,
            path=f"baseline.variables.{name}.p",
            printed=f"p {printed_texts(p)}",
            recomputed=f"{ANOVA} p {show_p_range(found)}",
            verdict=Verdict.CONSISTENT if fits else Verdict.CONSISTENT_ONLY_IF,
            reading=ANOVA if fits else f"another test than {ANOVA}, such as Kruskal and Wallis'",
        )


def anova_p(means: list[MeanSD], sizes: list[int]) -> Range:
    """Range of p of F = [Σ n_a (m_a - m)² / (k - 1)] / [Σ (n_a - 1) s_a² / (n - k)], means and SDs at the ends of their rounding."""
    n = np.array(sizes, float)
    k, total = len(sizes), float(n.sum())
    within = [
        float(((n - 1) * np.array([getattr(one.sd, end) for one in means]) ** 2).sum()) / (total - k) for end in ("low", "high")
    ]
    corners = itertools.product(*(((one.mean.low, one.mean.high) if k <= MAX_CORNERS else (one.mean.value,)) for one in means))
    between = [float((n * (m - (n * m).sum() / total) ** 2).sum()) / (k - 1) for m in map(np.array, corners)]
    smallest = 0.0 if max(one.mean.low for one in means) <= min(one.mean.high for one in means) else min(between)
    f = (math.inf if within[0] <= 0 else max(between) / within[0], math.inf if within[1] <= 0 else smallest / within[1])
    return Range(*(float(stats.f.sf(value, k - 1, total - k)) for value in f))


MAX_CORNERS = 10
"""Arms up to which every combination of rounded means is tried (2^10); beyond, the printed means are taken."""
