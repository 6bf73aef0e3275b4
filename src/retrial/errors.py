"""Named errors: each says what was got, what is allowed and which key to change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

_LONGEST = 2_000
"""Characters of one problem: a refused value may be of any length."""


def printable(text: str) -> str:
    """A text with escapes for all but line ends that a terminal would obey, and not longer than anybody reads."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else repr(line)[1:-1] for line in lines)


class RetrialError(Exception):
    """Base of all errors that a user can cause or must know of; `exit_status` is the command's."""

    exit_status = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(RetrialError):
    """Bad input, with every problem found, each "key: message"."""

    exit_status = 2

    def __init__(self, title: str, problems: Iterable[str] = ()) -> None:
        self.title = printable(title)
        self.problems = tuple(map(printable, problems))
        super().__init__(title, self.problems)

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  - {problem}" for problem in self.problems)])


class StudyError(InputError):
    """A study file (or a data file it names) cannot be used.

    `told` are the problems as they are shown: with their lines, and with lines to write instead. It may be a function, called when they
    are first shown.
    """

    def __init__(
        self, title: str, problems: Iterable[str] = (), told: Iterable[str] | Callable[[], Iterable[str]] | None = None
    ) -> None:
        super().__init__(title, problems)
        self._told = told

    @property
    def told(self) -> tuple[str, ...]:
        if callable(self._told):
            self._told = tuple(self._told())
        return self.problems if self._told is None else tuple(map(printable, self._told))

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  - {item}" for item in self.told)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.title, self.problems, self.told)


class ConfigError(InputError):
    """A run's configuration cannot be used."""


class PriorError(InputError):
    """A prior is not a distribution, or not one that its parameter admits."""


class DataError(InputError):
    """Survival or count data that no model can be fitted to."""


class ReconstructionError(RetrialError):
    """No life table carries the printed numbers."""


class FitError(RetrialError):
    """A fit ran and failed its diagnostics, or could not run."""


class StoreError(RetrialError):
    """A run folder cannot be read or written: `output_dir` is bad input."""

    exit_status = 2


class DiskError(StoreError):
    """The disk is full or broken: nothing in what was asked is wrong."""

    exit_status = 1
