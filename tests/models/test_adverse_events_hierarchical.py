"""Adverse events over terms and grades: likelihood, zero cells, shrinkage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.answers.hierarchical import adverse_event_rows, pooling_rows
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.data.chains import graded_events
from retrial.dims import RAW
from retrial.errors import DataError
from retrial.fit.diagnostics import diagnose
from retrial.fit.engine import Job, fit_many, fitter_for
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.models import adverse_events_hierarchical as model
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

PRIORS = PriorSet(
    "p",
    {
        "baseline_mean": Prior("normal", (-2.0, 2.0)),
        "baseline_sd": Prior("half_normal", (1.0,)),
        "grade_effect": Prior("normal", (0.0, 0.5)),
        "log_odds_ratio": Prior("normal", (0.0, 1.0)),
        "effect_sd": Prior("half_normal", (0.5,)),
    },
)
# five terms x (3-4, 1-2) of 49 and 43 patients, with empty cells and one striking term (the last)
CONTROL = [[1, 17], [0, 6], [0, 12], [2, 20], [0, 1]]
EXPERIMENTAL = [[1, 12], [0, 10], [2, 14], [1, 18], [3, 9]]
EVENTS = graded_events(list("abcde"), ["3-4", "1-2"], [CONTROL, EXPERIMENTAL], [49, 43])


def point(seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    draws = {
        "baseline_mean": rng.normal(-1, 1, (1, 2)),
        "baseline_sd": np.array([0.8]),
        "log_odds_ratio": np.array([0.2]),
        "grade_effect": rng.normal(0, 0.5, (1, 2)),
        "effect_sd": np.array([0.3]),
        "standard_effect": rng.normal(size=(1, 10)),
        "standard_baseline": rng.normal(size=(1, 10)),
    }
    free = {name: value[0] for name, value in draws.items() if not name.endswith("_sd")}
    return draws, {**free, **{f"{name}{RAW}": score(draws, name) for name in SCALES}}


N = ((0, 49), (1, 43))
SCALES = {"baseline_sd": 1.0, "effect_sd": 0.5}


def score(draws: dict[str, np.ndarray], name: str) -> float:
    """x with sd = scale Φ⁻¹((1 + Φ(x)) / 2): standard normal where sd is half-normal."""
    return float(stats.norm.ppf(2 * stats.norm.cdf(draws[name][0] / SCALES[name]) - 1))


def test_log_density_is_prior_plus_a_multinomial_a_term() -> None:
    draws, free = point(2)
    p = model.probabilities(draws, EVENTS)[0]
    assert p.sum(axis=-1) == pytest.approx(np.ones((2, 5)), abs=1e-12)
    # patients one by one: without the number of orders in which they may come
    expected = (EVENTS.patients.to_numpy() * np.log(p)).sum()
    for name, prior in PRIORS.priors.items():
        density = stats.norm.logpdf(score(draws, name)) if name in SCALES else prior.distribution.logpdf(draws[name])
        expected += float(np.sum(density))
    expected += float(stats.norm.logpdf(draws["standard_effect"]).sum() + stats.norm.logpdf(draws["standard_baseline"]).sum())
    assert float(model.build(EVENTS, PRIORS).compile_logp(jacobian=False)(free)) == pytest.approx(expected, abs=1e-10)


def test_a_term_without_grades_is_a_binomial_of_its_own_grade_group() -> None:
    known = [[True, True, False], [False, False, True]]
    counts = [[[1, 17, 0], [0, 0, 4]], [[1, 12, 0], [0, 0, 9]]]
    events = graded_events(["a", "b"], ["3-4", "1-2", "any"], counts, [49, 43], known)
    rng = np.random.default_rng(5)
    draws = {
        "baseline_mean": rng.normal(-1, 1, (1, 3)),
        "baseline_sd": np.array([0.8]),
        "log_odds_ratio": np.array([0.2]),
        "grade_effect": rng.normal(0, 0.5, (1, 3)),
        "effect_sd": np.array([0.3]),
        "standard_effect": rng.normal(size=(1, 3)),
        "standard_baseline": rng.normal(size=(1, 3)),
    }
    p = model.probabilities(draws, events)[0]
    assert p.sum(axis=-1) == pytest.approx(np.ones((2, 2)), abs=1e-12)
    assert p[:, 0, 2].tolist() == p[:, 1, 0].tolist() == [0.0, 0.0]
    expected = sum([*counts[arm][0][:2], n - sum(counts[arm][0])] @ np.log(p[arm, 0, [0, 1, 3]]) for arm, n in N)
    expected += sum([counts[arm][1][2], n - counts[arm][1][2]] @ np.log(p[arm, 1, [2, 3]]) for arm, n in N)
    for name, prior in PRIORS.priors.items():
        density = stats.norm.logpdf(score(draws, name)) if name in SCALES else prior.distribution.logpdf(draws[name])
        expected += float(np.sum(density))
    expected += float(stats.norm.logpdf(draws["standard_effect"]).sum() + stats.norm.logpdf(draws["standard_baseline"]).sum())
    free = {name: value[0] for name, value in draws.items() if not name.endswith("_sd")}
    free |= {f"{name}{RAW}": score(draws, name) for name in SCALES}
    assert float(model.build(events, PRIORS).compile_logp(jacobian=False)(free)) == pytest.approx(expected, abs=1e-10)
    rows = adverse_event_rows(Subject("adverse_events", "", "m", "p", "Table"), events, p[None].repeat(5, axis=0), Questions())
    assert {row.endpoint for row in rows} == {f"adverse_events.{name}" for name in ("a.3-4", "a.1-2", "a.any", "b.any")}


@pytest.fixture(scope="module")
def fitted() -> dict[str, dict[str, np.ndarray]]:
    empty = graded_events(list("abcde"), ["3-4", "1-2"], np.zeros((2, 5, 2)), [49, 43])
    jobs = [Job(EVENTS, PRIORS, 1), Job(empty, PRIORS, 2)]
    settings = SamplerSettings(target_accept=0.95)
    fits = fit_many(fitter_for(model.build, jobs, settings), jobs, 800, 400, 1)
    for health in diagnose(fits, DiagnosticLimits(divergences=5)):
        assert health.rhat_max < 1.02
    named = zip(("some", "none"), fits, strict=True)
    return {name: {key: value.reshape(-1, *value.shape[2:]) for key, value in fit.values.items()} for name, fit in named}


def test_effects_are_shrunken_towards_each_other(fitted: dict[str, dict[str, np.ndarray]]) -> None:
    p = model.probabilities(fitted["some"], EVENTS)
    any_grade = 1 - p[..., -1]
    log_odds = np.log(any_grade[:, 1] / (1 - any_grade[:, 1])) - np.log(any_grade[:, 0] / (1 - any_grade[:, 0]))
    raw = EVENTS.counts.sum(axis=-1) + 0.5
    alone = np.log(raw[1] / (44 - raw[1])) - np.log(raw[0] / (50 - raw[0]))
    assert np.ptp(log_odds.mean(axis=0)) < np.ptp(alone)
    # the striking term still stands out
    assert (log_odds[:, 4] > 0).mean() > 0.9
    assert log_odds.mean(axis=0).argmax() == 4


def test_a_table_of_zeros_gives_proper_answers_without_warnings(fitted: dict[str, dict[str, np.ndarray]]) -> None:
    p = model.probabilities(fitted["none"], EVENTS)
    none = graded_events(list("abcde"), ["3-4", "1-2"], np.zeros((2, 5, 2)), [49, 43])
    rows = adverse_event_rows(Subject("adverse_events", "", "m", "p", "Table"), none, p, Questions())
    assert {row.endpoint for row in rows} == {f"adverse_events.{t}.{g}" for t in "abcde" for g in ("3-4", "1-2", "any")}
    # the numbers stand, and say what they rest on
    assert {row.note for row in rows} == {"no event in either arm: the prior decides, not the data"}
    proportions = [row.point for row in rows if row.quantity == "proportion"]
    assert min(proportions) > 0
    assert max(proportions) < 0.06
    assert all(np.isfinite(row.point) for row in rows if row.quantity in ("odds_ratio", "risk_ratio"))
    pooled = {row.quantity: row for row in pooling_rows(Subject("adverse_events", "", "m", "p", ""), fitted["none"], Questions())}
    # nothing was seen: the common effect keeps its prior's width
    assert pooled["common_log_odds_ratio"].sd == pytest.approx(1.0, abs=0.2)


def test_more_patients_than_the_arm_are_refused() -> None:
    with pytest.raises(DataError, match=r"adverse_events.terms.a: got 50"):
        graded_events(["a"], ["3-4", "1-2"], [[[20, 30]], [[1, 1]]], [49, 43])
