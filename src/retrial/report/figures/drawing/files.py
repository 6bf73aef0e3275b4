"""A figure as pixels and for a printer, drawn by a second process beside the page where there is one: the same bytes either way.

The figures take two thirds of the time of a report, and a drawing holds Python's lock: threads would not help. The process is started by its
own command line, not forked (the samplers' threads) and not by `multiprocessing` (which would run a user's script again).
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, Any

from matplotlib.figure import Figure
from PIL import Image

from retrial.report.figures.drawing.style import style, without_missing_glyphs

Files = Mapping[str, bytes]
SCREEN = "screen"
"""The PNG of a screen; beside it, for a printer, stand pdf, png and tiff."""
SCREEN_DOTS, PRESS_DOTS = 200, 600
"""An inch: of a screen, and what journals ask of line art."""
_PACKED = 2
"""Of nine levels: a third of the time of the usual one for a fifth more bytes."""
_HELPERS: list[_Helper] = []


def drawn(figure: Figure, *, press: bool) -> Callable[[], Files]:
    """Gives the figure's files when it is called: from the second process where that has them or is drawing them, else drawn then and there, once."""
    here = cache(lambda: draw(figure, press=press))
    future = _HELPERS[-1].submit(figure, press) if _HELPERS else None
    if future is None:
        return here

    def wait() -> Files:
        return here() if future.cancel() else future.result() or here()

    return wait


def draw(figure: Figure, *, press: bool) -> Files:
    """PNG of a screen; with `press` also PDF, and PNG and TIFF of `PRESS_DOTS`, of which the screen's is then the mean of each 3 x 3 dots."""
    with style(), without_missing_glyphs():
        if not press:
            return {SCREEN: _encoded(_pixels(figure, SCREEN_DOTS), "PNG", SCREEN_DOTS, compress_level=_PACKED)}
        pdf = saved(figure, "pdf", {"CreationDate": None, "Creator": None, "Producer": None}, SCREEN_DOTS)
        large = _pixels(figure, PRESS_DOTS)
    small = large.reduce(PRESS_DOTS // SCREEN_DOTS)
    return {
        SCREEN: _encoded(small, "PNG", SCREEN_DOTS, compress_level=_PACKED),
        "pdf": pdf,
        "png": _encoded(large, "PNG", PRESS_DOTS, compress_level=_PACKED),
        "tiff": _encoded(large, "TIFF", PRESS_DOTS, compression="tiff_lzw"),
    }


def saved(figure: Figure, kind: str, metadata: Mapping[str, None], dots: int) -> bytes:
    """The figure in a format of matplotlib's, without dates or versions."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dots, metadata=metadata, facecolor="white")
    return buffer.getvalue()


def _pixels(figure: Figure, dots: int) -> Image.Image:
    """The figure as colours of dots: not through a file, which at 600 dots an inch takes as long as the drawing."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=dots, facecolor="white")
    width, height = (int(inches * dots) for inches in figure.get_size_inches())
    return Image.frombuffer("RGBA", (width, height), buffer.getvalue(), "raw", "RGBA", 0, 1).convert("RGB")


def _encoded(image: Image.Image, kind: str, dots: int, **packed: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, dpi=(dots, dots), **packed)
    return buffer.getvalue()


@contextmanager
def without_collector() -> Iterator[None]:
    """No search for cycles meanwhile: each goes through every object of the program, a tenth of the time of a report, whose are few and large."""
    at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if at_work:
            gc.enable()


@contextmanager
def second_process() -> Iterator[None]:
    """Have figures drawn beside what this process does, where there is a second processor for it."""
    if not sys.executable or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else (0, 1)) < 2:
        yield
        return
    helper = _Helper()
    _HELPERS.append(helper)
    try:
        yield
    finally:
        _HELPERS.remove(helper)
        helper.close()


class _Helper:
    """A process that draws, and the one thread that waits for it: figures are drawn in the order in which they were handed over."""

    def __init__(self) -> None:
        # fixed arguments; what it may say of an interrupt is said by this process
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._waiting = ThreadPoolExecutor(1)

    def submit(self, figure: Figure, press: bool) -> Future[Files | None] | None:
        """The figure's files, or None where the process has ended; None at once for a figure that cannot be handed over."""
        try:
            content = pickle.dumps((figure, press))
        except (pickle.PicklingError, AttributeError, TypeError):
            return None
        return self._waiting.submit(self._ask, content)

    def _ask(self, content: bytes) -> Files | None:
        try:
            _put(self._process.stdin, content)
            answer = _take(self._process.stdout)
        except OSError:
            return None
        return pickle.loads(answer) if answer else None  # noqa: S301 - of our own process

    def close(self) -> None:
        """End the process; what is not drawn yet is drawn by whoever asks for it."""
        self._waiting.shutdown(cancel_futures=True)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()


def _put(stream: IO[bytes] | None, content: bytes) -> None:
    if stream is not None:
        stream.write(len(content).to_bytes(8) + content)
        stream.flush()


def _take(stream: IO[bytes] | None) -> bytes:
    """What the other side has put; empty where it has ended."""
    size = stream.read(8) if stream is not None else b""
    return stream.read(int.from_bytes(size)) if stream is not None and len(size) == 8 else b""


def _serve() -> None:
    gc.disable()  # of few and large figures, which end with the process
    while content := _take(sys.stdin.buffer):
        figure, press = pickle.loads(content)  # noqa: S301 - of the process that started this one
        _put(sys.stdout.buffer, pickle.dumps(draw(figure, press=press)))


if __name__ == "__main__":
    _serve()
