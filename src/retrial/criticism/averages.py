"""Answers averaged over models: Σ_m s_m Σ_k w_mk p(answer | table m, model k), weights by stacking or by model probabilities.

Every part is a cut posterior (tables from their own prior, parameters from the model given each table), and so is the average. METHODS, section 8.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv
from scipy.stats import norm

from retrial.answers.comparison.shared import ModelAnswers, held_against
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.criticism.ensemble import FEWEST_PASSED, ModelCriticism
from retrial.criticism.summary import compared, stacked
from retrial.criticism.variance import split_of_models
from retrial.dims import ARMS
from retrial.estimate import NAN, Estimate
from retrial.fit.evidence import probability_rows
from retrial.frequentist.rows import DIFFERENCE, RATIO

AVERAGE = "model_average"
"""What the rows call their model."""
STACKING, PROBABILITIES = "stacking weights", "model probabilities"
"""Ways of weighing, the rows' `variant`."""
_LEAST_WEIGHT = 5e-4
"""Below it a weight is not said: 0.000."""
_SIGMA = float(norm.cdf(1.0))
_MOST_DRAWS = 1e9
"""Effective draws beyond which nothing changes: of values that are all equal."""


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights (model, table) of some models, adding to 1 in each table that is `used` (table,); their means, and the standard errors of these."""

    kind: str
    models: tuple[str, ...]
    weights: np.ndarray
    used: np.ndarray
    means: np.ndarray
    errors: np.ndarray

    @property
    def said(self) -> str:
        """ "one 0.543 (SE 0.010), other 0.457 (SE 0.010)"."""
        parts = [
            f"{name} {mean:.3f}" + ("" if np.isnan(error) else f" (SE {error:.3f})")
            for name, mean, error in zip(self.models, self.means, self.errors, strict=True)
            if mean >= _LEAST_WEIGHT
        ]
        return ", ".join(parts)


def average_rows(
    parts: Sequence[ModelAnswers],
    criticised: Sequence[ModelCriticism],
    evidence: pd.DataFrame,
    questions: Questions,
    threads: int,
) -> list[Estimate]:
    """Averages of every endpoint and prior set under which two models or more were fitted; `evidence` are rows of `fit.evidence`.

    A model takes part where most of its fits passed, a table where those of all of these did.
    """
    asked = list(_asked(parts, criticised, evidence))
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda item: _rows(item[0], item[1], questions), asked)
        return [row for rows in found for row in rows]


def average_variance(
    parts: Sequence[ModelAnswers],
    criticised: Sequence[ModelCriticism],
    evidence: pd.DataFrame,
    hypotheses: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> list[dict[str, object]]:
    """Splits of the average by model probabilities, with the share between its models, of the log of the average hazard ratio and of the difference
    in restricted means; `hypotheses` (endpoint) are the readings of the estimators and of the design that each table is of.
    """
    found = [(mine, weighting) for mine, weighting in _asked(parts, criticised, evidence) if weighting.kind == PROBABILITIES]
    return [row for mine, weighting in found for row in _variance(mine, weighting, *hypotheses[mine[0].endpoint])]


def _variance(
    parts: Sequence[ModelAnswers], weighting: Weighting, readings: Sequence[str], designs: Sequence[str]
) -> Iterator[dict[str, object]]:
    first = parts[0]
    share = float(first.shares[weighting.used].sum())
    if share < FEWEST_PASSED:
        return
    horizon = first.answers.horizon
    values = {
        "log_average_hazard_ratio": [part.answers.log_ratio for part in parts],
        "rmst_difference": [part.answers.rmst[:, 1] - part.answers.rmst[:, 0] for part in parts],
    }
    for quantity, of_models in values.items():
        moments = [_moments(value, part.origin.table, weighting.used.size) for value, part in zip(of_models, parts, strict=True)]
        count, means, variances = (np.array(item) for item in zip(*moments, strict=True))
        reached = weighting.used & first.follow_up.reaching(horizon) & (count > 0).all(axis=0)
        if not first.shares[reached].any():
            continue
        weights = np.where(reached, first.shares, 0.0) * weighting.weights
        split = split_of_models(means, variances, weights, readings, designs)
        yield {
            **{"endpoint": first.endpoint, "model": AVERAGE, "prior": first.prior, "quantity": quantity, "time": horizon},
            **{
                "total_sd": split.total_sd,
                **split.shares,
                "tables": int(reached.sum()),
                "status": "ok",
                "design": "",
                "shift": NAN,
            },
        }


def _moments(values: np.ndarray, table: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(table,) number, mean and variance of the draws of each."""
    count = np.bincount(table, minlength=size)
    mean, square = (np.bincount(table, values.astype(float) ** power, size) / np.maximum(count, 1) for power in (1, 2))
    return count, mean, np.maximum(square - mean**2, 0.0)


