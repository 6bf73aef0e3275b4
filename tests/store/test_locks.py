"""Locks: one holder, a file that stays, words for those who wait, and another kind where the file system has none."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import time
from pathlib import Path

import pytest

from retrial.errors import StoreError
from retrial.store import locks
from retrial.store.locks import held


def _enter(lock: Path, inside: Path, many: int) -> None:
    for _ in range(many):
        with held(lock, "the same"):
            inside.mkdir()  # fails where another is inside
            time.sleep(0.002)
            inside.rmdir()


def test_one_at_a_time_under_stress(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_enter, args=(tmp_path / "x.lock", tmp_path / "inside", 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_the_file_stays(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "x.lock"
    with held(lock, "a"):
        first = lock.stat().st_ino
    with held(lock, "a"):
        assert lock.stat().st_ino == first
    assert lock.is_file()


def test_who_waits_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "retrial")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_enter, args=(tmp_path / "x.lock", tmp_path / "inside", 300))
    process.start()
    while not (tmp_path / "inside").exists():
        time.sleep(0.001)
    while not caplog.messages and process.is_alive():
        with held(tmp_path / "x.lock", "tables.os"):
            pass
    process.terminate()
    process.join()
    assert caplog.messages == ["tables.os: another process is at it; waiting for it"]


def test_a_file_system_without_flock_has_another_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: Path) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "FileLock", refused)
    with held(tmp_path / "x.lock", "a"):
        assert (tmp_path / "x.soft-lock").is_file()
    assert not (tmp_path / "x.soft-lock").exists()


def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="change output_dir"), held(tmp_path / "file" / "x.lock", "a"):
        pass
