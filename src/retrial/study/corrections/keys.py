"""Keys of the schema: which are allowed where, which one a misspelt key is near, where a key belongs."""

from __future__ import annotations

import difflib
import functools
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from retrial.study.problems import KeyPath

NAME = "NAME"
"""Stands for a name of the user's own in a key path of the schema."""
_CLOSE = 0.72
_DEEPEST = 6
_MAX_HOMES = 3
_ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "hazard_ratio": ("hr", "hazard", "hazards_ratio", "ahr"),
    "odds_ratio": ("or", "odds"),
    "risk_ratio": ("rr", "relative_risk", "rate_ratio"),
    "ci": ("ci95", "ci_95", "95ci", "95_ci", "95_%_ci", "95%_ci", "conf_int", "confidence_interval", "interval", "cl", "cri"),
    "p": ("pvalue", "p_value", "pval", "p_val", "probability"),
    "control": ("placebo", "ctrl", "comparator", "standard", "control_arm", "control_group"),
    "experimental": ("treatment", "intervention", "active", "exp", "treated", "experimental_arm", "treatment_group"),
    "n": ("size", "patients", "number", "count", "total_n", "num", "events"),
    "percent": ("pct", "percentage", "perc", "%", "rate"),
    "label": ("name", "title", "description", "treatment"),
    "title": ("name", "study", "label"),
    "where": ("source", "table", "place", "page", "figure"),
    "value": ("median", "estimate", "point"),
    "at_risk": ("number_at_risk", "numbers_at_risk", "n_at_risk", "nrisk", "risk_table"),
    "longest": ("follow_up", "max_follow_up", "maximum", "longest_time", "max"),
    "shortest": ("min_follow_up", "minimum", "shortest_time"),
    "adverse_events": ("ae", "aes", "toxicity", "safety", "adverse_event"),
    "effects": ("effect", "ratios", "results", "hazard_ratios"),
    "endpoints": ("endpoint", "survival", "outcomes"),
    "binary": ("outcomes", "counts", "events"),
    "randomised": ("randomized", "randomisation", "randomization", "rct"),
    "licence": ("license",),
    "chi_square": ("chi2", "chisq", "chi_squared", "x2", "χ2", "χ²"),
    "events": ("deaths", "n_events", "event"),
    "adjusted_for": ("covariates", "adjustment", "adjusted"),
    "categories": ("category", "responses"),
    "composites": ("composite",),
    "curve": ("km", "digitised", "digitized"),
    "patients": ("ipd", "data", "file"),
    "text": ("title", "reference", "citation"),
    "cut_off": ("cutoff", "data_cutoff", "data_cut_off"),
}
"""What else people call a key."""


def plain(kind: Any) -> Any:
    """A type without its None and its annotations; of several, the section."""
    if typing.get_origin(kind) is typing.Annotated:
        return plain(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        options = [plain(option) for option in typing.get_args(kind) if option is not type(None)]
        return next((option for option in options if _is_section(option)), options[0])
    return kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _item(kind: Any) -> Any:
    """What a mapping of names, or a list, holds; None for anything else."""
    return plain(typing.get_args(kind)[-1]) if typing.get_origin(kind) in (dict, list) else None


def kind_at(root: type[BaseModel], path: KeyPath) -> Any:
    """Type of the value at a path; None where the schema has nothing there."""
    kind: Any = root
    for part in path:
        if _is_section(kind):
            field = kind.model_fields.get(str(part))
            kind = None if field is None else plain(field.annotation)
        else:
            kind = _item(kind)
        if kind is None:
            return None
    return kind


def allowed_keys(root: type[BaseModel], section: KeyPath) -> list[str]:
    """Keys of the section at a path; none where names are free, or nothing goes deeper."""
    kind = kind_at(root, section)
    return list(kind.model_fields) if _is_section(kind) else []


def nearest(key: str, allowed: Sequence[str]) -> list[str]:
    """The allowed keys that a key may have been meant for, best first."""
    bare = re.sub(r"[\s.-]+", "_", key.strip().strip("'\"")).strip("_").lower()
    found = [name for name in allowed if name.lower() == bare]
    found += [name for name in allowed if bare in _ALSO_CALLED.get(name, ())]
    found += difflib.get_close_matches(bare, allowed, n=3, cutoff=_CLOSE)
    return list(dict.fromkeys(found))


def nearest_names(name: str, known: Sequence[str]) -> list[str]:
    """The names that a name may have been meant for, best first, whatever the case."""
    lower = {item.lower(): item for item in known}
    bare = re.sub(r"[\s.-]+", "_", name.strip()).lower()
    found = [lower[match] for match in difflib.get_close_matches(bare, list(lower), n=3, cutoff=0.6)]
    return found or [item for item in known if len(bare) > 2 and (bare in item.lower() or item.lower() in bare)][:3]


@functools.cache
def homes(root: type[BaseModel], key: str) -> tuple[KeyPath, ...]:
    """Every section of the schema that takes a key, names of the user's own as `NAME`."""
    return tuple(_homes(root, key, (), 0))


def _homes(root: type[BaseModel], key: str, at: KeyPath, depth: int) -> Iterator[KeyPath]:
    kind = kind_at(root, at)
    if _is_section(kind):
        if key in kind.model_fields:
            yield at
        for name in kind.model_fields:
            if depth < _DEEPEST:
                yield from _homes(root, key, (*at, name), depth + 1)
    elif _item(kind) is not None:
        yield from _homes(root, key, (*at, NAME), depth + 1)


def belongs(root: type[BaseModel], key: str, section: KeyPath, tree: Mapping[str, Any]) -> str:
    """Where a key that is not allowed in a section would be: "endpoints.os"; empty where it is nowhere, or in many places."""
    found = [home for home in homes(root, key) if home != section]
    if not 0 < len(found) <= _MAX_HOMES:
        return ""
    return " or ".join(".".join(map(str, _named(home, tree))) or "the top of the file" for home in found)


def _named(home: KeyPath, tree: Any) -> Iterator[str]:
    """A path of the schema with the file's own name where there is one."""
    node: Any = tree
    for part in home:
        name = part
        if part == NAME:
            name = next(iter(node), NAME) if isinstance(node, Mapping) and node else NAME
        yield str(name)
        node = node.get(name) if isinstance(node, Mapping) else None
