"""Speed of posteriors: importance sampling and NUTS of the engine against a plain loop of `pm.sample`, and fits at 10², 10⁴, 10⁶ patients."""

from __future__ import annotations

import csv
import dataclasses
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import nutpie
import pymc as pm

from retrial.fit.diagnostics import diagnose, ess_bulk
from retrial.fit.engine import FitData, Job, fit_many, fitter_for, packed
from retrial.fit.levels import fit_group
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import SurvivalData, survival_data
from retrial.models import piecewise_exponential, weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

TABLES, PLAIN_TABLES = 100, 3
LEAST_ESS = 400.0
LEAST_RATIO = {"weibull": 1000.0, "piecewise_exponential": 300.0}
"""Times as long as a posterior by importance sampling that a loop of `pm.sample` takes for one, at least."""
EFFECTS = (
    Prior("normal", (0.0, 10.0)),
    Prior("normal", (0.0, 0.355)),
    Prior("normal", (0.0, 0.205)),
    Prior("normal", (-0.4, 0.3)),
    Prior("normal", (0.3, 0.3)),
    Prior("normal", (-0.28, 0.1)),
    Prior("student_t", (0.0, 0.13, 2.0)),
    Prior("student_t", (-0.1, 0.3, 4.0)),
    Prior("normal_mixture", ((0.3, 0.7), (-0.4, 0.0), (0.2, 1.0))),
)
"""Priors of the log hazard ratio: as many as `reanalyse` fits a Weibull model under."""
MAX_GROWTH = 1.5
SETTINGS = SamplerSettings()
MONTHS = 24
PRIORS = PriorSet(
    "bench",
    {
        "control_median": Prior("lognormal", (2.4849066, 1.5)),
        "shape": Prior("lognormal", (0.0, 0.5)),
        "log_hazard_ratio": Prior("normal", (0.0, 0.355)),
        "log_baseline_hazard": Prior("normal", (-2.85, 1.5)),
        "walk_scale": Prior("half_normal", (0.5,)),
    },
)


def of_the_table(data: SurvivalData) -> FitData:
    """A model that is fitted to the table itself."""
    return data


COUNTS = partial(interval_counts, cuts=tuple(3.0 * j for j in range(1, 8)))
MODELS: dict[str, tuple[Callable[..., pm.Model], Callable[[SurvivalData], Any], tuple[str, ...]]] = {
    "weibull": (weibull.build, of_the_table, ("control_median", "shape", "log_hazard_ratio")),
    "piecewise_exponential": (piecewise_exponential.build, COUNTS, ("log_baseline_hazard", "walk_scale", "log_hazard_ratio")),
}


def cohort(patients: int, seed: int) -> LifeTable:
    """Monthly life table of two Weibull arms with hazard ratio 0.6, uniform censoring; the grid is the same for any size."""
    rng = np.random.default_rng(seed)
    arm = (np.arange(patients) % 2 == 1).astype(int)
    survival = np.ceil(11 * (-np.log(rng.uniform(size=patients)) / np.log(2) / 0.6**arm) ** (1 / 1.3))
    limit = rng.integers(4, MONTHS + 1, patients)
    event, when = survival <= limit, np.minimum(survival, limit).astype(int)
    counts = np.zeros((2, 2, MONTHS), dtype=int)
    np.add.at(counts, (event.astype(int), arm, when - 1), 1)
    return LifeTable.from_counts(np.arange(1.0, MONTHS + 1), counts[1], counts[0])


def jobs_of(name: str, tables: Sequence[LifeTable]) -> list[Job]:
    """One job a table, seeded by its number."""
    _, prepare, parameters = MODELS[name]
    priors = PriorSet("bench", {key: PRIORS[key] for key in parameters})
    return [Job(prepare(survival_data(table)), priors, seed) for seed, table in enumerate(tables, start=1)]


@dataclass(frozen=True)
class Timing:
    """One way to get posteriors of a model."""

    model: str
    way: str
    posteriors: int
    seconds: float
    ess: float
    least_ess: float

    @property
    def each(self) -> float:
        return self.seconds / self.posteriors


def effective(fits: Sequence[np.ndarray]) -> np.ndarray:
    """Bulk effective sample size of each fit's draws (chain, draw)."""
    return np.array([ess_bulk(draws[None])[0] for draws in fits])


