"""Curves from draws of a hazard against closed forms of the exponential and Weibull distributions."""

from __future__ import annotations

import functools

import lifelines
import numpy as np
import pytest
from scipy import integrate
from scipy.special import gamma, gammainc

from retrial.answers import curves
from retrial.models import cure, exponential, piecewise_exponential, weibull_nonproportional
from retrial.models.weibull import hazard
from retrial.tables.life_table import LifeTable

DRAWS = {
    "control_median": np.array([4.0, 11.0, 16.0]),
    "shape": np.array([1.0, 0.3, 8.0]),
    "log_hazard_ratio": np.array([-0.7, 0.0, 0.4]),
}


def scale(arm: int) -> np.ndarray:
    """Weibull scale λ of S = exp(-(t/λ)^k)."""
    k = DRAWS["shape"]
    return DRAWS["control_median"] * (np.log(2) * np.exp(DRAWS["log_hazard_ratio"] * arm)) ** (-1 / k)


def test_median_is_the_parameter_in_the_control_arm() -> None:
    medians = curves.median_survival(hazard, DRAWS)
    np.testing.assert_allclose(medians[:, 0], DRAWS["control_median"], rtol=1e-10)
    np.testing.assert_allclose(medians[:, 1], scale(1) * np.log(2) ** (1 / DRAWS["shape"]), rtol=1e-10)


def test_half_are_left_at_the_median_whatever_the_hazards() -> None:
    # steps of up to a factor of e^5 between intervals: Newton's steps leave the range, or come back to where they were
    rng, size = np.random.default_rng(3), 1500
    draws = {
        "log_baseline_hazard": rng.normal(-3.5, 0.5, size),
        "walk_scale": np.abs(rng.normal(0, 1.5, size)),
        "walk_steps": rng.normal(size=(size, 7)),
        "log_hazard_ratio": rng.normal(0, 0.4, size),
    }
    cuts = tuple(3.0 * np.arange(1, 8))
    constant = functools.partial(piecewise_exponential.hazard, cuts=cuts)
    medians = curves.median_survival(constant, draws)
    left = np.stack([curves.survival(constant, {k: v[i : i + 1] for k, v in draws.items()}, m) for i, m in enumerate(medians)])
    kept = np.isfinite(medians).all(axis=1)
    assert kept.mean() > 0.95
    for arm in (0, 1):
        np.testing.assert_allclose(left[kept, 0, arm, arm], 0.5, atol=1e-10)


def test_survival_is_weibull() -> None:
    times = np.array([0.0, 0.5, 6.0, 18.0])
    values = curves.survival(hazard, DRAWS, times)
    assert (values[..., 0] == 1).all()
    for arm in (0, 1):
        np.testing.assert_allclose(
            values[:, arm], np.exp(-((times / scale(arm)[:, None]) ** DRAWS["shape"][:, None])), atol=1e-12
        )


def test_rmst_closed_form() -> None:
    # ∫_0^h exp(-(t/λ)^k) dt = λ/k Γ(1/k) P(1/k, (h/λ)^k)
    horizon = 20.0
    values = curves.rmst(hazard, DRAWS, horizon)
    for arm in (0, 1):
        a = 1 / DRAWS["shape"]
        exact = scale(arm) * a * gamma(a) * gammainc(a, (horizon / scale(arm)) ** DRAWS["shape"])
        np.testing.assert_allclose(values[:, arm], exact, atol=1e-8)


def test_exponential_rmst() -> None:
    draws = {"control_median": np.array([10.0]), "shape": np.array([1.0]), "log_hazard_ratio": np.array([0.0])}
    rate = np.log(2) / 10
    assert curves.rmst(hazard, draws, 12.0)[0, 0] == pytest.approx((1 - np.exp(-12 * rate)) / rate, abs=1e-8)


def test_kaplan_meier_against_lifelines() -> None:
    rng = np.random.default_rng(3)
    time, event, arm = rng.integers(1, 20, 90), rng.integers(0, 2, 90), rng.integers(0, 2, 90)
    table = LifeTable.from_patients(time, event, arm)
    ours = curves.kaplan_meier(table)[0]
    for index in (0, 1):
        fitter = lifelines.KaplanMeierFitter().fit(time[arm == index], event[arm == index])
        np.testing.assert_allclose(ours[index], fitter.predict(table.times).to_numpy(), atol=1e-12)


def test_average_hazard_ratio_is_the_ratio_where_that_is_constant() -> None:
    for horizon in (0.1, 5.0, 40.0):
        np.testing.assert_allclose(
            curves.log_average_hazard_ratio(hazard, DRAWS, horizon), DRAWS["log_hazard_ratio"], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize(("shape", "shape_ratio"), [(0.3, 0.5), (1.0, 0.4), (1.3, -0.6), (8.0, -0.3)])
def test_average_hazard_ratio_is_the_odds_of_the_first_event(shape: float, shape_ratio: float) -> None:
    """P(T_e first) / P(T_c first), of pairs with an event by the horizon, by quadrature on the log scale of time."""
    draws = {
        name: np.array([v])
        for name, v in (("control_median", 11.0), ("log_hazard_ratio", -0.6), ("log_shape_ratio", shape_ratio))
    }
    draws["shape"], own = np.array([shape]), weibull_nonproportional.hazard
    columns = {name: value[..., None, None] for name, value in draws.items()}

    def density(y: float, arm: int) -> float:
        log_hazard, cumulative = own(np.array([np.exp(y)]), np.array([[0.0], [1.0]]), columns, np)
        return float(np.exp(log_hazard[0, arm, 0] + y - cumulative[0].sum()))

    first = [integrate.quad(density, -60, np.log(15.0), args=(arm,), limit=500, epsabs=1e-13)[0] for arm in (0, 1)]
    assert curves.log_average_hazard_ratio(own, draws, 15.0)[0] == pytest.approx(np.log(first[1] / first[0]), abs=1e-4)


def test_a_curve_with_a_plateau_above_a_half_has_no_median() -> None:
    draws = {"uncured_median": 9.0, "shape": 1.3, "control_cure_logit": -0.2, "log_cure_odds_ratio": 0.4, "log_hazard_ratio": 0.0}
    medians = curves.median_survival(cure.hazard, {name: np.array([value]) for name, value in draws.items()})
    assert np.isfinite(medians[0, 0])
    assert medians[0, 1] == np.inf
    slow = {"control_median": np.array([1e9]), "log_hazard_ratio": np.array([0.0])}
    assert curves.median_survival(exponential.hazard, slow)[0, 0] == pytest.approx(1e9)
