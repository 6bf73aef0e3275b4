"""Composed YAML to frozen dataclasses: the one door between Hydra and everything else."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra.utils
import numpy as np

from retrial.answers.questions import Questions
from retrial.composed import CUSTOM, question
from retrial.errors import ConfigError, InputError
from retrial.inference.settings import DiagnosticLimits, SamplerSettings
from retrial.priors.chosen import chosen_sets
from retrial.priors.historical import HistoricalControls, parse_historical
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PARAMETER_SUPPORT, PriorSet
from retrial.priors.statements import parse_prior_set
from retrial.reconstruct.ensemble import ReconstructionSettings
from retrial.reconstruct.probes import Probes, plain_probes
from retrial.survival.intervals import IntervalRule
from retrial.survival.life_table import LifeTable
from retrial.validate import Problems, build_dataclass

PACKAGE = "retrial."
"""Only functions of this package are ever called from a configuration."""
NEEDED_OF_KIND: dict[str, tuple[str, ...]] = {
    "ratio": ("posterior",),
    "counts": ("posterior",),
    "life_table": ("hazard",),
    "categories": ("probabilities",),
    "adverse_events": ("probabilities",),
    "historical_counts": ("posterior", "historical"),
}
"""What a model is fitted to, and which function it must have beside `build`."""


_FUNCTIONS = ("build", "posterior", "hazard", "prepare", "probabilities")


def _as_it_is(data: Any) -> Any:
    """A model that is fitted to the life table itself."""
    return data


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
    prepare: Callable[..., Any] = _as_it_is
    probabilities: Callable[..., Any] | None = None
    historical: HistoricalControls | None = None
    intervals: IntervalRule | None = None

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
    """Everything that one run was asked for. `asked` is the same as plain data, for the manifest and the folder's name."""

    verb: str
    study_file: Path
    seed: int
    output_dir: Path
    force: bool
    asked: Mapping[str, Any]
    endpoints: tuple[str, ...] = ()
    priors: Mapping[str, PriorSet] = field(default_factory=dict)
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    sampler: SamplerSettings = SamplerSettings()
    limits: DiagnosticLimits = DiagnosticLimits()
    questions: Questions = Questions()
    reconstruction: ReconstructionSettings = ReconstructionSettings()
    probes: Probes = field(default_factory=Probes)

    @property
    def main_prior(self) -> str:
        """Name of the prior set that the report quotes first."""
        return next(iter(self.priors), "")


def run_config(asked: Mapping[str, Any], verb: str, study_file: Path, names: Mapping[str, str] | None = None) -> RunConfig:
    """Check a plain configuration and make it a `RunConfig`. Raises one `ConfigError` with all problems.

    `names` says what the main `prior` and `model` are called in tables.
    """
    names = names or {}
    problems = Problems()
    _refuse_foreign_targets(asked, "", problems)
    _refuse_unknown_keys(asked, problems)
    problems.raise_if_any("cannot use the configuration")
    models = _models(asked, names.get("model", CUSTOM), problems)
    own = {name: prior.support for spec in models.values() for name, prior in spec.priors.items()}
    priors = chosen_sets(asked, names, {**PARAMETER_SUPPORT, **own}, study_file.stem, problems)
    sampler = dict(asked.get("sampler", {}))
    limits = build_dataclass(DiagnosticLimits, sampler.pop("limits", {}), "sampler.limits", problems)
    engine = build_dataclass(SamplerSettings, sampler, "sampler", problems)
    questions = build_dataclass(Questions, asked.get("answers", {}), "answers", problems)
    reconstruction, probes = _reconstruction(asked.get("reconstruction", {}), problems)
    endpoints = asked.get("endpoints", [])
    if not isinstance(endpoints, list) or not all(isinstance(item, str) for item in endpoints):
        problems.add(f"endpoints: got {endpoints!r}; allowed is a list of endpoint keys, such as [os,pfs]")
    seed = asked.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        problems.add(f"seed: got {seed!r}; allowed is a whole number from 0")
    if not isinstance(asked.get("force"), bool):
        problems.add(f"force: got {asked.get('force')!r}; allowed is true or false")
    problems.raise_if_any("cannot use the configuration")
    return RunConfig(
        verb=verb,
        study_file=study_file,
        seed=int(asked["seed"]),
        output_dir=Path(str(asked["output_dir"])),
        force=bool(asked["force"]),
        asked=question(dict(asked)),
        endpoints=tuple(endpoints),
        priors=priors,
        models=models,
        sampler=engine,
        limits=limits,
        questions=questions,
        reconstruction=reconstruction,
        probes=probes,
    )


