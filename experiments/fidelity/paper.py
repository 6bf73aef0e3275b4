"""A life table to the study file of a paper that would print it: what fidelity and coverage studies give to `retrial`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.study.loader import load_study
from retrial.tables.printed.digitised import read_curve
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import MedianReading, RatioReading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets

RATIO, TEST, MEDIAN = RatioReading.COX_EFRON, TestReading.LOG_RANK, MedianReading.GREENWOOD_DENSITY
"""How the hidden paper made its numbers; the reconstruction is not told."""
ENDPOINT = "hidden"
READING_ERROR = 0.005
"""Largest error of a digitised height (uniform): the published error of digitising software."""

SAME = 1e-6
"""Times nearer than that are one time."""


@dataclass(frozen=True)
class Given:
    """What is printed beside the summaries: numbers at risk at these times, a curve digitised with this seed, the minimum follow-up, the follow-up
    that left patients out.
    """

    at_risk: tuple[float, ...] = ()
    curve_seed: int | None = None
    followed: float = np.nan
    excluded: float = np.nan


def paper(table: Table, time_unit: str, given: Given, recorded: str = "exact", decimals: int = 0) -> str:
    """The study file, times with so many decimals: patients, events in all, extremes, medians with their limits where they exist, hazard ratio, χ²
    and p.
    """
    ratio, chi_square = table.hazard_ratio(RATIO), table.chi_square(TEST)
    lines = [
        "title: A hidden study",
        f"time_unit: {time_unit}",
        f"arms: {{control: {{n: {table.n(ARMS[0])}}}, experimental: {{n: {table.n(ARMS[1])}}}}}",
        *timeline(given),
        "endpoints:",
        f"  {ENDPOINT}:",
        f"    recorded: {recorded}",
        f"    recording_unit: {10.0**-decimals:g}",
        f"    events: {{total: {table.events(TOTAL)}}}",
        f"    shortest: {table.shortest():.{decimals}f}",
        f"    longest: {table.longest():.{decimals}f}",
        *medians(table, decimals),
        *at_risk(table, given.at_risk),
        *(["    curve: curve.csv"] if given.curve_seed is not None else []),
        f"    test: {{name: log_rank, chi_square: {chi_square:.3f}, p: {p_value(float(stats.chi2.sf(chi_square, 1)))}}}",
        "effects:",
        f"  {ENDPOINT}:",
        f"    {{endpoint: {ENDPOINT}, hazard_ratio: {ratio.hazard_ratio:.3f}, ci: [{ratio.lower:.3f}, {ratio.upper:.3f}]}}",
    ]
    return "\n".join(lines) + "\n"


def timeline(given: Given) -> list[str]:
    """The section of what is printed of the follow-up; none without."""
    printed = {"minimum_follow_up": given.followed, "excluded_follow_up_up_to": given.excluded}
    lines = [f"  {key}: {value:g}" for key, value in printed.items() if np.isfinite(value)]
    return ["timeline:", *lines] if lines else []


def medians(table: Table, decimals: int) -> list[str]:
    """The section of medians; limits only where both exist and are times."""
    lines = []
    for arm in (*ARMS, TOTAL):
        median = table.median(arm, MEDIAN)
        if not np.isfinite(median.value):
            continue
        limits = f", ci: [{median.lower:.3f}, {median.upper:.3f}]" if np.isfinite(median.lower) and median.lower > 0 else ""
        lines.append(f"      {arm}: {{value: {median.value:.{decimals}f}{limits}}}")
    return ["    median:", *lines] if lines else []


def at_risk(table: Table, times: Sequence[float]) -> list[str]:
    """Lines of a study file with the numbers at risk; none without times."""
    if not times:
        return []
    rows = [f"      {arm}: [{', '.join(str(table.at_risk(arm, time)) for time in times)}]" for arm in ARMS]
    return ["    at_risk:", f"      times: [{', '.join(f'{time:.0f}' for time in times)}]", *rows]


def p_value(p: float) -> str:
    """A p as papers print it."""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def digitised(table: Table, seed: int) -> pd.DataFrame:
    """The curve as a digitiser reads it at every grid time."""
    random = np.random.default_rng(seed)
    return pd.concat(
        pd.DataFrame(
            {
                "arm": arm,
                "time": table.times,
                "survival": np.clip(table.survival(arm) + random.uniform(-READING_ERROR, READING_ERROR, table.times.size), 0, 1),
            }
        )
        for arm in ARMS
    )


def targets_of(table: Table, time_unit: str, given: Given, folder: Path, recorded: str = "exact", decimals: int = 0) -> Targets:
    """Write the study file (and curve) to `folder`, read it back, and take its printed numbers as `retrial` does."""
    if given.curve_seed is not None:
        digitised(table, given.curve_seed).to_csv(folder / "curve.csv", index=False)
    path = folder / "paper.yaml"
    path.write_text(paper(table, time_unit, given, recorded, decimals), encoding="utf-8")
    curve = None if given.curve_seed is None else read_curve(folder / "curve.csv")
    return targets_from_study(load_study(path).comparisons()[0], ENDPOINT, curve=curve)


def on_grid(table: Table, targets: Targets) -> Table:
    """The hidden table on the reconstruction's grid."""
    first = int(np.searchsorted(table.times, targets.first - SAME))
    leaving = table.r[:2, :-1] - table.r[:2, 1:]
    return Table(targets.times, table.d[:2, first:], (leaving - table.d[:2])[:, first:])
