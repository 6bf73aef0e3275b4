"""The table of posterior probabilities at the thresholds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.labels import (
    contrast_label,
    endpoint_label,
    model_label,
    prior_label,
    quantity_label,
    threshold_of,
    upper_first,
)
from retrial.report.table import Cell, Line, Row, Table
from retrial.report.tables.results import Group
from retrial.study.study import Study


def probability_table(study: Study, groups: Sequence[Group], *, key: str, title: str, folded: bool = False) -> Table:
    """Posterior probabilities with their thresholds as columns, a row per endpoint, contrast, model and prior."""
    thresholds = sorted({group.quantity for group in groups}, key=lambda name: (_order(name), _months(name), name))
    cells: dict[tuple[str, str, str, str], dict[str, Estimate]] = {}
    for group in groups:
        for row in group.rows:
            cells.setdefault((row.endpoint, row.contrast, row.model, row.prior), {})[row.quantity] = row
    rows: list[Row] = []
    for (endpoint, contrast, model), names in itertools.groupby(cells, key=lambda name: name[:3]):
        heading = f"{upper_first(endpoint_label(study, endpoint))}, {contrast_label(contrast)}"
        members = list(names)
        note = next((row.note for name in members for row in cells[name].values() if row.note), "")
        text = "; ".join(part for part in (f"{heading} ({model_label(model)})" if model else heading, note) if part)
        rows.append(Row(((Line(text),),), "group"))
        rows += [_probability_row(name[3], cells[name], thresholds) for name in members]
    caption = "Posterior probabilities, at thresholds set in the configuration before the fit. A probability has no interval."
    columns = ("Prior", *(quantity_label(name) for name in thresholds))
    return Table(key, title, caption, columns, tuple(rows), frozenset(range(1, len(columns))), folded)


def _probability_row(prior: str, values: dict[str, Estimate], thresholds: Sequence[str]) -> Row:
    """A failed fit is named once, beside the prior, and its probabilities are struck out."""
    failed = next((row.status for row in values.values() if row.failed), "")
    cells: list[Cell] = [(Line(prior_label(prior), failed=failed),)]
    for name in thresholds:
        row = values.get(name)
        cells.append((Line(fmt.MISSING),) if row is None else (Line(fmt.probability(row.point), struck=row.failed),))
    return Row(tuple(cells), "failed" if failed else "")


def _months(name: str) -> list[float]:
    """Times in a quantity's name, so that 6 months come before 12."""
    return [float(time) for time in re.findall(r"_at_(\d+(?:\.\d+)?)", name)]


def _order(name: str) -> tuple[int, float]:
    threshold = threshold_of(name)
    return (3, 0.0) if threshold is None else threshold.order
