"""An unmeasured confounder as strong as the measured ones (METHODS 13; the idea of Cinelli and Hazlett 2020, J R Stat Soc B 82:39)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import optimize

from retrial.multivariable.posterior import Components

STRONGEST = "one more confounder, as strong as the strongest measured"
INDEPENDENT = 1
"""Of the seed of the order in which shifts are put beside effects."""
MEDIAN = "one more confounder, as strong as the median measured"


def shifts(components: Components, position: int, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the effect (count,), and of what leaving out each other covariate alone moves it by (count, others).

    The shift of covariate k is c'β: the effect adjusted for all less that adjusted for all but k. Levels of one factor are left out together.
    The two are independent: another covariate would move the effect by as much, not with the same error, so that the interval is never narrower
    than without it (draws of both together would have the precision of an effect that is adjusted for one covariate less).
    """
    beta, chosen = components.draws(seed, count)
    moved = []
    for out in components.units:
        if position in out:
            continue
        c = components.adjusted_for(position, [place for place in range(beta.shape[1]) if place != position and place not in out])
        moved.append(beta[:, position] - np.einsum("ni,ni->n", c[chosen], beta))
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(INDEPENDENT,))).permutation(count)
    return beta[:, position], np.stack(moved, axis=1)[order]


def benchmark_draws(components: Components, position: int, seed: int, count: int) -> Mapping[str, np.ndarray]:
    """The effect (log ratio) where one more confounder moved it towards no effect by as much as the strongest, or the median, measured one."""
    effect, moved = shifts(components, position, seed, count)
    towards = -np.sign(np.median(effect))
    size = np.abs(moved)
    return {STRONGEST: effect + towards * size.max(axis=1), MEDIAN: effect + towards * np.median(size, axis=1)}


def multiples(components: Components, position: int, seed: int, count: int, tail: float) -> tuple[float, float]:
    """How many times as strong as the strongest measured covariate one more confounder must be for the interval to hold no effect, and for
    the median to be none; 0 where that is so without any, infinite where `_MOST` times does not do."""
    effect, moved = shifts(components, position, seed, count)
    sign, strongest = -float(np.sign(np.median(effect))), np.abs(moved).max(axis=1)

    def left(multiple: float, quantile: float) -> float:
        return float(np.quantile(-sign * effect - multiple * strongest, quantile))

    return _root(lambda m: left(m, tail)), _root(lambda m: left(m, 0.5))


_MOST = 1000.0


def _root(falling: Callable[[float], float]) -> float:
    """Where a falling function from 0 on crosses 0."""
    if falling(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(falling, 0.0, _MOST, xtol=1e-6)) if falling(_MOST) < 0 else float("inf")
