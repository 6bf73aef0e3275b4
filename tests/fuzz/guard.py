"""Watches what a call does beside its answer: exceptions, time, files, processes, connections."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import site
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from retrial.errors import RetrialError

HANGS = 60
"""Seconds of wall time after which a call is stopped."""
ROOT = Path(__file__).resolve().parents[2]
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "shutil.rmtree")
_STARTS = (
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"),
    *("socket.connect", "socket.getaddrinfo", "webbrowser.open"),
)
_COMPILED = (".pyc", ".nbi", ".nbc")


class Watch:
    """Notes what is done outside a folder while it is on; one for the whole process, for a hook cannot be taken away."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.seen: list[str] = []
        self._within = False
        self._readable = tuple(
            str(Path(item).resolve())
            for item in (
                *site.getsitepackages(),
                *sys.path[1:],
                sys.prefix,
                sys.base_prefix,
                ROOT,
                "/usr",
                "/lib",
                "/proc",
                "/sys",
            )
            if item
        )
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if self.folder is None or self._within:
            return
        self._within = True
        try:
            self._note(event, args)
        finally:
            self._within = False

    def _note(self, event: str, args: tuple[object, ...]) -> None:
        if event in _STARTS:
            if not (event == "subprocess.Popen" and list(args[1] or [])[:1] == ["git"]):  # type: ignore[call-overload]
                self.seen.append(f"{event} {args!r:.200}")
        elif event == "open" and isinstance(args[0], (str, bytes)):
            flags = args[2] if isinstance(args[2], int) else 0
            self._file(os.fsdecode(args[0]), bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
        elif event in _CHANGES and not self._is_known(event, args):
            for path in args[: 2 if event in ("os.rename", "os.link") else 1]:
                if isinstance(path, (str, bytes, os.PathLike)):
                    self._file(os.fsdecode(path), True)

    @staticmethod
    def _is_known(event: str, args: tuple[object, ...]) -> bool:
        """Whether a folder is made that is there, or a file taken away relative to an open folder, whose removal was noted."""
        if event == "os.mkdir":
            return os.path.isdir(str(args[0]))
        return event in ("os.remove", "os.rmdir") and args[-1] not in (-1, None)

    def _file(self, name: str, writes: bool) -> None:
        path = os.path.realpath(name)
        inside = path == str(self.folder) or path.startswith(f"{self.folder}{os.sep}")
        if inside or path == os.devnull or "__pycache__" in path or path.endswith(_COMPILED):
            return
        if writes or not path.startswith(self._readable):
            self.seen.append(f"{'writes' if writes else 'reads'} {name!r}")


_WATCH: list[Watch] = []


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Notes of what is done outside a folder meanwhile; temporary files go to it."""
    if not _WATCH:
        _WATCH.append(Watch())
    watch = _WATCH[0]
    watch.seen, watch.folder = [], folder.resolve()
    try:
        with mock.patch.object(tempfile, "tempdir", str(folder)):
            yield watch.seen
    finally:
        watch.folder = None


def _hung(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"no answer in {HANGS} s")


def fault_of(call: Callable[[], object], folder: Path, limit: float) -> str:
    """What is wrong with a call; empty where it gives an answer or one of the program's own errors, and does nothing else.

    `limit` is in seconds of processor time: a loaded machine does not count.
    """
    before = signal.signal(signal.SIGALRM, _hung)
    signal.alarm(HANGS)
    started, wrong = time.process_time(), ""
    with watched(folder) as seen, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            wrong = _badly_said(call)
        except BaseException:  # noqa: BLE001 - that nothing else is raised is what is tested
            wrong = traceback.format_exc()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
    seconds = time.process_time() - started
    slow = f"took {seconds:.1f} s" if seconds > limit else ""
    return "\n".join(filter(None, [wrong, slow, *seen]))


def _badly_said(call: Callable[[], object]) -> str:
    """What is wrong with the words of the error that a call raises, of the program's own ones."""
    try:
        call()
    except RetrialError as error:
        lines = str(error).splitlines()
        bad = [line for line in lines if not line.isprintable() or len(line) > 3_000]
        return f"an error that cannot be shown: {bad[0]!r:.300}" if bad else "" if lines else "an error without words"
    return ""
