"""The audit on the page: findings, counts per family, every check, the decisions that follow and the assumptions made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from retrial.audit.check import Check, Consequence, Verdict
from retrial.report import format as fmt
from retrial.report.labels import upper_first, words
from retrial.report.table import Line, Row, Table, text_cell, text_row
from retrial.study.study import Study

FAMILIES = {
    "counts": "Counts add up",
    "percentages": "Percentages",
    "count_tests": "p-values of count tables",
    "mean_tests": "p-values of means",
    "chi_square_p": "χ² and its p-value",
    "ratio_ci_p": "Ratio, interval and p-value",
    "twice_printed": "Printed twice",
    "direction": "Direction of contrasts",
    "time": "Times and follow-up",
    "medians": "Medians and their intervals",
    "patients": "The file of patients beside the print",
    "joint": "All survival numbers at once",
}
_FINDINGS = (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)
_MARKS = {
    Verdict.INCONSISTENT: "inconsistent",
    Verdict.CONSISTENT_ONLY_IF: "conditional",
    Verdict.NOT_CHECKABLE: "unchecked",
    Verdict.CONSISTENT: "",
}
_ASSUMED = "assumed"
_SENTENCE = re.compile(r"\. (?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that the study file says although the paper does not."""

    path: str
    text: str


def family_label(family: str) -> str:
    """A family of checks in words."""
    return FAMILIES.get(family, upper_first(words(family)))


def is_finding(check: Check) -> bool:
    """Whether a reader must see the check: inconsistent, consistent under one reading only, or changing what the models use."""
    changes = check.consequence not in (Consequence.NONE, Consequence.AS_PRINTED)
    return check.verdict in _FINDINGS or changes


def findings(checks: Sequence[Check]) -> list[Check]:
    """Inconsistent first, then consistent only under a reading, then what else changes the models; in the audit's order."""
    order = {Verdict.INCONSISTENT: 0, Verdict.CONSISTENT_ONLY_IF: 1}
    return sorted(filter(is_finding, checks), key=lambda check: order.get(check.verdict, 2))


def audit_tables(checks: Sequence[Check]) -> list[Table]:
    """Findings, counts per family, and the whole audit folded away."""
    if not checks:
        return []
    found = findings(checks)
    tables = [_families(checks), _checks(checks, "audit_all", f"All checks ({len(checks)})", folded=True)]
    return [_checks(found, "audit_findings", "Findings"), *tables] if found else tables


def _checks(checks: Sequence[Check], key: str, title: str, *, folded: bool = False) -> Table:
    columns = ("Verdict", "What the paper says", "Printed", "Recomputed", "Finding", "The models use")
    rows = tuple(
        Row(
            (
                (Line(check.verdict.value),),
                (Line(check.claim, f"{check.where}".strip()),),
                text_cell(check.printed),
                text_cell(check.recomputed),
                text_cell(_finding(check)),
                text_cell("" if check.consequence is Consequence.NONE else check.consequence.value),
            ),
            _MARKS[check.verdict],
        )
        for check in checks
    )
    caption = "Printed numbers are read as rounding intervals: 0.470 stands for 0.4695 to 0.4705."
    return Table(key, title, caption, columns, rows, folded=folded, wide=True, prose=True)


def _finding(check: Check) -> str:
    """The reading (after "only if" where the verdict ends so) and the note, as sentences."""
    if check.family == "joint" and check.reading:
        # its readings are codes of readings.csv, and its note is a section of its own
        return f"{note_sentences(check.note)[0]}. All readings: “What the printed survival numbers allow”."
    reading = f"only if {check.reading}" if check.reading and check.verdict is Verdict.CONSISTENT_ONLY_IF else check.reading
    return " ".join(f"{upper_first(part.rstrip('.'))}." for part in (reading, check.note) if part)


def note_sentences(note: str) -> list[str]:
    """Sentences of a long note, without their full stops."""
    return [part.rstrip(".") for part in _SENTENCE.split(note) if part]


def _families(checks: Sequence[Check]) -> Table:
    rows = []
    for family in dict.fromkeys(check.family for check in checks):
        mine = [check for check in checks if check.family == family]
        rows.append(text_row([family_label(family), *_tally(mine)]))
    rows.append(text_row(["All", *_tally(checks)], "total"))
    columns = ("Family", "Checks", *(upper_first(verdict.value) for verdict in Verdict), "Numbers recomputed")
    return Table(
        "audit_families", "Checks by family", "Counts of checks.", columns, tuple(rows), frozenset(range(1, len(columns)))
    )


def _tally(checks: Sequence[Check]) -> list[str]:
    verdicts = [sum(check.verdict is verdict for check in checks) for verdict in Verdict]
    return [fmt.count(number) for number in (len(checks), *verdicts, sum(check.numbers for check in checks))]


def decision_table(checks: Sequence[Check]) -> Table | None:
    """What the models use instead of what is printed."""
    rows = [
        text_row(
            [
                check.decision.path,
                check.printed,
                _value(check.decision.value),
                check.decision.consequence.value,
                check.decision.reason,
            ]
        )
        for check in checks
        if check.decision is not None
    ]
    if not rows:
        return None
    columns = ("Quantity", "Printed", "Used", "Consequence", "Reason")
    return Table(
        "decisions",
        "Decisions",
        "Changes that the audit makes before any model sees the study.",
        columns,
        tuple(rows),
        prose=True,
    )


def decided(checks: Sequence[Check], path: str) -> str:
    """What the audit decided about the quantity at `path` or a part of it: "audit: used as corrected, 0.567"."""
    found = [
        check.decision for check in checks if check.decision is not None and f"{check.decision.path}.".startswith(f"{path}.")
    ]
    return "; ".join(f"audit: {decision.consequence.value}, {_value(decision.value)}" for decision in found)


def _value(value: Any) -> str:
    """A replacement as text: an interval as "a to b", nothing as "left out"."""
    if value is None:
        return "left out"
    if hasattr(value, "lower") and hasattr(value, "upper"):
        return f"{value.lower} to {value.upper}"
    if hasattr(value, "mean") and hasattr(value, "sd"):
        return f"{value.mean} ± {value.sd}"
    return fmt.general(value)


def assumptions(study: Study) -> list[Assumption]:
    """Every key of the study file whose name ends in "assumed", and every row label that is read against its words."""
    found = [Assumption(path, text) for path, text in _assumed(study, "")]
    for key, effect in study.effects.items():
        if effect.label_direction == "reversed":
            text = f"the row is labelled “{effect.label}”; its numbers are read as {effect.numerator} / {effect.denominator}"
            found.append(Assumption(f"effects.{key}", text))
    return found


def _assumed(node: object, path: str) -> Iterator[tuple[str, str]]:
    children: dict[str, Any] = {}
    if isinstance(node, BaseModel):
        children = {name: getattr(node, name) for name in type(node).model_fields}
    elif isinstance(node, dict):
        children = {str(name): item for name, item in node.items()}
    for name, item in children.items():
        if name.endswith(_ASSUMED) and isinstance(item, str) and item:
            yield f"{path}.{name}".strip("."), item
        else:
            yield from _assumed(item, f"{path}.{name}".strip("."))
