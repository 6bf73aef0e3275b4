"""Do 95 % intervals of the whole path hold the truth: patients, a paper's numbers of them, life tables, posterior.

coverage.csv has one row a study and posterior, coverage_summary.csv the shares. Each study draws 43 + 49 patients (`simulated`), prints what a
paper prints, is reconstructed from that, and answered by: `printed`, the hazards sampled with the tables; `cut`, a Weibull model fitted to the
tables; `joint`, the same with the tables weighed by it; `patients`, the same fitted to the patients themselves, which tells what the
reconstruction adds.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.criticism.joint import joint_weights
from retrial.data.sampled_hazards import on_units
from retrial.errors import ReconstructionError
from retrial.experiments.coverage.simulated import ANSWERS, FOLLOW_UP, answers, given, patients, truth_of
from retrial.experiments.fidelity.cache import cache_of
from retrial.experiments.fidelity.paper import targets_of
from retrial.fit.ensemble import Fitted, Question, fit_ensemble
from retrial.models import printed_posterior, weibull
from retrial.run_config import RunConfig
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.findings.prior_evidence import log_evidence_of_events
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.agreement import tables_of
from retrial.tables.printed.readings import RatioReading, TestReading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.recorded import Recorded
from retrial.tables.sample.build import prior_under
from retrial.tables.sample.engine import reconstruct

SETTINGS = ReconstructionSettings(
    ratios=(RatioReading.COX_EFRON, RatioReading.COX_BRESLOW), tests=(TestReading.LOG_RANK,), effort="quick", threads=1
)
"""What a methods section says, by the smallest samplers: what they leave of Monte Carlo error counts against the coverage."""
LEVEL, DRAWS = 0.95, 20_000
"""Of the intervals, and about how many draws they are of."""
BLOCK = 10
"""Studies that are fitted together."""
RECORDED: Recorded = "ceiling"
"""A death of the month t happened after t - 1 and up to t, as months in papers mean."""
FLAT = "flat"
PRINTED, CUT, JOINT, FROM_PATIENTS = "printed", "cut", "joint", "patients"
RESULTS = Path(__file__).parent / "results"
"""The committed tables."""


def answered(numbers: Sequence[int], cache: Path) -> pd.DataFrame:
    """Rows of some studies, kept on disk so that a stopped run goes on; they are fitted together, as a model is compiled once."""
    path = cache / f"{numbers[0]}_{numbers[-1]}.csv"
    if path.exists():
        return pd.read_csv(path, keep_default_na=False, na_values=["nan"])
    rows = pd.DataFrame(rows_of([Simulated.of(number) for number in numbers], settings_of_fits()))
    new = path.with_suffix(".new")
    rows.to_csv(new, index=False, na_rep="nan")
    new.replace(path)
    return rows


@dataclass(frozen=True)
class Simulated:
    """One study: its patients (2, 28 months) events and censored, what its paper prints, and the tables that carry that, or why there are none."""

    number: int
    patients: tuple[np.ndarray, np.ndarray]
    targets: Targets
    ensemble: Ensemble | ReconstructionError

    @classmethod
    def of(cls, number: int) -> Simulated:
        truth = truth_of(number)
        hidden = patients(truth)
        with tempfile.TemporaryDirectory() as folder:
            targets = targets_of(hidden, "months", given(truth), Path(folder), RECORDED)
        ensemble: Ensemble | ReconstructionError
        try:
            ensemble = reconstruct(targets, SETTINGS, number)
        except ReconstructionError as error:
            ensemble = error
        return cls(number, on_months(hidden), targets, ensemble)


def rows_of(studies: Sequence[Simulated], run: RunConfig) -> list[dict[str, Any]]:
    """One row a study and posterior."""
    one = np.ones(1)
    questions = []
    for study in studies:
        events, censored = study.patients
        questions.append(question(f"{study.number} patients", events[None], censored[None], one))
    for study in studies:
        if isinstance(study.ensemble, Ensemble):
            tables = [on_months(table) for table in tables_of(study.ensemble, study.targets)]
            events, censored = (np.stack(counts) for counts in zip(*tables, strict=True))
            questions.append(question(f"{study.number} tables", events, censored, study.ensemble.weights))
    spec = run.models["weibull"]
    priors = {FLAT: run.priors[FLAT].over(spec.priors)}
    fitted = fit_ensemble("weibull", spec.build, questions, priors, run.sampler, run.limits, (1, "coverage"))
    fits = {fit.endpoint: fit for fit in fitted}
    return [
        row for study in studies for row in _rows(study, fits[f"{study.number} patients"], fits.get(f"{study.number} tables"))
    ]


def _rows(study: Simulated, known: Fitted, fitted: Fitted | None) -> Iterator[dict[str, Any]]:
    yield row(study.number, FROM_PATIENTS, weibull_answers(known, study.number), known.status(FLAT))
    if fitted is None or not isinstance(study.ensemble, Ensemble):
        status = "not reconstructed: " + " ".join(str(study.ensemble).split())[:200]
        yield from (row(study.number, kind, {}, status) for kind in (PRINTED, CUT, JOINT))
        return
    yield row(study.number, PRINTED, printed_answers(study.ensemble), "ok")
    yield row(study.number, CUT, weibull_answers(fitted, study.number), fitted.status(FLAT), len(fitted.weights))
    prior = prior_under(study.targets, SETTINGS.prior, study.ensemble.readings[0])
    weights = joint_weights(fitted, FLAT, log_evidence_of_events(study.ensemble.table, prior)[0])
    joint = dataclasses.replace(fitted, weights=weights.weights)
    found = weibull_answers(joint, study.number) if weights.status == "ok" else {}
    yield row(study.number, JOINT, found, weights.status, weights.effective_tables)


def printed_answers(ensemble: Ensemble) -> dict[str, np.ndarray]:
    """Answers of the hazards that were sampled with the tables."""
    if ensemble.hazards is None:
        return {}
    found = on_units(ensemble.hazards, RECORDED)
    return answers(functools.partial(printed_posterior.hazard, starts=found.starts), {"log_hazards": found.log_hazards})


def weibull_answers(fitted: Fitted, seed: int) -> dict[str, np.ndarray]:
    """Answers of about `DRAWS` of the pooled draws."""
    draws = fitted.pooled(FLAT, seed)
    step = max(1, len(next(iter(draws.values()))) // DRAWS)
    return answers(weibull.hazard, {name: values[::step] for name, values in draws.items()})


def question(name: str, events: np.ndarray, censored: np.ndarray, weights: np.ndarray) -> Question:
    """Tables (table, arm, month) with their weights, as the engine takes them."""
    table = LifeTable.from_counts(np.arange(1.0, FOLLOW_UP + 1), events, censored)
    return Question(name, table, weights, RECORDED)


def on_months(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """(2, 28) events and censored."""
    d, c = np.zeros((2, FOLLOW_UP), int), np.zeros((2, FOLLOW_UP), int)
    place = table.times.astype(int) - 1
    d[:, place] = table.d[:2]
    c[:, place] = table.r[:2, :-1] - table.r[:2, 1:] - table.d[:2]
    return d, c


@functools.cache
def settings_of_fits() -> RunConfig:
    """The Weibull model under the flat prior, as `retrial fit model=weibull prior=flat` has them, on one processor."""
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("fit", ["model=weibull", "prior=flat", "sampler.threads=1"]))
    return run_config(raw, "fit", Path("simulated.yaml"), {"model": "weibull", "prior": FLAT})


def row(number: int, kind: str, draws: Mapping[str, np.ndarray], status: str, effective_tables: float = np.nan) -> dict[str, Any]:
    """Posterior mean, interval and whether it holds the truth, of every answer; without draws only what became of it."""
    truth = truth_of(number)
    found: dict[str, Any] = {
        "number": number,
        "data": kind,
        "truth": truth.family,
        "hazard_ratio": truth.hazard_ratio,
        "losses": truth.losses,
        "status": status,
        "effective_tables": effective_tables,
    }
    for name, true in truth.answers().items() if draws else ():
        low, high = np.quantile(draws[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found |= {f"{name}_true": true, f"{name}_mean": draws[name].mean(), f"{name}_lower": low, f"{name}_upper": high}
        found[f"{name}_covered"] = bool(low <= true <= high)
    return found


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Coverage with its Monte Carlo error, bias and mean width, by posterior: of all studies, and by truth, ratio and losses."""
    lines, answered_rows = [], frame.dropna(subset=[f"{ANSWERS[0]}_lower"])
    for kind, part in answered_rows.groupby("data", sort=False):
        groups = [
            ("all", part),
            *(group for name in ("truth", "hazard_ratio", "losses") for group in part.groupby(name, sort=False)),
        ]
        for label, group in groups:
            for name in ANSWERS:
                covered = group[f"{name}_covered"].astype(float).mean()
                lines.append(
                    {
                        "data": kind,
                        "studies_with": label,
                        "answer": name,
                        "studies": len(group),
                        "coverage": covered,
                        "coverage_error": np.sqrt(covered * (1 - covered) / len(group)),
                        "bias": (group[f"{name}_mean"] - group[f"{name}_true"]).mean(),
                        "mean_width": (group[f"{name}_upper"] - group[f"{name}_lower"]).mean(),
                    }
                )
    return pd.DataFrame(lines)


def main(folder: Path, workers: int = 2, studies: int = 400) -> list[str]:
    """Write coverage.csv and coverage_summary.csv."""
    found, cache = [], cache_of(folder)
    blocks = [range(first, min(first + BLOCK, studies)) for first in range(0, studies, BLOCK)]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for future in as_completed([pool.submit(answered, block, cache) for block in blocks]):
            found.append(future.result())
            print(f"{len(found)} of {len(blocks)} blocks", *sorted(set(found[-1]["status"])), flush=True)
    frame = pd.concat(found).sort_values(["number", "data"], kind="stable")
    frame.to_csv(folder / "coverage.csv", index=False, float_format="%.5g")
    summary(frame).to_csv(folder / "coverage_summary.csv", index=False, float_format="%.4g")
    return []
