"""The stage that verbs share: which files it writes, with which settings it samples again, what fails without ending the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrial.data.life_table import _together
from retrial.errors import ReconstructionError
from retrial.pipeline import probes
from retrial.pipeline.results import probe_files
from retrial.run_config import RunConfig
from retrial.store.stages import Stages
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.tables.findings.probes import ALL, Probes
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.targets import Targets
from tests.tables.toy import number, toy_targets

READING = Reading(RatioReading.COX_EFRON, TestReading.SCORE_BRESLOW, None)
RARE = Reading(RatioReading.COX_BRESLOW, TestReading.LOG_RANK, None)


def sampled() -> tuple[EndpointTables, Targets]:
    cells = np.random.default_rng(5).multinomial(20, np.full(6, 1 / 6), size=(6, 2)).reshape(6, 2, 2, 3)
    table = LifeTable.from_counts([1.0, 2.0, 3.0], cells[:, :, 0], cells[:, :, 1])
    results = (
        ReadingResult(READING, "attained", -10.0, 0.3, 0.995, effective_tables=4.0, islands=4),
        ReadingResult(RARE, "attained", -20.0, 0.3, 0.005, islands=1),
    )
    weights = np.full(6, 1 / 6)
    targets = toy_targets((20, 20), 3, [number("events", "20"), number("hazard_ratio", "0.5")])
    ensemble = Ensemble("toy", table, (READING,) * 6, weights, results, 1, islands=np.arange(6))
    return EndpointTables("toy", table, weights, "exact", "6 tables", None, ensemble, targets), targets


def write_probes(run: RunConfig, tables: list[EndpointTables], folder: Path) -> list[str]:
    found = probes.probed(run, tables, Stages(folder.parent / f"{folder.name}_stages"))
    probe_files(found).write(folder)
    return found.failures


def run(**asked: Any) -> RunConfig:
    return RunConfig("reconstruct", Path("mine.yaml"), 1, Path("out"), False, {}, probes=Probes(**{"choices": False} | asked))


def test_without_switches_only_the_spread(tmp_path: Path) -> None:
    assert write_probes(run(), [sampled()[0]], tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["spread.csv"]
    frame = pd.read_csv(tmp_path / "spread.csv")
    assert {"rmst", "rmst_difference", "events", "log_hazard_ratio_cox_efron"} <= set(frame["quantity"])


def test_patients_and_relaxed_tables_are_left_out(tmp_path: Path) -> None:
    item = sampled()[0]
    relaxed = dataclasses.replace(item, ensemble=dataclasses.replace(item.ensemble, relaxed=True))  # type: ignore[type-var]
    patients = dataclasses.replace(item, ensemble=None, targets=None)
    assert write_probes(run(leave_one_out=(ALL,), compare_strict=True), [relaxed, patients], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_probable_estimators_are_tried_again_with_fewer_samplers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def instead(targets: Targets, settings: ReconstructionSettings, seed: int, *rest: Any) -> pd.DataFrame:
        seen.update(settings=settings, names=rest[2], whole=rest[3])
        return pd.DataFrame({"endpoint": ["toy"], "left_out": ["events.total"]})

    monkeypatch.setattr(probes, "leave_one_out", instead)
    item = sampled()[0]
    write_probes(run(leave_one_out=("events.total",), leave_one_out_islands=3), [item], tmp_path)
    assert seen["settings"].ratios == (RatioReading.COX_EFRON,)
    assert seen["settings"].tests == (TestReading.SCORE_BRESLOW,)
    assert seen["settings"].medians == tuple(MedianReading)
    assert (seen["settings"].islands, seen["names"]) == (3, ("events.total",))
    assert seen["whole"] is item.ensemble
    assert (tmp_path / "leave_one_out.csv").is_file()


def test_strict_tables_are_kept_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = sampled()[0]
    monkeypatch.setattr(probes, "strict_ensemble", lambda ensemble, *_: ensemble)
    assert write_probes(run(compare_strict=True), [item], tmp_path) == []
    frame = pd.read_csv(tmp_path / "strict_comparison.csv")
    assert (frame["difference"].abs() < 1e-12).all()
    assert (tmp_path / "strict_toy.nc").is_file()


def test_no_strict_table_is_a_failure_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Ensemble:
        raise ReconstructionError("no life table was found that carries every printed digit of toy")

    monkeypatch.setattr(probes, "strict_ensemble", none)
    failures = write_probes(run(compare_strict=True), [sampled()[0]], tmp_path)
    assert failures == ["toy, strict agreement: no life table was found that carries every printed digit of toy"]
    assert not (tmp_path / "strict_comparison.csv").exists()


def test_tables_of_both_ensembles_are_fitted_together() -> None:
    table = sampled()[0].table
    both = _together(table, table)
    assert both.n_reconstructions == 12
    assert np.array_equal(both.events.to_numpy()[6:], table.events.to_numpy())
