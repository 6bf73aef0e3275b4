"""`write_manuscript`: the folder manuscript/ of a run, from the same sections as its pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from retrial.report.data import ReportData
from retrial.report.figures.picture import Picture
from retrial.report.labels import named
from retrial.report.manuscript import typeset, word
from retrial.report.manuscript.checklists import KEY as CHECKLISTS
from retrial.report.manuscript.checklists import checklist_blocks
from retrial.report.manuscript.document import Block, Grid, Heading, Paragraph, all_citations, blocks_of
from retrial.report.manuscript.latex import latex, latex_table, latex_text
from retrial.report.manuscript.markdown import markdown
from retrial.report.manuscript.methods import methods
from retrial.report.manuscript.references import STUDY, Reference, bibliography, references
from retrial.report.section import Section
from retrial.report.supplement import METHODS
from retrial.store.artefacts import path_of

MANUSCRIPT = "manuscript"
_ELSEWHERE = ("key-results", METHODS)
"""Sections that the results and the methods already hold."""
_MOST_ROWS = 120
"""A table longer than this is for searching, not for reading."""
_SKELETON = r"""% A skeleton: pdflatex manuscript, bibtex manuscript, pdflatex manuscript (twice). Every number comes from the run.
\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage[margin=2.3cm]{geometry}
\usepackage{booktabs,tabularx,longtable,graphicx,array}
\usepackage[hidelinks]{hyperref}
\emergencystretch=3em
\title{%TITLE%: a Bayesian re-analysis}
\author{}
\date{}
\begin{document}
\maketitle
\section{Introduction}
% Why this study, and why again: yours to write.
\input{methods}
\input{results}
\section{Discussion}
% Yours to write; what would change the conclusion and the limits are at the end of the results.
\bibliographystyle{unsrt}
\bibliography{references}
\end{document}
"""
_README = """# Manuscript kit

Made by `retrial` from the run in the folder above; every number is that of `estimates.csv`, rounded. Nothing here was typed by hand.

- `methods` and `results` as Markdown (Quarto, Pandoc), LaTeX and, with the extra `docx`, Word
- `tables/*.tex` (booktabs, tabularx, longtable) and, with the extra `docx`, `tables.docx`
- `figures/` of these texts: PDF, SVG, and PNG and TIFF of 600 dots an inch
- `references.bib`, and `manuscript.tex`, a skeleton that includes all of it: `pdflatex manuscript && bibtex manuscript && pdflatex manuscript`, twice
- with the extra `pdf`, `supplement.pdf`: methods, tables and figures of the supplement, checklists
- `checklists.md`: reporting checklists filled from the run

Introduction and discussion are the author's.
"""


def write_manuscript(data: ReportData, sections: Sequence[Section], supplement: Sequence[Section], folder: Path) -> None:
    """Write manuscript/ into a run's folder: the first layer as a paper's text, and of the second one a supplement; Word and PDF where their
    extras are installed. The same data give the same bytes.
    """
    pictures = {picture.key: picture for section in sections for picture in section.pictures}
    known = references(data.study)
    about = list(methods(data))
    found: list[Block] = [Heading("Results", 1), *_source(), *(block for section in sections for block in blocks_of(section))]
    lists = [block for section in supplement if section.key == CHECKLISTS for block in checklist_blocks(section)]
    documents = {"methods": about, "results": found} | ({"checklists": lists} if lists else {})
    cited = all_citations([*about, *found])
    grids = {block.key: block for block in (*about, *found) if isinstance(block, Grid)}
    for key, grid in grids.items():
        _put(folder, f"tables/{key}.tex", latex_table(grid))
    for name, blocks in documents.items():
        _put(folder, f"{name}.md", markdown(blocks))
    for name in ("methods", "results"):
        _put(folder, f"{name}.tex", latex(documents[name]))
    _put(folder, "manuscript.tex", _SKELETON.replace("%TITLE%", latex_text(named(data.study.title))))
    _put(folder, "references.bib", bibliography(dict.fromkeys((STUDY, *cited)), known))
    _put(folder, "README.md", _README)
    if typeset.can_write():
        _put(folder, "supplement.pdf", _supplement(data, [*about, *_short(supplement)], supplement, known))
    # pixels last, and of the last figure first: the second process draws meanwhile from the first one on
    for key, picture in reversed(pictures.items()):
        for ending, content in _files(picture).items():
            _put(folder, f"figures/{key}.{ending}", content)
    if word.can_write():
        _words(folder, documents, grids, pictures, known)


def _source() -> list[Block]:
    text = f"All results are from the numbers that the paper prints [@{STUDY}], as the audit lets them be used."
    return [Paragraph(text, cited=True)]


def _words(
    folder: Path,
    documents: Mapping[str, list[Block]],
    grids: Mapping[str, Grid],
    pictures: Mapping[str, Picture],
    known: Mapping[str, Reference],
) -> None:
    drawn = {key: picture.png for key, picture in pictures.items()}
    for name in ("methods", "results"):
        _put(folder, f"{name}.docx", word.word(documents[name], drawn, known))
    _put(folder, "tables.docx", word.word([Heading("Tables", 1), *grids.values()], {}, known))


def _short(supplement: Iterable[Section]) -> Iterator[Block]:
    """Of the second layer what a reader turns pages for: tables that the page shows folded stay there."""
    for section in supplement:
        if section.key not in _ELSEWHERE:
            tables = tuple(table for table in section.tables if not table.folded and len(table.rows) <= _MOST_ROWS)
            yield from blocks_of(dataclasses.replace(section, tables=tables))


def _supplement(data: ReportData, blocks: list[Block], sections: Iterable[Section], known: Mapping[str, Reference]) -> bytes:
    drawn = {picture.key: picture.svg for section in sections for picture in section.pictures}
    return typeset.pdf(f"{named(data.study.title)}: supplement to a Bayesian re-analysis", blocks, drawn, known)


def _files(picture: Picture) -> dict[str, bytes]:
    return {"svg": picture.svg, **picture.press()}


def _put(folder: Path, name: str, content: str | bytes) -> None:
    path = path_of(folder, MANUSCRIPT, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
