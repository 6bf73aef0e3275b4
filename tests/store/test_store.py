"""Run folders: finished ones stay, half-written ones are redone, failures leave nothing."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from retrial.errors import StoreError
from retrial.store.folders import fingerprint, finish, is_finished, open_run, read_manifest


def test_finished_folder_is_not_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "audit" / "study" / "abc"
    with open_run(folder, force=False) as work:
        assert work
        (folder / "result.csv").write_text("1")
        finish(folder, {"failures": []})
    with open_run(folder, force=False) as work:
        assert not work
    with open_run(folder, force=True) as work:
        assert work
        assert not list(folder.iterdir())
        finish(folder, {"failures": []})
    assert read_manifest(folder) == {"failures": []}


def test_half_written_folder_is_redone(tmp_path: Path) -> None:
    folder = tmp_path / "v" / "s" / "h"
    folder.mkdir(parents=True)
    (folder / "old.csv").write_text("half")
    with open_run(folder, force=False) as work:
        assert work
        assert not (folder / "old.csv").exists()
        finish(folder, {})
    assert is_finished(folder)


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "v" / "s" / "h"
    with pytest.raises(ZeroDivisionError), open_run(folder, force=False):
        (folder / "x").write_text("x")
        _ = 1 / 0
    assert not folder.parent.exists()


def _hold(folder: Path, log: Path) -> None:
    with open_run(folder, force=False) as work:
        with log.open("a") as stream:
            stream.write("work\n" if work else "found\n")
        if work:
            time.sleep(0.3)
            finish(folder, {})


def test_two_processes_do_the_work_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    both = [context.Process(target=_hold, args=(tmp_path / "v" / "s" / "h", log)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert sorted(log.read_text().split()) == ["found", "work"]


def test_fingerprint_depends_on_config_and_content(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("title: a")
    first = fingerprint({"seed": 1}, {"study": study})
    assert first == fingerprint({"seed": 1}, {"study": study})
    assert first != fingerprint({"seed": 2}, {"study": study})
    study.write_text("title: b")
    assert first != fingerprint({"seed": 1}, {"study": study})


def test_unreadable_manifest_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a finished run folder"):
        read_manifest(tmp_path)


def test_a_damaged_folder_is_redone(tmp_path: Path) -> None:
    folder = tmp_path / "v" / "s" / "h"
    with open_run(folder, force=False):
        (folder / "result.csv").write_text("1,2,3")
        finish(folder, {"files": {"result.csv": 5}})
    assert is_finished(folder)
    (folder / "result.csv").write_text("1,2")
    assert not is_finished(folder)
    (folder / "result.csv").unlink()
    assert not is_finished(folder)
