"""The `printed` posterior: hazards kept with the tables, and its model."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats

from retrial.answers import curves
from retrial.data.sampled_hazards import on_units
from retrial.models import printed_posterior as printed
from retrial.tables.ensemble import Ensemble, PrintedHazards
from retrial.tables.kernel.prior import TablePrior, centre
from retrial.tables.printed.targets import Targets


def test_hazards_tell_the_same_survival_as_the_tables(os_ensemble: Ensemble, os_targets: Targets) -> None:
    found = os_ensemble.hazards
    assert found is not None
    assert found.log_hazards.shape == (found.island.size, 2, TablePrior().pieces)
    assert found.step == 1.0
    assert found.starts[0] == os_targets.months[0] - 1.0

    def hazard(time: np.ndarray, experimental: np.ndarray, parameters: dict, xp: object) -> tuple[np.ndarray, np.ndarray]:
        return printed.hazard(time, experimental, parameters, xp, found.starts)

    d, r, log_hazards = (np.concatenate([getattr(one, name) for one in os_ensemble.pool]) for name in ("d", "r", "log_hazards"))
    by_hazards = curves.survival(hazard, {"log_hazards": log_hazards}, np.array([6.0, 12.0])).mean(axis=0)
    at = [os_targets.months.index(month) for month in (6.0, 12.0)]
    by_tables = np.cumprod(1 - d / np.maximum(r[..., :-1], 1), axis=-1)[..., at].mean(axis=0)
    # smooth hazards pass through the steps that the printed medians force on every table, within about one posterior SD
    assert by_hazards == pytest.approx(by_tables, abs=0.1)


def test_hazard_is_piecewise_constant_from_its_start() -> None:
    log_h = np.log([[[0.1, 0.2, 0.4], [0.05, 0.1, 0.3]]])
    columns, starts = {"log_hazards": log_h[..., None, None]}, np.array([2.0, 5.0, 9.0])
    times, arm = np.array([1.0, 2.0, 4.0, 5.0, 7.0, 12.0]), np.array([[0.0], [1.0]])
    log_hazard, total = printed.hazard(times, arm, columns, np, starts)
    assert total[0, 0] == pytest.approx([0.0, 0.0, 0.2, 0.3, 0.7, 0.3 + 0.8 + 1.2])
    assert total[0, 1] == pytest.approx([0.0, 0.0, 0.1, 0.15, 0.35, 0.15 + 0.4 + 0.9])
    assert np.exp(log_hazard[0, 0]) == pytest.approx([0.0, 0.1, 0.1, 0.1, 0.2, 0.4])


def test_average_hazard_ratio_starts_where_hazards_do() -> None:
    """Events before the first piece are none: ratios 1/4 for four months, then 1."""
    starts = np.array([6.0, 10.0])
    draws = {"log_hazards": np.log([[[0.05, 0.05], [0.0125, 0.05]]])}
    hazard = functools.partial(printed.hazard, starts=starts)
    found = float(np.exp(curves.log_average_hazard_ratio(hazard, draws, 22.0))[0])
    times = np.linspace(6.0, 22.0, 200_001)
    control, treated = np.full(times.size, 0.05), np.where(times < 10, 0.0125, 0.05)
    survival = [np.exp(-np.concatenate([[0.0], np.cumsum((h[1:] + h[:-1]) / 2 * np.diff(times))])) for h in (control, treated)]
    both = survival[0] * survival[1]
    expected = np.trapezoid(treated * both, times) / np.trapezoid(control * both, times)
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("recorded", "shift"), [("exact", 0.5), ("nearest", 0.5), ("floor", 1.0), ("ceiling", 0.0)])
def test_units_lie_about_after_or_before_the_recorded_time(recorded: str, shift: float) -> None:
    found = PrintedHazards(np.array([2.0, 6.0]), 1.0, np.zeros((1, 2, 2)), np.zeros(1, int))
    moved = on_units(found, recorded)
    assert moved.starts == pytest.approx([2.0 + shift, 6.0 + shift])


@pytest.mark.parametrize("starts", [[-1.0, 1.0, 3.0], [-1.0, 0.0, 1.0]])
def test_what_lies_before_time_0_is_not_lost(starts: list[float]) -> None:
    found = PrintedHazards(np.array(starts), 1.0, np.log([[[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]]), np.zeros(1, int))
    moved = on_units(found, "ceiling")
    assert moved.starts[0] == 0.0
    assert (np.diff(moved.starts) > 0).all()
    total = (np.exp(moved.log_hazards) * np.append(np.diff(moved.starts), 10.0 - moved.starts[-1])).sum(axis=-1)
    before = (np.exp(found.log_hazards) * np.append(np.diff(found.starts), 10.0 - found.starts[-1])).sum(axis=-1)
    assert total == pytest.approx(before, abs=0.01)


def test_model_of_one_table_is_gaussian_and_binomial() -> None:
    prior = TablePrior()
    events, exposure = np.array([[3, 1], [2, 4]]), np.array([[40, 22], [51, 30]])
    log_h = np.array([-2.5, -3.0, -3.2, -2.1])
    found = float(printed.build(events, exposure, 8, prior).compile_logp()({"log_hazards": log_h}))
    _, same, across = prior.covariances(2)
    expected = stats.multivariate_normal(np.full(4, centre(8)), np.block([[same, across], [across, same]])).logpdf(log_h)
    expected += stats.binom.logpmf(events.ravel(), exposure.ravel(), -np.expm1(-np.exp(log_h))).sum()
    assert found == pytest.approx(expected, abs=1e-8)
