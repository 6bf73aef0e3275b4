"""Progress on stderr: a bar on a terminal, one line at the end elsewhere; never on stdout."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from retrial.store import interrupts

log = logging.getLogger("retrial")


@contextmanager
def counter(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts finished pieces; says the rate at the end."""
    started = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)

        def one_more(count: int) -> None:
            interrupts.check()
            bar.advance(task, count)

        yield one_more
    seconds = time.monotonic() - started
    log.info("%s: %d %s in %.1f s (%.1f a second)", what, total, unit, seconds, total / max(seconds, 1e-9))


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that a step is done, and how long it took."""
    started = time.monotonic()
    yield
    log.info("%s: %.1f s", what, time.monotonic() - started)
