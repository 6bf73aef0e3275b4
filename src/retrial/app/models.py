"""Models of a run: YAML to `ModelSpec`. The only functions that a configuration can name are those that a file of `models/` defines itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, resources
from types import ModuleType
from typing import Any

import hydra.utils

from retrial.app.door.values import PARTIAL, TARGET
from retrial.data import kinds
from retrial.data.kind import Kind
from retrial.errors import InputError
from retrial.priors.evidence import STUDIES
from retrial.priors.meta_analysis import EVIDENCE
from retrial.priors.prior import Prior
from retrial.priors.scales import COMMON, LOG_HAZARD_RATIO, LOG_ODDS_RATIO, Parameter
from retrial.priors.statements import is_about, parse_prior_set
from retrial.run_config import Fitting, ModelSpec
from retrial.validate import Problems, as_text, build_dataclass

PACKAGE = "retrial.models"
BUILD = "build"


def module_of(target: Any) -> ModuleType | None:
    """The file of `models/` that defines a function, by "retrial.models.FILE.FUNCTION"; None for anything else.

    Nothing is imported that is not one of the package's own files, and nothing that a file merely imports is admitted.
    """
    parts = target.rsplit(".", 2) if isinstance(target, str) else []
    if len(parts) != 3 or parts[0] != PACKAGE or not parts[1].isidentifier() or parts[1] == "__init__":
        return None
    if not resources.files(PACKAGE).joinpath(f"{parts[1]}.py").is_file():
        return None
    module = import_module(f"{PACKAGE}.{parts[1]}")
    function = vars(module).get(parts[2])
    return module if inspect.isfunction(function) and function.__module__ == module.__name__ else None


def refuse_foreign_targets(node: Any, path: str, problems: Problems) -> None:
    """One problem for every `_target_`, however deep, that is not a function of a model."""
    children: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(node, Mapping):
        if TARGET in node and module_of(node[TARGET]) is None:
            problems.add(
                f"{path}.{TARGET}: got {node[TARGET]!r}; allowed are functions that a file of models/ defines, {PACKAGE}.FILE.FUNCTION"
            )
        children = iter(node.items())
    elif isinstance(node, list):
        children = iter(enumerate(node))
    for key, value in children:
        refuse_foreign_targets(value, f"{path}.{key}".lstrip("."), problems)


def declared(raw: Mapping[str, Any]) -> dict[str, Parameter]:
    """Parameters that a model's file declares, by the model's raw configuration."""
    build = raw.get(BUILD)
    module = module_of(build.get(TARGET)) if isinstance(build, Mapping) else None
    return {item.name: item for item in getattr(module, "PARAMETERS", ())}


def _has(raw: Mapping[str, Any], parameter: Parameter) -> bool:
    """Whether a model has a parameter as it is built (`Parameter.unless`)."""
    if not parameter.unless:
        return True
    function = vars(module_of(raw[BUILD][TARGET]))[BUILD]
    stated: bool = raw[BUILD].get(parameter.unless, inspect.signature(function).parameters[parameter.unless].default)
    return stated


def raw_models(asked: Mapping[str, Any], main_name: str) -> dict[str, tuple[str, Any]]:
    """Key and raw configuration of every model of a run; null leaves a model of the default list out."""
    raws = {name: (f"models.{name}", raw) for name, raw in (asked.get("models") or {}).items() if raw is not None}
    return raws if asked.get("model") is None else {**raws, main_name: ("model", asked["model"])}


def about(
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


def model(name: str, raw: Any, key: str, problems: Problems) -> ModelSpec | None:
    """One model, as far as nothing is wrong with it."""
    before = problems.count
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping")
        return None
    kind = kinds().get(str(raw.get("data")))
    if kind is None:
        problems.add(f"{key}.data: got {raw.get('data')!r}; allowed are {', '.join(kinds())}")
        return None
    problems.extend(f"{key}.{part}: missing; needed for data: {kind.name}" for part in (BUILD, *kind.needed) if part not in raw)
    allowed_keys = (*_KEYS, BUILD, *kind.needed, *kind.optional, *kind.reads)
    problems.extend(f"{key}.{name}: unknown; allowed are {', '.join(allowed_keys)}" for name in raw if name not in allowed_keys)
    for part in _parts(kind, raw):
        problems.extend(_function_problems(part, raw[part], kind, f"{key}.{part}"))
    problems.extend(_set_problems(raw, kind, key))
    said = _words(raw, key, problems)
    if problems.count > before:
        return None
    parameters, settings, priors = declared(raw), None, dict[str, Prior]()
    try:
        priors = dict(
            parse_prior_set({} if raw.get("priors") is None else raw["priors"], f"{key}.priors", name, parameters).priors
        )
        settings = kind.settings(raw, key)
    except InputError as error:
        problems.extend(error.problems)
    problems.extend(
        f"{key}.priors.{name}: got a prior of the effect; allowed in a prior set alone, as prior.{name}"
        for name in priors
        if name in (LOG_HAZARD_RATIO.name, LOG_ODDS_RATIO.name)
    )
    stated = {*priors, *COMMON} if problems.count == before else parameters.keys()
    problems.extend(
        f"{key}.priors.{name}: missing; needed by the model"
        for name, item in parameters.items()
        if name not in stated and _has(raw, item)
    )
    told = {part: raw[part] for part in ("adaptation", "prior_sets") if part in raw}
    fitting = build_dataclass(Fitting, told, key, problems)
    if problems.count > before:
        return None
    functions = {part: _function(raw[part]) for part in _parts(kind, raw)}
    return ModelSpec(
        name=name,
        kind=kind,
        build=functions.pop(BUILD),
        functions=functions,
        priors={name: prior for name, prior in priors.items() if _has(raw, parameters[name])},
        settings=settings,
        label=said["label"] or name.replace("_", " "),
        short=said["short"],
        proportional=raw.get("proportional", True),
        fitting=fitting,
        parameters=tuple(item for item in parameters.values() if _has(raw, item)),
        card=inspect.getdoc(module_of(raw[BUILD][TARGET])) or "",
    )


def _function(raw: Mapping[str, Any]) -> Callable[..., Any]:
    """A model's function with what the configuration sets of it. Hydra's partial looks its target up at every call, 0.3 ms of it: a plain one here,
    of a target that was looked at already.
    """
    made: functools.partial[Any] = hydra.utils.instantiate(raw)
    return functools.partial(made.func, *made.args, **made.keywords)


_KEYS = ("data", "label", "short", "description", "proportional", "adaptation", "prior_sets", "priors")
"""Keys of a model's YAML, whatever its kind of data."""


