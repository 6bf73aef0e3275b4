"""Where the spread of a pooled posterior comes from: within a table, between models, tables of one reading, readings, designs."""

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
    between_models    of an average over models: of each model's mean in a table about the table's
    """

    total_sd: float
    within: float
    between_tables: float
    between_readings: float
    between_designs: float
    between_models: float = 0.0

    @property
    def shares(self) -> dict[str, float]:
        """The shares as columns of variance.csv."""
        names = ("within", "between_models", "between_tables", "between_readings", "between_designs")
        return {f"{name}_share": getattr(self, name) for name in names}


def variance_split(
    draws: Sequence[np.ndarray], weights: np.ndarray, readings: Sequence[str], designs: Sequence[str] | None = None
) -> VarianceSplit:
    """Law of total variance over tables m with draws (draw,), weights w_m (adding to 1), readings r(m) and designs g(m) (None: one).

    Var = Σ w_m v_m + Σ w_m (μ_m - μ_r(m))² + Σ_m w_m (μ_r(m) - μ_g(m))² + Σ_m w_m (μ_g(m) - μ)²

    μ_r, μ_g and μ are weighted means of the μ_m over the tables of a reading under a design, of a design, and all. v_m and μ_m are those of the
    draws; the Monte Carlo error of μ_m, v_m over its effective number of draws, counts as between tables.
    """
    means, variances = np.array([np.mean(x) for x in draws]), np.array([np.var(x) for x in draws])
    return split_of_models(means[None], variances[None], np.asarray(weights, dtype=float)[None], readings, designs)


def split_of_models(
    means: np.ndarray,
    variances: np.ndarray,
    weights: np.ndarray,
    readings: Sequence[str],
    designs: Sequence[str] | None = None,
) -> VarianceSplit:
    """The same of several models k, from the means μ_km, variances v_km and weights w_km (model, table) of their posteriors: as above with
    w_m = Σ_k w_km, v_m = Σ_k w_km v_km / w_m, μ_m = Σ_k w_km μ_km / w_m, and + Σ w_km (μ_km - μ_m)². Tables without weight do not count.
    """
    kept = weights.sum(axis=0) > 0
    means, variances, of_models = means[:, kept], variances[:, kept], weights[:, kept] / weights.sum()
    of_tables = of_models.sum(axis=0)
    of_table = (of_models * means).sum(axis=0) / of_tables
    every = ([""] * kept.size if designs is None else designs, readings)
    design, reading = ([name for name, mine in zip(names, kept, strict=True) if mine] for names in every)
    of_design = _group_means(of_table, of_tables, design)
    of_reading = _group_means(of_table, of_tables, list(zip(design, reading, strict=True)))
    overall = np.full_like(of_table, of_tables @ of_table)
    within, between_models = float((of_models * variances).sum()), float((of_models * (means - of_table) ** 2).sum())
    steps = ((of_table, of_reading), (of_reading, of_design), (of_design, overall))
    parts = [between_models, *(float(of_tables @ (one - other) ** 2) for one, other in steps)]
    total = within + sum(parts)
    if total <= 0:
        return VarianceSplit(0.0, 1.0, 0.0, 0.0, 0.0)
    models, tables, between_readings, between_designs = (part / total for part in parts)
    return VarianceSplit(float(np.sqrt(total)), within / total, tables, between_readings, between_designs, models)


def _group_means(means: np.ndarray, weights: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """(M,) weighted mean of the group of each table; of a group without weight that of its tables."""
    found = np.empty_like(means)
    for group in dict.fromkeys(groups):
        mine = np.array([own == group for own in groups])
        share = weights[mine].sum()
        found[mine] = weights[mine] @ means[mine] / share if share > 0 else means[mine].mean()
    return found
