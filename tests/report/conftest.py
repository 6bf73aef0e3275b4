"""One report of the made-up study, written once for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_factory import report_data
from report_hostile import hostile
from report_pages import Written

from retrial.report.page import write_report


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, data = tmp_path_factory.mktemp("report"), report_data()
    page = write_report(data, folder)
    return Written(data, folder, (folder / "supplement.html").read_text(encoding="utf-8"), page.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report whose every text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    write_report(hostile(), folder)
    return folder
