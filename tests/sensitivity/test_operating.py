"""Operating characteristics: closed forms of printed ratios, theory of fitted models, no borrowing at every drift, shares counted by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from retrial.data.cohorts import BorrowedCounts
from retrial.data.two_arms import TwoArms
from retrial.errors import DataError
from retrial.frequentist.ratios import LogRatio
from retrial.models import response_borrowing, weibull
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import Operating
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.operating.borrowing import NO_BORROWING, drifted
from retrial.sensitivity.operating.design import Design, design_of
from retrial.sensitivity.operating.printed import posteriors_at, printed_rows
from retrial.sensitivity.operating.rules import Simulated, characteristic_rows
from retrial.tables.endpoint import EndpointTables

TAIL, SE = 0.025, 0.32
ASKED = Operating(studies=1000)


def effect(good: bool = False) -> Effect:
    data = LogRatio("hazard_ratio", "experimental / control", "", -0.75, SE, 0.95, "made up")
    priors = {"flat": Prior("normal", (0.0, 1000.0)), "sceptical": Prior("normal", (0.0, 0.355))}
    return Effect("os", "normal", "", "hazard_ratio", NormalLikelihood(data, posterior), priors, 44.0, good, data)


@pytest.mark.parametrize("good", [False, True])
def test_printed_ratios_have_the_shares_of_theory(good: bool) -> None:
    """Under N(0, τ²) a rule P(β < log x) >= p fires at estimates up to a known one: a normal probability, at flat priors 1 - p itself."""
    rows = list(printed_rows(effect(good), ASKED, TAIL))
    assert len(rows) == 2 * 4 * 2
    for number, row in enumerate(rows):
        x, p = ASKED.rules[number % 2]
        tau = 1000.0 if row["prior"] == "flat" else 0.355
        v = 1 / (1 / SE**2 + 1 / tau**2)
        y = (math.log(x) - stats.norm.ppf(p) * math.sqrt(v)) * SE**2 / v
        truth = -abs(math.log(row["true_ratio"]))
        assert row["claims"] == pytest.approx(stats.norm.cdf((y - truth) / SE), abs=0.0011)
        half = stats.norm.ppf(1 - TAIL) * math.sqrt(v) * SE**2 / v
        centre = truth * SE**2 / v
        covered = stats.norm.cdf((centre + half - truth) / SE) - stats.norm.cdf((centre - half - truth) / SE)
        assert row["coverage"] == pytest.approx(covered, abs=0.0021)
        assert row["kind"] == ("power" if math.exp(truth) < x - 1e-9 else "type I error")
    assert rows[0]["rule"] == ("P(ratio > 1) >= 0.975" if good else "P(ratio < 1) >= 0.975")
    shown = sorted({row["true_ratio"] for row in rows})
    assert shown == pytest.approx([1.0, 1.25, 1 / 0.65, 2.0] if good else [0.5, 0.65, 0.8, 1.0])


def test_shares_signs_and_factors_are_counted_by_hand() -> None:
    benefit = np.array([[0.99, 0.98, 0.5, 0.01, 0.999]])
    found = Simulated(
        np.array([-2.0, -1.0, -1.0, 0.1, -3.0]),
        np.array([-1.0, -0.8, -0.2, 0.6, -1.5]),
        np.array([-0.1, -0.1, 0.5, 1.0, -0.6]),
        benefit,
        1 - benefit,
        np.array([True, True, True, True, False]),
    )
    (row,) = characteristic_rows(found, -0.4, [(1.0, 0.975)], False)
    assert row["claims"] == 0.5
    assert row["claims_error"] == pytest.approx(0.25)
    assert row["coverage"] == 0.75
    assert row["type_s"] == pytest.approx(1 / 3)
    assert row["type_m"] == pytest.approx((1.0 + 0.8 + 0.6) / 3 / 0.4)
    assert (row["kind"], row["studies"], row["status"]) == ("power", 4, "failed: 1 of 5 simulated studies")
    (none,) = characteristic_rows(found, 0.0, [(1.0, 0.975)], False)
    assert none["kind"] == "type I error"
    assert math.isnan(none["type_s"])


def design() -> Design:
    times = np.arange(1, 181) * 0.1
    leaving = np.full((2, 180), 0.004)
    leaving[:, -1] = 1.0
    return Design(times, np.array([43, 49]), leaving, 11.0, 1.2)


def test_simulated_tables_have_their_size_curve_and_ratio() -> None:
    table = design().simulated(0.6, 1.5, 4000, np.random.default_rng(2))
    assert (table.n.to_numpy() == [43, 49]).all()
    events, at_risk = (part.sum("reconstruction").to_numpy() for part in (table.events, table.at_risk))
    kept = np.cumprod(1 - events / at_risk, axis=1)[:, 99]
    h = 1.5 * math.log(2) * (10.0 / 11.0) ** 1.2
    assert kept == pytest.approx([math.exp(-h), math.exp(-0.6 * h)], abs=4e-3)


def test_the_design_of_tables_is_found_again() -> None:
    """Tables simulated from a design have its median, shape and chances of leaving; a time is recorded at the end of its tenth of a month, which
    makes early hazards look smaller and the shape 2 % larger."""
    table = design().simulated(1.0, 1.0, 4000, np.random.default_rng(3))
    weights = np.full(4000, 1 / 4000)
    found = design_of(EndpointTables("os", table, weights, "exact", "simulated"))
    assert found.control_median == pytest.approx(11.0, rel=0.01)
    assert found.shape == pytest.approx(1.22, rel=0.01)
    assert found.leaving.mean() == pytest.approx(design().leaving.mean(), rel=0.02)
    assert found.n.tolist() == [43, 49]


def test_a_ratio_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="the true ratio 0"):
        design().simulated(0.0, 1.0, 2, np.random.default_rng(1))


def test_no_borrowing_is_constant_over_drift_and_borrowing_is_not() -> None:
    data = BorrowedCounts(TwoArms((7, 14), (43, 49)), (5, 30), (36, 117), (-1.0, 0.0), 0.2)
    priors = PriorSet(
        "c",
        {
            "control_logit": Prior("normal", (0.0, 1.5)),
            "historical_mean": Prior("normal", (0.0, 2.0)),
            "historical_sd": Prior("half_normal", (1.0,)),
            "criteria_log_odds": Prior("normal", (0.6, 0.35)),
            "log_odds_ratio": Prior("normal", (0.0, 10.0)),
        },
    )

    def chance(drift: float, weight: float) -> float:
        return response_borrowing.posterior(drifted(data, drift, weight), priors).cdf("odds_ratio", 1.0)

    none = [chance(drift, NO_BORROWING) for drift in (-1.0, 0.0, 1.0)]
    assert none == [none[0]] * 3
    assert chance(1.0, 0.2) > chance(0.0, 0.2) + 0.02 > chance(-1.0, 0.2) + 0.04


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rules": ((1.2, 0.975),)}, "rules: got [[1.2, 0.975]]; allowed are pairs [x, p]"),
        ({"true_ratios": (0.0, 1.0)}, "true_ratios: got [0.0, 1.0]"),
        ({"drifts": (0.0, 0.0)}, "drifts: got [0.0, 0.0]; allowed are different numbers"),
    ],
)
def test_what_is_asked_is_checked(wrong: dict[str, Any], words: str) -> None:
    assert any(line.startswith(words) for line in dataclasses.replace(ASKED, **wrong).problems())


def test_a_fitted_model_errs_as_theory_says_under_a_flat_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Type I error 0.025 within two Monte Carlo errors, coverage 0.95, by the importance engine; a sceptical prior errs less."""
    from retrial.data import life_table
    from retrial.fit.settings import Method, SamplerSettings
    from retrial.run_config import ModelSpec, RunConfig
    from retrial.sensitivity.operating import fitted

    own = {"control_median": Prior("lognormal", (2.485, 1.5)), "shape": Prior("lognormal", (0.0, 0.5))}
    spec = ModelSpec("weibull", life_table.KIND, weibull.build, {"hazard": weibull.hazard}, own)
    sets = {
        name: PriorSet(name, {fitted.EFFECT: Prior("normal", (0.0, sd))}) for name, sd in (("flat", 10.0), ("sceptical", 0.355))
    }
    asked = Operating(studies=120, true_ratios=(1.0,))
    sampler = SamplerSettings(method=Method.IMPORTANCE, threads=1)
    run: Any = RunConfig(
        "simulate", None, 5, None, False, {}, priors=sets, models={"weibull": spec}, sampler=sampler, operating=asked
    )  # type: ignore[arg-type]
    monkeypatch.setattr(fitted, "complete_sets", lambda *_: {name: one.over(own) for name, one in sets.items()})
    monkeypatch.setattr(fitted, "good_endpoints", lambda _: ())
    table = design().simulated(1.0, 1.0, 40, np.random.default_rng(4))
    item = EndpointTables("os", table, np.full(40, 1 / 40), "exact", "simulated")
    rows = {(row["prior"], row["rule"]): row for row in fitted.fitted_rows(run, spec, None, item, 1.0, 1.0)}  # type: ignore[arg-type]
    flat, sceptical = (rows[name, "P(ratio < 1) >= 0.975"] for name in sets)
    assert flat["status"] == sceptical["status"] == "ok"
    assert flat["kind"] == "type I error"
    assert abs(flat["claims"] - 0.025) <= 2 * math.sqrt(0.025 * 0.975 / 120)
    assert abs(flat["coverage"] - 0.95) <= 2 * math.sqrt(0.05 * 0.95 / 120)
    assert sceptical["claims"] <= flat["claims"]
    assert sceptical["coverage"] > flat["coverage"]