def importance(name: str) -> tuple[Timing, dict[str, float]]:
    """Importance sampling of `TABLES` tables under all of `EFFECTS`, from the model to the draws; and its largest errors."""
    jobs = [
        Job(
            job.data,
            PriorSet(f"bench {place}", {**job.priors.priors, "log_hazard_ratio": effect}),
            1000 * place + job.seed,
            1 / TABLES,
        )
        for place, effect in enumerate(EFFECTS)
        for job in jobs_of(name, [cohort(92, seed) for seed in range(TABLES)])
    ]
    settings = dataclasses.replace(SETTINGS, method=Method.IMPORTANCE)
    draws = settings.draws(TABLES)
    fit_group(MODELS[name][0], jobs[:1], settings, DiagnosticLimits(), draws, None)  # kernels are compiled, as a loop's are
    start = time.perf_counter()
    found = [health for _, health in fit_group(MODELS[name][0], jobs, settings, DiagnosticLimits(), draws, None)]
    seconds = time.perf_counter() - start
    ess = np.array([min(health.ess_bulk_min, health.ess_tail_min) for health in found])
    told = {
        "failed (of all)": float(sum(health.status != "ok" for health in found)),
        "largest Pareto k": max(health.pareto_k for health in found),
        "largest error of a log evidence": max(health.log_evidence_se for health in found),
    }
    return Timing(name, "engine", len(jobs), seconds, float(np.median(ess)), float(ess.min())), told


def engine(name: str) -> tuple[Timing, dict[str, float]]:
    """NUTS by the engine on `TABLES` tables, its parts timed by themselves."""
    jobs, parts = jobs_of(name, [cohort(92, seed) for seed in range(TABLES)]), {}
    start = time.perf_counter()
    fitter = fitter_for(MODELS[name][0], jobs, SETTINGS)
    parts["compile"] = time.perf_counter() - start
    start = time.perf_counter()
    fits = fit_many(fitter, jobs, SETTINGS.min_draws, SETTINGS.tune, SETTINGS.threads)
    parts["fits"] = time.perf_counter() - start
    start = time.perf_counter()
    diagnose(fits, DiagnosticLimits())
    parts["diagnostics"] = time.perf_counter() - start
    ess = effective([fit.values["log_hazard_ratio"] for fit in fits])
    seconds = parts["fits"] + parts["diagnostics"]
    return Timing(name, "engine, NUTS alone", TABLES, seconds, float(np.median(ess)), float(ess.min())), parts


def inside(name: str) -> dict[str, float]:
    """Milliseconds of one fit: the sampler alone, its start, and everything around it."""
    job = jobs_of(name, [cohort(92, 0)])[0]
    fitter = fitter_for(MODELS[name][0], [job], SETTINGS)
    compiled = nutpie.compile_pymc_model(packed(MODELS[name][0](job.data, job.priors)).model)

    def sample(draws: int, tune: int) -> Any:
        return nutpie.sample(
            compiled, draws=draws, tune=tune, chains=4, cores=1, seed=1, progress_bar=False, return_raw_trace=True
        )

    def best(call: Callable[[], Any]) -> float:
        taken = []
        for _ in range(7):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
        return 1e3 * min(taken)

    whole = best(lambda: fitter(job, SETTINGS.min_draws, SETTINGS.tune, None))
    alone = best(lambda: sample(SETTINGS.min_draws, SETTINGS.tune))
    begun = best(lambda: sample(1, 1))
    return {"fit": whole, "sampler": alone - begun, "start of chains": begun, "data in, arrays out": max(whole - alone, 0.0)}


def plain(name: str, sampler: str) -> Timing:
    """A loop of `pm.sample`, which compiles at every call: that is its cost. One call beforehand warms caches on disk."""
    jobs = jobs_of(name, [cohort(92, seed) for seed in range(PLAIN_TABLES)])
    build, found = MODELS[name][0], []

    def sample(job: Job) -> np.ndarray:
        with build(job.data, job.priors), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyMC's advice on few chains and its sampler's name
            tree = pm.sample(chains=4, cores=2, random_seed=job.seed, nuts_sampler=sampler, progressbar=False)
        return tree.posterior["log_hazard_ratio"].to_numpy()

    sample(jobs[0])
    start = time.perf_counter()
    found = [sample(job) for job in jobs]
    seconds = time.perf_counter() - start
    ess = effective(found)
    return Timing(name, f"pm.sample, {sampler}", PLAIN_TABLES, seconds, float(np.median(ess)), float(ess.min()))


