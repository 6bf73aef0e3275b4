"""Estimates into groups and the table that sets published, frequentist and Bayesian numbers side by side."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrial.compare.estimate import Estimate, Method
from retrial.report import format as fmt
from retrial.report.labels import (
    INTERVALS,
    METHODS,
    RATIOS,
    endpoint_label,
    model_label,
    prior_label,
    quantity_label,
    threshold_of,
    upper_first,
)
from retrial.report.table import Cell, Line, Row, Table
from retrial.study.sections import MEASURES, Effect
from retrial.study.study import Study

_PRINTED = re.compile(r"(?:^|; )printed (?P<text>[<>]?-?[\d.]+)$")
"""End of a published row's source, where the printed text stands."""
ORDER: tuple[Method, ...] = ("published", "frequentist", "bayes")


@dataclass(frozen=True, slots=True)
class Group:
    """Every estimate of one quantity: same endpoint, quantity and contrast, whatever the method."""

    endpoint: str
    quantity: str
    contrast: str
    rows: tuple[Estimate, ...]

    def by(self, method: Method) -> list[Estimate]:
        return [row for row in self.rows if row.method == method]

    @property
    def fine(self) -> list[Estimate]:
        return [row for row in self.rows if not row.failed]


def groups_of(estimates: Iterable[Estimate]) -> list[Group]:
    """Groups in the order in which their first row comes."""
    found: dict[tuple[str, str, str], list[Estimate]] = {}
    for row in estimates:
        found.setdefault((row.endpoint, row.quantity, row.contrast), []).append(row)
    return [Group(*name, tuple(rows)) for name, rows in found.items()]


def written(study: Study, estimate: Estimate) -> str:
    """The estimate as text; a published one with the digits that the paper prints."""
    if estimate.method != "published":
        return fmt.estimate_text(estimate)
    effect = _printed_effect(study, estimate)
    if effect is not None:
        point = next(str(print_) for print_ in effect.estimate.prints if print_.value == estimate.point)
        return f"{point} ({effect.ci.lower} to {effect.ci.upper})" if effect.ci is not None else point
    printed = _PRINTED.search(estimate.source)
    if printed is not None and estimate.unit != "probability" and math.isnan(estimate.lower):
        return printed["text"].replace("-", fmt.MINUS)
    return fmt.estimate_text(estimate)


def _printed_effect(study: Study, estimate: Estimate) -> Effect | None:
    """The effect of the study file that holds these very numbers."""
    for key, effect in study.effects.items() if estimate.quantity in MEASURES else ():
        points = {print_.value for print_ in effect.estimate.prints}
        limits = (effect.ci.lower.value, effect.ci.upper.value) if effect.ci is not None else (math.nan, math.nan)
        same = all(a == b or (a != a and b != b) for a, b in zip(limits, (estimate.lower, estimate.upper), strict=True))
        if (
            effect.measure == estimate.quantity
            and (effect.endpoint or key) == estimate.endpoint
            and estimate.point in points
            and same
        ):
            return effect
    return None


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


def group_title(study: Study, group: Group) -> str:
    return upper_first(f"{endpoint_label(study, group.endpoint)}: {quantity_label(group.quantity)}")


def side_by_side(study: Study, groups: Sequence[Group], *, key: str, title: str, folded: bool = False) -> Table:
    """One row per quantity and contrast; published, frequentist and Bayesian in columns, every model and prior a line."""
    present = [method for method in ORDER if any(group.by(method) for group in groups)]
    every = [row for group in groups for row in group.rows]
    rows: list[Row] = []
    for heading, members in itertools.groupby(groups, key=lambda group: group_title(study, group)):
        rows.append(Row(((Line(heading),),), "group"))
        for group in members:
            cells = tuple(_cell(study, group.by(method), every) for method in present)
            rows.append(Row(((Line(contrast_words(group)),), *cells), "failed" if any(row.failed for row in group.rows) else ""))
    columns = ("Contrast", *(METHODS[method] for method in present))
    return Table(key, title, intervals_caption(every), columns, tuple(rows), folded=folded)


