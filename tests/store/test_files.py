"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrial.store import files
from retrial.store.files import write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write_whole(tmp_path / "a.csv", text)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "second"}


def test_a_file_that_is_there_is_not_new(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "first", new=True)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "a", "second", new=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "first"}


@pytest.mark.parametrize("broken", ["sync", "Path.replace"])
def test_what_fails_leaves_the_earlier_file(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", "first")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"retrial.store.files.{broken}", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", "second")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "first"}


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    dead, living = 2**30, os.getppid()
    for process in (dead, living):
        (tmp_path / f"{files._MINE}{process}{files._UNFINISHED}").write_text("half")
    write_whole(tmp_path / "a", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", f"{files._MINE}{living}{files._UNFINISHED}"])
