"""What a study file prints of a multivariable model: rounding, direction, margins; the smallest violation; the audit of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from multivariable_factory import NAMES, alone, covariance, ratio, study, tree

from retrial.audit.check import Check, Verdict
from retrial.audit.multivariable import checks
from retrial.errors import DataError
from retrial.multivariable.contradiction import contradictions
from retrial.multivariable.posterior import posterior
from retrial.multivariable.printed import PrintedModel, printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.smallest import smallest_violation
from retrial.multivariable.statistics import TOLERANCE, Statistic
from retrial.study.study import Study

B = (-0.6, 0.5, -0.4)
R = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.25], [-0.2, 0.25, 1.0]])
V = covariance(R, (0.30, 0.32, 0.35))
MARKER = {"numerator": "marker high", "denominator": "marker low"}


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
    found = smallest_violation(printed_model(study(B, V), "os"))
    # seven beside a matrix, three beside the events, and the arm's standard errors and its test beside its own ratio
    assert len(found) == 12
    assert max(abs(one.scales) for one in found) < 0.05
    ratio_of_arm = next(one for one in found if one.item == Statistic("ratio", 0))
    assert ratio_of_arm.nearest == pytest.approx((np.linalg.inv(V) @ B)[0] / np.linalg.inv(V)[0, 0], abs=0.01)
    assert contradictions(printed_model(study(B, V), "os")).status == "ok"


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
    assert [(check.verdict, check.path) for check in found] == [(Verdict.INCONSISTENT, "multivariable.os.covariates.marker")]
    assert "√χ² of the univariable test 20 " in found[0].claim
    assert "tests.univariable.rows.marker.results.os.chi_square: √χ² of the univariable test of marker 20" in found[0].note


WRONG = {
    "a test": ("tests.univariable.rows.marker.results.os.chi_square", "400"),
    "a test that ought to be large": ("tests.univariable.rows.stage.results.os.chi_square", "0.001"),
    "a univariable ratio": ("effects.arm_alone", ratio(0.9, 0.285)),
    "a test beside its ratio": ("tests.univariable.rows.arm.results.os.chi_square", "30"),
    "an adjusted standard error": ("effects.arm_adjusted", ratio(B[0], 0.20)),
    "a standard error below what the events allow": ("effects.marker_adjusted", {**ratio(B[2], 0.05), **MARKER}),
}


@pytest.mark.parametrize("what", WRONG)
def test_audit_and_fit_name_the_same_numbers(what: str) -> None:
    """One judge: what the audit finds inconsistent is what fails the fit, under the same key, and it is the number that was changed."""
    raw, (path, value) = tree(B, V), WRONG[what]
    at = raw
    for part in path.split(".")[:-1]:
        at = at[part]
    at[path.split(".")[-1]] = value
    status = contradictions(model(raw)).status
    assert status.startswith("failed: the printed tables contradict each other")
    assert path in status
    notes = " ".join(check.note for check in findings(raw))
    named = {one.item.covariate for one in contradictions(model(raw)).named}
    assert named == {NAMES.index(path.replace(".", "_").split("_")[3] if path.startswith("tests") else path[8:].split("_")[0])}
    assert path in notes or "adjustment cannot narrow" in notes


def test_a_small_contradiction_is_said_and_no_interval_is_narrower_than_printed() -> None:
    """Adjusted 2 % narrower than unadjusted: limits move by 0.04 standard errors; the unadjusted answer keeps the printed width."""
    raw = tree(B, V)
    error = float(V[0, 0] ** 0.5) * 1.02
    raw["effects"]["arm_alone"] = ratio(alone(np.array(B), V, 0)[0], error)
    printed = model(raw)
    judged = contradictions(printed)
    assert judged.status == "ok"
    assert "contradict each other by little: effects.arm_alone.ci" in judged.note
    found = sample(printed, MatrixSettings(islands=2, particles=200), 1)
    flat = posterior(found, np.zeros(found.b.shape), np.full(found.b.shape, np.inf))
    assert flat.subset(0, ()).std() >= error * 0.999


def test_patients_behind_a_study_are_hardly_ever_called_contradictory() -> None:
    """Of 25 models with three to five random matrices, whose numbers are exact, none is named."""
    random = np.random.default_rng(3)
    for _ in range(25):
        size = int(random.integers(2, 5))
        root = random.normal(size=(size, size + 3))
        spread = root @ root.T
        correlation = spread / np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
        v = covariance(correlation, random.uniform(0.28, 0.4, size))
        # the events that the information needs, twice
        events = int(8 * np.diag(np.linalg.inv(v)).max())
        assert contradictions(model(tree(random.normal(0, 0.5, size), v, events))).named == ()


def test_a_univariable_standard_error_above_the_adjusted_one_is_a_finding() -> None:
    raw = tree(B, V)
    raw["effects"]["arm_alone"] = ratio(-0.6, 0.31)
    found = findings(raw)
    assert found[0].path == "multivariable.os.covariates.arm"
    assert found[0].recomputed == "ratio of variances 0.94"
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
    assert inflation.recomputed == "ratio of variances 1.18"
    tests = [check for claim, check in found.items() if "√χ²" in claim]
    assert len(tests) == 10
    assert all(check.verdict is Verdict.CONSISTENT for check in tests)
    narrow = next(check for claim, check in found.items() if claim.startswith("pfs, regimen: SE"))
    assert narrow.verdict is Verdict.CONSISTENT_ONLY_IF
    # 2 % of a standard error: said, and no reason to fail
    judged = contradictions(printed_model(yao2025, "pfs"))
    assert judged.status == "ok"
    assert "effects.pfs_unadjusted.ci: SE of the univariable log ratio of regimen 0.267" in judged.note
    assert contradictions(printed_model(yao2025, "os")).named == ()


def test_contradictory_tables_are_sampled_all_the_same() -> None:
    raw = tree(B, V)
    raw["tests"]["univariable"]["rows"]["marker"]["results"]["os"]["chi_square"] = "400"
    found = sample(model(raw), MatrixSettings(islands=2, particles=100), 1)
    assert np.isfinite(found.distance).all()
    assert np.median(np.abs(found.distance), axis=0).max() > TOLERANCE
