"""Keys to words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from report_factory import study, study_record

from retrial.estimate import Estimate
from retrial.report.labels import (
    adjusted_label,
    contrast_label,
    covariate_names,
    covariates_called,
    endpoint_label,
    estimate_label,
    event_order,
    is_comparison,
    is_treatment,
    model_label,
    models_called,
    prior_label,
    upper_first,
)
from retrial.report.tables.results import groups_of
from retrial.study.study import Study

RATIO = "experimental / control"


def row(quantity: str, **more: Any) -> Estimate:
    return Estimate(**{"endpoint": "os", "quantity": quantity, "contrast": RATIO, "method": "bayes", "point": 0.5, **more})


def chance(quantity: str, event: str, *bounds: float, time: float = math.nan) -> Estimate:
    low, high = (*bounds, math.nan)[:2]
    return row(quantity, statistic="probability", event=event, threshold=low, threshold_upper=high, time=time)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (chance("hazard_ratio", "below", 1.0), "P(HR < 1)"),
        (chance("hazard_ratio", "below", 0.8), "P(HR < 0.8)"),
        (chance("hazard_ratio", "between", 0.91, 1.1), "P(0.91 < HR < 1.1)"),
        (chance("hazard_ratio", "above", 1.25, time=6.0), "P(HR(6) > 1.25)"),
        (chance("odds_ratio", "above", 1.25), "P(OR > 1.25)"),
        (chance("risk_difference", "above", 0.0), "P(RD > 0)"),
        (chance("survival_difference", "above", 0.0, time=12.0), "P(difference in survival at 12 months > 0)"),
        (row("survival", time=12.0), "survival at 12 months"),
        (row("rmst_difference", time=20.25), "difference in restricted mean survival time to 20.2 months"),
        (row("hazard_ratio", time=6.0), "hazard ratio at 6 months"),
        (row("hazard_ratio", method="frequentist", statistic="range", lower=0.4, upper=0.6), "hazard ratio"),
        (
            row("number_needed_to_treat_to_harm", statistic="far_limit"),
            "the interval goes on through infinity, to harm as few as",
        ),
        (row("p_value"), "p-value"),
        (row("something_new"), "something new"),
    ],
)
def test_estimate_label(estimate: Estimate, text: str) -> None:
    assert estimate_label(estimate) == text


def test_a_value_and_its_range_over_the_tables_are_one_group() -> None:
    value = row("hazard_ratio", method="frequentist")
    spread = row("hazard_ratio", method="frequentist", statistic="range", lower=0.4, upper=0.6)
    assert [len(group.rows) for group in groups_of([value, spread])] == [2]


def test_different_questions_stay_apart() -> None:
    rows = [
        row("survival", time=6.0),
        row("survival", time=12.0),
        row("survival_difference", time=12.0),
        row("hazard_ratio"),
        row("hazard_ratio", time=12.0),
        row("hazard_ratio", adjusted_for="stage"),
        row("number_needed_to_treat_to_harm"),
        row("number_needed_to_treat_to_harm", statistic="far_limit"),
        chance("hazard_ratio", "below", 1.0),
        chance("hazard_ratio", "below", 0.8),
        chance("hazard_ratio", "above", 1.0),
    ]
    assert len(groups_of([*rows, *rows])) == len(rows)


def test_events_in_reading_order() -> None:
    rows = [
        chance("x", "above", 1.25),
        chance("x", "below", 0.8),
        chance("x", "between", 0.91, 1.1),
        chance("x", "below", 1.0),
        chance("x", "below", 0.9),
    ]
    assert [estimate_label(one) for one in sorted(rows, key=event_order)] == [
        "P(x < 1)",
        "P(x < 0.9)",
        "P(x < 0.8)",
        "P(0.91 < x < 1.1)",
        "P(x > 1.25)",
    ]


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
    ("contrast", "treatment", "comparison"),
    [
        ("experimental / control", True, True),
        ("experimental - control", True, True),
        ("control", True, False),
        ("total", True, False),
        ("stage B / stage C", False, False),
    ],
)
def test_contrasts(contrast: str, treatment: bool, comparison: bool) -> None:
    found = row("hazard_ratio", contrast=contrast)
    assert (is_treatment(found), is_comparison(found)) == (treatment, comparison)


def test_a_contrast_says_what_it_is_adjusted_for() -> None:
    assert contrast_label("experimental - control") == "experimental − control"
    assert contrast_label(RATIO, "stage, AFP") == "experimental / control, adjusted for stage, AFP"


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


def test_covariates_are_called_as_the_paper_calls_them() -> None:
    study = Study.model_validate(
        {
            "title": "A small study",
            "arms": {"control": {"n": "40"}, "experimental": {"n": "40"}},
            "endpoints": {"os": {"label": "Overall survival"}},
            "baseline": {"variables": {"stage": {"label": "Stage", "levels": {"b": {"control": "9", "experimental": "9"}}}}},
            "effects": {
                "one": {"endpoint": "os", "hazard_ratio": "0.7", "ci": ["0.5", "0.98"], "numerator": "B", "denominator": "C"},
                "two": {
                    "endpoint": "os",
                    "label": "AFP, ng/ml (≤ 200 vs. > 200)",
                    "hazard_ratio": "0.8",
                    "ci": ["0.6", "1.07"],
                    "numerator": "low",
                    "denominator": "high",
                },
            },
            "multivariable": {"os": {"covariates": {"stage": {"effect": "one"}, "afp": {"effect": "two"}}}},
        }
    )
    assert covariate_names(study) == {"stage": "Stage", "afp": "AFP"}
    with covariates_called(covariate_names(study)):
        assert adjusted_label("stage, afp, other") == "adjusted for Stage, AFP, other"
    assert adjusted_label("stage, afp") == "adjusted for stage, afp"


def test_priors_whose_key_is_no_name() -> None:
    assert [prior_label(key) for key in ("class_effect_discounted", "robust_historical")] == [
        "discounted class effect",
        "robust historical",
    ]
