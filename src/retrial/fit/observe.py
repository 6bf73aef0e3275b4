"""Cells of a model as its observed variable in PyMC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm

from retrial.cells import COUNTS


def observe_cells(name: str, cells: Any, counts: np.ndarray, dims: tuple[str, ...], data: str = COUNTS) -> None:
    """Add Σ n ℓ to the model in context, as an observed variable `name` over `dims`; n is the `pm.Data` named `data`.

    A compiled model takes other counts of the same shape. Never a Potential: power-scaling and leave-one-out need the terms.
    """
    observed = pm.Data(data, counts, dims=dims)
    pm.CustomDist(name, cells, logp=lambda value, cell: value * cell, signature="()->()", observed=observed, dims=dims)
