"""Patients with covariates as a saved posterior has them: what was observed of each, and its log-likelihood at every draw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retrial.criticism.pointwise import Cells, pointwise_log_likelihood
from retrial.dims import ARM, ARMS, RECONSTRUCTION
from retrial.fit.posterior_file import OBSERVATION, Observed
from retrial.fit.survival.likelihood import COLUMN, COVARIATE_EFFECTS, COVARIATE_PREDICTOR, Hazard, survival_data
from retrial.fit.survival.patients import patients_at
from retrial.tables.covariates import CovariateRows
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded


def covariates_observed(hazard: Hazard, rows: CovariateRows, table: LifeTable, recorded: Recorded) -> Observed:
    """One table of patients, in the order of the file; those censored at time 0, who say nothing of any hazard, are none of them.

    log p(patient | draw) = ℓ(time, status, arm; γ · z) of the hazard with the draw's coefficients γ and the patient's covariates z, given
    survival until a late entry: the cells that the model is fitted to, one patient each.
    """
    data = survival_data(table, 0, recorded)
    told, exits, entries = patients_at(rows, table)
    status, arm, values = 1 - rows.event[told], rows.experimental[told], rows.values[told]
    cells = Cells(status, arm, exits, np.ones(exits.size), entries)
    patterns, pattern = np.unique(values, axis=0, return_inverse=True)

    def log_likelihood(_table: int, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        own = {name: value for name, value in draws.items() if name != COVARIATE_EFFECTS}
        predictor = draws[COVARIATE_EFFECTS] @ patterns.T
        found = np.empty((len(predictor), cells.size))
        for place in range(len(patterns)):
            some = np.flatnonzero(pattern.ravel() == place)
            at = {**own, COVARIATE_PREDICTOR: predictor[:, place]}
            found[:, some] = pointwise_log_likelihood(hazard, at, data, cells.take(some))
        return found

    def observations(_table: int) -> dict[str, np.ndarray]:
        about = {ARM: np.array(ARMS)[arm], "months": data.times[exits], "event": status == 0}
        if (entries >= 0).any():
            about["entry_months"] = np.where(entries >= 0, data.times[entries], 0.0)
        return about

    names = {COLUMN: [column.contrast for column in rows.columns]}
    given = ((RECONSTRUCTION, OBSERVATION, COLUMN), values[None])
    kept = table.data.assign(covariate_values=given).assign_coords(names)
    return Observed(kept, np.ones(1), np.zeros(1, dtype=int), log_likelihood, observations)