def main(folder: Path) -> list[str]:
    """Write posteriors*.csv; returns which bounds are broken, in words."""
    return [*against_loops(folder), *(words for name in MODELS for words in by_patients(name, folder))]


def against_loops(folder: Path) -> list[str]:
    """posteriors.csv and posteriors_MODEL_parts.csv."""
    rows, failures = [], []
    for name in MODELS:
        ours, told = importance(name)
        nuts, parts = engine(name)
        parts |= {f"{key} (importance sampling)": value for key, value in told.items()}
        if told["failed (of all)"]:
            failures.append(f"{name}: {told['failed (of all)']:g} of {ours.posteriors} fits by importance sampling failed")
        write(folder / f"posteriors_{name}_parts.csv", shares(name, parts))
        if ours.least_ess < LEAST_ESS:
            failures.append(f"{name}: got {ours.least_ess:.0f} effective draws in a fit; allowed is at least {LEAST_ESS:g}")
        for timing in (ours, nuts, *(plain(name, sampler) for sampler in ("pymc", "nutpie"))):
            # a way that falls short of 400 effective draws would have to run longer: its time is not scaled, to its advantage
            ratio = timing.each / ours.each
            rows.append(timed(timing, ratio))
            if timing.way.startswith("pm.sample") and ratio < LEAST_RATIO[name]:
                failures.append(
                    f"{name}: {timing.way} takes {ratio:.0f} times as long; allowed is at least {LEAST_RATIO[name]:g}"
                )
    write(folder / "posteriors.csv", rows)
    return failures


def timed(timing: Timing, ratio: float) -> dict[str, Any]:
    """One row of posteriors.csv; `ratio` to the engine's time."""
    return {
        "model": timing.model,
        "way": timing.way,
        "posteriors": timing.posteriors,
        "seconds_per_posterior": f"{timing.each:.4f}",
        "median_bulk_ess": f"{timing.ess:.0f}",
        "ess_per_second": f"{timing.ess / timing.each:.0f}",
        "times_as_fast": f"{ratio:.0f}",
    }


def shares(name: str, parts: dict[str, float]) -> list[dict[str, Any]]:
    """Where the time goes, over all posteriors and inside one."""
    named = {key if ")" in key else f"{key} (all, s)": value for key, value in parts.items()}
    named |= {f"{key} (one, ms)": value for key, value in inside(name).items()}
    return [{"model": name, "part": key, "time": f"{value:.3f}"} for key, value in named.items()]


def by_patients(name: str, folder: Path) -> list[str]:
    """posteriors_MODEL_by_patients.csv: processor time of a fit on one grid.

    Steps of the sampler are given: they depend on the posterior's shape, not on the number of patients itself.
    """
    sizes = (100, 10_000, 1_000_000)
    jobs = jobs_of(name, [cohort(size, 1) for size in sizes])
    fitter = fitter_for(MODELS[name][0], jobs, SETTINGS)
    rows, seconds = [], []
    for size, job in zip(sizes, jobs, strict=True):
        taken = []
        for _ in range(7):
            start = time.process_time()
            draws = fitter(job, SETTINGS.min_draws, SETTINGS.tune, None).values["log_hazard_ratio"]
            taken.append(time.process_time() - start)
        seconds.append(min(taken))
        ess, sd = effective([draws])[0], draws.std()
        rows.append({"model": name, "patients": size, "seconds": f"{min(taken):.4f}", "ess": f"{ess:.0f}", "sd": f"{sd:.4f}"})
    write(folder / f"posteriors_{name}_by_patients.csv", rows)
    growth = max(seconds) / min(seconds)
    return [f"{name}: got times that differ by {growth:.2f}; allowed is {MAX_GROWTH:g}"] if growth > MAX_GROWTH else []


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as CSV, and printed."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print()
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
