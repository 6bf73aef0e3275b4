"""The audit of a study, and the study that the models then use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from retrial.audit import mean_tests, multivariable, twice_printed
from retrial.audit.check import FAMILIES, Check, Consequence, Decision, Verdict
from retrial.audit.counts import chi_square, count_tests, percentages, rankings, repair, sums
from retrial.audit.ratios import checks as ratio_checks
from retrial.audit.ratios import direction, from_counts, unadjusted_test
from retrial.audit.times import at_risk, follow_up, landmarks, medians
from retrial.study.fields import Interval
from retrial.study.reported import Quantity
from retrial.study.study import Study, replaced, value_at

AUDITS: tuple[Callable[[Study], Iterator[Check]], ...] = (
    sums.checks,
    rankings.checks,
    repair.checks,
    percentages.checks,
    count_tests.checks,
    mean_tests.checks,
    chi_square.checks,
    ratio_checks.checks,
    unadjusted_test.checks,
    from_counts.checks,
    twice_printed.checks,
    direction.checks,
    follow_up.checks,
    at_risk.checks,
    medians.checks,
    landmarks.checks,
    multivariable.checks,
)
_STRENGTH = (Consequence.EXCLUDED, Consequence.WIDENED, Consequence.CORRECTED, Consequence.AS_PRINTED)


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """Counts of verdicts in one family, and how many printed numbers it recomputed."""

    family: str
    consistent: int
    consistent_only_if: int
    inconsistent: int
    not_checkable: int
    numbers: int


def run_audit(study: Study) -> list[Check]:
    """Every check that the study's sections allow, in the order of `FAMILIES` (all but "patients" and "joint", which need more than the study)."""
    of_two = ("count_tests", "mean_tests") if study.one_arm else ()
    return [check for check in iterate_audit(study) if check.family not in of_two]


def iterate_audit(study: Study, audits: Iterable[Callable[[Study], Iterator[Check]]] = AUDITS) -> Iterator[Check]:
    """The checks one family after the other, for a caller that shows progress; see `run_audit`."""
    deciding = [check for checks in (repair.checks, ratio_checks.checks) for check in checks(study) if check.decision]
    decided = {check.decision.path: check.decision for check in deciding if check.decision}
    for audit in audits:
        # a printed multivariable model is judged with the numbers that its fit will have: what is corrected is no finding twice
        asked = apply_decisions(study, deciding) if audit is multivariable.checks else study
        for check in audit(asked):
            if check.decision is not None:
                deciding.append(check)
            yield _with_consequence(check, decided)


def apply_decisions(study: Study, checks: Iterable[Check]) -> Study:
    """The study that models use: each check's decision applied; what is left out takes decisions below it along.

    Of two decisions on one path the stronger holds (left out, widened, corrected, as printed: patients that the percentages imply).
    """
    chosen: dict[str, Decision] = {}
    for decision in (check.decision for check in checks if check.decision is not None):
        held = chosen.get(decision.path)
        if held is None or _STRENGTH.index(decision.consequence) < _STRENGTH.index(held.consequence):
            chosen[decision.path] = decision
    left_out = [path for path, decision in chosen.items() if decision.consequence is Consequence.EXCLUDED]
    for path, decision in chosen.items():
        if not any(path.startswith(f"{other}.") for other in left_out):
            study = replaced(study, path, _said(decision, value_at(study, path)))
    return study


def _said(decision: Decision, printed: Any) -> Any:
    """The value that a decision puts in a number's place, which then tells what was printed."""
    if isinstance(decision.value, Quantity) and isinstance(printed, Quantity):
        return dataclasses.replace(decision.value, decided=f"{decision.consequence}, printed {printed}")
    if isinstance(decision.value, Interval) and isinstance(printed, Interval):
        words = f"{decision.consequence}, printed {printed.lower} to {printed.upper}"
        ends = (dataclasses.replace(end, decided=words) for end in (decision.value.lower, decision.value.upper))
        return Interval(*ends)
    return decision.value


def audited(study: Study) -> tuple[list[Check], Study]:
    """Checks, and the study as the models may use it."""
    checks = run_audit(study)
    return checks, apply_decisions(study, checks)


def summary(checks: Iterable[Check]) -> list[FamilySummary]:
    """One row a family that has checks, in the order of `FAMILIES`."""
    listed = list(checks)
    return [_summary(family, found) for family in FAMILIES if (found := [check for check in listed if check.family == family])]


def numbers_recomputed(checks: Iterable[Check]) -> int:
    """How many printed numbers the checks recompute."""
    return sum(check.numbers for check in checks)


def _summary(family: str, found: list[Check]) -> FamilySummary:
    consistent, only_if, inconsistent, unknown = (sum(check.verdict is verdict for check in found) for verdict in Verdict)
    return FamilySummary(family, consistent, only_if, inconsistent, unknown, numbers_recomputed(found))


def _with_consequence(check: Check, decided: dict[str, Decision]) -> Check:
    """A finding about a quantity that another check decides on carries that decision's consequence, not "used as printed"."""
    decision = decided.get(check.path)
    if decision is None or check.decision is not None or check.consequence is not Consequence.AS_PRINTED:
        return check
    return dataclasses.replace(check, consequence=decision.consequence)
