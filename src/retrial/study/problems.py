"""What is wrong with a study file, and at which key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
UNKNOWN_KEY = "got an unknown key"
"""How the message about a key begins that its section does not take."""
_SHOWN = 60
"""Characters of a refused value that a message repeats."""
_SHOWN_KEYS = 3
_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a key path; `of_text`: with the text as YAML, where there are no keys yet."""

    at: KeyPath
    message: str
    of_text: bool = False

    def __str__(self) -> str:
        if self.of_text:
            return self.message
        path = ".".join(printable(str(part)) for part in self.at)
        return f"{path or '(top level)'}: {self.message}"


class Clash(ValueError):  # noqa: N818 - it is noted and reported, and ends nothing
    """Values of one section that cannot stand together.

    `at` are the keys to give up so that the rest can still be checked (the first one is named; none: the whole section);
    `also` are other keys that the statement rests on: where one of them was refused already, the clash is not news.
    """

    def __init__(self, message: str, at: Sequence[str] = (), also: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.at, self.also = tuple(at), tuple(also)


def shown(raw: object) -> str:
    """A refused value in a few words, whatever its size."""
    if raw is None:
        return "nothing"
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, dict):
        return f"a mapping ({listed(list(raw), _SHOWN_KEYS)})" if raw else "an empty mapping"
    if isinstance(raw, list):
        return f"a list of {len(raw)}"
    text = str(raw)
    return repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")


def listed(names: Sequence[str], most: int = _SHOWN_NAMES) -> str:
    """The first names of a list."""
    return ", ".join([printable(name) for name in names[:most]] + ["..."] * (len(names) > most))


def printable(text: str) -> str:
    """A name from the file; characters that a terminal would obey are written as escapes."""
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return text if text.isprintable() else repr(text)[1:-1]


def one_line(error: Exception) -> str:
    """Words of an error on one line, without characters that a terminal would obey."""
    text = " ".join(str(error).split())
    return text if text.isprintable() else repr(text)[1:-1]
