"""Marginal likelihood of the prior of the tables on real patients: events.csv and censorings.csv have one row a setting, sources.csv one a data set.

Gain is the sum over data sets of log p(table | setting) - log p(table | the first setting of November 2026: six pieces, walks of 1.1 and
1.5), and its standard error that of a sum over data sets as drawn at random. Events and censorings are independent factors of a table's
probability, so that each has its own table; `overdispersion` and `pieces` belong to both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrial.experiments.table_prior.cases import tables
from retrial.tables.findings.prior_evidence import log_evidence_of_censorings, log_evidence_of_events
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.life_table import LifeTable

FIRST = TablePrior(pieces=6, walk_scale=1.1, censoring_walk_scale=1.5)
"""What gains are against."""
Evidence = Callable[[LifeTable, TablePrior], tuple[np.ndarray, np.ndarray]]
Grid = dict[str, tuple[float, ...]]
PIECES, OVERDISPERSION = (6, 12, 24), (0.0, 0.25, 0.5, 0.7)
EVENTS: Grid = {
    "pieces": PIECES,
    "walk_scale": (1.1, 1.4, 2.0),
    "effect_walk_scale": (0.5, 1.0),
    "overdispersion": OVERDISPERSION,
}
CENSORINGS: Grid = {
    "pieces": PIECES,
    "level_scale": (1.5, 2.5),
    "censoring_walk_scale": (1.5, 3.0, 4.0),
    "overdispersion": OVERDISPERSION,
}
PARTS: dict[str, tuple[Evidence, Grid]] = {
    "events": (log_evidence_of_events, EVENTS),
    "censorings": (log_evidence_of_censorings, CENSORINGS),
}


def settings(grid: Grid) -> Iterable[TablePrior]:
    """All of a grid, other scales as by default."""
    for values in itertools.product(*grid.values()):
        pieces, *scales = values  # `pieces` comes first in every grid
        named: Any = dict(zip(list(grid)[1:], scales, strict=True))
        yield replace(TablePrior(pieces=int(pieces)), **named)


def gains(evidence: Evidence, every: list[LifeTable], prior: TablePrior, first: np.ndarray) -> np.ndarray:
    """(sources,) log evidence of each table under a prior less that under `FIRST`."""
    return np.array([evidence(table, prior)[0][0] for table in every]) - first


def main(folder: Path) -> list[str]:
    """Write the tables, and answer.csv's summary.csv: the default's and the best setting's gains."""
    names, every = zip(*tables(), strict=True)
    summary, by_source = [], {"source": list(names)}
    for part, (evidence, grid) in PARTS.items():
        first = gains(evidence, list(every), FIRST, np.zeros(len(every)))
        rows = []
        for prior in settings(grid):
            gain = gains(evidence, list(every), prior, first)
            rows.append(
                {name: asdict(prior)[name] for name in grid}
                | {
                    "gain": gain.sum(),
                    "gain_se": gain.std(ddof=1) * np.sqrt(gain.size),
                    "better_in_percent": 100 * (gain > 0).mean(),
                }
            )
        frame = pd.DataFrame(rows).sort_values("gain", ascending=False)
        frame.to_csv(folder / f"{part}.csv", index=False, float_format="%.4g")
        default = gains(evidence, list(every), TablePrior(), first)
        by_source[f"{part}_gain"] = list(default)
        summary.append({"part": part, "data_sets": len(names), "gain": default.sum(), "best_gain": frame["gain"].max()})
    pd.DataFrame(by_source).to_csv(folder / "sources.csv", index=False, float_format="%.3g")
    pd.DataFrame(summary).to_csv(folder / "summary.csv", index=False, float_format="%.4g")
    return []
