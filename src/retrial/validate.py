"""Plain mappings to frozen dataclasses, all problems collected: what was got, what is allowed, which key to change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

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

    @property
    def messages(self) -> list[str]:
        return list(self._found)

    def raise_if_any(self, title: str) -> None:
        if self._found:
            raise ConfigError(title, self._found)


def as_mapping(value: Any, key: str, problems: list[str], of: str = "names to values") -> Mapping[str, Any]:
    """A mapping, empty where there is none; a problem for anything else."""
    if value is None or isinstance(value, Mapping):
        return {} if value is None else value
    problems.append(f"{key}: got {value!r}; allowed is a mapping of {of}")
    return {}


def as_list(value: Any, key: str, problems: list[str], of: str) -> list[Any]:
    """A list, empty where there is none; a problem for anything else."""
    if value is None or isinstance(value, (list, tuple)):
        return [] if value is None else list(value)
    problems.append(f"{key}: got {value!r}; allowed is a list of {of}")
    return []


def as_text(value: Any, key: str, problems: list[str]) -> str:
    """A text, which may be a number (a label such as 2023), empty where there is none; a problem for anything else."""
    if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool)):
        return "" if value is None else str(value)
    problems.append(f"{key}: got {value!r}; allowed is text")
    return ""


def is_number(value: Any) -> bool:
    """Whether this is a finite number, and no true or false."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def build_dataclass[T](kind: type[T], raw: Any, key: str, problems: Problems) -> T:
    """Make a frozen dataclass of plain values, each checked against its default's type and sign.

    Numbers must be finite and have the sign of the default (a default of 0 admits 0 and above); a default of None admits a
    number above 0 or null; enumerations take their values, nested dataclasses a mapping, mappings of dataclasses one by
    name, tuples a list whose entries are of the kind that their annotation says. A dataclass
    may define `MOST`, field -> largest number, and `problems() -> list[str]` for anything further.
    """
    default = kind()
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping")
        return default
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    hints, most = get_type_hints(kind), getattr(kind, "MOST", {})
    values: dict[str, Any] = {}
    before = problems.count
    for name, value in raw.items():
        if name not in names:
            problems.add(f"{key}.{name}: unknown; allowed are {', '.join(names)}")
        else:
            hint = hints[name]
            values[name] = _value(value, getattr(default, name), hint, f"{key}.{name}", problems)
            if is_number(value) and value > most.get(name, math.inf):
                problems.add(f"{key}.{name}: got {value!r}; allowed is at most {most[name]:g}")
    if problems.count > before:
        return default
    try:
        made = kind(**values)
    except ConfigError as error:
        problems.extend(error.problems)
        return default
    further = getattr(made, "problems", None)
    problems.extend(f"{key}.{message}" for message in (further() if further else []))
    return made


def _value(value: Any, default: Any, hint: Any, key: str, problems: Problems) -> Any:
    """The value as the field wants it; problems are added, not raised."""
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return build_dataclass(type(default), value, key, problems)
    if isinstance(default, Enum):
        return _member(value, type(default), key, problems)
    if isinstance(default, tuple):
        return _entries(value, hint, key, problems)
    if get_origin(hint) is Mapping and isinstance(kind := get_args(hint)[1], type):
        found: list[str] = []
        named = as_mapping(value, key, found)
        problems.extend(found)
        return {str(name): build_dataclass(kind, item, f"{key}.{name}", problems) for name, item in named.items()}
    allowed = _mismatch(value, default, hint)
    if allowed:
        problems.add(f"{key}: got {value!r}; allowed is {allowed}")
    return float(value) if isinstance(default, float) and not allowed else value


def _entries(value: Any, hint: Any, key: str, problems: Problems) -> tuple[Any, ...]:
    """A list as a tuple, each entry of the kind of tuple[KIND, ...], which may be such a pair itself."""
    kinds = get_args(hint)
    if not isinstance(value, (list, tuple)) or (kinds[-1] is not Ellipsis and len(value) != len(kinds)):
        problems.add(f"{key}: got {value!r}; allowed is a list" + (f" of {len(kinds)}" if kinds[-1] is not Ellipsis else ""))
        return ()
    return tuple(_entry(item, kinds[0], key, problems) for item in value)


def _entry(item: Any, kind: Any, key: str, problems: Problems) -> Any:
    if get_origin(kind) is tuple:
        return _entries(item, kind, key, problems)
    if issubclass(kind, Enum):
        return _member(item, kind, key, problems)
    if not (is_number(item) if kind is float else isinstance(item, kind)):
        problems.add(f"{key}: got {item!r}; allowed is a list of {'numbers' if kind is float else 'names'}")
    return item


def _member(value: Any, kind: type[Enum], key: str, problems: Problems) -> Any:
    allowed = [str(member.value) for member in kind]
    if not isinstance(value, str) or value not in allowed:
        problems.add(f"{key}: got {value!r}; allowed are {', '.join(allowed)}")
        return next(iter(kind))
    return kind(value)


def _mismatch(value: Any, default: Any, hint: Any) -> str:
    """What would be allowed, or nothing when the value fits."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if default is None and value is None:
        return ""
    whole = isinstance(default, int) or int in get_args(hint)
    if not is_number(value) or (whole and not isinstance(value, int)) or value < 0 or (value == 0 and default != 0):
        least = "from 0" if default == 0 else "above 0"
        return f"{'a whole' if whole else 'a'} number {least}{' or null' if default is None else ''}"
    return ""
