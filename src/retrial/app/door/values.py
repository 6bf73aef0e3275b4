"""What values a configuration may hold, wherever they come from: plain text, numbers that can be computed with, lists and mappings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from retrial.study.problems import printable, shown
from retrial.study.text.plain import MAX_LIST, is_builder_key, text_message
from retrial.study.yaml_text import MAX_DEPTH

TARGET, PARTIAL = "_target_", "_partial_"
"""The two keys by which a model's YAML names its functions; which functions, `app.models` says."""
SEED = "seed"
SMALLEST, LARGEST = 1e-12, 1e12
"""Sizes of a number that is not 0: nothing that a study is asked needs others, and sums of them lose their digits."""
_LARGEST_SEED = 2**63 - 1
_SECTIONS = (
    *("prior", "priors", "model", "models", "sampler", "answers", "reconstruction", "sensitivity", "multiverse"),
    *("covariates", "operating"),
)
_LONGEST_PATH, _LONGEST_NAME = 1000, 200
"""Characters of a path and bytes of each of its names: room for what is put behind it (file systems end at 4096 and 255)."""


def value_problems(node: Any, at: str = "") -> Iterator[str]:
    """One line for every key and value below a node that is not admitted, with its key."""
    if at.count(".") > MAX_DEPTH:
        yield f"{_short(at)}: got more than {MAX_DEPTH} levels of nesting"
    elif isinstance(node, Mapping):
        for key, value in node.items():
            message = _key_message(key)
            path = f"{at}.{printable(str(key))}" if at else printable(str(key))
            yield from [f"{_short(path)}: {message}"] if message else value_problems(value, path)
    elif isinstance(node, (list, tuple)):
        if len(node) > MAX_LIST:
            yield f"{_short(at)}: got a list of {len(node)}; allowed are {MAX_LIST} entries"
        else:
            for position, value in enumerate(node):
                yield from value_problems(value, f"{at}.{position}")
    elif message := _scalar_message(node, at):
        yield f"{_short(at) or 'a value'}: {message}"


def _short(at: str) -> str:
    return at if len(at) <= 200 else f"{at[:200]}..."


def _key_message(key: Any) -> str:
    if not isinstance(key, str):
        return f"got the key {shown(key)}; allowed is text"
    if is_builder_key(key) and key not in (TARGET, PARTIAL):
        return f"got the key {shown(key)}; allowed of this kind are {TARGET} and {PARTIAL} of a model"
    return text_message(key)


def _scalar_message(value: Any, at: str) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return text_message(value)
    if not isinstance(value, (int, float)):
        return f"got {shown(value)}; allowed is text, a number, true, false or null"
    if at == SEED and isinstance(value, int):
        return "" if value <= _LARGEST_SEED else f"got {value:.3e}; allowed is a whole number from 0 to {_LARGEST_SEED}"
    if not math.isfinite(value):
        return f"got {value}; allowed is a finite number"
    if value and not SMALLEST <= abs(value) <= LARGEST:
        return f"got {value:g}; allowed is 0, or a number whose size is from {SMALLEST:g} to {LARGEST:g}"
    return ""


def section_problems(asked: Mapping[str, Any]) -> Iterator[str]:
    """Of the sections of a configuration: which are none."""
    study = asked.get("study")
    if not isinstance(study, Mapping) or set(study) != {"name"} or not isinstance(study["name"], (str, int)):
        yield f"study: got {_said(study)}; allowed is {{name: NAME}} alone (on the command line study=NAME)"
    for key in _SECTIONS:
        if key in asked and not isinstance(asked[key], Mapping) and not (asked[key] is None and key in ("prior", "model")):
            yield f"{key}: got {_said(asked[key])}; allowed is a mapping"


def key_problems(asked: Mapping[str, Any]) -> Iterator[str]:
    """Of the keys that every verb has: the kind of each value."""
    endpoints = asked.get("endpoints", [])
    if not isinstance(endpoints, (list, tuple)) or not all(isinstance(item, str) for item in endpoints):
        yield f"endpoints: got {endpoints!r}; allowed is a list of endpoint keys, such as [os,pfs]"
    seed = asked.get(SEED)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        yield f"seed: got {seed!r}; allowed is a whole number from 0"
    if not isinstance(asked.get("force"), bool):
        yield f"force: got {asked.get('force')!r}; allowed is true or false"
    yield from place_problems(asked.get("output_dir"))


def place_problems(place: Any, key: str = "output_dir") -> Iterator[str]:
    """Of a key that names a folder to write to."""
    if isinstance(place, bool) or not isinstance(place, (str, int)) or not str(place).strip():
        yield f"{key}: got {_said(place)}; allowed is the path of a folder"
        return
    text = str(place)
    message = text_message(text)
    if message:
        yield f"{key}: {message}"
    elif len(text) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in Path(text).parts):
        yield f"{key}: got {shown(text)}; allowed are {_LONGEST_PATH} characters, and {_LONGEST_NAME} bytes a name"


def _said(value: Any) -> str:
    return "nothing" if value is None else shown(value)
