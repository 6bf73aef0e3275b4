"""What the prior of the tables says before any statistic but counts and times: tables drawn from it, with the printed structure."""

from __future__ import annotations

import numpy as np

from retrial.tables.ensemble import MANY_PATIENTS, ReconstructionSettings
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.island import draw_prior
from retrial.tables.kernel.problem import PIECES
from retrial.tables.kernel.walk import N_ENERGIES
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.pool import leaving_of
from retrial.tables.sample.sampler import BURN_IN_PER_PATIENT
from retrial.tables.sample.structure import first_table

PRIOR = 5
"""First entry of the seed's spawn key (0 to 4: samplers, pool, strict tables, blame)."""

STRUCTURE = ("events", "shortest", "longest", "at_risk")
"""Groups of printed numbers that a table has by construction (`structure`)."""


def prior_tables(targets: Targets, settings: ReconstructionSettings, seed: int, n_tables: int) -> LifeTable:
    """Tables (n_tables, arm, time in months) of the prior given the structure: patients, printed events, numbers at risk, shortest and
    longest time. Medians, ratios, tests and curves are not asked for: beside the ensemble they show what those added.

    The same walk that every sampler starts from (`island.draw_prior`), at inverse temperature 0.
    """
    structure = targets.without(*(name for name in targets.names if name.partition(".")[0] not in STRUCTURE))
    problem = build_problem(structure, Reading(None, None, None), settings.prior)
    first_d, first_r = first_table(structure)
    n_times = structure.n_times
    d = np.empty((n_tables, 3, n_times), np.int64)
    r = np.empty((n_tables, 3, n_times + 1), np.int64)
    d[0], r[0] = first_d, first_r
    levels = np.full((n_tables, 2, 2, problem.whole[0, PIECES]), problem.prior.shape[0] // 2, np.int64)
    state = random_state(np.random.SeedSequence(seed, spawn_key=(PRIOR,)))
    burn_in = BURN_IN_PER_PATIENT * min(int(first_r[2, 0]), MANY_PATIENTS)
    draw_prior(problem, np.zeros(n_tables, np.int64), d, r, levels, np.zeros((n_tables, N_ENERGIES)), burn_in, state)
    return LifeTable.from_counts(targets.months, d[:, :2], leaving_of(r[:, :2]) - d[:, :2])
