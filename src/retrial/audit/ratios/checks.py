"""Family `ratio_ci_p`: a ratio against its interval, its p against both, its standard error against the events."""

from __future__ import annotations

from collections.abc import Iterator

from scipy import stats

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.counts.contingency import matching
from retrial.audit.numbers import (
    LEAST_P,
    TRUNCATED,
    Agreement,
    Range,
    Sides,
    agreement,
    best,
    printed_texts,
    show_p,
    show_p_range,
    show_range,
    sides_in_words,
    sides_of,
)
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.arithmetic import Ratio
from retrial.audit.ratios.counted import tests_behind
from retrial.audit.ratios.misprint import Diagnosis, diagnosed, printed_ratio
from retrial.dims import ARMS
from retrial.multivariable.events import smallest_standard_error, split_standard_error
from retrial.study.fields import Interval
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Measure
from retrial.study.study import Study

FAMILY = "ratio_ci_p"
OTHER_TEST = 0.3
"""Largest distance of a |z| from what another test than Wald's can give without ties (`ratios.z_of_other_tests`) that is put down to
ties, strata and one-step ratios. In the 6-MP trial (`gehan`, 42 patients) Wald, log-rank and likelihood ratio are 3.8, 4.1 and 4.0."""
_ALPHA = 0.05
TENFOLD = 10.0
"""Factor between two tests' p that ties and strata do not explain."""
RISK_SHARE = 0.25
"""Largest share of |z| between Wald's test of a log risk ratio and a test of the risks."""
LEFT_OUT = "left out of the life tables"


def checks(study: Study) -> Iterator[Check]:
    """Up to three checks an effect: symmetry of its interval, its p, its standard error."""
    for key, effect in study.effects.items():
        label = effect_label(study, key, effect)
        ratio = printed_ratio(effect)
        if ratio is None:
            missing = "neither ci nor se is printed: neither the estimate nor p can be recomputed"
            yield Check(
                FAMILY, label, effect.where, f"effects.{key}", str(effect.estimate), "", Verdict.NOT_CHECKABLE,
                note=missing, consequence=Consequence.AS_PRINTED, numbers=0,
            )  # fmt: skip
            continue
        found = diagnosed(key, effect, ratio)
        if isinstance(effect.ci, Interval):
            yield _symmetry(key, effect, label, ratio, found)
        if effect.p is not None:
            yield _p(study, key, effect, label, found, effect.p)
        yield from _standard_error(study, key, effect, label, found.ratio)


def effect_label(study: Study, key: str, effect: Effect) -> str:
    """What the effect compares, in words."""
    if effect.label:
        name = study.endpoints[effect.endpoint].label if effect.endpoint in study.endpoints else ""
        return f"{effect.label}, {name or effect.endpoint or key}"
    return f"{key} ({effect.numerator} / {effect.denominator})"


def events_of(endpoint: Endpoint | None) -> tuple[int | None, int | None, int | None]:
    """Events of the control arm, the experimental arm and both, where printed."""
    if endpoint is None:
        return None, None, None
    arms = [None if (count := getattr(endpoint.events, arm)) is None else int(count) for arm in ARMS]
    total = None if endpoint.events.total is None else int(endpoint.events.total.n)
    if total is None and arms[0] is not None and arms[1] is not None:
        total = arms[0] + arms[1]
    return arms[0], arms[1], total


def _symmetry(key: str, effect: Effect, label: str, ratio: Ratio, found: Diagnosis) -> Check:
    middle = show_range(ratios.geometric_mean(ratio), ratio.estimate.decimals)
    return Check(
        family=FAMILY,
        claim=f"{label}: {effect.measure.replace('_', ' ')} {printed_texts(effect.estimate)}, CI {ratio.lower} to {ratio.upper}",
        where=effect.where,
        path=f"effects.{key}.{effect.measure}",
        printed=f"{printed_texts(effect.estimate)} ({ratio.lower} to {ratio.upper})",
        recomputed=f"geometric mean of the limits {middle}",
        verdict=found.verdict,
        reading=found.reading,
        note=found.note,
        consequence=found.consequence,
        numbers=len(effect.estimate.prints),
        decision=found.decision,
    )


