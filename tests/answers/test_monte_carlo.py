"""Monte Carlo standard errors against what is known: independent normals, autoregressions, strata, and ArviZ on one table."""

from __future__ import annotations

import time

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from retrial.answers.monte_carlo import Origin
from retrial.answers.proportions import proportion_rows
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject

LEVELS = np.array([0.025, 0.5, 0.975])


def quantile_errors(origin: Origin, draws: np.ndarray) -> np.ndarray:
    ordered = np.sort(draws)
    return origin.quantile_errors(ordered, draws, LEVELS, np.quantile(ordered, LEVELS))


def autoregression(rng: np.random.Generator, correlation: float, chains: int, draws: int) -> np.ndarray:
    """Stationary AR(1) of unit variance, (chain, draw)."""
    noise = rng.normal(size=(chains, draws)) * np.sqrt(1 - correlation**2)
    noise[:, 0] = rng.normal(size=chains)
    for step in range(1, draws):
        noise[:, step] += correlation * noise[:, step - 1]
    return noise


def test_independent_normals() -> None:
    """SE of a mean sd / √n; of a quantile √(p (1 - p) / n) / density."""
    rng, n = np.random.default_rng(1), 20_000
    draws = rng.normal(3.0, 2.0, n)
    origin = Origin.of_chains(4, n // 4)
    assert origin.mean_errors(draws[None])[0] == pytest.approx(2.0 / np.sqrt(n), rel=0.05)
    exact = np.sqrt(LEVELS * (1 - LEVELS) / n) / stats.norm.pdf(stats.norm.ppf(LEVELS)) * 2.0
    found = np.mean([quantile_errors(origin, rng.normal(3.0, 2.0, n)) for _ in range(20)], axis=0)
    assert found == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("correlation", [0.5, 0.9, -0.4])
def test_autoregressions(correlation: float) -> None:
    """The variance of a mean is that of independent draws times (1 + ρ) / (1 - ρ)."""
    rng = np.random.default_rng(2)
    values = np.stack([autoregression(rng, correlation, 4, 5000).ravel() for _ in range(20)])
    found = Origin.of_chains(4, 5000).mean_errors(values)
    assert np.mean(found) == pytest.approx(np.sqrt((1 + correlation) / (1 - correlation) / 20_000), rel=0.08)


def test_the_error_is_the_spread_of_repeated_runs() -> None:
    """Over 300 repetitions of a pooled answer (tables of different means, shares and autocorrelation) its SD is the mean of its errors."""
    rng, means, shares = np.random.default_rng(3), np.array([-2.0, 0.0, 3.0]), np.array([4800, 2400, 800])
    table, chain = np.repeat(np.arange(3), shares), np.concatenate([np.repeat(np.arange(2), size // 2) for size in shares])
    origin = Origin(table, chain)
    answers, errors = [], []
    for _ in range(300):
        parts = [mean + autoregression(rng, 0.6, 2, size // 2).ravel() for mean, size in zip(means, shares, strict=True)]
        draws = np.concatenate(parts)
        answers.append([*np.quantile(draws, LEVELS), draws.mean(), (draws > 0).mean()])
        happens = (draws > 0).astype(float)
        errors.append([*quantile_errors(origin, draws), *origin.mean_errors(np.stack([draws, happens]))])
    ratio = np.mean(errors, axis=0) / np.std(answers, axis=0, ddof=1)
    assert ratio == pytest.approx(np.ones(5), abs=0.15)


def test_tables_that_differ_add_nothing_to_the_error() -> None:
    """Which table a draw is of is not left to chance: the same draws called one table have a larger error."""
    rng = np.random.default_rng(4)
    draws = np.concatenate([rng.normal(mean, 1.0, 1000) for mean in (-5.0, 5.0)])
    chain, apart = np.zeros(2000, dtype=int), np.repeat([0, 1], 1000)
    stratified, together = (Origin(table, chain).mean_errors(draws[None])[0] for table in (apart, np.zeros(2000, dtype=int)))
    assert stratified == pytest.approx(1 / np.sqrt(2000), rel=0.1)
    assert together > 10 * stratified


def test_chains_that_disagree_show() -> None:
    rng = np.random.default_rng(5)
    draws = np.concatenate([rng.normal(mean, 1.0, 1000) for mean in (-1.0, -1.0, 1.0, 1.0)])
    assert Origin.of_chains(4, 1000).mean_errors(draws[None])[0] > 0.2


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_one_table_as_arviz(correlation: float) -> None:
    chains = autoregression(np.random.default_rng(6), correlation, 4, 2500)
    origin, draws = Origin.of_chains(4, 2500), chains.ravel()
    quantiles = [float(array_stats.mcse(chains, chain_axis=0, draw_axis=1, method="quantile", prob=level)) for level in LEVELS]
    assert quantile_errors(origin, draws) == pytest.approx(quantiles, rel=0.12)
    mean = array_stats.mcse(chains, chain_axis=0, draw_axis=1, method="mean")
    assert origin.mean_errors(draws[None])[0] == pytest.approx(float(mean), rel=0.08)


def test_a_probability_of_one_has_no_error_and_equal_draws_none() -> None:
    origin = Origin.of_chains(2, 500)
    assert origin.mean_errors(np.ones((1, 1000)))[0] == 0
    assert quantile_errors(origin, np.ones(1000)).tolist() == [0, 0, 0]


def test_rows_carry_draws_and_errors() -> None:
    rng = np.random.default_rng(7)
    subject = Subject("ORR", "experimental / control", "m", "flat", "s", origin=Origin.of_chains(4, 1000))
    control, experimental = rng.beta(17, 32, 4000), rng.beta(24, 19, 4000)
    rows = proportion_rows(subject, control, experimental, Questions(), benefit=1)
    assert {row.draws for row in rows} == {4000}
    difference = next(row for row in rows if row.quantity == "risk_difference" and row.statistic == "value")
    assert difference.mcse_point == pytest.approx(1.2533 * difference.sd / np.sqrt(4000), rel=0.15)
    assert difference.mcse_lower > difference.mcse_point
    needed = next(row for row in rows if row.quantity == "number_needed_to_treat_to_benefit")
    assert needed.mcse_point == pytest.approx(difference.mcse_point * needed.point**2)
    assert needed.mcse_lower == pytest.approx(difference.mcse_upper * needed.lower**2)
    chance = next(row for row in rows if row.quantity == "risk_difference" and row.event == "above")
    assert chance.mcse_point == pytest.approx(np.sqrt(chance.point * (1 - chance.point) / 4000), rel=0.15)


def test_thousands_of_rows_take_seconds() -> None:
    """24,000 draws of 100 tables, 4 chains each: 200 rows within 4 s on a loaded core (0.5 s on a free one)."""
    rng = np.random.default_rng(8)
    origin = Origin(np.repeat(np.arange(100), 240), np.tile(np.repeat(np.arange(4), 60), 100))
    subject = Subject("os", "control", "m", "flat", "s", origin=origin)
    draws = rng.normal(size=(200, 24_000))
    start = time.process_time()
    for values in draws:
        subject.from_draws("median_survival", "months", values, Questions())
    assert time.process_time() - start < 4


def test_draws_of_shared_proposals_are_one() -> None:
    # 40 tables that all weigh one sample of 500 proposals alike: as if there were 500 draws, however often they are taken
    rng = np.random.default_rng(8)
    proposals, tables, each = rng.normal(size=500), 40, 100
    source = np.concatenate([rng.permutation(500)[:each] for _ in range(tables)])
    table, chain = np.repeat(np.arange(tables), each), np.tile(np.repeat(np.arange(4), each // 4), tables)
    shared = Origin(table, chain, source).mean_errors(proposals[source][None])[0]
    apart = Origin(table, chain).mean_errors(proposals[source][None])[0]
    assert apart == pytest.approx(1 / np.sqrt(tables * each), rel=0.2)
    assert shared == pytest.approx(1 / np.sqrt(500), rel=0.2)
    # half of the tables by chains of their own: variances of sums add
    mixed = np.where(table < tables // 2, -1, source)
    values = np.where(mixed < 0, rng.normal(size=mixed.size), proposals[source])
    together = Origin(table, chain, mixed).mean_errors(values[None])[0]
    assert together == pytest.approx(np.sqrt(0.25 / (tables * each / 2) + 0.25 / 500), rel=0.2)
