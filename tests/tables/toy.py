"""Toy endpoints small enough to list every table, with exact prior and agreement by code that the sampler does not use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.kernel.problem import Problem
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target, Targets
from retrial.tables.sample.smc.population import Population

Arm = list[tuple[np.ndarray, np.ndarray]]
"""Tables (events, censored) of one arm."""
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


def log_table(d: np.ndarray, c: np.ndarray, h: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Log probability of one arm's table by scipy's binomials, given (..., T) hazards of events and censorings at each time; the last time's
    remainder leaves with certainty.
    """
    at_risk = np.append(np.cumsum((d + c)[::-1])[::-1], 0)[:-1]
    events = stats.binom.logpmf(d, at_risk, -np.expm1(-h)).sum(axis=-1)
    return np.asarray(events + stats.binom.logpmf(c[:-1], (at_risk - d)[:-1], -np.expm1(-q[..., :-1])).sum(axis=-1))


NODES = 14
"""Of Gauss-Hermite quadrature in each dimension: errors of probabilities are about a hundredth of the largest with the default prior."""


def grid_of(dimension: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, dimension) standard normal nodes and (K,) weights."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = np.stack(np.meshgrid(*[x] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension).prod(axis=-1)
    return points, weights


def arm_parts(d: np.ndarray, c: np.ndarray, events: np.ndarray, censorings: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(K,) one arm's probabilities at K paths of the event hazard, averaged over the censorings' with `weights`."""
    of_censorings = (
        np.exp(log_table(d, c, np.full(d.size, 1.0), censorings))
        @ weights
        / np.exp(log_table(d, c, np.full(d.size, 1.0), np.full(d.size, 1.0)))
    )
    return np.asarray(np.exp(log_table(d, c, events, np.full(d.size, 1.0))) * of_censorings)


def pieces_of(prior: TablePrior, n_times: int) -> tuple[np.ndarray, int]:
    """(T,) the piece of each grid time, and how many pieces have no censorings; parts that are equal but for where these end."""
    pieces = min(prior.pieces, n_times)
    at = prior.uncensored or prior.edge
    if not at:
        return np.arange(n_times) * pieces // n_times, 0
    edges = [-(-piece * n_times // pieces) for piece in range(1, pieces)]
    moved = min(range(len(edges)), key=lambda place: abs(edges[place] - at))
    edges[moved] = at
    return np.searchsorted(edges, np.arange(n_times), side="right"), moved + 1 if prior.uncensored else 0


def pair_probabilities(arms: Sequence[Arm], n_times: int, prior: TablePrior, nodes: int = NODES) -> tuple[np.ndarray, np.ndarray]:
    """(K0, K1) prior probabilities of every pair of arms' tables: of both arms' prior, and of each arm's own, by quadrature over hazards."""
    at, without = pieces_of(prior, n_times)
    pieces, mean = at[-1] + 1, np.log(np.log(2.0) / n_times)
    censoring, same, _ = prior.covariances(pieces, without)
    z, weights = grid_of(pieces, nodes)
    censorings = np.where(at < without, 0.0, np.exp(mean + z @ np.linalg.cholesky(censoring).T)[:, at])
    own = np.exp(mean + z @ np.linalg.cholesky(same).T)[:, at]
    alone = [np.array([weights @ arm_parts(d, c, own, censorings, weights) for d, c in arm]) for arm in arms]
    together, _, weights2 = coupled_parts(arms, n_times, prior, nodes)
    return (together[0] * weights2) @ together[1].T, np.outer(*alone)


def coupled_parts(
    arms: Sequence[Arm], n_times: int, prior: TablePrior, nodes: int
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Of each arm (tables, K) probabilities at K nodes of both arms' log event hazards; these (K, 2 P), and their (K,) weights."""
    at, without = pieces_of(prior, n_times)
    pieces, mean = at[-1] + 1, np.log(np.log(2.0) / n_times)
    censoring, same, across = prior.covariances(pieces, without)
    z, weights = grid_of(pieces, nodes)
    censorings = np.where(at < without, 0.0, np.exp(mean + z @ np.linalg.cholesky(censoring).T)[:, at])
    z2, weights2 = grid_of(2 * pieces, nodes)
    both = mean + z2 @ np.linalg.cholesky(np.block([[same, across], [across, same]])).T
    paths = [np.exp(both[:, :pieces][:, at]), np.exp(both[:, pieces:][:, at])]
    together = [
        np.array([arm_parts(d, c, path, censorings, weights) for d, c in arm]) for arm, path in zip(arms, paths, strict=True)
    ]
    return together, both, weights2


def exact_hazards(targets: Targets, reading: Reading, prior: TablePrior) -> np.ndarray:
    """(2, P) means of the log event hazards given structure and agreement."""
    arms, pieces = (
        [arm_tables(n, targets.n_times) for n in (targets.n_control, targets.n_experimental)],
        min(prior.pieces, targets.n_times),
    )
    together, paths, weights = coupled_parts(arms, targets.n_times, prior, NODES)
    agrees = np.zeros([len(arm) for arm in arms])
    for (i, (d0, c0)), (j, (d1, c1)) in itertools.product(*(enumerate(arm) for arm in arms)):
        table = Table(targets.times, np.stack([d0, d1]), np.stack([c0, c1]))
        agrees[i, j] = _structured(table, targets) and not violated(table, targets, reading)
    mass = weights * np.einsum("ik,ij,jk->k", together[0], agrees, together[1])
    return np.asarray((mass @ paths / mass.sum()).reshape(2, pieces))


def key(d: np.ndarray, c: np.ndarray) -> Counts:
    """Hashable (2 arms) x (events, then censored)."""
    return tuple(tuple(int(x) for x in np.concatenate([d[arm], c[arm]])) for arm in range(2))


STRUCTURE = ("events", "shortest", "longest", "at_risk")


def exact_probability(targets: Targets, reading: Reading, prior: TablePrior) -> float:
    """P(agreement and structure) of both arms' prior: what one hypothesis about the design is weighed by."""
    arms = [arm_tables(n, targets.n_times) for n in (targets.n_control, targets.n_experimental)]
    together, _ = pair_probabilities(arms, targets.n_times, prior)
    total = 0.0
    for (i, (d0, c0)), (j, (d1, c1)) in itertools.product(*(enumerate(arm) for arm in arms)):
        table = Table(targets.times, np.stack([d0, d1]), np.stack([c0, c1]))
        if _structured(table, targets) and not violated(table, targets, reading):
            total += float(together[i, j])
    return total


def exact(targets: Targets, readings: tuple[Reading, ...], prior: TablePrior) -> tuple[list[dict[Counts, float]], np.ndarray]:
    """Exact distribution over the tables in agreement and evidence per reading: P(agreement and structure) of both arms' prior, over
    P(structure) of each arm's own.
    """
    arms = [arm_tables(n, targets.n_times) for n in (targets.n_control, targets.n_experimental)]
    together, alone = pair_probabilities(arms, targets.n_times, prior)
    weights: list[dict[Counts, float]] = [{} for _ in readings]
    structure = 0.0
    for (i, (d0, c0)), (j, (d1, c1)) in itertools.product(*(enumerate(arm) for arm in arms)):
        d, c = np.stack([d0, d1]), np.stack([c0, c1])
        table = Table(targets.times, d, c)
        if not _structured(table, targets):
            continue
        structure += alone[i, j]
        for found, reading in zip(weights, readings, strict=True):
            if not violated(table, targets, reading):
                found[key(d, c)] = together[i, j]
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
