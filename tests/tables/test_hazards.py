"""Hazards of the tables' prior: likelihood, coupling of the arms, moves given a table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.entries import Arms
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.prior import (
    ACROSS,
    CENSORING,
    EVENT,
    SAME,
    TablePrior,
    centre,
    count_pieces,
    coupling_energy,
    fill_cells,
    log_likelihood,
    log_prior,
    move_hazards,
    move_runs,
)
from retrial.tables.kernel.problem import Problem
from retrial.tables.printed.readings import Reading
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.structure import first_table
from tests.tables.toy import at_table, log_table, toy_targets


def some_table(seed: int = 4) -> tuple[Problem, Population, np.ndarray, np.ndarray]:
    """A toy of 9 v 7 patients after a walk at infinite temperature, its events and those who leave."""
    problem = build_problem(toy_targets((9, 7), 6, []), Reading(None, None, None), TablePrior(pieces=3))
    one = at_table(problem, first_table(toy_targets((9, 7), 6, [])), seed)
    one.walk(np.zeros(1, np.int64), BOTH, 200)
    d, r = (array[0] for array in one.tables())
    return problem, one, d[:2], leaving_of(r)[:2]


def test_prior_of_a_table_is_binomial_given_its_hazards() -> None:
    """The whole, and by parts."""
    problem, one, d, leaving = some_table()
    cells, arms = np.empty((2, 2, 6)), Arms(one.t[0], one.d[0], one.c[0], one.m[0], one.n, one.slots)
    for arm in range(2):
        h, q = (np.exp(one.hazards[0, kind, arm])[[0, 0, 1, 1, 2, 2]] for kind in (EVENT, 1 - EVENT))
        fill_cells(one.hazards[0], arm, problem.edges, cells)
        expected = log_table(d[arm], leaving[arm] - d[arm], h, q) - gammaln(one.n[arm] + 1)
        assert log_prior(cells, problem.log_factorial, arms, arm, 0, 6) == pytest.approx(expected, abs=1e-8)
        for cut in range(1, 6):
            parts = [log_prior(cells, problem.log_factorial, arms, arm, *part) for part in ((0, cut), (cut, 6))]
            assert sum(parts) == pytest.approx(expected, abs=1e-8)


def test_sufficient_statistics_give_the_same_likelihood() -> None:
    problem, one, _, _ = some_table(5)
    cells, arms = np.empty((2, 2, 6)), Arms(one.t[0], one.d[0], one.c[0], one.m[0], one.n, one.slots)
    found = []
    for hazards in (one.hazards[0], one.hazards[0] + np.random.default_rng(6).normal(0, 0.5, one.hazards[0].shape)):
        statistics, total = np.empty((2, 3, 2)), 0.0
        for arm in range(2):
            fill_cells(hazards, arm, problem.edges, cells)
            count_pieces(arms, arm, problem.edges, statistics)
            total += log_prior(cells, problem.log_factorial, arms, arm, 0, 6)
            total -= sum(
                log_likelihood(hazards[kind, arm, piece], *statistics[kind, piece]) for kind in range(2) for piece in range(3)
            )
        found.append(total)
    assert found[0] == pytest.approx(found[1], abs=1e-8)


@pytest.mark.parametrize("prior", [TablePrior(), TablePrior(overdispersion=0.8, walk_scale=0.3)])
def test_arms_are_exchangeable_and_coupled_as_their_gaussian_says(prior: TablePrior) -> None:
    censoring, same, across = prior.covariances(6)
    whole = np.block([[same, across], [across, same]])
    assert np.linalg.eigvalsh(whole).min() > 0
    assert np.linalg.eigvalsh(censoring).min() > 0
    x = np.random.default_rng(1).normal(size=(5, 2, 6))
    expected = [
        sum(stats.multivariate_normal(cov=same).logpdf(arm) for arm in pair)
        - stats.multivariate_normal(cov=whole).logpdf(pair.ravel())
        for pair in x
    ]
    assert coupling_energy(prior.gaussians(6), x) == pytest.approx(expected, abs=1e-8)
    assert coupling_energy(prior.gaussians(6), x[:, ::-1]) == pytest.approx(expected, abs=1e-8)


def test_hazards_move_within_their_posterior_given_a_table() -> None:
    """One piece: the mean of each log hazard against quadrature, of an arm alone and of both arms coupled."""
    prior = TablePrior(pieces=1, effect_scale=0.3)
    targets = toy_targets((9, 7), 6, [])
    problem = build_problem(targets, Reading(None, None, None), prior)
    start = at_table(problem, first_table(targets))
    arms = Arms(start.t[0], start.d[0], start.c[0], start.m[0], start.n, start.slots)
    statistics, state = np.empty((2, 1, 2)), random_state(np.random.SeedSequence(9))
    _, same, across = prior.covariances(1)
    x = np.linspace(-6, 4, 400) + centre(6)
    likelihood = []
    for arm in range(2):
        count_pieces(arms, arm, problem.edges, statistics)
        likelihood.append(np.exp([log_likelihood(value, *statistics[EVENT, 0]) for value in x]))
    for coupling in (0.0, 1.0):
        cov = np.array([[same[0, 0], coupling * across[0, 0]], [coupling * across[0, 0], same[0, 0]]])
        grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
        density = stats.multivariate_normal([centre(6)] * 2, cov).pdf(grid) * np.outer(*likelihood)
        expected = [(density.sum(axis=1 - arm) * x).sum() / density.sum() for arm in range(2)]
        hazards, draws = start.hazards[0].copy(), []
        for _ in range(40_000):
            for arm in range(2):
                move_hazards(problem.gaussians, hazards, arms, arm, problem.edges, coupling, statistics, state)
            draws.append(hazards[EVENT, :, 0].copy())
        assert np.mean(draws, axis=0) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("coupling", [0.0, 0.4, 1.0])
def test_runs_of_hazards_move_within_their_posterior_given_a_table(coupling: float) -> None:
    """Three pieces moved by runs alone: mean and SD of every log hazard against draws of the Gaussian weighted by the likelihood."""
    prior = TablePrior(pieces=3, effect_scale=0.3)
    targets = toy_targets((9, 7), 6, [])
    problem = build_problem(targets, Reading(None, None, None), prior)
    start = at_table(problem, first_table(targets))
    arms = Arms(start.t[0], start.d[0], start.c[0], start.m[0], start.n, start.slots)
    statistics, state = np.empty((2, 2, 3, 2)), random_state(np.random.SeedSequence(11))
    for arm in range(2):
        count_pieces(arms, arm, problem.edges, statistics[arm])
    own, same, across = problem.gaussians[EVENT], problem.gaussians[SAME], problem.gaussians[ACROSS]
    within, between = (1 - coupling) * own + coupling * same, coupling * across
    events = np.linalg.inv(np.block([[within, between], [between, within]]))
    alone = np.linalg.inv(problem.gaussians[CENSORING])
    random, mean = np.random.default_rng(12), centre(6)
    x = np.empty((400_000, 2, 2, 3))
    x[:, EVENT] = mean + (random.standard_normal((len(x), 6)) @ np.linalg.cholesky(events).T).reshape(-1, 2, 3)
    x[:, CENSORING] = mean + random.standard_normal((len(x), 2, 3)) @ np.linalg.cholesky(alone).T
    count, exposure = np.moveaxis(statistics, 0, 1)[..., 0], np.moveaxis(statistics, 0, 1)[..., 1]
    logs = (count * np.log(-np.expm1(-np.exp(x))) - np.exp(x) * (exposure - count)).sum(axis=(1, 2, 3))
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    expected = np.einsum("n,nkap->kap", weights, x)
    spread = np.sqrt(np.einsum("n,nkap->kap", weights, (x - expected) ** 2))
    hazards, draws = start.hazards[0].copy(), []
    for _ in range(150_000):
        move_runs(problem.gaussians, hazards, BOTH, problem.edges, coupling, statistics, state)
        draws.append(hazards.copy())
    assert np.mean(draws, axis=0) == pytest.approx(expected, abs=0.05)
    assert np.std(draws, axis=0) == pytest.approx(spread, rel=0.05)
