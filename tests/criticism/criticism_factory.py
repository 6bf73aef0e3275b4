"""Exponential survival with a Gamma prior: the case in which leaving a patient out has a closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np

from retrial.fit.diagnostics import Diagnostics
from retrial.fit.engine import Draws
from retrial.fit.ensemble import Fitted, Question
from retrial.fit.survival.likelihood import SurvivalData
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

PRIOR_A, PRIOR_B = 2.0, 20.0
"""Gamma prior (shape, rate in months) of the rate that both arms share."""


def exponential(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
    rate = parameters["rate"] + 0.0 * experimental
    return xp.log(rate) + 0.0 * time, rate * time


def table_data(recorded: Recorded = "exact") -> SurvivalData:
    """24 patients on a monthly grid, with ties, censorings and empty cells."""
    events = np.array([[2, 3, 0, 1, 1, 2], [1, 0, 2, 1, 0, 1]], dtype=float)
    censored = np.array([[0, 1, 0, 2, 0, 1], [1, 0, 0, 0, 2, 3]], dtype=float)
    times = np.arange(1.0, 7.0)
    return SurvivalData(times, times - 1, np.stack([events, censored]), recorded)


def posterior(data: SurvivalData) -> tuple[float, float]:
    """Shape and rate of the Gamma posterior from exact times."""
    return PRIOR_A + float(data.events.sum()), PRIOR_B + float((data.counts.sum(axis=(0, 1)) * data.times).sum())


def gamma_draws(data: SurvivalData, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    shape, rate = posterior(data)
    return {"rate": rng.gamma(shape, 1.0 / rate, size)}


def arviz_tree(log_likelihood: np.ndarray) -> Any:
    """Log-likelihood (draw, patient) for ArviZ, as one chain."""
    posterior = {"rate": np.zeros((1, log_likelihood.shape[0]))}
    return az.from_dict({"posterior": posterior, "log_likelihood": {"y": log_likelihood[None]}})


def simulated_table(
    rng: np.random.Generator, n: int, shape: float = 1.0, follow_up: float = 15.0, unit: float = 0.0
) -> LifeTable:
    """Weibull times with median 7 months in both arms, uniform censoring; rounded to `unit` where it is above 0."""
    time = 7.0 * (rng.exponential(size=2 * n) / np.log(2)) ** (1 / shape)
    leaving = rng.uniform(0.5, follow_up, 2 * n)
    seen = np.minimum(time, leaving)
    if unit > 0:
        seen = np.maximum(np.round(seen / unit), 1.0) * unit
    return LifeTable.from_patients(seen, (time <= leaving).astype(int), np.arange(2 * n) % 2)


def fitted_of(
    question: Question, draws: list[dict[str, np.ndarray]], model: str = "exponential", failed: tuple[int, ...] = ()
) -> Fitted:
    """Fits of every table under one prior, "flat"; those in `failed` did not pass."""
    size = next(iter(draws[0].values())).shape[0]
    fits = [Draws({name: value[None] for name, value in one.items()}, np.zeros((1, size), dtype=bool)) for one in draws]
    health = [
        Diagnostics(1.0, float(size), float(size), 0, size, "failed: 7 divergences > 0" if i in failed else "ok")
        for i in range(len(draws))
    ]
    return Fitted(question.endpoint, model, question.weights, {"flat": fits}, {"flat": health})
