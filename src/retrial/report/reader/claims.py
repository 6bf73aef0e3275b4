"""What the paper claims, and what the audit of its numbers found and changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retrial.audit.check import Check, Verdict
from retrial.audit.run import numbers_recomputed
from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.key_results import cautions, direction
from retrial.report.labels import INTERVALS, adjusted_label, endpoint_label, is_comparison, quantity_label, upper_first
from retrial.report.reader.ladder import outcomes
from retrial.report.section import Section
from retrial.report.tables.audit import decision_table
from retrial.report.tables.results import audit_note, written

_MOST_FINDINGS = 10
"""Findings in words; all are in the supplement."""


def claim_section(data: ReportData) -> Iterator[Section]:
    """The printed effects of the main outcomes, with what the audit decided about them."""
    lists = []
    for outcome in outcomes(data):
        said = [_printed(data, ladder.published) for ladder in outcome.ladders if ladder.published is not None]
        said = said or list(_counted(data, outcome.endpoint))
        if said:
            lists.append((upper_first(endpoint_label(data.study, outcome.endpoint)), tuple(said)))
    paragraphs = (direction(data.study),) if lists and direction(data.study) else ()
    yield Section(
        "claim", "What the paper prints", lists=tuple(lists), paragraphs=paragraphs, cautions=tuple(cautions(data.study))
    )


def _printed(data: ReportData, row: Estimate) -> str:
    """ "Hazard ratio 0.470 (95 % confidence interval 0.252 to 0.879), p = 0.018." """
    text = written(row)
    if row.interval_kind != "none":
        text = text.replace(" (", f" ({fmt.level(row.level)} {INTERVALS[row.interval_kind]} ", 1)
    p = next((other for other in data.estimates if _is_p_of(other, row)), None)
    test = f", p {'' if (digits := written(p)).startswith(('<', '>')) else '= '}{digits}" if p is not None else ""
    adjusted = f", {adjusted_label(row.adjusted_for)}" if row.adjusted_for else ", unadjusted"
    note = f" ({note})" if (note := audit_note(data, row)) else ""
    return f"{upper_first(quantity_label(row.quantity))} {text}{test}{adjusted}{note}."


def _is_p_of(other: Estimate, row: Estimate) -> bool:
    about = (other.endpoint, other.contrast, other.adjusted_for) == (row.endpoint, row.contrast, row.adjusted_for)
    return (
        other.method == "published"
        and other.quantity == "p_value"
        and about
        and (not row.path or other.path.startswith(row.path))
    )


def _counted(data: ReportData, endpoint: str) -> Iterator[str]:
    """Counts of an outcome and their test, as printed."""
    rows = [row for row in data.estimates if row.endpoint == endpoint and row.method == "published" and row.statistic == "value"]
    arms = [
        f"{row.contrast} {written(row)}" for row in rows if row.quantity in ("proportion", "events") and not is_comparison(row)
    ]
    if arms:
        tests = [written(row) for row in rows if row.quantity == "p_value"]
        p = f"; p {'' if tests[0].startswith(('<', '>')) else '= '}{tests[0]}" if tests else ""
        yield f"{upper_first('; '.join(arms))}{p}."


def audit_section(data: ReportData) -> Iterator[Section]:
    """How much was recomputed, what cannot be right, and what the models use instead."""
    if not data.checks:
        return
    wrong = [check for check in data.checks if check.verdict is Verdict.INCONSISTENT]
    decisions = [check for check in data.checks if check.decision is not None]
    recomputed = numbers_recomputed(data.checks)
    counted = f"The audit recomputes {fmt.count(recomputed)} printed {'number' if recomputed == 1 else 'numbers'} in {_checks(len(data.checks))}."
    found = f"{_checks(len(wrong), 'No check')} {'find' if len(wrong) > 1 else 'finds'} numbers that cannot all be right."
    changed = (
        f"{fmt.count(len(decisions))} {'decision changes' if len(decisions) == 1 else 'decisions change'} what the models use (the table below)."
        if decisions
        else "None of it changes what the models use."
    )
    lists = (("What cannot be right as printed", _found(wrong)),) if wrong else ()
    table = decision_table(decisions)
    tables = (table,) if table is not None else ()
    yield Section(
        "audit",
        "What the audit found and changed",
        tables,
        lists=lists,
        paragraphs=(f"{counted} {upper_first(found)} {changed}",),
    )


def _checks(number: int, none: str = "no check") -> str:
    return none if number == 0 else "1 check" if number == 1 else f"{fmt.count(number)} checks"


def _found(wrong: Sequence[Check]) -> tuple[str, ...]:
    """Those that change something first."""
    ordered = sorted(wrong, key=lambda check: check.decision is None)
    said = [_finding(check) for check in ordered[:_MOST_FINDINGS]]
    more = len(ordered) - len(said)
    return (*said, f"{fmt.count(more)} more in the supplement.") if more else tuple(said)


def _finding(check: Check) -> str:
    claim = upper_first(f"{check.where}: {check.claim}" if check.where else check.claim)
    return f"{claim}. {upper_first((check.note or check.recomputed).rstrip('.'))}."
