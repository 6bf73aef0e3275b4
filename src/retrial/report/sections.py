"""Estimates sorted into the page's sections, each with its tables and forest plots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from retrial.compare.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.forest import ForestRow, ForestText, forests
from retrial.report.labels import (
    RATIOS,
    endpoint_label,
    is_adjusted,
    is_treatment,
    model_label,
    prior_label,
    quantity_label,
    threshold_of,
    upper_first,
)
from retrial.report.picture import Picture
from retrial.report.results import ORDER, Group, groups_of, intervals_caption, probability_table, side_by_side, written
from retrial.report.table import Table
from retrial.study.study import Study

TREATMENT, RESPONSE, ADVERSE, PROGNOSTIC, BASELINE, OTHER = (
    "treatment",
    "response",
    "adverse_events",
    "prognostic",
    "baseline",
    "other",
)
_TITLES = {
    TREATMENT: "Treatment effect on survival",
    RESPONSE: "Response and other yes/no outcomes",
    ADVERSE: "Adverse events",
    PROGNOSTIC: "Prognostic factors",
    BASELINE: "Baseline",
    OTHER: "Other numbers",
}
_FOLDED = (ADVERSE, PROGNOSTIC, BASELINE, OTHER)
"""Sections whose tables are long and seldom the question."""
_QUANTITIES = ("hazard_ratio", "risk_difference", "risk_ratio", "odds_ratio")
"""These come first in a section, in this order."""
_DRAWN = {
    TREATMENT: ("hazard_ratio", "odds_ratio", "risk_ratio"),
    RESPONSE: ("risk_difference", "odds_ratio"),
    ADVERSE: ("risk_difference", "odds_ratio"),
}
"""Quantities that a section draws: the first that there is."""


_MARKERS = "Squares: published; diamonds: frequentist; circles: Bayesian. Red crosses: failed, not to be used."


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    title: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = field(default=())


def section_of(study: Study, estimate: Estimate) -> str:
    """The section that an estimate belongs to, by its endpoint and contrast."""
    head = estimate.endpoint.split(".")[0]
    if head in (ADVERSE, BASELINE):
        return head
    outcomes = {path.split(".")[-1] for path in study.count_rows() if not path.startswith(ADVERSE)}
    if estimate.endpoint.split(".")[-1] in outcomes:
        return RESPONSE
    if estimate.endpoint in study.endpoints or estimate.endpoint in study.effects or _names_hazard(estimate):
        return TREATMENT if is_treatment(estimate) else PROGNOSTIC
    return OTHER


def _names_hazard(estimate: Estimate) -> bool:
    return "hazard_ratio" in estimate.quantity


def result_sections(data: ReportData) -> list[Section]:
    """Sections that have something, in reading order."""
    sorted_rows: dict[str, list[Estimate]] = {key: [] for key in _TITLES}
    for row in data.estimates:
        sorted_rows[section_of(data.study, row)].append(row)
    return [_section(data.study, key, rows) for key, rows in sorted_rows.items() if rows]


def _section(study: Study, key: str, rows: Sequence[Estimate]) -> Section:
    groups = _ordered(study, groups_of(rows))
    numbers = [group for group in groups if not _is_chance(group)]
    chances = [group for group in groups if _is_chance(group)]
    tables = (
        [side_by_side(study, numbers, key=f"{key}_results", title=f"{_TITLES[key]}: all numbers", folded=key in _FOLDED)]
        if numbers
        else []
    )
    for base, members in itertools.groupby(sorted(chances, key=_base), key=_base):
        name = quantity_label(base) if base else "other quantities"
        table = probability_table(
            study,
            list(members),
            key=f"{key}_probabilities_{base or 'other'}",
            title=f"Posterior probabilities: {name}",
            folded=key in _FOLDED,
        )
        tables += [table] if table is not None else []
    return Section(key, _TITLES[key], tuple(tables), tuple(_pictures(study, key, numbers, chances)))


def _is_chance(group: Group) -> bool:
    return threshold_of(group.quantity) is not None


def _base(group: Group) -> str:
    threshold = threshold_of(group.quantity)
    return threshold.base if threshold is not None else ""


def _ordered(study: Study, groups: Sequence[Group]) -> list[Group]:
    """By endpoint in the study's order, then quantity, unadjusted before adjusted; otherwise as they came."""
    endpoints = [
        *study.endpoints,
        *(name for name in dict.fromkeys(group.endpoint for group in groups) if name not in study.endpoints),
    ]
    met = list(dict.fromkeys(group.quantity for group in groups))
    quantities = [*_QUANTITIES, *(name for name in met if name not in _QUANTITIES)]
    return sorted(
        groups, key=lambda group: (endpoints.index(group.endpoint), quantities.index(group.quantity), is_adjusted(group.rows[0]))
    )


