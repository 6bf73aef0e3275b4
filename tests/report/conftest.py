"""One report of the made-up study, written once for all tests that only read it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from report_factory import report_data

from retrial.report.data import ReportData
from retrial.report.page import write_report


@dataclass(frozen=True)
class Written:
    data: ReportData
    folder: Path
    html: str

    @property
    def text(self) -> str:
        """What a reader sees, with the tags and pictures taken out."""
        return plain(self.html)


def plain(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, data = tmp_path_factory.mktemp("report"), report_data()
    return Written(data, folder, write_report(data, folder).read_text(encoding="utf-8"))
