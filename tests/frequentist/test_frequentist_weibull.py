from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import WeibullAFTFitter
from lifelines.datasets import load_rossi
from scipy.optimize import approx_fprime

from retrial.errors import DataError
from retrial.frequentist.kernels import Kernels
from retrial.frequentist.library import Library
from retrial.frequentist.weibull import WeibullFit
from retrial.tables.life_table import LifeTable


def log_likelihood(parameters: np.ndarray, table: LifeTable) -> float:
    """sum d log h - sum (d + c) H with H_c = log 2 (t / m)^k, H_e = e^beta H_c; parameters log m, beta, log k."""
    log_m, beta, k = parameters[0], parameters[1], math.exp(parameters[2])
    events, censored = table.counts()
    hazard = math.log(2) * (table.times / math.exp(log_m)) ** k
    total = 0.0
    for arm, shift in enumerate((0.0, beta)):
        cumulative = math.exp(shift) * hazard
        d, n = events[arm], events[arm] + censored[arm]
        total += float(np.sum(d * np.log(k * cumulative / table.times)) - np.sum(n * cumulative))
    return total


def weibull(table: LifeTable) -> WeibullFit:
    return Kernels(table, 0, 0.95).weibull()


def parameters_of(fit: WeibullFit) -> np.ndarray:
    return np.array([math.log(fit.medians[0]), fit.log_hazard_ratio, math.log(fit.shape)])


def test_leukaemia_as_published(leukaemia: LifeTable) -> None:
    # Kleinbaum and Klein, Survival Analysis, chapter 7 (Weibull proportional hazards): -1.731 (0.413), p 1.366.
    fit = weibull(leukaemia)
    assert (fit.log_hazard_ratio, fit.se, fit.shape) == pytest.approx((-1.731, 0.413, 1.366), abs=5.1e-4)
    # Venables and Ripley, MASS, survreg on gehan: log-likelihood -106.6, log(scale) -0.312 (0.147).
    assert log_likelihood(parameters_of(fit), leukaemia) == pytest.approx(-106.6, abs=0.051)
    assert (math.log(fit.shape), fit.se_log_shape) == pytest.approx((0.312, 0.147), abs=5.1e-4)


def test_rossi_as_published() -> None:
    # METHODS 11: all seven covariates, fin .272 (.138), rho intercept .339, log-likelihood -679.917. The library's fit.
    frame = load_rossi()
    full = WeibullAFTFitter().fit(frame, "week", "arrest")
    assert full.params_["lambda_", "fin"] == pytest.approx(0.272, abs=5.1e-4)
    assert full.standard_errors_["lambda_", "fin"] == pytest.approx(0.138, abs=5.1e-4)
    assert full.params_["rho_", "Intercept"] == pytest.approx(0.339, abs=5.1e-4)
    assert full.log_likelihood_ == pytest.approx(-679.917, abs=5.1e-4)


@pytest.mark.parametrize("name", ["leukaemia", "aml", "rossi"])
def test_lifelines_converted_is_the_maximum_here(name: str, request: pytest.FixtureRequest) -> None:
    table: LifeTable = request.getfixturevalue(name)
    ours, other = weibull(table), Library(table, 0, 0.95).weibull()
    assert other.log_hazard_ratio == pytest.approx(ours.log_hazard_ratio, abs=1e-6)
    assert other.medians == pytest.approx(ours.medians, rel=1e-6)
    assert (other.se, other.shape, other.se_log_shape) == pytest.approx((ours.se, ours.shape, ours.se_log_shape), rel=1e-6)
    assert other.se_log_medians == pytest.approx(ours.se_log_medians, rel=1e-6)


def test_conversion_from_accelerated_failure_time(rossi: LifeTable) -> None:
    """log HR = -b rho and its delta-method variance rho^2 (var b + b^2 var log rho + 2 b cov), on rossi with the arm alone."""
    frame = load_rossi()[["week", "arrest", "fin"]]
    aft = WeibullAFTFitter().fit(frame, "week", "arrest")
    mu, b, log_rho = (aft.params_[key] for key in (("lambda_", "Intercept"), ("lambda_", "fin"), ("rho_", "Intercept")))
    rho = math.exp(log_rho)
    fin, shape = ("lambda_", "fin"), ("rho_", "Intercept")
    v = aft.variance_matrix_
    variance = rho**2 * (v.loc[fin, fin] + b**2 * v.loc[shape, shape] + 2 * b * v.loc[fin, shape])
    fit = Library(rossi, 0, 0.95).weibull()
    assert (fit.log_hazard_ratio, fit.se) == pytest.approx((-b * rho, math.sqrt(variance)), abs=1e-4)
    assert fit.medians == pytest.approx([math.exp(mu + b * x) * math.log(2) ** (1 / rho) for x in (0, 1)], rel=1e-4)


