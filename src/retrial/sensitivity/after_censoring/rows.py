"""What the hazards after censoring do to hazard ratio, restricted mean and survival: rows of censoring.csv and of tipping.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from retrial.sensitivity.after_censoring.imputed import Imputed, Pooled, pooled
from retrial.sensitivity.after_censoring.means import DRAWS, Completed

Row = dict[str, Any]
HAZARD_RATIO, RMST_DIFFERENCE, SURVIVAL_DIFFERENCE = "hazard_ratio", "rmst_difference", "survival_difference"
ARMS_OF = {"experimental": "censoring, experimental arm", "control": "censoring, control arm"}
"""Challenges of tipping.csv; of restricted means with `MEANS` added."""
MEANS = ", restricted mean"
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class AfterCensoring:
    """What one effect becomes under every pair of hazards after censoring, `ratios` of those who stay; `prior`: the set's name."""

    prior: str
    ratios: tuple[float, ...]
    means: Completed
    hazard_ratios: Imputed
    pooled: Pooled

    @classmethod
    def of(cls, prior: str, ratios: tuple[float, ...], means: Completed, imputed: Imputed, tail: float) -> AfterCensoring:
        """With the posteriors of the completed tables pooled."""
        return cls(prior, ratios, means, imputed, pooled(imputed, tail))

    @property
    def base(self) -> int:
        """Place of the ratio 1."""
        return self.ratios.index(1.0)

    def status(self, control: int, experimental: int) -> str:
        """Of the hazard ratio of one pair."""
        failed, every = int(self.pooled.failed[control, experimental]), self.hazard_ratios.se.shape[-1]
        return f"failed: no estimate in {failed} of {every} completed tables" if failed else "ok"


def censoring_rows(named: Row, found: AfterCensoring, tail: float) -> Iterator[Row]:
    """A row a pair of hazards after censoring and quantity; columns of censoring.csv."""
    for i, control in enumerate(found.ratios):
        for j, experimental in enumerate(found.ratios):
            about = {**named, "prior": found.prior, "control_ratio": control, "experimental_ratio": experimental}
            ratio = ratio_row(found.pooled, (i, j), found.hazard_ratios.horizon, found.status(i, j))
            yield from (about | row for row in (ratio, *difference_rows(_differences(found.means, i, j), tail)))


def ratio_row(one: Pooled, place: tuple[int, int], horizon: float, status: str) -> Row:
    """The pooled hazard ratio of one pair."""
    limits = {name: float(np.exp(getattr(one, name)[place])) for name in ("median", "lower", "upper")}
    chance = {"probability": float(one.below[place]), "error": float(one.error[place]), "status": status}
    return {"quantity": HAZARD_RATIO, "time": horizon} | limits | chance


def difference_rows(differences: Iterable[tuple[str, float, np.ndarray]], tail: float) -> Iterator[Row]:
    """Draws of each quantity and time as a row, with P(difference > 0) and its Monte Carlo error."""
    for quantity, time, draws in differences:
        lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail])
        chance = float((draws > 0).mean())
        error = float(np.sqrt(max(chance * (1 - chance), 0.25 / draws.size) / draws.size))
        told = {"quantity": quantity, "time": time, "median": float(median), "lower": float(lower), "upper": float(upper)}
        yield told | {"probability": chance, "error": error, "status": "ok"}


def _differences(means: Completed, i: int, j: int) -> Iterator[tuple[str, float, np.ndarray]]:
    yield RMST_DIFFERENCE, means.horizon, means.rmst[j, 1] - means.rmst[i, 0]
    for k, time in enumerate(means.times):
        yield SURVIVAL_DIFFERENCE, float(time), means.survival[j, 1, k] - means.survival[i, 0, k]


def censoring_tipping(named: Row, found: AfterCensoring, levels: tuple[float, ...], of_side: int) -> Iterator[Row]:
    """The hazard after censoring, in one arm alone, at which P(the hazard ratio on the claim's side), and that of the difference in restricted
    means on the side of its median, falls to a level.

    `of_side`: -1 where the claim is a ratio below 1, else +1. Between points of the grid the probability's normal score is taken as linear in
    the ratio's logarithm. Empty where no point of it undoes the conclusion, or where it does not hold.
    """
    order, base = np.argsort(found.ratios), found.base
    log_ratios = np.log(np.array(found.ratios))[order]
    means, below = found.means.rmst, found.pooled.below
    longer = 1 if np.median(means[base, 1] - means[base, 0]) > 0 else -1
    for arm, challenge in ARMS_OF.items():
        first = arm == "experimental"
        chance = below[base] if first else below[:, base]
        # more events in the experimental arm raise the ratio, in the control arm they lower it
        tips = [(challenge, (chance if of_side < 0 else 1 - chance)[order], _LEAST, first == (of_side < 0))]
        differences = means[:, 1] - means[base, 0] if first else means[base, 1] - means[:, 0]
        held = (longer * differences > 0).mean(axis=1)[order]
        tips.append((challenge + MEANS, held, 0.5 / DRAWS, first == (longer > 0)))
        for name, chances, least, upwards in tips:
            for level in levels:
                about = {"challenge": name, "prior": found.prior, "criterion": level, "given": float("nan")}
                value = falls_to(log_ratios, chances, level, least, upwards=upwards)
                yield {**named, **about, "value": float(np.exp(value))}


def falls_to(x: np.ndarray, held: np.ndarray, level: float, least: float, *, upwards: bool) -> float:
    """Where a probability that falls from x = 0 in one direction reaches a level; NaN where it does not, or is not known on the way.

    Probabilities nearer to 0 or 1 than `least` are taken as that.
    """
    step = 1 if upwards else -1
    places = np.flatnonzero(step * x >= 0)[::step]
    if not held[places[0]] >= level:
        return float("nan")

    def score(chance: float) -> float:
        return float(stats.norm.ppf(min(max(chance, least), 1 - least)))

    for before, after in pairwise(places):
        if np.isnan(held[after]):
            return float("nan")
        if held[after] < level:
            first, last = score(held[before]), score(held[after])
            share = (first - score(level)) / (first - last)
            return float(x[before] + share * (x[after] - x[before]))
    return float("nan")
