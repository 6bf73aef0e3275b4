"""A million patients cost what reading their file costs: time grows in proportion, memory stays far below a GiB."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from retrial.tables.patients import read_patients

SMALL, LARGE = 100_000, 1_000_000
MAX_SLOWDOWN = 20.0
"""Ten times the patients: ten times the reading, sorting adds log(n), and shared machines are noisy; n² would be 100."""
MAX_SECONDS = 5.0
"""Of processor time, to read a million rows and collapse them to a life table."""
MAX_EXTRA_MIB = 1024.0


def write_patients(path: Path, n: int) -> None:
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


@pytest.mark.slow
def test_reading_a_million_patients_grows_in_proportion(tmp_path: Path) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    write_patients(small, SMALL)
    write_patients(large, LARGE)
    taken = seconds(large)
    print(f"{LARGE} rows read and collapsed in {taken:.2f} s")
    assert taken < MAX_SECONDS
    assert taken / seconds(small) < MAX_SLOWDOWN


@pytest.mark.slow
def test_a_million_patients_need_less_than_a_gibibyte_more(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    write_patients(path, LARGE)
    code = (
        "import resource, sys; from pathlib import Path; from retrial.tables.patients import read_patients; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak(); "
        "table = read_patients(Path(sys.argv[1]), 'days'); print(peak() - before, int(table.n.sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    extra, patients = (int(word) for word in done.stdout.split())
    kib = 1024.0 if sys.platform != "darwin" else 1024.0**2  # macOS counts bytes
    assert patients == LARGE
    assert extra / kib < MAX_EXTRA_MIB
