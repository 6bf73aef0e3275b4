"""In which step times were recorded: by unit, printed decimals, kind of time and curve; and the grid that follows."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.study.study import Study
from retrial.tables.printed.digitised import ArmCurve, Curve
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.targets import Targets

ARMS = {"control": {"n": "40"}, "experimental": {"n": "41"}}


def targets(endpoint: dict, time_unit: str = "months", curve: Curve | None = None) -> Targets:
    tree = {"title": "t", "arms": ARMS, "time_unit": time_unit, "endpoints": {"os": endpoint}}
    return targets_from_study(Study.model_validate(tree), "os", curve=curve)


def medians(*texts: str) -> dict:
    return {"median": {arm: {"value": text} for arm, text in zip(("control", "experimental"), texts, strict=False)}}


@pytest.mark.parametrize(
    ("time_unit", "texts", "unit"),
    [
        ("months", ("12", "18"), 1),
        ("months", ("12.0", "18"), 0.1),
        ("months", ("12.0", "18.0"), 1),
        ("months", ("12.00",), 1),
        ("months", ("12.3", "18.0"), 0.1),
        ("months", ("12.30", "18.00"), 0.1),
        ("months", ("12.30", "18.1"), 0.01),
        ("months", ("12.34", "18.5"), 0.01),
        ("months", ("12.345", "18.5"), 0.01),
        ("months", ("3",), 0.1),
        ("weeks", ("12", "18"), 1),
        ("weeks", ("3",), 1),
        ("weeks", ("12.3",), 0.1),
        ("days", ("340", "501"), 1),
        ("days", ("3",), 1),
        ("days", ("34.5",), 0.1),
        ("years", ("12", "18"), 0.1),
        ("years", ("10.0",), 0.1),
        ("years", ("10.0", "8.0", "9.0"), 0.1),
        ("years", ("3.25",), 0.01),
        ("years", ("0.4",), 0.01),
    ],
)
@pytest.mark.parametrize("label", ["median", "longest"])
def test_the_unit_follows_the_print(time_unit: str, texts: tuple[str, ...], unit: float, label: str) -> None:
    both = dict(zip(("control", "experimental"), texts, strict=False))
    if label == "longest" and texts in (("3",), ("0.4",)):
        both = {"total": texts[0]}
    endpoint = (
        medians(*texts) if label == "median" else {"longest": both, "at_risk": {"times": ["0", "1"], "control": ["40", "40"]}}
    )
    if label == "median" and texts in (("3",), ("0.4",)):
        endpoint["longest"] = texts[0]
    found = targets(endpoint, time_unit)
    assert found.step == unit
    assert any(f"recording unit {unit:g} {time_unit}" in note for note in found.notes)


def test_the_file_says_the_unit() -> None:
    found = targets({**medians("12.0", "18.0"), "recording_unit": "0.5"})
    assert found.step == 0.5
    assert "study file" in found.notes[0]


def test_numbers_at_risk_say_nothing_of_recording() -> None:
    table = {"times": ["0", "2.5", "5.0"], "control": ["40", "30", "20"], "experimental": ["41", "30", "20"]}
    assert targets({"at_risk": table}).step == 1
    assert targets({"at_risk": table, **medians("9.0", "8.0"), "longest": "20.0"}).step == 1


def test_a_time_printed_coarser_than_the_grid_is_any_that_rounds_to_it() -> None:
    found = targets({**medians("12", "15.3"), "longest": "30"})
    coarse, fine, longest = found.find("median", "control"), found.find("median", "experimental"), found.find("longest")
    assert coarse is not None
    assert fine is not None
    assert longest is not None
    assert (coarse.low, coarse.high) == (11.5, 12.5)
    assert (fine.low, fine.high) == (15.3, 15.3)
    assert (longest.low, longest.high, found.last) == (29.5, 30.5, 30.5)
    assert found.places(coarse.low, coarse.high) == (114, 124)


def test_a_time_printed_finer_than_the_grid_is_its_nearest_time() -> None:
    found = targets({"median": {"control": {"value": "12.3", "ci": ["9.1", "15.2"]}}, "recording_unit": "1", "longest": "30.4"})
    median, limit = found.find("median", "control"), found.find("median_lower", "control")
    assert median is not None
    assert limit is not None
    assert found.places(median.low, median.high) == (11, 11)
    assert found.places(limit.strict_low, limit.strict_high)[0] == 8
    assert found.last == 30
    assert "printed more finely than that" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("control", "experimental", "unit"),
    [
        ({"value": "NE", "ci": ["42.1", "NE"]}, {"value": "NE", "ci": ["46.5", "NE"]}, 0.1),
        ({"value": "11.0", "ci": ["9.3", "NE"]}, {"value": "16.0", "ci": ["14.2", "NE"]}, 0.1),
        ({"value": "11.0", "ci": ["7.142", "14.858"]}, {"value": "16.0", "ci": ["11.125", "20.875"]}, 1),  # median ± z SE
    ],
)
def test_limits_that_only_a_curve_gives_are_times(control: dict, experimental: dict, unit: float) -> None:
    assert targets({"median": {"control": control, "experimental": experimental}, "longest": "36.0"}).step == unit


def test_limits_alone_beside_a_coarser_unit_of_the_file() -> None:
    """LAURA: the medians (54.0, not reached) are whole months, the limits (46.5, 42.1) are not."""
    medians = {"control": {"value": "NE", "ci": ["42.1", "NE"]}, "experimental": {"value": "54.0", "ci": ["46.5", "60.2"]}}
    found = targets({"median": medians, "recording_unit": "1"})
    limits = [found.find("median_lower", "control"), found.find("median_upper", "experimental")]
    assert [found.places(item.strict_low, item.strict_high)[0] for item in limits if item is not None] == [41, 59]
    assert "42.1, 46.5, 60.2 (months): printed more finely than that" in " ".join(found.notes)


def test_unequal_follow_up_ends_each_arm_by_itself() -> None:
    found = targets(
        {"longest": {"control": "24.3", "experimental": "30.1"}, "shortest": {"control": "0.5", "experimental": "0.2"}}
    )
    assert (found.first, found.last) == (0.2, 30.1)
    assert [item.arm for item in found.all("longest")] == ["control", "experimental"]


# ---- curves


def curve(times: np.ndarray, falls: list[float], depth: float = 0.05, noise: float = 0.0) -> Curve:
    """A step curve with the falls given, read at the times given."""
    heights = 1.0 - depth * np.searchsorted(np.sort(falls), times + 1e-9, side="right")
    random = np.random.default_rng(1)
    heights = np.minimum.accumulate(heights + noise * random.uniform(-1, 1, times.size)) if noise else heights
    arm = ArmCurve(*(tuple(float(x) for x in part) for part in (times, heights, heights, heights)))
    return Curve("c.csv", {"control": arm, "experimental": arm})


WHOLE = [2.0, 3.0, 5.0, 6.0, 9.0, 11.0, 14.0, 15.0, 18.0, 21.0]
BETWEEN = [2.3, 3.6, 5.4, 6.8, 9.25, 11.6, 14.3, 15.7, 18.6, 21.4]
QUARTERS, ODD = np.arange(0, 24.1, 0.25), np.cumsum(np.random.default_rng(2).uniform(0.05, 0.3, 130))


@pytest.mark.parametrize("noise", [0.0, 0.004])
@pytest.mark.parametrize("read", [QUARTERS, ODD], ids=["quarters", "anywhere"])
@pytest.mark.parametrize("print_", [{}, medians("12", "15"), medians("12.0", "15.0")], ids=["none", "whole", "zeros"])
def test_the_curve_tells_where_it_falls(read: np.ndarray, noise: float, print_: dict) -> None:
    assert targets(print_, curve=curve(read, WHOLE, noise=noise)).step == 1
    between = targets(print_, curve=curve(read, BETWEEN, noise=noise))
    assert between.step == (0.25 if read is QUARTERS else 0.1)
    assert "between whole units" in between.notes[0]


@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.02])
def test_a_curve_read_once_a_unit_on_before_or_after_it(shift: float) -> None:
    times = np.maximum(np.arange(0, 25) + shift, 0)
    found = targets({}, curve=curve(times, [4.0 + shift, 12.0 + shift]))
    assert found.step == 1
    by_time = {item.time: item.value for item in found.all("survival", "control")}
    assert [by_time[time] for time in (3.0, 4.0, 11.0, 12.0, 24.0)] == pytest.approx([1.0, 0.95, 0.95, 0.9, 0.9])


def test_printed_decimals_are_finer_than_a_curve_of_whole_units() -> None:
    assert targets(medians("12.4", "15.0"), curve=curve(QUARTERS, WHOLE)).step == 0.1


def test_years_and_days_of_a_curve() -> None:
    assert targets({}, "years", curve(np.arange(0, 10.01, 0.1), [1.23, 4.5])).step <= 0.1
    assert targets({}, "days", curve(np.arange(0, 1000.0, 7.3), [100.2, 400.0])).step == 2
    assert targets(medians("340"), "days", curve(np.arange(0, 1000.0, 7.3), [100.2, 400.0])).step == 1


def test_the_grid_ends_one_step_after_the_curve() -> None:
    table = {"times": ["0", "12", "24"], "control": ["40", "30", "20"], "experimental": ["41", "30", "20"]}
    found = targets({"at_risk": table}, curve=curve(QUARTERS[QUARTERS <= 22], BETWEEN))
    assert found.last == 24.25
    assert "one step after the curve" in " ".join(found.notes)
