"""What a run was asked for, as frozen values: `ModelSpec` and `RunConfig`, both made by `app.config.run_config`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retrial.answers.questions import Questions
from retrial.errors import ConfigError
from retrial.fit.intervals import IntervalRule
from retrial.fit.settings import Adaptation, DiagnosticLimits, SamplerSettings
from retrial.priors.historical import HistoricalControls
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.probes import Probes
from retrial.tables.life_table import LifeTable

NEEDED_OF_KIND: dict[str, tuple[str, ...]] = {
    "ratio": ("posterior",),
    "counts": ("posterior",),
    "life_table": ("hazard",),
    "categories": ("probabilities",),
    "adverse_events": ("probabilities",),
    "historical_counts": ("posterior", "historical"),
}
"""What a model is fitted to, and which function it must have beside `build`."""


def as_it_is(data: Any) -> Any:
    """A model that is fitted to the life table itself."""
    return data


POOLING_SCALE = "effect_sd"
"""SD of effects about their mean in the models that pool."""
ALL_SETS = "all"
"""Stands for every named prior set of a run."""


@dataclass(frozen=True)
class Fitting:
    """How a model is fitted: what nutpie learns of its posteriors, and the named prior sets beside the main one."""

    adaptation: Adaptation = Adaptation.DIAG
    prior_sets: tuple[str, ...] = (ALL_SETS,)

    def problems(self) -> list[str]:
        """A model cannot leave its adaptation to itself."""
        return [] if self.adaptation is not Adaptation.MODEL else ["adaptation: got model; allowed are diag, low_rank"]


@dataclass(frozen=True)
class ModelSpec:
    """A model as configured: its functions, what it is fitted to, and its own priors for nuisance parameters."""

    name: str
    data: str
    build: Callable[..., Any]
    posterior: Callable[..., Any] | None
    hazard: Callable[..., Any] | None
    priors: Mapping[str, Prior]
    description: str = ""
    proportional: bool = True
    prepare: Callable[..., Any] = as_it_is
    probabilities: Callable[..., Any] | None = None
    historical: HistoricalControls | None = None
    intervals: IntervalRule | None = None
    fitting: Fitting = Fitting()

    def on(self, table: LifeTable, weights: np.ndarray) -> ModelSpec:
        """The model for one endpoint's tables: with cut points where it has intervals, else as it is."""
        if self.intervals is None:
            return self
        cuts = self.intervals.cuts(table, weights)
        hazard = functools.partial(self.hazard_of(), cuts=cuts)
        return dataclasses.replace(self, prepare=functools.partial(self.prepare, cuts=cuts), hazard=hazard, intervals=None)

    def closed_form(self, *data: Any) -> Any:
        """Posterior of a model that needs no sampling."""
        return _required(self.posterior, self.name, "posterior")(*data)

    def hazard_of(self) -> Callable[..., Any]:
        """Hazard of a survival model."""
        return _required(self.hazard, self.name, "hazard")

    def probabilities_of(self, *data: Any) -> Any:
        """Outcome probabilities from draws of a model of counts."""
        return _required(self.probabilities, self.name, "probabilities")(*data)


def _required(function: Callable[..., Any] | None, name: str, part: str) -> Callable[..., Any]:
    if function is None:
        raise ConfigError(f"the model {name!r}", [f"models.{name}.{part}: missing"])
    return function


@dataclass(frozen=True)
class RunConfig:
    """Everything that one run was asked for. `asked` is the same as plain data, for the manifest and the folder's name.

    `left_out` says which models borrow from evidence that is not about the study, and what to change.
    """

    verb: str
    study_file: Path
    seed: int
    output_dir: Path
    force: bool
    asked: Mapping[str, Any]
    endpoints: tuple[str, ...] = ()
    priors: Mapping[str, PriorSet] = field(default_factory=dict)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    sampler: SamplerSettings = SamplerSettings()
    limits: DiagnosticLimits = DiagnosticLimits()
    questions: Questions = Questions()
    reconstruction: ReconstructionSettings = ReconstructionSettings()
    probes: Probes = field(default_factory=Probes)

    @property
    def main_prior(self) -> str:
        """Name of the prior set that the report quotes first."""
        return next(iter(self.priors), "")

    def sets_for(self, spec: ModelSpec) -> dict[str, PriorSet]:
        """Prior sets that a model is fitted under: the main one, and those that it names."""
        named = spec.fitting.prior_sets
        return {name: value for name, value in self.priors.items() if name == self.main_prior or {name, ALL_SETS} & set(named)}

    def sampler_for(self, spec: ModelSpec) -> SamplerSettings:
        """How a model is sampled: with its own adaptation, where the configuration leaves that to the models."""
        if self.sampler.adaptation is not Adaptation.MODEL:
            return self.sampler
        return dataclasses.replace(self.sampler, adaptation=spec.fitting.adaptation)
