"""Fuzzes what may come from strangers: `python -m tests.fuzz.run [--seed 1] [--cases N] [TARGET ...]`.

Prints every fault once by the place where it arises, with the number of the case, by which it is found again (`--only N`); exit status 1
where there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.fuzz.guard import fault_of
from tests.fuzz.targets import TARGETS

_EVERY = 1_000
"""Cases between two lines of progress."""


def faults(name: str, cases: range, seed: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Number and words of every case of a target that is a fault; and some numbers without words, for the progress."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        maker, _, limit = TARGETS[name]
        case = maker(folder)
        for number in cases:
            if wrong := fault_of(case(Random(f"{seed} {name} {number}")), folder, limit):
                yield number, wrong
            elif number and number % _EVERY == 0:
                yield number, ""
    finally:
        os.chdir(before)


def _place(wrong: str) -> str:
    """What is the same of faults that arise at one place."""
    lines = [line.strip() for line in wrong.splitlines()]
    at = [line.split(" in ")[0] for line in lines if line.startswith("File ") and "/tests/fuzz/" not in line]
    return f"{at[-1]} {lines[-1].split(':')[0]}" if at else lines[0][:25]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=f"of {', '.join(TARGETS)}; all where none is named"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, help="of each target, in place of its own number")
    parser.add_argument("--only", type=int, help="this case alone, with all that is said")
    options = parser.parse_args(arguments)
    found = 0
    for name in options.targets or TARGETS:
        total = options.cases or TARGETS[name][1]
        cases = range(total) if options.only is None else range(options.only, options.only + 1)
        seen: dict[str, int] = {}
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            for number, wrong in faults(name, cases, options.seed, Path(scratch)):
                if not wrong:
                    print(f"{name}: {number} cases in {time.monotonic() - started:.0f} s", flush=True)
                    continue
                place = _place(wrong)
                seen[place] = seen.get(place, 0) + 1
                if seen[place] == 1:
                    print(f"{name} {number}: {wrong}\n", flush=True)
        found += sum(seen.values())
        print(
            f"{name}: {len(cases)} cases in {time.monotonic() - started:.0f} s, {sum(seen.values())} faults at {len(seen)} places",
            flush=True,
        )
        for place, times in sorted(seen.items(), key=lambda item: -item[1]):
            print(f"  {times:6d} {place}", flush=True)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