def _words(raw: Mapping[str, Any], key: str, problems: Problems) -> dict[str, str]:
    """What a model says of itself."""
    found: list[str] = []
    said = {name: as_text(raw.get(name), f"{key}.{name}", found) for name in ("label", "short", "description")}
    if not isinstance(raw.get("proportional", True), bool):
        found.append(f"{key}.proportional: got {raw['proportional']!r}; allowed is true or false")
    problems.extend(found)
    return said


def _function_problems(part: str, raw: Any, kind: Kind, key: str) -> Iterator[str]:
    """What is wrong with one function of a model: it is the function of this name, of a file for this kind of data, and takes what is set."""
    if not isinstance(raw, Mapping) or TARGET not in raw or raw.get(PARTIAL) is not True:
        yield f"{key}: got {raw!r}; allowed is {{{TARGET}: FUNCTION, {PARTIAL}: true}}"
        return
    module = module_of(raw[TARGET])
    if module is None or raw[TARGET].rpartition(".")[2] != part:
        yield f"{key}.{TARGET}: got {raw[TARGET]!r}; allowed is {PACKAGE}.FILE.{part}"
        return
    if kind.name != module.DATA:
        yield f"{key}.{TARGET}: got {raw[TARGET]!r}, which is for data: {module.DATA}; allowed are functions for data: {kind.name}"
        return
    taken = {
        name: item.default
        for name, item in inspect.signature(vars(module)[part]).parameters.items()
        if item.default is not inspect.Parameter.empty
    }
    for name, value in raw.items():
        if name not in (TARGET, PARTIAL, *taken):
            yield f"{key}.{name}: unknown; allowed are {', '.join(taken) or 'no others'}"
        elif name in taken and type(value) is not type(taken[name]):
            yield f"{key}.{name}: got {value!r}; allowed is a value such as {str(taken[name]).lower()}"


def _set_problems(raw: Mapping[str, Any], kind: Kind, key: str) -> Iterator[str]:
    """What is wrong with the functions of a model together: they are of one file, all that it has, and with the cuts that they need."""
    targets = {part: raw[part][TARGET] for part in _parts(kind, raw) if isinstance(raw[part], Mapping) and TARGET in raw[part]}
    modules = {module for target in targets.values() if (module := module_of(target)) is not None}
    if len(modules) > 1:
        yield f"{key}: got functions of {', '.join(sorted(item.__name__ for item in modules))}; allowed are those of one file"
    for module in modules:
        yield from (
            f"{key}.{part}: missing; {module.__name__} has one"
            for part in kind.optional
            if hasattr(module, part) and part not in raw
        )
        cut = any("cuts" in inspect.signature(vars(module)[part]).parameters for part in targets if part in vars(module))
        if cut and "intervals" not in raw:
            yield f"{key}.intervals: missing; needed by {module.__name__}"
        if not cut and "intervals" in raw:
            yield f"{key}.intervals: got it, but {module.__name__} has no intervals; remove it"


def _parts(kind: Kind, raw: Mapping[str, Any]) -> list[str]:
    """Functions that a model gives, of those that its kind may ask for."""
    return [part for part in (BUILD, *kind.needed, *kind.optional) if part in raw]
