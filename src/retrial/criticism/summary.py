"""Criticism of an endpoint's models as rows: predictive scores, differences, Pareto k, stacking weights, LOO-PIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrial.criticism.ensemble import MeanPit, ModelCriticism
from retrial.criticism.loo import LeaveOneOut, standard_error
from retrial.criticism.stacking import stacking_weights
from retrial.errors import FitError


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models side by side on the tables where every one of them passed.

    `models` are indices of those that take part; `elpd` per table the (cell, model) log scores of one patient each, `counts` the
    patients of its cells; `weights` (table,) add to 1.
    """

    models: list[int]
    elpd: list[np.ndarray]
    counts: list[np.ndarray]
    weights: np.ndarray


def summary_rows(parts: Sequence[ModelCriticism]) -> list[dict[str, Any]]:
    """A row a model of one endpoint; `parts` have the same tables, in the same order.

    elpd_loo, elpd_se, p_loo            means over the tables of Σ c elpd, its standard error and the effective parameters
    elpd_difference, its _se            from the best model, patient by patient within a table, then averaged
    pareto_k_max, share_k_above_limit   over all tables; share of the patients
    stacking_weight, its _sd, _mcse     mean and SD over the tables, standard error of the mean as if these were drawn at random; missing where
                                        there is nothing to weigh against, the last of one table
    tables, tables_failed               whose fit passed, and failed; tables_compared: where all compared models passed

    Missing for a model with too few fits that passed (`FEWEST_PASSED`): it is neither scored nor stacked.
    """
    rows = [_own_row(part) for part in parts]
    comparison = compared(parts)
    if comparison is None:
        return rows
    totals = np.stack([counts @ elpd for counts, elpd in zip(comparison.counts, comparison.elpd, strict=True)])
    best = int(np.argmax(comparison.weights @ totals))
    weights = stacked(comparison)
    for column, model in enumerate(comparison.models):
        differences = [elpd[:, column] - elpd[:, best] for elpd in comparison.elpd]
        errors = [standard_error(item, counts) for item, counts in zip(differences, comparison.counts, strict=True)]
        rows[model] |= {
            "elpd_difference": float(comparison.weights @ (totals[:, column] - totals[:, best])),
            "elpd_difference_se": float(comparison.weights @ np.array(errors)),
            "tables_compared": comparison.weights.size,
            **_weight(weights, comparison.weights, column),
        }
    return rows


def compared(parts: Sequence[ModelCriticism]) -> Comparison | None:
    """Two models or more with enough fits that passed, on the tables where all of them passed."""
    models = [i for i, part in enumerate(parts) if part.enough]
    common = np.flatnonzero(np.all([parts[i].usable for i in models], axis=0)) if len(models) > 1 else np.array([], dtype=int)
    if not common.size:
        return None
    elpd, counts = [], []
    for index in common:
        found = [item for i in models if (item := parts[i].left_out[index]) is not None]
        elpd.append(np.column_stack([item.elpd for item in found]))
        counts.append(found[0].cells.counts)
    weights = parts[0].weights[common]
    return Comparison(models, elpd, counts, weights / weights.sum())


def stacked(comparison: Comparison) -> np.ndarray | None:
    """Stacking weights (table, model), each from its own table; None where they cannot be had."""
    try:
        pairs = zip(comparison.elpd, comparison.counts, strict=True)
        return np.stack([stacking_weights(elpd, counts) for elpd, counts in pairs])
    except FitError:
        return None


def _weight(weights: np.ndarray | None, tables: np.ndarray, column: int) -> dict[str, Any]:
    if weights is None:
        return {}
    mean = float(tables @ weights[:, column])
    spread = float(np.sqrt(tables @ (weights[:, column] - mean) ** 2))
    error = spread * float(np.sqrt((tables**2).sum())) if tables.size > 1 else np.nan
    return {"stacking_weight": mean, "stacking_weight_sd": spread, "stacking_weight_mcse": error}


def _own_row(part: ModelCriticism) -> dict[str, Any]:
    kept = part.usable
    used: list[LeaveOneOut] = [item for item in part.left_out if item is not None] if part.enough else []
    weights = part.weights[kept] / part.weights[kept].sum() if used else np.array([])

    def mean(values: list[float]) -> float:
        return float(weights @ np.array(values)) if used else np.nan

    return {
        "endpoint": part.endpoint,
        "model": part.model,
        "prior": part.prior,
        "elpd_loo": mean([item.elpd_loo for item in used]),
        "elpd_se": mean([item.elpd_se for item in used]),
        "elpd_difference": np.nan,
        "elpd_difference_se": np.nan,
        "p_loo": mean([item.effective_parameters for item in used]),
        "pareto_k_max": max((float(item.pareto_k.max()) for item in used), default=np.nan),
        "pareto_k_limit": max((item.limit for item in used), default=np.nan),
        "share_k_above_limit": mean([item.share_above_limit for item in used]),
        "stacking_weight": np.nan,
        "stacking_weight_sd": np.nan,
        "stacking_weight_mcse": np.nan,
        "tables": int(kept.sum()),
        "tables_failed": int((~kept).sum()),
        "tables_compared": 0,
        "status": part.status,
    }


def pit_rows(part: ModelCriticism, found: Sequence[MeanPit]) -> list[dict[str, Any]]:
    """A row a predicted probability and group: the share of patients observed, and where a right model's would be."""
    return [
        {
            "endpoint": part.endpoint,
            "model": part.model,
            "prior": part.prior,
            "arm": item.group,
            "predicted": float(item.predicted[i]),
            "observed": float(item.observed[i]),
            "sd_between_tables": float(item.spread[i]),
            "band_half_width": float(item.half_width[i]),
            "at_risk": float(item.at_risk[i]),
            "tables": int(part.usable.sum()),
        }
        for item in found
        for i in range(item.predicted.size)
    ]
