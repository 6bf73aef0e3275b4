"""A grid of priors by weights of a model's fits: against quadrature over the whole posterior, and against NUTS of every cell."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from retrial.fit.engine import Job
from retrial.fit.importance.fits import by_importance, shared_model
from retrial.fit.levels import by_nuts, fitter_for
from retrial.fit.survival.likelihood import survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.any_prior.marginal import GROUPS, MarginalLikelihood, marginal_likelihood
from retrial.sensitivity.prior_grid import LEAST_SIZE
from tests.fit.test_importance import DRAWS, LIMITS, SETTINGS, cohort, priors_with, quadrature

FITTED = [Prior("normal", pair) for pair in ((0.0, 10.0), (0.0, 0.355), (0.0, 0.205), (-0.51, 0.35), (0.51, 0.35))]
TABLES, CELLS, TAIL = 3, 20, 0.025
WEIGHTS = np.array([0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def found() -> tuple[list[Job], MarginalLikelihood]:
    tables = [survival_data(cohort(seed=seed)) for seed in range(TABLES)]
    jobs = [
        Job(table, priors_with(prior), 10 * k + m, float(WEIGHTS[m]))
        for k, prior in enumerate(FITTED)
        for m, table in enumerate(tables)
    ]
    model = shared_model(weibull.build, jobs, SETTINGS, LIMITS, DRAWS)
    assert model is not None
    [group] = by_importance(model, jobs, SETTINGS, LIMITS, DRAWS)
    draws = np.stack([fit.values["log_hazard_ratio"].ravel() for fit, _ in group.fits]).reshape(len(FITTED), TABLES, -1)
    _, copies = np.unique(draws, return_inverse=True)
    groups = np.random.default_rng(1).integers(GROUPS, size=copies.max() + 1)[copies.reshape(draws.shape)]
    return jobs[:TABLES], marginal_likelihood(draws, groups, FITTED, WEIGHTS)


def random_cells() -> tuple[np.ndarray, np.ndarray]:
    """The rule, stated before any cell was looked at: the seed is the hash of these words, and is never another."""
    words = "20 random cells of the default grid, issue 17"
    rng = np.random.default_rng(int(hashlib.sha256(words.encode()).hexdigest()[:16], 16))
    means, sds = Assumptions().grid
    return rng.choice(means, CELLS), rng.choice(sds, CELLS)


def test_random_cells_are_the_quadratures(found: tuple[list[Job], MarginalLikelihood]) -> None:
    """L(β) on a grid of β is the same under every prior: one quadrature a table, then any prior."""
    jobs, likelihood = found
    means, sds = random_cells()
    cells = likelihood.normal(means, sds, TAIL)
    flat = [quadrature(job.data, priors_with(Prior("normal", (0.0, 10.0))), -3.5, 2.0, 111) for job in jobs]
    beta = flat[0].beta
    edge = np.where(np.isclose(beta, 0), 0.5, beta < 0)
    assert (cells.size >= LEAST_SIZE).sum() >= CELLS - 2  # the others are shown as failed
    for cell, (mean, sd) in enumerate(zip(means, sds, strict=True)):
        ratio = np.exp(Prior("normal", (float(mean), float(sd))).distribution.logpdf(beta) + 0.5 * (beta / 10.0) ** 2)
        parts = [one.margin * ratio / (one.margin @ ratio) for one in flat]
        exact = float(WEIGHTS @ [part @ edge for part in parts])
        if cells.size[cell] >= LEAST_SIZE:
            assert cells.below[cell] == pytest.approx(exact, abs=4 * cells.error[cell] + 1e-3)


@pytest.mark.slow
def test_random_cells_are_those_of_nuts(found: tuple[list[Job], MarginalLikelihood]) -> None:
    """20 cells of the grid, each refitted by NUTS on every table: differences are Monte Carlo errors."""
    jobs, likelihood = found
    means, sds = random_cells()
    cells = likelihood.normal(means, sds, TAIL)
    again = [
        Job(job.data, priors_with(Prior("normal", (float(mean), float(sd)))), 1000 * cell + place, 1.0)
        for cell, (mean, sd) in enumerate(zip(means, sds, strict=True))
        for place, job in enumerate(jobs)
    ]
    fits = by_nuts(fitter_for(weibull.build, again, SETTINGS), again, SETTINGS, LIMITS, 4 * DRAWS, None)
    below = np.array([(draws.values["log_hazard_ratio"] < 0).mean() for draws, _ in fits]).reshape(CELLS, TABLES)
    size = np.array([health.ess_bulk_min for _, health in fits]).reshape(CELLS, TABLES)
    own = np.sqrt(((WEIGHTS**2) * np.maximum(below * (1 - below), 1e-4) / size).sum(axis=1))
    z = ((below @ WEIGHTS - cells.below) / np.hypot(own, cells.error))[cells.size >= LEAST_SIZE]
    assert np.abs(z).max() < 3.0
    assert np.sqrt((z**2).mean()) < 1.5
