"""Importance sampling and NUTS give the same of many random tables and priors: differences are Monte Carlo errors, neither less nor more."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.experiments.benchmarks.posteriors import EFFECTS, MODELS, cohort, jobs_of
from retrial.fit.engine import Job
from retrial.fit.importance.fits import by_importance, shared_model
from retrial.fit.importance.self_check import LARGEST, differences
from retrial.fit.levels import by_nuts, fitter_for
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.priors.prior_set import PriorSet

TARGETS, TABLES, DRAWS = 200, 50, 600
SETTINGS = SamplerSettings(method=Method.IMPORTANCE)
LIMITS = DiagnosticLimits()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_differences_from_nuts_are_monte_carlo_errors(name: str) -> None:
    tables = jobs_of(name, [cohort(92, 100 + seed) for seed in range(TABLES)])
    rng = np.random.default_rng(17)
    jobs = []
    for number in range(TARGETS):
        table, effect = tables[rng.integers(TABLES)], EFFECTS[rng.integers(len(EFFECTS))]
        jobs.append(Job(table.data, PriorSet(str(effect), {**table.priors.priors, "log_hazard_ratio": effect}), number, 1.0))
    build = MODELS[name][0]
    model = shared_model(build, jobs, SETTINGS, LIMITS, DRAWS)
    assert model is not None
    [group] = by_importance(model, jobs, SETTINGS, LIMITS, DRAWS)
    passed = [row for row, (_, health) in zip(group.rows, group.fits, strict=True) if health.status == "ok"]
    assert len(passed) >= 0.95 * TARGETS
    found = by_nuts(fitter_for(build, jobs, SETTINGS), [jobs[row] for row in passed], SETTINGS, LIMITS, DRAWS, None)
    z = np.concatenate(
        [
            differences(*group.weighted(row), draws.values)
            for row, (draws, health) in zip(passed, found, strict=True)
            if health.status == "ok"
        ]
    )
    assert np.sqrt((z**2).mean()) == pytest.approx(1.0, abs=0.1)
    assert (np.abs(z) > 3).mean() < 0.01
    assert np.abs(z).max() < LARGEST
