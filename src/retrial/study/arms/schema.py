"""The schema of a study file as a tree of types: where in it a key is an arm."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from retrial.dims import ARMS, CONTROL


def options(kind: Any) -> list[Any]:
    """The types that a value may have, without None and without annotations."""
    if typing.get_origin(kind) is typing.Annotated:
        return options(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return [found for one in typing.get_args(kind) if one is not type(None) for found in options(one)]
    return [kind]


def is_section(kind: Any) -> bool:
    """Whether it is a section with keys of its own."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def has_arms(kind: Any) -> bool:
    """Whether a section has a key an arm."""
    return is_section(kind) and set(ARMS) <= set(kind.model_fields)


def names_an_arm(kind: Any) -> bool:
    """Whether a value is the name of an arm."""
    return typing.get_origin(kind) is typing.Literal and CONTROL in typing.get_args(kind)


def section_for(kind: Any, keys: Sequence[str]) -> Any:
    """Of the types that a mapping with these keys may have, the one that knows most of them; None where none takes a mapping."""
    mappings = [one for one in options(kind) if is_section(one) or typing.get_origin(one) is dict]
    return max(mappings, key=lambda one: len(set(keys) & set(one.model_fields)) if is_section(one) else 0, default=None)


def below(kind: Any, key: str) -> Any:
    """Type of the value at a key of a section or mapping; None where there is no such key."""
    if typing.get_origin(kind) is dict:
        return typing.get_args(kind)[1]
    field = kind.model_fields.get(key) if is_section(kind) else None
    return None if field is None else field.annotation


def entries(kind: Any) -> Any:
    """Type of the entries of a list; None where it is none."""
    return next((typing.get_args(one)[0] for one in options(kind) if typing.get_origin(one) is list), None)


def arm_positions(parts: Sequence[str]) -> frozenset[int]:
    """Positions of a key path that are an arm's key; the path may go on below what the schema knows."""
    kinds: list[Any] = [_study()]
    found = set()
    for position, part in enumerate(parts):
        if any(has_arms(one) for one in kinds) and part in ARMS:
            found.add(position)
        lower = [below(one, part) for one in kinds] if not part.isdigit() else [entries(one) or below(one, part) for one in kinds]
        kinds = [option for one in lower if one is not None for option in options(one)]
    return frozenset(found)


def reserved() -> frozenset[str]:
    """Keys that stand beside an arm somewhere in a study file, so that no arm can be called so."""
    return frozenset(_reserved(_study(), set()))


def _reserved(kind: Any, seen: set[Any]) -> set[str]:
    found: set[str] = set()
    for one in options(kind):
        if is_section(one) and one not in seen:
            seen.add(one)
            found |= set(one.model_fields) - set(ARMS) if has_arms(one) else set()
            for field in one.model_fields.values():
                found |= _reserved(field.annotation, seen)
        elif typing.get_origin(one) in (dict, list):
            found |= _reserved(typing.get_args(one)[-1], seen)
    return found


def _study() -> Any:
    # imported here: `Study` holds the names of its arms
    from retrial.study.study import Study

    return Study
