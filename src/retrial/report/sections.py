"""Estimates sorted into the page's sections, each with its tables and forest plots."""

from __future__ import annotations

from collections.abc import Sequence

from retrial.estimate import Estimate
from retrial.frequentist.rows import DIFFERENCE
from retrial.report.data import ReportData
from retrial.report.figures.adverse_events import adverse_pictures, adverse_table
from retrial.report.figures.effects import section_forests
from retrial.report.labels import RATIOS, is_ratio_at, is_treatment, quantity_label
from retrial.report.section import Section
from retrial.report.table import Table
from retrial.report.tables.averages import average_tables
from retrial.report.tables.multivariable import multivariable_pictures, multivariable_tables
from retrial.report.tables.probabilities import probability_table
from retrial.report.tables.response import response_tables
from retrial.report.tables.results import Group, groups_of, side_by_side
from retrial.report.tables.spread import spread_tables
from retrial.study.study import Study

TREATMENT, MULTIVARIABLE, RESPONSE, ADVERSE, PROGNOSTIC, BASELINE, OTHER = (
    "treatment",
    "multivariable",
    "response",
    "adverse_events",
    "prognostic",
    "baseline",
    "other",
)
_TITLES = {
    TREATMENT: "Treatment effect on survival",
    MULTIVARIABLE: "The multivariable model",
    RESPONSE: "Response and yes/no outcomes",
    ADVERSE: "Adverse events",
    PROGNOSTIC: "Prognostic factors",
    BASELINE: "Baseline",
    OTHER: "Other numbers",
}
_FOLDED = (ADVERSE, PROGNOSTIC, BASELINE, OTHER)
"""Sections whose tables are long and seldom the question."""
_QUANTITIES = ("hazard_ratio", "average_hazard_ratio", "risk_difference", "risk_ratio", "odds_ratio")
"""These come first in a section, in this order."""
_TESTS = ("p_value", "chi_square")
_HAZARD_RATIOS = ("hazard_ratio", "log_hazard_ratio", "average_hazard_ratio", "log_average_hazard_ratio")
_TABLES = {"hazard_ratio_by_month": "hazard ratio by month", "differences": "differences"}
_BY_THEMSELVES = (*RATIOS, "risk_difference")
"""Quantities whose probabilities have a table of their own; the differences of times and rates share one."""


def section_of(study: Study, estimate: Estimate) -> str:
    """The section that an estimate belongs to, by its endpoint and contrast."""
    head = estimate.endpoint.split(".")[0]
    if head in (ADVERSE, BASELINE):
        return head
    outcomes = {path.split(".")[-1] for path in study.count_rows() if not path.startswith(ADVERSE)}
    if estimate.endpoint.split(".")[-1] in outcomes or estimate.endpoint == RESPONSE:
        return RESPONSE
    if estimate.endpoint in study.endpoints or estimate.endpoint in study.effects or estimate.quantity in _HAZARD_RATIOS:
        return TREATMENT if is_treatment(estimate) else PROGNOSTIC
    return OTHER


def result_sections(data: ReportData) -> list[Section]:
    """Sections that have something, in reading order."""
    rows: dict[str, list[Estimate]] = {key: [] for key in _TITLES}
    for row in data.estimates:
        rows[MULTIVARIABLE if data.is_joint(row) else section_of(data.study, row)].append(row)
    titles = {**_TITLES, TREATMENT: "Survival"} if data.study.one_arm else _TITLES
    return [_section(data, key, titles[key], mine) for key, mine in rows.items() if mine]


def _section(data: ReportData, key: str, heading: str, rows: Sequence[Estimate]) -> Section:
    groups = _ordered(data.study, groups_of(rows))
    chances = [group for group in groups if group.first.statistic == "probability"]
    numbers = [group for group in groups if group.first.statistic != "probability"]
    tables = multivariable_tables(data, rows) if key == MULTIVARIABLE else _at_a_glance(data, key)
    short = bool(tables)
    folded = key in _FOLDED or short
    if numbers:
        tables.append(side_by_side(data, numbers, key=f"{key}_results", title="All numbers", folded=folded))
    for base in dict.fromkeys(_base(group) for group in chances):
        mine = [group for group in chances if _base(group) == base]
        title = f"Posterior probabilities: {_TABLES.get(base) or quantity_label(base)}"
        tables.append(probability_table(data.study, mine, key=f"{key}_probabilities_{base}", title=title, folded=folded))
    pictures = adverse_pictures(data) if key == ADVERSE else []
    if key == MULTIVARIABLE:
        pictures = multivariable_pictures(data, rows)
    if not pictures and key in (TREATMENT, RESPONSE, ADVERSE):
        drawn = [group for group in numbers if group.endpoint in _rates(data)] if key == RESPONSE and short else numbers
        pictures = section_forests(data, key, heading, drawn, chances)
    if key == TREATMENT:
        tables = [*average_tables(data), *tables, *spread_tables(data)]
    return Section(key, heading, tuple(tables), tuple(pictures))


def _at_a_glance(data: ReportData, key: str) -> list[Table]:
    """Tables of a section that stand open before its long ones."""
    if key == RESPONSE:
        return response_tables(data)
    table = adverse_table(data) if key == ADVERSE else None
    return [table] if table is not None else []


def _rates(data: ReportData) -> set[str]:
    """Composite responses and yes/no outcomes: with several models the categories would fill pages of pictures."""
    response = data.study.response
    return {*(response.composites or response.categories if response is not None else ()), *data.study.binary}


def _base(group: Group) -> str:
    if is_ratio_at(group.first):
        return "hazard_ratio_by_month"
    return group.quantity if group.quantity in _BY_THEMSELVES else "differences"


def _ordered(study: Study, groups: Sequence[Group]) -> list[Group]:
    """By endpoint (the study's order; composite responses first), quantity, unadjusted before adjusted; else as they came."""
    met = dict.fromkeys(group.endpoint for group in groups)
    first = [*study.endpoints, *(study.response.composites if study.response is not None else ())]
    endpoints = [*first, *(name for name in met if name not in first)]
    met_kinds = list(dict.fromkeys(_kind(group) for group in groups))
    kinds = sorted(
        met_kinds, key=lambda kind: (_rank(next(group for group in groups if _kind(group) == kind)), met_kinds.index(kind))
    )

    def place(group: Group) -> tuple[int, int, bool]:
        return endpoints.index(group.endpoint), kinds.index(_kind(group)), bool(group.first.adjusted_for)

    return sorted(groups, key=place)


def _kind(group: Group) -> tuple[object, ...]:
    """What is asked, of whatever endpoint and contrast."""
    _, quantity, time, *_ = group.first.subject
    return quantity, time, *group.first.asks


def _rank(group: Group) -> int:
    """Ratios and risk differences, their tests, other differences, then what belongs to one arm."""
    row = group.first
    if group.main in _QUANTITIES:
        return _QUANTITIES.index(group.main)
    if row.quantity in _TESTS or (row.statistic == "value" and is_ratio_at(row) and row.unit == "ratio"):
        return len(_QUANTITIES)
    return len(_QUANTITIES) + (1 if row.contrast == DIFFERENCE else 2)
