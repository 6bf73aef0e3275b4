"""Pieces of work shared with a copy of this process, where there is a second processor for it: Python's lock keeps threads from that.

The copy is forked: it has all that this process has read and compiled, at no cost. It is made only where this process has no other thread (a
lock that one holds would stay held in the copy), and ends with it, whatever ends it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress

from retrial.store import progress

MOST = 250
"""Pieces of work: the number of each is a byte, and all of them fit into a pipe."""
_END_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""
_IN_COPY: list[int] = []


def possible() -> bool:
    """Whether a copy can be made, and would have a processor of its own."""
    if sys.platform != "linux" or _IN_COPY:
        return False
    alone = threading.active_count() == 1 and threading.current_thread() is threading.main_thread()
    return alone and len(os.sched_getaffinity(0)) > 1


def shared(count: int, work: Callable[[int], object]) -> set[int]:
    """Call work(0) ... work(count - 1), each once, here or in a copy of this process, whichever is free next; the numbers of the copy's.

    What the copy's calls return is lost: they must leave something on the disk. Where one fails the copy ends, and the numbers that it has not
    told are nobody's. What a call here raises is raised, and the copy ended.
    """
    to_do, told = os.pipe(), os.pipe()
    os.write(to_do[1], bytes(range(count)))
    os.close(to_do[1])
    parent = os.getpid()
    with warnings.catch_warnings():
        # threads of libraries, which wait for work and hold no lock of ours
        warnings.simplefilter("ignore", DeprecationWarning)
        copy = os.fork()
    if copy == 0:
        _be_the_copy(parent, to_do[0], told[1], work)
    os.close(told[1])
    try:
        for number in _taken(to_do[0]):
            work(number)
        done = _all_of(told[0])
    finally:
        with suppress(ProcessLookupError):
            os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)
        os.close(told[0])
        os.close(to_do[0])
    return set(done)


def _be_the_copy(parent: int, to_do: int, told: int, work: Callable[[int], object]) -> None:
    """Never returns, and runs nothing that this process does at its end."""
    status = 1
    try:
        _IN_COPY.append(parent)
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        progress.silence()
        # it may have ended before the copy could ask to end with it
        for number in _taken(to_do) if os.getppid() == parent else ():
            work(number)
            os.write(told, bytes([number]))
        status = 0
    finally:
        os._exit(status)


def _taken(to_do: int) -> Iterator[int]:
    """The next number that nobody has taken; a byte of a pipe is read by one process only."""
    while found := os.read(to_do, 1):
        yield found[0]


def _all_of(stream: int) -> bytes:
    """What the copy has told, once it has ended."""
    parts = []
    while found := os.read(stream, MOST):
        parts.append(found)
    return b"".join(parts)
