"""Outcomes that are counted: best response, yes/no outcomes and adverse events."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retrial.study.fields import CountRow, Evaluable, GradeKey, Key, Section


class Composite(CountRow):
    """A response rate made of categories, such as ORR of [CR, PR]."""

    of: list[str] = Field(min_length=1)


class Response(Section):
    """Best response: exclusive categories from best to worst, and composites of them."""

    criteria: str = ""
    where: str = ""
    evaluable: Evaluable | None = None
    categories: dict[Key, CountRow] = Field(min_length=1)
    composites: dict[Key, Composite] = Field(default_factory=dict)


class BinaryOutcome(CountRow):
    """A yes/no outcome of each arm; `good: false` marks a harm."""

    good: bool = True


class AdverseEventTerm(Section):
    """One adverse event: grade group -> counts. Which groups add to which is read from their names (`grades.wholes`)."""

    label: str = ""
    evaluable: Evaluable | None = None
    grades: dict[GradeKey, CountRow] = Field(min_length=1)


class Ranking(Section):
    """A claim such as "the most common grade 1-2 events of the control arm were A, B and C"."""

    arm: Literal["control", "experimental", "total"]
    grade: str
    terms: list[str] = Field(min_length=1)
    where: str = ""


class AdverseEvents(Section):
    """The table of adverse events, what the text ranks, and the patients of the table where they are not all (treated)."""

    where: str = ""
    evaluable: Evaluable | None = None
    terms: dict[Key, AdverseEventTerm] = Field(min_length=1)
    rankings: list[Ranking] = Field(default_factory=list)
