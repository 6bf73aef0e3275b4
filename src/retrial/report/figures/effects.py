"""Which estimates a forest plot holds: a plot an endpoint of treatment effects, one over the outcomes of a section, one of an outcome."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Sequence

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.forest import ForestRow, ForestText, forests
from retrial.report.figures.picture import Picture
from retrial.report.labels import (
    RATIOS,
    SYMBOLS,
    adjusted_briefly,
    endpoint_label,
    favours,
    fit_prior,
    is_chance,
    is_comparison,
    is_spread,
    is_typical,
    model_label,
    prior_label,
    quantity_label,
    scale_label,
    upper_first,
)
from retrial.report.tables.results import ORDER, Group, audit_note, intervals_caption, written

_DRAWN = {"treatment": RATIOS, "response": ("risk_difference", *RATIOS), "adverse_events": ("risk_difference", *RATIOS)}
"""Quantities that a section draws: the first that there is."""
_MARKERS = "Squares: published; diamonds: frequentist; circles: Bayesian."
_CROSSES = " Red crosses: failed, not to be used."
EMPTY_ARM = "†"
"""Mark of an outcome whose counts have a note (`answers.notes`)."""
_ANY = ".any"
"""End of the endpoint key of an adverse event of any grade."""


def section_forests(
    data: ReportData, key: str, section: str, numbers: Sequence[Group], chances: Sequence[Group]
) -> list[Picture]:
    """A plot per endpoint of treatment effects; one (or more pages) over all outcomes of the other sections."""
    drawn = [group for group in numbers if group.main in _DRAWN[key] and is_comparison(group.first)]
    if key != "treatment":
        quantity = _first(key, drawn)
        return _one_for_all(data, key, section, quantity, [group for group in drawn if group.quantity == quantity], chances)
    pictures: list[Picture] = []
    for endpoint, members in itertools.groupby(drawn, key=lambda group: group.endpoint):
        mine = list(members)
        quantity = _first(key, mine)
        rows: list[ForestRow] = []
        for group in [group for group in mine if group.quantity == quantity]:
            heading = adjusted_briefly(group.first.adjusted_for) or "unadjusted"
            rows += [ForestRow(upper_first(heading)), *_rows(data, group, chances)]
        title = upper_first(f"{endpoint_label(data.study, endpoint)}: {quantity_label(quantity)}")
        pictures += forests(rows, _text(f"forest_{key}_{endpoint}", title, quantity, rows, favours(data.study, endpoint)))
    return pictures


def _first(key: str, groups: Sequence[Group]) -> str:
    """The quantity to draw: the first in the section's order that there is."""
    return next((name for name in _DRAWN[key] if any(group.quantity == name for group in groups)), "")


def _one_for_all(
    data: ReportData, key: str, section: str, quantity: str, groups: Sequence[Group], chances: Sequence[Group]
) -> list[Picture]:
    """Outcomes under each other; of adverse events only any grade and one prior, because the rest would fill pages."""
    note = ""
    if key == "adverse_events":
        groups, note = _shortened(data, groups)
    rows: list[ForestRow] = []
    for group in groups:
        label, mine = upper_first(endpoint_label(data.study, group.endpoint)), _rows(data, group, chances)
        if any(row.note for row in group.rows):
            label += f" {EMPTY_ARM}"
        rows += [dataclasses.replace(mine[0], label=label)] if len(mine) == 1 else [ForestRow(label), *mine]
    sides = ("more often in control", "more often in experimental")
    return forests(rows, _text(f"forest_{key}", f"{section}: {quantity_label(quantity)}", quantity, rows, sides, note))


def _shortened(data: ReportData, groups: Sequence[Group]) -> tuple[list[Group], str]:
    any_grade = [group for group in groups if group.endpoint.endswith(_ANY)] or list(groups)
    priors = list(dict.fromkeys(row.prior for group in groups for row in group.by("bayes")))
    prior = data.main_prior if data.main_prior in priors else next(iter(priors), "")
    kept = [
        dataclasses.replace(group, rows=tuple(row for row in group.rows if row.method != "bayes" or row.prior == prior))
        for group in any_grade
    ]
    parts = ["Any grade only"] * (len(any_grade) < len(groups)) + [f"{prior_label(prior)} prior only"] * (len(priors) > 1)
    return kept, f"{upper_first(', '.join(parts))}; the table below has the others." if parts else ""


