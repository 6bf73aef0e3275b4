"""The table of posterior probabilities at the thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.labels import (
    contrast_label,
    endpoint_label,
    estimate_label,
    event_order,
    fit_prior,
    model_label,
    upper_first,
)
from retrial.report.table import Cell, Line, Row, Table
from retrial.report.tables.results import Group
from retrial.study.study import Study


def probability_table(study: Study, groups: Sequence[Group], *, key: str, title: str, folded: bool = False) -> Table:
    """Posterior probabilities with their thresholds as columns, a row per endpoint, contrast, model and prior."""
    first = {estimate_label(group.first): group.first for group in groups}
    events = sorted(first, key=lambda label: (event_order(first[label]), label))
    cells: dict[tuple[str, str, str, str], dict[str, Estimate]] = {}
    for group in groups:
        for row in group.rows:
            compared = contrast_label(row.contrast, row.adjusted_for)
            cells.setdefault((row.endpoint, compared, row.model, fit_prior(row)), {})[estimate_label(row)] = row
    rows: list[Row] = []
    for (endpoint, contrast, model), names in itertools.groupby(cells, key=lambda name: name[:3]):
        heading = f"{upper_first(endpoint_label(study, endpoint))}, {contrast}"
        members = list(names)
        note = next((row.note for name in members for row in cells[name].values() if row.note), "")
        text = "; ".join(part for part in (f"{heading} ({model_label(model)})" if model else heading, note) if part)
        rows.append(Row(((Line(text),),), "group"))
        rows += [_probability_row(name[3], cells[name], events) for name in members]
    caption = "Posterior probabilities, at thresholds set in the configuration before the fit. A probability has no interval."
    columns = ("Prior", *events)
    return Table(key, title, caption, columns, tuple(rows), frozenset(range(1, len(columns))), folded)


def _probability_row(prior: str, values: dict[str, Estimate], events: Sequence[str]) -> Row:
    """A failed fit is named once, beside the prior, and its probabilities are struck out."""
    failed = next((row.status for row in values.values() if row.failed), "")
    cells: list[Cell] = [(Line(prior, failed=failed),)]
    for name in events:
        row = values.get(name)
        cells.append((Line(fmt.MISSING),) if row is None else (Line(fmt.probability(row.point), struck=row.failed),))
    return Row(tuple(cells), "failed" if failed else "")
