"""Stages shared with a copy of the process: each computed once, by either, whatever becomes of the copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stage_functions import by_whom, failing

from retrial.store import beside
from retrial.store.stages import Stages

POSSIBLE = beside.possible


@pytest.fixture(autouse=True)
def _a_copy_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # threads of a parallel pytest hold no lock of these functions
    if sys.platform != "linux":
        pytest.skip("copies are made on Linux alone")
    monkeypatch.setattr(beside, "possible", lambda: True)


def asked(log: Path, count: int = 6, seconds: float = 0.05) -> list[tuple[Any, ...]]:
    return [(f"probe.{number}", by_whom, str(log), number, seconds) for number in range(count)]


def test_each_is_computed_once_and_comes_back_in_its_place(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = Stages(tmp_path / "stages").all_of(asked(log), processors=2)
    assert [one["number"] for one in found] == [0, 1, 2, 3, 4, 5]
    lines = log.read_text().split()
    assert len(lines) == 6
    assert len(set(lines)) == 2
    assert str(os.getpid()) in lines
    alone = Stages(tmp_path / "alone").all_of(asked(tmp_path / "other"), processors=1)
    assert set((tmp_path / "other").read_text().split()) == {str(os.getpid())}
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one["array"], other["array"])


def test_forced_stages_of_the_copy_are_not_computed_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Stages(tmp_path / "stages").all_of(asked(log))
    forced = Stages(tmp_path / "stages", force=True)
    forced.all_of(asked(log), processors=2)
    forced.all_of(asked(log), processors=2)
    assert len(log.read_text().split()) == 12


def test_a_copy_that_is_killed_leaves_its_work_to_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, here = tmp_path / "log", os.getpid()
    kept = Stages._compute

    def killed(self: Stages, *args: Any) -> None:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        kept(self, *args)

    monkeypatch.setattr(Stages, "_compute", killed)
    found = Stages(tmp_path / "stages").all_of(asked(log), processors=2)
    assert [one["number"] for one in found] == list(range(6))
    assert log.read_text().split() == [str(here)] * 6


def children() -> set[str]:
    """Processes that this one has started and not buried; other tests may have left some."""
    return {number for file in Path("/proc/self/task").glob("*/children") for number in file.read_text().split()}


def test_what_fails_is_raised_here_and_the_copy_is_gone(tmp_path: Path) -> None:
    log, before = tmp_path / "log", children()
    bad = [*asked(log, 3), ("probe.bad", failing, str(log)), *asked(log, 3)[:1]]
    with pytest.raises(ZeroDivisionError):
        Stages(tmp_path / "stages").all_of(bad, processors=2)
    assert children() <= before


def test_threads_and_copies_make_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not POSSIBLE()
    finally:
        stop.set()
        thread.join()
    monkeypatch.setattr(beside, "_IN_COPY", [1])
    assert not POSSIBLE()


_KILLED = r"""
import os, time
from retrial.store import beside
def work(number):
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(30)
beside.shared(2, work)
"""


def test_a_copy_ends_with_the_process_that_made_it() -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline()) for _ in range(2)}
        (copy,) = pids - {process.pid}
        process.kill()
        end = time.monotonic() + 5
        while time.monotonic() < end and Path(f"/proc/{copy}/cmdline").exists() and Path(f"/proc/{copy}/cmdline").read_bytes():
            time.sleep(0.02)
        assert time.monotonic() < end
