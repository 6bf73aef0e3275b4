"""The two-arm count rows of a study with their labels and places, and every printed quantity by key path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from retrial.dims import ARMS, TOTAL
from retrial.study.fields import Cell, CountRow
from retrial.study.reported import Quantity
from retrial.study.sections import Baseline, BaselineVariable
from retrial.study.study import Study

COLUMNS: tuple[str, ...] = (*ARMS, TOTAL)


@dataclass(frozen=True, slots=True)
class Row:
    """One count row: its key path, a label that a reader knows it by, and its place in the paper."""

    path: str
    label: str
    where: str
    counts: CountRow

    @property
    def cells(self) -> dict[str, Cell]:
        """The printed cells by column (control, experimental, total)."""
        return {column: cell for column in COLUMNS if (cell := getattr(self.counts, column)) is not None}

    @property
    def arms(self) -> tuple[int, int]:
        """Counts of the control and the experimental arm."""
        return int(self.counts.control.n), int(self.counts.experimental.n)


def count_rows(study: Study) -> Iterator[Row]:
    """Every count row: baseline levels, response, binary outcomes, adverse events."""
    for name, variable in continuous_or_not(study.baseline, levels=True):
        yield from level_rows(study, name, variable)
    yield from outcome_rows(study)


def outcome_rows(study: Study) -> Iterator[Row]:
    """Count rows that models use: response, binary outcomes and adverse events."""
    for path, counts in study.count_rows().items():
        section = getattr(study, path.split(".", 1)[0])
        where = counts.where or ("" if isinstance(section, dict) else section.where)
        yield Row(path, _label(study, path, counts), where, counts)


def level_rows(study: Study, name: str, variable: BaselineVariable) -> Iterator[Row]:
    """The levels of one baseline variable."""
    place = variable.where or (study.baseline.where if study.baseline else "")
    for key, counts in (variable.levels or {}).items():
        label = f"{variable.label or name}: {counts.label or key}"
        yield Row(f"baseline.variables.{name}.levels.{key}", label, counts.where or place, counts)


def continuous_or_not(baseline: Baseline | None, *, levels: bool) -> Iterator[tuple[str, BaselineVariable]]:
    """Baseline variables that have levels, or those that have means."""
    for name, variable in (baseline.variables if baseline else {}).items():
        if (variable.levels is not None) == levels:
            yield name, variable


def _label(study: Study, path: str, counts: CountRow) -> str:
    parts = path.split(".")
    if parts[0] == "adverse_events" and study.adverse_events is not None:
        term = study.adverse_events.terms[parts[2]]
        return f"{term.label or parts[2]}, {'any grade' if parts[4] == 'any' else f'grade {parts[4]}'}"
    return counts.label or parts[-1]


def quantities(node: object, path: str = "", where: str = "") -> Iterator[tuple[str, Quantity, str]]:
    """(key path, quantity, place of its section) of every printed quantity below `node`."""
    if isinstance(node, Quantity):
        yield path, node, where
        return
    where = getattr(node, "where", "") or where
    for key, child in _children(node):
        yield from quantities(child, f"{path}.{key}" if path else key, where)


def _children(node: object) -> Iterator[tuple[str, object]]:
    if isinstance(node, BaseModel):
        yield from ((name, getattr(node, name)) for name in type(node).model_fields)
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        yield from ((field.name, getattr(node, field.name)) for field in dataclasses.fields(node))
    elif isinstance(node, dict):
        yield from ((str(key), item) for key, item in node.items())
    elif isinstance(node, list | tuple):
        yield from ((str(position), item) for position, item in enumerate(node))
