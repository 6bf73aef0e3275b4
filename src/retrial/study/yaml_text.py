"""YAML read as text: numbers keep their printed digits, and nothing in the file can build an object.

The tree is made here from the parser's events, by no constructor of the YAML library: a node becomes a mapping, a list,
text, true/false or None, and there is no other branch that a tag could reach.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from retrial.errors import StudyError
from retrial.study.problems import KeyPath, Problem, one_line, shown
from retrial.study.text.files import read_text

MAX_DEPTH = 30
"""Deepest nesting read; the schema needs 8."""

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser is 13 times as fast as the one in Python, which serves where the library was built without it."""
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
"""The plain words that are no text. Yes, No, On, Off are: they label rows of tables."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read, and its key path; in a mapping, `key` waits for its value."""

    node: dict[str, Any] | list[Any]
    at: KeyPath = ()
    key: str | None = None

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node, dict) and self.key is None

    @property
    def next(self) -> KeyPath:
        """Key path of the value that comes next."""
        return (*self.at, len(self.node) if self.key is None else self.key)

    def put(self, value: Any) -> None:
        if isinstance(self.node, list):
            self.node.append(value)
        elif self.key is not None:
            self.node.setdefault(self.key, value)
            self.key = None


def read_yaml_text(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file with all scalars as text; raises `StudyError` for anything else."""
    tree, problems = read_tree(path)
    if problems:
        raise StudyError(f"cannot use the study file {path}", [str(problem) for problem in problems])
    return tree


def read_tree(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The mapping in a YAML file, and what in it is no plain YAML (tags, aliases, repeated keys).

    Raises `StudyError` where the file cannot be read at all.
    """
    try:
        tree, problems = parse_yaml_text(read_text(path))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise StudyError(f"cannot use the study file {path}", [not_yaml(error)]) from error
    wrong = not_a_mapping(tree)
    if wrong or not isinstance(tree, dict):
        raise StudyError(f"cannot use the study file {path}", [wrong])
    return tree, problems


def not_a_mapping(tree: Any) -> str:
    """Why what a file holds is no study; empty where it is keys with values."""
    if tree is None:
        return "got an empty file; needed is at least a title"
    return "" if isinstance(tree, dict) else f"got {shown(tree)} at the top; allowed are key: value lines"


def not_yaml(error: Exception) -> str:
    """The YAML library's complaint on one line, without the piece of the file that it may quote."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"not plain YAML: {error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return f"not plain YAML: {one_line(error)}"


def events(text: str) -> Iterator[yaml.Event]:
    """The parser's events of a YAML text, numbers as they were typed; raises `yaml.YAMLError` at the first error.

    YAML would end a number at its comma within brackets, take > for the start of a text, and refuse a list that starts with a comma.
    """
    source = _with_starts(text)
    if source != text and (_parses(text) or not _parses(source)):
        source = text
    yield from _as_typed(yaml.parse(source, Loader=_PARSER), source)


_BOUND = re.compile(r"(?<=[\[{,:])(?P<space>\s*)>(?==?\s*[\d.][\d.,·]*\s*(?:[\],}]|#|$))", re.MULTILINE)
_BLANK_FIRST = re.compile(r"\[(?: (?P<space>\s*),|, )")


def _with_starts(text: str) -> str:
    """The text with every bound (`>30`) and every blank first limit (`[ , 0.98]`) as YAML takes it, nothing moved."""
    text = _BOUND.sub(lambda match: f"{match['space']}＞", text)
    return _BLANK_FIRST.sub(lambda match: "[~," if match["space"] is None else f"[~{match['space']},", text)


def _parses(text: str) -> bool:
    try:
        for _ in yaml.parse(text, Loader=_PARSER):
            pass
    except yaml.YAMLError:
        return False
    return True


_DECIMAL_COMMA = re.compile(r"^decimal\s*:\s*([\"']),\1", re.MULTILINE)
_NUMBERS = re.compile(r"(?:[\d\s.,·<>≤≥＞%()+±/'’\-–−]|\bto\b|\bbis\b)+")


def _as_typed(stream: Iterator[yaml.Event], source: str) -> Iterator[yaml.Event]:
    """Events with the pieces put together that commas cut a number (or an interval in parentheses) into, and a blank last limit.

    In a mapping such a piece is a key without a value, which nobody types; in a list it is told only where the file has decimal commas.
    """
    ahead: list[yaml.Event] = []
    before: list[yaml.Event] = []
    in_lists = _DECIMAL_COMMA.search(source) is not None

    def peek(place: int) -> yaml.Event | None:
        while len(ahead) <= place:
            event = next(stream, None)
            if event is None:
                return None
            ahead.append(event)
        return ahead[place]

    while (event := peek(0)) is not None:
        ahead.pop(0)
        while isinstance(after := peek(0), yaml.ScalarEvent) and _goes_on(event, after, source):
            is_key = _is_empty_after(peek(1), after)
            if not (is_key or in_lists):
                break
            event = _together(event, after, source)
            del ahead[: 2 if is_key else 1]
        if isinstance(event, yaml.SequenceEndEvent) and _is_open_interval(before, event, source):
            yield yaml.ScalarEvent(None, None, (True, False), "", event.start_mark, event.start_mark)
        before = [*before[-2:], event]
        yield event


def _is_plain(event: yaml.Event | None) -> TypeGuard[yaml.ScalarEvent]:
    return isinstance(event, yaml.ScalarEvent) and event.style in (None, "") and event.tag is None and event.anchor is None


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark is not None else 0


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark is not None else 0


def _is_empty_after(event: yaml.Event | None, key: yaml.Event) -> bool:
    """Whether this is the missing value of a key that has none."""
    return _is_plain(event) and not event.value and _start(event) == _end(key)


def _goes_on(event: yaml.Event, after: yaml.ScalarEvent, source: str) -> bool:
    """Whether the next scalar is the rest of a number: 0 and 621 of 0,621, or (0.37 and 0.76) of (0.37, 0.76)."""
    if not (_is_plain(event) and _is_plain(after) and _NUMBERS.fullmatch(event.value + after.value)):
        return False
    between = source[_end(event) : _start(after)]
    if between == ",":
        return event.value[-1:].isdigit() and after.value[:1].isdigit()
    return between.strip() == "," and event.value.startswith("(") and ")" not in event.value


def _together(first: yaml.Event, second: yaml.Event, source: str) -> yaml.ScalarEvent:
    text = source[_start(first) : _end(second)]
    return yaml.ScalarEvent(None, None, (True, False), text, first.start_mark, second.end_mark)


def _is_open_interval(before: list[yaml.Event], end: yaml.Event, source: str) -> bool:
    """Whether a list is `ci: [9.3, ]`."""
    kinds = [yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.ScalarEvent]
    is_one = [type(event) for event in before] == kinds and getattr(before[0], "value", "") == "ci"
    return is_one and source[_end(before[2]) : _start(end)].strip() == ","


def parse_yaml_text(text: str) -> tuple[Any, list[Problem]]:
    """Tree of a YAML text and its problems; raises `yaml.YAMLError` or `ValueError` where no tree can be made."""
    return _tree(events(text), lambda word: _WORDS.get(word, word))


def _tree(stream: Iterable[yaml.Event], value_of: Callable[[str], Any]) -> tuple[Any, list[Problem]]:
    """Tree and problems of a stream of events; `value_of` a plain word is what it stands for."""
    stack, problems, documents = [_Open([])], [], 0
    for event in stream:
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise ValueError(f"got a second document (---) on line {_line(event)}; allowed is one")
        if isinstance(event, yaml.NodeEvent):
            problems += [Problem(_place(stack, event), message) for message in _tricks(event)]
        if isinstance(event, yaml.CollectionStartEvent):
            _open(stack, event)
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            _leaf(stack[-1], event, problems, value_of)
    tree = stack[0].node
    return (tree[0] if isinstance(tree, list) and tree else None), problems


_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,99})")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
_NO_NUMBERS = {".nan": math.nan, ".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf}


def _typed(word: str) -> Any:
    """A plain word of a configuration: null, true, false, a number as everybody writes it, else text."""
    if word in _WORDS:
        return _WORDS[word]
    if _WHOLE.fullmatch(word):
        return int(word)
    return float(word) if _DECIMAL.fullmatch(word) else _NO_NUMBERS.get(word.lower(), word)


def read_typed_yaml(path: Path, what: str, inside: Path | None = None) -> tuple[str, dict[str, Any], list[str]]:
    """Text of a YAML file, the mapping in it with numbers as numbers and keys as text, and what in it is no plain YAML.

    Raises `StudyError` where the file cannot be read at all; an empty file is an empty mapping.
    """
    text = read_text(path, what, inside)
    try:
        tree, problems = _tree(yaml.parse(text, Loader=_PARSER), _typed)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise StudyError(f"cannot use the {what} {path}", [not_yaml(error)]) from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise StudyError(f"cannot use the {what} {path}", [not_a_mapping(tree)])
    return text, tree, [str(problem) for problem in problems]


def _place(stack: list[_Open], event: yaml.NodeEvent) -> KeyPath:
    """Where an event's key or value stands."""
    if len(stack) == 1:
        return ()
    return (*stack[-1].at, getattr(event, "value", "")) if stack[-1].wants_key else stack[-1].next


def _open(stack: list[_Open], event: yaml.CollectionStartEvent) -> None:
    if stack[-1].wants_key:
        raise ValueError(f"got a key that is not plain text on line {_line(event)}; allowed is text")
    if len(stack) > MAX_DEPTH:
        raise ValueError(f"got more than {MAX_DEPTH} levels of nesting on line {_line(event)}")
    child = _Open({} if isinstance(event, yaml.MappingStartEvent) else [], _place(stack, event))
    stack[-1].put(child.node)
    stack.append(child)


def _leaf(top: _Open, event: yaml.NodeEvent, problems: list[Problem], value_of: Callable[[str], Any]) -> None:
    """Take a key or a value; an alias, which `_tricks` has refused, stands for nothing."""
    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    if not top.wants_key:
        is_plain = isinstance(event, yaml.ScalarEvent) and event.style in (None, "")
        top.put(value_of(text) if is_plain else text)
        return
    if text in top.node:
        problems.append(Problem((*top.at, text), f"got this key twice (again on line {_line(event)}); allowed is once"))
    elif text == "<<":
        problems.append(Problem((*top.at, text), f"got a merge key on line {_line(event)}; allowed are plain keys"))
    top.key = text


def _tricks(event: yaml.NodeEvent) -> Iterator[str]:
    """Tags, anchors and aliases: all that YAML has beyond plain values."""
    if isinstance(event, yaml.AliasEvent):
        yield f"got the alias *{event.anchor} on line {_line(event)}; allowed are plain values: write the value out"
    elif event.anchor is not None:
        yield f"got the anchor &{event.anchor} on line {_line(event)}; allowed are plain values, without anchors"
    tag = getattr(event, "tag", None)
    if tag is not None:
        yield f"got the tag {shown(tag)} on line {_line(event)}; allowed are plain values: a study file cannot build objects"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0
