"""The patients behind a printed paper agree with everything that the program takes from the paper: no constraint of ours shuts them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.benchmarks.papers import UNITS, Paper, recorded, write
from retrial.dims import ARMS
from retrial.study.loader import load_study
from retrial.tables.kernel import kaplan_meier
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.digitised import read_curve
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.statistics import Table

READING = Reading(RatioReading.COX_EFRON, TestReading.WALD_EFRON, MedianReading.CROWLEY_LOG_LOG)
"""The estimators that `papers` prints by."""
ERROR = 0.005
"""Of readings off a curve, on the axis of survival."""


def missed(path: Path, patients: Table) -> tuple[str, ...]:
    """What the patients of a paper violate of its targets."""
    (study,) = load_study(path).comparisons()
    curve = path.with_suffix(".csv")
    targets = targets_from_study(study, "os", curve=read_curve(curve) if curve.exists() else None)
    rows = np.rint((patients.times - targets.first) / targets.step).astype(int)
    assert targets.first + rows * targets.step == pytest.approx(patients.times), "the grid has their times"
    counts = np.zeros((2, 2, len(targets.times)), np.int64)
    for arm in range(2):
        censored = patients.r[arm, :-1] - patients.r[arm, 1:] - patients.d[arm]
        np.add.at(counts[0, arm], rows, patients.d[arm])
        np.add.at(counts[1, arm], rows, censored)
    return tuple(violated(Table(targets.times, *counts), targets, READING))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("n", [80, 600, 2000])
@pytest.mark.parametrize("beside", ["", "at_risk", "curve"])
def test_of_every_unit_and_size(tmp_path: Path, n: int, unit: str, beside: str) -> None:
    paper = Paper(n, unit, at_risk=beside == "at_risk", curve=beside == "curve")
    assert not missed(write(paper, tmp_path), recorded(paper))


def readings(kind: str, times: np.ndarray, survival: np.ndarray, random: np.random.Generator) -> list[tuple[float, float]]:
    """An arm's curve, read at its falls alone and the end of its last plateau, or at so many random times."""
    falls = np.flatnonzero(np.diff(np.concatenate([[1.0], survival])) < 0)
    if kind in ("falls", "most falls"):  # all, or three of four
        found = [(times[i], survival[i]) for k, i in enumerate(falls) if kind == "falls" or k % 4]
    else:
        at = np.sort(random.uniform(0.0, times[-1], int(kind)))
        found = [(time, 1.0 if time < times[0] else survival[np.searchsorted(times, time + 1e-9) - 1]) for time in at]
    found = [(0.0, 1.0), *found, (times[-1], survival[-1])]
    return [(time, float(np.clip(height + random.uniform(-ERROR, ERROR), 0.0, 1.0))) for time, height in found]


@pytest.mark.parametrize("kind", ["falls", "most falls", "12", "40", "150"])
@pytest.mark.parametrize("n", [60, 200, 600, 2000])
def test_of_every_way_to_read_a_curve(tmp_path: Path, n: int, kind: str) -> None:
    """40 readings of an arm of 1,000, each lower than the one before, were taken for its 40 only falls, at which 20 patients had the event at once:
    no table of patients like its own carried that (issue 15).
    """
    paper, random = Paper(n, "0.1_month", curve=True), np.random.default_rng((n, len(kind)))
    path, patients = write(paper, tmp_path), recorded(paper)
    rows = [
        f"{name},{time:.6f},{height:.4f}"
        for arm, name in enumerate(ARMS)
        for time, height in readings(kind, patients.times, kaplan_meier.survival(patients.d, patients.r, arm), random)
    ]
    path.with_suffix(".csv").write_text("\n".join(["arm,time,survival", *rows]) + "\n", encoding="utf-8")
    assert not missed(path, patients)
