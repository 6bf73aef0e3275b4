"""Family `direction`: which way a treatment ratio runs, from the unadjusted ratio and the medians."""

from __future__ import annotations

import math
from collections.abc import Iterator

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import Range, significant
from retrial.audit.ratios.arithmetic import Ratio
from retrial.audit.ratios.checks import effect_label
from retrial.audit.ratios.misprint import diagnosed, printed_ratio
from retrial.dims import EXPERIMENTAL
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Median
from retrial.study.study import Study

FAMILY = "direction"
FAR = 1.96
"""Standard errors between an adjusted and the unadjusted log ratio beyond which the opposite reading is worth naming."""


def checks(study: Study) -> Iterator[Check]:
    """For each treatment effect: unadjusted ones against the medians, adjusted or reversed ones against the unadjusted."""
    for key, effect in study.effects.items():
        if not effect.is_treatment:
            continue
        endpoint = study.endpoints.get(effect.endpoint)
        reference = _reference(study, key, effect)
        if reference is not None and (effect.adjusted_for or effect.label_direction == "reversed"):
            yield _against_unadjusted(study, key, effect, *reference)
        elif effect.label_direction == "reversed" or (endpoint is not None and not effect.adjusted_for):
            yield _against_medians(study, key, effect, endpoint)


def experimental_over_control(effect: Effect, value: float) -> float:
    """The log of a ratio turned so that it is experimental / control."""
    return math.log(value) if effect.numerator == EXPERIMENTAL else -math.log(value)


def used_ratio(key: str, effect: Effect) -> Ratio | None:
    """The ratio with its interval that survives the comparison of the two; None without one."""
    ratio = printed_ratio(effect)
    if ratio is None:
        return None
    found = diagnosed(key, effect, ratio)
    return None if found.consequence is Consequence.EXCLUDED else found.ratio


def _reference(study: Study, key: str, effect: Effect) -> tuple[str, Effect] | None:
    """The unadjusted treatment effect of the same endpoint and measure, with its interval."""
    for name, other in study.effects.items():
        same = other.endpoint == effect.endpoint and other.measure == effect.measure and other.is_treatment
        plain = not other.adjusted_for and other.label_direction == "as_printed" and used_ratio(name, other) is not None
        if name != key and same and effect.endpoint and plain:
            return name, other
    return None


def _against_unadjusted(study: Study, key: str, effect: Effect, name: str, other: Effect) -> Check:
    """Distance of both readings from the unadjusted log ratio, in its standard errors."""
    ratio, base = used_ratio(key, effect), used_ratio(name, other)
    value = ratio.estimate.value if ratio else effect.estimate.value
    error = base.standard_error if base else math.nan
    unadjusted = experimental_over_control(other, base.estimate.value if base else other.estimate.value)
    given = experimental_over_control(effect, value)
    distances = (abs(given - unadjusted) / error, abs(-given - unadjusted) / error)
    verdict, reading, note = _judged(effect, distances)
    return Check(
        family=FAMILY,
        claim=f"{effect_label(study, key, effect)}: {value:g} read as {effect.numerator} / {effect.denominator}",
        where=effect.where,
        path=f"effects.{key}",
        printed=effect.label or f"{effect.numerator} / {effect.denominator}",
        recomputed=(
            f"experimental / control: {significant(math.exp(unadjusted), 3)} unadjusted,"
            f" {significant(math.exp(given), 3)} as read ({distances[0]:.2f} SE away),"
            f" {significant(math.exp(-given), 3)} the other way ({distances[1]:.2f} SE away)"
        ),
        verdict=verdict,
        reading=reading,
        note=note,
        consequence=Consequence.NONE if verdict is Verdict.CONSISTENT else Consequence.AS_PRINTED,
        numbers=0,
    )


