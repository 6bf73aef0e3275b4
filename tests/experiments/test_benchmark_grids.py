"""Papers that the reconstruction is timed on: what they print is true of their patients, whatever the recording unit."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from retrial.experiments.benchmarks.grids import TYPICAL, broken, papers, targets_of
from retrial.experiments.benchmarks.papers import UNITS, Paper, recorded
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading

TRUTH = Reading(RatioReading.COX_EFRON, TestReading.WALD_EFRON, MedianReading.CROWLEY_LOG_LOG)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("told", [(False, False), (True, False), (False, True)])
def test_patients_carry_what_their_paper_prints(unit: str, told: tuple[bool, bool], tmp_path: Path) -> None:
    paper = Paper(80, unit, *told)
    targets, table = targets_of(paper, tmp_path), recorded(paper)
    if targets.n_times == table.times.size:
        assert violated(table, targets, TRUTH) == ()
    else:  # a curve's own times may make the grid finer than the paper's unit
        assert paper.curve
        assert targets.n_times > table.times.size


def test_every_cell_is_timed_once() -> None:
    found = papers()
    assert found[0] == TYPICAL
    assert len(set(found)) == len(found) == 73


def test_what_is_too_slow_or_worth_too_little_is_named() -> None:
    row = {
        "patients": 200,
        "unit": "0.1_month",
        "printed": "summaries",
        "seconds": 20.0,
        "effective_tables": 90.0,
        "status": "ok",
    }
    rows = [row, row | {"seconds": 40.0}, row | {"patients": 80, "seconds": 40.0}, row | {"effective_tables": 20.0}]
    rows += [row | {"effective_tables": float("nan")}, row | {"status": "failed: no table"}]
    assert len(broken(pd.DataFrame(rows), 1.0)) == 4
    assert len(broken(pd.DataFrame(rows), 2.0)) == 3
