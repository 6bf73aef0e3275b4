"""Tables drawn forward in time: structure of every kind held, exact moments, a walk where nothing can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.forward import beta_binomial
from retrial.tables.kernel.prior import TablePrior, prior_factors
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.smc.island import Sizes, prior_pairs
from retrial.tables.sample.structure import first_table
from tests.tables.toy import number, toy_targets

PRIOR = TablePrior(pieces=3)
PER_ARM = [number("events", "5", CONTROL), number("events", "3", EXPERIMENTAL)]
ENDS = [number("shortest", "1"), number("longest", "6")]
RISK = [number("at_risk", text, arm, time=3.0) for text, arm in (("7", CONTROL), ("10", EXPERIMENTAL))]
KINDS = {
    "free": [],
    "per arm": PER_ARM,
    "one arm": PER_ARM[:1],
    "other arm": PER_ARM[1:],
    "total": [number("events", "8")],
    "ends": [number("events", "8"), *ENDS],
    "risk": [*PER_ARM, *ENDS, *RISK, number("at_risk", "2", CONTROL, time=5.0)],
}


def sizes(particles: int) -> Sizes:
    """Of a small island."""
    return Sizes(particles, burn_in=50, proposals=50, most=50, target=0, share=0.6, last_temperature=10.0)


def holds(table: Table, item: Target) -> bool:
    values = {
        "events": lambda: table.events(item.arm),
        "shortest": table.shortest,
        "longest": table.longest,
        "at_risk": lambda: table.at_risk(item.arm, item.time),
    }
    return values[item.statistic]() == item.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_has_the_structure_and_its_own_totals(kind: str) -> None:
    targets = toy_targets((12, 14), 6, KINDS[kind])
    problem = build_problem(targets, Reading(None, None, None), PRIOR)
    population = prior_pairs(problem, first_table(targets), sizes(300), np.random.SeedSequence(1))
    d, r = population.tables()
    assert (d[:, 2] == d[:, 0] + d[:, 1]).all()
    assert (r[:, 2] == r[:, 0] + r[:, 1]).all()
    assert (r[:, :2, 0] == [12, 14]).all()
    leaving = leaving_of(r[:, :2])
    assert (leaving >= d[:, :2]).all()
    assert (leaving.sum(axis=-1) == [12, 14]).all()
    assert 0 <= population.levels.min() <= population.levels.max() < problem.prior.shape[0]
    for events, gone in zip(d[:, :2], leaving, strict=True):
        table = Table(targets.times, events, gone - events)
        assert all(holds(table, item) for item in targets.targets)


def test_beta_binomial_is_scipys() -> None:
    prior = TablePrior(event_mean=0.2, event_shape=1.5, censoring_mean=0.1, censoring_shape=0.7)
    factors, state = prior_factors(prior, 6, 20)[0], random_state(np.random.SeedSequence(2))
    for row, (a, b) in ((0, (1.5, 6.0)), (3, (0.7, 6.3))):
        drawn = np.bincount([beta_binomial(factors, row, 15, state) for _ in range(20_000)], minlength=16)
        expected = 20_000 * stats.betabinom(15, a, b).pmf(np.arange(16))
        many = expected >= 5
        chi_square = ((drawn[many] - expected[many]) ** 2 / expected[many]).sum()
        assert stats.chi2.sf(chi_square, many.sum() - 1) > 1e-3


def test_a_walk_where_the_pools_hold_nothing() -> None:
    """Numbers at risk that no pool of a dozen tables meets (300 patients, exact at five times): every table has them nevertheless."""
    at_risk = [number("at_risk", text, CONTROL, time=t) for text, t in (("287", 2.0), ("211", 3.0), ("150", 4.0), ("93", 5.0))]
    targets = toy_targets((300, 300), 6, [*at_risk, number("events", "137", CONTROL), number("events", "91", EXPERIMENTAL)])
    problem = build_problem(targets, Reading(None, None, None), PRIOR)
    d, r = prior_pairs(problem, first_table(targets), sizes(2), np.random.SeedSequence(3)).tables()
    assert (d[:, 0].sum(axis=-1) == 137).all()
    assert (d[:, 1].sum(axis=-1) == 91).all()
    assert (r[:, 0, 1:5] == [287, 211, 150, 93]).all()
    assert d[:, 2].sum() == 2 * (137 + 91)
