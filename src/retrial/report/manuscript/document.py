"""A text without a format: blocks that every writer can write. References are `[@key]` in a paragraph."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from retrial.report.figures.picture import Picture
from retrial.report.labels import named
from retrial.report.section import Section
from retrial.report.table import Cell, Line, Table

CITATION = re.compile(r"\[@([a-z][a-z0-9_]*(?:; @[a-z][a-z0-9_]*)*)\]")
"""One or more references in brackets: [@cox1972], [@cox1972; @efron1977]."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the document's."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `fixed` keeps its lines (an equation), `cited` says that its brackets may be references of ours."""

    text: str
    fixed: bool = False
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with its key, title and notes: `rows` of texts, a row of one text being a heading across."""

    key: str
    title: str
    notes: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int]

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the width, by column: as long as a column's longest number or word, or where cells are long texts by the root of their length."""
        full = [self.columns, *(row for row in self.rows if len(row) == len(self.columns))]
        asked = []
        for place in range(len(self.columns)):
            cells = [row[place] for row in full]
            longest, word = max(map(len, cells)), max(len(word) for cell in cells for word in cell.split() or [""])
            asked.append(
                min(max(word, _ROOT * math.sqrt(longest), _LEAST), _MOST) if longest > word else max(min(word, _MOST), _LEAST)
            )
        return tuple(share / sum(asked) for share in asked)


_LEAST, _MOST, _ROOT = 7.0, 60.0, 4.0
"""Letters that a column asks room for, and how that grows with the root of its longest text."""


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure by its key among the kit's figures."""

    key: str
    title: str
    caption: str
    wide: bool = True


Block = Heading | Paragraph | Bullets | Grid | FigureBlock


def citations(text: str) -> list[str]:
    """Keys that a text refers to, in order."""
    return [key.strip().removeprefix("@") for found in CITATION.findall(text) for key in f"@{found}".split(";")]


def all_citations(blocks: Iterable[Block]) -> list[str]:
    """Keys that a document refers to, each once, in the order of first use."""
    texts = [block.text for block in blocks if isinstance(block, Paragraph) and block.cited]
    return list(dict.fromkeys(key for text in texts for key in citations(text)))


def blocks_of(section: Section) -> Iterator[Block]:
    """A section of the report as blocks; arms are called as the study file calls them."""
    yield Heading(named(section.title))
    for text in (*section.cautions, *section.paragraphs):
        yield Paragraph(named(text))
    for heading, sentences in section.lists:
        if heading:
            yield Heading(named(heading), 3)
        yield Bullets(tuple(named(sentence) for sentence in sentences))
    for picture in section.pictures:
        yield figure_of(picture)
    for table in section.tables:
        yield grid_of(table, section.title)


def figure_of(picture: Picture) -> FigureBlock:
    """A figure's title and caption."""
    return FigureBlock(picture.key, named(picture.title), named(picture.caption), picture.wide)


def grid_of(table: Table, title: str = "") -> Grid:
    """A table as texts."""
    rows = tuple(
        (named(cell_text(row.cells[0])),) if row.mark == "group" else tuple(named(cell_text(cell)) for cell in row.cells)
        for row in table.rows
    )
    columns = tuple(named(column) for column in table.columns)
    return Grid(table.key, named(table.title or title), named(table.caption), columns, rows, table.numeric)


def cell_text(cell: Cell) -> str:
    """A cell on one line: text, then its small print; a number that must not be used says so."""
    return "; ".join(part for line in cell for part in _line(line) if part)


def _line(line: Line) -> Sequence[str]:
    state = f"[{line.failed}]" if line.failed else "[failed]" if line.struck else ""
    return (" ".join(part for part in (line.text, state) if part), line.note)
