"""What a run was asked for, as frozen values: `ModelSpec` and `RunConfig`, both made by `app.config.run_config`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrial.answers.questions import Questions
from retrial.errors import ConfigError
from retrial.fit.settings import Adaptation, DiagnosticLimits, SamplerSettings
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import Parameter
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.probes import Probes
from retrial.tables.printed.software import ReadingRules

if TYPE_CHECKING:
    from retrial.data.kind import Kind

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
    """A model as configured: what it is fitted to, its functions, and its own priors for nuisance parameters.

    `functions` are those that its kind of data asks for beside `build`; `settings` is what the kind reads of its YAML; `parameters` and `card`
    are what its file declares and says.
    """

    name: str
    kind: Kind
    build: Callable[..., Any]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    priors: Mapping[str, Prior] = field(default_factory=dict)
    settings: Any = None
    label: str = ""
    short: str = ""
    proportional: bool = True
    fitting: Fitting = Fitting()
    parameters: tuple[Parameter, ...] = ()
    card: str = ""

    def given(self, part: str) -> Callable[..., Any]:
        """One of the model's functions."""
        if part not in self.functions:
            raise ConfigError(f"the model {self.name!r}", [f"models.{self.name}.{part}: missing"])
        return self.functions[part]

    def closed_form(self, *data: Any) -> Any:
        """Posterior of a model that needs no sampling."""
        return self.given("posterior")(*data)

    def hazard_of(self) -> Callable[..., Any]:
        """Hazard of a survival model."""
        return self.given("hazard")

    def probabilities_of(self, *data: Any) -> Any:
        """Outcome probabilities from draws of a model of counts."""
        return self.given("probabilities")(*data)

    def prepare(self, data: Any) -> Any:
        """What of the data the model is fitted to: all of it, where it has no function for that."""
        return self.functions["prepare"](data) if "prepare" in self.functions else data


@dataclass(frozen=True)
class RunConfig:
    """Everything that one run was asked for. `asked` is the same as plain data, for the manifest and the folder's name.

    `stated` names the parameters whose prior the command line changed; `left_out` says which models borrow from evidence that is not about
    the study, and what to change.
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
    stated: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sampler: SamplerSettings = SamplerSettings()
    limits: DiagnosticLimits = DiagnosticLimits()
    questions: Questions = Questions()
    reconstruction: ReconstructionSettings = ReconstructionSettings()
    probes: Probes = field(default_factory=Probes)
    reading_rules: ReadingRules = field(default_factory=ReadingRules)

    @property
    def main_prior(self) -> str:
        """Name of the prior set that the report quotes first."""
        return next(iter(self.priors), "")

    def about(self, *parts: str) -> RunConfig:
        """What a stage depends on: the seed, the study's name and these parts. The others are None, so that none is used unsaid."""
        kept = {"seed", *parts}
        nothing: dict[str, Any] = {one.name: None for one in dataclasses.fields(self) if one.name not in kept}
        return dataclasses.replace(self, **{**nothing, "study_file": Path(self.study_file.stem)})

    def of_model(self, spec: ModelSpec) -> RunConfig:
        """What the fits of one model depend on."""
        mine = dataclasses.replace(self, priors=self.sets_for(spec))
        return mine.about("priors", "endpoints", "sampler", "limits", "questions", "reconstruction")

    def sets_for(self, spec: ModelSpec) -> dict[str, PriorSet]:
        """Prior sets that a model is fitted under: the main one, and those that it names."""
        named = spec.fitting.prior_sets
        return {name: value for name, value in self.priors.items() if name == self.main_prior or {name, ALL_SETS} & set(named)}

    def sampler_for(self, spec: ModelSpec) -> SamplerSettings:
        """How a model is sampled: with its own adaptation, where the configuration leaves that to the models."""
        if self.sampler.adaptation is not Adaptation.MODEL:
            return self.sampler
        return dataclasses.replace(self.sampler, adaptation=spec.fitting.adaptation)
