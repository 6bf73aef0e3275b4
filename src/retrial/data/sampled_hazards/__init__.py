"""Hazards that were sampled with the tables: answers of the posterior given what is printed, with nothing fitted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.answers.rows import Subject
from retrial.answers.survival import survival_rows
from retrial.data.kind import Fits, Kind
from retrial.dims import ARMS
from retrial.estimate import Estimate
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import PrintedHazards

OF_THE_TABLES = "tables"
"""Name of the prior in the rows: that of the tables, no named set."""
AFTER = {"exact": 0.5, "nearest": 0.5, "floor": 1.0, "ceiling": 0.0}
"""How much of a recording unit its end lies after the recorded time."""
LEAST_PIECE = 0.01
"""Shortest piece, of a recording unit."""
SOURCE = "hazards sampled with the tables, given the printed numbers"


def no_effects(_study: Study) -> tuple[str, ...]:
    """No named prior set speaks of these hazards."""
    return ()


def fit(run: RunConfig, spec: ModelSpec, _study: Study, tables: Sequence[EndpointTables]) -> Fits:
    """Rows of every endpoint whose tables were sampled and agree."""
    with step(f"{spec.name}: hazards of the tables"):
        return Fits([row for item in tables for row in rows_of(run, spec, item)])


def rows_of(run: RunConfig, spec: ModelSpec, item: EndpointTables) -> list[Estimate]:
    """HR(t), medians, restricted means, S(t); Monte Carlo errors by the spread of the samplers. None without hazards."""
    if item.ensemble is None or item.ensemble.hazards is None:
        return []
    found = on_units(item.ensemble.hazards, item.recorded)
    order = np.argsort(found.island, kind="stable")
    nothing = np.zeros(order.size, int)
    origin = Origin(nothing, nothing, found.island[order])
    subject = Subject(item.endpoint, "", spec.name, OF_THE_TABLES, SOURCE, origin=origin)
    hazard = functools.partial(spec.hazard_of(), starts=found.starts)
    draws, follow_up = {"log_hazards": found.log_hazards[order]}, FollowUp.of(item.table, item.weights)
    # hazards are of the whole grid, whenever the last patient of a table leaves: all draws answer
    together = FollowUp.one((follow_up.months,) * len(ARMS))
    rows = survival_rows(subject, hazard, draws, run.questions, together, spec.proportional)
    return [row for row in rows if not (row.quantity == "hazard_ratio" and row.time is not None and row.time < found.starts[0])]


def on_units(found: PrintedHazards, recorded: str) -> PrintedHazards:
    """Pieces where the recording units lie: about the recorded time (exact, nearest), after it (floor), before it (ceiling). What would lie before
    time 0 happens in what is left of the first piece, a hundredth of a unit at least.
    """
    starts = found.starts + found.step * AFTER[recorded]
    if starts[0] >= 0.0:
        return dataclasses.replace(found, starts=starts)
    log_hazards, length = found.log_hazards.copy(), starts[1:2] - starts[:1]
    starts[0] = 0.0
    for piece in range(1, starts.size):
        starts[piece] = max(starts[piece], starts[piece - 1] + found.step * LEAST_PIECE)
    log_hazards[:, :, :1] += np.log(length / (starts[1:2] - starts[:1]))
    return dataclasses.replace(found, starts=starts, log_hazards=log_hazards)


KIND = Kind("sampled_hazards", needed=("hazard",), effects=no_effects, fit=fit, from_tables=True)
