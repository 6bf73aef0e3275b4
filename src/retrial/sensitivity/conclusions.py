"""Which conclusions survive which challenge: each effect's claim, P(ratio on its side of 1), under every challenge set beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from retrial.run_config import Assumptions
from retrial.sensitivity.after_censoring.rows import AfterCensoring
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.bias import one_bias
from retrial.sensitivity.of_design.early import EarlyDeaths
from retrial.sensitivity.prior_grid import claimed, on_side, side, status_of

Row = dict[str, Any]
AS_IT_IS = "as it is"
_Z = 1.959964
HARD = 2.0
"""Hazard after censoring, in the arm that would lose by it, that a conclusion is held against."""


def conclusion_rows(
    effect: Effect, asked: Assumptions, tail: float, completed: AfterCensoring | None, missing: EarlyDeaths | None = None
) -> Iterator[Row]:
    """A row a challenge; columns of conclusions.csv. The side of the claim is that of the main prior's median."""
    of_side = side(effect, tail)
    main = next(iter(effect.priors))
    for name, prior in effect.priors.items():
        cells = effect.likelihood.under(prior, tail)
        challenge = AS_IT_IS if name == main else "another prior"
        yield _row(effect, asked, challenge, name, float(claimed(cells, of_side)[0]), of_side, status_of(cells)[0])
    towards = asked.expected_ratio if of_side < 0 else 1 / asked.expected_ratio
    for mean, sd in [(float(np.log(towards)), 0.0), *((0.0, sd) for sd in asked.bias_sds if sd > 0)]:
        cells = one_bias(effect, mean, sd, tail)
        told = (
            f"a bias that alone gives a ratio of {np.exp(mean):.3g}"
            if sd == 0
            else f"a bias in either direction, 95 % of its factors between 1/{np.exp(_Z * sd):.3g} and {np.exp(_Z * sd):.3g}"
        )
        yield _row(effect, asked, "bias", told, float(claimed(cells, of_side)[0]), of_side, status_of(cells)[0])
    if completed is not None:
        yield from _after_censoring(effect, asked, of_side, completed)
    if missing is not None:
        yield from _early_deaths(effect, asked, of_side, missing)


def _after_censoring(effect: Effect, asked: Assumptions, of_side: int, completed: AfterCensoring) -> Iterator[Row]:
    """P(the completed tables' hazard ratio on the claim's side) where those censored in the better arm fare worse than who stays."""
    base, hard = completed.base, int(np.argmin(np.abs(np.log(np.array(completed.ratios) / HARD))))
    place, better = ((base, hard), "experimental") if of_side < 0 else ((hard, base), "control")
    words = f"{completed.ratios[hard]:.3g} times the hazard after censoring in the {better} arm"
    chance = on_side(completed.pooled.below[place], of_side)
    yield _row(effect, asked, "censoring", words, float(chance), of_side, completed.status(*place))


def _early_deaths(effect: Effect, asked: Assumptions, of_side: int, missing: EarlyDeaths) -> Iterator[Row]:
    """P(the hazard ratio on the claim's side) with the most early deaths that were tried, in the arm that would lose by them."""
    place, better, arm = ((0, -1), "experimental", 1) if of_side < 0 else ((-1, 0), "control", 0)
    number = int(missing.numbers[arm][-1])
    words = (
        f"{number} more patients of the {better} arm ({100 * number / missing.sizes[arm]:.0f} % of it) who had the event in the first"
        f" {missing.until:.3g} months and were left out, none of the other arm"
    )
    chance = on_side(missing.pooled.below[place], of_side)
    yield _row(effect, asked, "early deaths", words, float(chance), of_side, missing.status(*place))


def _row(effect: Effect, asked: Assumptions, challenge: str, what: str, chance: float, of_side: int, status: str) -> Row:
    told = {"challenge": challenge, "what": what, "claim": "below 1" if of_side < 0 else "above 1", "probability": chance}
    return {**effect.named, **told, "holds": bool(chance >= asked.claim), "status": status}
