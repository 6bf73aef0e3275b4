"""Which of a ratio, its limits and its p is misprinted, where they do not hold together, and what the models then use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrial.audit.check import Consequence, Decision, Verdict
from retrial.audit.numbers import TRUNCATED, Agreement, agreement, show_p, sides_of, significant
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.arithmetic import PARTS, Part, Ratio
from retrial.study.fields import Interval
from retrial.study.reported import Quantity, Reported
from retrial.study.sections import Effect

NOT_WALD = 0.25
"""Asymmetry (in standard errors) up to which an interval may be of another kind (profile likelihood, exact, bootstrap);
those seldom shift the middle by a tenth of a standard error at the sample sizes that are published."""
AUDIT = "audit"
_MOST_DECIMALS = 12
_SMALLEST, _LARGEST = 1e-12, 999_999_999_999.0
"""Ratios that can be written with 12 digits on each side of the point."""
_DIGITS = 6
"""Significant digits of a limit that the audit writes: its rounding must not show in the SE."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the comparison of a ratio with its limits says, and the ratio that the models use."""

    ratio: Ratio
    verdict: Verdict
    reading: str = ""
    note: str = ""
    consequence: Consequence = Consequence.NONE
    decision: Decision | None = None


def printed_ratio(effect: Effect) -> Ratio | None:
    """The first prints of an effect's estimate and limits (or what its SE or single limit implies); None without an interval."""
    interval = effect.interval
    if interval is None:
        return None
    return Ratio(effect.estimate.first, interval.lower.first, interval.upper.first, effect.interval_level)


def diagnosed(key: str, effect: Effect, ratio: Ratio) -> Diagnosis:
    """Hold an estimate against its limits; where they contradict one another, find the misprint if there is exactly one.

    In this order: the first prints agree; another print of one of the three agrees (corrected to it); the numbers agree if cut
    off instead of rounded; leaving out exactly one of the three makes the others agree with p (corrected to what they imply);
    no single number can be blamed (the interval is widened to the longer of its two sides about the estimate);
    p agrees with none of them either (left out).
    """
    if ratios.is_symmetric(ratio) or not isinstance(effect.ci, Interval):
        return Diagnosis(ratio, Verdict.CONSISTENT)
    other = _other_print(key, effect, ratio)
    if other is not None:
        return other
    if ratios.is_symmetric(ratio, truncated=True):
        return Diagnosis(ratio, Verdict.CONSISTENT_ONLY_IF, TRUNCATED, consequence=Consequence.AS_PRINTED)
    return _single_misprint(key, effect, ratio)


def _other_print(key: str, effect: Effect, ratio: Ratio) -> Diagnosis | None:
    """The one combination of printed places that differs from the first in one quantity and is symmetric."""
    if not isinstance(effect.ci, Interval):
        return None
    prints = {"estimate": effect.estimate.prints, "lower": effect.ci.lower.prints, "upper": effect.ci.upper.prints}
    found: dict[tuple[Part, str], tuple[Reported, Ratio]] = {}
    for part in PARTS:
        for print_ in prints[part][1:]:
            changed = ratio.with_part(part, print_)
            if ratios.is_symmetric(changed):
                found.setdefault((part, print_.text), (print_, changed))
    if len(found) != 1:
        return None
    (part, _), (print_, changed) = next(iter(found.items()))
    reason = _compared(effect, getattr(ratio, part), print_, ratio, changed)
    decision = Decision(_path(key, effect, part), Consequence.CORRECTED, Quantity((print_,)), reason)
    return Diagnosis(changed, Verdict.INCONSISTENT, f"{part} {print_.text}", reason, Consequence.CORRECTED, decision)


def _compared(effect: Effect, first: Reported, other: Reported, ratio: Ratio, changed: Ratio) -> str:
    """Why one print is taken and not the first, with the Wald p of both."""
    p = [math.erfc(abs(ratios.wald_z(item)) / math.sqrt(2)) for item in (ratio, changed)]
    tested = f"; Wald p {show_p(p[0])} with the one, {show_p(p[1])} with the other, printed {effect.p}" if effect.p else ""
    places = (first.where or effect.where, other.where or effect.where)
    return f"{first.text} ({places[0]}) does not fit the other two numbers, {other.text} ({places[1]}) does{tested}"


