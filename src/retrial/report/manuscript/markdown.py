"""A document as Markdown (Pandoc's, so that Quarto takes it)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from retrial.report.manuscript.document import CITATION, Block, Bullets, FigureBlock, Grid, Heading, Paragraph

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|$~^@])")


def plain(text: str) -> str:
    """Text whose every sign stands for itself, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def cited(text: str) -> str:
    """Text of ours, in which [@key] is a reference."""
    parts = CITATION.split(text)
    return "".join(f"[@{part}]" if place % 2 else _SPECIAL.sub(r"\\\1", part) for place, part in enumerate(parts))


def markdown(blocks: Iterable[Block]) -> str:
    """The document."""
    return "\n\n".join(part for block in blocks for part in _written(block)) + "\n"


def _written(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {plain(text)}"
        case Paragraph(text, True):
            yield "\n".join(f"| {_SPECIAL.sub(r'\\\1', line)}" for line in text.splitlines() if line.strip())
        case Paragraph(text, _, is_cited):
            yield cited(text) if is_cited else plain(text)
        case Bullets(items):
            yield "\n".join(f"- {plain(item)}" for item in items)
        case FigureBlock(key, title, caption):
            yield f"![{plain(title)}. {plain(caption)}](figures/{key}.png)"
        case Grid():
            yield f"**{plain(block.title)}**"
            yield "\n".join(_rows(block))
            yield plain(block.notes)


def _rows(grid: Grid) -> Iterator[str]:
    width = len(grid.columns)
    yield _row(grid.columns)
    yield f"|{'|'.join('---:' if place in grid.numeric else ':---' for place in range(width))}|"
    for row in grid.rows:
        yield _row((f"**{plain(row[0])}**", *[""] * (width - 1)), raw=True) if len(row) == 1 < width else _row(row)


def _row(cells: Iterable[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else plain(cell) for cell in cells)} |"
