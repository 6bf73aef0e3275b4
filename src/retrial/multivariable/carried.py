"""How large a variance inflation the printed numbers carry, whatever the prior of the correlations says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import silent
from retrial.multivariable.smallest import least_squares, matrix_at, starting_points
from retrial.multivariable.statistics import NU, Statistic, inflation_by_others, printed_statistics, residuals

GRID = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Inflations that are tried; 5 and 10 are where textbooks speak of multicollinearity."""
WITHIN = 0.9
"""Probability with which all of so many numbers are as near as they must be (`within`)."""
_SCALE = 0.02
"""Of the log inflation that is asked for."""
STARTS = 4


def largest_inflation(model: PrintedModel, alive: Callable[[float], None] = silent) -> np.ndarray:
    """The largest of `GRID`, (p,), that some matrix which carries all printed numbers reaches; 1 where none does. Of a factor by other covariates.

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
    random = np.random.default_rng(len(unit))

    def distances(x: np.ndarray) -> np.ndarray:
        matrix, b = matrix_at(model, x)
        # at least: where the print tells a larger one, the smaller ones are no limit
        far = np.minimum(np.log(inflation_by_others(matrix, model.units)[:, unit[0]] / inflation), 0.0) / _SCALE
        return np.column_stack([residuals(model, asked, matrix, b), far])

    for start in starting_points(model, distances, random, STARTS):
        x = least_squares(model, distances, start, alive=alive)
        if np.abs(distances(x[None])[0]).max() <= within(len(asked)):
            return True
    return False


def within(numbers: int) -> float:
    """Scales within which every one of so many numbers must be: all of them are in 90 %, of t distributions with 4 degrees of freedom."""
    return float(stats.t(NU).ppf((1 + WITHIN ** (1 / max(numbers, 1))) / 2))
