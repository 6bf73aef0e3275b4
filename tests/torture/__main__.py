"""Streams, kills, full disks and flipped bits: exit status 1 where anything was wrong.

python -m tests.torture [--short] [--seed 1] [--most 40] [--only streams,kill,disks,flips] [--cases WORD]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process with threads cannot be forked

from tests.torture import disks, flips, kill, runs, streams

Part = Callable[..., Iterator[str]]
PARTS: dict[str, Part] = {
    "streams": streams.tortured,
    "kill": kill.tortured,
    "disks": disks.tortured,
    "flips": flips.tortured,
}


def main() -> int:
    """Run the parts; print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=40, help="moments of a signal, or sizes of a disk")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--cases", default="", help="those whose name or command has this word")
    options = parser.parse_args()
    asked = runs.Asked(options.short, options.most, options.cases)
    wrong, started = 0, time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))  # forks would remove a TemporaryDirectory on their way out
    try:
        runs.prepare(folder)
        for name in options.only.split(","):
            for line in PARTS[name](folder, random.Random(options.seed), asked):
                print(f"{time.monotonic() - started:6.0f} s  {name}: {line}", flush=True)
                wrong += line.startswith("WRONG")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