def _asked(
    parts: Sequence[ModelAnswers], criticised: Sequence[ModelCriticism], evidence: pd.DataFrame
) -> Iterator[tuple[list[ModelAnswers], Weighting]]:
    for endpoint, prior in dict.fromkeys((part.endpoint, part.prior) for part in parts):
        mine = [part for part in parts if (part.endpoint, part.prior) == (endpoint, prior)]
        scores = [item for item in criticised if (item.endpoint, item.prior) == (endpoint, prior)]
        here = evidence[(evidence["endpoint"] == endpoint) & (evidence["prior"] == prior)]
        for weighting in (by_stacking(mine, scores), by_probability(mine, here)):
            if weighting is not None:
                yield [next(part for part in mine if part.model == model) for model in weighting.models], weighting


def by_stacking(parts: Sequence[ModelAnswers], criticised: Sequence[ModelCriticism]) -> Weighting | None:
    """Stacking weights, means over the tables that patients were left out of; None where there are none."""
    scored = [item for item in criticised if any(part.model == item.model for part in parts)]
    comparison = compared(scored)
    weights = None if comparison is None else stacked(comparison)
    if comparison is None or weights is None:
        return None
    models = tuple(scored[index].model for index in comparison.models)
    used = _passed(parts, models)
    means = comparison.weights @ weights
    spread = np.sqrt(comparison.weights @ (weights - means) ** 2)
    errors = spread * np.sqrt((comparison.weights**2).sum()) if len(weights) > 1 else np.full(means.size, np.nan)
    return Weighting(STACKING, models, np.repeat(means[:, None], used.size, axis=1), used, means, errors)


def by_probability(parts: Sequence[ModelAnswers], evidence: pd.DataFrame) -> Weighting | None:
    """Probabilities of the models in each table; None where there are none."""
    means = probability_rows(evidence)
    known = means[means["model"].isin([part.model for part in parts])]
    if len(known) < 2:
        return None
    models = tuple(str(name) for name in known["model"])
    wide = evidence.pivot_table(index="reconstruction", columns="model", values="probability")
    weights = wide.reindex(index=range(parts[0].shares.size), columns=list(models)).to_numpy().T
    used = np.isfinite(weights).all(axis=0) & _passed(parts, models)
    numbers = (known[name].to_numpy() for name in ("probability", "probability_mcse"))
    return Weighting(PROBABILITIES, models, np.where(used, weights, 0.0), used, *numbers)


def _passed(parts: Sequence[ModelAnswers], models: Sequence[str]) -> np.ndarray:
    """(table,) whose fits by all of the models may be used."""
    return np.all([part.passed for part in parts if part.model in models], axis=0)


def _rows(parts: Sequence[ModelAnswers], weighting: Weighting, questions: Questions) -> list[Estimate]:
    first = parts[0]
    share = float(first.shares[weighting.used].sum())
    status = "ok" if share >= FEWEST_PASSED else f"failed: fits of all models passed in {share:.0%} of the tables only"
    source = "; ".join(filter(None, (first.source, _tables_said(first, weighting, share))))
    subject = Subject(first.endpoint, "", AVERAGE, first.prior, source, status, first.note, weighting.kind)
    mixture = _Mixture.of(parts, weighting) if share > 0 else None
    if mixture is None:
        return [dataclasses.replace(subject, contrast=RATIO).row("average_hazard_ratio", "ratio", NAN, questions, (NAN, NAN))]
    head, *rest = _answers(subject, parts, mixture, questions)
    head = dataclasses.replace(head, note="; ".join(filter(None, (head.note, f"weights: {weighting.said}"))))
    return held_against([head, *rest], first.seen, first.answers.times)


def _tables_said(part: ModelAnswers, weighting: Weighting, share: float) -> str:
    if part.shares.size == 1:
        return ""
    over = (
        "" if weighting.used.all() else f", over {int(weighting.used.sum())} of {part.shares.size} tables ({share:.0%} by weight)"
    )
    return f"cut posterior: tables from their own prior{over}"


def _answers(subject: Subject, parts: Sequence[ModelAnswers], mixture: _Mixture, questions: Questions) -> list[Estimate]:
    answers = [part.answers for part in parts]
    horizon = answers[0].horizon
    about, some = mixture.at(subject, horizon)
    rows = some.ratio_rows(about, [item.log_ratio for item in answers], questions, horizon)
    rows += some.arm_rows(about, ("rmst", "rmst_difference"), "months", [item.rmst for item in answers], questions, horizon)
    for index, time in enumerate(answers[0].times):
        about, some = mixture.at(subject, time)
        values = [item.survival[..., index] for item in answers]
        rows += some.arm_rows(about, ("survival", "survival_difference"), "probability", values, questions, time)
    return rows


