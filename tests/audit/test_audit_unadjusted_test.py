"""A log-rank test, or a lone p, against the interval of the hazard ratio that compares the same patients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from audit_factory import effect, only, study
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.check import Consequence, Verdict
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios import unadjusted_test
from retrial.audit.run import apply_decisions, run_audit
from retrial.pipeline.tables import refused
from retrial.study.reported import Quantity, Reported
from retrial.study.study import Study
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import RatioReading, TestReading
from retrial.tables.printed.statistics import Table

LOG_RANK = "endpoints.os.test"
LIKELIHOOD = (TestReading.LIKELIHOOD_RATIO_BRESLOW,)
UNTIED = (TestReading.LOG_RANK, TestReading.SCORE_BRESLOW, TestReading.LIKELIHOOD_RATIO_BRESLOW, TestReading.WALD_BRESLOW)


def number(text: str) -> Reported:
    return Quantity.parse(text).first


def made(test: dict[str, Any] | None, **more: Any) -> Study:
    endpoint = {"events": {"control": "25", "experimental": "20"}, "longest": "30", "median": {"control": {"value": "9"}}}
    item = effect("0.60", "0.33", "1.08", endpoint="os", **more)
    return study(endpoints={"os": endpoint | ({"test": test} if test else {})}, effects={"e": item})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.floats(0.15, 1.5), st.floats(0, 0.7))
def test_no_test_of_the_same_untied_patients_is_outside(seed: int, n: int, ratio: float, censored: float) -> None:
    """The bound is a theorem (`ratios.z_of_other_tests`): distinct times, any censoring, any sizes."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 3 == 0
    order = np.argsort(rng.exponential(1 / np.where(arm, ratio, 1.0)))
    dies = rng.random(n) >= censored
    counts = np.zeros((2, 2, n), int)
    counts[dies.astype(int), arm[order].astype(int), np.arange(n)] = 1
    table = Table(np.arange(1.0, n + 1), counts[1], counts[0])
    found = table.hazard_ratio(RatioReading.COX_BRESLOW)
    if not (math.isfinite(found.se) and 0.01 < found.hazard_ratio < 100):
        return
    printed = [number(f"{value:.9f}") for value in (found.hazard_ratio, found.lower, found.upper)]
    bound = ratios.z_of_other_tests(ratios.Ratio(*printed), int(dies.sum()))
    for reading in UNTIED:
        z, possible = math.sqrt(table.chi_square(reading)), bound.every if reading in LIKELIHOOD else bound.score
        assert possible.low - 1e-5 <= z <= possible.high + 1e-5


def test_closed_form() -> None:
    """b = ln 2, SE 0.25: 2 tanh(b/2) / SE = 8/3 and 2 sinh(b/2) / SE = 4/√2; likelihood ratio 4 √(2 (b - 1/2)) to 4 √(2 (1 - b))."""
    limits = [math.exp(math.log(2) + sign * float(stats.norm.isf(0.025)) * 0.25) for sign in (-1, 1)]
    exact = ratios.Ratio(*(number(f"{value:.12f}") for value in (2.0, *limits)))
    found = ratios.z_of_other_tests(exact)
    assert found.score == pytest.approx((8 / 3, 4 / math.sqrt(2)), abs=1e-8)
    assert found.every == pytest.approx((4 * math.sqrt(2 * (math.log(2) - 0.5)), 4 * math.sqrt(2 * (1 - math.log(2)))), abs=1e-7)
    assert ratios.z_of_other_tests(exact, 64).every.high == pytest.approx(4 / math.sqrt(2), abs=1e-8)  # I(u) <= 64/4 = 1/SE²


def test_a_lone_p_that_no_test_gives_is_left_out_and_named() -> None:
    """z 1.69 by the interval; another test 1.51 to 1.77 with rounding and 45 events; p 0.001 is 3.29."""
    contradicting = made({"p": "0.001"})
    checks = run_audit(contradicting)
    check = only(checks, LOG_RANK, "ratio_ci_p")
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.EXCLUDED)
    assert check.recomputed.startswith("|z| 1.51 to 1.77")
    used = apply_decisions(contradicting, checks)
    assert used.endpoints["os"].test is None
    assert targets_from_study(used, "os").find("p") is None
    (said,) = refused(contradicting, checks)["os"]
    assert said.startswith("endpoints.os.test excluded: |z| of the test is 3.17 to 3.48, of the interval 1.69")


def test_an_effects_own_p_too_where_it_would_be_the_test() -> None:
    contradicting = made(None, p="0.001")
    checks = run_audit(contradicting)
    assert only(checks, "effects.e.p").consequence is Consequence.EXCLUDED
    used = apply_decisions(contradicting, checks)
    assert used.effects["e"].p is None
    assert used.effects["e"].hazard_ratio is not None
    assert [text.split(":")[0] for text in refused(contradicting, checks)["os"]] == ["effects.e.p excluded"]
    assert only(run_audit(made({"chi_square": "2.8"}, p="0.001")), "effects.e.p").decision is None
    assert only(run_audit(made(None, p="0.001", adjusted_for=["age"])), "effects.e.p").decision is None


def test_a_printed_chi_square_stays_for_the_life_tables_to_judge() -> None:
    contradicting = made({"chi_square": "10.83", "p": "0.001"})
    check = only(run_audit(contradicting), LOG_RANK, "ratio_ci_p")
    assert (check.verdict, check.consequence, check.decision) == (Verdict.INCONSISTENT, Consequence.AS_PRINTED, None)
    assert targets_from_study(apply_decisions(contradicting, [check]), "os").find("chi_square") is not None


@pytest.mark.parametrize("test", [{"p": "0.09"}, {"p": "<0.10"}, {"chi_square": "3.9"}, {"chi_square": "2.2", "p": "0.138"}])
def test_tests_that_may_differ_by_ties_agree(test: dict[str, str]) -> None:
    assert only(run_audit(made(test)), LOG_RANK, "ratio_ci_p").verdict is Verdict.CONSISTENT


def test_yao_prints_tests_that_belong_to_its_ratios(yao2025: Study) -> None:
    found = list(unadjusted_test.checks(yao2025))
    assert [(check.path, check.verdict) for check in found] == [
        ("endpoints.os.test", Verdict.CONSISTENT),
        ("endpoints.pfs.test", Verdict.CONSISTENT),
    ]
