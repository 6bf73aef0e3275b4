"""One report of the made-up study, written once for all tests that only read it."""

from __future__ import annotations

import pytest
from report_factory import report_data
from report_pages import Written

from retrial.report.page import write_report


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, data = tmp_path_factory.mktemp("report"), report_data()
    page = write_report(data, folder)
    return Written(data, folder, (folder / "supplement.html").read_text(encoding="utf-8"), page.read_text(encoding="utf-8"))
