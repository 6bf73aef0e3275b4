"""LOO-PIT of censored times: uniform for a right model, not for a wrong one; the band is as wide as it says."""

from __future__ import annotations

import numpy as np
import pytest
from criticism_factory import exponential, gamma_draws, simulated_table
from lifelines import KaplanMeierFitter

from retrial.criticism.loo import leave_one_out
from retrial.criticism.pit import GROUPS, PREDICTED, null_variance, pit_curve
from retrial.dims import CONTROL, TOTAL
from retrial.fit.survival.likelihood import survival_data


def standardised(shape: float, unit: float, recorded: str = "exact", seed: int = 1) -> float:
    """Largest |observed - predicted| in standard errors, as long as 50 of 4,000 patients are at risk, for an exponential model."""
    rng = np.random.default_rng(seed)
    table = simulated_table(rng, 2000, shape, unit=unit)
    data = survival_data(table, 0, recorded)  # type: ignore[arg-type]
    curve = pit_curve(leave_one_out(exponential, gamma_draws(data, 400, rng), data), TOTAL, data.recorded)
    shown = (curve.at_risk >= 50) & (PREDICTED > 0.01)
    assert PREDICTED[shown][-1] > 0.6
    return float((np.abs(curve.observed - PREDICTED)[shown] / np.sqrt(null_variance(curve.at_risk)[shown])).max())


# 3.5: the largest of a Brownian bridge over the range, at about 1 in 100; the fitted rate makes it smaller
@pytest.mark.parametrize("unit", [0.0, 0.5])
def test_a_right_model_is_uniform(unit: float) -> None:
    assert standardised(1.0, unit) < 3.5


@pytest.mark.parametrize(("shape", "unit"), [(1.6, 0.0), (0.7, 0.0), (1.6, 0.5)])
def test_a_wrong_model_is_not(shape: float, unit: float) -> None:
    assert standardised(shape, unit) > 8


def test_times_recorded_at_the_end_of_their_interval() -> None:
    """Deaths seen at the next month's visit: uniform with recorded = interval, shifted with recorded = exact."""
    rng = np.random.default_rng(4)
    time = np.ceil(rng.exponential(4.0, 3000))
    leaving = np.ceil(rng.uniform(0.0, 12.0, 3000))
    table = type(simulated_table(rng, 2)).from_patients(
        np.minimum(time, leaving), (time <= leaving).astype(int), np.arange(3000) % 2
    )
    draws = {"rate": 0.25 + 1e-4 * rng.normal(size=400)}
    found = {}
    for recorded in ("ceiling", "exact"):
        data = survival_data(table, 0, recorded)
        curve = pit_curve(leave_one_out(exponential, draws, data), TOTAL, recorded)
        found[recorded] = (curve.observed - PREDICTED)[40] / np.sqrt(null_variance(curve.at_risk)[40])
    assert abs(found["ceiling"]) < 2.5
    assert abs(found["exact"]) > 4


def test_without_ties_it_is_the_kaplan_meier_estimate_of_the_values() -> None:
    rng = np.random.default_rng(2)
    data = survival_data(simulated_table(rng, 40))
    left_out = leave_one_out(exponential, gamma_draws(data, 400, rng), data)
    curve = pit_curve(left_out, CONTROL, "exact")
    mine = left_out.cells.arm == 0
    middle = (left_out.pit_start + left_out.pit_end)[mine] / 2
    fitter = KaplanMeierFitter().fit(middle, left_out.cells.is_event[mine])
    expected = 1 - fitter.survival_function_at_times(PREDICTED).to_numpy()
    # a value is spread over next to nothing, but a product of 16 parts is not one factor: they differ by O(1 / at risk²)
    assert curve.observed[curve.at_risk >= 5] == pytest.approx(expected[curve.at_risk >= 5], abs=0.01)
    assert curve.at_risk[0] == pytest.approx(40)


def test_groups_add_up() -> None:
    rng = np.random.default_rng(3)
    data = survival_data(simulated_table(rng, 60, unit=1.0))
    left_out = leave_one_out(exponential, gamma_draws(data, 400, rng), data)
    control, experimental, both = (pit_curve(left_out, group, "exact") for group in GROUPS)
    assert control.at_risk + experimental.at_risk == pytest.approx(both.at_risk, abs=1e-8)
    for curve in (control, experimental, both):
        assert (np.diff(curve.observed) >= -1e-12).all()
        assert 0 <= curve.observed.min() <= curve.observed.max() <= 1


def test_the_band_is_the_spread_of_right_models() -> None:
    """SD of the distribution at 0.3 over 300 studies of 60, the true rate known (then values are independent)."""
    rng = np.random.default_rng(5)
    draws = {"rate": np.full(100, np.log(2) / 7)}
    found, claimed = [], []
    for _ in range(300):
        data = survival_data(simulated_table(rng, 30))
        curve = pit_curve(leave_one_out(exponential, draws, data), TOTAL, "exact")
        found.append(curve.observed[30])
        claimed.append(null_variance(curve.at_risk)[30])
    # SD of a standard deviation from 300 values: 4 %; of a mean: SD / 17
    assert np.std(found) == pytest.approx(np.sqrt(np.mean(claimed)), rel=0.15)
    assert np.mean(found) == pytest.approx(0.3, abs=4 * np.std(found) / np.sqrt(300))


def test_variance_without_censoring_is_binomial() -> None:
    """n patients, none censored: n (1 - u) at risk, variance u (1 - u) / n."""
    u = PREDICTED[:95]
    assert null_variance(500 * (1 - PREDICTED))[:95] == pytest.approx(u * (1 - u) / 500, rel=0.02)
