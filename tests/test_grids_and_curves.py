"""Grids, curves and adjusted ratios through the command line: what the output says, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from retrial import cli
from retrial.pipeline.reconstruct import _least

SMALL = ("reconstruction.islands=1", "reconstruction.particles=16", "reconstruction.n_tables=4", "+reconstruction.proposals=50")
ADJUSTED = """
title: The only ratio is adjusted
time_unit: years
arms: {control: {n: 206}, experimental: {n: 207}}
endpoints: {rfs: {events: {control: 111, experimental: 88}, longest: 10.0}}
effects: {rfs: {endpoint: rfs, hazard_ratio: 0.71, ci: [0.54, 0.94], p: 0.017, adjusted_for: [risk]}}
"""
CURVE = """
title: A curve
arms: {control: {n: 10}, experimental: {n: 10}}
endpoints: {os: {label: overall survival, curve: curve.csv}}
"""
YEARS = """
title: Years
time_unit: years
arms: {control: {n: 10}, experimental: {n: 10}}
endpoints: {os: {longest: 4.0, at_risk: {times: [0, 2], control: [10, 5], experimental: [10, 6]}}}
"""


def run(folder: Path, verb: str, text: str, *more: str) -> int:
    path = folder / "case.yaml"
    path.write_text(text, encoding="utf-8")
    return cli.run([verb, f"study={path}", f"output_dir={folder / 'out'}", *more])


def test_an_adjusted_ratio_is_said_to_be_no_ground_for_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "reconstruct", ADJUSTED) == 2
    assert "the only ratio is adjusted (effects.rfs) and is not used for the tables" in capsys.readouterr().err
    assert run(tmp_path, "audit", ADJUSTED) == 0


@pytest.mark.parametrize("verb", ["audit", "reconstruct"])
def test_a_bad_curve_is_refused_by_every_verb(tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "curve.csv").write_text("arm,time,survival\ncontrol,0,1\nplacebo,1,0.9\ncontrol,2,x\n", encoding="utf-8")
    assert run(tmp_path, verb, CURVE) == 2
    said = capsys.readouterr().err
    assert "'placebo' in line 3" in said
    assert "'x' in line 4" in said


def test_the_output_says_the_unit_and_where_it_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "reconstruct", YEARS, *SMALL) == 0
    said = capsys.readouterr()
    assert "recording unit 0.1 years (printed times 4.0)" in said.err
    assert "Recording unit 0.1 years" in said.out
    audit = pd.read_csv(Path(said.out.strip().splitlines()[-1]) / "audit.csv")
    assert audit["note"].astype(str).str.contains("Recording unit 0.1 years").any()


def test_slow_tables_name_a_faster_effort_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from retrial.pipeline import tables

    assert run(tmp_path, "reconstruct", YEARS, *SMALL) == 0
    assert "reconstruction.effort" not in capsys.readouterr().err  # few particles
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(tables, "LONG", 1e-3)
        assert run(tmp_path, "reconstruct", YEARS, *SMALL, "seed=2") == 0
    assert "of one core; reconstruction.effort=quick" in capsys.readouterr().err


def test_a_curve_counts_as_one_number_an_arm() -> None:
    frame = pd.DataFrame(
        {
            "statistic": ["events", "survival at 1", "survival at 2", "survival at 1"],
            "arm": ["total", "control", "control", "experimental"],
            "agreement": [1.0, 1.0, 0.5, 0.9],
        }
    )
    assert _least(frame) == 0.75
