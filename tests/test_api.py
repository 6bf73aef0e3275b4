"""The Python API gives what the command line gives, to the last byte, and leaves nothing behind."""

from __future__ import annotations

import inspect
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import retrial
from retrial import cli
from retrial.app.api import _overrides

ROOT = Path(__file__).resolve().parents[1]
RATIO = "title: One ratio\neffects:\n  death: {hazard_ratio: 0.75, ci: [0.60, 0.94], where: Abstract}\n"
PATIENTS = "title: Patients in a file\ntime_unit: weeks\nendpoints:\n  relapse: {patients: patients.csv}\n"
FAST = {"pooled_draws": 4000, "tune": 300}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine" / "study"
    folder.mkdir(parents=True)
    (folder / "ratio.yaml").write_text(RATIO, encoding="utf-8")
    (folder / "relapse.yaml").write_text(PATIENTS, encoding="utf-8")
    rng = np.random.default_rng(5)
    arm = np.repeat(["control", "experimental"], 30)
    weeks = np.ceil(rng.exponential(np.where(arm == "control", 20, 35)))
    frame = pd.DataFrame({"time": np.minimum(weeks, 52), "event": (weeks <= 52).astype(int), "arm": arm})
    frame.to_csv(folder / "patients.csv", index=False)
    return tmp_path / "mine"


