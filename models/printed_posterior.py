"""Model card: `printed_posterior`, piecewise constant hazards sampled with the life tables, given what the paper prints and nothing else.

    log h_a(t) = α_j + (a - ½)(β + δ_j)    t in piece j of the tables' grid, a = 0 control, 1 experimental
    α_1 ~ N(log(log 2 / T), 1.5²), a walk of SD 1.1 over the whole grid of T times;  β ~ N(0, 1);  δ a walk from 0 of SD 0.5
    an arm's table is multinomial given its hazards and those of its censorings, each arm's own (`retrial.tables.kernel.prior`)

h  `log_hazards`   log events per patient-month, of each arm and piece    real, (arm, piece)

The joint posterior of hazards and tables given the printed numbers, without a second fit: every draw is of one sampled table. Its prior is
that of the tables (`reconstruction.prior`), not one of the named sets. Hazards are read as constant within recording units, which are about
the recorded time (exact, nearest), after it (floor) or before it (ceiling), and 0 before that of the shortest printed time. Assumes
censoring that says nothing of the hazard.
Source: this project, docs/methods.md section 4; piecewise constant hazards: Ibrahim, Chen, Sinha, Bayesian Survival Analysis, 2001, chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.tables.kernel.prior import TablePrior, centre

DATA = "sampled_hazards"
NEVER = -1e3
"""Log of a hazard that is 0 for every purpose."""
PARAMETERS = ()
"""None with a prior of its own: `reconstruction.prior` has them."""


def hazard(
    time: np.ndarray, experimental: np.ndarray, parameters: Mapping[str, np.ndarray], xp: Any, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard and cumulative hazard Σ_j h_j · months of piece j before t, for `log_hazards` (draw, arm, piece, 1, 1); `starts` (piece,)
    months, before the first of which the hazard is 0 (its logarithm `NEVER`).
    """
    values = parameters["log_hazards"][..., 0, 0]
    log_h = xp.where(experimental[..., None] > 0, values[:, None, None, 1], values[:, None, None, 0])
    months = np.clip(np.asarray(time)[..., None] - starts, 0.0, np.append(np.diff(starts), np.inf))
    inside = (np.searchsorted(starts[1:], time)[..., None] == np.arange(starts.size)).astype(float)
    begun = np.broadcast_to(np.asarray(time) >= starts[0], np.shape(time))
    return xp.where(begun, (log_h * inside).sum(-1), NEVER), (xp.exp(log_h) * months).sum(-1)


def build(events: np.ndarray, exposure: np.ndarray, n_times: int, prior: TablePrior) -> pm.Model:
    """PyMC model of one table: (arm, piece) events among `exposure` patients at risk summed over the grid times of each piece, `n_times` in all;
    hazards per grid time. What the sampler's hazards are, given that table.
    """
    pieces = events.shape[1]
    _, same, across = prior.covariances(pieces)
    with pm.Model() as model:
        log_h = pm.MvNormal("log_hazards", np.full(2 * pieces, centre(n_times)), np.block([[same, across], [across, same]]))
        pm.Binomial("events", exposure.ravel(), -pt.expm1(-pt.exp(log_h)), observed=events.ravel())
    return model
