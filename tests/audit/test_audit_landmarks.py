"""Printed survival percentages and numbers censored against what else is printed."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.run import apply_decisions
from retrial.audit.times.landmarks import checks, shortest_width
from retrial.study.study import Study


def study(**endpoint: object) -> Study:
    arms = {"control": {"n": "100"}, "experimental": {"n": "200"}}
    return Study.model_validate({"title": "t", "arms": arms, "endpoints": {"os": endpoint}})


def landmarks(*percent: object, times: tuple[str, ...] = ("12", "24")) -> dict:
    return {"times": list(times[: len(percent)]), "control": list(percent)}


def verdicts(found: list[Check]) -> list[Verdict]:
    return [check.verdict for check in found]


@pytest.mark.parametrize(
    ("percent", "median", "right"),
    [
        ("47", "14", False),
        ("47.3", "12.0", True),
        ("50", "12", True),
        ("50.4", "12", True),
        ("51", "11.4", False),
        ("62", "14", True),
        ("50", "12.6", True),
        ("49", "12.6", False),
    ],
)
def test_a_percentage_stands_on_the_right_side_of_the_median(percent: str, median: str, right: bool) -> None:
    found = list(checks(study(landmarks=landmarks(percent), median={"control": {"value": median}})))
    assert verdicts(found) == [Verdict.CONSISTENT if right else Verdict.INCONSISTENT]
    if not right:
        assert found[0].consequence is Consequence.EXCLUDED


def test_what_contradicts_the_median_is_left_out_of_the_tables() -> None:
    asked = study(landmarks=landmarks("47"), median={"control": {"value": "14"}})
    used = apply_decisions(asked, list(checks(asked)))
    assert used.endpoints["os"].landmarks is not None
    assert used.endpoints["os"].landmarks.of("control") == []


def test_percentages_never_rise() -> None:
    assert verdicts(list(checks(study(landmarks=landmarks("40", "45"))))) == [Verdict.INCONSISTENT]
    assert verdicts(list(checks(study(landmarks=landmarks("40", "40.3"))))) == [Verdict.CONSISTENT]


@pytest.mark.parametrize(
    ("percent", "verdict"),
    [
        ("70", Verdict.CONSISTENT),
        ("59.9", Verdict.CONSISTENT_ONLY_IF),
        ("99", Verdict.INCONSISTENT),
        ("80.0", Verdict.CONSISTENT),
    ],
)
def test_percentages_and_numbers_at_risk(percent: str, verdict: Verdict) -> None:
    """60 of 100 at risk at month 12 and 70 events in all: at least 10 before, at most 40, so that S is from 0.60 to 0.90."""
    table = {"times": ["0", "12"], "control": ["100", "60"]}
    found = list(checks(study(landmarks=landmarks(percent), at_risk=table, events={"control": "70"})))
    assert verdicts(found) == [verdict]


def test_bounds_of_a_percentage_hold_for_every_table() -> None:
    """Random patients: the printed percentage is never refused, with or without the censored."""
    random = np.random.default_rng(4)
    for _ in range(60):
        time, event = random.integers(1, 30, 100), random.random(100) < random.uniform(0.1, 0.9)
        survival = np.prod([1 - event[time == t].sum() / (time >= t).sum() for t in np.unique(time[time < 12])])
        table: dict = {"times": ["0", "12"], "control": ["100", str((time >= 12).sum())]}
        if random.random() < 0.5:
            table["censored"] = {"control": ["0", str(((time < 12) & ~event).sum())]}
        asked = study(landmarks=landmarks(f"{100 * survival:.1f}"), at_risk=table, events={"control": str(event.sum())})
        assert set(verdicts(list(checks(asked)))) == {Verdict.CONSISTENT}


def test_limits_are_no_closer_than_binomial_ones() -> None:
    assert shortest_width(0.5, 100, 1.96) == pytest.approx(0.1944, abs=5e-5)
    close = {"percent": "50.0", "ci": ["47.0", "53.0"]}
    wide = {"percent": "50.0", "ci": ["40.3", "59.7"]}
    assert verdicts(list(checks(study(landmarks=landmarks(close))))) == [Verdict.INCONSISTENT]
    assert verdicts(list(checks(study(landmarks=landmarks(wide))))) == [Verdict.CONSISTENT]


@pytest.mark.parametrize(
    ("lost", "events", "right"),
    [
        (["0", "10", "30"], "45", True),
        (["0", "45", "50"], "45", False),
        (["0", "10", "30"], "20", False),
        (["0", "30", "65"], "45", False),
    ],
)
def test_censored_events_and_at_risk_are_all_patients(lost: list[str], events: str, right: bool) -> None:
    table = {"times": ["0", "12", "24"], "control": ["100", "60", "30"], "censored": {"control": lost}}
    asked = study(at_risk=table, events={"control": events})
    found = list(checks(asked))
    assert verdicts(found) == [Verdict.CONSISTENT if right else Verdict.INCONSISTENT]
    if not right:
        used = apply_decisions(asked, found).endpoints["os"].at_risk
        assert used is not None
        assert used.censored is not None
        assert used.censored.control is None
