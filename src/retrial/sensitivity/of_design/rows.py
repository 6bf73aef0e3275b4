"""Rows of early_deaths.csv, and at how many early deaths a conclusion tips: rows of tipping.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from retrial.sensitivity.after_censoring.imputed import moments
from retrial.sensitivity.after_censoring.rows import MEANS, RMST_DIFFERENCE, SURVIVAL_DIFFERENCE, difference_rows, ratio_row
from retrial.sensitivity.of_design.early import EarlyDeaths, spread_over

Row = dict[str, Any]
CHALLENGES = {"experimental": "early deaths, experimental arm", "control": "early deaths, control arm"}
"""Challenges of tipping.csv; of restricted means with `MEANS` added."""


def early_rows(named: Row, found: EarlyDeaths, tail: float) -> Iterator[Row]:
    """A row a pair of numbers and quantity; columns of early_deaths.csv."""
    for i, control in enumerate(found.numbers[0]):
        for j, experimental in enumerate(found.numbers[1]):
            missing = {"control_missing": int(control), "experimental_missing": int(experimental), "until": found.until}
            about = {**named, "prior": found.prior, **missing}
            ratio = ratio_row(found.pooled, (i, j), found.cox.horizon, found.status(i, j))
            yield from (about | row for row in (ratio, *difference_rows(_differences(found, i, j), tail)))


def _differences(found: EarlyDeaths, i: int, j: int) -> Iterator[tuple[str, float, np.ndarray]]:
    yield RMST_DIFFERENCE, found.horizon, found.rmst_difference(int(found.numbers[0][i]), int(found.numbers[1][j]))
    for k, time in enumerate(found.times):
        yield SURVIVAL_DIFFERENCE, float(time), found.survival[1][j, k] - found.survival[0][i, k]


def early_tipping(named: Row, found: EarlyDeaths, levels: tuple[float, ...], of_side: int) -> Iterator[Row]:
    """The least number of early deaths, in one arm alone, with which P(the hazard ratio on the claim's side), and that of the difference in
    restricted means on the side of its median, is below a level: of those tried the first, and before it of all that lie between.

    `of_side`: -1 where the claim is a ratio below 1, else +1. Empty where no number that was tried undoes it, or where it does not hold.
    """
    longer = 1 if np.median(found.rmst_difference(0, 0)) > 0 else -1
    for arm, challenge in CHALLENGES.items():
        place = int(arm == "experimental")
        ratio, means = _ratio_held(found, place, of_side), _means_held(found, place, longer)
        for name, held in {challenge: ratio, challenge + MEANS: means}.items():
            for level in levels:
                about = {"challenge": name, "prior": found.prior, "criterion": level, "given": float("nan")}
                yield {**named, **about, "value": least_below(found.numbers[place], held, level)}


Held = Callable[[np.ndarray], np.ndarray]
"""Numbers of early deaths of one arm alone -> probability of the claim."""


def _ratio_held(found: EarlyDeaths, arm: int, of_side: int) -> Held:
    tried = found.pooled.below[0] if arm else found.pooled.below[:, 0]
    known = dict(zip(found.numbers[arm].tolist(), tried.tolist(), strict=True))

    def held(numbers: np.ndarray) -> np.ndarray:
        new = np.array([number for number in numbers.tolist() if number not in known], int)
        if new.size:
            known.update(zip(new.tolist(), found.below(arm, new).tolist(), strict=True))
        below = np.array([known[number] for number in numbers.tolist()])
        return below if of_side < 0 else 1 - below

    return held


def _means_held(found: EarlyDeaths, arm: int, longer: int) -> Held:
    def held(numbers: np.ndarray) -> np.ndarray:
        pairs = [(0, number) if arm else (number, 0) for number in numbers.tolist()]
        return np.array([float((longer * found.rmst_difference(*pair) > 0).mean()) for pair in pairs])

    return held


def early_variance(named: Row, found: EarlyDeaths) -> Iterator[Row]:
    """Rows of variance.csv, with the most early deaths that were tried in one arm alone: of the log hazard ratio by Cox, under the prior, the split
    within and between tables; of both quantities the shift of the mean.
    """
    means, variances = moments(found.cox)
    about = {"endpoint": named["endpoint"], "model": named["model"], "prior": found.prior}
    for arm, (i, j) in {"experimental": (0, -1), "control": (-1, 0)}.items():
        number = int(found.numbers[int(arm == "experimental")][-1])
        within, between = float(variances[i, j].mean()), float(means[i, j].var())
        fine = found.status(i, j) == "ok" and found.status(0, 0) == "ok"
        design = {"design": f"{CHALLENGES[arm]}: {number}", "tables": found.tables}
        ratio = {"total_sd": (within + between) ** 0.5, "within_share": within / (within + between)}
        ratio |= {"between_tables_share": between / (within + between), "shift": float((means[i, j] - means[0, 0]).mean())}
        numbers = ratio if fine else dict.fromkeys(ratio, float("nan"))
        status = "ok" if fine else "failed: no estimate in some tables"
        yield {**about, **design, "quantity": "log_hazard_ratio", "time": float("nan"), **numbers, "status": status}
        base = found.rmst_difference(0, 0)
        moved = found.rmst_difference(*((0, number) if arm == "experimental" else (number, 0)))
        months = {"total_sd": float(moved.std()), "shift": float((moved - base).mean())}
        yield {**about, **design, "quantity": RMST_DIFFERENCE, "time": found.horizon, **months, "status": "ok"}


def least_below(numbers: np.ndarray, held: Held, level: float) -> float:
    """The first of these numbers at which a probability that falls with them is below a level, or the least of all that lie between it and the one
    before; NaN where the first is below already, none is, or one before it is not known.
    """
    chances = held(numbers)
    under = ~(chances >= level)
    place = int(np.argmax(under))
    if not under.any() or place == 0 or np.isnan(chances[place]):
        return float("nan")
    before, first = int(numbers[place - 1]), int(numbers[place])
    return float(first) if first - before == 1 else least_below(spread_over(before, first), held, level)
