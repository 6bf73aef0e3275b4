"""Estimates into groups and the table that sets published, frequentist and Bayesian numbers side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrial.estimate import FROM_PERCENT, Estimate, Method
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import (
    INTERVALS,
    METHODS,
    contrast_label,
    endpoint_label,
    estimate_label,
    fit_prior,
    is_spread,
    model_label,
    upper_first,
    variant_label,
)
from retrial.report.table import Cell, Line, Row, Table
from retrial.report.tables.audit import decided

ORDER: tuple[Method, ...] = ("published", "frequentist", "bayes")


@dataclass(frozen=True, slots=True)
class Group:
    """Every estimate that answers one question (`Estimate.subject` and `Estimate.asks`), whatever the method."""

    rows: tuple[Estimate, ...]

    @property
    def first(self) -> Estimate:
        return self.rows[0]

    @property
    def endpoint(self) -> str:
        return self.first.endpoint

    @property
    def quantity(self) -> str:
        return self.first.quantity

    @property
    def main(self) -> str:
        """The quantity of a value without a time, else empty: neither a hazard ratio at a time nor its probability is the hazard ratio."""
        plain = self.first.statistic in ("value", "range") and math.isnan(self.first.time)
        return self.quantity if plain else ""

    def by(self, method: Method) -> list[Estimate]:
        return [row for row in self.rows if row.method == method]

    @property
    def fine(self) -> list[Estimate]:
        return [row for row in self.rows if not row.failed]


def groups_of(estimates: Iterable[Estimate]) -> list[Group]:
    """Groups in the order in which their first row comes."""
    found: dict[tuple[object, ...], list[Estimate]] = {}
    for row in estimates:
        found.setdefault((row.subject, row.asks), []).append(row)
    return [Group(tuple(rows)) for rows in found.values()]


def written(estimate: Estimate) -> str:
    """The estimate as text; a published one with the digits that the paper prints, where its numbers are the printed ones."""
    if estimate.method == "published" and estimate.printed and not estimate.converted:
        return estimate.printed.replace("-", fmt.MINUS)
    if estimate.method == "published" and estimate.converted == FROM_PERCENT and estimate.printed:
        return f"{estimate.printed.removesuffix('%').rstrip()} %"
    return fmt.estimate_text(estimate)


def interval_words(rows: Sequence[Estimate]) -> str:
    """ "95 % confidence interval", or each kind that occurs; empty without intervals."""
    kinds = dict.fromkeys(
        (row.level, row.interval_kind) for row in rows if row.interval_kind != "none" and math.isfinite(row.level)
    )
    return " or ".join(f"{fmt.level(level)} {INTERVALS[kind]}" for level, kind in kinds)


def intervals_caption(rows: Sequence[Estimate]) -> str:
    """What the numbers and parentheses of a table hold, method by method."""
    parts = []
    for method in ORDER:
        mine = [row for row in rows if row.method == method]
        if not mine:
            continue
        point = "posterior median" if method == "bayes" else "estimate"
        interval = interval_words(mine)
        parts.append(f"{METHODS[method]}: {point} ({interval})" if interval else f"{METHODS[method]}: {point}")
    return "; ".join(parts) + "." if parts else ""


Kinds = Mapping[Method, frozenset[tuple[float, str]]]
"""By method, the levels and kinds of its intervals."""


def _kinds(rows: Sequence[Estimate]) -> Kinds:
    return {
        method: frozenset((row.level, row.interval_kind) for row in rows if row.method == method and row.interval_kind != "none")
        for method in ORDER
    }


def side_by_side(data: ReportData, groups: Sequence[Group], *, key: str, title: str, folded: bool = False) -> Table:
    """One row per quantity and contrast; published, frequentist and Bayesian in columns, every model and prior a line."""
    shown = [group for group in groups if group.first.unit != "log ratio"] or list(groups)
    present = [method for method in ORDER if any(group.by(method) for group in shown)]
    every = [row for group in shown for row in group.rows]
    kinds = _kinds(every)
    rows: list[Row] = []
    for endpoint, members in itertools.groupby(shown, key=lambda group: group.endpoint):
        rows.append(Row(((Line(upper_first(endpoint_label(data.study, endpoint))),),), "group"))
        rows += [_row(data, group, present, kinds) for group in members]
    left_out = " Logarithms of ratios are in tables/estimates.csv." if len(shown) < len(groups) else ""
    columns = ("Quantity", *(METHODS[method] for method in present))
    return Table(key, title, intervals_caption(every) + left_out, columns, tuple(rows), folded=folded, sides=True)


def _row(data: ReportData, group: Group, present: Sequence[Method], kinds: Kinds) -> Row:
    name = Line(upper_first(estimate_label(group.first)), contrast_label(group.first.contrast, group.first.adjusted_for))
    notes = dict.fromkeys(row.note for row in group.rows if row.note)
    cells = [_cell(data, group, method, kinds) for method in present]
    return Row(((name, *(Line("", note) for note in notes)), *cells), "failed" if any(row.failed for row in group.rows) else "")


def _cell(data: ReportData, group: Group, method: Method, kinds: Kinds) -> Cell:
    """Lines of one method: a subheading per model where Bayesian priors follow, then a line per row."""
    rows = group.by(method)
    lines: list[Line] = []
    for model in dict.fromkeys(row.model for row in rows):
        mine = [row for row in rows if row.model == model and not _same_in_all_tables(row)]
        if method == "bayes" and model:
            lines.append(Line("", _model_and_source(group, mine)))
        lines += [_line(data, row, kinds) for row in mine]
    return tuple(lines)


def _same_in_all_tables(row: Estimate) -> bool:
    """A range that is a point says nothing that the point does not."""
    return is_spread(row) and row.lower == row.upper


def _line(data: ReportData, row: Estimate, kinds: Kinds) -> Line:
    """One number; the reason of a failure without its details, which the status and the diagnostics have."""
    if is_spread(row) and row.method == "bayes" and not row.failed:
        return Line(written(row), f"{_note(data, row)}, median and range over the tables")
    if is_spread(row) and not row.failed:
        return Line(fmt.interval(row.lower, row.upper, fmt.formatter_of(row)), "over the tables")
    failure = row.status.partition(";")[0] if row.failed else ""
    return Line(written(row) + _own_level(row, kinds), _note(data, row), failure, row.failed)


def _model_and_source(group: Group, rows: Sequence[Estimate]) -> str:
    """The model, and what its number was computed from as far as the published row does not say so."""
    sources = {row.source for row in rows}
    source = sources.pop() if len(sources) == 1 else ""
    for row in group.by("published"):
        source = "; ".join(_left_of(source.split("; "), row.source.split("; ")))
    name = upper_first(model_label(rows[0].model))
    return f"{name} ({source})" if source else name


def _left_of(parts: Sequence[str], said: Sequence[str]) -> Sequence[str]:
    """The parts of a source after those that were said."""
    return parts[len(said) :] if list(parts[: len(said)]) == list(said) else parts


def _note(data: ReportData, row: Estimate) -> str:
    if row.method == "published":
        return "; ".join(part for part in (row.source, audit_note(data, row)) if part)
    if row.method == "bayes":
        return fit_prior(row)
    return ", ".join(part for part in (model_label(row.model), variant_label(row.variant)) if part)


def audit_note(data: ReportData, row: Estimate) -> str:
    """What the audit decided about a published number; empty where nothing."""
    return decided(data.checks, row.path) if row.path else ""


def _own_level(row: Estimate, kinds: Kinds) -> str:
    """A row whose interval differs in kind or level from its method's others says so itself."""
    if len(kinds[row.method]) < 2 or row.interval_kind == "none":
        return ""
    return f" [{fmt.level(row.level)} {INTERVALS[row.interval_kind]}]"
