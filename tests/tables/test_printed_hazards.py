"""The `printed` posterior: hazards kept with the tables, and its model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.answers import curves
from retrial.models import printed_posterior as printed
from retrial.tables.ensemble import Ensemble
from retrial.tables.kernel.prior import TablePrior, centre
from retrial.tables.printed.targets import Targets


def test_hazards_tell_the_same_survival_as_the_tables(os_ensemble: Ensemble, os_targets: Targets) -> None:
    found = os_ensemble.hazards
    assert found is not None
    assert found.log_hazards.shape == (found.island.size, 2, 6)
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
    assert np.exp(log_hazard[0, 0]) == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.2, 0.4])


def test_model_of_one_table_is_gaussian_and_binomial() -> None:
    prior = TablePrior()
    events, exposure = np.array([[3, 1], [2, 4]]), np.array([[40, 22], [51, 30]])
    log_h = np.array([-2.5, -3.0, -3.2, -2.1])
    found = float(printed.build(events, exposure, 8, prior).compile_logp()({"log_hazards": log_h}))
    _, same, across = prior.covariances(2)
    expected = stats.multivariate_normal(np.full(4, centre(8)), np.block([[same, across], [across, same]])).logpdf(log_h)
    expected += stats.binom.logpmf(events.ravel(), exposure.ravel(), -np.expm1(-np.exp(log_h))).sum()
    assert found == pytest.approx(expected, abs=1e-8)
