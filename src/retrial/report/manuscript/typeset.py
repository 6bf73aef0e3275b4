"""A document as PDF by Typst, with the extra `pdf`; the same bytes for the same blocks."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from retrial.report.manuscript.document import CITATION, Block, Bullets, FigureBlock, Grid, Heading, Paragraph, citations

if TYPE_CHECKING:
    from retrial.report.manuscript.references import Reference

_PREAMBLE = """#set document(title: {title}, date: none)
#set page(paper: "a4", margin: 2cm, numbering: "1")
#set text(font: "Libertinus Serif", size: 9.5pt, fallback: false)
#set par(justify: false)
#set heading(numbering: "1.1")
#show figure: set block(breakable: true)
#show figure.caption: set text(size: 8.5pt)
#show table: set text(size: 7.5pt)
#show raw: set text(size: 7pt, fallback: false)
#set table(stroke: none, inset: 3pt)
"""
_LONG_WORD, _PIECE = 24, 12
"""Words longer than this may break, after so many letters."""
_MAY_BREAK = "\N{ZERO WIDTH SPACE}"


def can_write() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("typst") is not None


def pdf(title: str, blocks: Iterable[Block], pictures: Mapping[str, bytes], references: Mapping[str, Reference]) -> bytes:
    """The document; `pictures` are SVGs by key. Raises `ImportError` without the extra."""
    import typst

    body = "\n\n".join(part for block in blocks for part in _written(block, pictures, references))
    files: Any = {"main.typ": (_PREAMBLE.format(title=_string(title)) + body).encode("utf-8")}
    files |= {f"{key}.svg": svg for key, svg in pictures.items()}
    return bytes(typst.compile(files))


def _string(text: str, *, lines: bool = False) -> str:
    """A text as a string of Typst's, in which nothing is a command."""
    words = [_breakable(word) if len(word) > _LONG_WORD else word for word in text.split(" ")] if not lines else [text]
    kept = "".join(sign for sign in " ".join(words) if sign.isprintable() or sign in (_MAY_BREAK, "\n"))
    return json.dumps(kept, ensure_ascii=False)


def _breakable(word: str) -> str:
    return _MAY_BREAK.join(textwrap.wrap(word, _PIECE, break_on_hyphens=False))


def _written(block: Block, pictures: Mapping[str, bytes], references: Mapping[str, Reference]) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"#heading(level: {level}, {_string(text)})"
        case Paragraph(text, True):
            yield f"#raw({_string(text, lines=True)}, block: true)"
        case Paragraph(text, _, is_cited):
            yield f"#par({_string(_named(text, references) if is_cited else text)})"
        case Bullets(items):
            yield f"#list({', '.join(_string(item) for item in items)})"
        case FigureBlock(key, title, caption, wide):
            if key in pictures:
                yield f"#figure(image({_string(f'{key}.svg', lines=True)}, width: {100 if wide else 50}%), caption: {_string(f'{title}. {caption}')})"
        case Grid():
            yield _table(block)


def _named(text: str, references: Mapping[str, Reference]) -> str:
    return CITATION.sub(lambda found: f"({'; '.join(references[key].short for key in citations(found[0]))})", text)


def _table(grid: Grid) -> str:
    width = len(grid.columns)
    columns = ", ".join(f"{share:.3f}fr" for share in grid.shares)
    aligned = ", ".join("right" if place in grid.numeric else "left" for place in range(width))
    head = ", ".join(f"strong({_string(text)})" for text in grid.columns)
    rows = [
        f"table.cell(colspan: {width}, strong({_string(row[0])}))"
        if len(row) == 1 < width
        else ", ".join(_string(cell) for cell in row)
        for row in grid.rows
    ]
    inside = ",\n".join(["table.hline()", f"table.header({head})", "table.hline(stroke: 0.5pt)", *rows, "table.hline()"])
    table = f"table(columns: ({columns},), align: ({aligned},),\n{inside})"
    caption = f"figure.caption(position: top, {_string(grid.title)})"
    return f"#figure(kind: table, caption: {caption}, {table})\n#par(text(size: 7.5pt, {_string(grid.notes)}))"
