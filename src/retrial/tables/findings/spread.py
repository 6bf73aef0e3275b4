"""What the paper leaves open: spread of answers over an ensemble, what each printed number contributes, how far two ensembles differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, RECONSTRUCTION, TOTAL
from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.findings.probes import parts_of
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading, Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.pool import rmst_difference

QUANTILES = (0.025, 0.5, 0.975)
SUMMARY = ("mean", "sd", "lower", "median", "upper", "within_readings", "between_readings", "monte_carlo_error")
ENOUGH = 0.5
"""Weight of the tables that must define a quantity for two ensembles to be compared on it."""
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


def found_tables(ensemble: Ensemble) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(N, 2, T) events, (N, 2, T + 1) at risk, (N,) weights and samplers of every table that the samplers found, those of a reading in
    proportion to its weight in the ensemble; of one that keeps no samplers, the delivered tables.
    """
    if not ensemble.pool:
        events, censored = (data.to_numpy() for data in (ensemble.table.events, ensemble.table.censored))
        left = np.cumsum((events + censored)[..., ::-1], axis=-1)[..., ::-1]
        return events, np.concatenate([left, np.zeros_like(left[..., :1])], axis=-1), ensemble.weights, ensemble.islands
    parts, weights = [], []
    for reading, rows in by_reading(ensemble).items():
        mine = {number: island.of(reading) for number, island in enumerate(ensemble.pool) if reading in island.readings}
        logs = np.array([part.log_evidence for part in mine.values()])
        of_sampler = np.exp(logs - logs.max())
        of_sampler *= float(ensemble.weights[rows].sum()) / of_sampler.sum()
        parts += list(mine.items())
        weights += [
            np.full(len(part.d), weight / max(len(part.d), 1)) for part, weight in zip(mine.values(), of_sampler, strict=True)
        ]
    events, at_risk = (np.concatenate([getattr(part, name) for _, part in parts]) for name in ("d", "r"))
    return (
        events,
        at_risk,
        np.concatenate(weights),
        np.repeat([number for number, _ in parts], [len(part.d) for _, part in parts]),
    )


_LEAST_EFFECTIVE, _FEW_SAMPLERS = 20, 3
"""Independent tables below which answers of an endpoint are called not settled (METHODS 4 asks as much of the weights of a joint posterior),
and the samplers that it takes to see their spread."""


def unsettled(ensemble: Ensemble) -> list[str]:
    """A sentence where the samplers differ so much that few independent tables stand behind the answers: σ²/se² of the difference in
    restricted means below `_LEAST_EFFECTIVE`, se by the jackknife over samplers, of all tables that they found (of the delivered ones alone its
    error is as large as itself).
    """
    events, at_risk, weights, samplers = found_tables(ensemble)
    if len(np.unique(samplers[weights[: len(samplers)] > 0])) < _FEW_SAMPLERS:
        return []
    values = rmst_difference(events, at_risk)
    spread = float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))
    error = monte_carlo_error(values, weights, samplers)
    if not error**2 * _LEAST_EFFECTIVE > spread:
        return []
    return [
        f"not settled: the samplers differ, as if there were {spread / error**2:.0f} independent tables; take more of them"
        " (reconstruction.rounds, reconstruction.islands) or a coarser recording_unit"
    ]


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


__all__ = [
    "answers",
    "compare_ensembles",
    "compare_values",
    "leave_one_out",
    "spread",
    "table_answers",
    "weighted_quantiles",
    "with_prior",
]
ERROR_RATE = 0.05
"""Probability that some row of a comparison is called different although only Monte Carlo error differs (Bonferroni)."""
AGREE, DIFFER, UNKNOWN = "within Monte Carlo error", "differs", "unknown: tables of one sampler, or an infinite one"
Key = tuple[str, float | None, str]
"""Quantity, time in months (None where it has none) and arm."""
Values = Mapping[Key, np.ndarray]
"""(M,) one number a table."""
_KEYS = ["endpoint", "quantity", "time", "arm"]


