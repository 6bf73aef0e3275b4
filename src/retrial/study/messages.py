"""The report of the schema's library in our words: what was got, what is allowed."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel

from retrial.study.problems import KeyPath, Problem, shown
from retrial.study.study import Study

_ALLOWED = {
    "model_type": "a mapping of keys to values; leave the key out when there is nothing to say",
    "dict_type": "a mapping of names to values; leave the key out when there is nothing to say",
    "list_type": "a list, such as [a, b]",
    "string_type": "text; put quotes around true, false and null, and leave the key out when there is nothing to say",
    "string_pattern_mismatch": "a name of up to 64 letters, digits, _ and -, first a letter or digit (print it in label)",
    "too_short": "at least one entry",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""Words for the kinds of error that pydantic reports; its own words serve for the others (literals and whole numbers)."""


def problem_of(item: Any, at: KeyPath) -> Problem:
    """One item of pydantic's report as a `Problem`."""
    kind = item["type"]
    if kind == "missing":
        return Problem(at, "missing; this key is needed")
    if kind == "extra_forbidden":
        return Problem(at, f"got an unknown key; allowed here are {', '.join(_allowed_keys(at[:-1]))}")
    if kind == "value_error":
        return Problem(at, str(item["ctx"]["error"]))
    allowed = _ALLOWED.get(kind)
    if kind == "literal_error":
        allowed = item["ctx"]["expected"]
    got = shown(item.get("input"))
    return Problem(
        at, f"got {got}; allowed is {allowed}" if allowed else f"got {got}; {item['msg'][:1].lower()}{item['msg'][1:]}"
    )


def _allowed_keys(section: KeyPath) -> list[str]:
    """Keys of the section at a path."""
    kind: Any = Study
    for part in section:
        kind = _plain(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:
            kind = typing.get_args(kind)[-1]
    kind = _plain(kind)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ["no others"]


def _plain(kind: Any) -> Any:
    """A type without its None and its annotations."""
    if typing.get_origin(kind) is typing.Annotated:
        return _plain(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return _plain(next(option for option in typing.get_args(kind) if option is not type(None)))
    return kind
