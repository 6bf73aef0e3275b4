"""`Section`: what a page is made of, whichever of its layers or formats it ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from retrial.report.data import ReportData
from retrial.report.figures.picture import Picture
from retrial.report.table import Table


@dataclass(frozen=True, slots=True)
class Section:
    """`cautions` stand out, `lists` are headings with sentences under each; the order of the fields is the order on the page."""

    key: str
    title: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    paragraphs: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.tables or self.pictures or self.lists or self.paragraphs or self.cautions)


Builder = Callable[[ReportData], Iterable[Section]]
"""Makes the sections that the data allow: none where the run has not made what they are about."""


def built(builders: Iterable[Builder], data: ReportData) -> tuple[Section, ...]:
    """Sections of all builders, in their order; empty ones are left out."""
    return tuple(section for build in builders for section in build(data) if not section.is_empty)
