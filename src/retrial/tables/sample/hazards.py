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
    pilots: Sequence[Island],
    seed: int,
    factors: Mapping[Reading, float],
    prior: TablePrior,
) -> PrintedHazards:
    """Draws of all samplers in proportion to their evidence, times a factor for each reading. The mean evidence over R equally likely
    readings is that of the joint samplers and, for each reading that only its pilot reached, that pilot's over R.
    """
    n_readings = len({reading for island in (*islands, *pilots) for reading in island.readings})
    shares = [-np.log(len(islands) or 1)] * len(islands) + [-np.log(n_readings)] * len(pilots)
    parts = [
        (number, island, island.log_evidence + share)
        for number, (island, share) in enumerate(zip((*islands, *pilots), shares, strict=True))
        if island.arrived
    ]
    weights = np.exp(np.array([log for _, _, log in parts]) - max(log for _, _, log in parts))
    sizes = [len(island.d) for _, island, _ in parts]
    by_reading = [np.array([factors.get(reading, 0.0) for reading in island.readings])[island.which] for _, island, _ in parts]
    mass, number = (
        np.repeat(weights / sizes, sizes) * np.concatenate(by_reading),
        np.repeat([number for number, _, _ in parts], sizes),
    )
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(HAZARDS,)))
    places = drawn_places(mass, DRAWS, random.random())
    log_hazards = np.concatenate([island.log_hazards for _, island, _ in parts])
    unit = MONTHS_PER_UNIT[targets.time_unit]
    starts = targets.first - targets.step + targets.step * prior.edges(targets.n_times)[0][:-1]
    step = targets.step * unit
    return PrintedHazards(starts * unit, step, log_hazards[places] - np.log(step), number[places].astype(np.int64))