def _reconstruction(raw: Any, problems: Problems) -> tuple[ReconstructionSettings, Probes]:
    """One section of the configuration, two dataclasses: how to sample, and what else to reconstruct."""
    names = [item.name for item in dataclasses.fields(Probes)]
    asked = plain_probes(raw) if isinstance(raw, Mapping) else {}
    further = {key: value for key, value in asked.items() if key in names}
    settings = {key: value for key, value in asked.items() if key not in names} if isinstance(raw, Mapping) else raw
    probes = build_dataclass(Probes, further, "reconstruction", problems)
    return build_dataclass(ReconstructionSettings, settings, "reconstruction", problems), probes


_KEYS = (
    *("study", "seed", "output_dir", "force", "endpoints", "prior", "priors", "model", "models"),
    *("sampler", "answers", "reconstruction"),
)


def _refuse_unknown_keys(asked: Mapping[str, Any], problems: Problems) -> None:
    for key in asked:
        if key not in _KEYS:
            problems.add(f"{key}: unknown; allowed are {', '.join(_KEYS)}")


def _refuse_foreign_targets(node: Any, path: str, problems: Problems) -> None:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "_target_" and not (isinstance(value, str) and value.startswith(PACKAGE)):
                problems.add(f"{path}._target_: got {value!r}; allowed are functions of {PACKAGE}*")
            _refuse_foreign_targets(value, f"{path}.{key}".lstrip("."), problems)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _refuse_foreign_targets(value, f"{path}.{index}", problems)


def _models(asked: Mapping[str, Any], main_name: str, problems: Problems) -> dict[str, ModelSpec]:
    raws = dict(asked.get("models") or {})
    if asked.get("model") is not None:
        raws[main_name] = asked["model"]
    specs = {name: _model(name, raw, problems) for name, raw in raws.items()}
    return {name: spec for name, spec in specs.items() if spec is not None}


def _model(name: str, raw: Any, problems: Problems) -> ModelSpec | None:
    """One model; its functions are imported only when all else is right."""
    before = problems.count
    key = f"models.{name}"
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping")
        return None
    data = raw.get("data")
    if data not in NEEDED_OF_KIND:
        problems.add(f"{key}.data: got {data!r}; allowed are {', '.join(NEEDED_OF_KIND)}")
        return None
    problems.extend(
        f"{key}.{part}: missing; needed for data: {data}" for part in ("build", *NEEDED_OF_KIND[data]) if part not in raw
    )
    priors: Mapping[str, Prior] = {}
    historical = None
    intervals = None
    try:
        historical = parse_historical(raw, key)
        priors = parse_prior_set(raw.get("priors") or {}, f"{key}.priors", name).priors
        intervals = build_dataclass(IntervalRule, raw["intervals"], f"{key}.intervals", problems) if "intervals" in raw else None
    except InputError as error:
        problems.extend(error.problems)
    if problems.count > before:
        return None
    functions = {part: hydra.utils.instantiate(raw[part]) for part in _FUNCTIONS if part in raw}
    return ModelSpec(
        name=name,
        data=data,
        build=functions["build"],
        posterior=functions.get("posterior"),
        hazard=functions.get("hazard"),
        prepare=functions.get("prepare", _as_it_is),
        probabilities=functions.get("probabilities"),
        historical=historical,
        intervals=intervals,
        priors=priors,
        description=str(raw.get("description", "")),
        proportional=raw.get("proportional", True) is True,
    )
