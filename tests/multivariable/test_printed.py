"""What a study file prints of a multivariable model: rounding, direction, margins; the smallest violation; the audit of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from multivariable_factory import covariance, ratio, study, tree

from retrial.audit.check import Check, Verdict
from retrial.audit.multivariable import checks
from retrial.errors import DataError
from retrial.multivariable.printed import PrintedModel, printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.smallest import smallest_violation
from retrial.multivariable.statistics import TOLERANCE
from retrial.study.study import Study

B = (-0.6, 0.5, -0.4)
R = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.25], [-0.2, 0.25, 1.0]])
V = covariance(R, (0.30, 0.32, 0.35))


def model(raw: dict[str, Any]) -> PrintedModel:
    return printed_model(Study.model_validate(raw), "os")


@pytest.mark.parametrize("decimals", [2, 3])
def test_every_pair_rounds_to_the_print(decimals: int) -> None:
    found = model(tree(B, V, decimals=decimals))
    half = 0.5 * 10.0**-decimals + 1e-9
    for place in range(3):
        b, s = found.pools[place].T
        shown = ratio(B[place], float(V[place, place] ** 0.5), decimals)
        for sign, text in ((0.0, shown["hazard_ratio"]), (-1.959964, shown["ci"][0]), (1.959964, shown["ci"][1])):
            assert np.abs(np.exp(b + sign * s) - float(text)).max() < half * (1 + 1e-3)


def test_a_ratio_outside_the_middle_of_its_interval_leaves_the_interval() -> None:
    """0.467 (0.340 to 0.945) is no Wald interval: its limits say 0.567."""
    raw = tree(B, V)
    raw["effects"]["arm_adjusted"] |= {"hazard_ratio": "0.467", "ci": ["0.340", "0.945"]}
    assert math.exp(model(raw).centre[0, 0]) == pytest.approx(0.567, abs=1e-3)


def test_a_treatment_printed_control_over_experimental_is_turned() -> None:
    raw = tree(B, V)
    for key in ("arm_adjusted", "arm_alone"):
        raw["effects"][key] |= {"numerator": "control", "denominator": "experimental"}
    turned, plain = model(raw), model(tree(B, V))
    assert turned.centre[0] == pytest.approx(plain.centre[0] * (-1, 1), abs=1e-3)
    assert turned.unadjusted[0].mean() == pytest.approx(-plain.unadjusted[0].mean(), abs=1e-3)


def test_phi_and_share_are_those_of_the_two_by_two_table() -> None:
    raw = tree(B, V)
    levels = {"high": {"control": "20", "experimental": "32"}, "low": {"control": "40", "experimental": "28"}}
    raw["baseline"] = {"variables": {"stage": {"levels": levels}}}
    raw["multivariable"]["os"]["covariates"]["stage"] |= {"baseline": "stage", "levels": ["high"]}
    found = model(raw)
    patients = [(0, 1)] * 20 + [(0, 0)] * 40 + [(1, 1)] * 32 + [(1, 0)] * 28
    assert found.share[1] == pytest.approx(52 / 120)
    assert found.with_treatment[1] == pytest.approx(np.corrcoef(np.array(patients).T)[0, 1])
    assert np.isnan(found.share[2])


def test_yao_prints_these(yao2025: Study) -> None:
    """Table 1: BCLC B 13 of 43 and 13 of 49; Table 3: χ² 6.886; text: 0.470 (0.252 to 0.879)."""
    found = printed_model(yao2025, "os")
    assert (found.names[0], found.treatment, found.events, found.size) == ("regimen", 0, 44.0, 7)
    assert found.test[1] == pytest.approx([math.sqrt(6.8855), math.sqrt(6.8865)])
    assert found.unadjusted_se[0].mean() == pytest.approx(math.log(0.879 / 0.252) / (2 * 1.959964), abs=1e-3)
    assert found.share[1] == pytest.approx(26 / 92)


def test_a_ratio_without_a_precision_is_named() -> None:
    raw = tree(B, V)
    raw["effects"]["stage_adjusted"].pop("ci")
    with pytest.raises(DataError, match=r"effects\.stage_adjusted\.ci: missing"):
        model(raw)
    assert [check.verdict for check in checks(Study.model_validate(raw))] == [Verdict.NOT_CHECKABLE]


def test_tables_of_one_matrix_have_no_violation() -> None:
    asked, distance, implied = smallest_violation(printed_model(study(B, V), "os"))
    assert len(asked) == 7
    assert np.abs(distance).max() < 0.05
    assert implied[0, 0] == pytest.approx((np.linalg.inv(V) @ B)[0] / np.linalg.inv(V)[0, 0], abs=0.01)


def findings(raw: dict[str, Any]) -> list[Check]:
    found = checks(Study.model_validate(raw))
    return [check for check in found if check.verdict in (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)]


def test_a_clean_model_has_no_finding() -> None:
    raw = tree(B, V)
    raw["multivariable"]["os"]["selected_below"] = "0.05"
    assert findings(raw) == []
    found = checks(Study.model_validate(raw))
    assert [check.recomputed for check in found if "events" in check.claim] == ["20.0 events a covariate"]


def test_a_test_that_no_matrix_allows_is_named_with_the_smallest_violation() -> None:
    raw = tree(B, V)
    raw["tests"]["univariable"]["rows"]["marker"]["results"]["os"]["chi_square"] = "400"
    found = findings(raw)
    assert found
    assert found[0].verdict is Verdict.INCONSISTENT
    assert found[-1].path == "multivariable.os.covariates.marker"
    assert "scales away under the nearest positive definite" in found[-1].note


def test_a_univariable_standard_error_above_the_adjusted_one_is_a_finding() -> None:
    raw = tree(B, V)
    raw["effects"]["arm_alone"] = ratio(-0.6, 0.31)
    found = findings(raw)
    assert found[0].path == "multivariable.os.covariates.arm"
    assert found[0].recomputed == "variance inflation 0.94"
    # as wide as the rounding of two decimals allows, it is none
    coarse = tree(B, V, decimals=2)
    coarse["effects"]["arm_alone"] = ratio(-0.6, 0.301, 2)
    assert findings(coarse) == []


def test_covariates_that_the_rule_leaves_out_are_named() -> None:
    raw = tree(B, V)
    raw["multivariable"]["os"]["selected_below"] = "0.05"
    raw["tests"]["univariable"]["rows"]["stage"]["results"]["os"]["p"] = "0.20"
    raw["tests"]["univariable"]["rows"]["sex"] = {"results": {"os": {"p": "0.03"}}}
    assert [check.note for check in findings(raw)] == ["sex left out; stage taken in"]


def test_yao_in_numbers(yao2025: Study) -> None:
    """The regimen's variance inflation is 1.18, every √χ² of Table 3 is within its tolerance, Table 5's interval is too narrow."""
    found = {check.claim: check for check in checks(yao2025)}
    inflation = next(check for claim, check in found.items() if claim.startswith("os, regimen: SE"))
    assert inflation.recomputed == "variance inflation 1.18"
    tests = [check for claim, check in found.items() if "√χ²" in claim]
    assert len(tests) == 8
    assert all(check.verdict is Verdict.CONSISTENT for check in tests)
    narrow = next(check for claim, check in found.items() if claim.startswith("pfs, regimen: SE"))
    assert narrow.verdict is Verdict.CONSISTENT_ONLY_IF


def test_contradictory_tables_are_sampled_all_the_same() -> None:
    raw = tree(B, V)
    raw["tests"]["univariable"]["rows"]["marker"]["results"]["os"]["chi_square"] = "400"
    found = sample(model(raw), MatrixSettings(islands=2, particles=100), 1)
    assert np.isfinite(found.distance).all()
    assert np.median(np.abs(found.distance), axis=0).max() > TOLERANCE
