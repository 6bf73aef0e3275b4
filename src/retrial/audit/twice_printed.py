"""Family `twice_printed`: one quantity in several places, and two tests of one comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.counts.chi_square import p_of
from retrial.audit.numbers import TRUNCATED, Agreement, Sides, agreement, show_p, truncation_interval
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.checks import OTHER_TEST, events_of, same_patients, z_of_p
from retrial.audit.ratios.misprint import diagnosed, printed_ratio
from retrial.audit.rows import quantities
from retrial.study.reported import Quantity, Reported
from retrial.study.sections import Effect, Endpoint, UnadjustedTest
from retrial.study.study import Study

FAMILY = "twice_printed"


def checks(study: Study) -> Iterator[Check]:
    """Every quantity with several prints; then the tests of each endpoint's treatment comparison against one another."""
    for path, quantity, where in quantities(study):
        if len(quantity.prints) > 1:
            yield _places(path, quantity, where, _in_words(study, path))
    for key, effect in study.effects.items():
        endpoint = study.endpoints.get(effect.endpoint)
        if endpoint is not None and effect.is_treatment and not effect.adjusted_for and endpoint.test is not None:
            yield from _two_tests(key, effect, endpoint, endpoint.test)
    for key, endpoint in study.endpoints.items():
        if endpoint.test is not None:
            yield from _repeated(study, key, endpoint.test)


def agree(first: Reported, second: Reported) -> Agreement:
    """Whether one value can print as both: equal at equal decimals; otherwise rounded (or cut off) to the coarser."""
    coarse, fine = sorted((first, second), key=lambda item: (item.decimals, not item.relation))
    if first.decimals == second.decimals and not first.relation and not second.relation:
        return Agreement.ROUNDED if first.value == second.value else Agreement.NONE
    if (coarse.low < fine.high and fine.low < coarse.high) or (coarse.high == fine.high == math.inf):
        return Agreement.ROUNDED
    cut = truncation_interval(coarse)
    return Agreement.TRUNCATED if not coarse.relation and cut.low <= fine.value < cut.high else Agreement.NONE


def _in_words(study: Study, path: str) -> str:
    """A key path as a reader says it: "Therapeutic regimen, progression-free survival: hazard ratio"."""
    section, key, *rest = path.split(".")
    effect = study.effects.get(key) if section == "effects" else None
    if effect is None:
        return ", ".join(path.split(".")).replace("_", " ")
    endpoint = study.endpoints.get(effect.endpoint)
    about = [effect.label or "", (endpoint.label if endpoint is not None else "") or effect.endpoint]
    named = ", ".join(part for part in about if part) or key.replace("_", " ")
    return f"{named}: {', '.join(rest).replace('_', ' ')}"


def _places(path: str, quantity: Quantity, where: str, name: str) -> Check:
    found = {agree(first, second) for first, second in combinations(quantity.prints, 2)}
    same = found == {Agreement.ROUNDED}
    cut = not same and Agreement.NONE not in found
    shown = "; ".join(f"{print_.text} ({print_.where or where})" for print_ in quantity.prints)
    return Check(
        family=FAMILY,
        claim=f"{name} in {len(quantity.prints)} places",
        where=", ".join(print_.where or where for print_ in quantity.prints),
        path=path,
        printed=shown,
        recomputed="",
        verdict=Verdict.CONSISTENT if same else Verdict.CONSISTENT_ONLY_IF if cut else Verdict.INCONSISTENT,
        reading=TRUNCATED if cut else "",
        note="" if same or cut else f"different numbers for one quantity: {shown}",
        consequence=Consequence.NONE if same else Consequence.AS_PRINTED,
        numbers=len(quantity.prints) - 1,
    )


