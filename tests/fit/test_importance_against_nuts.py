"""Importance sampling and NUTS give the same of many random tables and priors: differences are Monte Carlo errors, neither less nor more."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from retrial.experiments.benchmarks.posteriors import EFFECTS, MODELS, cohort, jobs_of
from retrial.experiments.calibration.survival import CASES
from retrial.fit.engine import Build, Job
from retrial.fit.importance.fits import by_importance, shared_model
from retrial.fit.importance.self_check import LARGEST, differences
from retrial.fit.levels import by_nuts, fitter_for
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.fit.survival.likelihood import survival_data
from retrial.priors.prior_set import PriorSet

TARGETS, TABLES, DRAWS = 200, 50, 600
OF_A_FAMILY = 200
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
    hold_against_nuts(MODELS[name][0], jobs)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*CASES} - {*MODELS, "piecewise_exponential_varying"}))
def test_so_are_those_of_the_other_families(name: str) -> None:
    """The varying one has more parameters than level 1 takes."""
    case, rng, jobs = CASES[name], np.random.default_rng(23), []
    data = [case.prepare(survival_data(cohort(92, 300 + seed))) for seed in range(OF_A_FAMILY // 2)]
    for number in range(OF_A_FAMILY):
        effect = EFFECTS[rng.integers(len(EFFECTS))]
        priors = PriorSet(str(effect), {**case.priors.priors, "log_hazard_ratio": effect})
        jobs.append(Job(data[rng.integers(len(data))], priors, number, 1.0))
    hold_against_nuts(case.build, jobs, case.target_accept, least=0.8)


def hold_against_nuts(build: Build, jobs: Sequence[Job], target_accept: float = 0.8, least: float = 0.95) -> None:
    """At least a share of the jobs pass at level 1; their differences from NUTS are Monte Carlo errors."""
    settings = dataclasses.replace(SETTINGS, target_accept=target_accept)
    model = shared_model(build, jobs, settings, LIMITS, DRAWS)
    assert model is not None
    groups = by_importance(model, jobs, settings, LIMITS, DRAWS)
    fits = {row: (group, fit) for group in groups for row, fit in zip(group.rows, group.fits, strict=True)}
    passed = [row for row, (_, (_, health)) in fits.items() if health.status == "ok"]
    assert len(passed) >= least * len(jobs)
    found = by_nuts(fitter_for(build, jobs, settings), [jobs[row] for row in passed], settings, LIMITS, DRAWS, None)
    z = np.concatenate(
        [
            differences(*fits[row][0].weighted(row), {name: draws.values[name] for name in model.names})
            for row, (draws, health) in zip(passed, found, strict=True)
            if health.status == "ok"
        ]
    )
    print(
        f"{len(passed)} of {len(jobs)} passed; {z.size} differences, rms {np.sqrt((z**2).mean()):.3f}, largest {np.abs(z).max():.2f}"
    )
    assert np.sqrt((z**2).mean()) == pytest.approx(1.0, abs=0.1)
    assert (np.abs(z) > 3).mean() < 0.01
    assert np.abs(z).max() < LARGEST
