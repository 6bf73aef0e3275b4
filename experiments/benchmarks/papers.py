"""Papers to be timed: simulated two-arm studies, printed as journals print them, in any recording unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from retrial.dims import ARMS, MONTHS_PER_UNIT
from retrial.tables.kernel import kaplan_meier
from retrial.tables.printed.readings import MedianReading, RatioReading
from retrial.tables.printed.statistics import Table

FOLLOW_UP, ACCRUAL, MEDIANS = 36.0, 24.0, {"control": 9.0, "experimental": 13.0}
"""Months from the first patient to the data's end, of recruitment, and of the arms' exponential medians."""
UNITS = {
    "whole_months": ("months", 1.0, 0),
    "0.1_month": ("months", 0.1, 1),
    "0.01_month": ("months", 0.01, 2),
    "weeks": ("weeks", 1.0, 0),
    "days": ("days", 1.0, 0),
    "0.1_year": ("years", 0.1, 1),
}
"""Time unit, recording unit in it, decimals."""
TICKS = 6.0
"""Months between printed numbers at risk."""
LEAST_P = 0.001
"""Smaller p values are printed as below it."""
CURVE_READINGS, CURVE_DECIMALS = 40, 3
"""Points read off a printed curve, and decimals of S."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One cell of the benchmark."""

    n: int
    unit: str
    at_risk: bool = False
    curve: bool = False

    @property
    def name(self) -> str:
        return f"n{self.n}_{self.unit}" + ("_at_risk" if self.at_risk else "") + ("_curve" if self.curve else "")


def recorded(paper: Paper) -> Table:
    """The patients' table on the paper's grid: exponential deaths, uniform recruitment, times rounded to the recording unit."""
    time_unit, step, _ = UNITS[paper.unit]
    random, rows = np.random.default_rng((paper.n, 1 + list(UNITS).index(paper.unit))), []
    for arm in ARMS:
        size = paper.n // 2
        death = random.exponential(MEDIANS[arm] / np.log(2), size)
        end = FOLLOW_UP - random.uniform(0.0, ACCRUAL, size)
        months = np.minimum(death, end)
        rows.append((np.maximum(np.rint(months / MONTHS_PER_UNIT[time_unit] / step), 1).astype(int), death <= end))
    last = max(int(times.max()) for times, _ in rows)
    events, censored = np.zeros((2, last), np.int64), np.zeros((2, last), np.int64)
    for row, (times, died) in enumerate(rows):
        np.add.at(events[row], times[died] - 1, 1)
        np.add.at(censored[row], times[~died] - 1, 1)
    return Table(np.arange(1, last + 1) * step, events, censored)


def printed(paper: Paper) -> dict[str, Any]:
    """The study file of a paper that prints events, medians and hazard ratio with intervals, p and the longest time."""
    table = recorded(paper)
    time_unit, step, decimals = UNITS[paper.unit]
    ratio = table.hazard_ratio(RatioReading.COX_EFRON)
    medians = {arm: table.median(arm, MedianReading.CROWLEY_LOG_LOG) for arm in ARMS}
    endpoint: dict[str, Any] = {
        "label": "overall survival",
        "median": {
            arm: {"value": round(found.value, decimals), "ci": [round(found.lower, decimals), round(found.upper, decimals)]}
            for arm, found in medians.items()
        },
        "events": {arm: int(table.events(arm)) for arm in ARMS},
        "longest": round(float(table.times[-1]), decimals),
    }
    if paper.at_risk:
        ticks = [round(float(tick) / MONTHS_PER_UNIT[time_unit], decimals) for tick in np.arange(0.0, FOLLOW_UP, TICKS)]
        left = {
            arm: [int(table.r[row, np.searchsorted(table.times, tick - step / 2)]) for tick in ticks]
            for row, arm in enumerate(ARMS)
        }
        endpoint["at_risk"] = {"times": ticks} | left
    if paper.curve:
        endpoint["curve"] = f"{paper.name}.csv"
    return {
        "title": f"simulated, {paper.name}",
        "time_unit": time_unit,
        "arms": {arm: {"label": arm, "n": paper.n // 2} for arm in ARMS},
        "endpoints": {"os": endpoint},
        "effects": {
            "os": {
                "endpoint": "os",
                "hazard_ratio": round(ratio.hazard_ratio, 2),
                "ci": [round(ratio.lower, 2), round(ratio.upper, 2)],
                "p": f"{ratio.p:.3f}" if ratio.p >= LEAST_P else f"<{LEAST_P}",
            }
        },
    }


def curve_rows(paper: Paper) -> list[str]:
    """What is read off the arms' Kaplan-Meier curves: a row arm,time,survival at evenly spaced times."""
    table, rows = recorded(paper), []
    for row, arm in enumerate(ARMS):
        survival = kaplan_meier.survival(table.d, table.r, row)
        for point in np.unique(np.linspace(0, table.times.size - 1, CURVE_READINGS).astype(int)):
            rows.append(f"{arm},{table.times[point]:g},{survival[point]:.{CURVE_DECIMALS}f}")
    return rows


def write(paper: Paper, folder: Path) -> Path:
    """The study file NAME.yaml in a folder, and its curve beside it."""
    path = folder / f"{paper.name}.yaml"
    path.write_text(yaml.safe_dump(printed(paper), sort_keys=False), encoding="utf-8")
    if paper.curve:
        (folder / f"{paper.name}.csv").write_text("\n".join(["arm,time,survival", *curve_rows(paper)]) + "\n", encoding="utf-8")
    return path
