"""Toy endpoints small enough to list every table, with exact prior and agreement by code that the sampler does not use."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
from scipy import special, stats

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.kernel.problem import Problem
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target, Targets
from retrial.tables.sample.smc.population import Population

Counts = tuple[tuple[int, ...], ...]


def number(statistic: str, text: str, arm: str = "total", half: float = 0.0, time: float = math.nan) -> Target:
    value = float(text)
    return Target(statistic, arm, text, value, value - half, value + half, value - half, value + half, time=time)


def toy_targets(n: tuple[int, int], n_times: int, targets: list[Target]) -> Targets:
    return Targets("toy", n[0], n[1], 1.0, float(n_times), 1.0, "months", tuple(targets))


def arm_tables(n: int, n_times: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every (events, censored) of n patients on the grid."""
    found = []
    for cells in itertools.combinations_with_replacement(range(2 * n_times), n):
        counts = np.bincount(cells, minlength=2 * n_times)
        found.append((counts[:n_times], counts[n_times:]))
    return found


def log_prior(d: np.ndarray, c: np.ndarray, prior: TablePrior) -> float:
    """One arm's prior by scipy: beta-binomials at each level of the mean, summed over all walks of levels (forward sums);
    the last time's remainder leaves with certainty.
    """
    n_times, pieces = d.size, min(prior.pieces, d.size)
    at_risk = np.append(np.cumsum((d + c)[::-1])[::-1], 0)
    parameters, steps = prior.parameters(n_times), prior.steps(n_times)
    total = 0.0
    for kind, (counts, available, columns) in enumerate(
        [(c[:-1], (at_risk[:-1] - d)[:-1], parameters[:, 2:]), (d, at_risk[:-1], parameters[:, :2])]
    ):
        by_piece = np.zeros((pieces, len(parameters)))
        for t in range(counts.size):
            by_piece[t * pieces // n_times] += stats.betabinom.logpmf(counts[t], available[t], columns[:, 0], columns[:, 1])
        forward = by_piece[0] - np.log(len(parameters))
        for piece in by_piece[1:]:
            forward = special.logsumexp(forward[:, None] + steps[kind], axis=0) + piece
        total += float(special.logsumexp(forward))
    return total


def key(d: np.ndarray, c: np.ndarray) -> Counts:
    """Hashable (2 arms) x (events, then censored)."""
    return tuple(tuple(int(x) for x in np.concatenate([d[arm], c[arm]])) for arm in range(2))


STRUCTURE = ("events", "shortest", "longest", "at_risk")


def exact(targets: Targets, readings: tuple[Reading, ...], prior: TablePrior) -> tuple[list[dict[Counts, float]], np.ndarray]:
    """Exact distribution over the tables in agreement and evidence P(agreement | structure), per reading."""
    arms = [
        [(d, c, log_prior(d, c, prior)) for d, c in arm_tables(n, targets.n_times)]
        for n in (targets.n_control, targets.n_experimental)
    ]
    weights: list[dict[Counts, float]] = [{} for _ in readings]
    structure = 0.0
    for (d0, c0, p0), (d1, c1, p1) in itertools.product(*arms):
        d, c = np.stack([d0, d1]), np.stack([c0, c1])
        table = Table(targets.times, d, c)
        if not _structured(table, targets):
            continue
        probability = math.exp(p0 + p1)
        structure += probability
        for found, reading in zip(weights, readings, strict=True):
            if not violated(table, targets, reading):
                found[key(d, c)] = probability
    evidence = np.array([sum(found.values()) for found in weights])
    return [
        {k: v / total for k, v in found.items()} for found, total in zip(weights, evidence, strict=True)
    ], evidence / structure


def _structured(table: Table, targets: Targets) -> bool:
    for item in targets.targets:
        values = {
            "events": lambda item: table.events(item.arm),
            "shortest": lambda item: table.shortest(item.arm),
            "longest": lambda item: table.longest(item.arm),
            "at_risk": lambda item: table.at_risk(item.arm, item.time),
        }
        if item.statistic in STRUCTURE and not item.low <= values[item.statistic](item) <= item.high:
            return False
    return True


def total_variation(sampled: dict[Counts, float], expected: dict[Counts, float]) -> float:
    return 0.5 * sum(abs(sampled.get(k, 0.0) - expected.get(k, 0.0)) for k in set(sampled) | set(expected))


def row_of(frame: pd.DataFrame, quantity: str, arm: str, time: float | None = None) -> pd.Series:
    """The one row of a spread."""
    found = frame[(frame["quantity"] == quantity) & (frame["arm"] == arm) & (True if time is None else frame["time"] == time)]
    assert len(found) == 1
    return found.iloc[0]


def at_table(problem: Problem, table: tuple[np.ndarray, np.ndarray], seed: int = 0) -> Population:
    """A population of one particle, which is the table."""
    population = Population.empty(problem, table[1], 1, np.random.SeedSequence(seed))
    population.put(table)
    population.look(BOTH)
    return population
