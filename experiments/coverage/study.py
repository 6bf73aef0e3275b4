"""Do 95 % intervals of the whole path hold the truth: patients, a paper's numbers of them, life tables, posterior.

coverage.csv has one row a study and kind of data, coverage_summary.csv the shares. Each study draws 43 + 49 patients from a Weibull
proportional-hazards model, prints what a paper prints, is reconstructed from that, and fitted; beside it the same model on the
patients themselves, which tells what the reconstruction adds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_module

from retrial.answers import curves
from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.errors import ReconstructionError
from retrial.experiments.fidelity.cache import cache_of
from retrial.experiments.fidelity.paper import Given, targets_of
from retrial.fit.ensemble import Fitted, Question, fit_ensemble
from retrial.run_config import RunConfig
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.agreement import tables_of
from retrial.tables.printed.readings import RatioReading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.recorded import Recorded
from retrial.tables.sample.engine import reconstruct

PATIENTS = (49, 43)
"""Control and experimental arm."""
HAZARD_RATIOS, SHAPES = (0.5, 0.7, 1.0), (0.9, 1.3)
CONTROL_MEDIAN = 12.0
FOLLOW_UP = (6, 28)
"""Whole months of follow-up, uniform: staggered entry, one date of analysis."""
HORIZON = 12.0
"""Months of the restricted mean; every study has patients at risk there in both arms, or nearly."""
SETTINGS = ReconstructionSettings(
    n_tables=24,
    ratios=(RatioReading.COX_EFRON, RatioReading.COX_BRESLOW),
    tests=(TestReading.LOG_RANK,),
    islands=3,
    rounds=2,
    threads=1,
)
LEVEL = 0.95
RECORDED: Recorded = "ceiling"
"""A death of the month t happened after t - 1 and up to t, as months in papers mean."""
RESULTS = Path(__file__).parent / "results"
"""The committed tables."""


@dataclass(frozen=True)
class Truth:
    """Parameters of one simulated study."""

    number: int
    hazard_ratio: float
    shape: float

    @property
    def log_hazard_ratio(self) -> float:
        return float(np.log(self.hazard_ratio))

    def cumulative_hazard(self, months: np.ndarray, experimental: int) -> np.ndarray:
        """H(t) = log 2 (t / control median)^shape HR^experimental."""
        return np.log(2.0) * (months / CONTROL_MEDIAN) ** self.shape * self.hazard_ratio**experimental

    def rmst_difference(self) -> float:
        months = np.linspace(0.0, HORIZON, 20_001)
        survival = [np.exp(-self.cumulative_hazard(months, arm)) for arm in (0, 1)]
        return float(np.trapezoid(survival[1] - survival[0], months))


def truth_of(number: int) -> Truth:
    """Hazard ratio and shape of a numbered study: every cell of the design in turn."""
    cells = [(ratio, shape) for ratio in HAZARD_RATIOS for shape in SHAPES]
    return Truth(number, *cells[number % len(cells)])


def patients(truth: Truth) -> Table:
    """The simulated study as its true life table of months 1, ..., 28."""
    random = np.random.default_rng(40_000 + truth.number)
    counts = np.zeros((2, 2, FOLLOW_UP[1]), dtype=int)
    for arm, size in enumerate(PATIENTS):
        scaled = random.exponential(size=size) / (np.log(2.0) * truth.hazard_ratio**arm)
        death = CONTROL_MEDIAN * scaled ** (1.0 / truth.shape)
        limit = random.integers(FOLLOW_UP[0], FOLLOW_UP[1] + 1, size=size)
        month = np.where(death <= limit, np.ceil(death), limit).astype(int)
        np.add.at(counts[:, arm], ((death <= limit).astype(int), month - 1), 1)
    return Table(np.arange(1.0, FOLLOW_UP[1] + 1), counts[1], counts[0])


def reconstructed(number: int, cache: Path) -> dict[str, Any]:
    """Tables (reconstruction, arm, month) of one study from its printed numbers, kept on disk so that a stopped run goes on."""
    path = cache / f"{number}.npz"
    if path.exists():
        with np.load(path) as kept:
            return {"number": number, "reason": str(kept["reason"]), **{key: kept[key] for key in kept if key != "reason"}}
    hidden = patients(truth_of(number))
    found: dict[str, Any] = {"reason": ""}
    with tempfile.TemporaryDirectory() as folder:
        targets = targets_of(hidden, "months", Given(), Path(folder), RECORDED)
    try:
        ensemble = reconstruct(targets, SETTINGS, number)
    except ReconstructionError as error:
        found["reason"] = " ".join(str(error).split())[:300]
    else:
        tables = [on_months(table) for table in tables_of(ensemble, targets)]
        found |= {"events": np.stack([d for d, _ in tables]), "censored": np.stack([c for _, c in tables])}
        found["weights"] = ensemble.weights
    np.savez(path, **found)
    return {"number": number, **found}


def on_months(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """(2, 28) events and censored."""
    d, c = np.zeros((2, FOLLOW_UP[1]), int), np.zeros((2, FOLLOW_UP[1]), int)
    place = table.times.astype(int) - 1
    d[:, place] = table.d[:2]
    c[:, place] = table.r[:2, :-1] - table.r[:2, 1:] - table.d[:2]
    return d, c


def question(name: str, events: np.ndarray, censored: np.ndarray, weights: np.ndarray) -> Question:
    """Tables (table, arm, month) with their weights, as the engine takes them."""
    table = LifeTable.from_counts(np.arange(1.0, FOLLOW_UP[1] + 1), events, censored)
    return Question(name, table, weights, RECORDED)


def settings_of_fits() -> RunConfig:
    """The Weibull model under the flat prior, as `retrial fit model=weibull prior=flat` has them."""
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("fit", ["model=weibull", "prior=flat"]))
    return run_config(raw, "fit", Path("simulated.yaml"), {"model": "weibull", "prior": "flat"})


def row(truth: Truth, kind: str, fitted: Fitted, run: RunConfig) -> dict[str, Any]:
    """Posterior mean, interval and whether it holds the truth, of the log hazard ratio and the RMST difference."""
    draws = fitted.pooled("flat", truth.number)
    rmst = curves.rmst(run.models["weibull"].hazard_of(), draws, HORIZON)
    answers = {
        "log_hazard_ratio": (draws["log_hazard_ratio"], truth.log_hazard_ratio),
        "rmst_difference": (rmst[:, 1] - rmst[:, 0], truth.rmst_difference()),
    }
    found: dict[str, Any] = {
        "number": truth.number,
        "data": kind,
        "hazard_ratio": truth.hazard_ratio,
        "shape": truth.shape,
        "status": fitted.status("flat"),
    }
    for name, (values, true) in answers.items():
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found |= {f"{name}_true": true, f"{name}_mean": values.mean(), f"{name}_lower": low, f"{name}_upper": high}
        found[f"{name}_covered"] = bool(low <= true <= high)
    return found


def fits(studies: Sequence[dict[str, Any]], run: RunConfig) -> list[dict[str, Any]]:
    """Rows of all studies that were reconstructed: fitted on their tables, and on their patients."""
    spec, one = run.models["weibull"], np.ones(1)
    priors = {"flat": run.priors["flat"].over(spec.priors)}
    rows = []
    for kind in ("reconstructed", "patients"):
        questions = []
        for study in studies:
            if kind == "patients":
                d, c = on_months(patients(truth_of(study["number"])))
                questions.append(question(str(study["number"]), d[None], c[None], one))
            else:
                questions.append(question(str(study["number"]), study["events"], study["censored"], study["weights"]))
        fitted = fit_ensemble("weibull", spec.build, questions, priors, run.sampler, run.limits, (1, kind))
        rows += [row(truth_of(study["number"]), kind, fit, run) for study, fit in zip(studies, fitted, strict=True)]
    return rows


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Coverage with its Monte Carlo error, bias and mean width, by data and by hazard ratio."""
    lines = []
    for kind, part in frame.groupby("data"):
        for label, group in [("all", part), *part.groupby("hazard_ratio")]:
            for name in ("log_hazard_ratio", "rmst_difference"):
                covered = group[f"{name}_covered"].mean()
                lines.append(
                    {
                        "data": kind,
                        "hazard_ratio": label,
                        "answer": name,
                        "studies": len(group),
                        "coverage": covered,
                        "coverage_error": np.sqrt(covered * (1 - covered) / len(group)),
                        "bias": (group[f"{name}_mean"] - group[f"{name}_true"]).mean(),
                        "mean_width": (group[f"{name}_upper"] - group[f"{name}_lower"]).mean(),
                    }
                )
    return pd.DataFrame(lines)


def main(folder: Path, workers: int = 2, studies: int = 210) -> list[str]:
    """Write coverage.csv and coverage_summary.csv, of the studies that were reconstructed."""
    found, cache = [], cache_of(folder)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for future in as_completed([pool.submit(reconstructed, number, cache) for number in range(studies)]):
            found.append(future.result())
            print(len(found), found[-1]["number"], found[-1]["reason"], flush=True)
    arrived = sorted((study for study in found if not study["reason"]), key=lambda study: study["number"])
    frame = pd.DataFrame(fits(arrived, settings_of_fits())).sort_values(["data", "number"])
    frame.to_csv(folder / "coverage.csv", index=False, float_format="%.5g")
    summary(frame).to_csv(folder / "coverage_summary.csv", index=False, float_format="%.4g")
    print(f"{len(found) - len(arrived)} of {studies} studies were not reconstructed")
    return []