def by_command(mine: Path, out: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> Path:
    verb, *rest = arguments
    assert cli.run([verb, "--config-dir", str(mine), f"output_dir={out}", *rest]) == 0
    return Path(capsys.readouterr().out.strip().splitlines()[-1])


def assert_same(results: retrial.Results, folder: Path) -> None:
    """Every table of the results has the bytes of the command line's file."""
    assert set(results.tables) == {path.stem for path in folder.glob("*.csv")}
    for name, frame in results.tables.items():
        assert frame.to_csv(index=False) == (folder / f"{name}.csv").read_text(encoding="utf-8"), name


def undocumented(results: retrial.Results) -> list[str]:
    """Columns of the results' tables that docs/outputs.md does not name."""
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    return [f"{name}: {column}" for name, frame in results.tables.items() for column in frame if f"`{column}`" not in page]


def test_the_audit_is_the_command_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = retrial.audit(retrial.load_study("yao2025"))
    assert capsys.readouterr().out == ""
    assert results.folder is None
    assert len(results.audit) > 300
    assert results.estimates.empty
    assert_same(results, by_command(ROOT / "conf", tmp_path, "audit", "study=yao2025", capsys=capsys))


def test_a_fit_is_the_command_lines(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = retrial.load_study("relapse", mine)
    keys = {"model": "weibull", "prior": "sceptical", "prior.log_hazard_ratio.sigma": 0.5, "sampler": FAST}
    results = retrial.fit(study, config_dir=mine, **keys)
    told = (
        "model=weibull",
        "prior=sceptical",
        "prior.log_hazard_ratio.sigma=0.5",
        "sampler.pooled_draws=4000",
        "sampler.tune=300",
    )
    folder = by_command(mine, tmp_path / "cli", "fit", "study=relapse", *told, capsys=capsys)
    assert_same(results, folder)
    assert results.failures == ()
    assert undocumented(results) == []
    assert set(results.estimates["prior"]) == {"custom"}
    assert {"events", "censored", "weight"} <= set(results.arrays["reconstruction_relapse"].to_dataset().variables)
    # asked with an output folder, each finds what the other has finished
    again = retrial.fit(study, config_dir=mine, output_dir=tmp_path / "cli", **keys)
    assert again.folder == folder
    assert_same(again, folder)


def test_a_study_by_its_path(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = mine / "study" / "ratio.yaml"
    results = retrial.reanalyse(path, output_dir=tmp_path / "out", prior={"log_hazard_ratio": {"mu": -0.1, "sigma": 0.2}})
    assert results.folder is not None
    assert "<html" in results.report
    assert undocumented(results) == []
    own = ("prior.log_hazard_ratio.mu=-0.1", "prior.log_hazard_ratio.sigma=0.2")
    assert by_command(mine, tmp_path / "out", "reanalyse", f"study={path}", *own, capsys=capsys) == results.folder
    assert "<html" in retrial.report(path, tmp_path / "out", prior={"log_hazard_ratio": {"mu": -0.1, "sigma": 0.2}}).report


def test_what_somebody_puts_into_a_run_folder_is_no_result(mine: Path, tmp_path: Path) -> None:
    keys = {"config_dir": mine, "output_dir": tmp_path / "out"}
    first = retrial.sensitivity("ratio", **keys)
    assert first.folder is not None
    (first.folder / "agreement.csv").write_bytes((first.folder / "estimates.csv").read_bytes())
    (first.folder / "reconstruction_os.nc").write_bytes(b"nothing")
    again = retrial.sensitivity("ratio", **keys)
    assert again.folder == first.folder
    assert set(again.tables) == set(first.tables)
    assert again.arrays == {}


def test_bad_input_is_told_with_its_key(mine: Path) -> None:
    with pytest.raises(retrial.errors.StudyError, match="no study 'nothing'"):
        retrial.load_study("nothing")
    study = retrial.load_study("ratio", mine)
    with pytest.raises(retrial.errors.InputError, match=r"prior\.log_hazard_ratio\.sigma: got -1; allowed is above 0"):
        retrial.fit(study, model="log_hazard_ratio", prior={"log_hazard_ratio": {"sigma": -1}})
    with pytest.raises(retrial.errors.ConfigError, match="nokey: got a key that is not in the configuration"):
        retrial.fit(study, nokey=1)
    with pytest.raises(retrial.errors.ConfigError, match="the study is the first argument"):
        retrial.audit(study, **{"study.name": "yao2025"})


def test_a_changed_study_is_analysed_but_not_kept(mine: Path, tmp_path: Path) -> None:
    study = retrial.load_study("ratio", mine)
    changed = study.model_copy(update={"effects": {**study.effects, "relapse": study.effects["death"]}})
    assert set(retrial.sensitivity(changed).estimates["endpoint"]) == {"death", "relapse"}
    with pytest.raises(retrial.errors.StudyError, match="changed since"):
        retrial.sensitivity(changed, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_behind(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    retrial.audit("ratio", config_dir=mine)  # compiled libraries set variables of their own when they are first imported
    before = list(sys.argv), dict(os.environ)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.yaml").write_text("a: 1\n", encoding="utf-8")
    with initialize_config_dir(str(tmp_path / "theirs"), version_base="1.2"):
        retrial.audit("ratio", config_dir=mine)
        # a Hydra program that calls us goes on with its own configuration
        assert compose("config").a == 1
    assert not GlobalHydra.instance().is_initialized()
    assert (sys.argv, dict(os.environ)) == before
    assert Path.cwd() == empty
    assert os.listdir(empty) == []


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ({"prior": "sceptical"}, ["prior='sceptical'"]),
        ({"sampler": {"limits": {"rhat": 1.02}, "tune": 300}}, ["sampler.limits.rhat=1.02", "sampler.tune=300"]),
        ({"endpoints": ("os", "it's")}, ["endpoints=['os','it\\'s']"]),
        ({"models": {"weibull": None}}, ["models.weibull=null"]),
        ({"force": True, "seed": np.int64(3)}, ["force=true", "seed=3"]),
        ({"answers.between": [[0.9, 1.1]]}, ["answers.between=[[0.9,1.1]]"]),
        ({"+prior.shape": {"family": "gamma", "alpha": 2}}, ["+prior.shape={family:'gamma',alpha:2}"]),
    ],
)
def test_keywords_are_the_command_lines_keys(keys: dict[str, object], written: list[str]) -> None:
    assert _overrides(keys) == written


def test_verbs_stand_beside_the_rooms_of_their_names() -> None:
    import retrial.audit.check
    import retrial.fit.settings as settings
    from retrial.audit.check import Check

    assert retrial.audit.check.Check is Check
    assert settings.SamplerSettings is retrial.fit.settings.SamplerSettings
    assert callable(retrial.audit)
    assert "study" in inspect.signature(retrial.fit).parameters
    assert "row a check" in str(retrial.audit.__doc__)
    with pytest.raises(AttributeError, match="nowhere"):
        _ = retrial.audit.nowhere


def test_the_gallery_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    script = ROOT / "docs" / "gallery" / "drug_c.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--quick"])
    names = runpy.run_path(str(script))
    rows = pd.DataFrame(names["ladder"]).set_index(["model", "prior"])
    printed = rows.loc[("log_hazard_ratio", "flat")]
    # the flat normal model gives the print back: HR 0.55 (0.31 to 0.97), whose limits have two digits
    assert printed["point"] == pytest.approx(0.55, abs=0.005)
    assert printed["lower"] == pytest.approx(0.31, abs=0.005)
    # a sceptic's ratio lies between the printed one and 1, by whichever model
    assert rows.loc[("log_hazard_ratio", "sceptical"), "point"] == pytest.approx(
        rows.loc[("weibull", "sceptical"), "point"], abs=0.08
    )
    assert (names["FOLDER"] / "drug_c.png").stat().st_size > 10_000
    assert "E-value" in capsys.readouterr().out or names["sensitivity"].shape[0] > 0
