from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from retrial.errors import DataError
from retrial.frequentist.ratios import contrast_of, effect_estimates, log_ratio, published_effects
from retrial.study.sections import Effect
from retrial.study.study import Study


def effect(**keys: Any) -> Effect:
    return Effect.model_validate(keys)


def test_se_from_the_interval() -> None:
    log = log_ratio(effect(hazard_ratio="0.470", ci=["0.252", "0.879"], p="0.018", where="Results"), "os")
    assert log.estimate == pytest.approx(math.log(0.47), abs=1e-12)
    assert log.se == pytest.approx(math.log(0.879 / 0.252) / (2 * norm.ppf(0.975)), abs=1e-12)
    assert log.p == pytest.approx(2 * norm.sf(abs(log.estimate) / log.se), abs=1e-12)
    assert log.p == pytest.approx(0.018, abs=5.1e-4)
    assert (log.level, log.measure, log.contrast) == (0.95, "hazard_ratio", "experimental / control")
    assert log.source == "Results, os; SE from the printed interval"


def test_level_of_the_interval_counts() -> None:
    log = log_ratio(effect(hazard_ratio="0.700", ci=["0.500", "0.980"], level=0.9))
    assert log.se == pytest.approx(math.log(0.98 / 0.5) / (2 * norm.ppf(0.95)), abs=1e-12)
    lower, upper = log.limits()
    assert upper - lower == pytest.approx(math.log(0.98 / 0.5), abs=1e-12)


def test_se_from_p_gives_that_p_back() -> None:
    log = log_ratio(effect(odds_ratio="2.5", p="0.031"))
    assert log.p == pytest.approx(0.031, abs=1e-10)
    assert "SE from the printed p" in log.source


def test_control_over_experimental_is_inverted_and_says_so() -> None:
    printed = {"hazard_ratio": "2.128", "ci": ["1.138", "3.968"], "p": "0.018"}
    log = log_ratio(effect(numerator="control", denominator="experimental", **printed))
    plain = log_ratio(effect(**printed))
    assert log.estimate == pytest.approx(-plain.estimate)
    assert log.se == pytest.approx(plain.se)
    assert log.contrast == "experimental / control"
    assert "inverted" in log.source
    assert "inverted" not in plain.source


def test_covariates_keep_their_direction() -> None:
    log = log_ratio(
        effect(numerator="BCLC B", denominator="BCLC C", adjusted_for=["afp", "age"], hazard_ratio="0.366", ci=["0.143", "0.934"])
    )
    assert (log.contrast, log.adjusted_for) == ("BCLC B / BCLC C", "afp, age")
    assert log.estimate < 0


@settings(derandomize=True, max_examples=200)
@given(st.floats(-2, 2), st.floats(0.02, 1.5))
def test_wald_from_a_rounded_interval_is_near_the_truth(estimate: float, se: float) -> None:
    z = norm.ppf(0.975)
    texts = [f"{math.exp(value):.6f}" for value in (estimate, estimate - z * se, estimate + z * se)]
    log = log_ratio(effect(hazard_ratio=texts[0], ci=texts[1:]))
    assert log.estimate == pytest.approx(estimate, abs=1e-4)
    assert log.se == pytest.approx(se, abs=1e-3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hazard_ratio": "0.5"}, r"effects\.os: got neither ci nor se nor p"),
        ({"hazard_ratio": "0.5", "p": "<0.001"}, r"effects\.os\.p: got <0\.001 and no ci"),
        ({"hazard_ratio": "0.5", "p": "0.000"}, r"effects\.os\.p: got 0\.000 and no ci"),
        ({"hazard_ratio": "0.5", "p": "1.000"}, r"effects\.os\.p: got 1\.000 and no ci"),
        ({"hazard_ratio": "1.00", "p": "0.5"}, r"effects\.os\.hazard_ratio: got 1\.00 and no ci; .*0\.995 to 1\.005"),
    ],
)
def test_no_se_names_the_key(keys: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        log_ratio(effect(**keys), "os")


@pytest.fixture(scope="module")
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(
        endpoints={"os": {"label": "overall survival"}},
        effects={
            "os_unadjusted": {
                "endpoint": "os",
                "where": "Results",
                "hazard_ratio": "0.470",
                "ci": ["0.252", "0.879"],
                "p": "0.018",
            },
            "os_adjusted": {
                "endpoint": "os",
                "label": "Regimen (control vs. experimental)",
                "where": "Table 4",
                "label_direction": "reversed",
                "adjusted_for": ["bclc"],
                "hazard_ratio": "0.567",
                "ci": ["0.288", "1.117"],
            },
            "backwards": {
                "numerator": "control",
                "denominator": "experimental",
                "odds_ratio": "2",
                "ci": ["1", "4"],
                "p": "<0.05",
            },
            "bare": {"risk_ratio": "0.8"},
        },
    )


def test_rows_of_a_study(study: Study) -> None:
    rows = effect_estimates(study)
    first = {(row.quantity, row.method): row for row in rows if row.endpoint == "os" and not row.adjusted_for}
    published = first["hazard_ratio", "published"]
    assert (published.point, published.lower, published.upper, published.level) == (0.47, 0.252, 0.879, 0.95)
    assert (published.printed, published.path) == ("0.470 (0.252 to 0.879)", "effects.os_unadjusted")
    assert first["p_value", "published"].point == 0.018
    assert first["p_value", "frequentist"].point == pytest.approx(0.01784, abs=1e-5)
    log = first["log_hazard_ratio", "frequentist"]
    assert (log.point, log.sd) == pytest.approx((-0.755023, 0.318719), abs=1e-6)
    assert log.model == "wald"


def test_rows_of_an_adjusted_effect_name_the_adjustment_and_the_label(study: Study) -> None:
    rows = [row for row in effect_estimates(study) if row.adjusted_for]
    assert {(row.contrast, row.adjusted_for) for row in rows} == {("experimental / control", "bclc")}
    assert all("opposite direction" in row.source for row in rows)


def test_inverted_published_rows(study: Study) -> None:
    row = next(row for row in published_effects(study) if row.quantity == "odds_ratio")
    assert (row.endpoint, row.contrast) == ("backwards", "experimental / control")
    assert (row.point, row.lower, row.upper) == (0.5, 0.25, 1.0)
    assert "inverted" in row.source


def test_an_effect_without_se_is_published_and_failed(study: Study) -> None:
    rows = [row for row in effect_estimates(study) if row.endpoint == "bare"]
    assert [row.status for row in rows if row.method == "published"] == ["ok"]
    failed = [row for row in rows if row.method == "frequentist"]
    assert len(failed) == 2
    assert all("effects.bare: got neither ci nor se nor p" in row.status for row in failed)


def test_contrast_of_a_plain_effect() -> None:
    assert contrast_of(effect(numerator="control", denominator="experimental", hazard_ratio="2")) == "experimental / control"
