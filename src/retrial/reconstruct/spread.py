"""What the paper leaves open: spread of answers over an ensemble, and what each printed number contributes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import ReconstructionError
from retrial.reconstruct.agreement import tables_of
from retrial.reconstruct.engine import reconstruct
from retrial.reconstruct.ensemble import Ensemble, ReconstructionSettings
from retrial.reconstruct.readings import RatioReading
from retrial.reconstruct.statistics import Table
from retrial.reconstruct.strict import PER_ISLAND
from retrial.reconstruct.targets import Targets

QUANTILES = (0.025, 0.5, 0.975)
_SAME = 1e-9
"""Monte Carlo errors below this are rounding: the quantity is the same in every table."""


def answers(table: Table, horizon: float, times: tuple[float, ...]) -> dict[tuple[str, str], float]:
    """(quantity, arm) -> value: RMST to the horizon, its difference, S(t), events per arm, censorings before the horizon,
    β by Cox with Efron ties.
    """
    rmst = {arm: table.rmst(arm, horizon) for arm in ARMS}
    found = {("rmst", arm): value for arm, value in rmst.items()}
    found["rmst_difference", TOTAL] = rmst[EXPERIMENTAL] - rmst[CONTROL]
    for time in times:
        survival = {arm: table.survival_at(arm, time) for arm in ARMS}
        found |= {(f"survival_at_{time:g}", arm): value for arm, value in survival.items()}
        found[f"survival_difference_at_{time:g}", TOTAL] = survival[EXPERIMENTAL] - survival[CONTROL]
    found |= {("events", arm): float(table.events(arm)) for arm in (*ARMS, TOTAL)}
    found["log_hazard_ratio", TOTAL] = table.hazard_ratio(RatioReading.COX_EFRON).log_hazard_ratio
    return found


def spread(ensemble: Ensemble, targets: Targets, horizon: float, times: tuple[float, ...]) -> pd.DataFrame:
    """Weighted mean, SD and quantiles (2.5, 50, 97.5 %) over the tables; one row per quantity and arm.

    `horizon` and `times` in the study's unit. This is uncertainty about the data, not sampling uncertainty: that comes from
    the models.
    """
    rows = [answers(table, horizon, times) for table in tables_of(ensemble, targets)]
    found = []
    for quantity, arm in rows[0]:
        values = np.array([row[quantity, arm] for row in rows])
        mean = float(np.average(values, weights=ensemble.weights))
        limits = weighted_quantiles(values, ensemble.weights, QUANTILES)
        found.append(
            {
                "endpoint": ensemble.endpoint,
                "quantity": quantity,
                "arm": arm,
                "mean": mean,
                "sd": float(np.sqrt(np.average((values - mean) ** 2, weights=ensemble.weights))),
                "lower": limits[0],
                "median": limits[1],
                "upper": limits[2],
            }
        )
    return pd.DataFrame(found)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[float, ...]) -> list[float]:
    """Smallest value whose cumulated weight reaches each level."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) / weights.sum()
    last = len(values) - 1
    return [float(values[order[min(int(np.searchsorted(cumulated, level - 1e-12)), last)]]) for level in levels]


def leave_one_out(
    targets: Targets,
    settings: ReconstructionSettings,
    seed: int,
    horizon: float,
    times: tuple[float, ...],
    names: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """`spread` with each printed statistic left out in turn (column `left_out`; empty: none), on the same grid.

    A statistic whose absence widens an answer is what the answer rests on. A reconstruction that fails says so in `status`.
    """
    frames = []
    for name in ("", *(names if names is not None else targets.names)):
        known = targets.without(name) if name else targets
        try:
            frame = spread(reconstruct(known, settings, seed), known, horizon, times).assign(status="ok")
        except ReconstructionError as error:
            frame = pd.DataFrame([{"endpoint": targets.endpoint, "status": f"failed: {str(error).splitlines()[0]}"}])
        frames.append(frame.assign(left_out=name))
    return pd.concat(frames, ignore_index=True)


def compare_ensembles(
    first: Ensemble,
    second: Ensemble,
    targets: Targets,
    horizon: float,
    times: tuple[float, ...],
    effective: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Means of two ensembles (default and strict agreement) and their difference in Monte Carlo standard errors.

    `effective` tables of each; by default the first counts by its islands' worth, the second by a third of its tables
    (`strict.PER_ISLAND` tables of one island share their ancestors).
    """
    columns = ["endpoint", "quantity", "arm"]
    one, two = (spread(ensemble, targets, horizon, times).set_index(columns) for ensemble in (first, second))
    sizes = effective or (min(first.effective_tables, sampled_tables(first)), max(1.0, len(second.weights) / PER_ISLAND))
    error = (one["sd"] ** 2 / sizes[0] + two["sd"] ** 2 / sizes[1]) ** 0.5
    out = pd.DataFrame(
        {"first": one["mean"], "second": two["mean"], "difference": two["mean"] - one["mean"], "monte_carlo_error": error}
    )
    out["standardised"] = (out["difference"] / error).where(error > _SAME, 0.0)
    return out.reset_index()


def sampled_tables(ensemble: Ensemble) -> float:
    """Effective tables behind an ensemble: what its readings' islands are worth, where that is known, else its tables."""
    known = [result.effective_tables for result in ensemble.attained if np.isfinite(result.effective_tables)]
    return float(sum(known)) if known else float(len(ensemble.weights))


def without_pool(ensemble: Ensemble) -> Ensemble:
    """The ensemble alone, for storing."""
    return dataclasses.replace(ensemble, pool=())
