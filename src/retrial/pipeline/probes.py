"""What the printed survival numbers leave open: spread over the tables, statistics left out in turn, strict against default agreement."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.answers.survival import horizon_of
from retrial.dims import TOTAL
from retrial.errors import ReconstructionError
from retrial.fit.engine import Draws
from retrial.fit.ensemble import EFFECT, Question, fit_ensemble
from retrial.pipeline.tables import PERCENT, EndpointTables, percent
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter
from retrial.tables.ensemble import Ensemble, ReconstructionSettings, to_dataset
from retrial.tables.findings.probes import left_out
from retrial.tables.findings.spread import Values, compare_values, leave_one_out, spread, table_answers, with_prior
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.prior_predictive import prior_tables
from retrial.tables.sample.strict import strict_ensemble

log = logging.getLogger("retrial")
DIGITS = "%.10g"
"""Of numbers in a file: more than the Monte Carlo error leaves, few enough that sums of binary fractions read as written."""
PRIOR_TABLES = 400
"""Of the prior alone: its 2.5 % quantile is the tenth lowest."""
LEAST_SHARE = 0.01
"""Estimators whose readings are all less probable than this are not tried again when a statistic is left out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sampled:
    """An endpoint whose tables were sampled, with what is asked of them: horizon and times in months."""

    item: EndpointTables
    targets: Targets
    ensemble: Ensemble
    horizon: float
    times: tuple[float, ...]


def write_probes(run: RunConfig, tables: Sequence[EndpointTables], folder: Path) -> list[str]:
    """spread.csv, and leave_one_out.csv and strict_comparison.csv where they are asked for; returns what failed.

    Tables of patients have nothing open, and those of a relaxed ensemble carry other numbers than the paper's: both are left out.
    """
    sampled = [found for item in tables if (found := _sampled(run, item)) is not None]
    _write([_spread(run, one) for one in sampled], folder / "spread.csv")
    names = left_out(run.probes, {one.targets.endpoint: one.targets for one in sampled})
    frames = [_left_out(run, one, names[one.targets.endpoint]) for one in sampled if names[one.targets.endpoint]]
    _write(frames, folder / "leave_one_out.csv")
    failures: list[str] = []
    if run.probes.compare_strict:
        _write([_against_strict(run, one, folder, failures) for one in sampled], folder / "strict_comparison.csv")
    return failures


def _sampled(run: RunConfig, item: EndpointTables) -> Sampled | None:
    if item.ensemble is None or item.targets is None or item.ensemble.relaxed:
        return None
    horizon = horizon_of(item.table, run.questions)
    times = tuple(time for time in run.questions.survival_months if time <= item.targets.months[-1])
    return Sampled(item, item.targets, item.ensemble, horizon, times)


def _spread(run: RunConfig, one: Sampled) -> pd.DataFrame:
    """Spread over the tables beside that over tables of their prior alone."""
    seed = integer_seed(run.seed, run.study_file.stem, one.targets.endpoint, "prior of the tables")
    drawn = prior_tables(one.targets, run.reconstruction, seed, PRIOR_TABLES)
    frame = spread(one.ensemble, one.targets, one.horizon, one.times)
    return with_prior(frame, table_answers(drawn, one.targets, one.horizon, one.times))


def _write(frames: Sequence[pd.DataFrame], path: Path) -> None:
    kept = [frame for frame in frames if not frame.empty]
    if kept:
        pd.concat(kept, ignore_index=True).to_csv(path, index=False, float_format=DIGITS)


def _left_out(run: RunConfig, one: Sampled, names: tuple[str, ...]) -> pd.DataFrame:
    """Every statistic left out in turn, with fewer samplers and under the estimators that all statistics together leave probable."""
    settings = attained_settings(run.reconstruction, one.ensemble, run.probes.leave_one_out_islands)
    seed = integer_seed(run.seed, run.study_file.stem, one.targets.endpoint, "leave one out")
    with counter(f"leaving {len(names)} statistics of {one.targets.endpoint} out in turn", PERCENT, "percent") as advance:
        shown = percent(advance)
        return leave_one_out(
            one.targets, settings, seed, one.horizon, one.times, names, one.ensemble, lambda done: shown(done, "")
        )


