"""What is said of arms in which nobody, or everybody, has the event."""

from __future__ import annotations

import pytest

from retrial.answers.notes import empty_arms, is_undecided


@pytest.mark.parametrize(
    ("events", "n", "said"),
    [
        ((17, 24), (49, 43), ""),
        ((0, 9), (49, 43), "no event in the control arm: the result leans on the prior"),
        ((5, 43), (49, 43), "an event in everybody of the experimental arm: the result leans on the prior"),
        (
            (0, 43),
            (49, 43),
            "no event in the control arm and an event in everybody of the experimental arm: the result leans on the prior",
        ),
        ((0, 0), (49, 43), "no event in either arm: the prior decides, not the data"),
        ((49, 43), (49, 43), "an event in everybody of both arms: the prior decides, not the data"),
    ],
)
def test_notes_of_counts(events: tuple[int, int], n: tuple[int, int], said: str) -> None:
    assert empty_arms(events, n) == said
    assert is_undecided(said) == ("decides" in said)
