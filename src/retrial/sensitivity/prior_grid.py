"""Every conclusion under other priors: a grid of prior means and SDs, beliefs, P(ratio < x) over all x, and where conclusions tip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from retrial.priors.belief import belief_grid
from retrial.run_config import Assumptions
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Cells, crossing, distribution_of

Row = dict[str, Any]
LEAST_SIZE = 400.0
"""Effective draws below which a posterior by weights is shown as failed."""
_CURVE = np.exp(np.linspace(np.log(0.2), np.log(5.0), 161))
"""Ratios at which P(ratio < x) is told."""
PROBABLE = 0.95
"""Posterior probability of an effect that the prior odds needed are for."""
_BRACKET = (-4.0, 4.0)
"""Log ratios between which a prior mean is looked for."""
_SMALLEST_SD, _LARGEST_SD = 1e-3, 30.0


def status_of(cells: Cells) -> list[str]:
    """Of every cell: "ok", or that its weights rest on too few draws."""
    return ["ok" if size >= LEAST_SIZE else f"failed: {size:.0f} effective draws < {LEAST_SIZE:.0f}" for size in cells.size]


def numbers(cells: Cells) -> list[Row]:
    """Columns of every cell's posterior of the ratio."""
    values = zip(
        cells.below, cells.error, np.exp(cells.median), np.exp(cells.lower), np.exp(cells.upper), status_of(cells), strict=True
    )
    names = ("probability", "error", "median", "lower", "upper", "status")
    return [dict(zip(names, row, strict=True)) for row in values]


def grid_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """The posterior under N(m, τ²) for every prior mean m and SD τ of the grid; columns of prior_grid.csv."""
    means, sds = (values.ravel() for values in np.meshgrid(*asked.grid, indexing="ij"))
    for mean, sd, found in zip(means, sds, numbers(effect.likelihood.normal(means, sds, tail)), strict=True):
        yield {**effect.named, "prior_mean": float(np.exp(mean)), "prior_sd": float(sd), **found}


def belief_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """The posterior under every named set and under nine beliefs of stated strength; columns of under_priors.csv.

    A benefit is a ratio below 1 for a bad event and above 1 for a good one: beliefs are turned to it, and without those that expect an effect
    where nothing tells which it is. In closed form with the Bayes factor of no effect against the prior, and the prior odds of an effect from
    which it is the more probable at 0.95.
    """
    grid = belief_grid(asked.expected_ratio).items()
    beliefs = {
        name: prior.mirrored if effect.good else prior for name, prior in grid if effect.good is not None or prior.is_symmetric
    }
    for kind, priors in (("named set", effect.priors), ("belief", beliefs)):
        for name, prior in priors.items():
            mean, sd = float(distribution_of(prior).mean()), float(distribution_of(prior).std())
            factor = effect.likelihood.for_no_effect(prior)
            weighed = {"bayes_factor_of_no_effect": factor, "prior_odds_needed": PROBABLE / (1 - PROBABLE) * factor}
            told = {"kind": kind, "prior": name, "prior_mean": float(np.exp(mean)), "prior_sd": sd}
            yield {**effect.named, **told, **numbers(effect.likelihood.under(prior, tail))[0], **weighed}


def curve_rows(effect: Effect) -> Iterator[Row]:
    """P(ratio < x) under every named set; columns of probability_curve.csv."""
    for name, prior in effect.priors.items():
        for x, chance in zip(_CURVE, effect.likelihood.cdf(prior, np.log(_CURVE)), strict=True):
            yield {**effect.named, "prior": name, "ratio": float(x), "probability": float(chance)}


def side(effect: Effect, tail: float) -> int:
    """-1 where the main posterior is mostly of a ratio below 1, else +1: the side of the conclusion."""
    return -1 if float(effect.likelihood.under(effect.main, tail).median[0]) < 0 else 1


def claimed(cells: Cells, of_side: int) -> np.ndarray:
    """P(ratio on the side of the conclusion), (cell,)."""
    return on_side(cells.below, of_side)


def on_side(below: np.ndarray, of_side: int) -> np.ndarray:
    """The same from P(ratio < 1)."""
    return below if of_side < 0 else 1 - below


def contour_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """For every prior SD of the grid the prior mean at which P(ratio on the conclusion's side) is the claim, or 0.95.

    At a claim of 0.975 that is where the 95 % interval touches 1: the interval is equal-tailed.
    """
    sds, of_side = asked.grid[1], side(effect, tail)
    low, high = (np.full(sds.shape, end) for end in _BRACKET)
    for level in dict.fromkeys((0.95, asked.claim)):
        at = crossing(lambda mean: on_side(effect.likelihood.below_one(mean, sds), of_side), level, low, high)
        at = _reached(effect, at, sds, tail)
        for sd, mean in zip(sds, at, strict=True):
            yield {
                **effect.named,
                "challenge": "prior mean",
                "prior": "",
                "criterion": level,
                "given": float(sd),
                "value": float(np.exp(mean)),
            }


def _reached(effect: Effect, means: np.ndarray, sds: np.ndarray, tail: float) -> np.ndarray:
    """The prior means at which there are draws enough to tell; NaN at the others."""
    known = np.isfinite(means)
    return np.where(known & (effect.likelihood.normal(np.where(known, means, 0.0), sds, tail).size >= LEAST_SIZE), means, np.nan)


def scepticism_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """Reverse-Bayes on the whole posterior: the SD of a prior N(0, τ²) at which the conclusion just stops to hold.

    Empty where no τ undoes it, or where it does not hold under the widest; beside it in estimates.csv stands the closed form on the printed limits.
    """
    of_side, none = side(effect, tail), np.zeros(1)

    def held(log_sd: np.ndarray) -> np.ndarray:
        return on_side(effect.likelihood.below_one(none, np.exp(log_sd)), of_side)

    ends = np.log(np.array([_SMALLEST_SD])), np.log(np.array([_LARGEST_SD]))
    for level in dict.fromkeys((0.95, asked.claim)):
        value = float(np.exp(crossing(held, level, *ends))[0])
        yield {**effect.named, "challenge": "scepticism", "prior": "", "criterion": level, "given": 1.0, "value": value}
