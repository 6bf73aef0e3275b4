"""Progress: how far, and how long still."""

from __future__ import annotations

import logging

import pytest

from retrial.store import progress


def test_a_line_now_and_then_says_how_long_still(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SAY_EVERY", 0.0)
    with caplog.at_level(logging.INFO, "retrial"), progress.counter("drawing", 4, "tables") as advance:
        advance(0)
        advance(3)
    assert [line.split(",")[0] for line in caplog.messages[:2]] == ["drawing: 0 of 4 tables", "drawing: 3 of 4 tables"]
    assert "not known yet" in caplog.messages[0]
    assert "s left" in caplog.messages[1]
    assert "4 tables in" in caplog.messages[2]


def test_nothing_is_said_before_its_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "retrial"), progress.counter("drawing", 4, "tables") as advance:
        advance(3)
    assert len(caplog.messages) == 1


def test_parts_of_a_counter_are_done_at_their_end() -> None:
    told: list[float] = []
    with progress.part(told.append, 30) as alive:
        alive(0.0)
        alive(0.5)
        alive(0.7)  # more than is left
    with progress.part(told.append, 70):
        pass
    assert told == pytest.approx([0, 15, 15, 0, 70])
