"""Printed numbers of a study file as targets."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from retrial.errors import ReconstructionError
from retrial.study.study import Study
from retrial.tables.printed.from_study import targets_from_study, treatment_effect
from retrial.tables.printed.targets import Targets

ARMS = {"control": {"n": "40"}, "experimental": {"n": "41"}}


def study(endpoint: dict, effects: dict | None = None, **more: object) -> Study:
    return Study.model_validate({"title": "t", "arms": ARMS, "endpoints": {"os": endpoint}, "effects": effects or {}, **more})


def test_tolerances_of_the_first_study(os_targets: Targets) -> None:
    ratio = os_targets.find("hazard_ratio")
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((0.46765, 0.47235))
    assert (ratio.strict_low, ratio.strict_high) == pytest.approx((0.4695, 0.4705))
    limit = os_targets.find("median_upper", "control")
    assert limit is not None
    assert limit.high - limit.value == pytest.approx(0.005 * (14.858 - 7.142))
    assert os_targets.find("events").low == os_targets.find("events").high == 44  # type: ignore[union-attr]
    assert (os_targets.first, os_targets.last, os_targets.step, os_targets.n_times) == (3, 23, 1, 21)
    assert os_targets.find("hazard_ratio_p").printed == "0.018"  # type: ignore[union-attr]
    assert os_targets.find("p").printed == "0.024"  # type: ignore[union-attr]


def test_grid_ends_before_nobody_is_at_risk(yao2025: Study) -> None:
    targets = targets_from_study(yao2025, "pfs")
    assert (targets.first, targets.last) == (1, 19)
    assert "before 20" in " ".join(targets.notes)
    assert len(targets.all("at_risk")) == 10


def test_grid_without_any_end_is_said() -> None:
    targets = targets_from_study(study({"median": {"control": {"value": "8"}, "experimental": {"value": "11"}}}), "os")
    assert targets.last == 22
    assert "no longest time" in " ".join(targets.notes)
    assert targets_from_study(study({"median": {"control": {"value": "8"}}}), "os", last=30).last == 30


def test_recording_unit_follows_the_printed_decimals() -> None:
    targets = targets_from_study(study({"median": {"control": {"value": "11.4"}}, "longest": "20.0", "shortest": "1.2"}), "os")
    assert (targets.step, targets.first, targets.last) == (0.1, 1.2, 20.0)
    assert targets.times[102] == 11.4


def test_time_unit_becomes_months() -> None:
    targets = targets_from_study(study({"longest": "2", "recording_unit": "1"}, time_unit="years"), "os")
    assert targets.months == (12.0, 24.0)


def test_control_over_experimental_is_turned_round() -> None:
    effect = {
        "endpoint": "os",
        "numerator": "control",
        "denominator": "experimental",
        "hazard_ratio": "2.00",
        "ci": ["1.25", "3.20"],
    }
    targets = targets_from_study(study({"longest": "20"}, {"unadjusted": effect}), "os")
    ratio, lower, upper = (targets.find(name) for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper"))
    assert ratio is not None
    assert lower is not None
    assert upper is not None
    assert (ratio.value, lower.value, upper.value) == pytest.approx((0.5, 1 / 3.2, 0.8))
    assert lower.strict_low == pytest.approx(1 / 3.205)
    assert lower.low < lower.value < lower.high


def test_adjusted_ratios_are_no_targets(yao2025: Study) -> None:
    effect = treatment_effect(yao2025, "os")
    assert effect is not None
    assert effect.hazard_ratio is not None
    assert effect.hazard_ratio.text == "0.470"


def test_lone_p_is_the_test_and_wald_p_is_the_ratio() -> None:
    effect = {"endpoint": "os", "hazard_ratio": "0.50", "ci": ["0.30", "0.83"], "p": "0.008"}
    alone = targets_from_study(study({"longest": "20"}, {"e": effect}), "os")
    assert alone.find("p") is not None
    assert alone.find("hazard_ratio_p") is None
    both = targets_from_study(study({"longest": "20", "test": {"p": "0.010"}}, {"e": effect}), "os")
    assert both.find("hazard_ratio_p") is not None
    z = math.log(0.5) / ((math.log(0.83) - math.log(0.30)) / (2 * 1.959964))
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(0.0076, abs=0.0005)
    odd = targets_from_study(study({"longest": "20", "test": {"p": "0.010"}}, {"e": {**effect, "p": "0.200"}}), "os")
    assert odd.find("hazard_ratio_p") is None
    assert any("not Wald's" in note for note in odd.notes)


def test_small_p_is_a_half_open_interval() -> None:
    targets = targets_from_study(study({"longest": "20", "test": {"p": "<0.001"}}), "os")
    item = targets.find("p")
    assert item is not None
    assert item.low == pytest.approx(0, abs=1e-9)
    assert item.high == pytest.approx(0.001)


def test_unknown_endpoint_or_size_is_refused(yao2025: Study) -> None:
    with pytest.raises(ReconstructionError, match="allowed are"):
        targets_from_study(yao2025, "dfs")
    with pytest.raises(ReconstructionError, match=r"arms\.control\.n"):
        targets_from_study(Study.model_validate({"title": "t", "endpoints": {"os": {}}}), "os")


def test_an_endpoint_of_fewer_patients_than_the_arm() -> None:
    """Those with measurable disease, on oxygen, ...: the tables are of them, and more events than of them are refused."""
    events = {"control": {"n": "20", "evaluable": "30"}, "experimental": {"n": "22"}}
    targets = targets_from_study(study({"events": events, "longest": "12"}), "os")
    assert (targets.n_control, targets.n_experimental) == (30, 41)
    assert "of 30 control and 41 experimental patients, those evaluable" in targets.notes
    made = study({"events": events})
    assert (made.followed("os", "control"), made.followed("os", "total")) == (30, 71)


def test_limits_of_a_median_between_the_times_of_a_coarse_grid_are_held_to_half_a_unit() -> None:
    """Read off the curve they are recorded times; median ± z SE, symmetric and with more decimals than the median, may lie anywhere."""
    median = {"control": {"value": "34.5", "ci": ["27.4", "42.6"]}, "experimental": {"value": "37.5", "ci": ["31.4", "47.8"]}}
    targets = targets_from_study(study({"median": median, "recording_unit": "0.5"}), "os")
    limit = targets.find("median_lower", "control")
    assert limit is not None
    assert limit.low < 27.1 < 27.5 < limit.high
    assert any("27.4" in note and "held to half a unit" in note for note in targets.notes)
    symmetric = {"control": {"value": "34.5", "ci": ["27.41", "41.59"]}}
    limit = targets_from_study(study({"median": symmetric, "recording_unit": "0.5"}), "os").find("median_lower", "control")
    assert limit is not None
    assert limit.high < 27.5


@pytest.mark.parametrize(("printed", "uncensored"), [("4", 3), ("3.5", 3), ("1", 0), ("20", 19), ("90", 19)])
def test_nobody_is_censored_before_the_minimum_follow_up(printed: str, uncensored: int) -> None:
    """Grid times 1 to 20; who left at the last is not left to chance anyway."""
    endpoint = {"longest": "20", "shortest": "1", "median": {"control": {"value": "9"}, "experimental": {"value": "11"}}}
    targets = targets_from_study(study(endpoint, timeline={"minimum_follow_up": printed}), "os")
    assert targets.n_times == 20
    assert targets.uncensored == uncensored


def test_an_eligibility_rule_goes_before_a_shorter_minimum_follow_up() -> None:
    endpoint = {"longest": "20", "shortest": "1", "median": {"control": {"value": "9"}, "experimental": {"value": "11"}}}
    timeline = {"minimum_follow_up": "4", "excluded_follow_up_up_to": "6"}
    targets = targets_from_study(study(endpoint, timeline=timeline), "os")
    assert (targets.uncensored, targets.ruled_out) == (3, 6)
    longer = targets_from_study(study(endpoint, timeline=timeline | {"minimum_follow_up": "9"}), "os")
    assert (longer.uncensored, longer.ruled_out) == (8, 0)
