"""What the prior of the tables says before any statistic but counts and times: tables drawn from it, with the printed structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.sampler import sizes_of
from retrial.tables.sample.smc.island import prior_pairs
from retrial.tables.sample.structure import first_table

PRIOR = 5
"""First entry of the seed's spawn key (0 to 4: samplers, pool, strict tables, blame)."""

STRUCTURE = ("events", "shortest", "longest", "at_risk")
"""Groups of printed numbers that a table has by construction (`structure`)."""


def prior_tables(targets: Targets, settings: ReconstructionSettings, seed: int, n_tables: int) -> LifeTable:
    """Tables (n_tables, arm, time in months) of the prior given the structure: patients, printed events, numbers at risk, shortest and
    longest time. Medians, ratios, tests and curves are not asked for: beside the ensemble they show what those added.

    What every sampler starts from (`arms`), at inverse temperature 0.
    """
    structure = targets.without(*(name for name in targets.names if name.partition(".")[0] not in STRUCTURE))
    problem = build_problem(structure, Reading(None, None, None), settings.prior)
    sizes = sizes_of(structure, problem, settings)
    sizes = replace(sizes, particles=max(n_tables, sizes.particles))
    population = prior_pairs(problem, first_table(structure), sizes, np.random.SeedSequence(seed, spawn_key=(PRIOR,)))
    d, r = (array[:n_tables] for array in population.tables())
    return LifeTable.from_counts(targets.months, d[:, :2], leaving_of(r[:, :2]) - d[:, :2])
