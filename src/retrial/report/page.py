"""`write_report`: one self-contained HTML page, its figures and its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from retrial.audit.check import to_frame as checks_to_frame
from retrial.estimate import to_frame as estimates_to_frame
from retrial.report.data import ReportData
from retrial.report.figures.picture import Picture
from retrial.report.figures.survival import survival_pictures
from retrial.report.figures.traces import trace_pictures
from retrial.report.key_results import cautions, direction, key_results
from retrial.report.labels import arm_label, arms_called, endpoint_label, models_called, named, upper_first
from retrial.report.methods import cards, doi_address, facts, manifest_text, paragraphs
from retrial.report.sections import TREATMENT, Section, result_sections
from retrial.report.sensitivity.section import sensitivity_section
from retrial.report.status import status_of
from retrial.report.table import Table
from retrial.report.tables.audit import assumptions, audit_tables, decision_table
from retrial.report.tables.conflict import conflict_tables
from retrial.report.tables.criticism import criticism_section
from retrial.report.tables.priors import implied_table, predictive_table, prior_pictures
from retrial.report.tables.reconstruction import reconstruction_section
from retrial.report.tables.run import diagnostics_tables, fidelity_table, prior_table
from retrial.store.artefacts import FRAMES, path_of
from retrial.store.tables import spelled_out
from retrial.study.study import Study

FIGURES, TABLES = "figures", "tables"
TEMPLATE, _STYLE = "page.html.j2", "style.css"


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything on the page, laid out but not yet written."""

    audit: tuple[Table, ...]
    decisions: tuple[Table, ...]
    results: tuple[Section, ...]
    survival: tuple[Picture, ...]
    fidelity: tuple[Table, ...]
    priors: tuple[Table, ...]
    diagnostics: tuple[Table, ...]
    criticism: Section | None = None
    reconstruction: Section | None = None
    prior_pictures: tuple[Picture, ...] = ()
    traces: tuple[Picture, ...] = ()

    @property
    def pictures(self) -> list[Picture]:
        return [
            *(picture for section in self._sections for picture in section.pictures),
            *self.survival,
            *self.prior_pictures,
            *self.traces,
        ]

    @property
    def tables(self) -> list[Table]:
        mine = (*self.audit, *self.decisions, *self.fidelity, *self.priors, *self.diagnostics)
        return [*mine, *(table for section in self._sections for table in section.tables)]

    @property
    def _sections(self) -> list[Section]:
        return [*self.results, *(section for section in (self.reconstruction, self.criticism) if section is not None)]


def write_report(data: ReportData, folder: Path) -> Path:
    """Write `folder`/report.html (self-contained), figures/*.svg and *.png, tables/*.csv; return the page's path.

    The same data give the same bytes.
    """
    with models_called(data.model_labels), arms_called(data.study.names):
        layout = lay_out(data)
        text = render(data, layout)
    page = path_of(folder, "report")
    write_pictures(layout.pictures, folder)
    (folder / TABLES).mkdir(exist_ok=True)
    for key, frame in _frames(data, layout).items():
        shown = key.startswith("page_") and not data.study.names.are_roles
        named = frame.map(data.study.names.prose) if shown else frame
        spelled_out(named).to_csv(path_of(folder, "tables", key), index=False, lineterminator="\n")
    page.write_text(text, encoding="utf-8", newline="\n")
    return page


def write_pictures(pictures: Iterable[Picture], folder: Path) -> None:
    """Write figures/*.svg and *.png."""
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path_of(folder, "figures", picture.key).write_bytes(picture.svg)
        path_of(folder, "pictures", picture.key).write_bytes(picture.png)


def lay_out(data: ReportData) -> Layout:
    """Tables and figures of every section that has data."""
    return Layout(
        audit=tuple(audit_tables(data.checks)),
        decisions=_given(decision_table(data.checks)),
        results=(*result_sections(data), *((challenged,) if (challenged := sensitivity_section(data)) is not None else ())),
        survival=tuple(survival_pictures(data)),
        fidelity=_given(fidelity_table(data.study, data.fidelity)),
        priors=(
            *_given(implied_table(data)),
            *_given(prior_table(data.priors)),
            *_given(predictive_table(data)),
            *conflict_tables(data),
        ),
        prior_pictures=tuple(prior_pictures(data)),
        diagnostics=tuple(diagnostics_tables(data.study, data.diagnostics, data.thresholds)),
        criticism=criticism_section(data),
        reconstruction=reconstruction_section(data),
        traces=tuple(trace_pictures(data)),
    )


def _given(table: Table | None) -> tuple[Table, ...]:
    return () if table is None else (table,)


def _frames(data: ReportData, layout: Layout) -> dict[str, pd.DataFrame]:
    """The page's tables as shown, and the data behind them with every digit."""
    frames = {f"page_{table.key}": table.frame() for table in layout.tables}
    frames |= {"estimates": estimates_to_frame(data.estimates)} if data.estimates else {}
    frames |= {"audit": checks_to_frame(data.checks)} if data.checks else {}
    return frames | {name: frame for name in FRAMES if (frame := getattr(data, name)) is not None}


def render(data: ReportData, layout: Layout) -> str:
    """The page as text; every value is escaped by the template engine."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=named)
    template = environment.from_string(read_resource(TEMPLATE))
    # the style sheet is ours, and <style> takes no escapes
    return template.render(style=Markup(read_resource(_STYLE)), layout=layout, **_words(data)).lstrip() + "\n"  # noqa: S704


def _words(data: ReportData) -> dict[str, Any]:
    study = data.study
    told = [name for name in ("experimental", "control") if study.arm(name).label or study.n(name)]
    arms = [(Markup(name), _arm_title(study, name), arm_label(study, name), study.n(name)) for name in told]  # noqa: S704
    return {
        "study": study,
        "arms": arms,
        "doi": doi_address(study.citation.doi),
        "endpoints": [endpoint_label(study, key) for key in study.endpoints],
        "printed": any(row.method == "published" for row in data.estimates),
        "from_patients": any(endpoint.patients for endpoint in study.endpoints.values()),
        "status": status_of(data),
        "key_results": key_results(data),
        "cautions": cautions(study),
        "direction": direction(study),
        "treatment": TREATMENT,
        "assumptions": assumptions(study),
        "paragraphs": paragraphs(data),
        "cards": cards(data),
        "facts": facts(data.manifest),
        "manifest": manifest_text(data.manifest),
    }


def _arm_title(study: Study, role: str) -> Markup:
    """The role of an arm; the name that the file gives it, where it is another."""
    return Markup(upper_first(role)) if study.names.are_roles else Markup("{}").format(study.names.of(role))  # noqa: S704


def read_resource(name: str) -> str:
    """A file of this room as text."""
    return resources.files("retrial.report").joinpath(name).read_text(encoding="utf-8")