def _pictures(study: Study, key: str, numbers: Sequence[Group], chances: Sequence[Group]) -> list[Picture]:
    quantity = next((name for name in _DRAWN.get(key, ()) if any(group.quantity == name for group in numbers)), None)
    if quantity is None:
        return []
    drawn = [group for group in numbers if group.quantity == quantity and is_treatment(group.rows[0])]
    parts: Callable[[Group], str] = (lambda group: group.endpoint) if key == TREATMENT else lambda _: ""
    pictures: list[Picture] = []
    for endpoint, members in itertools.groupby(drawn, key=parts):
        pictures += _forest(study, key, quantity, endpoint, list(members), chances)
    return pictures


def _forest(
    study: Study, key: str, quantity: str, endpoint: str, groups: Sequence[Group], chances: Sequence[Group]
) -> list[Picture]:
    ratio = quantity in RATIOS
    rows: list[ForestRow] = []
    for group in groups:
        rows += [ForestRow(_heading(study, group, endpoint)), *_rows(study, group, chances)]
    every = [row.estimate for row in rows if row.estimate is not None]
    title = (
        upper_first(f"{endpoint_label(study, endpoint)}: {quantity_label(quantity)}")
        if endpoint
        else f"{_TITLES[key]}: {quantity_label(quantity)}"
    )
    base = (
        f"{quantity_label(quantity).capitalize()}, {'experimental / control (log scale)' if ratio else 'experimental − control'}"
    )
    lower, upper = ("experimental", "control") if ratio and key == TREATMENT else ("control", "experimental")
    text = ForestText(
        key="_".join(part for part in ("forest", key, endpoint.replace(".", "_")) if part),
        title=title,
        caption=f"{intervals_caption(every)} {_MARKERS}",
        axis=base,
        left=f"← favours {lower}" if key == TREATMENT else f"← more often in {lower}",
        right=f"favours {upper} →" if key == TREATMENT else f"more often in {upper} →",
        numbers="Estimate (interval)",
        extra=_chance_heading(quantity) if any(row.extra for row in rows) else "",
    )
    return forests(rows, text)


def _heading(study: Study, group: Group, endpoint: str) -> str:
    if not endpoint:
        return upper_first(endpoint_label(study, group.endpoint))
    return upper_first(group.contrast.partition(", ")[2] or "unadjusted")


def _rows(study: Study, group: Group, chances: Sequence[Group]) -> list[ForestRow]:
    """Published, frequentist, Bayesian; a Bayesian row's probability of an effect in its own column."""
    found = []
    for method in ORDER:
        for row in group.by(method):
            text = "failed" if row.failed else written(study, row) if math.isfinite(row.point) else ""
            found.append(ForestRow(_row_label(group, row), row, text, _chance(row, chances)))
    return found


def _row_label(group: Group, row: Estimate) -> str:
    if row.method == "published":
        return "Published"
    if row.method == "frequentist":
        return upper_first(model_label(row.model))
    models = {other.model for other in group.by("bayes")}
    prior = f"{upper_first(prior_label(row.prior))} prior" if row.prior else "Bayesian"
    return f"{prior} · {model_label(row.model)}" if len(models) > 1 else prior


def _chance_name(quantity: str) -> str:
    return f"p_{quantity}_above_0" if quantity == "risk_difference" else f"p_{quantity}_below_1"


def _chance_heading(quantity: str) -> str:
    return quantity_label(_chance_name(quantity))


def _chance(row: Estimate, chances: Sequence[Group]) -> str:
    for group in chances:
        if (group.endpoint, group.contrast, group.quantity) == (row.endpoint, row.contrast, _chance_name(row.quantity)):
            return next((written_chance for other in group.rows if (written_chance := _same_fit(other, row))), "")
    return ""


def _same_fit(chance: Estimate, row: Estimate) -> str:
    return fmt.probability(chance.point) if (chance.model, chance.prior) == (row.model, row.prior) and not chance.failed else ""
