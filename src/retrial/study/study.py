"""`Study`: everything that a paper prints and that this program uses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr

from retrial.dims import ARMS, EXPERIMENTAL
from retrial.errors import ConfigError
from retrial.study.arms.names import ArmNames
from retrial.study.effects import Multivariable, with_strata
from retrial.study.fields import Count, CountRow, Key, Section
from retrial.study.sections import (
    AdverseEvents,
    Arm,
    Arms,
    Baseline,
    BinaryOutcome,
    Citation,
    Effect,
    Endpoint,
    Response,
    TestTable,
    Timeline,
)


class Total(Section):
    """Both arms together, where the paper prints their number."""

    n: Count


class Study(Section):
    """A published study of two arms, or two arms of a larger one. Frozen; read by `retrial.study.loader.load_study`.

    Control and experimental are roles: `names` says how the file calls the arms that have them. In a study of one arm nobody is in the other.
    Times are in `time_unit` here, as printed; `LifeTable` and all answers are in months.
    """

    title: str
    citation: Citation = Field(default_factory=Citation)
    design: str = ""
    software: str = ""
    randomised: bool | None = None
    time_unit: Literal["days", "weeks", "months", "years"] = "months"
    decimal: Literal["", ".", ",", "·"] = ""
    arms: Arms = Field(default_factory=Arms)
    total: Total | None = None
    timeline: Timeline | None = None
    baseline: Baseline | None = None
    endpoints: dict[Key, Endpoint] = Field(default_factory=dict)
    effects: Annotated[dict[Key, Effect], BeforeValidator(with_strata)] = Field(default_factory=dict)
    tests: dict[Key, TestTable] = Field(default_factory=dict)
    multivariable: dict[Key, Multivariable] = Field(default_factory=dict)
    response: Response | None = None
    binary: dict[Key, BinaryOutcome] = Field(default_factory=dict)
    adverse_events: AdverseEvents | None = None
    _file: Path | None = PrivateAttr(default=None)
    _names: ArmNames = PrivateAttr(default_factory=ArmNames)

    @property
    def file(self) -> Path | None:
        """The file that the study was read from; data files are named relative to it."""
        return self._file

    def read_from(self, path: Path) -> Self:
        """The same study, which remembers its file."""
        study = self.model_copy()
        study._file, study._names = path, self._names
        return study

    @property
    def names(self) -> ArmNames:
        """What the file calls the arms."""
        return self._names

    def called(self, names: ArmNames) -> Self:
        """The same study, which remembers what its file calls the arms."""
        study = self.model_copy()
        study._file, study._names = self._file, names
        return study

    @property
    def one_arm(self) -> bool:
        """Whether the study has one arm only: it is the control, and of the other there are 0 patients."""
        return self.n(EXPERIMENTAL) == 0

    def comparisons(self) -> tuple[Self, ...]:
        """The study itself: it compares two arms, or none."""
        return (self,)

    def arm(self, name: str) -> Arm:
        return getattr(self.arms, name)

    def n(self, arm: str) -> int | None:
        """Patients of one arm ("control", "experimental") or of both ("total"); None where the file does not say."""
        if arm in ARMS:
            printed = self.arm(arm).n
            return None if printed is None else int(printed)
        if self.total is not None:
            return int(self.total.n)
        sizes = [self.n(name) for name in ARMS]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def evaluable(self, path: str, column: str) -> int | None:
        """Patients of one column among whom the row at `path` counts, as the file says (cell, row or section); None where it does not."""
        if column in ARMS:
            return self.said_evaluable(path, column)[0]
        said = [self.evaluable(path, arm) for arm in ARMS]
        sizes = [self.n(arm) if known is None else known for arm, known in zip(ARMS, said, strict=True)]
        return None if None in sizes or said == [None] * len(ARMS) else sum(size for size in sizes if size is not None)

    def said_evaluable(self, path: str, arm: str) -> tuple[int | None, str]:
        """The number nearest to the count, and its key path."""
        node: Any = self
        found: tuple[int | None, str] = (None, "")
        parts = path.split(".")
        for depth, part in enumerate(parts, start=1):
            node = _children(node)[part]
            said = getattr(getattr(node, "evaluable", None), arm, None)
            found = found if said is None else (int(said), ".".join([*parts[:depth], "evaluable", arm]))
        said = getattr(getattr(node, arm, None), "evaluable", None)
        return found if said is None else (int(said), f"{path}.{arm}.evaluable")

    def patients(self, path: str, column: str) -> int | None:
        """Patients of one column that the row at `path` is a count of: those said to be evaluable, else all."""
        known = self.evaluable(path, column)
        return self.n(column) if known is None else known

    def followed(self, endpoint: str, column: str) -> int | None:
        """Patients of one column that an endpoint is about: those that its events say are evaluable, else all."""
        return self.patients(f"endpoints.{endpoint}.events", column)

    def count_rows(self) -> dict[str, CountRow]:
        """Every count row that is compared between arms, by key path."""
        rows: dict[str, CountRow] = {}
        if self.response is not None:
            rows |= {f"response.categories.{key}": row for key, row in self.response.categories.items()}
            rows |= {f"response.composites.{key}": row for key, row in self.response.composites.items()}
        rows |= {f"binary.{key}": row for key, row in self.binary.items()}
        if self.adverse_events is not None:
            for term, item in self.adverse_events.terms.items():
                rows |= {f"adverse_events.terms.{term}.grades.{grade}": row for grade, row in item.grades.items()}
        return rows


def replaced[T](node: T, path: str, value: Any) -> T:
    """Copy of a study with the value at a dotted key path replaced; with None in a mapping, the entry is removed.

    The value is not read again: give what the field holds (a `Quantity`, an `Interval`, a section). Raises `ConfigError`
    where the path leads nowhere.
    """
    head, _, rest = path.partition(".")
    children = _children(node)
    if head not in children:
        allowed = f"allowed here are {', '.join(children)}" if children else "there is nothing below it"
        raise ConfigError("cannot replace a value of the study", [f"got {head!r} in a key path; {allowed}"])
    if isinstance(node, dict) and not rest and value is None:
        return cast("T", {key: item for key, item in node.items() if key != head})
    new = replaced(children[head], rest, value) if rest else value
    if isinstance(node, dict):
        return cast("T", {**node, head: new})
    if isinstance(node, BaseModel):
        return cast("T", node.model_copy(update={head: new}))
    return cast("T", dataclasses.replace(cast("Any", node), **{head: new}))


def value_at(node: Any, path: str) -> Any:
    """What stands at a dotted key path of a study; None where nothing does."""
    for part in path.split("."):
        node = _children(node).get(part)
    return node


def _children(node: Any) -> dict[str, Any]:
    """What a part of a study is made of, by key."""
    if isinstance(node, dict):
        return node
    if isinstance(node, BaseModel):
        return {name: getattr(node, name) for name in type(node).model_fields}
    if dataclasses.is_dataclass(node):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node) if field.init}
    return {}
