"""YAML read as text: numbers keep their printed digits, and nothing in the file can build an object.

The tree is made here from the parser's events, by no constructor of the YAML library: a node becomes a mapping, a list,
text, true/false or None, and there is no other branch that a tag could reach.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from retrial.errors import StudyError
from retrial.study.problems import KeyPath, Problem, one_line, shown

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
        message = _text_message(node)
        if message:
            yield Problem(at, message)


def _key_message(key: str) -> str:
    if _BUILDER_KEY.match(key):
        return f"got the key {shown(key)}; a study file is data and cannot build objects: remove this key"
    return _text_message(key)


def _text_message(text: str) -> str:
    """What is wrong with a text; empty when nothing is."""
    if len(text) > MAX_TEXT:
        return f"got {len(text)} characters; allowed are {MAX_TEXT}"
    markup = _MARKUP.search(text)
    if markup:
        found = shown(text[markup.start() : markup.start() + 20])
        return f"got markup ({found}); allowed is plain text ('<' before a number, or followed by a space)"
    if "${" in text:
        return "got an interpolation (${...}); allowed is plain text: a study file is read as it stands"
    control = "" if text.isprintable() else next((character for character in text if _is_control(character)), "")
    return f"got the control character U+{ord(control):04X}; allowed is printable text" if control else ""


def _is_control(character: str) -> bool:
    if character.isprintable() or character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTION_MARKS


MAX_BYTES = 2_000_000
"""A study file is typed by a person; a larger file is a mistake."""
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


_TYPED = "allowed is a text file with the numbers typed in (`retrial new study=NAME kind=full` writes one to fill in)"
_OTHER_FILES = {
    b"%PDF": f"a PDF; {_TYPED}",
    b"PK\x03\x04": f"a document, spreadsheet or archive (Word, Excel, zip); {_TYPED}",
    b"\xd0\xcf\x11\xe0": f"an old Word or Excel document; {_TYPED}",
    b"\xff\xfe": "text in UTF-16; save the file as UTF-8 (an editor's Save as, encoding UTF-8)",
    b"\xfe\xff": "text in UTF-16; save the file as UTF-8 (an editor's Save as, encoding UTF-8)",
}
"""What a file is that starts so, and what to do."""


def read_text(path: Path) -> str:
    """Text of a study file; raises `StudyError` where there is none."""
    try:
        if path.exists() and not path.is_file():
            raise StudyError(f"cannot read the study file {path}", ["got a folder or a device; allowed is a file"])
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise StudyError(f"cannot use the study file {path}", [f"got more than {MAX_BYTES} bytes; allowed are {MAX_BYTES}"])
        other = next((words for start, words in _OTHER_FILES.items() if raw.startswith(start)), "")
        if other:
            raise StudyError(f"cannot use the study file {path}", [f"got {other}"])
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise StudyError(f"cannot read the study file {path}", [error.strerror or str(error)]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        wrong = f"line {line}: got a byte that is not UTF-8 text; save the file as UTF-8 (an editor's Save as, encoding UTF-8)"
        raise StudyError(f"cannot use the study file {path}", [wrong]) from error
    except ValueError as error:
        raise StudyError(f"cannot read the study file {str(path)!r}", [str(error)]) from error


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
    stack, problems, documents = [_Open([])], [], 0
    for event in events(text):
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
            _leaf(stack[-1], event, problems)
    tree = stack[0].node
    return (tree[0] if isinstance(tree, list) and tree else None), problems


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


def _leaf(top: _Open, event: yaml.NodeEvent, problems: list[Problem]) -> None:
    """Take a key or a value; an alias, which `_tricks` has refused, stands for nothing."""
    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    if not top.wants_key:
        is_plain = isinstance(event, yaml.ScalarEvent) and event.style in (None, "")
        top.put(_WORDS.get(text, text) if is_plain else text)
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