def _judged(effect: Effect, distances: tuple[float, float]) -> tuple[Verdict, str, str]:
    as_read, opposite = distances
    figures = f"{as_read:.2f} SE from the unadjusted estimate as read, {opposite:.2f} SE the other way"
    if effect.label_direction == "reversed":
        if as_read < opposite:
            reading = f"numerator is {effect.numerator}, denominator {effect.denominator}"
            return Verdict.CONSISTENT_ONLY_IF, reading, f"the label says the reverse; {figures}"
        return (
            Verdict.INCONSISTENT,
            "",
            f"the study file reads the ratio against its label, and the numbers support the label: {figures}",
        )
    if as_read > FAR and opposite < as_read / 2:
        return Verdict.CONSISTENT_ONLY_IF, f"numerator is {effect.denominator}, denominator {effect.numerator}", figures
    return Verdict.CONSISTENT, "", ""


def _in_order(control: Median | None, experimental: Median | None) -> tuple[Quantity | None, Quantity | None]:
    """Both medians, a bound as its bound; None where a bound leaves open which is the longer."""
    if control is None or experimental is None:
        return None, None
    for one, other in ((control.value, experimental.value), (experimental.value, control.value)):
        if one.is_bound and (other.is_bound or other.value >= one.value):
            return None, None
    return control.value, experimental.value


def _of_medians(control: Quantity, experimental: Quantity) -> Range:
    """median control / median experimental, which is the hazard ratio of constant hazards, over the rounding; one median may be a bound."""
    if experimental.is_bound:
        reached = control.high / experimental.value if math.isfinite(experimental.value) else 1.0
        return Range(0.0, min(1.0, reached))
    if control.is_bound:
        reached = control.value / experimental.high if math.isfinite(control.value) else 1.0
        return Range(max(1.0, reached), math.inf)
    shortest = experimental.low if experimental.low > 0 else math.ulp(0.0)
    return Range(control.low / experimental.high, control.high / shortest)


def _interval_allows(effect: Effect, ratio: Ratio | None, medians: Range) -> bool:
    """Whether the interval of the ratio (as experimental / control) holds a ratio that the medians give."""
    if ratio is None:
        return False
    ends = sorted(experimental_over_control(effect, end) for end in (ratio.lower.low, ratio.upper.high) if end > 0)
    return len(ends) == 2 and math.exp(ends[0]) <= medians.high and medians.low <= math.exp(ends[1])


def _printed(median: Median | None) -> str:
    return "" if median is None else f"{median.value.value:g}" if not median.value.is_bound else median.value.text


def _against_medians(study: Study, key: str, effect: Effect, endpoint: Endpoint | None) -> Check:
    ratio = used_ratio(key, effect)
    value = ratio.estimate.value if ratio else effect.estimate.value
    log_ratio = experimental_over_control(effect, value)
    medians = (endpoint.median.control, endpoint.median.experimental) if endpoint else (None, None)
    control, experimental = _in_order(*medians)
    known = (control, experimental) if control and experimental and effect.measure == "hazard_ratio" else None
    missing = known is None
    in_order = known is not None and log_ratio * (known[1].value - known[0].value) <= 0
    agrees = in_order or (known is not None and _interval_allows(effect, ratio, _of_medians(*known)))
    verdict = Verdict.CONSISTENT if agrees else Verdict.CONSISTENT_ONLY_IF
    found = "" if missing else f"medians {_printed(medians[1])} experimental, {_printed(medians[0])} control"
    return Check(
        family=FAMILY,
        claim=f"{effect_label(study, key, effect)}: {value:g} read as {effect.numerator} / {effect.denominator}",
        where=effect.where,
        path=f"effects.{key}",
        printed=effect.label or f"{effect.numerator} / {effect.denominator}",
        recomputed=found if in_order or not agrees else f"{found}: a ratio within the interval",
        verdict=Verdict.NOT_CHECKABLE if missing else verdict,
        reading="" if missing or agrees else "the curves cross, or the ratio runs the other way",
        note="medians of both arms and a hazard ratio, or an unadjusted ratio with its interval, are missing" if missing else "",
        consequence=Consequence.NONE if missing or agrees else Consequence.AS_PRINTED,
        numbers=0,
    )
