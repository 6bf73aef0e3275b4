"""Every likelihood of this project is linear in its data: log p(y | θ) = Σ_cells n_cell(y) ℓ_cell(θ). METHODS, section 5.

ℓ_cell is the log-likelihood of one patient of a cell, n_cell how many there are. A model gives its cells once, for numpy and PyTensor
alike; the PyMC model, pointwise scores, grids, importance sampling and evidence are sums over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

COUNTS = "counts"
"""Name of the `pm.Data` that holds n, in every model that gives cells."""
OUTCOME, OUTCOMES = "outcome", ("yes", "no")


def binomial_cells(logit: Any, xp: Any) -> tuple[Any, Any]:
    """log q and log(1 - q) of a yes/no outcome with logit q, the shape of `logit`; `xp` is numpy or pytensor.tensor."""
    softplus = xp.softplus if hasattr(xp, "softplus") else _softplus
    return -softplus(-logit), -softplus(logit)


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def binomial_counts(events: Any, n: Any) -> np.ndarray:
    """Patients with the outcome and without it, (outcome, ...), floats."""
    yes = np.asarray(events, dtype=float)
    return np.stack([yes, np.asarray(n, dtype=float) - yes])


def log_likelihood(cells: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Σ n ℓ over the last dims of `cells` (..., *cell), those of `counts` (*cell); a cell without patients counts nothing, even where its
    ℓ is infinite."""
    used = counts != 0
    return np.asarray((cells[..., used] * counts[used]).sum(axis=-1))
