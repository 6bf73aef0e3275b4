"""Bias as a prior: what was estimated is β + b with b ~ N(m, s²), of the effect and a systematic error such as confounding (METHODS 9).

Source: Greenland 2005, J R Stat Soc A 168:267; for a normal likelihood the posterior under a flat prior is that of β shifted by m, its variance
larger by s².
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Cells, Likelihood, crossing
from retrial.sensitivity.prior_grid import numbers, on_side, side

Row = dict[str, Any]
_FURTHEST = 5.0
"""Log ratio that no bias is beyond."""


def bias_rows(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """The posterior of the main prior for every centre and SD of the bias; columns of bias.csv."""
    for sd in asked.bias_sds:
        spread = effect.likelihood.with_bias(0.0, sd)
        for mean in asked.biases:
            found = numbers(spread.with_bias(float(mean), 0.0).under(effect.main, tail))[0]
            about = {"prior": next(iter(effect.priors)), "bias_ratio": float(np.exp(mean)), "bias_sd": sd}
            yield {**effect.named, **about, **found}


def one_bias(effect: Effect, mean: float, sd: float, tail: float) -> Cells:
    """The posterior of the main prior with a bias N(mean, sd²)."""
    return effect.likelihood.with_bias(mean, sd).under(effect.main, tail)


def bias_tipping(effect: Effect, asked: Assumptions, tail: float) -> Iterator[Row]:
    """The centre of the bias at which the conclusion of the main prior just stops to hold, for every SD of the bias.

    Empty where it does not hold without bias of that SD.
    """
    of_side = side(effect, tail)
    for sd in asked.bias_sds:
        spread = effect.likelihood.with_bias(0.0, sd)
        for level in dict.fromkeys((0.95, asked.claim)):
            value = _tipping(spread, effect.main, level, of_side)
            about = {"challenge": "bias", "prior": next(iter(effect.priors)), "criterion": level, "given": sd}
            yield {**effect.named, **about, "value": float(np.exp(value))}


def _tipping(spread: Likelihood, prior: Prior, level: float, of_side: int) -> float:
    def held(means: np.ndarray) -> np.ndarray:
        below = [spread.with_bias(float(mean), 0.0).cdf(prior, np.zeros(1))[0] for mean in means]
        return on_side(np.array(below), of_side)

    if held(np.zeros(1))[0] < level:
        return float("nan")
    ends = (np.zeros(1), np.full(1, of_side * _FURTHEST))
    return float(crossing(held, level, *ends)[0])
