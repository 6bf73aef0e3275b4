"""Flips a bit in every file that runs have left, and asks the same again: the damage is named, and the numbers are the same."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from retrial.store.folders import MANIFEST
from tests.torture.kill import FAST
from tests.torture.runs import VERBS, Asked, contents, start

COMMANDS = (
    ("fit", "--config-dir", "mine", "study=hr", "model=log_hazard_ratio"),
    ("sensitivity", "--config-dir", "mine", "study=hr"),
    ("reconstruct", "--config-dir", "mine", "study=pat"),
    ("reanalyse", "--config-dir", "mine", "study=counts"),
    ("report", "--config-dir", "mine", "study=hr"),
    ("fit", "--config-dir", "mine", "study=pat", *FAST),
)
NAMED = ("doing it again", "computing it again")


def tortured(folder: Path, rng: random.Random, asked: Asked) -> Iterator[str]:
    """Lines as those of `kill`."""
    for command in COMMANDS[:1] if asked.short else asked.among(COMMANDS):
        shutil.rmtree(folder / "out", ignore_errors=True)
        whole = (*command, "output_dir=out")
        first = start(folder, whole).end(600)
        expected = contents(folder / "out")
        wrong: list[str] = [] if expected else [f"the run itself fails: {first.err[-500:]}"]
        served, kept = (
            [path for path in (folder / "out" / part).rglob("*") if _is_result(path)] for part in (command[0], "stages")
        )
        if asked.short:
            served, kept = (rng.sample(sorted(paths), min(1, len(paths))) for paths in (served, kept))
        for path in sorted(served):
            wrong += _flipped(folder, whole, path, rng, expected)
        for path in sorted(kept):
            # stages are asked for only where the run folder is not there
            for verb in VERBS:
                shutil.rmtree(folder / "out" / verb, ignore_errors=True)
            wrong += _flipped(folder, whole, path, rng, expected)
        yield f"{command[0]}: a bit of {len(served)} files of the folder and of {len(kept)} of its stages, {len(wrong)} wrong"
        yield from (f"WRONG {command[0]}: {line}" for line in dict.fromkeys(wrong))


def _is_result(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0 and ".locks" not in path.parts


def _flipped(folder: Path, command: tuple[str, ...], path: Path, rng: random.Random, expected: dict[str, bytes]) -> Iterator[str]:
    data = bytearray(path.read_bytes())
    place, before = rng.randrange(len(data)), bytes(data)
    data[place] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    ended = start(folder, command).end()
    at = f"{path.relative_to(folder / 'out')}, byte {place}"
    harmless = path.name == MANIFEST and before[place : place + 1].isspace() and data[place : place + 1].isspace()
    if not harmless and not any(words in ended.err for words in NAMED):
        yield f"{at}: the damage is not named: {ended.err[-500:]}"
    if ended.status not in (0, 1) or "Traceback" in ended.err:
        yield f"{at}: exit status {ended.status}: {ended.err[-1000:]}"
    found = contents(folder / "out")
    yield from (f"{at}: {one} differs" for one in sorted({*expected, *found}) if expected.get(one) != found.get(one))
