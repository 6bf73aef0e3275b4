"""Streams that are full, closed, unread or of few letters, working folders that are gone, output folders that cannot be: what is done is kept."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.torture.runs import Asked, contents, start

COMMANDS = (
    ("audit", "study=yao2025"),
    ("sensitivity", "--config-dir", "mine", "study=hr"),
    ("fit", "--config-dir", "mine", "study=hr", "model=log_hazard_ratio"),
    ("reconstruct", "--config-dir", "mine", "study=pat"),
    ("report", "--config-dir", "mine", "study=hr"),
)


def _onto(descriptor: int, name: str, encoding: str = "utf-8") -> None:
    """A stream of the process on another file, made anew as Python makes it at the start."""
    number = ("stdin", "stdout", "stderr").index(name)
    os.dup2(descriptor, number)
    setattr(sys, name, open(number, "w", encoding=encoding, closefd=False))  # noqa: SIM115


def _full() -> None:
    _onto(os.open("/dev/full", os.O_WRONLY), "stdout")


def _unread() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    _onto(writer, "stdout")


def _closed() -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.close(number)
        setattr(sys, name, None)


def _letters() -> None:
    _onto(os.open(os.devnull, os.O_WRONLY), "stdout", "ascii")


def _deaf() -> None:
    _onto(os.open("/dev/full", os.O_WRONLY), "stderr")


def _nowhere() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


AROUND: dict[Callable[[], None], tuple[int, str, bool]] = {
    _full: (1, "cannot write to stdout", True),
    _unread: (1, "", True),
    _closed: (0, "", True),
    _letters: (0, "", True),
    _deaf: (0, "", True),
    _nowhere: (2, "the working folder was deleted", False),
}
"""Surroundings: exit status, what is said, whether the work is done."""
PLACES = ("/proc/nowhere", "/dev/null/x", "a" * 300, "a/" * 2500)
"""Output folders that cannot be: bad input."""


def tortured(folder: Path, _rng: random.Random, asked: Asked) -> Iterator[str]:
    """Lines as those of `kill`."""
    for command in COMMANDS[:1] if asked.short else asked.among(COMMANDS):
        wrong: list[str] = []
        shutil.rmtree(folder / "out", ignore_errors=True)
        start(folder, (*command, "output_dir=out")).end()
        expected = contents(folder / "out")
        for around, (status, words, done) in AROUND.items():
            shutil.rmtree(folder / "out", ignore_errors=True)
            ended = start(folder, (*command, "output_dir=out"), around).end()
            if ended.status != status or words not in ended.err or "Traceback" in ended.err:
                wrong.append(f"{around.__name__}: exit status {ended.status}: {ended.err[-800:]}")
            if contents(folder / "out") != (expected if done else {}):
                wrong.append(f"{around.__name__}: other files")
        for place in PLACES:
            ended = start(folder, (*command, f"output_dir={place}")).end()
            if ended.status != 2 or ended.err.count("error:") != 1 or len(ended.err) > 1000:
                wrong.append(f"output_dir {place[:20]}: exit status {ended.status}: {ended.err[-800:]}")
        yield f"{command[0]}: {len(AROUND) + len(PLACES)} surroundings, {len(wrong)} wrong"
        yield from (f"WRONG {command[0]}: {line}" for line in wrong)