def _p(study: Study, key: str, effect: Effect, label: str, found: Diagnosis, p: Quantity) -> Check:
    implied = ratios.wald_p(found.ratio) or ratios.p_of_any_two(found.ratio)
    sides = sides_of(effect)
    expected = implied if sides == 2 else one_sided(implied)
    fit = best(agreement(print_, *expected) for print_ in p.prints)
    verdict, reading, note, decision = Verdict.CONSISTENT, "Wald" if sides == 2 else "one-sided Wald", "", None
    if fit is Agreement.TRUNCATED:
        verdict, reading = Verdict.CONSISTENT_ONLY_IF, f"{reading}, {TRUNCATED}"
    elif fit is Agreement.NONE:
        verdict, reading, note = _other_reading(study, key, effect, found.ratio, p)
        if verdict is Verdict.INCONSISTENT and found.verdict is not Verdict.INCONSISTENT and _is_the_test(study, effect):
            note += f"; the interval has three numbers that agree: p is {LEFT_OUT}"
            decision = Decision(f"effects.{key}.p", Consequence.EXCLUDED, None, note)
    estimate = found.ratio.estimate
    return Check(
        family=FAMILY,
        claim=f"{label}: p {printed_texts(p)} for {estimate} ({found.ratio.lower} to {found.ratio.upper})",
        where=p.where(effect.where),
        path=f"effects.{key}.p",
        printed=f"p {printed_texts(p)}",
        recomputed=f"{'Wald' if sides == 2 else 'one-sided Wald'} p {show_p_range(expected)}",
        verdict=verdict,
        reading=reading,
        note=note,
        consequence=decision.consequence if decision else Consequence.NONE,
        decision=decision,
    )


def one_sided(p: Range) -> Range:
    """The p of the observed side, from a two-sided p of a symmetric statistic."""
    return Range(p.low / 2, p.high / 2)


def _is_the_test(study: Study, effect: Effect) -> bool:
    """Whether a reconstruction would take this p for the unadjusted test's, because the endpoint prints none."""
    endpoint = study.endpoints.get(effect.endpoint)
    unadjusted = effect.is_treatment and not effect.adjusted_for and effect.measure == "hazard_ratio"
    return endpoint is not None and endpoint.test is None and unadjusted


def _other_reading(study: Study, key: str, effect: Effect, ratio: Ratio, p: Quantity) -> tuple[Verdict, str, str]:
    """A p that is not Wald's with the expected sides: of the endpoint's test, of the other number of sides, of another test, or of none."""
    wald, sides = abs(ratios.wald_z(ratio)), sides_of(effect)
    implied = ratios.wald_p(ratio) or ratios.p_of_any_two(ratio)
    apart = (implied.high < _ALPHA <= p.low * 2 / sides) or (p.high * 2 / sides <= _ALPHA < implied.low)
    side = "; Wald's is on the other side of 0.05" if apart else ""
    endpoint = study.endpoints.get(effect.endpoint)
    test = endpoint.test if endpoint is not None else None
    if (
        test is not None
        and test.p is not None
        and effect.is_treatment
        and not effect.adjusted_for
        and (test.p.text, test.sides) == (p.text, sides)
    ):
        return (
            Verdict.CONSISTENT_ONLY_IF,
            f"p is the {test.words}'s, not Wald's",
            f"Wald p {show_p(2 * stats.norm.sf(wald))}{side}",
        )
    readings = _readings(study, key, effect, ratio, p, sides)
    if readings:
        return Verdict.CONSISTENT_ONLY_IF, "; or ".join(readings), side.lstrip("; ")
    printed, other = z_of_p(p, sides), ratios.z_of_other_tests(ratio, events_of(endpoint)[2]).every
    shown = f"of score, log-rank and likelihood-ratio tests {other.low:.2f} to {other.high:.2f}, "
    return (
        Verdict.INCONSISTENT,
        "",
        f"|z| of the interval is {wald:.2f}, {shown}of the printed p {printed.low:.2f} to {printed.high:.2f}{side}",
    )


def _readings(study: Study, key: str, effect: Effect, ratio: Ratio, p: Quantity, said: Sides) -> list[str]:
    """What a p can be that is not Wald's as expected, the exact readings first."""
    other: Sides = 1 if said == 2 else 2
    implied = ratios.wald_p(ratio) or ratios.p_of_any_two(ratio)
    found = []
    if best(agreement(print_, *(one_sided(implied) if other == 1 else implied)) for print_ in p.prints) is Agreement.ROUNDED:
        found.append(f"Wald, {sides_in_words(other, said)}")
    tests = tests_behind(study, key, effect, ratio) if said == 2 else []
    counted = matching(tests, p)
    if counted:
        found.append(f"{' or '.join(dict.fromkeys(counted.names))} of counts with this ratio")
    events = events_of(study.endpoints.get(effect.endpoint))[2]
    measure = "odds_ratio" if tests else effect.measure
    for sides in (said, other) if not found else (said,):
        if same_patients(ratio, z_of_p(p, sides), events, measure=measure):
            words = sides_in_words(sides, said)
            found.append(", ".join(filter(None, ("p from another test than Wald (score, log-rank, likelihood ratio)", words))))
            break
    return found


