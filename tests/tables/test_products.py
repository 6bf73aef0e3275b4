"""What is made of an ensemble: spread, checks, curves, storage, strict tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from retrial.audit.check import Verdict, to_frame
from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, from_dataset, to_dataset
from retrial.tables.findings.checks import common_readings, joint_checks
from retrial.tables.findings.spread import compare_ensembles, leave_one_out, spread, weighted_quantiles
from retrial.tables.printed.agreement import agreement_of_tables, tables_of
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.strict import strict_ensemble
from tests.tables.conftest import QUICK
from tests.tables.toy import number, row_of, toy_targets


def test_spread_is_over_the_tables(os_ensemble: Ensemble, os_targets: Targets) -> None:
    frame = spread(os_ensemble, os_targets, 12.0, (6.0, 12.0))  # every table is followed so far
    tables = tables_of(os_ensemble, os_targets)
    values = np.array([table.rmst("control", 12.0) for table in tables])
    assert row_of(frame, "rmst", "control")["mean"] == pytest.approx(float(values @ os_ensemble.weights))
    limits = row_of(frame, "rmst", "control")
    assert values.min() <= limits["lower"] <= limits["upper"] <= values.max()
    assert row_of(frame, "events", "total")["sd"] == pytest.approx(0, abs=1e-6)
    assert row_of(frame, "events", "total")["mean"] == pytest.approx(44)
    assert row_of(frame, "survival", "experimental", 12)["sd"] > 0
    total = sum(row_of(frame, "events", arm)["mean"] for arm in ("control", "experimental"))
    assert total == pytest.approx(44)


def test_weighted_quantiles() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25])
    assert weighted_quantiles(values, weights, (0.5, 0.51, 0.75, 1.0)) == [1.0, 2.0, 2.0, 3.0]


def test_leave_one_out_widens_what_rested_on_it(os_targets: Targets) -> None:
    one = dataclasses.replace(QUICK, tests=(TestReading.SCORE_BRESLOW,), ratios=(RatioReading.MANTEL_HAENSZEL,))
    only = dataclasses.replace(one, medians=(MedianReading.GREENWOOD_DENSITY,))
    # χ² under one reading fixes β as the hazard ratio does, so it is left out of both.
    frame = leave_one_out(os_targets.without("chi_square"), only, 3, 18.0, (12.0,), names=("hazard_ratio.total",))
    assert set(frame["left_out"]) == {"", "hazard_ratio.total"}
    assert (frame["status"] == "ok").all()
    beta = frame[frame["quantity"] == "log_hazard_ratio_cox_efron"].set_index("left_out")["sd"]
    assert beta["hazard_ratio.total"] > 2 * beta[""]


def test_joint_checks_say_which_readings(os_ensemble: Ensemble, os_targets: Targets) -> None:
    error = ReconstructionError("no life table was found")
    checks = joint_checks({"os": os_targets, "pfs": os_targets}, {"os": os_ensemble, "pfs": error})
    assert checks[0].verdict is Verdict.CONSISTENT_ONLY_IF
    assert "mantel_haenszel + cox_score_breslow" in checks[0].reading
    assert checks[0].numbers == 18
    assert checks[-1].verdict is Verdict.INCONSISTENT
    assert {check.family for check in checks} == {"joint"}
    assert len(to_frame(checks)) == 1 + len(os_ensemble.results) + 1
    both = joint_checks({"os": os_targets, "pfs": os_targets}, {"os": os_ensemble, "pfs": os_ensemble})
    assert both[-1].path == "endpoints"
    assert common_readings({"a": os_ensemble, "b": os_ensemble})[0] == os_ensemble.attained[0].reading


def test_store_and_back(os_ensemble: Ensemble, tmp_path: Path) -> None:
    to_dataset(os_ensemble).to_netcdf(tmp_path / "reconstruction.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "reconstruction.nc", engine="h5netcdf") as data:
        back = from_dataset(data.load())
    assert back.readings == os_ensemble.readings
    assert np.array_equal(back.weights, os_ensemble.weights)
    assert np.array_equal(back.islands, os_ensemble.islands)
    assert np.array_equal(back.table.events, os_ensemble.table.events)
    assert (back.endpoint, back.seed, back.relaxed) == ("os", 1, False)


def test_strict_tables_carry_every_digit() -> None:
    # A small endpoint whose printed digits are those of a known table, so that strict tables exist.
    targets = toy_targets((14, 14), 6, [number("events", "18"), number("median", "3", "control")])
    ratio = dataclasses.replace(number("hazard_ratio", "0.55", half=0.02), strict_low=0.545, strict_high=0.555)
    targets = dataclasses.replace(targets, targets=(*targets.targets, ratio))
    reading = dataclasses.replace(QUICK, ratios=(RatioReading.COX_EFRON,))
    default = reconstruct(targets, reading, 1)
    strict = strict_ensemble(default, targets, reading, 1, 6)
    assert agreement_of_tables(strict, targets, strict=True).all()
    assert strict.table.n_reconstructions == 6
    assert strict.readings[0] == Reading(RatioReading.COX_EFRON, None, None)
    frame = compare_ensembles(default, strict, targets, 6.0, (3.0,))
    assert frame["standardised"].abs().max() < 6
    assert isinstance(frame, pd.DataFrame)