def named(endpoint: str, key: Key) -> dict[str, object]:
    """The columns `_KEYS` of a row."""
    quantity, time, arm = key
    return {"endpoint": endpoint, "quantity": quantity, "time": np.nan if time is None else time, "arm": arm}


def answers(table: Table, horizon: float, times: tuple[float, ...]) -> dict[Key, float]:
    """Key -> value: RMST to the horizon, its difference, S(t), events per arm, β by Cox with Efron ties.

    S(t) and RMST are NaN where the arm's follow-up ends earlier, above 0.
    """
    rmst = {arm: table.rmst(arm, horizon) if table.reaches(arm, horizon) else np.nan for arm in ARMS}
    found: dict[Key, float] = {("rmst", horizon, arm): value for arm, value in rmst.items()}
    found["rmst_difference", horizon, TOTAL] = rmst[EXPERIMENTAL] - rmst[CONTROL]
    for time in times:
        survival = {arm: table.survival_at(arm, time) if table.reaches(arm, time) else np.nan for arm in ARMS}
        found |= {("survival", time, arm): value for arm, value in survival.items()}
        found["survival_difference", time, TOTAL] = survival[EXPERIMENTAL] - survival[CONTROL]
    found |= {("events", None, arm): float(table.events(arm)) for arm in (*ARMS, TOTAL)}
    # one estimator for all tables, whatever their reading: the spread is of patients, not of formulas
    found["log_hazard_ratio_cox_efron", None, TOTAL] = table.hazard_ratio(RatioReading.COX_EFRON).log_hazard_ratio
    return found


def table_answers(table: LifeTable, targets: Targets, horizon: float, times: tuple[float, ...]) -> Values:
    """`answers` of every table; horizon and times in months whatever the study's unit."""
    counts = zip(table.events.to_numpy(), table.censored.to_numpy(), strict=True)
    rows = [answers(Table(targets.months, events, censored), horizon, times) for events, censored in counts]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def spread(ensemble: Ensemble, targets: Targets, horizon: float, times: tuple[float, ...]) -> pd.DataFrame:
    """Weighted mean, SD and quantiles (2.5, 50, 97.5 %) over the tables; one row per quantity, time and arm.

    `between_readings` is the share of the variance that lies between the readings' means, `within_readings` the rest.
    `monte_carlo_error` is the standard error of the mean, `tables` the share (by weight) of the tables in which the quantity is
    defined, over which the others are taken. This is uncertainty about the data, not sampling uncertainty: that
    comes from the models. `horizon` and `times` in months.
    """
    values = table_answers(ensemble.table, targets, horizon, times)
    rows = [named(ensemble.endpoint, key) | summary(numbers, ensemble) for key, numbers in values.items()]
    return pd.DataFrame(rows)


def with_prior(frame: pd.DataFrame, prior: Values) -> pd.DataFrame:
    """`spread` with the quantiles of the same quantities over tables of the prior (`prior_predictive.prior_tables`) beside it."""
    rows = []
    for quantity, time, arm in zip(frame["quantity"], frame["time"], frame["arm"], strict=True):
        drawn = prior[quantity, None if np.isnan(time) else time, arm]
        known = drawn[~np.isnan(drawn)]
        found = weighted_quantiles(known, np.ones(len(known)), QUANTILES) if len(known) else [np.nan] * len(QUANTILES)
        rows.append(dict(zip(("prior_lower", "prior_median", "prior_upper"), found, strict=True)))
    return pd.concat([frame, pd.DataFrame(rows, index=frame.index)], axis=1)


