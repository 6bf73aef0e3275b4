"""Studies whose survival numbers contradict each other get a clear answer from the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrial import cli

EVENTS = """
title: More events than patients
arms: {control: {n: 20}, experimental: {n: 20}}
endpoints:
  os:
    label: overall survival
    where: Results
    events: {total: 44}
    median:
      control: {value: 11.0}
      experimental: {value: 16.0}
"""
MEDIAN = """
title: A median beyond the longest time
arms: {control: {n: 8}, experimental: {n: 8}}
endpoints:
  os:
    label: overall survival
    where: Results
    events: {total: 9}
    longest: 4.0
    median:
      control: {value: 2.0}
      experimental: {value: 6.0}
"""


def study(folder: Path, text: str) -> str:
    path = folder / "contradictory.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_more_events_than_patients_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["reconstruct", f"study={study(tmp_path, EVENTS)}", f"output_dir={tmp_path / 'out'}"]) == 2
    assert "endpoints.os.events.total: got 44 events of 40 patients" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_median_beyond_the_longest_time_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = (
        "reconstruction.islands=2",
        "reconstruction.particles=16",
        "reconstruction.rounds=1",
        "+reconstruction.pilot_particles=8",
    )
    asked = [f"study={study(tmp_path, MEDIAN)}", f"output_dir={tmp_path / 'out'}", "reconstruction.n_tables=4", *small]
    assert cli.run(["reconstruct", *asked]) == 0
    said = capsys.readouterr()
    assert "median 6.0 (experimental); a Kaplan-Meier median is one of the recorded times" in said.err
    assert said.err.index("median 6.0") < said.err.index("reconstructing os")
    folder = Path(said.out.strip().splitlines()[-1])
    assert {"spread.csv", "readings.csv", "fidelity.csv", "audit.csv"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "leave_one_out.csv").exists()


def test_an_unknown_statistic_to_leave_out_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        f"study={study(tmp_path, MEDIAN)}",
        f"output_dir={tmp_path / 'out'}",
        "reconstruction.leave_one_out=[chi_square.total]",
    ]
    assert cli.run(["reconstruct", *asked]) == 2
    assert (
        "reconstruction.leave_one_out: got ['chi_square.total']; allowed is true, false or a list of" in capsys.readouterr().err
    )


def test_a_terminated_run_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM while tables are sampled, as by a batch system: exit status 130, no folder, no lock."""
    out = tmp_path / "out"
    # a thousand times the samplers: it cannot be done before it is told to stop
    code = f"from retrial.cli import run; raise SystemExit(run(['reconstruct', 'study=yao2025', 'output_dir={out}', 'reconstruction.islands=8000']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while not list(out.glob("stages/audit/*/value.json")) and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.1)
        child.send_signal(signal.SIGTERM)
        said = child.communicate(timeout=120)[1]
    assert child.returncode == 130
    assert "interrupted: what is finished is kept" in said
    assert not list(out.glob("reconstruct/**/*.csv"))
    assert not list(out.glob("reconstruct/**/.*.lock"))
