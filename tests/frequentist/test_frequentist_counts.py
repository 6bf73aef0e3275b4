from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from retrial.errors import DataError
from retrial.estimate import Estimate, to_frame
from retrial.frequentist.counts import benefit_sign, count_estimates, outcome_key, published_counts, table_estimates
from retrial.frequentist.two_by_two import TwoByTwo
from retrial.study.study import Study

RESPONSE: dict[str, Any] = {
    "where": "Table 2",
    "categories": {
        "CR": {"control": "3", "experimental": "4", "p": "0.702"},
        "PR": {"control": "14", "experimental": "20"},
        "SD": {"control": "12", "experimental": "9"},
        "PD": {"control": "20", "experimental": "10"},
    },
    "composites": {
        "ORR": {
            "of": ["CR", "PR"],
            "control": {"n": "17", "percent": "34.7"},
            "experimental": {"n": "24", "percent": {"Table 2": "55.8", "Abstract": "55.8"}},
            "total": {"n": "41", "percent": "44.6"},
            "chi_square": "4.135",
            "p": {"Table 2": "0.042", "Abstract": "0.042"},
        },
        "SDPD": {"of": ["PD", "SD"], "control": "32", "experimental": "19"},
    },
}
SAFETY: dict[str, Any] = {
    "where": "Table 6",
    "terms": {
        "rash": {
            "label": "Rash",
            "grades": {
                "3-4": {"control": "0", "experimental": "0"},
                "any": {"control": "6", "experimental": "10", "p": "<0.200"},
            },
        },
        "fever": {"grades": {"any": {"control": "0", "experimental": "2"}}},
    },
}
BINARY: dict[str, Any] = {
    "cure": {"control": "10", "experimental": "20"},
    "death": {"control": "10", "experimental": "20", "good": False, "where": "Table 9"},
}


@pytest.fixture(scope="module")
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(response=RESPONSE, adverse_events=SAFETY, binary=BINARY)


@pytest.fixture(scope="module")
def rows(study: Study) -> list[Estimate]:
    return count_estimates(study)


def pick(rows: Iterable[Estimate], endpoint: str, quantity: str, model: str = "", contrast: str = "") -> Estimate:
    found = [
        row
        for row in rows
        if row.endpoint == endpoint
        and row.quantity == quantity
        and (not model or row.model == model)
        and (not contrast or row.contrast == contrast)
    ]
    assert len(found) == 1, found
    return found[0]


def test_names_of_outcomes() -> None:
    assert outcome_key("response.categories.CR") == "CR"
    assert outcome_key("response.composites.ORR") == "ORR"
    assert outcome_key("binary.cure") == "cure"
    assert outcome_key("adverse_events.terms.rash.grades.3-4") == "adverse_events.rash.3-4"


def test_every_count_row_is_compared(study: Study, rows: list[Estimate]) -> None:
    assert {row.endpoint for row in rows} == {outcome_key(path) for path in study.count_rows()}
    assert {row.method for row in rows} == {"frequentist"}
    assert len(to_frame(rows)) == len(rows)


def test_tests_reproduce_what_the_paper_prints(rows: list[Estimate]) -> None:
    # Yao et al. 2025, Table 2: ORR chi-square 4.135, p 0.042 (Pearson); CR p 0.702 (Fisher).
    assert pick(rows, "ORR", "chi_square").point == pytest.approx(4.135, abs=5.1e-4)
    assert pick(rows, "ORR", "p_value", "pearson_chi_square").point == pytest.approx(0.042, abs=5.1e-4)
    assert pick(rows, "CR", "p_value", "fisher_exact").point == pytest.approx(0.702, abs=5.1e-4)


def test_proportions_and_difference(rows: list[Estimate]) -> None:
    control = pick(rows, "ORR", "proportion", "wilson", "control")
    assert control.point == pytest.approx(17 / 49)
    assert (control.level, control.interval_kind, control.unit) == (0.95, "confidence", "probability")
    assert "Table 2" in control.source
    assert "17 of 49" in control.source
    difference = pick(rows, "ORR", "risk_difference", "newcombe", "experimental - control")
    assert difference.point == pytest.approx(24 / 43 - 17 / 49)
    assert difference.lower < difference.point < difference.upper


def test_direction_of_benefit(study: Study) -> None:
    signs = {outcome_key(path): benefit_sign(study, path) for path in study.count_rows()}
    assert signs == {
        "CR": 1,
        "PR": 0,
        "SD": 0,
        "PD": -1,
        "ORR": 1,
        "SDPD": -1,
        "cure": 1,
        "death": -1,
        "adverse_events.rash.3-4": -1,
        "adverse_events.rash.any": -1,
        "adverse_events.fever.any": -1,
    }


