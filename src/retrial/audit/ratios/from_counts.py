"""Part of the family `ratio_ci_p`: an unadjusted odds or risk ratio against the printed counts of its outcome."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import TRUNCATED, printed_texts
from retrial.audit.ratios.arithmetic import Ratio
from retrial.audit.ratios.checks import FAMILY, effect_label
from retrial.audit.ratios.misprint import printed_ratio
from retrial.dims import ARMS, EXPERIMENTAL
from retrial.study.reported import Reported
from retrial.study.sections import Effect
from retrial.study.study import Study

FAR = 1.96
"""Standard errors of the counts' log ratio beyond which strata do not explain another ratio of a randomised study."""
_ROOM = 1e-9
"""Relative room for binary fractions where a rounding interval's edge is met exactly."""
_SECTIONS = ("binary.", "response.composites.", "response.categories.")


def checks(study: Study) -> Iterator[Check]:
    """One check for each unadjusted odds or risk ratio of the arms that has a row of counts of its name."""
    for key, effect in study.effects.items():
        path = _row_of(study, key, effect)
        if path and effect.is_treatment and not effect.adjusted_for:
            counted = _counted(study, effect, path, everybody=False)
            if counted is not None:
                yield _check(study, key, effect, path, counted)


def _row_of(study: Study, key: str, effect: Effect) -> str:
    """Path of the counts of the outcome that the ratio is about; empty where none has its name."""
    if effect.measure == "hazard_ratio" or study.one_arm:
        return ""
    rows = study.count_rows()
    names = [f"{section}{name}" for name in (effect.endpoint, key) if name for section in _SECTIONS]
    return next((name for name in names if name in rows), "")


@dataclass(frozen=True, slots=True)
class Counted:
    """A ratio of counts: its logarithm, the logarithm's standard error, and the normal quantile of the interval."""

    log: float
    error: float
    quantile: float

    @property
    def values(self) -> tuple[float, float, float]:
        """Ratio, lower and upper limit."""
        return (
            math.exp(self.log),
            math.exp(self.log - self.quantile * self.error),
            math.exp(self.log + self.quantile * self.error),
        )

    @property
    def turned(self) -> Counted:
        """The ratio the other way."""
        return replace(self, log=-self.log)


def _counted(study: Study, effect: Effect, path: str, *, everybody: bool) -> Counted | None:
    """The ratio of the counts in the direction of the printed one: of odds, SE √(1/a + 1/b + 1/c + 1/d), or of risks, SE √(1/a - 1/n1 + 1/c - 1/n2).

    A cell of nobody adds 1/2 to all four; None where nobody, or everybody, of both arms has the event.
    """
    row = study.count_rows()[path]
    n = [study.n(arm) if everybody else study.patients(path, arm) for arm in ARMS]
    if n[0] is None or n[1] is None:
        return None
    (a, b), (c, d) = (
        (int(cell.n), of - int(cell.n)) for cell, of in zip((row.experimental, row.control), (n[1], n[0]), strict=True)
    )
    if min(b, d) < 0 or 0 in (a + c, b + d):
        return None
    half = 0.5 if 0 in ((a, b, c, d) if effect.measure == "odds_ratio" else (a, c)) else 0.0
    yes, no, other_yes, other_no = (cell + half for cell in (a, b, c, d))
    risk = (yes / (yes + no), other_yes / (other_yes + other_no))
    if effect.measure == "odds_ratio":
        log, variance = math.log(yes / no) - math.log(other_yes / other_no), 1 / yes + 1 / no + 1 / other_yes + 1 / other_no
    else:
        log, variance = math.log(risk[0]) - math.log(risk[1]), (1 - risk[0]) / yes + (1 - risk[1]) / other_yes
    found = Counted(log, math.sqrt(variance), float(stats.norm.isf((1 - effect.interval_level) / 2)))
    return found if effect.numerator == EXPERIMENTAL else found.turned


def _check(study: Study, key: str, effect: Effect, path: str, counted: Counted) -> Check:
    printed = printed_ratio(effect)
    verdict, reading, note = _judged(study, effect, path, counted, printed)
    decimals = effect.estimate.first.decimals + 1
    point, lower, upper = counted.values
    limits = "" if printed is None else f" ({lower:.{decimals}f} to {upper:.{decimals}f})"
    return Check(
        family=FAMILY,
        claim=f"{effect_label(study, key, effect)}: {effect.measure.replace('_', ' ')} of the counts of {path}",
        where=effect.where,
        path=f"effects.{key}",
        printed=printed_texts(effect.estimate) + ("" if printed is None else f" ({printed.lower} to {printed.upper})"),
        recomputed=f"{point:.{decimals}f}{limits}",
        verdict=verdict,
        reading=reading,
        note=note,
        consequence=Consequence.NONE if verdict is Verdict.CONSISTENT else Consequence.AS_PRINTED,
        numbers=0,
    )


def _judged(study: Study, effect: Effect, path: str, counted: Counted, printed: Ratio | None) -> tuple[Verdict, str, str]:
    """As the counts give it; of all patients; the other way; with another interval; of strata or other patients; or none of these."""
    if _fits(effect, printed, counted):
        return Verdict.CONSISTENT, "", ""
    of_all = _counted(study, effect, path, everybody=True)
    if of_all is not None and _fits(effect, printed, of_all):
        return Verdict.CONSISTENT_ONLY_IF, "of all patients, those not evaluable without the event", ""
    if _fits(effect, printed, counted.turned):
        return Verdict.CONSISTENT_ONLY_IF, f"numerator is {effect.denominator}, denominator {effect.numerator}", ""
    if _fits(effect, printed, counted, _cut_off):
        return Verdict.CONSISTENT_ONLY_IF, TRUNCATED, ""
    apart = abs(math.log(effect.estimate.value) - counted.log) / counted.error
    note = f"{apart:.2f} SE from the ratio of the counts"
    if any(_prints(item, counted.values[0]) for item in effect.estimate.prints):
        return Verdict.CONSISTENT_ONLY_IF, "an interval of another kind than Wald's, or of a stratified ratio", ""
    if apart > FAR and study.randomised:
        return Verdict.INCONSISTENT, "", note
    return Verdict.CONSISTENT_ONLY_IF, "stratified, adjusted, or of other patients than the counts", note


def _fits(
    effect: Effect, printed: Ratio | None, counted: Counted, prints: Callable[[Reported, float], bool] | None = None
) -> bool:
    """Whether estimate and limits print as these."""
    as_printed = prints or _prints
    point, lower, upper = counted.values
    limits = [] if printed is None else [(printed.lower, lower), (printed.upper, upper)]
    estimate = any(as_printed(item, point) for item in effect.estimate.prints)
    return estimate and all(as_printed(item, value) for item, value in limits)


def _prints(printed: Reported, value: float) -> bool:
    return printed.low * (1 - _ROOM) <= value <= printed.high * (1 + _ROOM)


def _cut_off(printed: Reported, value: float) -> bool:
    return printed.truncates_to(value)