def _markers(rows: Sequence[Estimate]) -> str:
    return _MARKERS + (_CROSSES if any(row.failed for row in rows) else "")


def _text(key: str, title: str, quantity: str, rows: Sequence[ForestRow], sides: tuple[str, str], note: str = "") -> ForestText:
    every = [row.estimate for row in rows if row.estimate is not None]
    return ForestText(
        key=re.sub(r"[^A-Za-z0-9_-]", "_", key),
        title=title,
        caption=" ".join(part for part in (intervals_caption(every), _markers(every), note, _empty_arms(rows)) if part),
        axis=f"{upper_first(quantity_label(quantity))}, {scale_label(quantity)}",
        left=f"← {sides[0]}",
        right=f"{sides[1]} →",
        numbers="Estimate (interval)",
        extra=f"P({SYMBOLS[quantity]} {'< 1' if quantity in RATIOS else '> 0'})" if any(row.extra for row in rows) else "",
    )


def _empty_arms(rows: Sequence[ForestRow]) -> str:
    """What the mark beside a name means, where there is one."""
    meaning = f"{EMPTY_ARM}: nobody, or everybody, of an arm has the event, and the prior decides how far a ratio goes."
    return meaning if any(EMPTY_ARM in row.label for row in rows) else ""


def _rows(data: ReportData, group: Group, chances: Sequence[Group]) -> list[ForestRow]:
    """Published, frequentist, Bayesian; a Bayesian row's probability of an effect in its own column."""
    found: list[ForestRow] = []
    for method in ORDER:
        rows = [row for row in group.by(method) if not is_spread(row)]
        for position, row in enumerate(rows):
            if method == "bayes" and len(rows) > 1 and (position == 0 or row.model != rows[position - 1].model):
                found.append(ForestRow(f"Bayesian, {model_label(row.model)}" if row.model else "Bayesian", minor=True))
            other = position == 0 or is_typical(row) != is_typical(rows[position - 1])
            if method == "frequentist" and other and _is_reconstructed(data, row):
                found.append(ForestRow("On one typical table" if is_typical(row) else "Median over the tables", minor=True))
            text = "failed" if row.failed else written(row) if math.isfinite(row.point) else ""
            found.append(ForestRow(_label(data, row, alone=len(rows) == 1), row, text, _chance(row, chances)))
    return found


def _is_reconstructed(data: ReportData, row: Estimate) -> bool:
    curves = data.curves.get(row.endpoint)
    return curves is not None and not curves.from_patients


def _label(data: ReportData, row: Estimate, *, alone: bool) -> str:
    if row.method == "published":
        return "Published (see audit)" if audit_note(data, row) else "Published"
    if row.method == "frequentist":
        return upper_first(model_label(row.model))
    name = f"{fit_prior(row)}{'' if row.variant else ' prior'}" if row.prior else "posterior"
    return f"Bayesian, {name}" if alone else upper_first(name)


def _chance(row: Estimate, chances: Sequence[Group]) -> str:
    """Text of the probability that belongs to a Bayesian row; empty where there is none."""
    for group in chances:
        if group.first.subject == row.subject and is_chance(group.first):
            mine = (row.model, row.prior, row.variant)
            found = [other for other in group.rows if (other.model, other.prior, other.variant) == mine and not other.failed]
            return fmt.probability(found[0].point) if found else ""
    return ""


def effect_forest(
    data: ReportData, rows: Sequence[ForestRow], key: str, title: str, quantity: str, endpoint: str
) -> list[Picture]:
    """One outcome's effect, rows as given; whom the sides favour as of its hazard ratios or rates."""
    of_time = endpoint in data.study.endpoints
    sides = favours(data.study, endpoint) if of_time else ("more often in control", "more often in experimental")
    return forests(rows, dataclasses.replace(_text(key, title, quantity, rows, sides), press=True))
