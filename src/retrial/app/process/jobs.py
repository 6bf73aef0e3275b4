"""What the jobs of a run tell of themselves, also from other processes."""

from __future__ import annotations

import functools
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from retrial.store.files import alive

_PREFIX = "retrial-jobs-"
_LOOK = 2.0
"""Seconds between looks at whether the parent is there."""


@functools.cache
def leave_with(parent: int) -> None:
    """Have this process end when the one that started it does (killed, it tells nobody); of other processes nothing is asked.

    A worker of joblib would wait for more work for minutes, with all the memory of its last job.
    """
    if os.getppid() != parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Jobs:
    """Finished run folders and exit statuses: kept in the process that started the jobs, and in a file for jobs elsewhere."""

    parent: int
    path: Path
    here: list[str] = field(default_factory=list)

    def tell(self, line: object) -> None:
        """A run folder, or an exit status; nobody is told where the process that started the jobs was killed."""
        if os.getpid() == self.parent:
            self.here.append(str(line))
            return
        if not alive(str(self.parent)):
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    def _lines(self) -> list[str]:
        elsewhere = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        return list(dict.fromkeys([*self.here, *elsewhere]))

    @property
    def begun(self) -> bool:
        """Whether a job has told anything: each tells 0 when it begins."""
        return bool(self._lines())

    @property
    def folders(self) -> list[Path]:
        """Of the jobs that came to their end, each once."""
        return [Path(line) for line in self._lines() if not line.isdigit()]

    @property
    def status(self) -> int:
        """The worst."""
        return max([0, *(int(line) for line in self._lines() if line.isdigit())])


@contextmanager
def jobs() -> Iterator[Jobs]:
    """What jobs tell while this is open; their file is gone afterwards, and so are those of processes that were killed."""
    folder, mine = Path(tempfile.gettempdir()), os.getpid()
    found = Jobs(mine, folder / f"{_PREFIX}{mine}-{secrets.token_hex(8)}")
    try:
        yield found
    finally:
        for path in folder.glob(f"{_PREFIX}*"):
            if path == found.path or not alive(path.name.removeprefix(_PREFIX).partition("-")[0]):
                with suppress(OSError):
                    path.unlink()
