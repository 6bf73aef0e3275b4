"""What a run was asked for, as frozen values: `ModelSpec` and `RunConfig`, both made by `app.config.run_config`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

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


_RATIOS = (0.01, 100.0)
_SDS = (0.01, 20.0)
_POINTS = (3, 201)
_CLAIM = (0.5, 0.9999)
_MOST_SIZES = 1000.0
_MOST_EARLY = 0.5
_FEWEST = 100
COVARIATE_SOURCE = "prognostic factors: zero-centred, SD 1 a log ratio per SD or level, weakly informative (methods, section 7); covariates.prior_sd"
_MOST_DRIFT = 10


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Grids of priors and biases, hazards after censoring, share of an arm whose early deaths may be missing, sizes of a further trial, and when a
    conclusion holds (METHODS 9).
    """

    prior_means: tuple[float, float] = (0.5, 2.0)
    prior_sds: tuple[float, float] = (0.1, 2.0)
    points: int = 21
    expected_ratio: float = 0.8
    bias_sds: tuple[float, ...] = (0.0, 0.2)
    bias_ratios: tuple[float, float] = (0.5, 2.0)
    hazard_after_censoring: tuple[float, ...] = (0.25, 1 / 3, 0.5, 2 / 3, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
    early_deaths: float = 0.1
    future_events: tuple[float, ...] = (1.0, 2.0, 4.0)
    claim: float = 0.975

    MOST: ClassVar[dict[str, float]] = {"points": _POINTS[1]}

    def problems(self) -> list[str]:
        """Ends that are no range, ratios and sizes that were mistyped, no point without an effect of censoring."""
        found = [
            f"{name}: got {list(pair)}; allowed is [low, high] with {least:g} <= low < high <= {most:g}"
            for name, pair, (least, most) in (
                ("prior_means", self.prior_means, _RATIOS),
                ("prior_sds", self.prior_sds, _SDS),
                ("bias_ratios", self.bias_ratios, _RATIOS),
            )
            if not (len(pair) == 2 and least <= pair[0] < pair[1] <= most)
        ]
        lists = (
            ("bias_sds", self.bias_sds, 0.0, _SDS[1]),
            ("hazard_after_censoring", self.hazard_after_censoring, *_RATIOS),
            ("future_events", self.future_events, _RATIOS[0], _MOST_SIZES),
        )
        for name, values, least, most in lists:
            if not values or any(not least <= value <= most for value in values):
                found.append(f"{name}: got {list(values)}; allowed are one or more numbers from {least:g} to {most:g}")
        if self.points < _POINTS[0]:
            found.append(f"points: got {self.points}; allowed is from {_POINTS[0]} to {_POINTS[1]}")
        if not _RATIOS[0] <= self.expected_ratio < 1:
            found.append(f"expected_ratio: got {self.expected_ratio}; allowed is a ratio from {_RATIOS[0]:g} to below 1")
        if not 0 <= self.early_deaths <= _MOST_EARLY:
            found.append(f"early_deaths: got {self.early_deaths}; allowed is from 0 (none) to {_MOST_EARLY:g}, a share of an arm")
        if 1.0 not in self.hazard_after_censoring:
            found.append(
                f"hazard_after_censoring: got {list(self.hazard_after_censoring)}; 1 must be among them, the base answer"
            )
        if not _CLAIM[0] < self.claim <= _CLAIM[1]:
            found.append(f"claim: got {self.claim}; allowed is above {_CLAIM[0]} and up to {_CLAIM[1]}")
        return found

    @property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Prior means and SDs of the log ratio, (points,) each, even on the log scale."""
        return _even(self.prior_means, self.points), np.exp(_even(self.prior_sds, self.points))

    @property
    def biases(self) -> np.ndarray:
        """Centres of the bias of the log ratio, (points,)."""
        return _even(self.bias_ratios, self.points)


def _even(ends: tuple[float, float], points: int) -> np.ndarray:
    """Logarithms, evenly spaced."""
    return np.linspace(math.log(ends[0]), math.log(ends[1]), points)


@dataclass(frozen=True, slots=True)
class Multiverse:
    """Choices that are combined, every one with every other, and the base that rows are told apart from."""

    prior_means: tuple[float, ...] = (0.5, 1.0, 2.0)
    prior_sds: tuple[float, ...] = (0.2, 0.355, 10.0)
    bias_ratios: tuple[float, ...] = (0.8, 1.0, 1.25)
    bias_sds: tuple[float, ...] = (0.0, 0.2)
    base_prior_mean: float = 1.0
    base_prior_sd: float = 10.0
    base_bias_ratio: float = 1.0
    base_bias_sd: float = 0.0
    tables_together: bool = True
    tables_with_models: bool = False

    def problems(self) -> list[str]:
        """Choices out of range, listed twice, or without the base among them."""
        found = []
        for name, ends in (("prior_mean", _RATIOS), ("prior_sd", _SDS), ("bias_ratio", _RATIOS), ("bias_sd", (0.0, _SDS[1]))):
            values, base = getattr(self, f"{name}s"), self.base[name]
            if not values or any(not ends[0] <= value <= ends[1] for value in values) or len(set(values)) < len(values):
                found.append(f"{name}s: got {list(values)}; allowed are different numbers from {ends[0]:g} to {ends[1]:g}")
            elif base not in values:
                found.append(f"base_{name}: got {base}; allowed is one of {name}s, {list(values)}")
        return found

    @property
    def base(self) -> dict[str, float]:
        """Column of the table -> its value in the base."""
        return {
            "prior_mean": self.base_prior_mean,
            "prior_sd": self.base_prior_sd,
            "bias_ratio": self.base_bias_ratio,
            "bias_sd": self.base_bias_sd,
        }

    @property
    def cells_of_block(self) -> int:
        """Cells of one analysis with one SD of the bias."""
        return len(self.prior_means) * len(self.prior_sds) * len(self.bias_ratios)


@dataclass(frozen=True, slots=True)
class CovariateSettings:
    """SD of the normal prior, mean 0, of each coefficient of a patient's covariates; draws behind an answer averaged over the patients."""

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType({"prior_sd": 100.0, "draws": 1e6})

    prior_sd: float = 1.0
    draws: int = 4000

    def problems(self) -> list[str]:
        """Too few draws for an interval."""
        return [] if self.draws >= _FEWEST else [f"draws: got {self.draws}; allowed is from {_FEWEST}"]

    @property
    def prior(self) -> Prior:
        return Prior("normal", (0.0, self.prior_sd), COVARIATE_SOURCE)


@dataclass(frozen=True, slots=True)
class Operating:
    """Simulated studies of this study's size, and the rules of decision whose errors are counted (METHODS 9).

    `rules` are pairs (x, p): an effect is claimed where P(ratio < x) >= p, for a bad event. `true_ratios` are of a bad event too; `drifts` log
    odds ratios of earlier cohorts against the study's control arm. `models` of the life tables; empty: the first of the run.
    """

    studies: int = 1000
    true_ratios: tuple[float, ...] = (1.0, 0.8, 0.65, 0.5)
    control_hazards: tuple[float, ...] = (1.0,)
    rules: tuple[tuple[float, float], ...] = ((1.0, 0.975), (0.8, 0.9))
    drifts: tuple[float, ...] = (-1.0, 0.0, 1.0)
    models: tuple[str, ...] = ()

    MOST: ClassVar[dict[str, float]] = {"studies": 100_000}

    def problems(self) -> list[str]:
        """Ratios out of range, rules that are none."""
        found = []
        for name in ("true_ratios", "control_hazards"):
            values = getattr(self, name)
            if not values or any(not _RATIOS[0] <= value <= _RATIOS[1] for value in values) or len(set(values)) < len(values):
                found.append(f"{name}: got {list(values)}; allowed are different numbers from {_RATIOS[0]:g} to {_RATIOS[1]:g}")
        if not self.rules or any(not (_RATIOS[0] <= x <= 1 and _CLAIM[0] < p <= _CLAIM[1]) for x, p in self.rules):
            allowed = f"pairs [x, p] with x from {_RATIOS[0]:g} to 1 and p above {_CLAIM[0]} and up to {_CLAIM[1]}"
            found.append(f"rules: got {[list(rule) for rule in self.rules]}; allowed are {allowed}")
        if any(abs(value) > _MOST_DRIFT for value in self.drifts) or len(set(self.drifts)) < len(self.drifts):
            found.append(f"drifts: got {list(self.drifts)}; allowed are different numbers from -{_MOST_DRIFT} to {_MOST_DRIFT}")
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a multiverse's shards to do, and whether only to say what is to be done."""

    shards: int = 1
    shard: int = 0
    dry_run: bool = False

    MOST: ClassVar[dict[str, float]] = {"shards": 10_000}

    def problems(self) -> list[str]:
        """A shard that there is not."""
        return (
            []
            if self.shard < self.shards
            else [f"shard: got {self.shard}; allowed is from 0 to {self.shards - 1}, shards={self.shards}"]
        )


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
    sensitivity: Assumptions = Assumptions()
    multiverse: Multiverse = Multiverse()
    covariates: CovariateSettings = CovariateSettings()
    operating: Operating = Operating()
    part: Part = Part()
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
