"""Averages over models: mixtures in closed form, their Monte Carlo errors, and fits that must take no part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from retrial.answers.comparison.shared import ModelAnswers, SharedAnswers, is_outside, kaplan_meier_seen
from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.answers.questions import Questions
from retrial.criticism.averages import AVERAGE, PROBABILITIES, STACKING, average_rows
from retrial.criticism.ensemble import ModelCriticism
from retrial.estimate import Estimate
from retrial.fit.evidence import evidence_rows
from retrial.tables.life_table import LifeTable

SHARES = np.array([0.5, 0.3, 0.2])
CENTRES = {"a": np.array([-0.8, -0.6, -0.5]), "b": np.array([-0.1, 0.0, 0.1])}
SDS = {"a": 0.3, "b": 0.2}
DRAWS = 2000
QUESTIONS = Questions()


def answers(model: str, rng: np.random.Generator, passed: tuple[bool, ...] = (True,) * 3, prior: str = "flat") -> ModelAnswers:
    table = np.repeat(np.arange(3), (DRAWS * SHARES / SHARES.max()).astype(int))
    log_ratio = rng.normal(CENTRES[model][table], SDS[model])
    survival = np.stack([np.full(table.size, 0.4), 0.4 - 0.2 * log_ratio], axis=1)[..., None]
    shared = SharedAnswers((12.0,), 18.0, survival, 9.0 + survival[..., 0] * 5, log_ratio)
    origin = Origin(table, np.zeros(table.size, int), np.arange(table.size))
    seen = np.array([[0.4], [0.9]])
    follow_up = FollowUp(np.full((SHARES.size, 2), 100.0), SHARES)
    return ModelAnswers("os", model, prior, "tables", "", follow_up, np.array(passed), seen, shared, origin)


def evidence(parts: list[ModelAnswers], log_evidence: dict[str, list[float]], se: float = 0.02) -> pd.DataFrame:
    rows = [
        {"endpoint": "os", "model": part.model, "prior": part.prior, "variant": "", "reconstruction": table}
        | {"status": "ok" if part.passed[table] else "failed", "log_evidence": value, "log_evidence_se": se}
        for part in parts
        for table, value in enumerate(log_evidence[part.model])
    ]
    return evidence_rows(rows, {("os", part.model): SHARES for part in parts})


LOG_EVIDENCE = {"a": [0.0, 0.0, 0.0], "b": [float(np.log(3)), 0.0, float(-np.log(4))]}
WEIGHT_A = np.array([0.25, 0.5, 0.8])


def find(rows: list[Estimate], quantity: str, statistic: str = "value", event: str = "", contrast: str = "") -> Estimate:
    mine = [row for row in rows if (row.quantity, row.statistic, row.event) == (quantity, statistic, event)]
    [found] = [row for row in mine if (contrast in ("", row.contrast) and row.threshold in (1.0, 0.0)) or statistic == "value"]
    return found


def exact_cdf(x: float, used: np.ndarray, weight_a: np.ndarray) -> float:
    share = np.where(used, SHARES, 0.0) / SHARES[used].sum()
    parts = {name: stats.norm.cdf((x - CENTRES[name]) / SDS[name]) for name in CENTRES}
    return float(share @ (weight_a * parts["a"] + (1 - weight_a) * parts["b"]))


def averaged(seed: int, passed: tuple[bool, ...] = (True,) * 3) -> list[Estimate]:
    rng = np.random.default_rng(seed)
    parts = [answers("a", rng, passed), answers("b", rng)]
    return average_rows(parts, [], evidence(parts, LOG_EVIDENCE), QUESTIONS, 1)


@pytest.mark.parametrize("passed", [(True, True, True), (True, False, True)])
def test_average_by_probabilities_is_the_mixture_in_each_table(passed: tuple[bool, ...]) -> None:
    rows, used = averaged(1, passed), np.array(passed)
    assert {(row.model, row.variant, row.status) for row in rows} == {(AVERAGE, PROBABILITIES, "ok")}
    log_ratio = find(rows, "log_average_hazard_ratio")
    for level, value, error in (
        (0.025, log_ratio.lower, log_ratio.mcse_lower),
        (0.5, log_ratio.point, log_ratio.mcse_point),
        (0.975, log_ratio.upper, log_ratio.mcse_upper),
    ):
        exact = optimize.brentq(lambda x, level=level: exact_cdf(x, used, WEIGHT_A) - level, -3, 2)
        assert value == pytest.approx(exact, abs=4 * error)
        assert error < 0.02
    below = find(rows, "average_hazard_ratio", "probability", "below")
    assert below.point == pytest.approx(exact_cdf(0.0, used, WEIGHT_A), abs=4 * below.mcse_point)
    ratio = find(rows, "average_hazard_ratio")
    assert ratio.point == pytest.approx(np.exp(log_ratio.point), rel=1e-6)
    share = np.where(used, SHARES, 0.0) / SHARES[used].sum()
    assert f"a {share @ WEIGHT_A:.3f}" in ratio.note
    assert ("over 2 of 3 tables (70% by weight)" in ratio.source) == (not all(passed))
    assert "cut posterior" in ratio.source
    difference = find(rows, "survival_difference")
    assert difference.point == pytest.approx(-0.2 * log_ratio.point, abs=0.01)
    assert is_outside(difference)
    assert find(rows, "rmst_difference").point == pytest.approx(-log_ratio.point, abs=0.05)


def test_monte_carlo_errors_are_those_of_repeated_draws() -> None:
    found = [find(averaged(seed), "log_average_hazard_ratio") for seed in range(60)]
    for name in ("lower", "point", "upper"):
        spread = np.std([getattr(row, name) for row in found], ddof=1)
        told = np.mean([getattr(row, f"mcse_{name}") for row in found])
        assert told == pytest.approx(spread, rel=0.35)


def test_average_of_one_weight_is_that_models_posterior() -> None:
    rng = np.random.default_rng(3)
    parts = [answers("a", rng), answers("b", rng)]
    rows = average_rows(parts, [], evidence(parts, {"a": [0.0] * 3, "b": [-2000.0] * 3}), QUESTIONS, 1)
    low, middle, high = np.quantile(parts[0].answers.log_ratio, [0.025, 0.5, 0.975])
    row = find(rows, "log_average_hazard_ratio")
    assert (row.lower, row.point, row.upper) == pytest.approx((low, middle, high), abs=2e-3)
    assert row.draws == parts[0].origin.size
    assert row.sd == pytest.approx(parts[0].answers.log_ratio.std(), rel=1e-3)


def test_a_model_that_failed_on_most_tables_takes_no_part_and_few_tables_are_no_average() -> None:
    rng = np.random.default_rng(4)
    parts = [answers("a", rng), answers("b", rng, (False, False, True))]
    assert average_rows(parts, [], evidence(parts, LOG_EVIDENCE), QUESTIONS, 1) == []
    halves = [answers("a", rng, (True, False, False)), answers("b", rng, (True, True, False))]
    rows = average_rows(halves, [], evidence(halves, LOG_EVIDENCE), QUESTIONS, 1)
    assert {row.status for row in rows} == {"ok"}
    assert "over 1 of 3 tables (50% by weight)" in rows[0].source


def test_one_model_or_another_prior_has_no_average() -> None:
    rng = np.random.default_rng(5)
    parts = [answers("a", rng), answers("b", rng, prior="sceptical")]
    assert average_rows(parts, [], evidence(parts, LOG_EVIDENCE), QUESTIONS, 1) == []
    nothing = [ModelCriticism("os", part.model, "flat", np.arange(3), SHARES, [None] * 3, ["failed"] * 3) for part in parts]
    assert STACKING not in {row.variant for row in average_rows(parts, nothing, evidence(parts, LOG_EVIDENCE), QUESTIONS, 1)}


@pytest.mark.parametrize(("recorded", "expected"), [("exact", 0.8), ("ceiling", 0.8), ("nearest", 0.9), ("floor", 1.0)])
def test_kaplan_meier_stands_where_times_were_recorded(recorded: str, expected: float) -> None:
    events = np.array([[[0, 2, 1], [0, 0, 0]]])
    censored = np.array([[[0, 0, 7], [0, 0, 10]]])
    table = LifeTable.from_counts(np.array([1.0, 2.0, 3.0]), events, censored)
    found = kaplan_meier_seen(table, FollowUp.of(table, np.ones(1)), (2.0, 2.5), recorded)  # type: ignore[arg-type]
    assert found[0] == pytest.approx([expected, 0.8])
    assert found[1] == pytest.approx([1.0, 1.0])
