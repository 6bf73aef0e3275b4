"""The pages of a study of three or more arms: what all comparisons have together, then every one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from retrial.audit.check import Check, Verdict
from retrial.estimate import Estimate
from retrial.report.key_results import cautions
from retrial.report.labels import (
    RATIOS,
    adjusted_label,
    endpoint_label,
    is_comparison,
    model_label,
    prior_label,
    quantity_label,
    upper_first,
)
from retrial.report.methods import doi_address, facts, manifest_text
from retrial.report.page import LAYERS, SCRIPT, TEMPLATE, environment, read_resource, script_of
from retrial.report.table import Line, Row, Table, text_cell
from retrial.report.tables.audit import audit_tables
from retrial.report.tables.results import written
from retrial.store.artefacts import path_of
from retrial.study.arms.many import MultiArmStudy
from retrial.study.study import Study

_MAIN = re.compile(r"<main>\n(?P<body>.*)</main>", re.DOTALL)
_NAV = re.compile(r'<nav aria-label="Sections">(?P<links>.*?)</nav>', re.DOTALL)
_AUDIT = re.compile(r'<section id="audit">.*?</section>\n*', re.DOTALL)
_FINDINGS = re.compile(r'<section class="banner bad" aria-label="Inconsistencies">.*?</section>\n*', re.DOTALL)
_AUDIT_LINK = re.compile(r'<li><a href="#audit">.*?</li>\n*', re.DOTALL)
_JOINT = "comparisons.html.j2"


@dataclass(frozen=True, eq=False)
class Comparison:
    """A comparison as analysed: the two arms' study, its pages by layer (none where there are none), its estimates and checks."""

    study: Study
    pages: Mapping[str, str]
    estimates: Sequence[Estimate]
    checks: Sequence[Check]

    @property
    def key(self) -> str:
        return self.study.names.key

    @property
    def title(self) -> str:
        """What the arms are called by the paper, as a ratio is written."""
        return f"{self.study.arm('experimental').label} against {self.study.arm('control').label}"

    def body(self, layer: str) -> Markup:
        """The sections of one of its pages under addresses of their own, without the audit, which the joint page has for all."""
        found = _MAIN.search(self.pages.get(layer, ""))
        text = _FINDINGS.sub("", _AUDIT.sub("", found["body"] if found else ""))
        text = re.sub(r' href="([a-z]+\.html)?#', rf' href="\1#{self.key}-', text)
        return Markup(re.sub(r' id="', f' id="{self.key}-', text))  # noqa: S704 - our own page, escaped when it was made

    def links(self, layer: str) -> Markup:
        """The table of contents of these sections."""
        found = _NAV.search(self.pages.get(layer, ""))
        text = _AUDIT_LINK.sub("", found["links"] if found else "")
        return Markup(text.replace('href="#', f'href="#{self.key}-'))  # noqa: S704 - as above


def write_joint_report(
    study: MultiArmStudy,
    checks: Sequence[Check],
    comparisons: Sequence[Comparison],
    notes: Sequence[str],
    manifest: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Write report.html and supplement.html of all comparisons; `checks` are of all arms.

    Models are called as `labels.models_called` says.
    """
    macros = read_resource(TEMPLATE).partition("<!DOCTYPE html>")[0]
    template = environment().from_string(macros + read_resource(_JOINT))
    inconsistent = [check for check in checks if check.verdict is Verdict.INCONSISTENT]
    for layer in LAYERS:
        text = template.render(
            style=Markup(read_resource("style.css")),  # noqa: S704 - the style sheet is ours
            script=script_of(SCRIPT) if layer == LAYERS[-1] else None,
            layer=layer,
            study=study.whole,
            doi=doi_address(study.whole.citation.doi),
            arms=_arms(study),
            comparisons=comparisons,
            notes=notes,
            cautions=cautions(study.whole),
            summary=_summary(comparisons),
            audit=audit_tables(checks) if layer == LAYERS[-1] else audit_tables(checks)[:1],
            inconsistent=[f"{upper_first(check.claim)}. {upper_first(check.note or check.recomputed)}" for check in inconsistent],
            facts=facts(manifest),
            manifest=manifest_text(manifest),
        )
        path_of(folder, layer).write_text(text.lstrip() + "\n", encoding="utf-8", newline="\n")
    return path_of(folder, LAYERS[0])


def _arms(study: MultiArmStudy) -> list[tuple[str, str, int | None]]:
    """Name, label and patients of every arm."""
    found: dict[str, tuple[str, str, int | None]] = {}
    for pair in study.every:
        for name, role in pair.names.roles.items():
            label = pair.arm(role).label
            found.setdefault(name, (name, "" if label == name else label, pair.n(role)))
    return [found[name] for name in study.arms]


def _summary(comparisons: Sequence[Comparison]) -> Table:
    """Ratios of every comparison: printed, and the first posterior of each model under its first prior."""
    rows: list[Row] = []
    for one in comparisons:
        rows.append(Row(((Line(one.study.names.words, one.title),),), "group"))
        chosen = [row for row in one.estimates if _is_shown(row)]
        subjects = dict.fromkeys((row.endpoint, row.quantity, row.adjusted_for) for row in chosen)
        if not subjects:
            rows.append(Row((text_cell("no ratio: none is printed, and no model gives one"), text_cell(""), text_cell("")), ""))
        for endpoint, quantity, adjusted in subjects:
            mine = [row for row in chosen if (row.endpoint, row.quantity, row.adjusted_for) == (endpoint, quantity, adjusted)]
            printed = next((written(row) for row in mine if row.method == "published"), "")
            first = {row.model: row for row in reversed(mine) if row.method == "bayes"}
            lines = tuple(
                Line(written(row), f"{model_label(name)}, {prior_label(row.prior)}") for name, row in reversed(first.items())
            )
            what = quantity_label(quantity) + (f", {adjusted_label(adjusted)}" if adjusted else "")
            name = text_cell(f"{upper_first(endpoint_label(one.study, endpoint))}: {what}")
            rows.append(Row((name, text_cell(printed), lines or text_cell("")), ""))
    caption = "Published: ratio as printed (confidence interval). Bayesian: posterior median (equal-tailed credible interval)."
    return Table("comparisons", "All comparisons", caption, ("Quantity", "Published", "Bayesian"), tuple(rows))


def _is_shown(row: Estimate) -> bool:
    of_effect = row.quantity in RATIOS and is_comparison(row) and row.statistic == "value" and row.time != row.time
    return (
        of_effect and row.method != "frequentist" and not (row.failed or row.variant or row.endpoint.startswith("adverse_events"))
    )
