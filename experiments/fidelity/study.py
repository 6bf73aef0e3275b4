"""Fidelity of the reconstruction on hidden patients: KIND.csv has one row a case, summary.csv one a kind of printed numbers."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrial.dims import ARMS
from retrial.errors import ReconstructionError
from retrial.experiments.fidelity.cache import cache_of
from retrial.experiments.fidelity.cases import SOURCES, sizes_of, thinned
from retrial.experiments.fidelity.paper import RATIO, Given, on_grid, targets_of
from retrial.experiments.fidelity.summary import write_summary
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.spread import weighted_quantiles
from retrial.tables.printed.agreement import agreement_of_tables, tables_of
from retrial.tables.printed.readings import RatioReading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.sample.engine import reconstruct

SETTINGS = ReconstructionSettings(
    ratios=(RatioReading.COX_EFRON, RatioReading.COX_BRESLOW), tests=(TestReading.LOG_RANK,), threads=1
)
"""What a methods section says ("Cox regression and the log-rank test"): neither the rule for ties nor that of the medians' limits. Samplers
as by default: four where these are enough, else eight."""
THINNINGS = 4
AT_RISK_COLUMNS = 5
SUMMARIES, AT_RISK, CURVE = "summaries", "at_risk", "curve"
KINDS = (SUMMARIES, AT_RISK, CURVE)
DECIMALS = {"": 0, "_tenths": 1}
"""Decimals of the printed times, by what follows the kind in the name of its table."""
TAIL = 0.05


@dataclass(frozen=True)
class Case:
    """One thinning of one data set, and what is told of it."""

    source: str
    per_arm: int
    thinning: int
    kind: str
    decimals: int = 0


def names() -> list[str]:
    """Names of the tables of cases."""
    return [f"{kind}{told}" for told in DECIMALS for kind in KINDS]


def all_cases(kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """Every data set, size and thinning under every kind of print, in whole units and in tenths."""
    sizes = {source: sizes_of(read()) for source, read in SOURCES.items()}
    return [
        Case(source, size, number, f"{kind}{told}", decimals)
        for told, decimals in DECIMALS.items()
        for kind in kinds
        for number in range(THINNINGS)
        for source in SOURCES
        for size in sizes[source]
    ]


def answers(table: Table, horizon: float) -> dict[str, float]:
    """RMST of the arms and their difference to `horizon`, log hazard ratio, S(t) at a third and two thirds of it."""
    rmst = {arm: table.rmst(arm, horizon) for arm in ARMS}
    found = {
        "rmst_difference": rmst["experimental"] - rmst["control"],
        **{f"rmst_{arm}": rmst[arm] for arm in ARMS},
        "log_hazard_ratio": table.hazard_ratio(RATIO).log_hazard_ratio,
    }
    for name, at in (("third", horizon / 3), ("two_thirds", 2 * horizon / 3)):
        found |= {f"survival_{name}_{arm}": table.survival_at(arm, at) for arm in ARMS}
    return found


def horizon_of(table: Table) -> float:
    """Last time at which both arms still have somebody at risk."""
    return float(min(table.times[np.flatnonzero(table.r[arm, :-1])[-1]] for arm in range(len(ARMS))))


def given(case: Case, horizon: float, followed: float) -> Given:
    """What is printed beside the summaries: nothing more than the minimum follow-up, numbers at risk, or a curve."""
    columns = AT_RISK_COLUMNS if case.kind.startswith(AT_RISK) else 0
    at_risk = np.round(np.linspace(0, horizon, columns + 1)[1:])
    return Given(tuple(map(float, at_risk)), case.thinning if case.kind.startswith(CURVE) else None, followed)


def run_case(case: Case) -> dict[str, object]:
    """One hidden table: reconstruct it from its printed numbers and compare."""
    patients = SOURCES[case.source]()
    hidden = thinned(patients, case.per_arm, 1_000 * case.per_arm + case.thinning, 10.0**-case.decimals)
    horizon = horizon_of(hidden)
    row: dict[str, object] = {
        "source": case.source,
        "unit": patients.unit,
        "n": f"{hidden.n('control')}+{hidden.n('experimental')}",
        "per_arm": case.per_arm,
        "thinning": case.thinning,
        "kind": case.kind,
        "events": hidden.events("total"),
        "horizon": horizon,
    }
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        targets = targets_of(hidden, patients.unit, given(case, horizon, patients.followed), Path(folder), decimals=case.decimals)
    try:
        ensemble = reconstruct(targets, SETTINGS, case.thinning)
    except ReconstructionError as error:
        return row | {"agreed": False, "seconds": time.perf_counter() - start, "reason": " ".join(str(error).split())[:300]}
    row |= {"agreed": bool(agreement_of_tables(ensemble, targets).all()), "seconds": time.perf_counter() - start}
    row |= {"tables": len(ensemble.weights), "effective_tables": sum_of_effective(ensemble.attained)}
    truth = answers(on_grid(hidden, targets), horizon)
    found = pd.DataFrame([answers(table, horizon) for table in tables_of(ensemble, targets)])
    for name, value in truth.items():
        row |= compared(name, value, found[name].to_numpy(), ensemble.weights)
    return row


def sum_of_effective(results: tuple) -> float:
    """Effective tables over all readings."""
    return float(np.nansum([result.effective_tables for result in results]))


def compared(name: str, truth: float, values: np.ndarray, weights: np.ndarray) -> dict[str, object]:
    """Truth, mean, SD and whether the 90 % interval holds the truth."""
    mean = float(values @ weights)
    low, high = weighted_quantiles(values, weights, (TAIL, 1 - TAIL))
    return {
        f"{name}_true": truth,
        f"{name}_error": mean - truth,
        f"{name}_sd": float(np.sqrt(((values - mean) ** 2) @ weights)),
        f"{name}_covered": bool(low - 1e-9 <= truth <= high + 1e-9),
    }


def main(folder: Path, workers: int = 2) -> list[str]:
    """Write KIND.csv of every kind, and summary.csv. Cases without a table in agreement are counted, not failed.

    Rows are kept as they come, under the program's digest: a run that is stopped goes on with the cases it has not.
    """
    cache = cache_of(folder)
    rows = [row for kind in names() for row in known(cache / f"{kind}.csv")]
    done = {(row["kind"], row["source"], row["per_arm"], row["thinning"]) for row in rows}
    left = [case for case in all_cases() if (case.kind, case.source, case.per_arm, case.thinning) not in done]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for number, future in enumerate(as_completed([pool.submit(run_case, case) for case in left])):
            last = future.result()
            rows.append(last)
            write(pd.DataFrame(rows), cache)
            print(number, *(last.get(key) for key in ("source", "n", "thinning", "kind", "agreed", "seconds")), flush=True)
    write(pd.DataFrame(rows), folder)
    write_summary(folder)
    return []


def known(path: Path) -> list[Any]:
    """Rows of an earlier run of the study."""
    return [] if not path.exists() else pd.read_csv(path).to_dict("records")


def write(frame: pd.DataFrame, folder: Path) -> None:
    """One CSV a kind, sorted by case."""
    for kind, part in frame.groupby("kind"):
        ordered = part.sort_values(["source", "per_arm", "thinning"]).drop(columns="seconds", errors="ignore")
        ordered.to_csv(folder / f"{kind}.csv", index=False, float_format="%.4g")
