"""The life tables of one endpoint, as models and frequentist methods take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from retrial.tables.ensemble import Ensemble
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.targets import Targets
from retrial.tables.recorded import Recorded

FROM_PATIENTS = "patients"


@dataclass(frozen=True, eq=False)
class EndpointTables:
    """Tables of one endpoint, their weights (adding to 1), and how far they are from the printed numbers.

    `notes` are sentences about the data that a reader of its curves must know. `entry`: months at which everybody is taken to have come under
    observation, which models then condition on; 0: from the start.
    """

    endpoint: str
    table: LifeTable
    weights: np.ndarray
    recorded: Recorded
    source: str
    fidelity: pd.DataFrame | None = None
    ensemble: Ensemble | None = None
    targets: Targets | None = None
    notes: tuple[str, ...] = ()
    entry: float = 0.0

    @property
    def hypotheses(self) -> tuple[list[str], list[str]]:
        """The reading of the paper's estimators, and of its design, that each table is of; empty names where nothing was sampled."""
        if self.ensemble is None:
            return [""] * len(self.weights), [""] * len(self.weights)
        readings = self.ensemble.readings
        return [reading.estimators for reading in readings], [str(reading.design or "") for reading in readings]
