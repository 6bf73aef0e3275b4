"""Makes Bayesian `Estimate` rows that share endpoint, contrast, model, prior and status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrial.answers.questions import Questions
from retrial.estimate import Estimate


@dataclass(frozen=True)
class Subject:
    """What a group of rows is about."""

    endpoint: str
    contrast: str
    model: str
    prior: str
    source: str
    status: str = "ok"
    note: str = ""

    def row(
        self, quantity: str, unit: str, point: float, questions: Questions, limits: tuple[float, float], sd: float = np.nan
    ) -> Estimate:
        """A quantity with its equal-tailed credible interval."""
        return Estimate(
            endpoint=self.endpoint,
            quantity=quantity,
            contrast=self.contrast,
            method="bayes",
            model=self.model,
            prior=self.prior,
            point=float(point),
            lower=float(limits[0]),
            upper=float(limits[1]),
            sd=float(sd),
            level=questions.level,
            interval_kind="credible_equal_tailed",
            unit=unit,
            source=self.source,
            status=self.status,
            note=self.note,
        )

    def probability(self, quantity: str, value: float) -> Estimate:
        """A posterior probability."""
        return self.limit(quantity, "probability", value)

    def limit(self, quantity: str, unit: str, value: float) -> Estimate:
        """A number without an interval: a probability, or a limit of one."""
        return Estimate(
            endpoint=self.endpoint,
            quantity=quantity,
            contrast=self.contrast,
            method="bayes",
            model=self.model,
            prior=self.prior,
            point=float(value),
            unit=unit,
            source=self.source,
            status=self.status,
            note=self.note,
        )

    def from_draws(self, quantity: str, unit: str, draws: np.ndarray, questions: Questions) -> Estimate:
        """Median, equal-tailed interval and SD of pooled draws."""
        low, middle, high = np.quantile(draws, [questions.tail, 0.5, 1 - questions.tail])
        return self.row(quantity, unit, middle, questions, (low, high), float(np.std(draws, ddof=1)))

    def ratio_probabilities(self, measure: str, cdf_of_log: Callable[[float], float], questions: Questions) -> Iterator[Estimate]:
        """P(ratio < x), P(ratio > x) and P(x < ratio < y) at the thresholds; `cdf_of_log` is the CDF of the log ratio."""
        for threshold in questions.below:
            yield self.probability(f"p_{measure}_below_{threshold:g}", cdf_of_log(float(np.log(threshold))))
        for threshold in questions.above:
            yield self.probability(f"p_{measure}_above_{threshold:g}", 1 - cdf_of_log(float(np.log(threshold))))
        for low, high in questions.between:
            inside = cdf_of_log(float(np.log(high))) - cdf_of_log(float(np.log(low)))
            yield self.probability(f"p_{measure}_between_{low:g}_and_{high:g}", inside)


def ratio_rows(subject: Subject, measure: str, posterior: Any, questions: Questions) -> list[Estimate]:
    """Rows of a log ratio's posterior with cdf, ppf, mean and std: the ratio, its log, and its probabilities."""
    low, middle, high = (float(value) for value in posterior.ppf(np.array([questions.tail, 0.5, 1 - questions.tail])))
    sd = float(posterior.std())
    return [
        subject.row(measure, "ratio", np.exp(middle), questions, (np.exp(low), np.exp(high))),
        subject.row(f"log_{measure}", "log ratio", middle, questions, (low, high), sd),
        *subject.ratio_probabilities(measure, lambda x: float(posterior.cdf(x)), questions),
    ]
