"""Printed ratios: the estimate of another study of this size is y ~ N(β, s²), s the printed standard error, its posterior in closed form.

The studies are no random draws but evenly spaced quantiles of y, so that a share is right to half a study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import stats
from scipy.interpolate import PchipInterpolator

from retrial.priors.prior import Prior
from retrial.run_config import Operating
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.operating.rules import Row, Simulated, characteristic_rows, thresholds

_REACH, _NODES = 6.0, 97
"""Estimates at which posteriors under other priors than normal ones are worked out: so many SEs beyond all true ratios, and how many."""


def printed_rows(effect: Effect, asked: Operating, tail: float) -> Iterator[Row]:
    """Rows of one printed ratio, a row a true ratio, prior and rule; columns of operating.csv."""
    if effect.printed is None or not isinstance(effect.likelihood, NormalLikelihood):
        return
    good = bool(effect.good)
    truths = np.log(np.array(asked.true_ratios)) * (-1 if good else 1)
    quantiles = stats.norm.ppf((np.arange(asked.studies) + 0.5) / asked.studies)
    for name, prior in effect.priors.items():
        posterior = _Posterior.of(effect.likelihood, prior, truths, asked, tail, good)
        for truth in truths:
            found = posterior.at(truth + effect.printed.se * quantiles, 0.5 / asked.studies)
            for row in characteristic_rows(found, float(truth), asked.rules, good):
                yield {**effect.named, "prior": name, "true_ratio": float(np.exp(truth)), "events": effect.events, **row}


@dataclasses.dataclass(frozen=True, eq=False)
class _Posterior:
    """Limits, median and probabilities (row, node) of the posterior at estimates (node,)."""

    nodes: np.ndarray
    values: np.ndarray

    @classmethod
    def of(
        cls, likelihood: NormalLikelihood, prior: Prior, truths: np.ndarray, asked: Operating, tail: float, good: bool
    ) -> _Posterior:
        reach = _REACH * likelihood.data.se
        nodes, at = (
            np.linspace(truths.min() - reach, truths.max() + reach, _NODES),
            np.concatenate(thresholds(asked.rules, good)),
        )
        columns = []
        for y in nodes:
            moved = dataclasses.replace(likelihood, data=dataclasses.replace(likelihood.data, estimate=float(y)))
            cells = moved.under(prior, tail)
            columns.append(np.concatenate([cells.lower, cells.median, cells.upper, moved.cdf(prior, at)]))
        values, half = np.array(columns).T, len(asked.rules)
        benefit, harm = values[3 : 3 + half], values[3 + half :]
        return cls(nodes, np.concatenate([values[:3], *((1 - benefit, harm) if good else (benefit, 1 - harm))]))

    def at(self, estimates: np.ndarray, error: float) -> Simulated:
        """Between nodes by monotone cubics: each of them rises or falls with the estimate."""
        lower, median, upper, *chances = PchipInterpolator(self.nodes, self.values, axis=1)(estimates)
        half = len(chances) // 2
        known = np.ones(estimates.size, bool)
        return Simulated(lower, median, upper, np.array(chances[:half]), np.array(chances[half:]), known, error)
