"""Hazards that were sampled with the tables: answers of the posterior given what is printed, with nothing fitted."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from retrial.answers.monte_carlo import Origin
from retrial.answers.rows import Subject
from retrial.answers.survival import follow_ups_of, horizon_of, survival_rows
from retrial.data.kind import Fits, Kind
from retrial.estimate import Estimate
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

OF_THE_TABLES = "tables"
"""Name of the prior in the rows: that of the tables, no named set."""
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
    found = item.ensemble.hazards
    order = np.argsort(found.island, kind="stable")
    nothing = np.zeros(order.size, int)
    origin = Origin(nothing, nothing, found.island[order])
    subject = Subject(item.endpoint, "", spec.name, OF_THE_TABLES, SOURCE, origin=origin)
    hazard = functools.partial(spec.hazard_of(), starts=found.starts)
    draws, horizon = {"log_hazards": found.log_hazards[order]}, horizon_of(item.table, run.questions)
    return survival_rows(subject, hazard, draws, horizon, run.questions, spec.proportional, follow_ups_of(item.table))


KIND = Kind("sampled_hazards", needed=("hazard",), effects=no_effects, fit=fit, from_tables=True, alone=True)
