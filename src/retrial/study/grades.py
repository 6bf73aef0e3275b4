"""Grade groups of adverse events: which grades a printed key stands for, and what groups must add to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ANY = "any"
"""The group of all grades."""
FATAL = 5
_ALL = frozenset(range(1, FATAL + 1))
_WORDS = {ANY: _ALL, "all": _ALL, "mild": {1}, "moderate": {2}, "severe": {3}, "life-threatening": {4}, "fatal": {FATAL}}
_PREFIX = re.compile(r"^(?:grades?|g)[ _]*(?=[1-5<>≤≥])", re.IGNORECASE)
_RANGE = re.compile(r"([1-5])(?: ?(?:-|–|_|/|to) ?([1-5]))?")
_AT_LEAST = re.compile(r"(?:>=|≥) ?([1-5])|([1-5]) ?\+|([1-5])[ _]or[ _](?:higher|worse|more)")
_AT_MOST = re.compile(r"(?:<=|≤) ?([1-5])")


def grades_of(key: str) -> frozenset[int] | None:
    """Grades (CTCAE, 1 to 5) that a group's key stands for: "3", "3-4", ">=3", "3+", "any", "mild"; None for other words."""
    text = _PREFIX.sub("", key.strip().lower())
    if text in _WORDS:
        return frozenset(_WORDS[text])
    if found := _RANGE.fullmatch(text):
        return frozenset(range(int(found[1]), int(found[2] or found[1]) + 1)) or None
    if found := _AT_LEAST.fullmatch(text):
        return frozenset(range(int(next(filter(None, found.groups()))), FATAL + 1))
    if found := _AT_MOST.fullmatch(text):
        return frozenset(range(1, int(found[1]) + 1))
    return None


@dataclass(frozen=True, slots=True)
class Whole:
    """A printed group and the exclusive printed groups within it.

    sums     whether the parts are all of it, so that their counts add to its count; else they add to that or less
    """

    key: str
    parts: tuple[str, ...]
    sums: bool


def wholes(keys: Iterable[str]) -> list[Whole]:
    """Every printed group that holds other printed groups, with the largest of these; groups that overlap otherwise give none.

    The parts are all of a group where no grade of it is without one. Grade 5 may be missing where the worst part is a range
    ("3-4" is then all that is severe), not where grades stand alone (a table of grades 1, 2, 3 and 4 may leave out deaths).
    """
    known = {key: read for key in keys if (read := grades_of(key)) is not None}
    found = []
    for key, grades in known.items():
        inside = {other: mine for other, mine in known.items() if mine < grades}
        parts = [one for one, mine in inside.items() if not any(mine < bigger for bigger in inside.values())]
        if parts and sum(len(inside[part]) for part in parts) == len(frozenset().union(*(inside[part] for part in parts))):
            found.append(Whole(key, tuple(parts), _are_all(grades, [inside[part] for part in parts])))
    return found


def _are_all(grades: frozenset[int], parts: list[frozenset[int]]) -> bool:
    missing = grades - frozenset().union(*parts)
    worst = max(parts, key=max)
    return not missing or (missing == {FATAL} and len(worst) > 1 and max(worst) == FATAL - 1)
