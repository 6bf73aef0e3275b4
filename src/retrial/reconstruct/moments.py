"""Weighted moments of one number a table, over an ensemble: quantiles, split by reading, Monte Carlo error, comparison of two."""

from __future__ import annotations

import dataclasses

import numpy as np

from retrial.dims import RECONSTRUCTION
from retrial.reconstruct.ensemble import Ensemble
from retrial.reconstruct.readings import Reading
from retrial.reconstruct.strict import PER_ANCESTOR
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
        "monte_carlo_error": monte_carlo_error(values, ensemble) if variance > 0 else variance,
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


def effective_sizes(ensemble: Ensemble) -> dict[Reading, float]:
    """Independent tables that each reading's delivered ones are worth.

    The smaller of their number and of the samplers' worth (`ReadingResult.effective_tables`); where so few samplers ran that
    this is not known, one table each.
    """
    results = {result.reading: result for result in ensemble.results}
    sizes = {}
    for reading, rows in by_reading(ensemble).items():
        result = results.get(reading)
        known = float(len(rows)) if result is None else result.effective_tables
        known = known if np.isfinite(known) or result is None else float(max(result.islands, 1))
        sizes[reading] = max(1.0, min(float(len(rows)), known))
    return sizes


def monte_carlo_error(values: np.ndarray, ensemble: Ensemble) -> float:
    """Standard error of the weighted mean: √(σ² Σ_r W_r² / n_r + Σ_r se(W_r)² (x̄_r - x̄)²).

    σ² is the variance within readings (pooled: some have few tables), n_r `effective_sizes`; the second part is the error of the
    readings' shares.
    """
    within, _ = split(values, ensemble)
    overall, sizes = float(ensemble.weights @ values), effective_sizes(ensemble)
    errors = {result.reading: result.share_se for result in ensemble.results}
    total = 0.0
    for reading, rows in by_reading(ensemble).items():
        share = float(ensemble.weights[rows].sum())
        total += within * share**2 / sizes[reading]
        se = errors.get(reading, 0.0)
        total += (se if np.isfinite(se) else share) ** 2 * (float(values[rows].mean()) - overall) ** 2
    return float(np.sqrt(total))


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
    """Difference of the weighted means and its Monte Carlo error √(σ² Σ_r W_r² (1/n_r + 1/m_r)).

    σ² is the variance within readings of whichever ensemble has more, n_r the first's effective tables, m_r a third of the second's
    (`strict.PER_ANCESTOR` tables may descend from one default table). NaN where a table makes the quantity infinite.
    """
    finite = bool(np.isfinite(one).all() and np.isfinite(two).all())
    means = (float(weights[0] @ one), float(weights[1] @ two)) if finite else (np.nan, np.nan)
    variance = max(variance_within(one, weights[0], first), variance_within(two, weights[1], second)) if finite else np.nan
    sizes = effective_sizes(first)
    error = 0.0
    for reading, rows in by_reading(first).items():
        share = float(weights[0][rows].sum())
        theirs = by_reading(second).get(reading)
        if theirs is not None and share > 0:
            error += variance * share**2 * (1 / sizes[reading] + 1 / max(1.0, len(theirs) / PER_ANCESTOR))
    error = float(np.sqrt(error))
    return {
        "default": means[0],
        "strict": means[1],
        "difference": means[1] - means[0],
        "monte_carlo_error": error,
        "standardised": 0.0 if error <= SAME else (means[1] - means[0]) / error,
        "default_tables": int((weights[0] > 0).sum()),
        "strict_tables": int((weights[1] > 0).sum()),
    }


def variance_within(values: np.ndarray, weights: np.ndarray, ensemble: Ensemble) -> float:
    """Variance within readings under the matched weights."""
    found = 0.0
    for rows in by_reading(ensemble).values():
        share = float(weights[rows].sum())
        if share > 0:
            found += float(weights[rows] @ (values[rows] - float(weights[rows] @ values[rows]) / share) ** 2)
    return found
