"""Answers averaged over the survival models, beside how far the models differ and what the tables themselves show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from retrial.answers.comparison.shared import is_outside
from retrial.criticism.averages import AVERAGE, PROBABILITIES, STACKING
from retrial.estimate import Estimate
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import contrast_label, endpoint_label, estimate_label, model_label, prior_label, upper_first
from retrial.report.table import Cell, Line, Row, Table, text_cell
from retrial.report.tables.results import interval_words, written

_WAYS = {STACKING: "By stacking weights", PROBABILITIES: "By model probabilities"}
_SHOWN = ("average_hazard_ratio", "rmst_difference", "survival_difference")
_FIRST_THRESHOLD = {"average_hazard_ratio": ("below", 1.0), "rmst_difference": ("above", 0.0)}
"""Of the probabilities those of a benefit of any size."""


def average_tables(data: ReportData) -> list[Table]:
    """One table of all endpoints under the main prior; none where nothing was averaged."""
    averaged = [row for row in data.estimates if row.model == AVERAGE]
    prior = (
        data.main_prior if any(row.prior == data.main_prior for row in averaged) else next((row.prior for row in averaged), "")
    )
    mine = [row for row in averaged if row.prior == prior and _is_shown(row)]
    if not mine:
        return []
    ways = [way for way in _WAYS if any(row.variant == way for row in mine)]
    rows: list[Row] = []
    for endpoint, members in groupby(mine, key=lambda row: row.endpoint):
        rows.append(Row(((Line(upper_first(endpoint_label(data.study, endpoint))),),), "group"))
        rows += _rows(data, list(members), ways)
    columns = ("Quantity", *(_WAYS[way] for way in ways), "Models one by one")
    return [
        Table("treatment_averages", "Averages over the models", _caption(data, mine, prior), columns, tuple(rows), sides=True)
    ]


def _is_shown(row: Estimate) -> bool:
    if row.quantity not in _SHOWN or row.contrast not in (RATIO, DIFFERENCE):
        return False
    return row.statistic == "value" or _FIRST_THRESHOLD.get(row.quantity) == (row.event, row.threshold)


def _rows(data: ReportData, members: Sequence[Estimate], ways: Sequence[str]) -> Iterator[Row]:
    asked = {(row.subject, row.asks): row for row in members}
    for key, first in asked.items():
        cells = [_cell([row for row in members if (row.subject, row.asks) == key and row.variant == way]) for way in ways]
        failed = any(row.failed for row in members if (row.subject, row.asks) == key)
        name = (Line(upper_first(estimate_label(first)), contrast_label(first.contrast)),)
        yield Row((name, *cells, _apart(data, first)), "failed" if failed else "")


def _cell(rows: Sequence[Estimate]) -> Cell:
    if not rows:
        return text_cell(fmt.MISSING)
    row = rows[0]
    outside = (Line("", "Kaplan-Meier of the tables outside"),) if is_outside(row) else ()
    return (Line(written(row), "", row.status if row.failed else "", row.failed), *outside)


def _apart(data: ReportData, average: Estimate) -> Cell:
    """From the smallest to the largest number of one model, and the models whose interval lacks what the tables show."""
    same = [row for row in data.estimates if (row.method, row.endpoint, row.prior) == ("bayes", average.endpoint, average.prior)]
    models = {row.model for row in same if row.quantity == "rmst_difference"} - {AVERAGE}
    mine = [row for row in same if row.model in models and not (row.failed or row.variant) and _answers(row, average)]
    if len(mine) < 2:
        return text_cell(fmt.MISSING)
    low, high = (choose(mine, key=lambda row: row.point) for choose in (min, max))
    ends = f"{model_label(low.model)} to {model_label(high.model)}"
    lines = [Line(fmt.interval(low.point, high.point, fmt.formatter_of(low)).strip("()"), ends)]
    outside = [model_label(row.model) for row in mine if is_outside(row)]
    if outside:
        lines.append(Line("", f"Kaplan-Meier of the tables outside the interval of {', '.join(outside)}"))
    return tuple(lines)


def _answers(row: Estimate, average: Estimate) -> bool:
    """Whether a row of one model answers the same; a hazard ratio that is one is its own average."""
    if row.asks != average.asks or row.contrast != average.contrast:
        return False
    alone = average.quantity == "average_hazard_ratio" and row.quantity == "hazard_ratio" and math.isnan(row.time)
    return row.subject == average.subject or alone


def _weights(row: Estimate) -> str:
    """ "Weibull model 0.681 (SE 0.068), ..." of a row's note, which has the models' names."""
    shares = [part.partition(" ") for part in row.note.partition("weights: ")[2].split(", ")]
    return "; ".join(f"{model_label(name)} {share}" for name, _, share in shares)


def _caption(data: ReportData, rows: Sequence[Estimate], prior: str) -> str:
    weights = [
        f"{upper_first(endpoint_label(data.study, row.endpoint))}, {row.variant}: {_weights(row)}."
        for row in rows
        if row.quantity == "average_hazard_ratio" and row.statistic == "value" and "weights: " in row.note
    ]
    parts = [
        f"Posterior median ({interval_words(rows)}), {prior_label(prior)} prior, of the mixture of the models' posteriors in each table, averaged"
        " over the tables: a cut posterior, whose tables have their own prior.",
        "Stacking weights predict left-out patients best; probabilities are of the models given the tables, all equally probable beforehand."
        " A fit that did not pass takes no part.",
        *weights,
    ]
    return " ".join(parts)
