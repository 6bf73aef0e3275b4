"""Plain mappings to frozen dataclasses, all problems collected: what was got, what is allowed, which key to change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from retrial.errors import ConfigError


class Problems:
    """Collects messages and raises them together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, message: str) -> None:
        self._found.append(message)

    def extend(self, messages: Iterable[str]) -> None:
        self._found.extend(messages)

    @property
    def count(self) -> int:
        return len(self._found)

    def raise_if_any(self, title: str) -> None:
        if self._found:
            raise ConfigError(title, self._found)


def build_dataclass[T](kind: type[T], raw: Any, key: str, problems: Problems) -> T:
    """Make a frozen dataclass of plain values, each checked against its default's type and sign.

    Numbers must be finite and have the sign of the default (a default of 0 admits 0 and above); a default of None admits a
    number above 0 or null; enumerations take their values, nested dataclasses a mapping; a dataclass may define
    `problems() -> list[str]` for anything further.
    """
    default = kind()
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping")
        return default
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    before = problems.count
    for name, value in raw.items():
        if name not in names:
            problems.add(f"{key}.{name}: unknown; allowed are {', '.join(names)}")
        else:
            values[name] = _value(value, getattr(default, name), f"{key}.{name}", problems)
    if problems.count > before:
        return default
    made = kind(**values)
    further = getattr(made, "problems", None)
    problems.extend(f"{key}.{message}" for message in (further() if further else []))
    return made


def _value(value: Any, default: Any, key: str, problems: Problems) -> Any:
    """The value as the field wants it; problems are added, not raised."""
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return build_dataclass(type(default), value, key, problems)
    if isinstance(default, Enum):
        return _member(value, type(default), key, problems)
    if isinstance(default, tuple):
        if not isinstance(value, (list, tuple)):
            problems.add(f"{key}: got {value!r}; allowed is a list")
            return default
        if default and isinstance(default[0], Enum):
            return tuple(_member(item, type(default[0]), key, problems) for item in value)
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    allowed = _mismatch(value, default)
    if allowed:
        problems.add(f"{key}: got {value!r}; allowed is {allowed}")
    return float(value) if isinstance(default, float) and not allowed else value


def _member(value: Any, kind: type[Enum], key: str, problems: Problems) -> Any:
    allowed = [str(member.value) for member in kind]
    if value not in allowed:
        problems.add(f"{key}: got {value!r}; allowed are {', '.join(allowed)}")
        return next(iter(kind))
    return kind(value)


def _mismatch(value: Any, default: Any) -> str:
    """What would be allowed, or nothing when the value fits."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if default is None and value is None:
        return ""
    whole = isinstance(default, int)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (whole and not isinstance(value, int)) or value < 0 or (value == 0 and default != 0):
        least = "from 0" if default == 0 else "above 0"
        return f"{'a whole' if whole else 'a'} number {least}{' or null' if default is None else ''}"
    return ""
