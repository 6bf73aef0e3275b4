"""Digitised curves: what is mended, what is refused, what is read at the times of a grid, and what tables make of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retrial.errors import DataError
from retrial.study.study import Study
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.words import crowded
from retrial.tables.printed.agreement import agreement_of_tables, fidelity, tables_of
from retrial.tables.printed.digitised import ArmCurve, Curve, read_curve
from retrial.tables.printed.followed import heights_at
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.recording import falls_only
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct

QUICK = ReconstructionSettings(n_tables=8, islands=2, particles=60, rounds=1, threads=1)


def written(folder: Path, *rows: str) -> Path:
    path = folder / "curve.csv"
    path.write_text("\n".join(["arm,time,survival", *rows]), encoding="utf-8")
    return path


def arm(times: list[float], heights: list[float], above: list[float] | None = None) -> ArmCurve:
    return ArmCurve(tuple(times), tuple(heights), tuple(above or heights), tuple(heights))


def targets(curve: Curve, n: tuple[int, int] = (40, 40), **endpoint: object) -> Targets:
    arms = {"control": {"n": str(n[0])}, "experimental": {"n": str(n[1])}}
    study = Study.model_validate({"title": "t", "arms": arms, "endpoints": {"os": endpoint}})
    return targets_from_study(study, "os", curve=curve)


# ---- the file


@pytest.mark.parametrize(
    ("rows", "heights", "words"),
    [
        (["control,0,100", "control,5,80.5", "control,9,41"], [1, 0.805, 0.41], "3 readings in percent divided by 100"),
        (["control,0,1.008", "control,5,0.8", "control,9,-0.004"], [1, 0.8, 0], "2 readings just outside 0 to 1"),
        (["control,-0.02,1", "control,5,0.8"], [1, 0.8], "1 time just below 0 taken as 0"),
        (
            ["control,0,1", "control,4,0.8", "control,5,0.81", "control,9,0.5"],
            [1, 0.805, 0.805, 0.5],
            "1 reading of the control arm a little",
        ),
        (["control,9,0.5", "", "control,0,1", "  control , 5 , 0.8 "], [1, 0.8, 0.5], ""),
    ],
    ids=["percent", "outside", "before-0", "rises", "order-and-blanks"],
)
def test_errors_of_reading_are_mended_and_counted(tmp_path: Path, rows: list[str], heights: list[float], words: str) -> None:
    curve = read_curve(written(tmp_path, *rows))
    assert curve.arms["control"].heights == pytest.approx(heights)
    assert words in "; ".join(curve.mended)
    assert bool(words) == bool(curve.mended)


def test_several_readings_at_one_time_are_the_corners_of_a_step(tmp_path: Path) -> None:
    curve = read_curve(written(tmp_path, "control,0,1", "control,3.2,0.8", "control,3.2,1", "control,7,0.8")).arms["control"]
    assert (curve.times, curve.heights, curve.above) == ((0, 3.2, 7), (1, 0.8, 0.8), (1, 1, 0.8))
    assert (curve.at(3.19), curve.at(3.2), curve.at(99)) == (1, 0.8, 0.8)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["control,1,1.2"], r"survival: got '1.2' in line 2; allowed is 0 to 1"),
        (["placebo,1,0.9"], "arm: got 'placebo' in line 2; allowed is control or experimental"),
        (["control,x,0.9"], "time: got 'x' in line 2"),
        (["control,1,0.9", "", "control,-3,0.8"], "time: got '-3' in line 4"),
        (["control,1,0,9"], "more values than columns"),
        (["control,1,"], "survival: got '' in line 2"),
        (["control,0,100", "experimental,0,1"], "one arm in percent and the other not"),
        (["control,0,1", "control,3,0.5", "control,4,0.7"], r"rises \(0.7 in line 4\)"),
        (["control,0,100", "control,3,50", "control,4,102.5"], "got '102.5' in line 4"),
        ([], "no rows"),
    ],
)
def test_bad_curves_are_refused_with_their_lines(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_curve(written(tmp_path, *rows))


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_curve(written(tmp_path, "placebo,1,0.9", "control,x,0.9", "control,2,7"))
    assert [line.partition(":")[0] for line in caught.value.problems] == ["arm", "time", "survival"]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("arm,time\ncontrol,1", encoding="utf-8")
    with pytest.raises(DataError, match="needed are arm, time, survival"):
        read_curve(path)


# ---- reading at the times of a grid


def test_readings_of_whole_units_are_of_the_unit_that_they_lie_in() -> None:
    """A curve that falls at 13 and is read at 12.92 and 13.85: the first is of month 12, the second of 13."""
    read = arm([12.92, 13.85, 16.5, 20.97], [0.8, 0.7, 0.5, 0.4])
    assert heights_at(read, 13.0, 1.0, whole=True, hold=21) == (0.7, 0.7)
    assert heights_at(read, 15.0, 1.0, whole=True, hold=21) == (0.5, 0.7)  # between two readings: anything between them
    assert heights_at(read, 21.0, 1.0, whole=True, hold=21) == (0.4, 0.4)  # a reading a little early
    assert heights_at(read, 23.0, 1.0, whole=True, hold=21) is None
    assert heights_at(read, 3.0, 1.0, whole=True, hold=21) == (0.8, 1.0)


def test_exact_times_are_read_where_they_are() -> None:
    times = np.arange(0, 24.1, 0.25)
    read = arm(times.tolist(), np.where(times < 12.5, 1.0, 0.6).tolist())
    for time, expected in ((12.0, 1.0), (12.25, 1.0), (12.5, 0.6), (13.0, 0.6), (24.0, 0.6), (30.0, 0.6)):
        assert heights_at(read, time, 0.25, whole=False, hold=30) == (expected, expected)
    assert heights_at(read, 12.4, 0.1, whole=False, hold=30) == (0.6, 1.0)
    assert heights_at(read, 30.1, 0.25, whole=False, hold=30) is None


def test_readings_of_the_falls_alone_hold_until_the_next() -> None:
    falls = arm([0.0, 3.13, 4.77, 9.2, 9.9, 15.41, 16.02], [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert falls_only(falls, 0.1)
    assert heights_at(falls, 9.0, 0.1, whole=False, hold=24, falls=True) == (0.8, 0.8)
    assert heights_at(falls, 20.0, 0.1, whole=False, hold=24, falls=True) == (0.4, 0.4)


def test_falls_that_end_with_the_follow_up_hold_too() -> None:
    """A last reading at the end of follow-up, no fall, does not make the others readings of anywhere."""
    falls = arm([0.0, 4.5, 8.5, 12.5, 16.5, 20.5, 24.0], [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.75])
    assert falls_only(falls, 0.1)
    assert heights_at(falls, 12.0, 0.1, whole=False, hold=24, falls=True) == (0.9, 0.9)
    assert heights_at(falls, 18.0, 0.1, whole=False, hold=24, falls=True) == (0.8, 0.8)


def test_the_last_plateau_is_held_to_the_end_of_the_figure() -> None:
    times = np.arange(0, 17.1, 0.25)
    curve = Curve("c.csv", {"control": arm(times.tolist(), np.where(times < 9.3, 1.0, 0.417).tolist())})
    at_risk = {"times": ["0", "18"], "control": ["12", "3"], "experimental": ["12", "3"]}
    found = targets(curve, (12, 12), at_risk=at_risk)
    held = {item.time: (item.low, item.high) for item in found.all("survival", "control")}
    assert found.last == 18.25
    assert held[18.0] == pytest.approx((0.407, 0.427))


def test_a_curve_that_stops_short_says_nothing_after_it() -> None:
    times = np.arange(0, 12.1, 0.25)
    curve = Curve("c.csv", {"control": arm(times.tolist(), np.where(times < 9.3, 1.0, 0.7).tolist())})
    at_risk = {"times": ["0", "36"], "control": ["40", "3"], "experimental": ["40", "3"]}
    found = targets(curve, at_risk=at_risk)
    assert max(item.time for item in found.all("survival", "control")) == 12.25
    assert "read to 12 only, of a follow-up to 36" in " ".join(found.notes)


def test_a_printed_percentage_holds_against_the_curve() -> None:
    times = np.arange(0, 24.1, 0.25)
    curve = Curve("c.csv", {"control": arm(times.tolist(), np.where(times < 9.3, 1.0, 0.7).tolist())})
    found = targets(curve, landmarks={"times": ["12"], "control": ["65.0"]})
    assert not [item for item in found.all("survival", "control") if item.time == 12]
    assert "the print holds" in " ".join(found.notes)


# ---- tables


def steps(falls: dict[str, list[float]], n: int = 20) -> Curve:
    """Both arms of n patients read every quarter of a month for two years."""
    times = np.arange(0, 24.1, 0.25)
    heights = {name: 1 - np.searchsorted(sorted(at), times + 1e-9, side="right") / n for name, at in falls.items()}
    return Curve("c.csv", {name: arm(times.tolist(), part.tolist()) for name, part in heights.items()})


def test_tables_follow_a_curve_of_exact_times_without_delay() -> None:
    """Nobody dies before 12.4, as the curve of 20 patients an arm says."""
    curve = steps({"control": [12.4, 12.45, 13.1, 14.6, 17.2], "experimental": [12.4, 15.3, 20.2]})
    at_risk = {"times": ["0", "12", "24"], "control": ["20", "20", "15"], "experimental": ["20", "20", "17"]}
    found = targets(curve, (20, 20), at_risk=at_risk)
    ensemble = reconstruct(found, dataclasses.replace(QUICK, islands=1, particles=40), 1)
    assert agreement_of_tables(ensemble, found).all()
    for table in tables_of(ensemble, found):
        assert table.survival_at("control", 12) == table.survival_at("experimental", 12) == 1
        assert table.survival_at("control", 12.5) == pytest.approx(0.9)
        assert table.survival_at("control", 24) == pytest.approx(0.75)
    frame = fidelity(ensemble, found)
    read = frame[frame["statistic"] == "survival"]
    assert len(read) == 2 * 97
    assert (read["share_default"] == 1).all()


def test_fidelity_is_to_the_curve_as_given() -> None:
    """The same tables against a curve that falls a month earlier disagree, although the grid's own limits are met."""
    curve = steps({"control": [12.4, 12.45, 13.1, 14.6, 17.2], "experimental": [12.4, 15.3, 20.2]})
    at_risk = {"times": ["0", "12", "24"], "control": ["20", "20", "15"], "experimental": ["20", "20", "17"]}
    found = targets(curve, (20, 20), at_risk=at_risk)
    ensemble = reconstruct(found, dataclasses.replace(QUICK, islands=1, particles=40), 1)
    early = steps({"control": [11.4, 11.45, 12.1, 13.6, 16.2], "experimental": [11.4, 14.3, 19.2]})
    frame = fidelity(ensemble, dataclasses.replace(found, curve=early))
    read = frame[(frame["statistic"] == "survival") & (frame["arm"] == "control")].set_index("time")
    assert read["share_default"][12.0] == 0
    assert read["share_default"][10.0] == 1


def test_a_crowd_that_the_curve_shows_is_no_misprint() -> None:
    curve = steps({"control": [3.0] * 12 + [8.0, 11.0, 14.0, 19.0], "experimental": [2.0, 6.0, 9.0, 12.0, 20.0]}, n=40)
    found = targets(curve, recording_unit="1", events={"control": "16", "experimental": "5"})
    ensemble = reconstruct(found, dataclasses.replace(QUICK, islands=1, particles=40), 1)
    assert crowded(ensemble, found) == []
    assert "of the control arm's events fall on one month" in crowded(ensemble, dataclasses.replace(found, curve=None))[0]
