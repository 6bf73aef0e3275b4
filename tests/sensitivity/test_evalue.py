from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.errors import DataError
from retrial.sensitivity.evalue import as_risk_ratio, e_value, e_value_estimates, e_values
from retrial.study.study import Study

ratios = st.floats(0.01, 100)


def study_with(effects: dict[str, Any], **sections: Any) -> Study:
    arms = {"control": {"n": "49"}, "experimental": {"n": "43"}}
    return Study.model_validate({"title": "a study", "arms": arms, "effects": effects, **sections})


def test_smoking_and_lung_cancer_as_published() -> None:
    # VanderWeele and Ding 2017, Ann Intern Med 167:268 (Hammond and Horn 1958), as the EValue package prints it.
    values = e_values(10.73, 8.02, 14.36, "risk_ratio")
    assert (values.point, values.limit) == pytest.approx((20.948, 15.523), abs=5.1e-4)


def test_breast_feeding_and_leukaemia_as_published() -> None:
    # The same article: RR 0.80 (0.71, 0.91) has E-values 1.8 and 1.4.
    values = e_values(0.80, 0.71, 0.91)
    assert (values.point, values.limit) == pytest.approx((1.81, 1.43), abs=5.1e-3)


def test_common_odds_ratio_as_the_package_tests_it() -> None:
    # EValue's own tests: a common odds ratio of 5 has RR sqrt(5).
    assert e_values(5, measure="odds_ratio").point == pytest.approx(
        math.sqrt(5) + math.sqrt(math.sqrt(5) * (math.sqrt(5) - 1)), abs=1e-12
    )
    assert e_values(5, measure="odds_ratio", common=False).point == pytest.approx(5 + math.sqrt(20), abs=1e-12)


def test_hazard_ratio_conversion_is_its_formula() -> None:
    hr = 0.56
    expected = (1 - 0.5 ** math.sqrt(hr)) / (1 - 0.5 ** math.sqrt(1 / hr))
    assert as_risk_ratio(hr, "hazard_ratio", common=True) == pytest.approx(expected, abs=1e-12)
    assert as_risk_ratio(hr, "hazard_ratio", common=False) == hr


@settings(derandomize=True, max_examples=200)
@given(ratios, st.sampled_from(["risk_ratio", "odds_ratio", "hazard_ratio"]), st.booleans())
def test_inverting_a_ratio_inverts_its_risk_ratio_and_keeps_its_e_value(ratio: float, measure: Any, common: bool) -> None:
    one, other = as_risk_ratio(ratio, measure, common), as_risk_ratio(1 / ratio, measure, common)
    assert one * other == pytest.approx(1, rel=1e-9)
    assert e_value(one) == pytest.approx(e_value(other), rel=1e-6, abs=1e-6)
    assert e_value(one) >= max(one, 1 / one)
    assert abs(math.log(one)) <= abs(math.log(ratio)) + 1e-12  # a conversion never makes an effect larger


@settings(derandomize=True, max_examples=200)
@given(ratios)
def test_confounding_of_the_e_values_size_explains_the_ratio(ratio: float) -> None:
    # Ding and VanderWeele's bounding factor, with both associations at E: E E / (E + E - 1).
    e = e_value(ratio)
    assert e * e / (2 * e - 1) == pytest.approx(max(ratio, 1 / ratio), rel=1e-8)


def test_limits() -> None:
    assert e_values(0.8, 0.6, 1.1).limit == 1
    assert math.isnan(e_values(0.8).limit)
    assert e_values(2, 1.5, 3).limit == pytest.approx(e_value(1.5))
    assert e_values(0.5, 0.3, 0.7).limit == pytest.approx(e_value(0.7))
    assert e_values(1.0, 0.8, 1.2).point == 1


@pytest.mark.parametrize("bad", [(0.0,), (-1.0,), (math.inf,), (math.nan,), (2.0, 3.0, 1.5), (2.0, -1.0, -0.5)])
def test_impossible_ratios_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="allowed is"):
        e_values(*bad)
    if len(bad) == 1:
        with pytest.raises(DataError, match="above 0"):
            e_value(bad[0])


EFFECTS: dict[str, Any] = {
    "os_unadjusted": {"endpoint": "os", "where": "Results", "hazard_ratio": "0.470", "ci": ["0.252", "0.879"]},
    "os_adjusted": {"endpoint": "os", "adjusted_for": ["age"], "hazard_ratio": "0.567", "ci": ["0.288", "1.117"]},
    "covariate": {"endpoint": "os", "numerator": "old", "denominator": "young", "hazard_ratio": "2", "ci": ["1.5", "3"]},
    "backwards": {
        "endpoint": "rare",
        "numerator": "control",
        "denominator": "experimental",
        "hazard_ratio": "2",
        "ci": ["1.6", "2.5"],
    },
    "bare": {"endpoint": "unknown", "odds_ratio": "0.5"},
    "by_p": {"endpoint": "unknown", "risk_ratio": "0.5", "p": "0.01"},
}
ENDPOINTS: dict[str, Any] = {
    "os": {"events": {"total": "44"}},
    "rare": {"events": {"control": "3", "experimental": "2"}},
    "unknown": {},
}


def test_rows_of_treatment_effects() -> None:
    rows = e_value_estimates(study_with(EFFECTS, endpoints=ENDPOINTS))
    by_key = {(row.endpoint, row.adjusted_for, row.quantity): row for row in rows if row.unit == "ratio"}
    assert {row.contrast for row in rows} == {"experimental / control"}
    hr = as_risk_ratio(0.47, "hazard_ratio", True)
    assert by_key["os", "", "e_value"].point == pytest.approx(e_value(hr), abs=1e-10)
    limit = by_key["os", "", "e_value_of_confidence_limit"]
    assert limit.point == pytest.approx(e_value(as_risk_ratio(0.879, "hazard_ratio", True)), abs=1e-10)
    assert by_key["os", "age", "e_value_of_confidence_limit"].point == 1
    assert limit.source.startswith("Results, os unadjusted; ")
    assert "common outcome" in limit.source


def test_rare_outcomes_and_inverted_effects() -> None:
    rows = [row for row in e_value_estimates(study_with(EFFECTS, endpoints=ENDPOINTS)) if row.endpoint == "rare"]
    assert [row.point for row in rows] == pytest.approx([e_value(2), e_value(1.6)], abs=1e-10)
    assert all("rare outcome" in row.source and "inverted" in row.source for row in rows)
    common = [row for row in e_value_estimates(study_with(EFFECTS, endpoints=ENDPOINTS), common=True) if row.endpoint == "rare"]
    assert common[0].point < rows[0].point


def test_unknown_frequency_is_taken_as_common() -> None:
    rows = [row for row in e_value_estimates(study_with(EFFECTS, endpoints=ENDPOINTS)) if row.endpoint == "unknown"]
    bare = [row for row in rows if "bare" in row.source]
    assert [row.quantity for row in bare] == ["e_value"]
    assert bare[0].point == pytest.approx(e_value(math.sqrt(0.5)), abs=1e-10)
    assert "taken as common" in bare[0].source
    by_p = [row for row in rows if "by p" in row.source]
    assert len(by_p) == 2
    assert 1 < by_p[1].point < by_p[0].point
