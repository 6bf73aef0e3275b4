"""The second layer: every table and figure of a run, section by section. A new section is a new entry of `SECTIONS`."""

from __future__ import annotations

from collections.abc import Iterator

from retrial.report.data import ReportData
from retrial.report.figures.survival import ratio_pictures, survival_pictures
from retrial.report.figures.traces import trace_pictures
from retrial.report.key_results import cautions, direction, key_results
from retrial.report.methods import paragraphs
from retrial.report.section import Builder, Section
from retrial.report.sections import TREATMENT, result_sections
from retrial.report.sensitivity.operating import operating_section
from retrial.report.sensitivity.section import sensitivity_section
from retrial.report.table import Table
from retrial.report.tables.audit import assumptions, audit_tables, decision_table
from retrial.report.tables.conflict import conflict_tables
from retrial.report.tables.criticism import criticism_section
from retrial.report.tables.priors import implied_table, predictive_table, prior_pictures
from retrial.report.tables.reconstruction import reconstruction_section
from retrial.report.tables.run import diagnostics_tables, fidelity_table, prior_table

METHODS = "methods"
"""Key of the section that also holds the models' cards, the facts and the manifest of the run."""


def _given(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)


def _key_results(data: ReportData) -> Iterator[Section]:
    found = key_results(data)
    lists = tuple((result.heading, result.sentences) for result in found)
    said = (direction(data.study),) if found and direction(data.study) else ()
    yield Section("key-results", "Key results", lists=lists, paragraphs=said, cautions=tuple(cautions(data.study)))


def _audit(data: ReportData) -> Iterator[Section]:
    yield Section("audit", "Audit of the printed numbers", tuple(audit_tables(data.checks)))


def _decisions(data: ReportData) -> Iterator[Section]:
    assumed = tuple(f"{item.path}: {item.text}" for item in assumptions(data.study))
    lists = (("Assumptions: what the study file says although the paper does not print it", assumed),) if assumed else ()
    yield Section("decisions", "Decisions and assumptions", _given(decision_table(data.checks)), lists=lists)


def _results(data: ReportData) -> Iterator[Section]:
    """The treatment's effects, the curves and tables that they come from, then all other results."""
    found = result_sections(data)
    yield from (section for section in found if section.key == TREATMENT)
    pictures, fidelity = (*survival_pictures(data), *ratio_pictures(data)), _given(fidelity_table(data.study, data.fidelity))
    yield Section("survival", "Survival curves" if pictures else "Fidelity of the reconstruction", fidelity, pictures)
    yield from (section for section in (reconstruction_section(data),) if section is not None)
    yield from (section for section in found if section.key != TREATMENT)


def _priors(data: ReportData) -> Iterator[Section]:
    tables = (*_given(implied_table(data), prior_table(data.priors), predictive_table(data)), *conflict_tables(data))
    yield Section("priors", "Priors", tables, tuple(prior_pictures(data)))


def _diagnostics(data: ReportData) -> Iterator[Section]:
    tables = tuple(diagnostics_tables(data.study, data.diagnostics, data.thresholds))
    yield Section("diagnostics", "Diagnostics", tables, tuple(trace_pictures(data)) if tables else ())


def _criticism(data: ReportData) -> Iterator[Section]:
    yield from (section for section in (criticism_section(data),) if section is not None)


def _plan(data: ReportData) -> Iterator[Section]:
    """What differs from the plan that was written before the run."""
    found = data.planned
    if found is None:
        return
    others = f" {found.plans - 1} more of this study are there." if found.plans > 1 else ""
    first = f"An analysis plan was written on {found.written} (SHA-256 {found.digest}).{others}"
    if not found.differences:
        yield Section("plan", "Analysis plan", paragraphs=(f"{first} This run is as planned.",))
        return
    yield Section("plan", "Analysis plan", paragraphs=(first,), lists=(("What this run does otherwise", found.differences),))


def _methods(data: ReportData) -> Iterator[Section]:
    last = (
        "Every number on this page with all its digits is in tables/, every figure as SVG and PNG in figures/, beside this page.",
    )
    yield Section(METHODS, "Methods", paragraphs=(*paragraphs(data), *last))


SECTIONS: tuple[Builder, ...] = (
    _key_results,
    _audit,
    _decisions,
    _results,
    sensitivity_section,
    operating_section,
    _priors,
    _diagnostics,
    _criticism,
    _plan,
    _methods,
)
"""In reading order. A builder gives nothing where the run has not made what it is about."""