def attained_settings(settings: ReconstructionSettings, ensemble: Ensemble, islands: int) -> ReconstructionSettings:
    """The same settings with fewer islands, and only the estimators of readings with a share of at least `LEAST_SHARE`."""
    kept = [result.reading for result in ensemble.attained if result.share >= LEAST_SHARE]
    return dataclasses.replace(
        settings,
        islands=islands,
        ratios=tuple(item for item in settings.ratios if item in {reading.ratio for reading in kept}) or settings.ratios,
        tests=tuple(item for item in settings.tests if item in {reading.test for reading in kept}) or settings.tests,
        medians=tuple(item for item in settings.medians if item in {reading.median for reading in kept}) or settings.medians,
        relaxed=False,
    )


def _against_strict(run: RunConfig, one: Sampled, folder: Path, failures: list[str]) -> pd.DataFrame:
    """Answers and posterior on default tables beside those on tables that carry every digit."""
    endpoint = one.targets.endpoint
    seed = integer_seed(run.seed, run.study_file.stem, endpoint, "strict")
    try:
        with counter(f"strict tables of {endpoint}", run.probes.strict_tables, "tables") as advance:
            strict = strict_ensemble(one.ensemble, one.targets, run.reconstruction, seed, run.probes.strict_tables)
            advance(strict.table.n_reconstructions)
    except ReconstructionError as error:
        failures.append(f"{endpoint}, strict agreement: {error}")
        return pd.DataFrame()
    to_dataset(strict).to_netcdf(folder / f"strict_{endpoint}.nc", engine="h5netcdf")
    default, exact = (table_answers(ensemble.table, one.targets, one.horizon, one.times) for ensemble in (one.ensemble, strict))
    if posteriors := _posteriors(run, one, strict.table):
        default, exact = {**default, **posteriors[0]}, {**exact, **posteriors[1]}
    return compare_values(default, exact, one.ensemble, strict)


def _posteriors(run: RunConfig, one: Sampled, strict: LifeTable) -> list[Values]:
    """Posterior of β on each default and each strict table, by the first proportional survival model under the main prior."""
    spec = next((spec for spec in run.models.values() if spec.data == "life_table" and spec.proportional), None)
    chosen = _prior(run, spec, one.targets.endpoint)
    if spec is None or chosen is None:
        return []
    own = spec.on(one.item.table, one.item.weights)
    name, priors = chosen
    both, first = _together(one.item.table, strict), one.item.table.n_reconstructions
    size = both.n_reconstructions
    question = Question(one.targets.endpoint, both, np.full(size, 1 / size), one.item.recorded, own.prepare)
    content = (run.seed, f"{run.study_file.stem} strict")
    with counter(f"fitting {spec.name} to default and strict tables", size, "fits") as progress:
        fitted = fit_ensemble(spec.name, spec.build, [question], priors, run.sampler, run.limits, content, progress)[0]
    if fitted.status(name) != "ok":
        log.info("%s, %s on default and strict tables: %s", fitted.endpoint, spec.name, fitted.status(name))
    return [_moments(fitted.draws[name][:first]), _moments(fitted.draws[name][first:])]


def _together(one: LifeTable, two: LifeTable) -> LifeTable:
    """The tables of both, on the times that they share."""
    events, censored = (
        np.concatenate([getattr(table, name).to_numpy() for table in (one, two)]) for name in ("events", "censored")
    )
    return LifeTable.from_counts(one.times, events, censored)


def _prior(run: RunConfig, spec: ModelSpec | None, endpoint: str) -> tuple[str, Mapping[str, PriorSet]] | None:
    """The main prior, or the first that speaks of the effect on this endpoint, complete with the model's own."""
    order = sorted(run.priors, key=lambda name: name != run.main_prior)
    name = next((name for name in order if run.priors[name].speaks_of(EFFECT, endpoint)), None)
    return None if name is None or spec is None else (name, {name: run.priors[name].over(spec.priors)})


def _moments(fits: Sequence[Draws]) -> Values:
    """Of every table: posterior mean and SD of β, and the probability of a ratio below 1."""
    draws = [fit.values[EFFECT].ravel() for fit in fits]
    return {
        ("posterior_mean_log_hazard_ratio", None, TOTAL): np.array([x.mean() for x in draws]),
        ("posterior_sd_log_hazard_ratio", None, TOTAL): np.array([x.std() for x in draws]),
        ("posterior_probability_of_a_hazard_ratio_below_1", None, TOTAL): np.array([(x < 0).mean() for x in draws]),
    }
