"""What the printed survival numbers leave open: spread over the tables, statistics left out in turn, strict against default agreement."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import pandas as pd

from retrial.answers.follow_up import FollowUp
from retrial.errors import ReconstructionError
from retrial.pipeline.tables import PERCENT, EndpointTables, percent
from retrial.run_config import RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter
from retrial.store.stages import Stages
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.findings.choices import compare_choices
from retrial.tables.findings.probes import left_out
from retrial.tables.findings.spread import compare_values, leave_one_out, spread, table_answers, with_prior
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.prior_predictive import prior_tables
from retrial.tables.sample.strict import strict_ensemble

log = logging.getLogger("retrial")
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

    @property
    def name(self) -> str:
        return self.targets.endpoint


@dataclasses.dataclass(frozen=True, eq=False)
class Probed:
    """The tables spread, leave_one_out, choices and strict_comparison, as far as they were asked for; strict tables by endpoint; what failed."""

    frames: dict[str, pd.DataFrame]
    strict: dict[str, Ensemble]
    failures: list[str]


def probed(run: RunConfig, tables: Sequence[EndpointTables], stages: Stages) -> Probed:
    """What the numbers of every endpoint leave open.

    Tables of patients have nothing open, and those of a relaxed ensemble carry other numbers than the paper's: both are left out.
    """
    sampled = [found for item in tables if (found := _sampled(run, item)) is not None]
    about = run.about("reconstruction", "probes")
    names = left_out(run.probes, {one.name: one.targets for one in sampled})
    asked = [(one, names[one.name]) for one in sampled if names[one.name]]
    wide = [stages.run(f"spread.{one.name}", _spread, run.about("reconstruction"), one) for one in sampled]
    less = [stages.run(f"leave_one_out.{one.name}", _left_out, about, one, chosen) for one, chosen in asked]
    chosen = [stages.run(f"choices.{one.name}", _choices, about, one) for one in sampled if run.probes.choices]
    strict: dict[str, Ensemble] = {}
    failures: list[str] = []
    for one in sampled if run.probes.compare_strict else ():
        tables_or_error = stages.run(f"strict.{one.name}", _strict, about, one)
        if isinstance(tables_or_error, ReconstructionError):
            failures.append(f"{one.name}, strict agreement: {tables_or_error}")
        else:
            strict[one.name] = tables_or_error
    about = run.about("models", "priors", "sampler", "limits", "questions")
    pairs = [(one, strict[one.name]) for one in sampled if one.name in strict]
    compared = [stages.run(f"strict_comparison.{one.name}", _against_strict, about, one, other) for one, other in pairs]
    parts = {"spread": wide, "leave_one_out": less, "choices": chosen, "strict_comparison": compared}
    return Probed({name: _together(frames) for name, frames in parts.items()}, strict, failures)


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [frame for frame in frames if not frame.empty]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def _sampled(run: RunConfig, item: EndpointTables) -> Sampled | None:
    if item.ensemble is None or item.targets is None or item.ensemble.relaxed:
        return None
    horizon = FollowUp.of(item.table, item.weights).horizon(run.questions)
    times = tuple(time for time in run.questions.survival_months if time <= item.targets.months[-1])
    return Sampled(item, item.targets, item.ensemble, horizon, times)


def _spread(run: RunConfig, one: Sampled) -> pd.DataFrame:
    """Spread over the tables beside that over tables of their prior alone."""
    seed = integer_seed(run.seed, run.study_file.stem, one.targets.endpoint, "prior of the tables")
    drawn = prior_tables(one.targets, run.reconstruction, seed, PRIOR_TABLES)
    frame = spread(one.ensemble, one.targets, one.horizon, one.times)
    return with_prior(frame, table_answers(drawn, one.targets, one.horizon, one.times))


def _left_out(run: RunConfig, one: Sampled, names: tuple[str, ...]) -> pd.DataFrame:
    """Every statistic left out in turn, with fewer samplers and under the estimators that all statistics together leave probable."""
    settings = attained_settings(run.reconstruction, one.ensemble, run.probes.leave_one_out_islands)
    seed = integer_seed(run.seed, run.study_file.stem, one.targets.endpoint, "leave one out")
    with counter(f"leaving {len(names)} statistics of {one.targets.endpoint} out in turn", PERCENT, "percent") as advance:
        shown = percent(advance)
        return leave_one_out(
            one.targets, settings, seed, one.horizon, one.times, names, one.ensemble, lambda done: shown(done, "")
        )


def _choices(run: RunConfig, one: Sampled) -> pd.DataFrame:
    """Our own choices made otherwise in turn, with small samplers."""
    settings = attained_settings(run.reconstruction, one.ensemble, run.probes.choices_islands)
    settings = dataclasses.replace(settings, rounds=run.probes.choices_rounds)
    seed = integer_seed(run.seed, run.study_file.stem, one.targets.endpoint, "choices")
    with counter(f"choices behind the tables of {one.targets.endpoint}", PERCENT, "percent") as advance:
        shown = percent(advance)
        return compare_choices(one.targets, one.ensemble, settings, seed, one.horizon, one.times, lambda done: shown(done, ""))


def attained_settings(settings: ReconstructionSettings, ensemble: Ensemble, islands: int) -> ReconstructionSettings:
    """The same settings with fewer islands, and only the estimators of readings with a share of at least `LEAST_SHARE`, and the designs that
    the ensemble has tables of.
    """
    kept = [result.reading for result in ensemble.attained if result.share >= LEAST_SHARE]
    designs = {reading.design for reading, weight in zip(ensemble.readings, ensemble.weights, strict=True) if weight > 0}
    return dataclasses.replace(
        settings,
        islands=islands,
        ratios=tuple(item for item in settings.ratios if item in {reading.ratio for reading in kept}) or settings.ratios,
        tests=tuple(item for item in settings.tests if item in {reading.test for reading in kept}) or settings.tests,
        medians=tuple(item for item in settings.medians if item in {reading.median for reading in kept}) or settings.medians,
        designs=tuple(item for item in settings.designs if item in designs) or settings.designs,
        relaxed=False,
    )


def _strict(run: RunConfig, one: Sampled) -> Ensemble | ReconstructionError:
    """Tables that carry every printed digit, or why there are none."""
    endpoint = one.targets.endpoint
    seed = integer_seed(run.seed, run.study_file.stem, endpoint, "strict")
    with counter(f"strict tables of {endpoint}", run.probes.strict_tables, "tables") as advance:
        try:
            strict = strict_ensemble(one.ensemble, one.targets, run.reconstruction, seed, run.probes.strict_tables)
        except ReconstructionError as error:
            return error
        advance(strict.table.n_reconstructions)
    return strict


def _against_strict(run: RunConfig, one: Sampled, strict: Ensemble) -> pd.DataFrame:
    """Answers and posterior on default tables beside those on strict ones, by the first model that has one effect to compare."""
    values = [table_answers(ensemble.table, one.targets, one.horizon, one.times) for ensemble in (one.ensemble, strict)]
    for spec in run.models.values():
        if spec.kind.compare is not None and (posteriors := spec.kind.compare(run, spec, one.item, strict.table)):
            values = [{**answered, **posterior} for answered, posterior in zip(values, posteriors, strict=True)]
            break
    default, other = values
    return compare_values(default, other, one.ensemble, strict)
