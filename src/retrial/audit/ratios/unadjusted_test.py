"""Part of the family `ratio_ci_p`: an endpoint's unadjusted test against the interval of its unadjusted hazard ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.numbers import Range, Sides, sides_in_words, sides_of
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.arithmetic import Ratio
from retrial.audit.ratios.checks import FAMILY, LEFT_OUT, events_of, same_patients, z_of_p
from retrial.audit.ratios.misprint import diagnosed, printed_ratio
from retrial.study.sections import Effect, Endpoint, UnadjustedTest
from retrial.study.study import Study


def checks(study: Study) -> Iterator[Check]:
    """One check for each unadjusted treatment hazard ratio whose endpoint prints a test."""
    for key, effect in study.effects.items():
        endpoint, ratio = study.endpoints.get(effect.endpoint), printed_ratio(effect)
        if endpoint is None or endpoint.test is None or ratio is None:
            continue
        if effect.is_treatment and not effect.adjusted_for and effect.measure == "hazard_ratio":
            found = diagnosed(key, effect, ratio)
            if found.verdict is not Verdict.INCONSISTENT:
                yield from _check(endpoint, effect, endpoint.test, found.ratio)


def _check(endpoint: Endpoint, effect: Effect, test: UnadjustedTest, ratio: Ratio) -> Iterator[Check]:
    said = sides_of(test)
    z, events, label = _z_of(test, said), events_of(endpoint)[2], endpoint.label or effect.endpoint
    if z is None:
        return
    possible = ratios.z_of_other_tests(ratio, events).every
    agree, other = same_patients(ratio, z, events), _other_sides(ratio, test, said, events)
    path, printed = f"endpoints.{effect.endpoint}.test", _printed(test)
    decision, note = (
        None,
        "" if agree or other else f"|z| of the test is {_show(z)}, of the interval {abs(ratios.wald_z(ratio)):.2f}",
    )
    if not note:
        pass
    elif test.chi_square is None:
        note += f"; the interval has three numbers that agree: the lone p is {LEFT_OUT}"
        decision = Decision(path, Consequence.EXCLUDED, None, note)
    else:
        note += "; which of them is wrong cannot be told: life tables are asked to carry both"
    consequence = decision.consequence if decision else Consequence.NONE if agree or other else Consequence.AS_PRINTED
    yield Check(
        family=FAMILY,
        claim=f"{label}: {test.words}, {printed}, beside the hazard ratio {ratio.estimate} ({ratio.lower} to {ratio.upper})",
        where=test.where or effect.where,
        path=path,
        printed=printed,
        recomputed=f"|z| {_show(possible)} by the interval, whatever the test (without ties)",
        verdict=Verdict.CONSISTENT if agree else Verdict.CONSISTENT_ONLY_IF if other else Verdict.INCONSISTENT,
        reading="" if agree else other,
        note=note,
        consequence=consequence,
        numbers=0,
        decision=decision,
    )


def _other_sides(ratio: Ratio, test: UnadjustedTest, said: Sides, events: int | None) -> str:
    """How a lone p belongs to the interval if it has another number of sides than expected; empty where it does not."""
    other: Sides = 1 if said == 2 else 2
    z = None if test.chi_square is not None else _z_of(test, other)
    return f"p is {sides_in_words(other, said)}" if z is not None and same_patients(ratio, z, events) else ""


def _z_of(test: UnadjustedTest, sides: Sides) -> Range | None:
    """|z| over the rounding of χ², else of p."""
    if test.chi_square is not None:
        return Range(math.sqrt(max(test.chi_square.low, 0.0)), math.sqrt(test.chi_square.high))
    return None if test.p is None else z_of_p(test.p, sides)


def _printed(test: UnadjustedTest) -> str:
    parts = (("χ²", test.chi_square), ("p", test.p))
    return ", ".join(f"{name} {value}" for name, value in parts if value is not None)


def _show(z: Range) -> str:
    return f"{z.low:.2f}" if f"{z.low:.2f}" == f"{z.high:.2f}" else f"{z.low:.2f} to {z.high:.2f}"
