"""Names that one section of a study file uses of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from retrial.study.problems import listed, shown

Found = Iterator[tuple[str, str]]
"""Key path and what is wrong there."""


def keys(tree: Any, *path: str) -> dict[str, None]:
    """Names below a key of the file, in its order."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return dict.fromkeys(tree) if isinstance(tree, Mapping) else {}


def named(path: str, name: str, known: Mapping[str, None]) -> Found:
    """A name that is empty or known."""
    if name and name not in known:
        yield path, f"got {shown(name)}; allowed are {listed(list(known)) or 'none: the file has no such section'}"


def unknown(path: str, used: Sequence[str], known: Mapping[str, None]) -> Found:
    """Names that are all known, and each once."""
    for name in dict.fromkeys(used):
        if name not in known:
            yield path, f"got {shown(name)}; allowed are {listed(list(known))}"
    if len(set(used)) < len(used):
        yield path, f"got {listed(used)}; allowed is each name once"
