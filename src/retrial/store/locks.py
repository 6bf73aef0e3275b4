"""Locks between processes: a file that is never removed, so that all who wait for it wait for the same one."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from retrial.store.files import cannot_write

log = logging.getLogger("retrial")
_NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system says that has no `flock`: some network ones."""


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock; where another process has it, say so and wait. Raises `StoreError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquired(path, what)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock that nobody has; whether it is held now. False too where the file system has no locks of this kind."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _acquired(path: Path, what: str) -> BaseFileLock:
    try:
        return _waited(FileLock(path), what)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return _waited(SoftFileLock(path.with_suffix(".soft-lock")), what)


def _waited(lock: BaseFileLock, what: str) -> BaseFileLock:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.info("%s: another process is at it; waiting for it", what)
        lock.acquire(poll_interval=0.1)
    return lock
