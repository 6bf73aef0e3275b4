"""The table of averages: their numbers, how far the models are apart, and where the tables' Kaplan-Meier estimate lies."""

from __future__ import annotations

import dataclasses

from report_factory import report_data

from retrial.answers.comparison.shared import OUTSIDE
from retrial.criticism.averages import AVERAGE, PROBABILITIES, STACKING
from retrial.estimate import Estimate
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.report.sections import result_sections
from retrial.report.tables.averages import average_tables

NOTE = OUTSIDE.format(value=0.31)


def row(quantity: str, model: str, point: float, variant: str = "", time: float = 12.0, note: str = "") -> Estimate:
    unit, contrast = ("ratio", RATIO) if "ratio" in quantity else ("probability", DIFFERENCE)
    named = {"endpoint": "os", "method": "bayes", "source": "", "unit": unit, "prior": "sceptical"}
    shared = Estimate(quantity=quantity, time=time, contrast=contrast, model=model, variant=variant, point=point, **named)
    limits = {"lower": point - 0.1, "upper": point + 0.1, "level": 0.95}
    return dataclasses.replace(shared, interval_kind="credible_equal_tailed", note=note, draws=100, **limits)


NAN = float("nan")
ROWS = [
    row("hazard_ratio", "first", 0.51, time=NAN),
    row("average_hazard_ratio", "second", 0.62, time=18.0),
    row("rmst_difference", "first", 0.3),
    row("rmst_difference", "second", 0.4),
    row("survival_difference", "first", 0.20, note=NOTE),
    row("survival_difference", "second", 0.30),
    row("average_hazard_ratio", AVERAGE, 0.55, STACKING, 18.0, note="weights: first 0.700 (SE 0.050), second 0.300 (SE 0.050)"),
    row("survival_difference", AVERAGE, 0.23, STACKING),
    row("average_hazard_ratio", AVERAGE, 0.57, PROBABILITIES, 18.0),
    dataclasses.replace(row("survival_difference", AVERAGE, 0.19, PROBABILITIES, note=NOTE), status="failed: too few"),
]


def test_averages_stand_first_beside_the_models_one_by_one() -> None:
    data = dataclasses.replace(report_data(), estimates=[*report_data().estimates, *ROWS], main_prior="sceptical")
    section = next(one for one in result_sections(data) if one.key == "treatment")
    assert section.tables[0].key == "treatment_averages"
    frame = section.tables[0].frame().set_index("Quantity")
    ratio, survival = frame.iloc[0], frame.iloc[1]
    assert ratio["By stacking weights"].startswith("0.550 (0.450 to 0.650)")
    assert ratio["Models one by one"] == "first to second: 0.510 to 0.620"
    assert "failed: too few" in survival["By model probabilities"]
    assert "Kaplan-Meier of the tables outside" in survival["By model probabilities"]
    assert survival["Models one by one"].endswith("Kaplan-Meier of the tables outside the interval of first")
    assert "Overall survival, stacking weights: first 0.700 (SE 0.050); second" in section.tables[0].caption
    assert "cut posterior" in section.tables[0].caption


def test_nothing_averaged_is_no_table() -> None:
    assert average_tables(report_data()) == []