def contrast_words(group: Group) -> str:
    """The contrast; a bare arm's name says that the number is this arm's own."""
    ratio = group.quantity in RATIOS or group.quantity.startswith("log_")
    return group.contrast if ratio or "/" not in group.contrast else group.contrast.replace(" / ", " − ")


def _cell(study: Study, rows: Sequence[Estimate], every: Sequence[Estimate]) -> Cell:
    """Lines of one method: a subheading per model where Bayesian priors follow, then a line per row."""
    lines: list[Line] = []
    for model, members in itertools.groupby(
        sorted(rows, key=lambda row: [r.model for r in rows].index(row.model)), key=lambda row: row.model
    ):
        mine = list(members)
        if mine[0].method == "bayes" and model:
            lines.append(Line("", _model_and_source(mine)))
        lines += [
            Line(written(study, row) + _own_level(row, every), _note(row), row.status if row.failed else "") for row in mine
        ]
    return tuple(lines)


def _model_and_source(rows: Sequence[Estimate]) -> str:
    sources = {row.source for row in rows}
    name = upper_first(model_label(rows[0].model))
    return f"{name} ({sources.pop()})" if len(sources) == 1 and "" not in sources else name


def _note(row: Estimate) -> str:
    if row.method == "published":
        return _PRINTED.sub("", row.source)
    return prior_label(row.prior) if row.method == "bayes" else model_label(row.model)


def _own_level(row: Estimate, every: Sequence[Estimate]) -> str:
    """A row whose interval differs in kind or level from its method's others says so itself."""
    kinds = {
        (other.level, other.interval_kind) for other in every if other.method == row.method and other.interval_kind != "none"
    }
    if len(kinds) < 2 or row.interval_kind == "none":
        return ""
    return f" [{fmt.level(row.level)} {INTERVALS[row.interval_kind]}]"


def probability_table(study: Study, groups: Sequence[Group], *, key: str, title: str, folded: bool = False) -> Table | None:
    """Posterior probabilities with their thresholds as columns, a row per endpoint, contrast, model and prior."""
    thresholds = sorted({group.quantity for group in groups}, key=lambda name: (threshold_of(name) is None, _order(name), name))
    cells: dict[tuple[str, str, str, str], dict[str, Estimate]] = {}
    for group in groups:
        for row in group.rows:
            cells.setdefault((row.endpoint, row.contrast, row.model, row.prior), {})[row.quantity] = row
    if not cells:
        return None
    rows: list[Row] = []
    for (endpoint, contrast, model), names in itertools.groupby(cells, key=lambda name: name[:3]):
        heading = f"{upper_first(endpoint_label(study, endpoint))}, {contrast}" + (f" ({model_label(model)})" if model else "")
        rows.append(Row(((Line(heading),),), "group"))
        rows += [_probability_row(name[3], cells[name], thresholds) for name in names]
    caption = "Posterior probabilities, at thresholds set in the configuration before the fit. A probability has no interval."
    columns = ("Prior", *(quantity_label(name) for name in thresholds))
    return Table(key, title, caption, columns, tuple(rows), frozenset(range(1, len(columns))), folded)


def _probability_row(prior: str, values: dict[str, Estimate], thresholds: Sequence[str]) -> Row:
    cells: list[Cell] = [(Line(prior_label(prior)),)]
    for name in thresholds:
        row = values.get(name)
        cells.append(
            (Line(fmt.MISSING),) if row is None else (Line(fmt.probability(row.point), failed=row.status if row.failed else ""),)
        )
    return Row(tuple(cells), "failed" if any(row.failed for row in values.values()) else "")


def _order(name: str) -> tuple[int, float]:
    threshold = threshold_of(name)
    return (3, 0.0) if threshold is None else threshold.order