@dataclass(frozen=True, eq=False)
class _Mixture:
    """Draws of several models with their weights (draw,) a model, all together adding to 1."""

    parts: Sequence[ModelAnswers]
    weights: Sequence[np.ndarray]

    @classmethod
    def of(cls, parts: Sequence[ModelAnswers], weighting: Weighting) -> _Mixture:
        used = np.where(weighting.used, parts[0].shares, 0.0)
        found = []
        for part, row in zip(parts, weighting.weights, strict=True):
            counts = np.bincount(part.origin.table, minlength=used.size)
            found.append((used * row / np.maximum(counts, 1))[part.origin.table])
        total = sum(float(item.sum()) for item in found)
        return cls(parts, [item / total for item in found])

    def at(self, subject: Subject, time: float) -> tuple[Subject, _Mixture]:
        """The subject and the mixture over the tables that are followed to a time."""
        follow_up = self.parts[0].follow_up
        reach = follow_up.reaching(time)
        weights = [item * reach[part.origin.table] for part, item in zip(self.parts, self.weights, strict=True)]
        total = sum(float(item.sum()) for item in weights)
        if reach.all() or not total > 0:
            return subject, self
        note = "; ".join(filter(None, (follow_up.note(time), subject.note)))
        return dataclasses.replace(subject, note=note), _Mixture(self.parts, [item / total for item in weights])

    @property
    def draws(self) -> int:
        return sum(int((item > 0).sum()) for item in self.weights)

    def arm_rows(
        self, subject: Subject, names: tuple[str, str], unit: str, values: Sequence[np.ndarray], questions: Questions, time: float
    ) -> list[Estimate]:
        """A row an arm for values (draw, arm) of each model, one for their difference, and P(difference > 0)."""
        of_arms = [
            self._row(
                dataclasses.replace(subject, contrast=arm), names[0], unit, [item[:, i] for item in values], questions, time
            )
            for i, arm in enumerate(ARMS)
        ]
        differences = [item[:, 1] - item[:, 0] for item in values]
        about = dataclasses.replace(subject, contrast=DIFFERENCE)
        chance, error = self._mean([item > 0 for item in differences])
        above = dataclasses.replace(
            about.probability(names[1], "above", (0.0,), chance, time), draws=self.draws, mcse_point=error
        )
        return [*of_arms, self._row(about, names[1], unit, differences, questions, time), above]

    def ratio_rows(self, subject: Subject, values: Sequence[np.ndarray], questions: Questions, time: float) -> list[Estimate]:
        """The average hazard ratio of draws (draw,) of its logarithm, and its probabilities."""
        about, name = dataclasses.replace(subject, contrast=RATIO), "average_hazard_ratio"
        rows = [
            self._row(about, name, "ratio", [np.exp(item) for item in values], questions, time),
            self._row(about, f"log_{name}", "log ratio", values, questions, time),
        ]
        for row in about.ratio_probabilities(name, lambda _: 0.5, questions, time):
            low, high = np.log([row.threshold, row.threshold_upper if row.event == "between" else np.inf])
            inside = [(item < low) if row.event == "below" else (item >= low) & (item < high) for item in values]
            chance, error = self._mean(inside)
            rows.append(dataclasses.replace(row, point=chance, draws=self.draws, mcse_point=error))
        return rows

    def _row(
        self, subject: Subject, name: str, unit: str, values: Sequence[np.ndarray], questions: Questions, time: float
    ) -> Estimate:
        levels = np.array([questions.tail, 0.5, 1 - questions.tail])
        every, weights = np.concatenate(values).astype(float), np.concatenate(self.weights)
        order = np.argsort(every)
        ordered, reached = every[order], np.cumsum(weights[order])

        def quantile(level: np.ndarray) -> np.ndarray:
            return ordered[np.minimum(np.searchsorted(reached, level * reached[-1]), ordered.size - 1)]

        quantiles = quantile(levels)
        errors = np.array([self._mean([item <= value for item in values])[1] for value in quantiles])
        variance = levels * (1 - levels)
        size = variance / np.maximum(errors**2, variance / _MOST_DRAWS)
        low, high = (quantile(betaincinv(size * levels + 1, size * (1 - levels) + 1, q)) for q in (1 - _SIGMA, _SIGMA))
        spread = (high - low) / 2
        mean = float(weights @ every)
        sd = float(np.sqrt(weights @ (every - mean) ** 2))
        row = subject.row(name, unit, quantiles[1], questions, (quantiles[0], quantiles[2]), sd, time)
        lower, point, upper = (float(item) for item in spread)
        return dataclasses.replace(row, draws=self.draws, mcse_lower=lower, mcse_point=point, mcse_upper=upper)

    def _mean(self, values: Sequence[np.ndarray]) -> tuple[float, float]:
        """Share of the draws of which `values` (draw,) of each model are true, and its Monte Carlo error: the models' draws are independent."""
        total, variance = 0.0, 0.0
        for part, weights, value in zip(self.parts, self.weights, values, strict=True):
            scaled = weights * value * weights.size
            total += float(scaled.mean())
            variance += float(part.origin.mean_errors(scaled[None])[0]) ** 2 if weights.any() else 0.0
        if variance == 0.0:
            # no draw on one side: as if half a draw were there, so that 0 and 1 are not told as exact
            half = 0.5 / (self.draws + 1)
            variance = half * (1 - half) / self.draws
        return min(max(total, 0.0), 1.0), float(np.sqrt(variance))
