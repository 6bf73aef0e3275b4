"""Where the spread of a pooled posterior comes from: within a table, between tables of one reading, between readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """SD of the pooled posterior, and the shares of its variance, which add to 1.

    within            mean variance of the tables' posteriors: what patients of known times would leave open
    between_tables    of the tables' posterior means about their reading's: what the paper leaves open under one reading of its estimators
    between_readings  of the readings' means about the overall mean
    """

    total_sd: float
    within: float
    between_tables: float
    between_readings: float


def variance_split(draws: Sequence[np.ndarray], weights: np.ndarray, readings: Sequence[str]) -> VarianceSplit:
    """Law of total variance over tables m with draws (draw,), weights w_m (adding to 1) and readings r(m).

    Var = Σ w_m v_m + Σ w_m (μ_m - μ_r(m))² + Σ_r W_r (μ_r - μ)²,   W_r = Σ_{m in r} w_m,  μ_r and μ weighted means of the μ_m.

    v_m and μ_m are those of the draws; the Monte Carlo error of μ_m, v_m over its effective number of draws, counts as between tables.
    """
    weights = np.asarray(weights, dtype=float) / np.sum(weights)
    means, variances = np.array([np.mean(x) for x in draws]), np.array([np.var(x) for x in draws])
    overall = float(weights @ means)
    within = float(weights @ variances)
    tables = readings_part = 0.0
    for reading in dict.fromkeys(readings):
        mine = np.array([name == reading for name in readings])
        share = float(weights[mine].sum())
        if share <= 0:
            continue
        mean = float(weights[mine] @ means[mine]) / share
        tables += float(weights[mine] @ (means[mine] - mean) ** 2)
        readings_part += share * (mean - overall) ** 2
    total = within + tables + readings_part
    if total <= 0:
        return VarianceSplit(0.0, 1.0, 0.0, 0.0)
    return VarianceSplit(float(np.sqrt(total)), within / total, tables / total, readings_part / total)
