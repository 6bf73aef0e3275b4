"""Standardised answers: the quadrature over the linear predictor is the mean over the patients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from lifelines import datasets
from scipy import integrate

from retrial.answers.curves import rmst, survival
from retrial.answers.standardised import gauss_nodes, standardised
from retrial.fit.survival.likelihood import COVARIATE_EFFECTS, COVARIATE_PREDICTOR
from retrial.models import cure, generalised_gamma, piecewise_exponential, weibull

TIMES, HORIZON = (3.0, 9.0), 12.0


def rossi() -> tuple[np.ndarray, np.ndarray]:
    """432 patients' six standardised covariates, and coefficients as large as theirs, of three draws."""
    frame = datasets.load_rossi().drop(columns=["week", "arrest", "fin"])
    values = ((frame - frame.mean()) / frame.std()).to_numpy()
    return values, np.random.default_rng(2).normal(0.0, 0.35, (3, values.shape[1]))


CASES: dict[str, tuple[Any, dict[str, np.ndarray]]] = {
    "weibull": (weibull.hazard, {"control_median": np.array([9.0, 12, 20]), "shape": np.array([0.8, 1.0, 1.7])}),
    "generalised_gamma": (
        generalised_gamma.hazard,
        {
            "control_median": np.array([9.0, 12, 20]),
            "shape": np.array([0.8, 1.0, 1.7]),
            "family_shape": np.array([0.4, 0.0, -0.5]),
        },
    ),
    "cure": (
        cure.hazard,
        {
            **{"uncured_median": np.array([9.0, 12, 6]), "shape": np.array([0.8, 1.0, 1.7])},
            **{"control_cure_logit": np.array([-1.0, 0.5, -2]), "log_cure_odds_ratio": np.array([0.3, 0.0, 0.8])},
        },
    ),
    "piecewise": (
        partial(piecewise_exponential.hazard, cuts=(4.0, 8.0)),
        {
            **{"log_baseline_hazard": np.array([-2.5, -3.0, -2]), "walk_scale": np.array([0.5, 0.2, 0.9])},
            "walk_steps": np.array([[0.5, -1.0], [1.0, 0.2], [-0.4, 0.9]]),
        },
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_means_over_patients_by_brute_force(name: str) -> None:
    hazard, own = CASES[name]
    values, effects = rossi()
    draws = {**own, "log_hazard_ratio": np.array([-0.4, 0.3, -1.0])}
    shares = np.full(len(values), 1 / len(values))
    found = standardised(hazard, {**draws, COVARIATE_EFFECTS: effects}, values, shares, TIMES, HORIZON)
    each = [{**draws, COVARIATE_PREDICTOR: effects @ z} for z in values]
    np.testing.assert_allclose(
        found.survival, np.mean([survival(hazard, one, np.array(TIMES)) for one in each], axis=0), atol=1e-9
    )
    np.testing.assert_allclose(found.rmst, np.mean([rmst(hazard, one, HORIZON) for one in each], axis=0), atol=1e-8)


def test_marginal_average_hazard_ratio_by_integration() -> None:
    hazard, own = CASES["weibull"]
    values, effects = rossi()
    draws = {name: value[:1] for name, value in {**own, "log_hazard_ratio": np.array([-0.4])}.items()}
    effects = effects[:1]
    shares = np.full(len(values), 1 / len(values))
    found = standardised(hazard, {**draws, COVARIATE_EFFECTS: effects}, values, shares, TIMES, HORIZON)
    times = np.linspace(0, HORIZON, 20_001)[1:]
    given = {name: np.repeat(value, len(values))[:, None, None] for name, value in draws.items()}
    log_h, cumulative = hazard(
        times, np.array([[0.0], [1.0]]), {**given, COVARIATE_PREDICTOR: (values @ effects[0])[:, None, None]}, np
    )
    s, f = np.exp(-cumulative).mean(axis=0), np.exp(log_h - cumulative).mean(axis=0)
    parts = [integrate.simpson(f[arm] * s[1 - arm], x=times) for arm in (0, 1)]
    assert found.log_ratio[0] == pytest.approx(np.log(parts[1] / parts[0]), abs=2e-3)
    # the marginal ratio of proportional hazards is nearer to 1 than the conditional one
    assert -0.4 < found.log_ratio[0] < 0.0


def test_no_effect_of_covariates_is_the_unadjusted_curve() -> None:
    hazard, own = CASES["weibull"]
    draws = {**own, "log_hazard_ratio": np.array([-0.4, 0.3, -1.0])}
    values, effects = rossi()
    shares = np.full(len(values), 1 / len(values))
    found = standardised(hazard, {**draws, COVARIATE_EFFECTS: 0 * effects}, values, shares, TIMES, HORIZON)
    np.testing.assert_allclose(found.survival, survival(hazard, draws, np.array(TIMES)), atol=1e-14)
    np.testing.assert_allclose(found.rmst, rmst(hazard, draws, HORIZON), atol=1e-12)
    np.testing.assert_allclose(found.log_ratio, draws["log_hazard_ratio"], atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 16, 400])
def test_nodes_have_the_moments_of_the_values(count: int) -> None:
    rng = np.random.default_rng(count)
    values, shares = rng.normal(1.0, 2.0, (4, count)), rng.dirichlet(np.ones(count))
    nodes, weights = gauss_nodes(values, shares)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    for power in range(12):
        np.testing.assert_allclose((weights * nodes**power).sum(axis=1), values**power @ shares, rtol=1e-8, atol=1e-8)
