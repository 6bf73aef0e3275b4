"""Keys to words."""

from __future__ import annotations

import pytest
from report_factory import study, study_record

from retrial.estimate import Estimate
from retrial.report.labels import (
    canonical,
    endpoint_label,
    is_adjusted,
    is_comparison,
    is_treatment,
    model_label,
    models_called,
    quantity_label,
    threshold_of,
    upper_first,
)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("p_hazard_ratio_below_1", "P(HR < 1)"),
        ("p_hazard_ratio_below_0.8", "P(HR < 0.8)"),
        ("p_hazard_ratio_between_0.91_and_1.1", "P(0.91 < HR < 1.1)"),
        ("p_hazard_ratio_between_0.91_1.1", "P(0.91 < HR < 1.1)"),
        ("p_odds_ratio_above_1.25", "P(OR > 1.25)"),
        ("p_risk_difference_above_0", "P(RD > 0)"),
        ("p_survival_12_difference_above_0", "P(difference in survival at 12 months > 0)"),
        ("survival_at_12", "survival at 12 months"),
        ("rmst_20_difference", "difference in restricted mean survival time to 20 months"),
        ("p_value", "p-value"),
        ("something_new", "something new"),
    ],
)
def test_quantity_label(quantity: str, text: str) -> None:
    assert quantity_label(quantity) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("survival_12", "survival_at_12"),
        ("survival_12_difference", "survival_difference_at_12"),
        ("rmst_20.5_difference", "rmst_difference_at_20.5"),
        ("median_survival_difference", "median_difference"),
        ("hazard_ratio", "hazard_ratio_across_reconstructions"),
    ],
)
def test_one_quantity_under_two_names_is_one_group(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_different_quantities_stay_apart() -> None:
    names = ["survival_6", "survival_12", "survival_12_difference", "rmst_12", "median_survival", "p_value", "hazard_ratio"]
    assert len({canonical(name) for name in names}) == len(names)


def test_thresholds_in_reading_order() -> None:
    names = ["p_x_above_1.25", "p_x_below_0.8", "p_x_between_0.91_and_1.1", "p_x_below_1", "p_x_below_0.9"]
    found = sorted((threshold for name in names if (threshold := threshold_of(name))), key=lambda threshold: threshold.order)
    assert [threshold.text for threshold in found] == ["P(x < 1)", "P(x < 0.9)", "P(x < 0.8)", "P(0.91 < x < 1.1)", "P(x > 1.25)"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("os", "overall survival"),
        ("ORR", "Objective response"),
        ("response.composites.ORR", "Objective response"),
        ("CR", "CR"),
        ("adverse_events.alt_elevation.any", "ALT elevation, any grade"),
        ("adverse_events.terms.rash.grades.any", "Rash, any grade"),
        ("not_in_the_study", "not in the study"),
        ("cv", "CV"),
        ("toxic_death", "toxic death"),
    ],
)
def test_endpoint_label(key: str, text: str) -> None:
    plain = {"binary": {"toxic_death": {"control": "1", "experimental": "2"}}}
    effects = {**study_record()["effects"], "cv": {"hazard_ratio": "0.80", "ci": ["0.73", "0.87"]}}
    assert endpoint_label(study(**plain, effects=effects), key) == text


@pytest.mark.parametrize(
    ("contrast", "adjusted", "treatment", "comparison"),
    [
        ("experimental / control", False, True, True),
        ("experimental - control", False, True, True),
        ("experimental / control, adjusted for stage, AFP", True, True, True),
        ("experimental / control, unadjusted", False, True, True),
        ("control", False, True, False),
        ("total", False, True, False),
        ("stage B / stage C, adjusted for regimen", True, False, False),
    ],
)
def test_contrasts(contrast: str, adjusted: bool, treatment: bool, comparison: bool) -> None:
    row = Estimate("os", "hazard_ratio", contrast, "bayes", 1.0)
    assert (is_adjusted(row), is_treatment(row), is_comparison(row)) == (adjusted, treatment, comparison)


def test_symbols_stay_small_at_the_start_of_a_sentence() -> None:
    assert [upper_first(text) for text in ("overall survival", "p-value", "χ²", "α-fetoprotein", "")] == [
        "Overall survival",
        "p-value",
        "χ²",
        "α-fetoprotein",
        "",
    ]


def test_models_are_called_by_their_own_labels_inside_a_report() -> None:
    with models_called({"mine": "model of mine"}):
        assert (model_label("mine"), model_label("cox_efron")) == ("model of mine", "Cox, Efron ties")
    assert model_label("mine_too") == "mine too"
