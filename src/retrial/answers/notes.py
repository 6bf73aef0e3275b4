"""What to know of a comparison of counts before reading it: an arm in which nobody, or everybody, has the event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrial.dims import ARMS

LEANS = "the result leans on the prior"
"""One arm says nothing of how rare (or common) the event is, only that it is: how far away a ratio is, the prior says."""
DECIDES = "the prior decides, not the data"
"""Neither arm says on which side the other is: no probability, ratio or number needed to treat is to be interpreted."""


def empty_arms(events: Iterable[Any], n: Iterable[Any]) -> str:
    """The note of counts (control, experimental); empty where either arm has patients with the event and without it.

    The likelihood of an arm with 0 or n events has no maximum inside: its logit runs to infinity, and only a prior stops it.
    """
    none = [arm for arm, count, size in zip(ARMS, events, n, strict=True) if count == 0 < size]
    every = [arm for arm, count, size in zip(ARMS, events, n, strict=True) if 0 < size == count]
    if len(none) == len(ARMS) or len(every) == len(ARMS):
        return f"{'no event in either arm' if none else 'an event in everybody of both arms'}: {DECIDES}"
    parts = [f"no event in the {arm} arm" for arm in none] + [f"an event in everybody of the {arm} arm" for arm in every]
    return f"{' and '.join(parts)}: {LEANS}" if parts else ""


def joined(undecided: str, other: str) -> str:
    """Two notes in one; what `empty_arms` says comes last, where `is_undecided` looks."""
    return "; ".join(filter(None, (other, undecided)))


def is_undecided(note: str) -> bool:
    """Whether a note says that the data do not decide anything."""
    return note.endswith(DECIDES)