def _two_tests(key: str, effect: Effect, endpoint: Endpoint, test: UnadjustedTest) -> Iterator[Check]:
    """The p beside the ratio against the p of the endpoint's unadjusted test: equal, or two tests that are each right."""
    p, of_test = effect.two_sided_p, test.two_sided_p
    if p is None or of_test is None:
        return
    same = agree(p.first, of_test.first) is Agreement.ROUNDED
    origins = [_origin(key, effect), _test_origin(test)]
    known = all(origin for origin, _ in origins) or ((test.chi_square is None or origins[1][0]) and _near(effect, endpoint, test))
    either = Verdict.CONSISTENT_ONLY_IF if known else Verdict.INCONSISTENT
    note = f"{p} is {origins[0][1]}; {of_test} is {origins[1][1]}"
    yield Check(
        family=FAMILY,
        claim=f"{endpoint.label or effect.endpoint}, treatment: p {p} beside the ratio, p {of_test} of the {test.words}",
        where="; ".join(filter(None, (p.where(effect.where), test.where))),
        path=f"effects.{key}.p",
        printed=f"p {p}; p {of_test}",
        recomputed="; ".join(text for _, text in origins),
        verdict=Verdict.CONSISTENT if same else either,
        reading="" if same else "two different tests of one comparison",
        note="" if same else note,
        consequence=Consequence.NONE if same else Consequence.AS_PRINTED,
        numbers=0,
    )


def _near(effect: Effect, endpoint: Endpoint, test: UnadjustedTest) -> bool:
    """Whether the tests of one comparison can have both p-values, each of one side or two."""
    if effect.p is None or test.p is None:
        return False
    sides: tuple[Sides, ...] = (2, 1)
    ratio, events = printed_ratio(effect), events_of(endpoint)[2]
    if ratio is not None:
        fits = [[same_patients(ratio, z_of_p(p, side), events) for side in sides] for p in (effect.p, test.p)]
        return all(map(any, fits))
    zs = [(z_of_p(effect.p, first), z_of_p(test.p, second)) for first in sides for second in sides]
    return any(first.low - OTHER_TEST <= second.high and second.low <= first.high + OTHER_TEST for first, second in zs)


def _origin(key: str, effect: Effect) -> tuple[bool, str]:
    """Whether the p beside a ratio is Wald's p of its interval, in words."""
    ratio, p = printed_ratio(effect), effect.two_sided_p
    if ratio is None or p is None:
        return False, "of an unknown test (no interval is printed)"
    implied = ratios.wald_p(diagnosed(key, effect, ratio).ratio)
    if implied is None or agreement(p.first, *implied) is not Agreement.ROUNDED:
        return False, "not the Wald p of its interval"
    z = ratios.wald_z(diagnosed(key, effect, ratio).ratio)
    return True, f"the Wald p of the ratio's interval (z² {z * z:.3f}, p {show_p(float(2 * stats.norm.sf(abs(z))))})"


def _test_origin(test: UnadjustedTest) -> tuple[bool, str]:
    if test.chi_square is None or test.two_sided_p is None:
        return False, "of a test whose statistic is not printed"
    if agreement(test.two_sided_p.first, *p_of(test.chi_square.first, 1)) is not Agreement.ROUNDED:
        return False, f"not the p of χ² {test.chi_square} with 1 df"
    return True, f"the p of χ² {test.chi_square} with 1 df ({show_p(float(stats.chi2.sf(test.chi_square.value, 1)))})"


def _repeated(study: Study, key: str, test: UnadjustedTest) -> Iterator[Check]:
    """The endpoint's unadjusted test against the row of a test table that compares the arms."""
    for name, table in study.tests.items():
        for row_key, row in table.rows.items():
            result = row.results.get(key)
            if not row.treatment or result is None:
                continue
            pairs = [(test.chi_square, result.chi_square), (test.two_sided_p, result.two_sided_p)]
            given = [(first, second) for first, second in pairs if first is not None and second is not None]
            if given:
                path = f"tests.{name}.rows.{row_key}.results.{key}"
                yield _row_check(path, row.label or row_key, table.where, test, given)


def _row_check(path: str, label: str, table: str, test: UnadjustedTest, given: list[tuple[Quantity, Quantity]]) -> Check:
    same = all(agree(first.first, second.first) is Agreement.ROUNDED for first, second in given)
    one_print = bool(table) and table in test.where
    return Check(
        family=FAMILY,
        claim=f"{label}: {test.words} and row of the test table",
        where="; ".join(filter(None, (test.where, table))),
        path=path,
        printed="; ".join(f"{first} and {second}" for first, second in given),
        recomputed="",
        verdict=Verdict.CONSISTENT if same else Verdict.CONSISTENT_ONLY_IF,
        reading="" if same else "two different tests of one comparison",
        note="" if same else f"the row of the test table is not the {test.words} printed elsewhere",
        numbers=0 if one_print else len(given),
    )
