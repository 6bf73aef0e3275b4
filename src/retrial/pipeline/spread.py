"""What the tables of an ensemble leave open, beside what their patients do; and which posteriors agree with the published ratio."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrial.answers import curves
from retrial.answers.agreement import agreements
from retrial.answers.survival import follow_up_of, horizon_of, times_within
from retrial.answers.variance import variance_split
from retrial.estimate import Estimate
from retrial.fit.engine import Draws
from retrial.fit.ensemble import EFFECT, Fitted
from retrial.frequentist.ratios import published_effects
from retrial.pipeline.tables import EndpointTables
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study

_CURVE_DRAWS, _ALL_CURVE_DRAWS = 400, 8000
"""Draws a table behind its mean restricted survival: their Monte Carlo error adds a quarter of a percent to the share between tables;
and of all tables together at least, so that the total SD is right to a percent where there is one table."""


def variance_rows(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables) -> list[dict[str, Any]]:
    """Splits of the log hazard ratio under every prior set, and of the difference in restricted means under the main one.

    Where hazards are not proportional the ratio is that at the middle one of `answers.survival_months` within the follow-up.
    """
    readings = [reading.name for reading in item.ensemble.readings] if item.ensemble is not None else [""] * len(item.weights)
    main = run.main_prior if run.main_prior in fitted.draws else next(iter(fitted.draws))
    horizon = horizon_of(item.table, run.questions)
    rows = []
    times = times_within(run.questions, follow_up_of(item.table))
    for prior, fits in fitted.draws.items():
        values: dict[tuple[str, float], list[np.ndarray]] = {}
        if spec.proportional:
            values[EFFECT, math.nan] = [fit.values[EFFECT].ravel() for fit in fits]
        else:
            at = times[len(times) // 2]
            values[EFFECT, at] = [_log_hazard_ratio(spec, _some_draws(fit, len(fits)), at) for fit in fits]
        if prior == main:
            values["rmst_difference", horizon] = [_rmst_difference(spec, _some_draws(fit, len(fits)), horizon) for fit in fits]
        for (quantity, time), draws in values.items():
            split = variance_split(draws, item.weights, readings)
            named = {"endpoint": item.endpoint, "model": spec.name, "prior": prior, "quantity": quantity, "time": time}
            numbers = {
                "total_sd": split.total_sd,
                "within_share": split.within,
                "between_tables_share": split.between_tables,
                "between_readings_share": split.between_readings,
            }
            rows.append({**named, **numbers, "tables": len(fits), "status": fitted.status(prior)})
    return rows


def _rmst_difference(spec: ModelSpec, draws: dict[str, np.ndarray], horizon: float) -> np.ndarray:
    means = curves.rmst(spec.hazard_of(), draws, horizon)
    return means[:, 1] - means[:, 0]


def _log_hazard_ratio(spec: ModelSpec, draws: dict[str, np.ndarray], time: float) -> np.ndarray:
    return curves.log_hazard_ratio(spec.hazard_of(), draws, np.array([time]))[:, 0]


def _some_draws(fit: Draws, tables: int) -> dict[str, np.ndarray]:
    size = fit.diverging.size
    kept = np.linspace(0, size - 1, min(size, max(_CURVE_DRAWS, _ALL_CURVE_DRAWS // tables))).round().astype(int)
    return {name: value.reshape(-1, *value.shape[2:])[kept] for name, value in fit.values.items()}


def write_spread(
    run: RunConfig, used: Study, variance: Sequence[dict[str, Any]], estimates: Iterable[Estimate], folder: Path
) -> None:
    """variance.csv and agreement.csv of a run, each where it has rows; `used` is the study as the audit lets it be used."""
    agreed = [dataclasses.asdict(row) for row in agreements(estimates, published_effects(used), run.questions.agreement)]
    for name, rows in (("variance", variance), ("agreement", agreed)):
        if rows:
            pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
