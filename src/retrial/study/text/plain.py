"""What a key or a text may be: plain, printable, of a length that people type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from retrial.study.problems import KeyPath, Problem, shown

MAX_TEXT = 4_000
"""Longest text read, in characters; the longest note that somebody types is far shorter."""
MAX_LIST = 1_000
"""Longest list read; the longest that a paper prints is a row of numbers at risk."""
_MARKUP = re.compile(r"<[A-Za-z/!?]")
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the reading direction, so that a title can look like another one."""
_BUILDER_KEY = re.compile(r"^_.*_$", re.DOTALL)
"""`_target_`, `_partial_`, `_args_`...: the keys by which Hydra builds objects."""


def text_problems(node: Any, at: KeyPath = ()) -> Iterator[Problem]:
    """Every key and every text of a parsed study file that is more than plain text."""
    if isinstance(node, dict):
        for key, value in node.items():
            message = _key_message(key)
            if message:
                yield Problem((*at, key), message)
            else:
                yield from text_problems(value, (*at, key))
    elif isinstance(node, list) and len(node) > MAX_LIST:
        yield Problem(at, f"got a list of {len(node)}; allowed are {MAX_LIST} entries")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from text_problems(value, (*at, position))
    elif isinstance(node, str):
        message = text_message(node)
        if message:
            yield Problem(at, message)


def is_builder_key(key: str) -> bool:
    """Whether this is one of the keys by which Hydra builds objects."""
    return _BUILDER_KEY.match(key) is not None


def _key_message(key: str) -> str:
    if is_builder_key(key):
        return f"got the key {shown(key)}; a study file is data and cannot build objects: remove this key"
    return text_message(key)


def text_message(text: str) -> str:
    """What is wrong with a text; empty when nothing is."""
    if len(text) > MAX_TEXT:
        return f"got {len(text)} characters; allowed are {MAX_TEXT}"
    markup = _MARKUP.search(text)
    if markup:
        found = shown(text[markup.start() : markup.start() + 20])
        return f"got markup ({found}); allowed is plain text ('<' before a number, or followed by a space)"
    if "${" in text:
        return "got an interpolation (${...}); allowed is plain text, which is read as it stands"
    control = "" if text.isprintable() else next((character for character in text if _is_control(character)), "")
    return f"got the control character U+{ord(control):04X}; allowed is printable text" if control else ""


def _is_control(character: str) -> bool:
    if character.isprintable() or character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTION_MARKS
