"""Signals: noted where they are swallowed, an interrupt whatever a library makes of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retrial.store import interrupts
from retrial.store.folders import finish, open_run
from retrial.store.interrupts import check, noticed
from retrial.store.progress import counter
from retrial.store.stages import Stages


def swallowed(number: int = signal.SIGTERM) -> None:
    """As a callback of compiled code does it."""
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_swallowed_signal_still_ends_the_run(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), noticed():
        swallowed(number)
    assert signal.getsignal(number) == before


def test_what_a_library_makes_of_an_interrupt_is_one() -> None:
    with pytest.raises(KeyboardInterrupt), noticed():
        swallowed()
        raise ValueError("as pydantic does it")


class Swallowing:
    """Python itself drops what is raised here, and says so."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_traceback_is_shown_of_a_swallowed_signal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), noticed():
        Swallowing()
    assert capfd.readouterr().err == ""


def test_nothing_is_kept_of_a_stage_that_was_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), noticed():
        Stages(tmp_path).run("probe", swallowed)
    assert not list((tmp_path / "probe").glob("*"))


def test_nothing_is_kept_of_a_run_that_was_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "audit" / "study" / "abc"
    with pytest.raises(KeyboardInterrupt), noticed(), open_run(folder, force=False) as work:
        assert work is not None
        swallowed()
        finish(work, {"failures": []})
    assert not folder.exists()


def test_no_fit_is_begun_after_it() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), noticed(), counter("fits", 3, "fits") as count:
        for fit in range(3):
            done.append(fit)
            swallowed()
            count(1)
    assert done == [0]


def test_an_earlier_signal_is_forgotten() -> None:
    with contextlib.suppress(KeyboardInterrupt), noticed():
        swallowed()
    with noticed():
        check()


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with noticed():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_has_no_signals() -> None:
    found = []

    def work() -> None:
        with noticed():
            found.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_after_the_end_a_signal_ends_the_process_without_words(number: int) -> None:
    code = f"import os; from retrial.store.interrupts import at_once; at_once(); os.kill(os.getpid(), {int(number)}); print(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")