@st.composite
def tables(draw: st.DrawFn) -> LifeTable:
    size = draw(st.integers(2, 6))
    cells = st.lists(st.integers(0, 5), min_size=2 * size, max_size=2 * size)
    events, censored = (np.array(draw(cells)).reshape(2, size) for _ in range(2))
    leaving = events + censored
    before_the_last = leaving[:, ::-1].cumsum(axis=1)[:, ::-1] > leaving
    assume((events.sum(axis=1) > 0).all() and (events * before_the_last).any())
    return LifeTable.from_counts(np.arange(1, size + 1) * 1.7, events, censored)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(tables())
def test_the_maximum_is_a_maximum_and_the_ses_come_from_its_curvature(table: LifeTable) -> None:
    fit = weibull(table)
    best = parameters_of(fit)
    gradient = approx_fprime(best, log_likelihood, 1e-6, table)
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    step = 1e-4 * np.eye(3)
    hessian = np.array(
        [
            [sum(s * u * log_likelihood(best + s * a + u * b, table) for s in (1, -1) for u in (1, -1)) / 4e-8 for b in step]
            for a in step
        ]
    )
    ses = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    np.testing.assert_allclose([fit.se_log_medians[0], fit.se, fit.se_log_shape], ses, rtol=1e-3)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(tables(), st.floats(0.01, 100))
def test_swapping_arms_and_changing_the_unit(table: LifeTable, unit: float) -> None:
    events, censored = table.counts()
    fit = weibull(table)
    other = weibull(LifeTable.from_counts(table.times, events[::-1], censored[::-1]))
    assert (other.log_hazard_ratio, other.se) == pytest.approx((-fit.log_hazard_ratio, fit.se), abs=1e-8)
    assert other.medians == pytest.approx(fit.medians[::-1], rel=1e-8)
    assert other.se_log_medians == pytest.approx(fit.se_log_medians[::-1], rel=1e-8)
    scaled = weibull(LifeTable.from_counts(table.times * unit, events, censored))
    assert scaled.log_hazard_ratio == pytest.approx(fit.log_hazard_ratio, abs=1e-8)
    assert scaled.shape == pytest.approx(fit.shape, rel=1e-8)
    assert scaled.medians == pytest.approx(tuple(m * unit for m in fit.medians), rel=1e-8)


def test_medians_are_those_of_the_fitted_curves(leukaemia: LifeTable) -> None:
    fit = weibull(leukaemia)
    assert math.log(2) * math.exp(fit.log_hazard_ratio) * (fit.medians[1] / fit.medians[0]) ** fit.shape == pytest.approx(
        math.log(2), abs=1e-10
    )


def test_recovers_a_known_weibull() -> None:
    rng = np.random.default_rng(11)
    n, shape, median, beta = 200_000, 1.6, 12.0, -0.4
    arm = rng.integers(0, 2, n)
    time = median * (rng.exponential(size=n) / (math.log(2) * np.exp(beta * arm))) ** (1 / shape)
    limit = rng.uniform(5, 30, n)
    fit = weibull(LifeTable.from_patients(np.minimum(time, limit), time <= limit, arm))
    assert fit.log_hazard_ratio == pytest.approx(beta, abs=4 * fit.se)
    assert math.log(fit.shape) == pytest.approx(math.log(shape), abs=4 * fit.se_log_shape)
    assert math.log(fit.medians[0]) == pytest.approx(math.log(median), abs=4 * fit.se_log_medians[0])


@pytest.mark.parametrize(
    ("times", "events", "censored", "message"),
    [
        ([1.0, 2.0], [[0, 0], [1, 1]], [[2, 2], [2, 2]], "no events in the control arm"),
        ([1.0, 2.0], [[1, 1], [0, 0]], [[2, 2], [2, 2]], "no events in the experimental arm"),
        ([0.0, 2.0], [[1, 1], [1, 1]], [[2, 2], [2, 2]], "at time 0"),
        ([5.0], [[3], [2]], [[2], [2]], "shape runs to infinity"),
        ([1.0, 5.0], [[0, 3], [0, 2]], [[2, 2], [1, 2]], "shape runs to infinity"),
    ],
)
def test_tables_without_a_maximum_say_why(
    times: list[float], events: list[list[int]], censored: list[list[int]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        weibull(LifeTable.from_counts(times, np.array(events), np.array(censored)))


def test_a_censoring_at_time_zero_says_nothing() -> None:
    events, censored = np.array([[0, 2, 1], [0, 1, 1]]), np.array([[0, 1, 1], [0, 2, 2]])
    with_zero = np.array([[3, 1, 1], [2, 2, 2]])
    one = weibull(LifeTable.from_counts([0.0, 2.0, 3.0], events, censored))
    other = weibull(LifeTable.from_counts([0.0, 2.0, 3.0], events, with_zero))
    assert other == one
