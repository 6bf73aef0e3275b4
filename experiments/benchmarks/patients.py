"""A million patients cost what reading their file costs: time grows in proportion, memory stays far below a GiB."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from retrial.tables.patients import read_patients

SMALL, LARGE = 100_000, 1_000_000
MAX_SLOWDOWN = 20.0
"""Ten times the patients: ten times the reading, sorting adds log(n), and shared machines are noisy; n² would be 100."""
MAX_SECONDS = 5.0
"""Of processor time, to read a million rows and collapse them to a life table."""
MAX_EXTRA_MIB = 1024.0


def write_patients(path: Path, n: int) -> None:
    """A CSV of n simulated patients: exponential times (mean 400, one decimal), events and arms by coin."""
    rng = np.random.default_rng(n)
    times, events, arms = (
        rng.exponential(400.0, n).round(1).tolist(),
        rng.integers(0, 2, n).tolist(),
        rng.integers(0, 2, n).tolist(),
    )
    names = ("control", "experimental")
    with path.open("w", encoding="utf-8") as file:
        file.write("time,event,arm\n")
        file.writelines(f"{t},{event},{names[arm]}\n" for t, event, arm in zip(times, events, arms, strict=True))


def seconds(path: Path) -> float:
    """Processor time of the best of three readings."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        read_patients(path, "days")
        taken.append(time.process_time() - start)
    return min(taken)


def main(folder: Path) -> list[str]:
    """Write patients.csv: seconds and memory to read a million rows; returns which bounds are broken, in words."""
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small.csv", Path(scratch) / "large.csv"
        write_patients(small, SMALL)
        write_patients(large, LARGE)
        taken, slowdown, extra = seconds(large), seconds(large) / seconds(small), memory(large)
    found = {"seconds": (taken, MAX_SECONDS), "slowdown": (slowdown, MAX_SLOWDOWN), "extra_mib": (extra, MAX_EXTRA_MIB)}
    lines = [f"{LARGE},{name},{value:.3g},{allowed:g}" for name, (value, allowed) in found.items()]
    (folder / "patients.csv").write_text("\n".join(["patients,what,value,allowed", *lines]) + "\n", encoding="utf-8")
    return [f"reading {LARGE} patients: {name} {v:.3g}; allowed is {most:g}" for name, (v, most) in found.items() if v > most]


def memory(path: Path) -> float:
    """MiB that a process of its own needs for a file beyond what its imports take."""
    command = [sys.executable, "-c", _READER, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - fixed arguments
    return int(done.stdout) / 1024.0


_READER = """
import resource, sys
from pathlib import Path
from retrial.tables.patients import read_patients

def peak():
    # on Linux the peak of getrusage begins at the parent's
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

before = peak()
read_patients(Path(sys.argv[1]), "days")
print(peak() - before)
"""
"""Prints KiB."""
