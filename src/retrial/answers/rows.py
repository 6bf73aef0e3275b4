"""Makes Bayesian `Estimate` rows that share endpoint, contrast, model, prior and status."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrial.answers.monte_carlo import Origin, half_distances
from retrial.answers.questions import Questions
from retrial.estimate import NAN, Estimate, Event, Statistic


@dataclass(frozen=True)
class Subject:
    """What a group of rows is about; `origin` says which table and chain each of its draws is of (one chain where it does not)."""

    endpoint: str
    contrast: str
    model: str
    prior: str
    source: str
    status: str = "ok"
    note: str = ""
    variant: str = ""
    adjusted_for: str = ""
    origin: Origin | None = None

    def limit(self, quantity: str, unit: str, value: float, statistic: Statistic = "value", **typed: Any) -> Estimate:
        """A number without an interval; `typed` are further fields of `Estimate`."""
        return Estimate(
            endpoint=self.endpoint,
            quantity=quantity,
            contrast=self.contrast,
            adjusted_for=self.adjusted_for,
            statistic=statistic,
            method="bayes",
            model=self.model,
            prior=self.prior,
            variant=self.variant,
            point=float(value),
            unit=unit,
            source=self.source,
            status=self.status,
            note=self.note,
            **typed,
        )

    def row(
        self,
        quantity: str,
        unit: str,
        point: float,
        questions: Questions,
        limits: tuple[float, float],
        sd: float = NAN,
        time: float = NAN,
    ) -> Estimate:
        """A quantity with its equal-tailed credible interval."""
        return dataclasses.replace(
            self.limit(quantity, unit, point, time=time),
            lower=float(limits[0]),
            upper=float(limits[1]),
            sd=float(sd),
            level=questions.level,
            interval_kind="credible_equal_tailed",
        )

    def probability(
        self,
        quantity: str,
        event: Event,
        bounds: tuple[float, ...],
        value: float,
        time: float = NAN,
        happens: np.ndarray | None = None,
    ) -> Estimate:
        """Posterior probability that the quantity is below, above or between `bounds`; `happens` (draw,) says of which draws it is the share."""
        low, high = (*bounds, NAN)[:2]
        row = self.limit(
            quantity, "probability", value, "probability", time=time, event=event, threshold=low, threshold_upper=high
        )
        if happens is None:
            return row
        error = float(self._origin(happens.size).mean_errors(happens[None].astype(float))[0])
        if happens.all() or not happens.any():
            # no draw on one side: as if half a draw were there, so that 0 and 1 are not told as exact
            half = 0.5 / (happens.size + 1)
            error = math.sqrt(half * (1 - half) / happens.size)
        return dataclasses.replace(row, draws=happens.size, mcse_point=error)

    def above_zero(self, quantity: str, draws: np.ndarray, time: float = NAN) -> Estimate:
        """P(quantity > 0) of its draws."""
        happens = draws > 0
        return self.probability(quantity, "above", (0.0,), float(happens.mean()), time, happens)

    def from_draws(self, quantity: str, unit: str, draws: np.ndarray, questions: Questions, time: float = NAN) -> Estimate:
        """Median, equal-tailed interval and SD of pooled draws, with their Monte Carlo standard errors."""
        levels, ordered = np.array([questions.tail, 0.5, 1 - questions.tail]), np.sort(draws)
        quantiles = np.quantile(ordered, levels)
        ranks = self._origin(draws.size).quantile_ranks(draws, levels, quantiles)
        return self._of_draws((quantity, unit), draws, ordered, quantiles, ranks, questions, time)

    def _of_draws(
        self,
        named: tuple[str, str],
        draws: np.ndarray,
        ordered: np.ndarray,
        quantiles: np.ndarray,
        ranks: tuple[np.ndarray, np.ndarray] | None,
        questions: Questions,
        time: float,
    ) -> Estimate:
        low, middle, high = quantiles
        row = self.row(*named, middle, questions, (low, high), float(np.std(draws, ddof=1)), time)
        errors = (NAN, NAN, NAN) if ranks is None else half_distances(ordered, ranks)
        lower, point, upper = (float(error) for error in errors)
        return dataclasses.replace(row, draws=draws.size, mcse_lower=lower, mcse_point=point, mcse_upper=upper)

    def _origin(self, size: int) -> Origin:
        return self.origin if self.origin is not None else Origin.of_chains(1, size)

    def ratio_probabilities(
        self,
        measure: str,
        cdf_of_log: Callable[[float], float],
        questions: Questions,
        time: float = NAN,
        draws: np.ndarray | None = None,
    ) -> Iterator[Estimate]:
        """P(ratio < x), P(ratio > x) and P(x < ratio < y) at the thresholds; `cdf_of_log` is the CDF of the log ratio, `draws` of it."""

        def happens(low: float, high: float) -> np.ndarray | None:
            return None if draws is None else (draws >= low) & (draws < high)

        for threshold in questions.below:
            edge = math.log(threshold)
            yield self.probability(measure, "below", (threshold,), cdf_of_log(edge), time, happens(-math.inf, edge))
        for threshold in questions.above:
            edge = math.log(threshold)
            yield self.probability(measure, "above", (threshold,), 1 - cdf_of_log(edge), time, happens(edge, math.inf))
        for pair in questions.between:
            low, high = (math.log(edge) for edge in pair)
            yield self.probability(measure, "between", pair, cdf_of_log(high) - cdf_of_log(low), time, happens(low, high))

    def ratio_from_draws(self, measure: str, log_ratio: np.ndarray, questions: Questions, time: float = NAN) -> list[Estimate]:
        """Rows of draws of a log ratio: the ratio, its log, and its probabilities."""
        levels, ordered = np.array([questions.tail, 0.5, 1 - questions.tail]), np.sort(log_ratio)
        quantiles = np.quantile(ordered, levels)
        # the ratio rises with its log: its draws have the same order
        ranks = self._origin(log_ratio.size).quantile_ranks(log_ratio, levels, quantiles)
        ratios = np.exp(ordered)
        return [
            self._of_draws((measure, "ratio"), np.exp(log_ratio), ratios, np.quantile(ratios, levels), ranks, questions, time),
            self._of_draws((f"log_{measure}", "log ratio"), log_ratio, ordered, quantiles, ranks, questions, time),
            *self.ratio_probabilities(
                measure, lambda x: float(np.searchsorted(ordered, x) / ordered.size), questions, time, log_ratio
            ),
        ]


def ratio_rows(subject: Subject, measure: str, posterior: Any, questions: Questions) -> list[Estimate]:
    """Rows of a log ratio's posterior with cdf, ppf, mean and std: the ratio, its log, and its probabilities."""
    low, middle, high = (float(value) for value in posterior.ppf(np.array([questions.tail, 0.5, 1 - questions.tail])))
    sd = float(posterior.std())
    return [
        subject.row(measure, "ratio", np.exp(middle), questions, (np.exp(low), np.exp(high))),
        subject.row(f"log_{measure}", "log ratio", middle, questions, (low, high), sd),
        *subject.ratio_probabilities(measure, lambda x: float(posterior.cdf(x)), questions),
    ]
