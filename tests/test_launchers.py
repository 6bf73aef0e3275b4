"""Shards of a multiverse by Hydra's launchers: one after the other, joblib, and submitit's local executor give the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

STUDY = "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n"
SHARDS = ("-m", "shards=2", "shard=0,1")
LAUNCHERS = {
    "joblib": (*SHARDS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit": (*SHARDS, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "hydra.launcher.cpus_per_task=1"),
}


def command(folder: Path, verb: str, out: str, *more: str) -> bytes:
    """The table that the command, run in a process of its own, has made; nothing of several jobs (submitit keeps what they print)."""
    program = Path(sys.executable).with_name("retrial")
    arguments = [str(program), verb, "--config-dir", "mine", "study=hr", f"output_dir={out}", *more]
    ended = subprocess.run(
        arguments,
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return b"" if more else (folder / ended.stdout.strip().splitlines()[-1] / "multiverse.csv").read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("launchers")
    (found / "mine" / "study").mkdir(parents=True)
    (found / "mine" / "study" / "hr.yaml").write_text(STUDY, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def serial(folder: Path) -> bytes:
    return command(folder, "multiverse", "serial")


@pytest.mark.parametrize("name", list(LAUNCHERS))
def test_shards_of_a_launcher_are_collected_to_the_bytes_of_one_run(folder: Path, serial: bytes, name: str) -> None:
    command(folder, "multiverse", name, *LAUNCHERS[name])
    assert len(list((folder / name / "multiverse" / "hr").glob("*/multiverse.csv"))) == 2
    assert command(folder, "collect", name) == serial
    tables = [next((folder / out).glob("*/hr/*/multiverse.parquet")) for out in ("serial",)]
    tables += (folder / name / "collect" / "hr").glob("*/multiverse.parquet")
    pd.testing.assert_frame_equal(*(pd.read_parquet(path) for path in tables))