def z_of_p(p: Quantity, sides: Sides = 2) -> Range:
    """|z| of a printed p over its rounding."""
    low, high = (abs(float(stats.norm.isf(min(1.0, max(end, LEAST_P)) / sides))) for end in (p.first.high, p.first.low))
    return Range(min(low, high), max(low, high))


def same_patients(ratio: Ratio, z: Range, events: int | None = None, *, measure: Measure = "hazard_ratio") -> bool:
    """Whether some test that compares the same patients as the ratio's interval can have this |z|.

    Within the bounds of the tests themselves and `OTHER_TEST` beyond, where p is not `TENFOLD` off Wald's; where it is, within the bounds of the
    score test alone. A risk ratio has no such bounds (its tests look at risks, not at log risks): it may differ by `RISK_SHARE` of |z|.
    """
    possible, wald = ratios.z_of_other_tests(ratio, events), abs(ratios.wald_z(ratio))
    if measure == "risk_ratio":
        room = max(OTHER_TEST, RISK_SHARE * wald)
        return possible.every.low - room <= z.high and z.low <= possible.every.high + room
    if possible.score.low <= z.high and z.low <= possible.score.high:
        return True
    least, most = _tenfold(ratio)
    low, high = max(possible.every.low - OTHER_TEST, least), min(possible.every.high + OTHER_TEST, most)
    return low <= z.high and z.low <= high


def _tenfold(ratio: Ratio) -> Range:
    """|z| whose p is at most `TENFOLD` above or below Wald's, over the rounding of the interval."""
    implied = ratios.wald_p(ratio) or ratios.p_of_any_two(ratio)
    low, high = (
        float(stats.norm.isf(min(1.0, max(end, LEAST_P)) / 2)) for end in (implied.high * TENFOLD, implied.low / TENFOLD)
    )
    return Range(low, high)


def _standard_error(study: Study, key: str, effect: Effect, label: str, ratio: Ratio) -> Iterator[Check]:
    """SE implied by the interval against the smallest that the events allow."""
    control, experimental, total = events_of(study.endpoints.get(effect.endpoint))
    if effect.measure != "hazard_ratio" or total is None or total < 1:
        return
    found = ratios.standard_error_range(ratio)
    least = smallest_standard_error(total)
    known = effect.is_treatment and bool(control) and bool(experimental)
    split = split_standard_error(control or 1, experimental or 1) if known else least
    verdict, reading, note = _bounded(effect, found.high, least, split)
    yield Check(
        family=FAMILY,
        claim=f"{label}: SE of log HR {ratio.standard_error:.4f} with {total} events",
        where=effect.where,
        path=f"effects.{key}.ci",
        printed=f"{ratio.lower} to {ratio.upper}",
        recomputed=f"SE at least {split:.4f}" + ("" if known else _splits(total, found.high)),
        verdict=verdict,
        reading=reading,
        note=note,
        consequence=Consequence.NONE if verdict is Verdict.CONSISTENT else Consequence.AS_PRINTED,
        numbers=0,
    )


def _splits(total: int, standard_error: float) -> str:
    possible = ratios.possible_splits(total, standard_error)
    return (
        f" (2/√{total}); a Cox SE this small needs {possible.low:.0f} to {possible.high:.0f} events in either group"
        if possible
        else ""
    )


def _bounded(effect: Effect, largest: float, least: float, split: float) -> tuple[Verdict, str, str]:
    if largest * (1 + 1e-9) >= split:
        return Verdict.CONSISTENT, "", ""
    if largest * (1 + 1e-9) >= least:
        return (
            Verdict.CONSISTENT_ONLY_IF,
            "not a Cox estimate (one-step or observed / expected)",
            "smaller than a Cox fit allows with these events",
        )
    if effect.is_treatment:
        return Verdict.INCONSISTENT, "", "the interval is narrower than these events allow to any comparison of two groups"
    return (
        Verdict.CONSISTENT_ONLY_IF,
        "a ratio per unit of a quantity, not of two groups",
        "narrower than two groups allow with these events",
    )
