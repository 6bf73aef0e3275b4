"""Run folders: finished ones stay until a new one is whole, half-written ones are never there, damaged ones are named and redone."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrial.errors import StoreError
from retrial.store.folders import CHECKSUM, FILES, MANIFEST, damage, fingerprint, finish, is_finished, open_run, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "study" / "abc"


def run(folder: Path, text: str = "1,2,3", force: bool = False) -> bool:
    """A small run; whether there was work to do."""
    with open_run(folder, force) as work:
        if work is None:
            return False
        assert (work.name, work.parent.name) == (folder.name, folder.parent.name)
        assert not list(work.iterdir())
        (work / "result.csv").write_text(text)
        (work / "figures").mkdir()
        (work / "figures" / "a.svg").write_text("<svg/>")
        finish(work, {"failures": [], "study": "α", "level": 0.95, "path": folder})
    return True


def test_a_finished_folder_is_not_run_again(folder: Path) -> None:
    assert run(folder)
    assert not run(folder, "other")
    assert (folder / "result.csv").read_text() == "1,2,3"
    assert set(read_manifest(folder)[FILES]) == {"result.csv", "figures/a.svg"}
    assert run(folder, "other", force=True)
    assert (folder / "result.csv").read_text() == "other"
    assert is_finished(folder)


def test_the_folder_of_another_question_is_redone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every file of it is whole, but it answers what was asked under another name."""
    other = folder.with_name("def")
    assert run(other, "of another question")
    other.rename(folder)
    assert not is_finished(folder)
    assert run(folder)
    assert (folder / "result.csv").read_text() == "1,2,3"
    assert "it holds what was asked as audit/study/def" in caplog.text


@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_what_is_no_folder_gives_way_to_one_again_and_again(folder: Path, tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert run(folder, "first")
    folder.rename(elsewhere)
    if kind == "file":
        folder.write_text("no run")
    else:
        folder.symlink_to(elsewhere if kind == "link" else tmp_path / "nowhere")
    for text in ("second", "third"):
        assert run(folder, text, force=True)
        assert (folder / "result.csv").read_text() == text
    assert not folder.is_symlink()
    assert (elsewhere / "result.csv").read_text() == "first"


def test_a_folder_without_a_manifest_is_redone(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "old.csv").write_text("half")
    assert run(folder)
    assert not (folder / "old.csv").exists()


def _results(folder: Path) -> list[Path]:
    root = folder.parents[2]
    return [path for path in root.rglob("*") if path.is_file() and ".locks" not in path.parts]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(folder: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), open_run(folder, force=False) as work:
        assert work is not None
        (work / "x").write_text("x")
        raise error
    assert _results(folder) == []
    assert not folder.parent.exists()


def test_a_forced_run_that_fails_leaves_the_earlier_result(folder: Path) -> None:
    run(folder)
    with pytest.raises(KeyboardInterrupt), open_run(folder, force=True) as work:
        assert work is not None
        finish(work, {"failures": []})
        raise KeyboardInterrupt
    assert is_finished(folder)
    assert (folder / "result.csv").read_text() == "1,2,3"


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 1), (errno.EFBIG, 1), (errno.EACCES, 2)])
def test_what_cannot_be_written_is_a_named_error_whoever_writes_it(folder: Path, number: int, status: int) -> None:
    with pytest.raises(StoreError, match="cannot write to") as told, open_run(folder, force=False) as work:
        raise OSError(number, os.strerror(number), str(work))
    assert told.value.exit_status == status
    assert "change output_dir" in str(told.value)
    assert _results(folder) == []


def test_work_without_finish_is_not_kept(folder: Path) -> None:
    with open_run(folder, force=False) as work:
        assert work is not None
        (work / "x").write_text("x")
    assert _results(folder) == []


@pytest.mark.parametrize("rename", [1, 2])
def test_an_interrupt_between_the_renames_loses_nothing(folder: Path, rename: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, "first")
    done, real = [0], Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        done[0] += 1
        if done[0] == rename:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(folder, "second", force=True)
    assert is_finished(folder)
    assert (folder / "result.csv").read_text() == "first"


def test_a_kill_between_the_renames_loses_nothing(folder: Path) -> None:
    run(folder, "first")
    earlier = folder.parents[2] / ".unfinished" / "audit" / "study" / "abc.earlier"
    earlier.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(earlier)
    assert not run(folder, "second")
    assert (folder / "result.csv").read_text() == "first"


def _hold(folder: Path, log: Path, seconds: float) -> None:
    with open_run(folder, force=False) as work:
        with log.open("a") as stream:
            stream.write("work\n" if work else "found\n")
        if work:
            time.sleep(seconds)
            finish(work, {"failures": []})


def _start(work: Callable[..., None], many: int, *args: Any) -> list[Any]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=args) for _ in range(many)]
    for process in processes:
        process.start()
    return processes


def test_processes_do_the_work_once(folder: Path, tmp_path: Path) -> None:
    for process in _start(_hold, 3, folder, tmp_path / "log", 0.3):
        process.join()
        assert process.exitcode == 0
    assert sorted((tmp_path / "log").read_text().split()) == ["found", "found", "work"]


def test_a_killed_process_leaves_no_result_and_no_held_lock(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    (process,) = _start(_hold, 1, folder, log, 60)
    while not log.exists():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not folder.exists()
    assert run(folder)


def test_the_fingerprint_depends_on_config_and_content(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("title: a")
    first = fingerprint({"seed": 1}, {"study": study})
    assert first == fingerprint({"seed": 1}, {"study": study})
    assert first != fingerprint({"seed": 2}, {"study": study})
    study.write_text("title: b")
    assert first != fingerprint({"seed": 1}, {"study": study})


def test_an_unreadable_manifest_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a finished run folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text", ["[]", "null", "{}", '{"files": []}', "", '{"files": {}}', '{"files": {"x": 1}, "manifest_sha256": 1}']
)
def test_a_manifest_of_another_kind_is_redone(folder: Path, text: str) -> None:
    run(folder)
    (folder / MANIFEST).write_text(text)
    assert damage(folder)
    assert run(folder)
    assert is_finished(folder)


@pytest.mark.parametrize("name", ["result.csv", "figures/a.svg", MANIFEST])
def test_every_flipped_bit_is_noticed(folder: Path, name: str) -> None:
    run(folder)
    path = folder / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (0, 5):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            if name == MANIFEST and _same(whole, bytes(changed)):
                continue  # white space
            assert not is_finished(folder), (place, bit)
    path.write_bytes(whole)
    assert is_finished(folder)


def _same(one: bytes, two: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(two)
    except ValueError:
        return False


def test_a_damaged_folder_is_named_and_redone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(folder)
    (folder / "result.csv").write_text("1,2,4")
    assert run(folder)
    assert caplog.messages == [f"{folder}: other content than was written: result.csv; doing it again"]
    (folder / "figures" / "a.svg").unlink()
    assert damage(folder) == "no longer there: figures/a.svg"
    assert run(folder)
    assert CHECKSUM in read_manifest(folder)
