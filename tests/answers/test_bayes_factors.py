"""Bayes factors at no effect: closed forms, Savage-Dickey, and when there is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from retrial.answers.comparison.bayes_factors import (
    AGAINST,
    FACTOR,
    ODDS,
    factor_rows,
    fitted_factor_rows,
    is_no_difference,
    says_something,
)
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.evidence import log_normal_evidence
from retrial.frequentist.ratios import LogRatio
from retrial.models import cure, gompertz, log_hazard_ratio, lognormal, weibull, weibull_nonproportional
from retrial.priors.prior import Prior

SUBJECT = Subject("os", "experimental / control", "model", "sceptical", "Table 1")
PRIORS = [
    Prior("normal", (0.0, 0.355)),
    Prior("normal", (-0.4, 0.2)),
    Prior("normal_mixture", ((0.3, 0.7), (-0.4, 0.0), (0.2, 1.0))),
    Prior("student_t", (-0.1, 0.3, 4.0)),
]


@pytest.mark.parametrize("prior", PRIORS, ids=str)
@pytest.mark.parametrize(("y", "s"), [(-0.755, 0.32), (0.2, 0.05), (-2.0, 0.6)])
def test_normal_evidence_is_the_savage_dickey_ratio(prior: Prior, y: float, s: float) -> None:
    data = LogRatio("hazard_ratio", "experimental / control", "", y, s, 0.95, "Table 1")
    posterior = log_hazard_ratio.posterior(data, prior)
    log_factor = log_normal_evidence(prior, y, s) - stats.norm.logpdf(y, 0.0, s)
    if prior.family == "student_t":
        # the posterior is on a mesh: its density at 0 by a difference of its distribution function
        x = np.linspace(y - 40 * s, y + 40 * s, 400_001)
        density = stats.norm.pdf(y, x, s) * prior.distribution.pdf(x)
        assert log_factor == pytest.approx(np.log(np.trapezoid(density, x)) - stats.norm.logpdf(y, 0, s), abs=1e-8)
    else:
        expected = prior.distribution.logpdf(0.0) - posterior.logpdf(0.0)
        assert log_factor == pytest.approx(float(expected), abs=1e-8)


def test_rows_for_against_and_odds_needed() -> None:
    rows = {row.quantity: row for row in factor_rows(SUBJECT, np.log([4.0]), np.ones(1), Questions())}
    assert rows[FACTOR].point == pytest.approx(4.0)
    assert rows[AGAINST].point == pytest.approx(0.25)
    # posterior odds of an effect are then 19, its probability 0.95
    assert rows[ODDS].point == pytest.approx(19 / 4)
    assert all(row.statistic == "value" and row.draws == 0 for row in rows.values())


def health(log_evidence: float, null: float, status: str = "ok") -> Diagnostics:
    base = Diagnostics(1.0, 500.0, 500.0, 0, 1600, status)
    return dataclasses.replace(
        base, log_evidence=log_evidence, log_evidence_se=0.03, log_evidence_null=null, log_evidence_null_se=0.04
    )


def test_of_several_tables_median_and_range_of_those_that_passed() -> None:
    healths = [
        health(-10.0, -11.0),
        health(-10.0, -12.0),
        health(-10.0, -13.0),
        health(-10.0, -30.0, "failed: Pareto k"),
        health(-10, np.nan),
    ]
    weights = np.array([0.2, 0.3, 0.2, 0.2, 0.1])
    [factor, against, _] = fitted_factor_rows(SUBJECT, healths, weights, Questions())
    assert (factor.statistic, factor.draws) == ("range", 1600)
    assert (factor.lower, factor.point, factor.upper) == pytest.approx(tuple(np.exp([1.0, 2.0, 3.0])))
    assert factor.mcse_point == pytest.approx(np.exp(2.0) * 0.05)
    assert (against.lower, against.upper) == pytest.approx(tuple(np.exp([-3.0, -1.0])))
    assert factor.note == "of 3 of 5 tables (70% by weight)"
    assert fitted_factor_rows(SUBJECT, healths[3:], np.array([0.6, 0.4]), Questions()) == []


def test_wide_priors_say_nothing() -> None:
    assert says_something(Prior("normal", (0.0, 0.355)))
    assert says_something(Prior("student_t", (0.0, 0.13, 1.0)))
    assert not says_something(Prior("normal", (0.0, 10.0)))


def test_no_effect_is_no_difference_where_both_curves_are_then_the_same() -> None:
    rng = np.random.default_rng(1)
    draws = {name: rng.uniform(1, 3, 50) for name in ("control_median", "shape", "log_hazard_ratio", "uncured_median")}
    draws |= {"shape_control": draws["shape"], "shape_experimental": draws["shape"] + 0.2, "growth": draws["shape"] - 2}
    draws |= {"control_cure_logit": -draws["shape"], "log_cure_odds_ratio": draws["shape"]}
    named = {
        model: {item.name for item in model.PARAMETERS} for model in (weibull, lognormal, gompertz, cure, weibull_nonproportional)
    }
    found = {}
    for model, names in named.items():
        values = {name: draws.get(name, draws["shape"] * (1 + 0.1 * i)) for i, name in enumerate(sorted(names))}
        found[model.__name__.rpartition(".")[2]] = is_no_difference(model.hazard, values, "log_hazard_ratio", 12.0)
    expected = {"weibull": True, "lognormal": True, "gompertz": True, "cure": False, "weibull_nonproportional": False}
    assert found == expected
