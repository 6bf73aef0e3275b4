"""Progress on stderr: a bar on a terminal, elsewhere a line every few seconds and one at the end; never on stdout."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from retrial.store import interrupts

log = logging.getLogger("retrial")
SAY_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""
_SILENT: list[bool] = []


def silence() -> None:
    """From now on this process says only what is done: another one shares its terminal."""
    _SILENT.append(True)


@contextmanager
def counter(what: str, total: int, unit: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that counts finished pieces; says the time left now and then, and the rate at the end."""
    started = said = time.monotonic()
    done, console = 0.0, Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=bool(_SILENT) or not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)

        def one_more(count: float) -> None:
            nonlocal done, said
            interrupts.check()
            bar.advance(task, count)
            done, now = done + count, time.monotonic()
            if bar.disable and not _SILENT and now - said >= SAY_EVERY:
                said = now
                left = f"about {(total - done) * (now - started) / done:.0f} s left" if done else "time left not known yet"
                log.info("%s: %d of %d %s, %s", what, done, total, unit, left)

        yield one_more
    seconds = time.monotonic() - started
    log.info("%s: %d %s in %.1f s (%.1f a second)", what, total, unit, seconds, total / max(seconds, 1e-9))


@contextmanager
def part(advance: Callable[[float], None], size: float) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes shares done, together at most 1, of a part of so many pieces; what is not told is done at the end."""
    done = 0.0

    def more(share: float) -> None:
        nonlocal done
        told = min(share, 1.0 - done)
        done += told
        advance(size * told)

    yield more
    advance(size * (1.0 - done))


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that a step is done, and how long it took."""
    started = time.monotonic()
    yield
    log.info("%s: %.1f s", what, time.monotonic() - started)