@pytest.mark.parametrize(
    "prior",
    [
        Prior("normal", (-0.4, 0.355)),
        Prior("normal_mixture", ((0.3, 0.7), (-0.6, 0.2), (0.05, 1.0))),
        Prior("student_t", (0.1, 0.13, 2.0)),
        Prior("student_t", (0.0, 0.5, 30.0)),
    ],
)
def test_posteriors_of_all_estimates_together_are_those_of_the_normal_model(prior: Prior) -> None:
    """A t as a mixture of 260 normals of all scales against the density on a mesh."""
    nodes, at = np.linspace(-2.0, 1.0, 5), np.array([0.0, math.log(0.8)])
    found = posteriors_at(SE, prior, nodes, at, TAIL)
    for y, column in zip(nodes, found.T, strict=True):
        exact = posterior(dataclasses.replace(effect().printed, estimate=float(y)), prior)  # type: ignore[arg-type,type-var]
        assert column[:3] == pytest.approx(exact.ppf(np.array([TAIL, 0.5, 1 - TAIL])), abs=1e-8)
        assert column[3:] == pytest.approx(exact.cdf(at), abs=1e-8)


@pytest.mark.parametrize("se", [0.003, 0.05, 1.0])
def test_errors_of_a_study_of_any_size_are_those_of_theory(se: float) -> None:
    """Under a flat prior a claim at 0.975 is one in 40 at no effect, at 0.9 one in 10 at the rule's own ratio; coverage 0.95."""
    data = LogRatio("hazard_ratio", "experimental / control", "", 0.0, se, 0.95, "made up")
    flat = {"flat": Prior("normal", (0.0, 1000.0))}
    one = Effect("os", "normal", "", "hazard_ratio", NormalLikelihood(data, posterior), flat, 600.0, False, data)
    rows = {(round(row["true_ratio"], 3), row["rule"]): row for row in printed_rows(one, ASKED, TAIL)}
    assert rows[1.0, "P(ratio < 1) >= 0.975"]["claims"] == pytest.approx(0.025, abs=1e-3)
    assert rows[0.8, "P(ratio < 0.8) >= 0.9"]["claims"] == pytest.approx(0.1, abs=1e-3)
    power = stats.norm.cdf(-math.log(0.65) / se - stats.norm.isf(0.025))
    assert rows[0.65, "P(ratio < 1) >= 0.975"]["claims"] == pytest.approx(power, abs=1e-3)
    assert [row["coverage"] for row in rows.values()] == pytest.approx([0.95] * len(rows), abs=1e-3)
