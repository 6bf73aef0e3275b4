"""Pages to read in tests: as HTML, and as the text that a reader sees."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, fields
from pathlib import Path

from retrial.report.data import ReportData
from retrial.report.labels import models_called
from retrial.report.page import SCRIPT, render, script_of
from retrial.report.reader.brief import BRIEF
from retrial.report.section import built
from retrial.report.supplement import SECTIONS
from retrial.study.study import Study


@dataclass(frozen=True)
class Written:
    """A run's report on disk: `html` is the supplement, which holds everything; `brief` what a reader needs first."""

    data: ReportData
    folder: Path
    html: str
    brief: str

    @property
    def text(self) -> str:
        """What a reader sees, with the tags and pictures taken out."""
        return plain(self.html)


def plain(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).replace("\N{NO-BREAK SPACE}", " ").split())


def small(**changes: object) -> ReportData:
    """A study with a title and nothing else."""
    names = {field.name for field in fields(ReportData)}
    record = {"title": "A small study"} | {key: value for key, value in changes.items() if key not in names}
    return ReportData(
        **(
            {"study": Study.model_validate(record), "manifest": {}}
            | {key: value for key, value in changes.items() if key in names}
        )
    )


def rendered(data: ReportData) -> str:
    with models_called(data.model_labels):
        return render(data, built(SECTIONS, data), script_of(SCRIPT))


def brief(data: ReportData) -> str:
    """The first layer."""
    with models_called(data.model_labels):
        return render(data, built(BRIEF, data))
