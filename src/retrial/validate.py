"""Plain mappings to frozen dataclasses, all problems collected: what was got, what is allowed, which key to change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

from retrial.errors import ConfigError

T = TypeVar("T")


class Problems:
    """Collects messages and raises them together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, message: str) -> None:
        self._found.append(message)

    def extend(self, messages: Iterable[str]) -> None:
        self._found.extend(messages)

    def raise_if_any(self, title: str) -> None:
        if self._found:
            raise ConfigError(title, self._found)


def build_dataclass(kind: type[T], raw: Any, key: str, problems: Problems, enums: Mapping[str, type[Enum]] | None = None) -> T:
    """Make a frozen dataclass of plain values, checked against the types and signs of its defaults.

    Numbers must be finite and have the sign of the default (a default of 0 admits 0 and above); a default of None admits a
    number above 0 or null; a dataclass may define `problems() -> list[str]` for anything further.
    """
    default = kind()
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping")
        return default
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in fields:
            problems.add(f"{key}.{name}: unknown; allowed are {', '.join(fields)}")
        elif enums and name in enums:
            allowed = [str(member.value) for member in enums[name]]
            if value in allowed:
                values[name] = enums[name](value)
            else:
                problems.add(f"{key}.{name}: got {value!r}; allowed are {', '.join(allowed)}")
        else:
            problem = _mismatch(value, getattr(default, name))
            if problem:
                problems.add(f"{key}.{name}: got {value!r}; allowed is {problem}")
            else:
                values[name] = _converted(value, getattr(default, name))
    made = kind(**values)
    further = getattr(made, "problems", None)
    problems.extend(f"{key}.{message}" for message in (further() if further else []))
    return made


def _mismatch(value: Any, default: Any) -> str:
    """What would be allowed, or nothing when the value fits."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, tuple):
        return "" if isinstance(value, (list, tuple)) else "a list"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if default is None and value is None:
        return ""
    whole = isinstance(default, int)
    least = "from 0" if default == 0 else "above 0"
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (whole and not isinstance(value, int)) or value < 0 or (value == 0 and default != 0):
        return f"{'a whole' if whole else 'a'} number {least}{' or null' if default is None else ''}"
    return ""


def _converted(value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return float(value) if isinstance(default, float) else value
