"""Hazards of the sampled tables as draws of one posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrial.dims import MONTHS_PER_UNIT
from retrial.tables.ensemble import Island, PrintedHazards
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.smc.weights import drawn_places

HAZARDS = 6
"""First entry of the seed's spawn key (0 to 5: samplers, pool, strict tables, blame, prior)."""
DRAWS = 4_000
"""Draws kept: about as many as all samplers have tables."""


def printed_hazards(
    targets: Targets,
    islands: Sequence[Island],
    seed: int,
    shares: Mapping[Reading, float],
    prior: TablePrior,
) -> PrintedHazards:
    """Draws of all samplers: each reading in proportion to its share, and within it those of each sampler to its evidence for the reading."""
    parts = [(number, island) for number, island in enumerate(islands) if island.arrived]
    mass = [np.zeros(len(island.d)) for _, island in parts]
    for reading, share in shares.items():
        mine = [island.which == island.readings.index(reading) if reading in island.readings else None for _, island in parts]
        logs = [
            island.of(reading).log_evidence if rows is not None and rows.any() else -np.inf
            for (_, island), rows in zip(parts, mine, strict=True)
        ]
        if max(logs, default=-np.inf) == -np.inf:
            continue
        weights = np.exp(np.array(logs) - max(logs))
        for own, rows, weight in zip(mass, mine, weights / weights.sum(), strict=True):
            if rows is not None and weight > 0:
                own[rows] = share * weight / rows.sum()
    number = np.repeat([number for number, _ in parts], [len(own) for own in mass])
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(HAZARDS,)))
    places = drawn_places(np.concatenate(mass), DRAWS, random.random())
    log_hazards = np.concatenate([island.log_hazards for _, island in parts])
    unit = MONTHS_PER_UNIT[targets.time_unit]
    starts = targets.first - targets.step + targets.step * prior.edges(targets.n_times)[0][:-1]
    step = targets.step * unit
    return PrintedHazards(starts * unit, step, log_hazards[places] - np.log(step), number[places].astype(np.int64))
