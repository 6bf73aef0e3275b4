"""`Check`: one audit result, and the `Decision` by which it changes what the models use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Verdict(StrEnum):
    """Outcome of a check."""

    CONSISTENT = "consistent"
    CONSISTENT_ONLY_IF = "consistent only if"
    INCONSISTENT = "inconsistent"
    NOT_CHECKABLE = "not checkable"


class Consequence(StrEnum):
    """What the models then use."""

    NONE = "none"
    AS_PRINTED = "used as printed"
    CORRECTED = "used as corrected"
    WIDENED = "widened"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Decision:
    """A change to the study before any model sees it: the value at `path` becomes `value` (None: left out)."""

    path: str
    consequence: Consequence
    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """One recomputation of printed numbers.

    family       counts, percentages, count_tests, mean_tests, chi_square_p, ratio_ci_p, twice_printed, direction, time, medians,
                 multivariable, patients, joint (in this order in `FAMILIES`)
    claim        what the paper says, in words with its numbers
    where        table and row, or section
    path         key path of the quantity in the study file
    printed      the printed text
    recomputed   what the other numbers imply (as text, with the digits that matter)
    verdict      see `Verdict`
    reading      for "consistent only if": the reading; for a test: the name of the test that reproduces the number
    note         finding in a sentence; empty when there is nothing to say
    consequence  what the models use
    numbers      how many printed numbers this check recomputes
    """

    family: str
    claim: str
    where: str
    path: str
    printed: str
    recomputed: str
    verdict: Verdict
    reading: str = ""
    note: str = ""
    consequence: Consequence = Consequence.NONE
    numbers: int = 1
    decision: Decision | None = None


FAMILIES: tuple[str, ...] = (
    "counts",
    "percentages",
    "count_tests",
    "mean_tests",
    "chi_square_p",
    "ratio_ci_p",
    "twice_printed",
    "direction",
    "time",
    "medians",
    "multivariable",
    "patients",
    "joint",
)
"""Families of checks in the order of a report."""

COLUMNS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Check) if field.name != "decision")


def to_frame(checks: Iterable[Check]) -> pd.DataFrame:
    """Table with the fields of `Check` as columns, in their order, without the decision object."""
    import pandas as pd

    rows = [[str(item) if isinstance(item := getattr(check, name), StrEnum) else item for name in COLUMNS] for check in checks]
    return pd.DataFrame(rows, columns=list(COLUMNS))
