"""Shards of a multiverse by Hydra's launchers: one after the other, joblib, and submitit's local executor give the same bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from retrial import cli

STUDY = "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n"
FEW = (
    "multiverse.prior_means=[0.8,1.0]",
    "multiverse.prior_sds=[0.355,10.0]",
    "multiverse.bias_ratios=[0.9,1.0]",
    "multiverse.bias_sds=[0.0,0.2]",
)
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
SUBMITIT = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "hydra.launcher.cpus_per_task=1")
LAUNCHERS = [
    pytest.param("shard=1", JOBLIB, id="joblib"),
    pytest.param("shard=0,1", JOBLIB, id="joblib_two", marks=pytest.mark.slow),
    pytest.param("shard=0,1", SUBMITIT, id="submitit", marks=pytest.mark.slow),
]
"""Every job is a process of its own, which imports all of it; a shard that no job does is done here."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("launchers")
    (found / "mine" / "study").mkdir(parents=True)
    (found / "mine" / "study" / "hr.yaml").write_text(STUDY, encoding="utf-8")
    return found


def command(folder: Path, verb: str, out: str, *more: str) -> None:
    """The command, begun in this process."""
    arguments = [verb, "--config-dir", str(folder / "mine"), "study=hr", f"output_dir={folder / out}", *FEW, *more]
    assert cli.run(arguments) == 0


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def serial(folder: Path) -> Path:
    command(folder, "multiverse", "serial")
    return only(folder, "serial/multiverse/hr/*")


@pytest.mark.parametrize(("shards", "launcher"), LAUNCHERS)
def test_shards_of_a_launcher_are_collected_to_the_bytes_of_one_run(
    folder: Path, serial: Path, shards: str, launcher: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    command(folder, "multiverse", name, "-m", "shards=2", shards, *launcher)
    if shards == "shard=1":
        command(folder, "multiverse", name, "shards=2", "shard=0")
    assert len(list((folder / name / "multiverse" / "hr").glob("*/multiverse.csv"))) == 2
    command(folder, "collect", name)
    collected = only(folder, f"{name}/collect/hr/*")
    assert (collected / "multiverse.csv").read_bytes() == (serial / "multiverse.csv").read_bytes()
    pd.testing.assert_frame_equal(*(pd.read_parquet(path / "multiverse.parquet") for path in (serial, collected)))
