"""Weighted moments of one number a table, over an ensemble: quantiles, split by reading, Monte Carlo error, comparison of two."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from retrial.dims import RECONSTRUCTION
from retrial.reconstruct.ensemble import Ensemble
from retrial.reconstruct.readings import Reading
from retrial.survival.life_table import LifeTable

QUANTILES = (0.025, 0.5, 0.975)
SUMMARY = ("mean", "sd", "lower", "median", "upper", "within_readings", "between_readings", "monte_carlo_error")
SAME = 1e-9
"""SDs and Monte Carlo errors below this are rounding: the quantity is the same in every table."""


def summary(values: np.ndarray, ensemble: Ensemble) -> dict[str, float]:
    """Moments, quantiles, split of the variance and Monte Carlo error of one quantity (M,) over the tables.

    Where a table makes it infinite (the hazard ratio of an arm without events) only the quantiles exist; the others are NaN.
    Tables where it is NaN (a curve that ends earlier) do not count; `tables` is the weight of the others.
    """
    known = ~np.isnan(values)
    if not known.any():
        return dict.fromkeys(SUMMARY, np.nan) | {"tables": 0.0}
    share = float(ensemble.weights[known].sum())
    values, ensemble = values[known], ensemble if known.all() else _only(ensemble, known)
    weights = ensemble.weights
    finite = bool(np.isfinite(values).all())
    mean = float(weights @ values) if finite else np.nan
    within, between = split(values, ensemble) if finite else (np.nan, np.nan)
    total = within + between
    variance = 0.0 if total <= SAME**2 else total
    lower, median, upper = weighted_quantiles(values, weights, QUANTILES)
    return {
        "mean": mean,
        "sd": float(np.sqrt(variance)),
        "lower": lower,
        "median": median,
        "upper": upper,
        "within_readings": within / variance if variance > 0 else np.nan,
        "between_readings": between / variance if variance > 0 else np.nan,
        "monte_carlo_error": monte_carlo_error(values, weights, ensemble.islands) if variance > 0 else variance,
        "tables": share,
    }


def _only(ensemble: Ensemble, rows: np.ndarray) -> Ensemble:
    """Some of the tables, their weights adding to 1 again."""
    weights = ensemble.weights[rows]
    return dataclasses.replace(
        ensemble,
        table=LifeTable(ensemble.table.data.isel({RECONSTRUCTION: rows})),
        readings=tuple(reading for reading, kept in zip(ensemble.readings, rows, strict=True) if kept),
        weights=weights / weights.sum(),
        islands=ensemble.islands[rows[: len(ensemble.islands)]],
    )


def split(values: np.ndarray, ensemble: Ensemble) -> tuple[float, float]:
    """Variance within readings, Σ w_m (x_m - x̄_r(m))², and between them, Σ_r W_r (x̄_r - x̄)²."""
    overall = float(ensemble.weights @ values)
    within = between = 0.0
    for rows in by_reading(ensemble).values():
        weights = ensemble.weights[rows]
        share = float(weights.sum())
        mean = float(weights @ values[rows]) / share if share > 0 else overall
        within += float(weights @ (values[rows] - mean) ** 2)
        between += share * (mean - overall) ** 2
    return within, between


def by_reading(ensemble: Ensemble) -> dict[Reading, np.ndarray]:
    """Rows of each reading's tables."""
    names = np.array([reading.name for reading in ensemble.readings])
    return {reading: np.flatnonzero(names == reading.name) for reading in dict.fromkeys(ensemble.readings)}


def monte_carlo_error(values: np.ndarray, weights: np.ndarray, islands: np.ndarray) -> float:
    """Standard error of a weighted mean over tables of K independent samplers: jackknife over the samplers,
    √((K - 1)/K Σ_k (x̄₍₋ₖ₎ - x̄₍·₎)²), x̄₍₋ₖ₎ the mean without the tables of sampler k (Efron 1982, The Jackknife, ch. 3).

    Tables of one sampler share ancestors, whatever their reading, so that tables are not counted but samplers. NaN where all are of
    one, or `islands` (M,) is empty (a table of patients).
    """
    numbers = np.unique(islands[weights[: len(islands)] > 0])
    if len(numbers) < 2:
        return float("nan")
    without = np.array([np.average(values[islands != number], weights=weights[islands != number]) for number in numbers])
    return float(np.sqrt((len(numbers) - 1) / len(numbers) * ((without - without.mean()) ** 2).sum()))


def populations_error(variance: float, weights: np.ndarray, ensemble: Ensemble) -> float:
    """Standard error √(σ² Σ_r W_r² / K_r) where every sampler has one reading: K_r samplers of reading r, W_r its weight.

    A reading of one sampler leaves no spread to see its error by (a jackknife would leave the reading out), so that a sampler is
    counted as a single table, σ² the variance of one within its reading: its tables are alike, and no less than one is certain.
    """
    total = 0.0
    for rows in by_reading(ensemble).values():
        share, samplers = float(weights[rows].sum()), len(np.unique(ensemble.islands[rows]))
        total += share**2 / max(samplers, 1)
    return math.sqrt(variance * total)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[float, ...]) -> list[float]:
    """Smallest value whose cumulated weight reaches each level."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) / weights.sum()
    last = len(values) - 1
    return [float(values[order[min(int(np.searchsorted(cumulated, level - 1e-12)), last)]]) for level in levels]


def matched_weights(first: Ensemble, second: Ensemble) -> tuple[np.ndarray, np.ndarray] | None:
    """Weights of both ensembles' tables with the first's shares of the readings that both have; None without such a reading."""
    rows = by_reading(first), by_reading(second)
    shares = {reading: float(first.weights[mine].sum()) for reading, mine in rows[0].items() if reading in rows[1]}
    if not shares or sum(shares.values()) <= 0:
        return None
    weights = np.zeros(len(first.weights)), np.zeros(len(second.weights))
    for reading, share in shares.items():
        for found, groups in zip(weights, rows, strict=True):
            found[groups[reading]] = share / sum(shares.values()) / len(groups[reading])
    return weights


def compared(
    one: np.ndarray, two: np.ndarray, weights: tuple[np.ndarray, np.ndarray], first: Ensemble, second: Ensemble
) -> dict[str, float]:
    """Difference of the weighted means and its Monte Carlo error, √ of the sum of both squared: the first's by `monte_carlo_error`, the
    second's by `populations_error`. NaN where a table makes the quantity infinite.
    """
    finite = bool(np.isfinite(one).all() and np.isfinite(two).all())
    means = (float(weights[0] @ one), float(weights[1] @ two)) if finite else (np.nan, np.nan)
    same = finite and max(np.ptp(one), np.ptp(two)) <= SAME
    error = 0.0 if same else np.nan
    if finite and not same:
        variance = max(split(one, first)[0], split(two, second)[0])
        error = math.hypot(monte_carlo_error(one, weights[0], first.islands), populations_error(variance, weights[1], second))
    difference = means[1] - means[0]
    return {
        "default": means[0],
        "strict": means[1],
        "difference": difference,
        "monte_carlo_error": error,
        "standardised": 0.0 if error <= SAME and abs(difference) <= SAME else difference / max(error, SAME),
        "default_tables": int((weights[0] > 0).sum()),
        "strict_tables": int((weights[1] > 0).sum()),
    }
