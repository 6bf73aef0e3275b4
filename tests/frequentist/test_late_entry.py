"""Late entry: curves, tests and fits against lifelines and statsmodels, and what ignoring it does."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter, WeibullAFTFitter
from scipy import optimize
from statsmodels.duration.survfunc import survdiff

from retrial.errors import DataError
from retrial.frequentist.kernels import Kernels
from retrial.frequentist.library import Library
from retrial.frequentist.survival import common_horizon, survival_estimates
from retrial.frequentist.weibull import weibull
from retrial.tables.life_table import LifeTable

MEDIANS, SHAPE = (12.0, 18.0), 1.4
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@functools.cache
def registry(n: int = 400, whole: bool = False) -> Columns:
    """Weibull patients (time, event, arm, entry), of whom those who die before their entry never come to the registry."""
    rng = np.random.default_rng(11)
    arm = np.arange(3 * n) % 2
    time = np.array(MEDIANS)[arm] * (rng.exponential(size=3 * n) / np.log(2)) ** (1 / SHAPE)
    entry = np.where(rng.random(3 * n) < 0.3, 0.0, rng.uniform(0, 20, 3 * n))
    leaving = entry + rng.uniform(2, 40, 3 * n)
    if whole:
        time, entry, leaving = np.ceil(time), np.floor(entry), np.ceil(leaving)
    seen = np.flatnonzero(time > entry)[:n]
    return np.minimum(time, leaving)[seen], (time <= leaving)[seen].astype(int), arm[seen], entry[seen]


@pytest.mark.parametrize("whole", [False, True])
def test_curves_and_cox_are_those_of_lifelines(whole: bool) -> None:
    time, event, arm, entry = registry(whole=whole)
    table = LifeTable.from_patients(time, event, arm, entry)
    kernels, library = Kernels(table, 0, 0.95), Library(table, 0, 0.95)
    for index, name in enumerate(("control", "experimental")):
        mine = arm == index
        with np.errstate():
            fitted = KaplanMeierFitter().fit(time[mine], event[mine], entry=entry[mine])
        for curve in (kernels.curve(name), library.curve(name)):
            expected = fitted.survival_function_at_times(curve.times).to_numpy()
            assert curve.survival == pytest.approx(expected, abs=1e-10)
            limits = fitted.confidence_interval_.reindex(curve.times, method="ffill").to_numpy()
            inside = (expected > 0) & (expected < 1)
            assert np.column_stack([curve.lower, curve.upper])[inside] == pytest.approx(limits[inside], abs=1e-10)
    frame = library.patients
    cox = CoxPHFitter().fit(frame, "time", "event", entry_col="entry", fit_options={"precision": 1e-20, "r_precision": 0.0})
    expected = (cox.params_["experimental"], cox.standard_errors_["experimental"])
    for said in (kernels, library):
        assert said.log_hazard_ratio("cox_efron") == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("whole", [False, True])
def test_the_log_rank_test_is_that_of_statsmodels(whole: bool) -> None:
    time, event, arm, entry = registry(whole=whole)
    table = LifeTable.from_patients(time, event, arm, entry)
    # statsmodels has whoever enters at t at risk at t: a moment later there is nobody of whom that matters
    assert Kernels(table, 0, 0.95).log_rank() == pytest.approx(survdiff(time, event, arm, entry=entry + 1e-9), abs=1e-9)
    library = Library(table, 0, 0.95)
    assert library.log_rank() == Kernels(table, 0, 0.95).log_rank()
    assert "log_rank" not in library.said


def test_breslow_is_the_maximum_of_the_partial_likelihood_by_hand() -> None:
    time, event, arm, entry = registry(60, whole=True)

    def negative(beta: float) -> float:
        risk = np.exp(beta * arm)
        return -sum(beta * arm[i] - np.log(risk[(time >= time[i]) & (entry < time[i])].sum()) for i in np.flatnonzero(event))

    expected = optimize.minimize_scalar(negative, bracket=(-1, 1), tol=1e-12).x
    table = LifeTable.from_patients(time, event, arm, entry)
    for said in (Kernels, Library):
        assert said(table, 0, 0.95).log_hazard_ratio("cox_breslow")[0] == pytest.approx(expected, abs=1e-6)


def test_weibull_is_that_of_lifelines() -> None:
    table = LifeTable.from_patients(*registry())
    ours, frame = Kernels(table, 0, 0.95).weibull(), Library(table, 0, 0.95).patients
    fitted = WeibullAFTFitter().fit(frame, "time", "event", entry_col="entry", fit_options={"ftol": 1e-15})
    theirs = Library(table, 0, 0.95).weibull()
    for name in ("log_hazard_ratio", "se", "shape", "se_log_shape", "medians", "se_log_medians"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=2e-6), name
    assert fitted.log_likelihood_ == pytest.approx(log_likelihood(ours, *registry()), abs=1e-8)


def log_likelihood(fit: object, time: np.ndarray, event: np.ndarray, arm: np.ndarray, entry: np.ndarray) -> float:
    """Σ d log h(t) - H(t) + H(entry), patient by patient."""
    k, b, m = (getattr(fit, name) for name in ("shape", "log_hazard_ratio", "medians"))

    def cumulative(t: np.ndarray) -> np.ndarray:
        return np.log(2) * (t / m[0]) ** k * np.exp(b * arm)

    return float((event * np.log(k * cumulative(time) / time) - cumulative(time) + cumulative(entry)).sum())


def test_late_entry_recovers_what_ignoring_it_misses() -> None:
    """Medians 12 and 18: with entries within 2.5 standard errors, without them too late by ten."""
    time, event, arm, entry = registry(3000)
    with_entry, without = (
        Kernels(LifeTable.from_patients(time, event, arm, entries), 0, 0.95).weibull() for entries in (entry, None)
    )
    for index, truth in enumerate(MEDIANS):
        error = np.log([with_entry.medians[index] / truth, without.medians[index] / truth])
        assert abs(error[0]) < 2.5 * with_entry.se_log_medians[index]
        assert error[1] > 5 * without.se_log_medians[index]
    assert abs(with_entry.log_hazard_ratio - SHAPE * np.log(MEDIANS[0] / MEDIANS[1])) < 2.5 * with_entry.se
    assert abs(with_entry.shape - SHAPE) < 2.5 * SHAPE * with_entry.se_log_shape


def test_a_shape_that_entries_leave_open_is_said() -> None:
    """The hazard falls faster than 1/t from the entries on: the likelihood rises as the shape falls to 0."""
    time, entry = np.array([1.05, 15.0, 1e3, 1e6] * 2), np.array([1.0, 10.0, 100.0, 1000.0] * 2)
    table = LifeTable.from_patients(time, np.ones(8), np.repeat([0, 1], 4), entry)
    counts = table.counts()
    with pytest.raises(DataError, match="undetermined"):
        weibull(table.times, counts[0], counts[0] + counts[1] - table.entered.to_numpy())


def test_every_row_of_a_table_with_late_entry_is_there() -> None:
    rows = survival_estimates(LifeTable.from_patients(*registry()), "os", (6.0, 12.0))
    assert not [row for row in rows if row.failed]
    sizes = [row.point for row in rows if row.quantity == "patients"]
    experimental = int(registry()[2].sum())
    assert sizes == [400 - experimental, experimental, 400]


def test_the_horizon_is_the_last_time_at_risk_not_a_count_of_times() -> None:
    time, entry = np.array([5.0, 9.0, 8.0, 7.0]), np.array([4.0, 6.0, 0.0, 0.0])
    assert common_horizon(LifeTable.from_patients(time, np.ones(4), np.array([0, 0, 1, 1]), entry)) == 8.0
