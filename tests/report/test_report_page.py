"""The page: what it must hold, and what it must never do."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

import pytest
from report_factory import report_data
from report_hostile import LONG_WORD
from report_pages import Written, brief, plain, small

from retrial.report.labels import key_names
from retrial.report.page import write_report


def test_files_beside_the_page(report: Written) -> None:
    figures = {path.name for path in (report.folder / "figures").iterdir()}
    for stem in (
        "kaplan_meier_os",
        "kaplan_meier_pfs",
        "forest_treatment_os",
        "forest_treatment_pfs",
        "forest_response",
        "forest_adverse_events",
    ):
        assert {f"{stem}.svg", f"{stem}.png"} <= figures
    tables = {path.stem for path in (report.folder / "tables").glob("*.csv")}
    assert {"estimates", "audit", "fidelity", "diagnostics", "priors", "page_treatment_results"} <= tables


def test_self_contained(report: Written) -> None:
    """Each page loads nothing; the supplement runs one script, ours, and its policy names it by its hash."""
    for page, other in ((report.brief, "supplement.html"), (report.html, "report.html")):
        assert page.startswith("<!DOCTYPE html>")
        assert "<link" not in page
        assert "@import" not in page
        assert "url(" not in page
        assert set(re.findall(r'\bsrc="([^:"]*):', page)) == {"data"}
        outside = set(re.findall(r'\bhref="(?!#)([^"]*)"', page)) - {"https://doi.org/10.1000/example.2025", other}
        assert [address for address in outside if not address.startswith(("report.html#", "supplement.html#"))] == []
        assert re.findall(r"\son\w+=", page) == []
        assert "default-src 'none'" in page
    assert "<script" not in report.brief
    scripts = re.findall(r"<script>(.*?)</script>", report.html, flags=re.DOTALL)
    allowed = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"script-src '(sha256-[^']*)'", report.html) == [f"sha256-{digest}" for digest in allowed]
    assert len(allowed) == report.html.lower().count("<script") == 1


@pytest.mark.parametrize(
    ("doi", "link"),
    [
        ("10.1038/s41598-025-98765-4", True),
        ("https://doi.org/10.1038/abc", True),
        ("javascript:alert(1)", False),
        ('10.1038/"onclick="x', False),
        ("", False),
    ],
)
def test_only_a_doi_becomes_a_link(doi: str, link: bool) -> None:
    page = brief(small(citation={"text": "A", "doi": doi}))
    assert re.findall(r'href="(?!#)([^"]*)"', page) == (
        [*([f"https://doi.org/{doi.removeprefix('https://doi.org/')}"] if link else []), "supplement.html"]
    )


@pytest.mark.parametrize("layer", ["report", "supplement"])
def test_hostile_texts_are_shown_as_text(bad: Path, layer: str) -> None:
    page = (bad / f"{layer}.html").read_text(encoding="utf-8")
    assert page.count("<script") == (layer == "supplement")
    assert page.count("</style>") == 1
    assert "49" not in re.findall(r"<title>(.*?)</title>", page)[0]
    text = plain(page)
    assert text.count("<script>alert(1)</script>") > 20
    assert "{{ 7*7 }}" in text


@pytest.mark.parametrize("layer", ["report", "supplement"])
def test_a_hostile_multivariable_model_is_shown_as_text(bad: Path, layer: str) -> None:
    """Labels, places, groups, levels, variants, notes and contradictions of a printed model, its tests and its baseline table."""
    page = (bad / f"{layer}.html").read_text(encoding="utf-8")
    found = re.search(r'<section[^>]*\bid="multivariable".*?</section>', page, re.S)
    assert found is not None
    assert "<script" not in found[0]
    text = plain(found[0])
    assert text.count("<script>alert(1)</script>") > 10
    assert "\\end{document}" in text
    assert "שלום 患者" in text
    assert LONG_WORD in text
    assert "None" not in text
    if layer == "report":
        assert "contradict each other, by little: <script>alert(1)</script>" in text
        assert "The largest variance inflation is that of <script>alert" in text


def test_hostile_texts_are_no_scripts_in_figures(bad: Path) -> None:
    for path in (bad / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def test_same_data_same_bytes(report: Written, tmp_path: Path) -> None:
    write_report(report_data(), tmp_path)
    files = sorted(path.relative_to(report.folder) for path in report.folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [name for name in files if (tmp_path / name).read_bytes() != (report.folder / name).read_bytes()] == []


@pytest.mark.parametrize("layer", ["brief", "html"])
def test_accessible_tables_and_pictures(report: Written, layer: str) -> None:
    page = getattr(report, layer)
    assert re.findall(r"<th(?! scope=)[ >]", page) == []
    assert page.count("<table") == page.count("<caption>")
    alts = re.findall(r'<img src="data:[^"]*" alt="([^"]*)"', page)
    assert len(alts) == page.count("<img") == {"brief": 3, "html": 6}[layer]
    assert all(len(alt) > 60 for alt in alts)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)


@pytest.mark.parametrize("layer", ["brief", "html"])
def test_no_key_of_a_file_or_of_ours_reaches_a_reader(report: Written, layer: str) -> None:
    """Texts, alternatives and labels; the manifest and the models' cards, which are quoted as they are, apart."""
    page = re.sub(r"<pre>.*?</pre>", " ", getattr(report, layer), flags=re.S)
    page = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.S)
    spoken = " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', page))
    names = key_names(report.data.study, report.data.model_labels, report.data.priors["prior"])
    keys = {key for key in names.names if "_" in key} | names.short
    words = set(re.findall(r"(?<![\w./-])\w+(?![\w/]|\.\w)", f"{plain(page)} {html.unescape(spoken)}"))
    assert {"os", "pfs", "hazard_ratio"} <= keys
    assert words & keys == set()
    assert re.findall(r"\b(?:endpoints|effects|adverse_events)\.\w+", plain(page)) == []


def test_every_table_names_its_interval(report: Written) -> None:
    captions = re.findall(r"<caption><span>(.*?)</span></caption>", report.html)
    results = [caption for caption in captions if "Bayesian: " in caption]
    assert len(results) >= 4
    assert all("95\N{NO-BREAK SPACE}% equal-tailed credible interval" in caption for caption in results)
