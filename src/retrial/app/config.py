"""Composed YAML to frozen dataclasses: the one door between Hydra and everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra.utils

from retrial.answers.questions import Questions
from retrial.app.chosen import chosen_sets
from retrial.app.composed import CUSTOM, question
from retrial.app.validate import Problems, build_dataclass
from retrial.errors import InputError
from retrial.fit.intervals import IntervalRule
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.priors.evidence import STUDIES
from retrial.priors.historical import parse_historical
from retrial.priors.meta_analysis import EVIDENCE
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PARAMETER_SUPPORT
from retrial.priors.statements import is_about, parse_prior_set
from retrial.run_config import ALL_SETS, NEEDED_OF_KIND, POOLING_SCALE, Fitting, ModelSpec, RunConfig, as_it_is
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.probes import Probes, plain_probes

PACKAGE = "retrial."
"""Only functions of this package are ever called from a configuration."""

_FUNCTIONS = ("build", "posterior", "hazard", "prepare", "probabilities")


def run_config(asked: Mapping[str, Any], verb: str, study_file: Path, names: Mapping[str, str] | None = None) -> RunConfig:
    """Check a plain configuration and make it a `RunConfig`. Raises one `ConfigError` with all problems.

    `names` says what the main `prior` and `model` are called in tables.
    """
    names = names or {}
    problems = Problems()
    _refuse_foreign_targets(asked, "", problems)
    _refuse_unknown_keys(asked, problems)
    problems.raise_if_any("cannot use the configuration")
    raws = _models(asked, names.get("model", CUSTOM))
    parsed = {name: spec for name, (key, raw) in raws.items() if (spec := _model(name, raw, key, problems)) is not None}
    own = {name: prior.support for spec in parsed.values() for name, prior in spec.priors.items()}
    models, left_out = _about(parsed, raws, study_file.stem, problems)
    priors = chosen_sets(asked, names, {**PARAMETER_SUPPORT, **own}, study_file.stem, problems)
    _refuse_unknown_sets(models, {ALL_SETS, *priors, *(asked.get("priors") or {})}, problems)
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
        left_out=left_out,
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


def _refuse_unknown_sets(models: Mapping[str, ModelSpec], known: set[str], problems: Problems) -> None:
    for spec in models.values():
        unknown = [name for name in spec.fitting.prior_sets if name not in known]
        if unknown:
            problems.add(f"models.{spec.name}.prior_sets: got {', '.join(unknown)}; allowed are {', '.join(sorted(known))}")


def _models(asked: Mapping[str, Any], main_name: str) -> dict[str, tuple[str, Any]]:
    """Key and raw configuration of every model of a run; null leaves a model of the default list out."""
    raws = {name: (f"models.{name}", raw) for name, raw in (asked.get("models") or {}).items() if raw is not None}
    return raws if asked.get("model") is None else {**raws, main_name: ("model", asked["model"])}


def _about(
    specs: Mapping[str, ModelSpec], raws: Mapping[str, tuple[str, Any]], study: str, problems: Problems
) -> tuple[dict[str, ModelSpec], tuple[str, ...]]:
    """Models without those whose evidence is about other studies, and these in words; refused where such a one was chosen by itself."""
    kept, left_out = {}, []
    for name, spec in specs.items():
        key, raw = raws[name]
        if is_about({EVIDENCE: raw.get(EVIDENCE)}, study):
            kept[name] = spec
            continue
        words = (
            f"{key}.evidence.studies: the evidence is about {', '.join(raw[EVIDENCE][STUDIES])}, not {study}; to borrow from it all the"
            f" same: {key}.evidence.studies=[{study}]; from your own: evidence@{key}.evidence=NAME (DIR/evidence/NAME.yaml, --config-dir DIR)"
        )
        if key == "model":
            problems.add(words)
        left_out.append(f"{name}: left out, {words}")
    return kept, tuple(left_out)


def _model(name: str, raw: Any, key: str, problems: Problems) -> ModelSpec | None:
    """One model; its functions are imported only when all else is right."""
    before = problems.count
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
        priors = _used(raw, parse_prior_set(raw.get("priors") or {}, f"{key}.priors", name).priors)
        intervals = build_dataclass(IntervalRule, raw["intervals"], f"{key}.intervals", problems) if "intervals" in raw else None
    except InputError as error:
        problems.extend(error.problems)
    told = {part: raw[part] for part in ("adaptation", "prior_sets") if part in raw}
    fitting = build_dataclass(Fitting, told, key, problems)
    if problems.count > before:
        return None
    functions = {part: hydra.utils.instantiate(raw[part]) for part in _FUNCTIONS if part in raw}
    return ModelSpec(
        name=name,
        data=data,
        build=functions["build"],
        posterior=functions.get("posterior"),
        hazard=functions.get("hazard"),
        prepare=functions.get("prepare", as_it_is),
        probabilities=functions.get("probabilities"),
        historical=historical,
        intervals=intervals,
        priors=priors,
        description=str(raw.get("description", "")),
        proportional=raw.get("proportional", True) is True,
        fitting=fitting,
    )


def _used(raw: Mapping[str, Any], priors: Mapping[str, Prior]) -> Mapping[str, Prior]:
    """A model's own priors; without that of the pooling scale where its effects are not pooled (`build.pooled: false`)."""
    build = raw.get("build")
    pooled = not isinstance(build, Mapping) or build.get("pooled", True) is True
    return {name: prior for name, prior in priors.items() if pooled or name != POOLING_SCALE}
