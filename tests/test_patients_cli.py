"""Files of patients as a user meets them: time 0, late entry, other names, and the print beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from retrial import cli

ROWS = (
    "time,event,arm\n0,1,control\n0,0,control\n2,1,control\n5,0,control\n0,1,experimental\n4,1,experimental\n9,0,experimental\n"
)
LATE = "Beginn;Zeit;Ereignis;Gruppe\n0;5,5;1;A\n3;7;0;A\n2;9;1;A\n0;6;1;B\n4;8,5;1;B\n0;9;0;B\n"
RISING = """
title: A registry that prints rising numbers at risk
arms: {control: {n: 40}, experimental: {n: 42}}
endpoints:
  os:
    events: {control: 20, experimental: 15}
    at_risk: {times: [0, 6, 12], control: [12, 18, 9], experimental: [10, 21, 15]}
"""
EFFECT = "effects:\n  os: {endpoint: os, hazard_ratio: 0.7, ci: [0.35, 1.40]}\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "study").mkdir(parents=True)
    return tmp_path / "mine"


def run(mine: Path, verb: str, text: str, *more: str, **files: str) -> int:
    for name, content in {"trial.yaml": text, **{f"{key}.csv": value for key, value in files.items()}}.items():
        (mine / "study" / name).write_text(content, encoding="utf-8")
    return cli.run([verb, "--config-dir", str(mine), "study=trial", f"output_dir={mine / 'out'}", *more])


def folder_of(captured: str) -> Path:
    return Path(captured.strip().splitlines()[-1])


def test_time_zero_is_taken_within_the_first_unit_and_said(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "reconstruct", "title: t\nendpoints: {os: {patients: p.csv}}\n", p=ROWS) == 0
    said = capfd.readouterr()
    assert "os: 2 events recorded at time 0: taken at 0.5 months, the middle of the first unit" in said.err
    assert "os: 1 patient censored at time 0: counted, but without any follow-up." in said.err
    folder = folder_of(said.out)
    with xr.open_dataset(folder / "reconstruction_os.nc", engine="h5netcdf") as table:
        assert table["time"].to_numpy().tolist() == [0, 0.5, 2, 4, 5, 9]
        assert "taken at 0.5 months" in table.attrs["notes"]
    rows = pd.read_csv(folder / "estimates.csv")
    weibull = rows.query("model == 'weibull_ml' and quantity == 'hazard_ratio'")
    assert weibull["status"].tolist() == ["ok"]


def test_late_entry_is_used_and_said_and_the_print_beside_it_compared(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = """
title: t
arms: {control: {label: A, n: 4}, experimental: {label: b, n: 3}}
endpoints:
  os:
    events: {control: 2, experimental: 2}
    patients: {file: p.csv, time: Zeit, event: Ereignis, arm: Gruppe, entry: Beginn}
"""
    assert run(mine, "reconstruct", text, p=LATE) == 0
    said = capfd.readouterr()
    assert "Late entry: 3 of 6 patients came under observation after time 0" in said.err
    assert "arms.control.n: os: patients, control 4; printed 4, in the file 3" in said.err
    folder = folder_of(said.out)
    rows = pd.read_csv(folder / "estimates.csv")
    first = rows.query("quantity == 'rmst' and contrast == 'control'").iloc[0]
    assert first["time"] == 9.0
    assert "3 with late entry" in first["source"]
    checks = pd.read_csv(folder / "audit.csv").query("family == 'patients'")
    assert dict(zip(checks["path"], checks["verdict"], strict=True)) == {
        "arms.control.n": "inconsistent",
        "arms.experimental.n": "consistent",
        "endpoints.os.events.control": "consistent",
        "endpoints.os.events.experimental": "consistent",
    }


def test_late_entry_that_no_patient_has_is_refused(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "audit", "title: t\nendpoints: {os: {late_entry: true, patients: p.csv}}\n", p=ROWS) == 2
    assert "name the column with the times of entry in endpoints.os.patients.entry" in capfd.readouterr().err


def test_numbers_at_risk_that_rise_need_late_entry_and_are_not_reconstructed(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(mine, "audit", RISING) == 2
    assert "allowed are numbers that never rise, or late_entry: true in endpoints.os" in capfd.readouterr().err
    text = RISING.replace("    events:", "    late_entry: true\n    events:")
    assert run(mine, "reconstruct", text) == 2
    assert "endpoints.os: no tables are reconstructed of patients with late entry" in capfd.readouterr().err
    assert run(mine, "fit", text + EFFECT, "model=log_hazard_ratio") == 0
    said = capfd.readouterr()
    assert "hazard_ratio" in said.out
    assert run(mine, "audit", text + EFFECT) == 0
    checks = pd.read_csv(folder_of(capfd.readouterr().out) / "audit.csv")
    assert "inconsistent" not in set(checks["verdict"])


def test_more_times_than_models_can_take_are_refused_with_the_remedy(
    mine: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrial.pipeline.tables.MOST_TIMES", 3)
    study = "title: t\ntime_unit: weeks\nendpoints: {os: {patients: p.csv}}\n"
    for verb in ("fit", "reanalyse"):
        assert run(mine, verb, study, p=ROWS) == 2
        told = "endpoints.os.patients: got 5 different times in p.csv; allowed are 3, at which a fit takes minutes"
        assert f"{told}; round the times in the file to whole 5 weeks" in capfd.readouterr().err
    assert run(mine, "reconstruct", study, p=ROWS) == 0  # fits no model
    capfd.readouterr()
    rounded = ROWS.replace("2,1", "5,1").replace("4,1", "5,1").replace("9,0", "10,0")
    assert run(mine, "fit", study, "sampler.pooled_draws=400", "sampler.tune=100", "sampler.min_draws=100", p=rounded) in (0, 1)
    assert "too many" not in capfd.readouterr().err
