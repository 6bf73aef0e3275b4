"""What a reader is told: signs that are not printed, inflations that the print does not tell, inversions, corrections, the events, units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from multivariable_factory import alone, covariance, ratio, tree

from retrial.audit.check import Verdict
from retrial.audit.multivariable import checks
from retrial.audit.run import audited
from retrial.errors import DataError, StudyError
from retrial.multivariable import statistics
from retrial.multivariable.carried import largest_inflation
from retrial.multivariable.contradiction import contradictions
from retrial.multivariable.events import split_standard_error
from retrial.multivariable.posterior import posterior
from retrial.multivariable.printed import MOST, PrintedModel, printed_model
from retrial.multivariable.sampler import MatrixSettings, sample, signs_of
from retrial.multivariable.summary import doubtful, inverted, notes_of, rests_on_prior
from retrial.study.loader import load_study
from retrial.study.study import Study

B = (-0.6, 0.5, -0.4)
R = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.25], [-0.2, 0.25, 1.0]])
V = covariance(R, (0.30, 0.32, 0.35))
SETTINGS = MatrixSettings(islands=2, particles=400)


def model(raw: dict[str, Any]) -> PrintedModel:
    return printed_model(Study.model_validate(raw), "os")


def flat(raw: dict[str, Any]) -> Any:
    found = sample(model(raw), SETTINGS, 1)
    return posterior(found, np.zeros(found.b.shape), np.full(found.b.shape, np.inf))


def turned() -> tuple[dict[str, Any], float]:
    """A treatment whose univariable ratio, above 1, only a test prints, and whose adjusted one is below 1; and that log ratio."""
    r = np.array([[1.0, -0.55, -0.5], [-0.55, 1.0, 0.2], [-0.5, 0.2, 1.0]])
    v = covariance(r, (0.30, 0.32, 0.35))
    b = (-0.25, 1.1, 1.0)
    return tree(b, v, events=80, ratios=()), alone(np.array(b), v, 0)[0]


def test_a_sign_that_is_not_printed_is_not_guessed() -> None:
    raw, truth = turned()
    assert truth > 0.3
    assert signs_of(model(raw), SETTINGS, 1) == (-1, 1)
    found = flat(raw)
    unadjusted = found.subset(0, ())
    assert float(unadjusted.cdf(0.0)) == pytest.approx(0.5, abs=0.06)
    low, high = unadjusted.ppf(np.array([0.05, 0.95]))
    assert low < -truth * 0.8
    assert high > truth * 0.8
    # each sign by itself is what the size of the test says
    assert found.of_sign(1).subset(0, ()).ppf(np.array(0.5)) == pytest.approx(truth, rel=0.15)


def test_the_study_file_can_say_the_sign() -> None:
    raw, truth = turned()
    raw["multivariable"]["os"]["covariates"]["arm"]["side"] = "above"
    assert signs_of(model(raw), SETTINGS, 1) == (0,)
    found = flat(raw).subset(0, ())
    assert float(found.cdf(0.0)) < 0.1
    assert found.ppf(np.array(0.5)) == pytest.approx(truth, rel=0.15)


def test_a_printed_ratio_has_its_sign() -> None:
    assert signs_of(model(tree(B, V)), SETTINGS, 1) == (0,)


def collinear(ratios: tuple[int, ...]) -> tuple[PrintedModel, float]:
    """Two groups of patients that are nearly the same one, and the inflation of each."""
    r = np.array([[1.0, 0.1, 0.1], [0.1, 1.0, -0.8], [0.1, -0.8, 1.0]])
    v = covariance(r, (0.2, 0.4, 0.42))
    return model(tree((-0.4, 0.2, 0.25), v, events=160, ratios=ratios)), float(v[1, 1] * np.linalg.inv(v)[1, 1])


def test_an_inflation_that_rests_on_the_prior_is_said() -> None:
    """Of tests alone a large inflation is carried; with the ratios it is known, and nothing is said."""
    tests, truth = collinear(())
    assert truth > 2.5
    carried = largest_inflation(tests)
    matrices = sample(tests, SETTINGS, 1)
    assert carried[1] >= 2.0
    held = np.quantile(matrices.inflation[:, 1], 0.95) >= truth
    assert held or rests_on_prior(matrices, carried, 0.05)[1]
    ratios, _ = collinear((0, 1, 2))
    matrices = sample(ratios, SETTINGS, 1)
    assert np.median(matrices.inflation[:, 1]) == pytest.approx(truth, rel=0.05)
    assert not rests_on_prior(matrices, largest_inflation(ratios), 0.05).any()


def test_a_ratio_upside_down_is_named() -> None:
    raw = tree(B, V, events=60)
    raw["effects"]["arm_adjusted"] |= ratio(-B[0], float(V[0, 0] ** 0.5))
    found = model(raw)
    assert inverted(found) == (0,)
    assert any("possible inversion: arm 1.82 adjusted and 0.42 univariable" in note for note in notes_of(found))
    named = [check for check in checks(Study.model_validate(raw)) if "opposite sides" in check.claim]
    assert [check.verdict for check in named] == [Verdict.CONSISTENT_ONLY_IF]
    assert "possible inversion" in named[0].note
    assert inverted(model(tree(B, V))) == ()


def test_what_the_audit_corrects_is_said_and_is_no_finding_of_the_model(yao2025: Study) -> None:
    """Table 5 prints 0.467 for 0.567."""
    found, used = audited(yao2025)
    said = notes_of(printed_model(used, "pfs"))
    assert "effects.pfs_adjusted_regimen.hazard_ratio: 0.567, used as corrected, printed 0.467" in said
    assert not any("hazard_ratio" in note for note in notes_of(printed_model(used, "os")))
    claims = [check.claim for check in found if check.family == "multivariable" and check.verdict is not Verdict.CONSISTENT]
    assert claims == ["pfs, regimen: SE 0.2608 adjusted, 0.2670 unadjusted"]


def test_counts_of_the_baseline_that_cannot_be_right_are_not_used() -> None:
    """26 for 20 of 60 patients beside 40 others: the audit says so, and the model neither uses them nor makes a second finding of it."""
    raw = tree(B, V)
    row = {"control": {"n": "26", "percent": "33.3"}, "experimental": {"n": "32", "percent": "53.3"}}
    low = {"control": {"n": "40", "percent": "66.7"}, "experimental": {"n": "28", "percent": "46.7"}}
    raw["baseline"] = {"variables": {"stage": {"levels": {"high": row, "low": low}}}}
    raw["multivariable"]["os"]["covariates"]["stage"] |= {"baseline": "stage", "levels": ["high"]}
    found, used = audited(Study.model_validate(raw))
    printed = printed_model(used, "os")
    assert np.isnan(printed.share[1])
    assert "baseline.variables.stage.levels: not used, control 66 of 60 patients" in notes_of(printed)
    about = [check for check in found if check.family == "multivariable" and check.path.endswith("stage")]
    assert all(check.verdict is Verdict.CONSISTENT for check in about)
    row["control"]["n"] = "20"
    assert printed_model(Study.model_validate(raw), "os").share[1] == pytest.approx(52 / 120)


def test_an_events_count_that_is_misprinted_is_what_is_named() -> None:
    """60 events printed as 16: every standard error is too small for them."""
    judged = contradictions(model(tree(B, V, events=16)))
    assert judged.status.startswith("failed")
    assert "endpoints.os.events: events of os 16, where standard errors and shares of the covariates need about" in judged.status
    assert not any(one.item.kind == "least" for one in judged.named)


def test_the_smallest_standard_error_is_one_rule() -> None:
    """Of the arms by the events of each, as the audit has it."""
    raw = tree(B, V)
    raw["endpoints"]["os"]["events"] = {"control": {"n": "20"}, "experimental": {"n": "40"}}
    found = model(raw)
    assert found.least_se[0] == pytest.approx(split_standard_error(20, 40))
    assert found.least_se[1] == pytest.approx(2 / 60**0.5)


def test_a_small_contradiction_says_at_least() -> None:
    raw = tree(B, V)
    raw["effects"]["arm_alone"] = ratio(alone(np.array(B), V, 0)[0], float(V[0, 0] ** 0.5) * 1.02)
    judged = contradictions(model(raw))
    assert "limits are off by at least 0.0" in judged.note
    assert len(judged.note_in_short) < len(judged.note) / 2


def test_odds_ratios_say_where_their_errors_come_from() -> None:
    raw = tree(B, V)
    for effect in raw["effects"].values():
        effect["odds_ratio"] = effect.pop("hazard_ratio")
    assert any("measured on Cox models" in note for note in notes_of(model(raw)))
    shared = [replace(model(each), share=np.array([0.5, 0.4, 0.3]), events_printed=True) for each in (raw, tree(B, V))]
    by_share = [{item.kind for item in statistics.printed_statistics(each)} & {"share", "rest", "weights"} for each in shared]
    assert by_share[0] == set()
    assert "share" in by_share[1]
    assert not any("Cox" in note for note in notes_of(model(tree(B, V))))


def test_a_number_far_from_every_matrix_is_doubted() -> None:
    assert doubtful(2.4) == ""
    assert "3.5 scales" in doubtful(3.52)


BALANCED = """
title: a balanced trial with a strong factor, as a logistic regression prints it
randomised: true
arms: {control: {n: 150}, experimental: {n: 150}}
binary: {resp: {control: 80, experimental: 99}}
effects:
  a_treat: {endpoint: resp, odds_ratio: 3.104, ci: [1.517, 6.352], adjusted_for: [x1]}
  u_treat: {endpoint: resp, odds_ratio: 1.699, ci: [1.066, 2.706], adjusted_for: []}
  a_x1: {endpoint: resp, numerator: x1 y, denominator: x1 n, odds_ratio: 67.536, ci: [28.671, 159.083], adjusted_for: [treat]}
  u_x1: {endpoint: resp, numerator: x1 y, denominator: x1 n, odds_ratio: 54.209, ci: [24.281, 121.026], adjusted_for: []}