def leave_one_out(
    targets: Targets,
    settings: ReconstructionSettings,
    seed: int,
    horizon: float,
    times: tuple[float, ...],
    names: tuple[str, ...] | None = None,
    whole: Ensemble | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """`spread` with each printed statistic left out in turn (column `left_out`; empty: none), on the same grid.

    A statistic whose absence moves (`shift` of the mean, `standardised` by its Monte Carlo error) or widens (`sd_ratio`) an answer
    is what the answer rests on. `whole`: the ensemble of all statistics, sampled here where None. A reconstruction that
    fails says so in `status`. A name may join several statistics with " + ".
    """
    asked = names if names is not None else targets.names
    whole = whole if whole is not None else reconstruct(targets, settings, seed)
    base = spread(whole, targets, horizon, times).assign(status="ok", left_out="")
    frames = [base]
    for number, name in enumerate(asked, start=1):
        known = targets.without(*parts_of(name, targets))
        try:
            frame = spread(reconstruct(known, settings, seed), known, horizon, times).assign(status="ok")
            frame = against(frame, base)
        except ReconstructionError as error:
            frame = pd.DataFrame([{"endpoint": targets.endpoint, "status": f"failed: {str(error).splitlines()[0]}"}])
        frames.append(frame.assign(left_out=name))
        if progress is not None:
            progress(number / len(asked))
    return pd.concat(frames, ignore_index=True)


def against(frame: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Shift of the mean in Monte Carlo standard errors, and ratio of the SDs, beside each row of `frame`."""
    one = frame[_KEYS].merge(base, on=_KEYS, how="left")
    error = (frame["monte_carlo_error"] ** 2 + one["monte_carlo_error"] ** 2) ** 0.5
    shift = frame["mean"] - one["mean"]
    standardised = (shift / error.where(error > SAME)).where(error > SAME, 0.0)
    ratio = frame["sd"] / one["sd"].where(one["sd"] > SAME)
    return frame.assign(shift=shift, standardised=standardised, sd_ratio=ratio)


def compare_ensembles(
    first: Ensemble, second: Ensemble, targets: Targets, horizon: float, times: tuple[float, ...]
) -> pd.DataFrame:
    """Default (first) against strict (second) agreement: `compare_values` of every answer. Horizon and times in months."""
    one, two = (table_answers(ensemble.table, targets, horizon, times) for ensemble in (first, second))
    return compare_values(one, two, first, second)


def _compared_where_known(
    key: Key, values: tuple[np.ndarray, np.ndarray], ensembles: tuple[Ensemble, Ensemble]
) -> dict[str, object]:
    """One row of `compare_values`; empty where there is nothing to compare."""
    known = [~np.isnan(numbers) for numbers in values]
    if any(ensemble.weights[rows].sum() < ENOUGH for ensemble, rows in zip(ensembles, known, strict=True)):
        return {}
    first, second = (ensemble if rows.all() else _only(ensemble, rows) for ensemble, rows in zip(ensembles, known, strict=True))
    weights = matched_weights(first, second)
    if weights is None:
        return {}
    one, two = (numbers[rows] for numbers, rows in zip(values, known, strict=True))
    return named(first.endpoint, key) | compared(one, two, weights, first, second)


def compare_values(one: Values, two: Values, first: Ensemble, second: Ensemble) -> pd.DataFrame:
    """Means of per-table values over two ensembles and their difference in Monte Carlo standard errors.

    Only readings that both ensembles have are compared, with the first's shares in both, so that a difference is one of tables
    and not of the mix of readings; each quantity over the tables that define it, where these have at least half of the weight in both.
    Verdict: normal, Bonferroni over the rows. Empty where no reading is shared.
    """
    rows = [row for key, numbers in one.items() if (row := _compared_where_known(key, (numbers, two[key]), (first, second)))]
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    limit = float(stats.norm.isf(ERROR_RATE / 2 / len(frame)))
    frame["verdict"] = np.where(frame["standardised"].abs() <= limit, AGREE, DIFFER)
    frame.loc[frame["standardised"].isna(), "verdict"] = UNKNOWN
    return frame
