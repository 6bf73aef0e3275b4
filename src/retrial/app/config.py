"""Composed YAML to frozen dataclasses: the one door between Hydra and everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrial.answers.questions import Questions
from retrial.app.chosen import chosen_sets
from retrial.app.composed import CUSTOM, question
from retrial.app.door.values import key_problems, section_problems
from retrial.app.models import about, model, raw_models, refuse_foreign_targets
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.priors.scales import COMMON
from retrial.run_config import ALL_SETS, Assumptions, CovariateSettings, ModelSpec, Multiverse, Operating, Part, RunConfig
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.probes import Probes, plain_probes
from retrial.tables.printed.software import ReadingRules
from retrial.validate import Problems, build_dataclass


def run_config(asked: Mapping[str, Any], verb: str, study_file: Path, names: Mapping[str, str] | None = None) -> RunConfig:
    """Check a plain configuration and make it a `RunConfig`. Raises one `ConfigError` with all problems.

    `names` says what the main `prior` and `model` are called in tables.
    """
    names = names or {}
    problems = Problems()
    refuse_foreign_targets(asked, "", problems)
    _refuse_unknown_keys(asked, problems)
    problems.extend(section_problems(asked))
    problems.raise_if_any("cannot use the configuration")
    problems.extend(key_problems(asked))
    raws = raw_models(asked, names.get("model", CUSTOM))
    if verb == "fit" and not raws:
        problems.add("model: got nothing; needed is a model to fit, model=NAME")
    if verb == "fit" and asked.get("prior") is None and not asked.get("priors"):
        problems.add("prior: got nothing; needed is a prior to fit under, prior=NAME")
    parsed = {name: spec for name, (key, raw) in raws.items() if (spec := model(name, raw, key, problems)) is not None}
    own = {item.name: item for spec in parsed.values() for item in spec.parameters if item.name in spec.priors}
    models, left_out = about(parsed, raws, study_file.stem, problems)
    priors = chosen_sets(asked, names, {**COMMON, **own}, study_file.stem, problems)
    _refuse_unknown_sets(models, {ALL_SETS, *priors, *(asked.get("priors") or {})}, problems)
    sampler = dict(asked.get("sampler", {}))
    limits = build_dataclass(DiagnosticLimits, sampler.pop("limits", {}), "sampler.limits", problems)
    engine = build_dataclass(SamplerSettings, sampler, "sampler", problems)
    questions = build_dataclass(Questions, asked.get("answers", {}), "answers", problems)
    assumptions = build_dataclass(Assumptions, asked.get("sensitivity", {}), "sensitivity", problems)
    multiverse = build_dataclass(Multiverse, asked.get("multiverse", {}), "multiverse", problems)
    covariates = build_dataclass(CovariateSettings, asked.get("covariates", {}), "covariates", problems)
    operating = build_dataclass(Operating, asked.get("operating", {}), "operating", problems)
    part = _part(asked, problems)
    reconstruction, probes, reading_rules = _reconstruction(asked.get("reconstruction", {}), problems)
    problems.raise_if_any("cannot use the configuration")
    return RunConfig(
        verb=verb,
        study_file=study_file,
        seed=int(asked["seed"]),
        output_dir=Path(str(asked["output_dir"])),
        force=bool(asked["force"]),
        asked=question(dict(asked)),
        endpoints=tuple(asked.get("endpoints", ())),
        priors=priors,
        models=models,
        stated=tuple(filter(None, names.get("prior_changed", "").split(","))),
        left_out=left_out,
        sampler=engine,
        limits=limits,
        questions=questions,
        reconstruction=reconstruction,
        probes=probes,
        sensitivity=assumptions,
        multiverse=multiverse,
        covariates=covariates,
        operating=operating,
        part=part,
        reading_rules=reading_rules,
    )


def _part(asked: Mapping[str, Any], problems: Problems) -> Part:
    """Keys that stand by themselves, not in a section."""
    own = Problems()
    part = build_dataclass(
        Part, {field.name: asked[field.name] for field in dataclasses.fields(Part) if field.name in asked}, "part", own
    )
    problems.extend(line.removeprefix("part.") for line in own.messages)
    return part


def _reconstruction(raw: Any, problems: Problems) -> tuple[ReconstructionSettings, Probes, ReadingRules]:
    """One section of the configuration, three dataclasses: how to sample, what else to reconstruct, how to weigh readings."""
    asked = plain_probes(raw) if isinstance(raw, Mapping) else {}
    of_probes, of_rules = ([item.name for item in dataclasses.fields(kind)] for kind in (Probes, ReadingRules))
    further, rules = ({key: value for key, value in asked.items() if key in names} for names in (of_probes, of_rules))
    own = {key: value for key, value in asked.items() if key not in (*of_probes, *of_rules) and value is not None}
    return (
        build_dataclass(ReconstructionSettings, own if isinstance(raw, Mapping) else raw, "reconstruction", problems),
        build_dataclass(Probes, further, "reconstruction", problems),
        build_dataclass(ReadingRules, rules, "reconstruction", problems),
    )


_KEYS = (
    *("study", "seed", "output_dir", "force", "endpoints", "prior", "priors", "model", "models"),
    *("sampler", "answers", "reconstruction", "sensitivity", "multiverse", "covariates", "operating"),
    *(field.name for field in dataclasses.fields(Part)),
)


def _refuse_unknown_keys(asked: Mapping[str, Any], problems: Problems) -> None:
    for key in asked:
        if key not in _KEYS:
            problems.add(f"{key}: unknown; allowed are {', '.join(_KEYS)}")


def _refuse_unknown_sets(models: Mapping[str, ModelSpec], known: set[str], problems: Problems) -> None:
    for spec in models.values():
        unknown = [name for name in spec.fitting.prior_sets if name not in known]
        if unknown:
            problems.add(f"models.{spec.name}.prior_sets: got {', '.join(unknown)}; allowed are {', '.join(sorted(known))}")