multivariable:
  m: {endpoint: resp, covariates: {treat: {effect: a_treat, unadjusted: u_treat}, x1: {effect: a_x1, unadjusted: u_x1}}}
"""
"""Simulated and fitted by maximum likelihood outside this program (150 + 150 patients, a factor of log odds ratio 3.2 in half of each arm)."""


def test_odds_ratios_lose_information_to_factors_and_contradict_nothing(tmp_path: Path) -> None:
    """(SE adjusted / SE univariable)² is 2.4 though nothing is collinear: no contradiction, and no inflation of that size."""
    (tmp_path / "study.yaml").write_text(BALANCED, encoding="utf-8")
    printed = printed_model(load_study(tmp_path / "study.yaml").comparisons()[0], "m")
    assert contradictions(printed).status == "ok"
    found = sample(printed, SETTINGS, 1)
    assert np.quantile(found.inflation_by_others, 0.975) < 1.5


def test_a_p_below_something_is_the_least_z() -> None:
    raw = tree(B, V)
    printed = model(raw)
    printed.test[1] = (3.29, 37.0)
    assert statistics.tested(printed, 1) == 3.29


def test_the_unit_of_a_ratio_per_unit_changes_nothing() -> None:
    """Per year and per 10 years: two standard deviations are the same."""
    found = []
    for unit in (1.0, 10.0):
        scale = np.array([1.0, 1.0, unit])
        raw = tree(tuple(np.array(B) * scale), V * np.outer(scale, scale), decimals=9)
        raw["multivariable"]["os"]["covariates"]["marker"]["per_unit"] = True
        printed = model(raw)
        found.append(printed.scale[2] * printed.centre[2, 0])
        assert printed.scale[:2] == pytest.approx([1.0, 1.0])
        assert any("per two standard deviations" in note for note in notes_of(printed))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_more_covariates_than_can_be_sampled_are_refused_in_words() -> None:
    import multivariable_factory as factory

    names, size = factory.NAMES, MOST + 1
    try:
        factory.NAMES = ("arm", *(f"c{place}" for place in range(1, size)))  # type: ignore[assignment]
        raw = tree((0.1,) * size, np.eye(size) * 0.09, ratios=())
    finally:
        factory.NAMES = names
    with pytest.raises(DataError, match=f"got {size}; allowed are at most {MOST}"):
        model(raw)


def test_the_sampler_tells_that_it_is_alive() -> None:
    told: list[float] = []
    sample(model(tree(B, V)), MatrixSettings(islands=2, particles=60), 1, told.append)
    assert sum(told) == pytest.approx(1.0)
    assert len(told) > 50
    # no move is most of the work
    assert max(told) < 0.05


def test_two_covariates_are_the_least(tmp_path: Path) -> None:
    raw = tree(B, V)
    raw["multivariable"]["os"]["covariates"] = {"arm": {"effect": "arm_adjusted"}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    with pytest.raises(StudyError, match="at least 2 entries"):
        load_study(path)