def test_numbers_needed_follow_the_risk_difference(rows: list[Estimate]) -> None:
    orr = pick(rows, "ORR", "number_needed_to_treat_to_benefit")
    difference = pick(rows, "ORR", "risk_difference")
    assert (orr.point, orr.lower, orr.upper) == pytest.approx((1 / difference.point, 1 / difference.upper, 1 / difference.lower))
    assert not [row for row in rows if row.endpoint == "ORR" and row.quantity.endswith("to_harm")]
    assert not [row for row in rows if row.endpoint == "SD" and row.quantity.startswith("number_needed")]
    harm = pick(rows, "death", "number_needed_to_treat_to_harm")
    good = pick(rows, "cure", "number_needed_to_treat_to_benefit")
    assert (harm.point, harm.lower, harm.upper) == pytest.approx((good.point, good.lower, good.upper))


def test_a_number_needed_through_infinity_is_two_rows(rows: list[Estimate]) -> None:
    difference = pick(rows, "PD", "risk_difference")
    benefit = pick(rows, "PD", "number_needed_to_treat_to_benefit")
    limit = pick(rows, "PD", "number_needed_to_treat_to_harm")
    assert limit.statistic == "far_limit"
    assert (benefit.point, benefit.lower, benefit.upper) == pytest.approx(
        (-1 / difference.point, -1 / difference.lower, math.inf)
    )
    # no row without a number: the other side is the limit alone
    assert limit.point == pytest.approx(1 / difference.upper)
    assert limit.interval_kind == "none"
    harms = [row for row in rows if row.endpoint == "PD" and row.quantity == "number_needed_to_treat_to_harm"]
    assert [row.statistic for row in harms] == ["far_limit"]
    assert "NNTB 2.9 to infinity to NNTH 60.9" in benefit.source


def test_zero_cells_say_what_was_done(rows: list[Estimate]) -> None:
    none = "adverse_events.rash.3-4"
    for quantity in ("risk_ratio", "odds_ratio", "chi_square"):
        row = pick(rows, none, quantity)
        assert row.status == "failed: no events in either arm"
        assert math.isnan(row.point)
    assert pick(rows, none, "p_value", "fisher_exact").point == 1
    assert pick(rows, none, "risk_difference").point == 0
    corrected = pick(rows, "adverse_events.fever.any", "odds_ratio")
    assert corrected.model == "woolf_haldane"
    assert "0.5 added" in corrected.source


def test_published_rows(study: Study) -> None:
    printed = published_counts(study)
    assert {row.method for row in printed} == {"published"}
    orr = pick(printed, "ORR", "proportion", contrast="experimental")
    assert orr.point == pytest.approx(0.558)
    assert (orr.source, orr.printed, orr.converted) == ("Table 2, ORR", "55.8", "from percent")
    assert orr.path == "response.composites.ORR.experimental"
    assert pick(printed, "ORR", "proportion", contrast="total").point == pytest.approx(0.446)
    assert pick(printed, "ORR", "p_value").point == 0.042
    assert pick(printed, "ORR", "chi_square").point == 4.135
    rash = pick(printed, "adverse_events.rash.any", "p_value")
    assert (rash.point, rash.source, rash.printed) == (0.2, "Table 6, Rash, any", "<0.200")


def test_level_is_passed_on() -> None:
    wide, narrow = (table_estimates(TwoByTwo(17, 49, 24, 43), "ORR", level=level) for level in (0.95, 0.8))
    for one, other in zip(wide, narrow, strict=True):
        assert one.point == other.point
        if one.interval_kind == "confidence":
            assert one.lower < other.lower < other.upper < one.upper
            assert other.level == 0.8


def test_missing_or_impossible_arm_sizes_are_named(study: Study) -> None:
    rows = study.model_copy(update={"arms": Study.model_validate({"title": "t", "arms": {"control": {"n": "49"}}}).arms})
    with pytest.raises(DataError, match=r"arms\.experimental\.n: missing"):
        count_estimates(rows)
    small = study.model_copy(
        update={"arms": Study.model_validate({"title": "t", "arms": {"control": {"n": "2"}, "experimental": {"n": "43"}}}).arms}
    )
    with pytest.raises(DataError, match=r"response\.categories\.CR\.control: got 3 of 2 patients"):
        count_estimates(small)


def test_a_study_without_counts_has_no_rows(make_study: Callable[..., Study]) -> None:
    assert count_estimates(make_study()) == []
    assert published_counts(make_study()) == []
