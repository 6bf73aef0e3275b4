"""`Table`: rows of text cells, written as HTML by the page's template and as CSV by `Table.frame`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from retrial.report import format as fmt


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cell: a value with the small print beside it ("sceptical"), or only the small print (a subheading).

    `failed` says why the value must not be used; `struck` strikes it out; `href` is the place in the report that it leads to.
    """

    text: str
    note: str = ""
    failed: str = ""
    struck: bool = False
    href: str = ""


Cell = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`mark` is the row's class: "failed", "inconsistent", "group" (a heading across the table) or nothing."""

    cells: tuple[Cell, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`numeric` holds the positions of columns set flush right; `folded` puts the table behind its title,
    `wide` lets it scroll on a small screen, `prose` sets small print under its text instead of beside it,
    `sides` fixes the widths of columns that stand side by side. A title may be empty.
    """

    key: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()
    folded: bool = False
    wide: bool = False
    prose: bool = False
    sides: bool = False

    def frame(self) -> pd.DataFrame:
        """The table as shown: headings over groups go to a column of their own."""
        group, records = "", []
        for row in self.rows:
            if row.mark == "group":
                group = _plain(row.cells[0])
                continue
            records.append([group, *(_plain(cell) for cell in row.cells)])
        frame = pd.DataFrame(records, columns=["group", *self.columns])
        return frame if (frame["group"] != "").any() else frame.drop(columns="group")


def _plain(cell: Cell) -> str:
    return "; ".join(_plain_line(line) for line in cell)


def _plain_line(line: Line) -> str:
    text = ": ".join(part for part in (line.note, line.text) if part)
    return f"{text} [{line.failed}]" if line.failed else f"{text} [failed]" if line.struck else text


def text_cell(text: Any) -> Cell:
    """A cell that shows a text."""
    return (Line(str(text)),)


def text_row(values: Iterable[Any], mark: str = "") -> Row:
    """A row of texts."""
    return Row(tuple(text_cell(value) for value in values), mark)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a data frame: its key, heading and formatter; `numeric` columns are set flush right."""

    key: str
    heading: str
    write: Callable[[Any], str] = fmt.general
    numeric: bool = False


def from_frame(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    key: str,
    title: str,
    caption: str,
    mark: Callable[[Mapping[str, Any]], str] = lambda _: "",
    folded: bool = False,
) -> Table:
    """The columns that the frame has, formatted, in the order given here; other columns of the frame are left out."""
    present = [column for column in columns if column.key in frame.columns]
    records = [{str(name): value for name, value in record.items()} for record in frame.to_dict(orient="records")]
    rows = tuple(text_row([_written(column, record[column.key]) for column in present], mark(record)) for record in records)
    numeric = frozenset(position for position, column in enumerate(present) if column.numeric)
    return Table(key, title, caption, tuple(column.heading for column in present), rows, numeric, folded, len(present) > 6)


def _written(column: Column, value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return fmt.MISSING
    if column.numeric and isinstance(value, str):
        return value
    return column.write(value)
