"""The manuscript kit: the same numbers in every format, texts of strangers inert in each, LaTeX that compiles, files that open."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_estimates import estimates
from report_factory import report_data
from report_hostile import HOSTILE, LONG_WORD, hostile
from report_pages import Written, plain, small

from retrial.audit.run import numbers_recomputed
from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.manuscript.document import Grid, citations
from retrial.report.manuscript.latex import latex_table, latex_text
from retrial.report.manuscript.markdown import plain as markdown_text
from retrial.report.manuscript.references import KNOWN, bibliography, references
from retrial.report.page import lay_out
from retrial.store.tables import read_rows

DECIMALS = re.compile(r"(?<![\d.])[−]?\d+\.\d+(?![\d.]*\d)")
PDFLATEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(
    PDFLATEX is None, reason="pdflatex is not installed (Debian: apt-get install texlive-latex-recommended lmodern)"
)
needs_docx = pytest.mark.skipif(importlib.util.find_spec("docx") is None, reason="the extra docx is not installed")
needs_pdf = pytest.mark.skipif(importlib.util.find_spec("typst") is None, reason="the extra pdf is not installed")


def from_latex(text: str) -> str:
    """What a reader of the compiled text sees of it, as far as numbers go."""
    text = re.sub(
        r"\\begin\{tabular\}\[[tb]\]\{@\{\}r@\{\}\}(.*?)\\end\{tabular\}", lambda cell: cell[1].replace(r"\\{}", " "), text
    )
    for sign, shown in ((r"\ensuremath{-}", "−"), (r"\textless{}", "<"), (r"\textgreater{}", ">"), ("~", " ")):
        text = text.replace(sign, shown)
    return re.sub(r"\{0\.\d+\\(?:textheight|linewidth)\}|height=0\.85", "", text)


def of_latex(folder: Path) -> str:
    body = (folder / "results.tex").read_text(encoding="utf-8")
    return from_latex(re.sub(r"\\input\{(tables/[^}]*)\}", lambda found: (folder / found[1]).read_text(encoding="utf-8"), body))


def of_word(path: Path) -> str:
    import docx
    from docx.table import Table

    parts = docx.Document(str(path)).iter_inner_content()
    rows = [
        " | ".join(cell.text for cell in row.cells) if isinstance(part, Table) else ""
        for part in parts
        for row in (part.rows if isinstance(part, Table) else [part])
    ]
    texts = "\n".join(part.text for part in docx.Document(str(path)).paragraphs).partition("\nReferences\n")[:1]
    return "\n".join([*texts, *rows])


def numbers(text: str) -> list[str]:
    return sorted(DECIMALS.findall(text.replace("\N{NO-BREAK SPACE}", " ")))


def allowed(folder: Path) -> set[str]:
    """Every number of the run as it may be shown: estimates rounded and as printed, priors, and texts of study and audit."""
    rows = read_rows(folder / "tables", "estimates", Estimate)
    texts = [fmt.estimate_text(row) for row in rows] + [row.printed for row in rows]
    texts += [
        f"{row.threshold:g} {row.threshold_upper:g} {fmt.probability(row.point)}"
        for row in rows
        if row.statistic == "probability"
    ]
    texts += [
        (folder / "tables" / name).read_text(encoding="utf-8")
        for name in ("page_priors.csv", "page_decisions.csv", "page_audit_findings.csv")
    ]
    return {found for text in texts for found in DECIMALS.findall(text)}


def test_every_number_of_the_results_is_the_runs(report: Written) -> None:
    found = numbers((report.folder / "manuscript" / "results.md").read_text(encoding="utf-8"))
    assert len(found) > 200
    assert set(found) - allowed(report.folder) == set()


def test_a_changed_estimate_would_be_noticed(report: Written) -> None:
    """The last test can fail: none of the posterior's numbers is among those of another prior by accident."""
    row = next(row for row in estimates() if row.prior == "sceptical" and row.statistic == "value" and row.model == "weibull")
    text = (report.folder / "manuscript" / "results.md").read_text(encoding="utf-8")
    wrong = text.replace(f"{row.point:.3f}", f"{row.point + 0.0007:.3f}")
    assert wrong != text
    assert set(numbers(wrong)) - allowed(report.folder) != set()


def test_page_and_latex_have_the_numbers_of_the_text(report: Written) -> None:
    kit = report.folder / "manuscript"
    said = numbers((kit / "results.md").read_text(encoding="utf-8"))
    assert numbers(of_latex(kit)) == said
    body = re.sub(r'<section class="banner.*?</section>', "", report.brief.partition("<main>")[2], flags=re.DOTALL)
    assert numbers(plain(body)) == said


@needs_docx
def test_word_has_the_numbers_of_the_text(report: Written) -> None:
    kit = report.folder / "manuscript"
    assert numbers(of_word(kit / "results.docx")) == numbers((kit / "results.md").read_text(encoding="utf-8"))
    tables = numbers(of_word(kit / "tables.docx"))
    files = "".join(from_latex(path.read_text(encoding="utf-8")) for path in (kit / "tables").glob("*.tex"))
    assert set(tables) <= set(numbers(files))
    assert len(tables) > 150


