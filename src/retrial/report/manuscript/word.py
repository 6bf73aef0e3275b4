"""A document as DOCX, with the extra `docx` (python-docx); the same bytes for the same blocks."""

from __future__ import annotations

import datetime
import importlib.util
import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from retrial.report.manuscript.document import CITATION, Block, Bullets, FigureBlock, Grid, Heading, Paragraph, citations

if TYPE_CHECKING:
    from retrial.report.manuscript.references import Reference

_WHEN = datetime.datetime(2000, 1, 1)
_ZIP_WHEN = (1980, 1, 1, 0, 0, 0)
_WIDTH_CM = 16.0
"""Between the margins of A4."""


def can_write() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("docx") is not None


def word(blocks: Iterable[Block], pictures: Mapping[str, bytes], references: Mapping[str, Reference]) -> bytes:
    """The document; `pictures` are PNGs by key, references stand as author and year, and in full at the end.

    Raises `ImportError` without the extra.
    """
    import docx
    from docx.shared import Cm, Pt

    document = docx.Document()
    document.styles["Normal"].font.size = Pt(10)
    used: list[str] = []
    for block in blocks:
        match block:
            case Heading(text, level):
                document.add_heading(_clean(text), level)
            case Paragraph(text, True):
                document.add_paragraph(_clean(text, lines=True), style="Quote")
            case Paragraph(text, _, is_cited):
                used += citations(text) if is_cited else []
                document.add_paragraph(_clean(_named(text, references) if is_cited else text))
            case Bullets(items):
                for item in items:
                    document.add_paragraph(_clean(item), style="List Bullet")
            case FigureBlock(key, title, caption, wide):
                if key in pictures:
                    document.add_picture(io.BytesIO(pictures[key]), width=Cm(_WIDTH_CM if wide else _WIDTH_CM / 2))
                document.add_paragraph(_clean(f"{title}. {caption}"), style="Caption")
            case Grid():
                _table(document, block)
    if used:
        document.add_heading("References", 2)
        for key in dict.fromkeys(used):
            document.add_paragraph(_clean(references[key].text), style="List Number")
    return _fixed(document)


def _named(text: str, references: Mapping[str, Reference]) -> str:
    return CITATION.sub(lambda found: f"({'; '.join(references[key].short for key in citations(found[0]))})", text)


def _clean(text: str, *, lines: bool = False) -> str:
    """Without signs that XML cannot hold."""
    kept = "".join(sign for sign in text if sign.isprintable() or (lines and sign == "\n") or sign == " ")
    return kept if lines else " ".join(kept.split(" "))


def _table(document: Any, grid: Grid) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    document.add_paragraph(_clean(grid.title), style="Caption").paragraph_format.keep_with_next = True
    table = document.add_table(rows=0, cols=len(grid.columns), style="Light Shading")
    table.autofit = False  # LibreOffice goes by the columns, Word by the cells
    widths = [Cm(_WIDTH_CM * share) for share in grid.shares]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for number, row in enumerate((grid.columns, *grid.rows)):
        cells = table.add_row().cells
        if len(row) == 1 < len(grid.columns):
            cells[0].merge(cells[-1]).text = _clean(row[0])
            continue
        for place, text in enumerate(row):
            paragraph = cells[place].paragraphs[0]
            run = paragraph.add_run(_clean(text))
            run.font.size = Pt(8)
            run.font.bold = number == 0
            cells[place].width = widths[place]
            if place in grid.numeric:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    notes = document.add_paragraph().add_run(_clean(grid.notes))
    notes.font.size = Pt(8)


def _fixed(document: Any) -> bytes:
    """The file without the time of its making."""
    core = document.core_properties
    core.created = core.modified = _WHEN
    core.author = core.last_modified_by = "retrial"
    core.revision = 1
    written, fixed = io.BytesIO(), io.BytesIO()
    document.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, _ZIP_WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return fixed.getvalue()
