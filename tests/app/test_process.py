"""The process around a verb: home, jobs elsewhere, killed workers. Streams and working folders: tests/torture/streams.py."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from retrial.app import application
from retrial.app.process import surroundings
from retrial.app.process.jobs import Jobs, jobs, leave_with
from retrial.errors import FitError
from retrial.store.files import alive

STUDY = "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n"


def tell(told: Jobs, line: str) -> None:
    told.tell(line)


def test_jobs_tell_from_here_and_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"retrial-jobs-{2**30}-killed").write_text("1\n")
    with jobs() as told:
        told.tell(Path("/a"))
        told.tell(Path("/a"))
        told.tell(2)
        assert len(list(tmp_path.iterdir())) == 1, "one process needs no file"
        other = multiprocessing.get_context("spawn").Process(target=tell, args=(told, "/b"))
        other.start()
        other.join()
        assert told.folders == [Path("/a"), Path("/b")]
        assert told.status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_job_whose_parent_was_killed_leaves_no_file(tmp_path: Path) -> None:
    Jobs(2**30, tmp_path / "jobs").tell(0)
    assert list(tmp_path.iterdir()) == []


class Workers:
    """Jobs of which some end before a worker is killed: so many a call."""

    def __init__(self, told: Jobs, *finished: int) -> None:
        self.told, self.finished, self.calls = told, finished, 0

    def __call__(self) -> None:
        self.calls += 1
        for _ in range(self.finished[self.calls - 1]):
            self.told.tell(f"/{len(self.told.here)}")
        if self.calls < len(self.finished):
            raise BrokenProcessPool


def test_what_a_killed_worker_was_doing_is_begun_again(capsys: pytest.CaptureFixture[str]) -> None:
    with jobs() as told:
        application._again_after_kills(Workers(told, 0, 1, 0, 0, 2), told)
        assert len(told.folders) == 3
    assert capsys.readouterr().err.count("begun again") == 4


def test_workers_that_are_always_killed_are_an_error() -> None:
    with jobs() as told, pytest.raises(FitError, match="take fewer at a time"):
        application._again_after_kills(Workers(told, *([0] * 9)), told)


def test_only_what_is_wrong_before_a_job_begins_is_the_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong() -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(application.hydra, "main", lambda **_: lambda _: wrong)
    with jobs() as told:
        assert application._hydra("fit", [], told) == 2
        assert "cannot use the configuration" in capsys.readouterr().err
        other = multiprocessing.get_context("spawn").Process(target=tell, args=(told, "0"))
        other.start()
        other.join()
        with pytest.raises(ValueError, match="a fault"):
            application._hydra("fit", [], told)


def test_a_home_that_can_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTENSOR_FLAGS", "")
    assert surroundings.with_home() == ""
    assert os.environ["HOME"] == str(tmp_path)
    assert os.environ["PYTENSOR_FLAGS"] == f"generated_src_dir={tmp_path}/.pytensor/sources"
    surroundings.with_home()
    assert os.environ["PYTENSOR_FLAGS"].count("generated_src_dir") == 1


def test_without_a_home_fits_work_and_leave_nothing(tmp_path: Path) -> None:
    """As for a user without a home on a machine whose packages cannot be written."""
    (tmp_path / "hr.yaml").write_text(STUDY)
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "HOME": "/proc/nowhere", "TMPDIR": str(tmp_path / "tmp")}
    environment.pop("PYTENSOR_FLAGS", None)
    call = ["fit", f"study={tmp_path / 'hr.yaml'}", "model=log_hazard_ratio", f"output_dir={tmp_path / 'out'}"]
    done = subprocess.run(
        [sys.executable, "-c", f"from retrial import cli; cli.main({call})"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the home folder /proc/nowhere is not there: compiled code is kept until the end of this run only" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def _start_and_leave(pids: Any) -> None:
    """A process that starts another, which would run for long, and is killed."""
    child = multiprocessing.get_context("spawn").Process(target=_wait_with, args=(os.getpid(), pids))
    child.start()
    child.join()


def _wait_with(parent: int, pids: Any) -> None:
    leave_with(parent)
    pids.put((parent, os.getpid()))
    time.sleep(60)


def _ended(process: int) -> bool:
    """Gone, or left to be counted by a process that does not."""
    state = Path(f"/proc/{process}/stat")
    return not alive(str(process)) or (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    context = multiprocessing.get_context("spawn")
    pids = context.SimpleQueue()
    first = context.Process(target=_start_and_leave, args=(pids,))
    first.start()
    parent, worker = pids.get()
    assert parent == first.pid
    os.kill(parent, signal.SIGKILL)
    first.join()
    for _ in range(100):
        if _ended(worker):
            break
        time.sleep(0.1)
    assert _ended(worker)


def test_doctor_works_with_what_runs_work_with() -> None:
    call = "from retrial import cli; raise SystemExit(cli.main(['doctor']))"
    environment = {**os.environ, "HOME": "/proc/nowhere"}
    environment.pop("PYTENSOR_FLAGS", None)
    done = subprocess.run([sys.executable, "-c", call], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "the home folder /proc/nowhere is not there" in done.stdout
    assert "does not work" not in done.stdout


def test_the_api_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import retrial

    caplog.set_level(logging.WARNING, "retrial")
    monkeypatch.setattr(surroundings, "home_problem", lambda: "there is no home folder")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("PYTENSOR_FLAGS", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "hr.yaml").write_text(STUDY)
    assert len(retrial.sensitivity(tmp_path / "hr.yaml").estimates)
    assert any("there is no home folder" in message for message in caplog.messages)
