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

from retrial.dims import CONTROL
from retrial.study.problems import KeyPath

NAME = "NAME"
"""Stands for a name of the user's own in a key path of the schema."""
_CLOSE = 0.72
_DEEPEST = 6
_LONG = 6
"""A key of so many letters is meant where it stands within another one."""
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
    "landmarks": ("survival", "survival_at", "rates", "survival_rates"),
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
    """Type of the value at a path; None where the schema has nothing there. Any other key of a section of arms is taken for an arm."""
    kind: Any = root
    for part in path:
        if _is_section(kind):
            field = kind.model_fields.get(str(part)) or kind.model_fields.get(CONTROL)
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
    found += ["ci"] if "ci" in allowed and interval_level(key) else []
    found += difflib.get_close_matches(bare, allowed, n=3, cutoff=_CLOSE)
    found += [name for name in allowed if len(name) >= _LONG and name in bare]
    return list(dict.fromkeys(found))


def interval_level(key: str) -> str:
    """The level in a key such as "95.02% CI", in percent; empty in other keys."""
    match = re.fullmatch(r"\s*(\d{2}(?:\.\d+)?)\s*_?%?\s*_?C[IL]s?\s*", key, re.IGNORECASE)
    return match[1] if match is not None else ""


def nearest_names(name: str, known: Sequence[str]) -> list[str]:
    """The names that a name may have been meant for, best first, whatever the case."""
    lower = {item.lower(): item for item in known}
    bare = re.sub(r"[\s.-]+", "_", name.strip()).lower()
    initials = "".join(word[:1] for word in bare.split("_"))
    if "_" in bare and initials in lower:
        return [lower[initials]]
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


def belongs(root: type[BaseModel], key: str, value: Any, section: KeyPath, tree: Mapping[str, Any]) -> str:
    """Where a key that is not allowed in a section would be: "endpoints.os"; empty where it is nowhere, or in many places.

    A name of the user's own is known by the keys below it.
    """
    found = [home for home in homes(root, key) if home != section]
    if not 0 < len(found) <= _MAX_HOMES:
        keys = {str(name).lower() for name in value} if isinstance(value, Mapping) else set()
        found = [] if not keys else [home for home in holders(root) if keys <= _keys_of_item(root, home) and home != section]
        found = [home for home in found if home[: len(section)] == section] or found
    if not 0 < len(found) <= _MAX_HOMES + 1:
        return ""
    return " or ".join(".".join(map(str, _named(home, tree))) or "the top of the file" for home in found)


def elsewhere(root: type[BaseModel], key: str, tree: Mapping[str, Any]) -> str:
    """What a key that is nowhere in the schema may have been meant for, and where that belongs."""
    near = nearest(key, list(_all_keys(root)))
    home = belongs(root, near[0], None, (), tree) if near else ""
    return f"{near[0]}, which belongs below {home}" if home else ""


@functools.cache
def _all_keys(root: type[BaseModel]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    pending: list[tuple[KeyPath, int]] = [((), 0)]
    while pending:
        at, depth = pending.pop()
        kind = kind_at(root, at)
        if _is_section(kind) and depth < _DEEPEST:
            found |= dict.fromkeys(kind.model_fields)
            pending += [((*at, name), depth + 1) for name in kind.model_fields]
        elif _item(kind) is not None:
            pending.append(((*at, NAME), depth + 1))
    return tuple(found)


@functools.cache
def holders(root: type[BaseModel]) -> tuple[KeyPath, ...]:
    """Sections that hold entries with names of the user's own, each a section itself."""
    found: list[KeyPath] = []
    pending: list[KeyPath] = [()]
    while pending:
        at = pending.pop()
        kind = kind_at(root, at)
        if _is_section(kind) and len(at) < _DEEPEST:
            pending += [(*at, name) for name in reversed(kind.model_fields)]
        elif typing.get_origin(kind) is dict and _is_section(_item(kind)):
            found.append(at)
            pending.append((*at, NAME))
    return tuple(found)


def _keys_of_item(root: type[BaseModel], home: KeyPath) -> set[str]:
    return set(allowed_keys(root, (*home, NAME)))


def _named(home: KeyPath, tree: Any) -> Iterator[str]:
    """A path of the schema with the file's own name where there is one."""
    node: Any = tree
    for part in home:
        name = part
        if part == NAME:
            name = next(iter(node), NAME) if isinstance(node, Mapping) and node else NAME
        yield str(name)
        node = node.get(name) if isinstance(node, Mapping) else None