def test_methods_are_of_the_run(report: Written) -> None:
    text = (report.folder / "manuscript" / "methods.md").read_text(encoding="utf-8")
    for part in (
        "Weibull, proportional hazards.",
        f"{numbers_recomputed(report.data.checks)} printed numbers were recomputed",
        "strongly sceptical",
        "Seed 20250422",
        "pymc 6.4.0 [@pymc]",
    ):
        assert part in text
    assert "2 of them failed" in text
    entries = (report.folder / "manuscript" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{(\w+),", entries, flags=re.MULTILINE))
    assert keys == {"study", *citations(text)}


def test_every_checklist_item_has_its_place_or_a_reason(report: Written) -> None:
    section = report.html.partition('<section id="checklists">')[2].partition("</section>")[0]
    rows = re.findall(r'<tr class="(conditional)?">(.*?)</tr>', section)
    assert len(rows) > 45
    ids = {
        "report": set(re.findall(r' id="([^"]*)"', report.brief)),
        "supplement": set(re.findall(r' id="([^"]*)"', report.html)),
    }
    for missing, row in rows:
        link = re.search(r'href="(report|supplement)\.html#([^"]*)"', row)
        if missing:
            assert re.search(r"not met: \w", row)
        else:
            assert link is not None
            assert link[2] in ids[link[1]]
    met = sum(not missing for missing, _ in rows)
    assert f"{met} of {len(rows)} items have a place in this report" in section


def test_without_models_the_items_about_models_are_not_met() -> None:
    page = lay_out(small(checks=report_data().checks)).supplement
    section = next(section for section in page if section.key == "checklists")
    rows = [row for table in section.tables for row in table.rows]
    said = {row.cells[1][0].text: row.cells[2][0].text for row in rows}
    assert said["Sensitivity to the prior"] == "not met: this run has fitted no model"
    assert said["Numbers that are printed twice agree"] == "What the audit found and changed"


def test_texts_of_strangers_are_inert_in_latex_and_markdown() -> None:
    assert "\\frac" not in latex_text(HOSTILE)
    assert r"\textbackslash{}frac" in latex_text(HOSTILE)
    assert "[U+05E9]" in latex_text(HOSTILE)
    assert r"\allowbreak{}" in latex_text(LONG_WORD)
    assert (
        latex_text("\N{MINUS SIGN}0.5\N{NO-BREAK SPACE}% ≤ β₁")
        == r"\ensuremath{-}0.5~\% \ensuremath{\leq} \ensuremath{\beta}\ensuremath{_{1}}"
    )
    assert r"\<script\>" in markdown_text(HOSTILE)
    assert r"\[\@kruschke2021\]" in markdown_text(HOSTILE)
    grid = Grid("x", HOSTILE, HOSTILE, (HOSTILE, "n"), (("[bracket", "1"), (HOSTILE,)), frozenset({1}))
    assert "{}[bracket & 1 \\\\" in latex_table(grid)


def test_references_are_balanced_whatever_the_study_says() -> None:
    cited = hostile().study
    entries = bibliography(["study", *KNOWN], references(cited))
    assert entries.count("{") == entries.count("}")
    assert references(cited)["study"].short == "the study"
    assert KNOWN["hoffman2014"].short == "Hoffman and Gelman 2014"
    assert KNOWN["pymc"].short == "Abril-Pla et al. 2023"


@needs_latex
@pytest.mark.parametrize("which", ["report", "bad"])
def test_latex_compiles(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source = (
        request.getfixturevalue("report").folder / "manuscript"
        if which == "report"
        else request.getfixturevalue("bad") / "manuscript"
    )
    kit = tmp_path / "kit"
    shutil.copytree(source, kit)
    command = [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "manuscript"]
    done = subprocess.run(command, cwd=kit, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
    assert (kit / "manuscript.pdf").stat().st_size > 20_000
    bibtex = subprocess.run(["bibtex", "manuscript"], cwd=kit, capture_output=True, timeout=60, check=False)
    assert bibtex.returncode == 0, bibtex.stdout.decode()


@needs_docx
def test_a_hostile_study_gives_word_files_that_open(bad: Path) -> None:
    text = of_word(bad / "manuscript" / "results.docx")
    assert text.count("<script>alert(1)</script>") > 10
    assert "[@kruschke2021]" in text


@needs_pdf
def test_the_supplement_is_a_pdf_in_which_nothing_runs(bad: Path, report: Written) -> None:
    for path in (bad / "manuscript" / "supplement.pdf", report.folder / "manuscript" / "supplement.pdf"):
        assert path.read_bytes().startswith(b"%PDF")


def test_figures_are_for_a_printer(report: Written) -> None:
    from matplotlib.image import imread

    kit = report.folder / "manuscript" / "figures"
    assert {path.name for path in kit.iterdir()} == {
        f"reader_{key}.{kind}" for key in ("os", "pfs", "ORR") for kind in ("pdf", "svg", "png", "tiff")
    }
    assert (kit / "reader_os.pdf").read_bytes().startswith(b"%PDF")
    with io.BytesIO((kit / "reader_os.png").read_bytes()) as picture:
        assert imread(picture).shape[1] == 7 * 600


def test_columns_share_the_width_by_what_they_hold() -> None:
    grid = Grid("key", "title", "", ("Name", "Number", "Source"), (("a", "0.470", "word " * 60), ("heading",)), frozenset({1}))
    name, number, source = grid.shares
    assert sum(grid.shares) == pytest.approx(1.0)
    assert name == number < source
    assert source < 0.85
