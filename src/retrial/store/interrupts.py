"""Signals that end a run, and the places where a run looks whether one came.

Python turns a signal into an exception wherever the program then is, and compiled code that calls back into Python drops it, or a
library makes another exception of it: the run would go on, or seem to fail. So a signal is also noted. The note is read before and after every
stage and every fit, before a result is kept, and at the end.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; a batch system's, `timeout`'s; a terminal that is closed."""
_CAME: list[int] = []


def _note(number: int, _frame: FrameType | None) -> None:
    _CAME.append(number)
    raise KeyboardInterrupt


def _untold(swallowed: sys.UnraisableHookArgs) -> None:
    """Python tells of what is swallowed; of an interrupt that is noted nothing needs to be told."""
    if not (_CAME and issubclass(swallowed.exc_type, KeyboardInterrupt)):
        sys.__unraisablehook__(swallowed)


@contextmanager
def noticed() -> Iterator[None]:
    """While this is open every one of `SIGNALS` raises `KeyboardInterrupt`, whatever is made of it on the way out, and is noted.

    One that is ignored (`nohup`, `&`) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _CAME.clear()
    # a handler that Python did not set is None, and cannot be put back
    before = {number: signal.getsignal(number) for number in SIGNALS}
    changed = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    tells, sys.unraisablehook = sys.unraisablehook, _untold
    for number in changed:
        signal.signal(number, _note)
    try:
        yield
    finally:
        sys.unraisablehook = tells
        for number, handler in changed.items():
            signal.signal(number, handler)
        check()


def check() -> None:
    """Raise `KeyboardInterrupt` where a signal came that something swallowed."""
    if _CAME:
        raise KeyboardInterrupt


def at_once() -> None:
    """From now on a signal ends the process as it does any other: nothing is left to be told or kept."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
