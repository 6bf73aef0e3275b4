"""Where the spread of a pooled posterior comes from: within a table, between tables of one reading, between readings, between designs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """SD of the pooled posterior, and the shares of its variance, which add to 1.

    within            mean variance of the tables' posteriors: what patients of known times would leave open
    between_tables    of the tables' posterior means about their reading's: what the paper leaves open under one reading of its estimators
    between_readings  of the means of the estimators' readings about their design's
    between_designs   of the designs' means about the overall mean
    """

    total_sd: float
    within: float
    between_tables: float
    between_readings: float
    between_designs: float


def variance_split(
    draws: Sequence[np.ndarray], weights: np.ndarray, readings: Sequence[str], designs: Sequence[str] | None = None
) -> VarianceSplit:
    """Law of total variance over tables m with draws (draw,), weights w_m (adding to 1), readings r(m) and designs g(m) (None: one).

    Var = Σ w_m v_m + Σ w_m (μ_m - μ_r(m))² + Σ_m w_m (μ_r(m) - μ_g(m))² + Σ_m w_m (μ_g(m) - μ)²

    μ_r, μ_g and μ are weighted means of the μ_m over the tables of a reading under a design, of a design, and all. v_m and μ_m are those of the
    draws; the Monte Carlo error of μ_m, v_m over its effective number of draws, counts as between tables.
    """
    weights = np.asarray(weights, dtype=float) / np.sum(weights)
    means, variances = np.array([np.mean(x) for x in draws]), np.array([np.var(x) for x in draws])
    design = [""] * len(means) if designs is None else list(designs)
    of_design = _group_means(means, weights, design)
    of_reading = _group_means(means, weights, list(zip(design, readings, strict=True)))
    overall = np.full_like(means, weights @ means)
    parts = [
        float(weights @ (one - other) ** 2) for one, other in ((means, of_reading), (of_reading, of_design), (of_design, overall))
    ]
    within = float(weights @ variances)
    total = within + sum(parts)
    if total <= 0:
        return VarianceSplit(0.0, 1.0, 0.0, 0.0, 0.0)
    tables, between_readings, between_designs = (part / total for part in parts)
    return VarianceSplit(float(np.sqrt(total)), within / total, tables, between_readings, between_designs)


def _group_means(means: np.ndarray, weights: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """(M,) weighted mean of the group of each table; of a group without weight that of its tables."""
    found = np.empty_like(means)
    for group in dict.fromkeys(groups):
        mine = np.array([own == group for own in groups])
        share = weights[mine].sum()
        found[mine] = weights[mine] @ means[mine] / share if share > 0 else means[mine].mean()
    return found
