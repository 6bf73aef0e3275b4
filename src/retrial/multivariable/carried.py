"""How large a variance inflation the printed numbers carry, whatever the prior of the correlations says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from retrial.multivariable.correlation import pairs_of
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import silent
from retrial.multivariable.smallest import least_squares, matrix_at
from retrial.multivariable.statistics import Statistic, inflation_by_others, printed_statistics, residuals

GRID = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Inflations that are tried; 5 and 10 are where textbooks speak of multicollinearity."""
WITHIN = 2.13
"""Scales within which every number must be: 90 % of a t with 4 degrees of freedom."""
_SCALE = 0.02
"""Of the log inflation that is asked for."""
STARTS = 2


def largest_inflation(model: PrintedModel, alive: Callable[[float], None] = silent) -> np.ndarray:
    """The largest of `GRID`, (p,), with which some matrix carries all printed numbers; 1 where none does. Of a factor by other covariates.

    By bisection of the grid, a least squares from `STARTS` matrices each. `alive` is called with the share that is done, or 0.
    """
    asked = printed_statistics(model)
    found = np.ones(model.size)
    for unit in model.units:
        low, high = 0, len(GRID)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if _is_carried(model, asked, unit, GRID[middle], alive) else (low, middle)
        found[list(unit)] = GRID[low - 1] if low else 1.0
        alive(1 / len(model.units))
    return found


def _is_carried(
    model: PrintedModel, asked: Sequence[Statistic], unit: tuple[int, ...], inflation: float, alive: Callable[[float], None]
) -> bool:
    random, rows = np.random.default_rng(len(unit)), np.tril_indices(model.size, -1)
    mine = np.isin(rows[0], unit) ^ np.isin(rows[1], unit)

    def distances(x: np.ndarray) -> np.ndarray:
        matrix, b = matrix_at(model, x)
        far = np.log(inflation_by_others(matrix, model.units)[:, unit[0]] / inflation) / _SCALE
        return np.column_stack([residuals(model, asked, matrix, b), far])

    for _ in range(STARTS):
        # a multiple correlation of about √(1 - 1 / inflation), spread over the others
        size = np.sqrt((1 - 1 / inflation) / max(model.size - len(unit), 1))
        z = np.where(mine, random.choice([-1.0, 1.0], pairs_of(model.size)) * size, np.where(model.within, 0.5, 0.0))
        x = least_squares(model, distances, np.concatenate([z, *model.centre.T]), alive=alive)
        if np.abs(distances(x[None])[0]).max() <= WITHIN:
            return True
    return False
