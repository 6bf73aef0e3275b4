"""The paragraph on the study's design: every number from the run's tables, and nothing where nothing was tried."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pandas as pd

from retrial.report.reader.design import design_paragraph
from retrial.report.reader.limits import _eligibility, _follow_up
from retrial.study.sections import Timeline

STUDY: Any = SimpleNamespace(
    endpoints={"os": SimpleNamespace(label="overall survival")},
    effects={},
    response=None,
    binary={},
    adverse_events={},
    baseline={},
)


def choices() -> pd.DataFrame:
    means = {"": (0.5, 3.0), "as_they_are": (0.48, 3.1), "eligibility": (0.53, 2.4), "without minimum follow-up": (0.51, 2.9)}
    rows = []
    for choice, (ratio, difference) in means.items():
        about = {"endpoint": "os", "choice": choice, "status": "ok"}
        rows.append(about | {"quantity": "log_hazard_ratio_cox_efron", "mean": math.log(ratio)})
        rows.append(about | {"quantity": "rmst_difference", "mean": difference})
    return pd.DataFrame(rows)


def entry(status: str = "ok") -> pd.DataFrame:
    told = {
        ("from time 0", 0.0): (0.477, 2.93),
        ("from time 0", 2.5): (0.477, 2.71),
        ("from entry", 2.5): (0.489, 2.88),
    }
    rows = []
    for (fitted, given), (ratio, difference) in told.items():
        about = {"endpoint": "os", "model": "weibull", "fitted": fitted, "given": given, "status": status, "probability": 0.9886}
        rows += [
            about | {"quantity": "hazard_ratio", "median": ratio},
            about | {"quantity": "rmst_difference", "median": difference},
        ]
    return pd.DataFrame(rows)


def early() -> pd.DataFrame:
    ratios = {(0, 0): (0.476, 0.99), (0, 4): (0.598, 0.96), (5, 0): (0.419, 0.995), (5, 4): (0.52, 0.98)}
    about = {"endpoint": "os", "model": "weibull", "quantity": "hazard_ratio", "status": "ok", "until": 6.0}
    rows = [
        about | {"control_missing": i, "experimental_missing": j, "median": ratio, "probability": chance}
        for (i, j), (ratio, chance) in ratios.items()
    ]
    return pd.DataFrame(rows)


def tipping() -> pd.DataFrame:
    rows = []
    for arm, value in (("experimental", 3.0), ("control", math.nan)):
        about = {"endpoint": "os", "model": "weibull", "challenge": f"early deaths, {arm} arm"}
        rows += [about | {"criterion": 0.95, "value": math.nan}, about | {"criterion": 0.975, "value": value}]
    return pd.DataFrame(rows)


def data(**frames: Any) -> Any:
    return SimpleNamespace(study=STUDY, **NOTHING | frames)


NOTHING: dict[str, Any] = dict.fromkeys(("choices", "entry", "early_deaths", "tipping", "conclusions")) | {"manifest": {}}


def conclusions(*, holds: bool) -> pd.DataFrame:
    about = {"endpoint": "os", "model": "weibull", "challenge": "as it is", "claim": "below 1", "status": "ok"}
    return pd.DataFrame([about | {"holds": holds, "probability": 0.99 if holds else 0.9}])


def test_one_paragraph_says_what_every_reading_changes() -> None:
    said = design_paragraph(data(choices=choices(), entry=entry(), early_deaths=early(), tipping=tipping()))
    assert "Cox's ratio goes from 0.480 to 0.530 and the difference from 3.1 to 2.4 over the tables" in said
    assert "lost before the minimum follow-up, Cox's ratio goes from 0.500 to 0.510 and the difference from 3.0 to 2.9" in said
    assert "before the first time at which one of these patients did" in said
    assert "all entered at 2.5 months (left truncation), the ratio of the" in said
    assert (
        "goes from 0.477 to 0.489 and the difference, given entry, from 2.7 to 2.9 (probability of a ratio below 1: 0.989)"
        in said
    )
    assert "within 6 months are missing (it is 0.476 as it is), 4 of the experimental arm make Cox's ratio 0.598" in said
    assert "(the conclusion changes from 3 on)" in said
    assert "5 of the control arm make Cox's ratio 0.419 (no number tried changes the conclusion)" in said
    assert "\n" not in said


def test_where_there_is_no_conclusion_none_changes() -> None:
    """An empty tipping value is also that of an analysis, or of a Cox regression, in which nothing holds to begin with."""
    empty = tipping().assign(value=math.nan)
    frames = {"early_deaths": early(), "tipping": empty}
    assert design_paragraph(data(**frames, conclusions=conclusions(holds=False))).count("(there is no conclusion to change)") == 2
    weak = early().assign(probability=0.9)
    told = data(early_deaths=weak, tipping=empty, conclusions=conclusions(holds=True))
    assert design_paragraph(told).count("(there is no conclusion to change)") == 2
    held = design_paragraph(data(**frames, conclusions=conclusions(holds=True)))
    assert held.count("(no number tried changes the conclusion)") == 1  # of the control arm
    assert (
        held.count("(from which number on the conclusion changes cannot be told)") == 1
    )  # P = 0.96 with 4 of the experimental arm


def test_nothing_is_said_of_what_was_not_tried() -> None:
    assert design_paragraph(data()) == ""
    assert design_paragraph(data(choices=choices()[choices()["choice"] == ""])) == ""
    assert "failed" in design_paragraph(data(entry=entry("failed: 2 of 40 fits")))
    of_main = design_paragraph(data(entry=entry("failed: 1 of 2 fits; first: rhat 1.2 (of the main fit)")))
    assert "failed (1 of 2 fits; first: rhat 1.2 (of the main fit))" in of_main
    assert "left truncation" not in design_paragraph(data(entry=entry("failed: 2 of 40 fits")))


def test_the_target_trial_names_the_minimum_follow_up() -> None:
    timeline = Timeline.model_validate({"cut_off": "2023-12-31", "minimum_follow_up": "12"})
    said = _follow_up(SimpleNamespace(timeline=timeline, time_unit="months"))
    assert (
        said
        == "closed on 2023-12-31; everybody without the event followed for at least 12 months, so that nobody is taken as censored before"
    )


def test_the_target_trial_refers_to_what_is_said_only() -> None:
    """Without a design reading (a minimum follow-up covers what was left out) nothing stands under "What cannot be known"."""
    timeline = Timeline.model_validate({"excluded_follow_up_up_to": "6"})
    study = SimpleNamespace(timeline=timeline, time_unit="months", endpoints=STUDY.endpoints)
    without: Any = SimpleNamespace(study=study, choices=None, readings=None)
    assert _eligibility(without) == "patients followed for 6 months or less left out, as the paper says"
    ruled = choices().assign(words="nobody was censored by month 6", status="failed: no table")
    assert "What cannot be known" in _eligibility(SimpleNamespace(study=study, choices=ruled, readings=None))  # type: ignore[arg-type]
