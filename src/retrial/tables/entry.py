"""When everybody is taken to have entered: a study design in which nobody can leave before the shortest printed time (METHODS 4)."""

from __future__ import annotations

import math

from retrial.dims import ARM, MONTHS_PER_UNIT, RECONSTRUCTION, TOTAL
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.recorded import Recorded

ENTRY = "entry"
"""Name of this reading among the choices behind tables."""
_SAME = 1e-6
"""Relative difference that times may have from rounding."""


def entry_of(study: Study, item: EndpointTables) -> float:
    """Months at which everybody is taken to have entered: where the recording unit of the first time begins at which anybody leaves.

    NaN where there is no such reading: no shortest time is printed, it is in the first recording unit, entries are known, or the arms were
    assigned at random (follow-up then begins at assignment).
    """
    printed = study.endpoints[item.endpoint].shortest_of(TOTAL)
    leaving = (item.table.events + item.table.censored).sum((RECONSTRUCTION, ARM)).to_numpy() > 0
    if study.randomised is True or printed is None or item.table.late is not None or not leaving.any():
        return math.nan
    first, unit = float(item.table.times[leaving][0]), recording_unit(study, item)
    return unit_start(first, unit, item.recorded) if first > unit * (1 + _SAME) else math.nan


def unit_start(time: float, unit: float, recorded: Recorded) -> float:
    """Where the unit begins that a time is recorded in; a time taken as exact was rounded to the unit of its print."""
    return time - {"floor": 0.0, "ceiling": unit}.get(recorded, unit / 2)


def recording_unit(study: Study, item: EndpointTables) -> float:
    """Months: of sampled tables the step of their grid; of patients the study file's, else that of the shortest time's print."""
    months, endpoint = MONTHS_PER_UNIT[study.time_unit], study.endpoints[item.endpoint]
    if item.targets is not None:
        return item.targets.step * months
    if endpoint.recording_unit is not None:
        return endpoint.recording_unit.value * months
    printed = endpoint.shortest_of(TOTAL)
    return 0.0 if printed is None else (printed.high - printed.low) * months
