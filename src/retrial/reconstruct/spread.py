"""What the paper leaves open: spread of answers over an ensemble, what each printed number contributes, how far two ensembles differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import ReconstructionError
from retrial.reconstruct.engine import reconstruct
from retrial.reconstruct.ensemble import Ensemble, ReconstructionSettings
from retrial.reconstruct.moments import QUANTILES, SAME, compared, matched_weights, summary, weighted_quantiles
from retrial.reconstruct.probes import parts_of
from retrial.reconstruct.readings import RatioReading
from retrial.reconstruct.statistics import Table
from retrial.reconstruct.targets import Targets
from retrial.survival.life_table import LifeTable

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
Values = Mapping[tuple[str, str], np.ndarray]
"""(quantity, arm) -> (M,) one number a table."""
_KEYS = ["endpoint", "quantity", "arm"]


def answers(table: Table, horizon: float, times: tuple[float, ...]) -> dict[tuple[str, str], float]:
    """(quantity, arm) -> value: RMST to the horizon, its difference, S(t), events per arm, β by Cox with Efron ties.

    S(t) is NaN where the arm's follow-up ends earlier, above 0.
    """
    rmst = {arm: table.rmst(arm, horizon) for arm in ARMS}
    found = {("rmst", arm): value for arm, value in rmst.items()}
    found["rmst_difference", TOTAL] = rmst[EXPERIMENTAL] - rmst[CONTROL]
    for time in times:
        survival = {arm: table.survival_at(arm, time) if table.reaches(arm, time) else np.nan for arm in ARMS}
        found |= {(f"survival_at_{time:g}", arm): value for arm, value in survival.items()}
        found[f"survival_difference_at_{time:g}", TOTAL] = survival[EXPERIMENTAL] - survival[CONTROL]
    found |= {("events", arm): float(table.events(arm)) for arm in (*ARMS, TOTAL)}
    # one estimator for all tables, whatever their reading: the spread is of patients, not of formulas
    found["log_hazard_ratio_cox_efron", TOTAL] = table.hazard_ratio(RatioReading.COX_EFRON).log_hazard_ratio
    return found


def table_answers(table: LifeTable, targets: Targets, horizon: float, times: tuple[float, ...]) -> Values:
    """`answers` of every table; horizon and times in months whatever the study's unit."""
    counts = zip(table.events.to_numpy(), table.censored.to_numpy(), strict=True)
    rows = [answers(Table(targets.months, events, censored), horizon, times) for events, censored in counts]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def spread(ensemble: Ensemble, targets: Targets, horizon: float, times: tuple[float, ...]) -> pd.DataFrame:
    """Weighted mean, SD and quantiles (2.5, 50, 97.5 %) over the tables; one row per quantity and arm.

    `between_readings` is the share of the variance that lies between the readings' means, `within_readings` the rest.
    `monte_carlo_error` is the standard error of the mean, `tables` the share (by weight) of the tables in which the quantity is
    defined, over which the others are taken. This is uncertainty about the data, not sampling uncertainty: that
    comes from the models. `horizon` and `times` in months.
    """
    values = table_answers(ensemble.table, targets, horizon, times)
    rows = [
        {"endpoint": ensemble.endpoint, "quantity": quantity, "arm": arm, "horizon": horizon} | summary(numbers, ensemble)
        for (quantity, arm), numbers in values.items()
    ]
    return pd.DataFrame(rows)


def with_prior(frame: pd.DataFrame, prior: Values) -> pd.DataFrame:
    """`spread` with the quantiles of the same quantities over tables of the prior (`prior_predictive.prior_tables`) beside it."""
    rows = []
    for quantity, arm in zip(frame["quantity"], frame["arm"], strict=True):
        known = prior[quantity, arm][~np.isnan(prior[quantity, arm])]
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


def compare_values(one: Values, two: Values, first: Ensemble, second: Ensemble) -> pd.DataFrame:
    """Means of per-table values over two ensembles and their difference in Monte Carlo standard errors.

    Only readings that both ensembles have are compared, with the first's shares in both, so that a difference is one of tables
    and not of the mix of readings; and only quantities that every table defines. Verdict: normal, Bonferroni over the
    rows. Empty where no reading is shared.
    """
    weights = matched_weights(first, second)
    if weights is None:
        return pd.DataFrame()
    rows = [
        {"endpoint": first.endpoint, "quantity": quantity, "arm": arm}
        | compared(numbers, two[quantity, arm], weights, first, second)
        for (quantity, arm), numbers in one.items()
        if not (np.isnan(numbers).any() or np.isnan(two[quantity, arm]).any())
    ]
    frame = pd.DataFrame(rows)
    limit = float(stats.norm.isf(ERROR_RATE / 2 / len(frame)))
    frame["verdict"] = np.where(frame["standardised"].abs() <= limit, AGREE, DIFFER)
    frame.loc[frame["standardised"].isna(), "verdict"] = UNKNOWN
    return frame
