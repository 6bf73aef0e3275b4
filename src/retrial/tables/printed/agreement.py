"""Printed numbers recomputed on a table under a reading: what agrees, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from retrial.tables.ensemble import Ensemble
from retrial.tables.printed.digitised import DIGITISING_ERROR, STRICT_PART, Curve
from retrial.tables.printed.readings import MedianReading, Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Target, Targets

_EDGE = 1e-9
"""Room for rounding at an interval's edge, relative to the limit."""
MOST_READINGS = 200
"""Readings of an arm that are compared; of more, so many at equal distances."""


def recomputed(table: Table, target: Target, reading: Reading) -> float:
    """The value of one printed number on a table."""
    return _RECIPES[target.statistic](table, target, reading)


def _median(table: Table, target: Target, reading: Reading) -> float:
    interval = table.median(target.arm, reading.median or MedianReading.GREENWOOD_DENSITY, target.level)
    return {"median": interval.value, "median_lower": interval.lower, "median_upper": interval.upper}[target.statistic]


def _ratio(table: Table, target: Target, reading: Reading) -> float:
    if reading.ratio is None:
        return float("nan")
    ratio = table.hazard_ratio(reading.ratio, target.level)
    names = {
        "hazard_ratio": ratio.hazard_ratio,
        "hazard_ratio_lower": ratio.lower,
        "hazard_ratio_upper": ratio.upper,
        "hazard_ratio_p": ratio.p,
    }
    return names[target.statistic]


def _test(table: Table, target: Target, reading: Reading) -> float:
    if reading.test is None:
        return float("nan")
    value = table.chi_square(reading.test)
    return value if target.statistic == "chi_square" else float(stats.chi2.sf(value, 1))


_RECIPES: dict[str, Callable[[Table, Target, Reading], float]] = {
    "events": lambda table, target, _: table.events(target.arm),
    "shortest": lambda table, target, _: table.shortest(target.arm),
    "longest": lambda table, target, _: table.longest(target.arm),
    "at_risk": lambda table, target, _: table.at_risk(target.arm, target.time),
    "censored": lambda table, target, _: table.censored_before(target.arm, target.time),
    "landmark": lambda table, target, _: table.survival_at(target.arm, target.time),
    "survival": lambda table, target, _: table.survival_at(target.arm, target.time),
    "median": _median,
    "median_lower": _median,
    "median_upper": _median,
    "hazard_ratio": _ratio,
    "hazard_ratio_lower": _ratio,
    "hazard_ratio_upper": _ratio,
    "hazard_ratio_p": _ratio,
    "chi_square": _test,
    "p": _test,
}


def agrees(value: float, low: float, high: float) -> bool:
    """Whether a recomputed number lies in an agreement interval."""
    room = _EDGE * max(abs(low), abs(high), _EDGE) if np.isfinite(high) else _EDGE
    return low - room <= value <= high + room


def violated(table: Table, targets: Targets, reading: Reading) -> tuple[str, ...]:
    """Names of the printed numbers outside default agreement."""
    return tuple(item.name for item in targets.targets if not agrees(recomputed(table, item, reading), item.low, item.high))


def miss(table: Table, targets: Targets, reading: Reading) -> float:
    """Largest distance of a recomputed number from its agreement interval, in half-widths (exact numbers: in units)."""
    worst = 0.0
    for item in targets.targets:
        value, width = recomputed(table, item, reading), (item.high - item.low) / 2
        if not agrees(value, item.low, item.high):
            distance = max(item.low - value, value - item.high) if np.isfinite(value) else np.inf
            worst = max(worst, distance / (width if width > 0 and np.isfinite(width) else 1.0))
    return float(worst)


def tables_of(ensemble: Ensemble, targets: Targets) -> list[Table]:
    """The ensemble's tables on the study's own time unit."""
    events = ensemble.table.events.to_numpy()
    censored = ensemble.table.censored.to_numpy()
    return [Table(targets.times, events[i], censored[i]) for i in range(len(events))]


def fidelity(ensemble: Ensemble, targets: Targets) -> pd.DataFrame:
    """One row per printed number and per reading of the curve: printed text, agreement interval, and over the ensemble the recomputed
    median, extremes and shares in agreement. The curve is compared as it was given, not with what was made of it at the grid's times.
    """
    tables = tables_of(ensemble, targets)
    rows = []
    for item in targets.targets:
        if item.statistic == "survival" and targets.curve is not None:
            continue
        values = np.array([recomputed(table, item, reading) for table, reading in zip(tables, ensemble.readings, strict=True)])
        shares = (
            float(np.mean([agrees(value, item.low, item.high) for value in values])),
            float(np.mean([agrees(value, item.strict_low, item.strict_high) for value in values])),
        )
        rows.append(_row(targets, item, values, shares))
    if targets.curve is not None:
        rows += [row for arm in targets.curve.arms for row in _readings(tables, targets, targets.curve, arm)]
    return pd.DataFrame(rows)


def _row(targets: Targets, item: Target, values: np.ndarray, shares: tuple[float, float]) -> dict[str, object]:
    known = values[~np.isnan(values)]
    return {
        "endpoint": targets.endpoint,
        "statistic": item.statistic,
        "arm": item.arm,
        "time": item.time,
        "printed": item.printed,
        "low": item.low,
        "high": item.high,
        "median": float(np.median(known)) if known.size else np.nan,
        "min": float(known.min()) if known.size else np.nan,
        "max": float(known.max()) if known.size else np.nan,
        "share_default": shares[0],
        "share_strict": shares[1],
        "where": item.where,
    }


def _readings(tables: Sequence[Table], targets: Targets, curve: Curve, arm: str) -> Iterator[dict[str, object]]:
    """A row for every reading of an arm. It agrees where it is within the error of S(t) at some time within the error of the time axis:
    Ŝ(t + e) - tolerance <= reading <= Ŝ(t - e) + tolerance.
    """
    read = curve.arms[arm]
    times, given = np.array(read.times), np.array(read.given)
    if len(times) > MOST_READINGS:
        kept = np.unique(np.linspace(0, len(times) - 1, MOST_READINGS).round().astype(int))
        times, given = times[kept], given[kept]
    levels = np.stack([np.append(1.0, table.survival(arm)) for table in tables])
    early, at, late = (
        levels[:, np.searchsorted(targets.times, times + shift + _EDGE, side="right")]
        for shift in (-curve.time_error, 0.0, curve.time_error)
    )
    widths = (DIGITISING_ERROR, DIGITISING_ERROR * STRICT_PART)
    for i, (time, height) in enumerate(zip(times, given, strict=True)):
        shares = [
            float(np.mean((late[:, i] - width <= height + _EDGE) & (height <= early[:, i] + width + _EDGE))) for width in widths
        ]
        (low, high), (strict_low, strict_high) = ((max(height - width, 0.0), min(height + width, 1.0)) for width in widths)
        text = f"{height:.3f}"
        item = Target("survival", arm, text, float(height), low, high, strict_low, strict_high, curve.name, float(time))
        yield _row(targets, item, at[:, i], (shares[0], shares[1]))


def agreement_of_tables(ensemble: Ensemble, targets: Targets, *, strict: bool = False) -> np.ndarray:
    """(M,) whether each table carries every printed number."""
    found = []
    for table, reading in zip(tables_of(ensemble, targets), ensemble.readings, strict=True):
        limits = [
            (item, item.strict_low, item.strict_high) if strict else (item, item.low, item.high) for item in targets.targets
        ]
        found.append(all(agrees(recomputed(table, item, reading), low, high) for item, low, high in limits))
    return np.array(found, dtype=bool)