def _single_misprint(key: str, effect: Effect, ratio: Ratio) -> Diagnosis:
    apart = f"{ratios.asymmetry(ratio):.2f} SE from the middle of its interval"
    blamed = [part for part in PARTS if _agrees_without(effect, ratio, part)]
    if len(blamed) == 1 and ratios.asymmetry(ratio) > NOT_WALD:
        implied = _implied(ratio, blamed[0])
        reason = f"{apart}; only without the {blamed[0]} do the others agree with p {effect.p}: misprinted for {implied.text}"
        decision = Decision(_path(key, effect, blamed[0]), Consequence.CORRECTED, Quantity((implied,)), reason)
        changed = ratio.with_part(blamed[0], implied)
        return Diagnosis(changed, Verdict.INCONSISTENT, f"{blamed[0]} {implied.text}", reason, Consequence.CORRECTED, decision)
    if effect.p is not None and not blamed and ratios.asymmetry(ratio) > NOT_WALD and not _wald_agrees(effect, ratio):
        reason = f"{apart}, and p {effect.p} agrees with no two of estimate and limits: none of the four can be trusted"
        decision = Decision(f"effects.{key}", Consequence.EXCLUDED, None, reason)
        return Diagnosis(ratio, Verdict.INCONSISTENT, "", reason, Consequence.EXCLUDED, decision)
    return _widened(key, ratio, apart)


def _widened(key: str, ratio: Ratio, apart: str) -> Diagnosis:
    """Symmetric interval about the estimate with the longer of the two printed sides: its SE claims no more than either."""
    middle = math.log(ratio.estimate.value)
    side = max(math.log(ratio.upper.value) - middle, middle - math.log(ratio.lower.value))
    limits = [Quantity((_written(math.exp(middle + sign * side)),)) for sign in (-1, 1)]
    mild = ratios.asymmetry(ratio) <= NOT_WALD
    reading = "an interval of another kind than Wald's (profile likelihood, exact, bootstrap)" if mild else ""
    note = f"{apart}; SE taken from the longer side, {side / ratio.quantile:.4f}, not {ratio.standard_error:.4f}"
    decision = Decision(f"effects.{key}.ci", Consequence.WIDENED, Interval(limits[0], limits[1]), note)
    verdict = Verdict.CONSISTENT_ONLY_IF if mild else Verdict.INCONSISTENT
    return Diagnosis(ratio, verdict, reading, note, Consequence.WIDENED, decision)


def _agrees_without(effect: Effect, ratio: Ratio, part: Part) -> bool:
    if (
        effect.p is None
        or (part == "lower" and ratio.estimate.high >= ratio.upper.low)
        or (part == "upper" and ratio.lower.high >= ratio.estimate.low)
    ):
        return False
    sides = sides_of(effect)
    return agreement(effect.p.first, *(end * sides / 2 for end in ratios.p_without(ratio, part))) is Agreement.ROUNDED


def _wald_agrees(effect: Effect, ratio: Ratio) -> bool:
    """Whether p is Wald's, of one side or two, with the estimate as printed and the width of the interval as SE."""
    lower, upper, estimate = ratios.log_box(ratio)
    z = [abs(middle) * 2 * ratio.quantile / (high - low) for middle in estimate for low in lower for high in upper]
    p = [math.erfc(value / math.sqrt(2)) for value in z]
    scales = (1.0, 0.5)
    return effect.p is not None and any(
        agreement(effect.p.first, scale * min(p), scale * max(p)) is Agreement.ROUNDED for scale in scales
    )


def _implied(ratio: Ratio, part: Part) -> Reported:
    """What the two other numbers say of `part`, with one digit more than printed."""
    value = {
        "estimate": math.sqrt(ratio.lower.value * ratio.upper.value),
        "lower": ratio.estimate.value**2 / ratio.upper.value,
        "upper": ratio.estimate.value**2 / ratio.lower.value,
    }[part]
    return _written(value, min(getattr(ratio, part).decimals + 1, _MOST_DECIMALS))


def _written(value: float, decimals: int | None = None) -> Reported:
    """A ratio that the audit writes: above 0, however few `decimals` it is to have, and in as many digits as a number may have."""
    value = min(max(value, _SMALLEST), _LARGEST)
    text = significant(value, _DIGITS) if decimals is None else f"{value:.{decimals}f}"
    return Reported(text if float(text) > 0 else significant(value, _DIGITS), AUDIT)


def _path(key: str, effect: Effect, part: Part) -> str:
    return f"effects.{key}.{effect.measure}" if part == "estimate" else f"effects.{key}.ci.{part}"
