"""Convergence on the page: few fits one by one, many in one row per model and prior, failed ones always by name."""

from __future__ import annotations

import re

import pandas as pd
from report_factory import diagnostics, report_data
from report_pages import Written, plain, rendered


def test_many_fits_are_counted_and_every_failed_one_is_named(report: Written) -> None:
    """808 fits: 8 priors of one table, 8 of a hundred; one of each failed."""
    assert "808 fits" in report.text
    assert "Overall survival, Weibull model, pessimistic prior: failed: rhat 1.204 > 1.01" in report.text
    assert "robust historical prior: 1 of 100 life tables failed; the first: rhat 1.204 > 1.01" in report.text
    assert "2 failed fits" in report.text
    table = pd.read_csv(report.folder / "tables" / "page_diagnostics_failed.csv")
    assert list(table["Life table"]) == [0, 17]


def test_few_fits_are_listed_one_by_one() -> None:
    one_table = diagnostics().query("endpoint == 'os'")
    page = plain(rendered(report_data(diagnostics=one_table, estimates=[], curves={})))
    assert "1 failed fit " in page
    assert "Fits that passed" in page


def test_names_that_a_csv_reader_took_for_missing() -> None:
    read = diagnostics().query("endpoint == 'os'").assign(prior=float("nan"))
    page = plain(rendered(report_data(diagnostics=read, estimates=[], curves={}, fidelity=None)))
    assert re.findall(r"\bnan\b", page) == []
    assert "1 of 8 life tables failed" in page


def test_fits_that_were_run_again_are_disclosed(report: Written) -> None:
    """Two fits failed in the end, and 16 passed the second time."""
    assert "18 of 808 fits did not pass at first and were run again" in report.text
    assert "up to 3 times in all (at most 800 warm-up iterations a chain, 4,000 draws, acceptance aimed at 0.95)" in report.text
    summary = pd.read_csv(report.folder / "tables" / "page_diagnostics_fits.csv")
    assert summary["Run again"].sum() == 18
    assert list(pd.read_csv(report.folder / "tables" / "page_diagnostics_failed.csv")["Runs"]) == [3, 3]
    once = diagnostics().assign(attempts=1)
    assert "Every fit was run once." in plain(rendered(report_data(diagnostics=once, estimates=[], curves={})))
