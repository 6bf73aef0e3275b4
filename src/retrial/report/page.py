"""`write_report`: the two pages of a run, each self-contained, their figures and their tables."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
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
from retrial.report.figures.drawing.files import second_process, without_collector
from retrial.report.figures.picture import Picture
from retrial.report.labels import (
    arm_label,
    arms_called,
    covariate_names,
    covariates_called,
    key_names,
    keys_called,
    models_called,
    named,
    upper_first,
)
from retrial.report.manuscript.checklists import checklist_section, has_place
from retrial.report.manuscript.kit import write_manuscript
from retrial.report.methods import cards, doi_address, facts, manifest_text
from retrial.report.reader.brief import BRIEF
from retrial.report.section import Section, built
from retrial.report.status import status_of
from retrial.report.supplement import METHODS, SECTIONS
from retrial.report.table import Table
from retrial.store.artefacts import FRAMES, path_of
from retrial.store.tables import spelled_out
from retrial.study.study import Study

FIGURES, TABLES = "figures", "tables"
TEMPLATE, _STYLE, SCRIPT = "page.html.j2", "style.css", "page.js"
LAYERS = ("report", "supplement")
"""The pages of a run, by their names among its files."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script of ours, and the only one that the page's policy lets run: by its hash."""

    text: Markup
    allowed: Markup


def script_of(name: str) -> Script:
    """A script of this room as it stands in a page."""
    text = read_resource(name)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(Markup(text), Markup(f"sha256-{digest}"))  # noqa: S704 - the script is ours


@dataclass(frozen=True, slots=True)
class Layout:
    """Both layers, laid out but not yet written: what a reader needs first, and everything."""

    report: tuple[Section, ...]
    supplement: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """Each once: of one that both layers show, the first layer's."""
        shown = [picture for section in (*self.report, *self.supplement) for picture in section.pictures]
        return [picture for place, picture in enumerate(shown) if picture.key not in {other.key for other in shown[:place]}]

    @property
    def tables(self) -> list[Table]:
        return [table for section in (*self.report, *self.supplement) for table in section.tables]


def write_report(data: ReportData, folder: Path) -> Path:
    """Write `folder`/report.html and supplement.html (each self-contained), figures/*.svg and *.png, tables/*.csv; return the first page's path.

    The same data give the same bytes.
    """
    called = covariates_called(covariate_names(data.study))
    priors = [] if data.priors is None else dict.fromkeys(map(str, data.priors["prior"]))
    keys = keys_called(key_names(data.study, data.model_labels, priors))
    with without_collector(), models_called(data.model_labels), arms_called(data.study.names), called, keys, second_process():
        layout = lay_out(data)
        # what needs no pixels first: they are drawn meanwhile
        for name, text in (
            ("report", render(data, layout.report)),
            ("supplement", render(data, layout.supplement, script_of(SCRIPT))),
        ):
            path_of(folder, name).write_text(text, encoding="utf-8", newline="\n")
        _write_tables(data, layout, folder)
        write_manuscript(data, layout.report, layout.supplement, folder)
        write_pictures(layout.pictures, folder)
    return path_of(folder, "report")


def _write_tables(data: ReportData, layout: Layout, folder: Path) -> None:
    (folder / TABLES).mkdir(exist_ok=True)
    for key, frame in _frames(data, layout).items():
        shown = key.startswith("page_") and not data.study.names.are_roles
        named = frame.map(data.study.names.prose) if shown else frame
        spelled_out(named).to_csv(path_of(folder, "tables", key), index=False, lineterminator="\n")


def write_pictures(pictures: Iterable[Picture], folder: Path) -> None:
    """Write figures/*.svg and *.png, the last figure first: a second process draws from the first one on."""
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    for picture in reversed(tuple(pictures)):
        path_of(folder, "figures", picture.key).write_bytes(picture.svg)
        path_of(folder, "pictures", picture.key).write_bytes(picture.png)


def lay_out(data: ReportData) -> Layout:
    """Tables and figures of every section that has data."""
    brief, whole = built(BRIEF, data), built(SECTIONS, data)
    if not has_place(data):
        return Layout(brief, whole)
    filled = checklist_section(data, dict(zip(LAYERS, (brief, whole), strict=True)))
    return Layout(brief, (*whole[:-1], filled, *whole[-1:]))


def _frames(data: ReportData, layout: Layout) -> dict[str, pd.DataFrame]:
    """The pages' tables as shown, and the data behind them with every digit."""
    frames = {f"page_{table.key}": table.frame() for table in layout.tables}
    frames |= {"estimates": estimates_to_frame(data.estimates)} if data.estimates else {}
    frames |= {"audit": checks_to_frame(data.checks)} if data.checks else {}
    return frames | {name: frame for name in FRAMES if (frame := getattr(data, name)) is not None}


def environment() -> Environment:
    """The template engine; it escapes every value."""
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=named)


def render(data: ReportData, sections: Sequence[Section], script: Script | None = None) -> str:
    """A layer as text: the supplement is the one with a script."""
    template = environment().from_string(read_resource(TEMPLATE))
    # the style sheet is ours, and <style> takes no escapes
    style = Markup(read_resource(_STYLE))  # noqa: S704
    return template.render(style=style, sections=sections, script=script, methods=METHODS, **_words(data)).lstrip() + "\n"


def _words(data: ReportData) -> dict[str, Any]:
    study = data.study
    told = [name for name in ("experimental", "control") if study.arm(name).label or study.n(name)]
    arms = [(Markup(name), _arm_title(study, name), arm_label(study, name), study.n(name)) for name in told]  # noqa: S704
    return {
        "study": study,
        "arms": arms,
        "doi": doi_address(study.citation.doi),
        "printed": any(row.method == "published" for row in data.estimates),
        "from_patients": any(endpoint.patients for endpoint in study.endpoints.values()),
        "status": status_of(data),
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
