"""Disks that are full at some point: file systems of many sizes where they can be mounted, and a limit on every file."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.torture.kill import FAST
from tests.torture.runs import Asked, Ended, contents, start, wrong_folders

COMMANDS = (
    ("fit", "--config-dir", "mine", "study=hr", "model=log_hazard_ratio"),
    ("reanalyse", "--config-dir", "mine", "study=counts"),
    ("reconstruct", "--config-dir", "mine", "study=pat"),
    ("audit", "study=yao2025"),
    ("fit", "--config-dir", "mine", "study=pat", *FAST),
)
SIZES = 20


def tortured(folder: Path, rng: random.Random, asked: Asked) -> Iterator[str]:
    """Lines as those of `kill`: each command on disks from nothing to all that it needs, then with room."""
    for command in COMMANDS[:1] if asked.short else asked.among(COMMANDS):
        shutil.rmtree(folder / "out", ignore_errors=True)
        whole = start(folder, (*command, "output_dir=out")).end(600)
        expected = contents(folder / "out")
        sizes = [path.stat().st_blocks // 2 for path in (folder / "out").rglob("*")]
        largest = max(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
        wrong: list[str] = [] if expected else [f"the run itself fails: {whole.err[-500:]}"]
        steps = 2 if asked.short else min(SIZES, asked.most)
        for step in range(steps):
            share = (step + rng.random()) / steps
            wrong += _limited(folder, command, int(largest * share), expected)
            if not asked.short:
                wrong += _small(folder, command, max(int(sum(sizes) * share), 4), expected)
        yield f"{command[0]}: {steps} sizes up to {sum(sizes)} KiB, {len(wrong)} wrong"
        yield from (f"WRONG {command[0]}: {line}" for line in dict.fromkeys(wrong))


def _limited(folder: Path, command: tuple[str, ...], limit: int, expected: dict[str, bytes]) -> Iterator[str]:
    at = f"files of at most {limit} bytes"
    shutil.rmtree(folder / "out", ignore_errors=True)
    ended = start(folder, (*command, "output_dir=out"), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))).end()
    yield from _judged(at, ended, folder / "out")
    start(folder, (*command, "output_dir=out")).end()
    yield from _same(f"{at}, then any", folder / "out", expected)


def _small(folder: Path, command: tuple[str, ...], size: int, expected: dict[str, bytes]) -> Iterator[str]:
    """A file system of `size` KiB; nothing where none can be mounted."""
    place, at = folder / "small", f"a disk of {size} KiB"
    place.mkdir(exist_ok=True)
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)], check=False).returncode
    ):
        return
    try:
        yield from _judged(at, start(folder, (*command, "output_dir=small")).end(), place)
        subprocess.run(["mount", "-o", "remount,size=1g", str(place)], check=True)
        start(folder, (*command, "output_dir=small")).end()
        yield from _same(f"{at}, then of more", place, expected)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _judged(at: str, ended: Ended, output: Path) -> Iterator[str]:
    """All of it, or a named error; never a traceback, a signal or half a folder."""
    if ended.status not in (0, 1):
        yield f"{at}: exit status {ended.status}: {ended.err[-600:]}"
    if "Traceback" in ended.err or (ended.status == 1 and ended.err.count("error:") != 1):
        yield f"{at}: not one message: {ended.err[-1500:]}"
    yield from (f"{at}: {line}" for line in wrong_folders(output))


def _same(at: str, output: Path, expected: dict[str, bytes]) -> Iterator[str]:
    found = contents(output)
    yield from (f"{at}: {name} differs" for name in sorted({*expected, *found}) if expected.get(name) != found.get(name))
