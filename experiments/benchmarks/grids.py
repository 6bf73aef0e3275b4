"""Time of a reconstruction with all defaults, by patients, recording unit and what is printed: cells.csv has one row a cell, units.csv one a unit.

`make grids`: about an hour of two idle processors, and therefore not a part of `retrial experiment benchmarks`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from retrial.errors import ReconstructionError
from retrial.experiments.benchmarks.papers import UNITS, Paper, write
from retrial.experiments.benchmarks.posteriors import plain
from retrial.study.loader import load_study
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.printed.agreement import agreement_of_tables
from retrial.tables.printed.digitised import read_curve
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct
from retrial.tables.sample.pool import effective_tables

PATIENTS = (80, 180, 600, 2000)
TYPICAL = Paper(200, "0.1_month")
SETTINGS = ReconstructionSettings()
SEED = 1
LONGEST, LONGEST_TYPICAL, LEAST_EFFECTIVE = 60.0, 30.0, 50.0
"""Seconds that any cell and the typical one may take on an idle machine whose plain fit takes `USUAL_PLAIN`, and effective tables of any."""
USUAL_PLAIN = 2.3
"""Seconds of one plain `pm.sample` fit of the benchmark on such a machine: on a slower one all bounds are longer in proportion."""


def papers() -> list[Paper]:
    """Every cell: the typical one, and every number of patients in every unit from summaries, with numbers at risk and with a curve."""
    prints = ((False, False), (True, False), (False, True))
    return [TYPICAL, *(Paper(n, unit, *told) for told in prints for n in PATIENTS for unit in UNITS)]


def targets_of(paper: Paper, folder: Path) -> Targets:
    """What a paper prints, through its study file."""
    path = write(paper, folder)
    (study,) = load_study(path).comparisons()
    curve = read_curve(path.with_suffix(".csv")) if paper.curve else None
    return targets_from_study(study, "os", curve=curve)


def timed(paper: Paper) -> dict[str, object]:
    """One row of cells.csv, `status` "ok" or why there are no tables."""
    with tempfile.TemporaryDirectory() as folder:
        targets = targets_of(paper, Path(folder))
    prints = "at_risk" if paper.at_risk else "curve" if paper.curve else "summaries"
    row: dict[str, object] = {"patients": paper.n, "unit": paper.unit, "printed": prints, "grid_times": targets.n_times}
    start, processor = time.perf_counter(), time.process_time()
    try:
        found = reconstruct(targets, SETTINGS, SEED)
    except ReconstructionError as error:
        return row | {"seconds": round(time.perf_counter() - start, 1), "status": f"failed: {str(error).splitlines()[0]}"}
    row |= {"seconds": round(time.perf_counter() - start, 1), "processor_seconds": round(time.process_time() - processor, 1)}
    return row | worth(found, targets) | {"status": "ok"}


def worth(found: Ensemble, targets: Targets) -> dict[str, object]:
    """Tables, how many they are worth by the samplers' spread, samplers, and the share of the printed numbers that they carry."""
    samplers = [island for island in found.pool if not island.pilot]
    agreement = agreement_of_tables(found, targets).mean()
    return {
        "tables": found.table.n_reconstructions,
        "effective_tables": round(effective_tables(samplers), 1),  # NaN of too few samplers
        "samplers": len(samplers),
        "agreed_percent": round(100.0 * float(agreement), 1),
    }


def main(folder: Path) -> list[str]:
    """Write cells.csv, row by row, and units.csv; returns which bounds are broken, in words."""
    reconstruct_once()
    each = plain("weibull", "pymc").each
    scale, rows = max(each / USUAL_PLAIN, 1.0), []
    for paper in papers():
        row = timed(paper)
        rows.append(row | {"times_plain_fit": round(float(str(row["seconds"])) / each, 1)})
        pd.DataFrame(rows).to_csv(folder / "cells.csv", index=False)
    frame = pd.DataFrame(rows)
    done = frame[frame["status"] == "ok"]
    by_unit = done.groupby(["unit", "printed"], sort=False)
    summary = by_unit.agg(
        cells=("seconds", "size"),
        longest_seconds=("seconds", "max"),
        least_effective_tables=("effective_tables", "min"),
        agreed_percent=("agreed_percent", "min"),
    )
    summary.assign(plain_fit_seconds=round(each, 2)).reset_index().to_csv(folder / "units.csv", index=False)
    return broken(frame, scale)


def reconstruct_once() -> None:
    """Load or compile the kernels, of both forms of tables, outside of what is timed."""
    small = ReconstructionSettings(islands=1, particles=16, n_tables=1, relaxed=True)
    with tempfile.TemporaryDirectory() as folder:
        for paper in (Paper(80, "whole_months"), Paper(80, "days", curve=True)):
            reconstruct(targets_of(paper, Path(folder)), small, SEED)


def broken(frame: pd.DataFrame, scale: float) -> list[str]:
    """Which cells take longer than they may, or give fewer effective tables."""
    words = []
    for row in frame.to_dict("records"):
        name = f"{row['patients']} patients, {row['unit']}, {row['printed']}"
        typical = (row["patients"], row["unit"], row["printed"]) == (TYPICAL.n, TYPICAL.unit, "summaries")
        most = scale * (LONGEST_TYPICAL if typical else LONGEST)
        if row["status"] != "ok":
            words.append(f"{name}: {row['status']}")
        elif row["seconds"] > most:
            words.append(f"{name}: got {row['seconds']:g} s; allowed is at most {most:.0f} s on this machine")
        elif not row["effective_tables"] >= LEAST_EFFECTIVE:
            words.append(f"{name}: got {row['effective_tables']:g} effective tables; allowed is at least {LEAST_EFFECTIVE:g}")
    return words


if __name__ == "__main__":
    sys.exit("\n".join(main(Path(sys.argv[1]))) or 0)
