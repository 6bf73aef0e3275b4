"""The audit as a console table: findings first, what agrees only counted."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.run import numbers_recomputed, summary

_STYLE = {
    Verdict.INCONSISTENT: "bold red",
    Verdict.CONSISTENT_ONLY_IF: "yellow",
    Verdict.NOT_CHECKABLE: "dim",
}
_ORDER = (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF, Verdict.NOT_CHECKABLE)


def render(checks: Iterable[Check], *, width: int = 130, color: bool = False) -> str:
    """Findings (worst verdict first), remarks on what agrees, and a count by family, as text of `width` columns."""
    listed = list(checks)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None, highlight=False)
    if not listed:
        console.print("The study prints no number that another one implies: nothing to recompute.")
        return out.getvalue()
    for verdict in _ORDER:
        findings = [check for check in listed if check.verdict is verdict]
        if findings:
            console.print(_findings(verdict, findings))
    remarks = [check for check in listed if check.verdict is Verdict.CONSISTENT and check.note]
    if remarks:
        console.print(_remarks(remarks))
    console.print(_counts(listed))
    return out.getvalue()


def _findings(verdict: Verdict, findings: list[Check]) -> Table:
    title = Text(f"{str(verdict).capitalize()} ({len(findings)})", style=_STYLE[verdict])
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, expand=True)
    for name, share in (("where", 2), ("claim", 4), ("recomputed", 4), ("reading; finding", 6), ("models", 2)):
        table.add_column(name, ratio=share, overflow="fold")
    for check in findings:
        models = "" if check.consequence is Consequence.NONE else str(check.consequence)
        finding = "; ".join(filter(None, (check.reading, check.note)))
        table.add_row(*map(Text, (check.where, check.claim, check.recomputed, finding, models)))
    return table


def _remarks(remarks: list[Check]) -> Table:
    table = Table(title="Consistent, with a remark", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, expand=True)
    for name, share in (("where", 2), ("claim", 4), ("reading", 3), ("remark", 6)):
        table.add_column(name, ratio=share, overflow="fold")
    for check in remarks:
        table.add_row(*map(Text, (check.where, check.claim, check.reading, check.note)))
    return table


def _counts(listed: list[Check]) -> Table:
    title = f"{len(listed)} checks, {numbers_recomputed(listed)} printed numbers recomputed"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in ("family", "consistent", "only if", "inconsistent", "not checkable", "numbers"):
        table.add_column(name, justify="left" if name == "family" else "right")
    for row in summary(listed):
        cells = (row.consistent, row.consistent_only_if, row.inconsistent, row.not_checkable, row.numbers)
        table.add_row(row.family, *map(str, cells))
    return table
