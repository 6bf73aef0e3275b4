"""A study file while it is corrected: where its keys and values stand, and its lines with the corrections so far."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import yaml

from retrial.dims import ARMS
from retrial.study.problems import KeyPath
from retrial.study.yaml_text import events

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML takes for the end of a line."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text: first and one past the last character, lines and columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:  # an event of a parser always has both
            return cls(0, 0, 0, 0)
        return cls(start.line, start.column, end.line, end.column)

    def until(self, end: Span) -> Span:
        """From the start of this one to the end of another."""
        return Span(self.line, self.column, end.end_line, end.end_column)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one entry stands: its key (None in a list), its value, and how it is written.

    `value` of a block (indented lines) ends where its last scalar ends; `is_flow`: within braces or brackets; `again`: the same key once more.
    """

    key: Span | None
    value: Span
    is_flow: bool
    is_block: bool = False
    is_quoted: bool = False
    again: Span | None = None


@dataclass(slots=True)
class _Open:
    at: KeyPath
    is_list: bool
    is_flow: bool
    start: Span
    count: int = 0
    key: tuple[str, Span] | None = None


def _entries(text: str) -> dict[KeyPath, Entry]:
    """Every entry of a YAML text by its key path, up to the first error in it; the first of two equal keys."""
    found: dict[KeyPath, Entry] = {}
    stack: list[_Open] = []
    last = Span(0, 0, 0, 0)
    try:
        for event in events(text):
            if isinstance(event, yaml.CollectionEndEvent):
                done = stack.pop()
                last = Span.of(event) if done.is_flow else last
                _put(found, stack, done.at, done.start.until(last), is_block=not done.is_flow)
            elif isinstance(event, yaml.CollectionStartEvent):
                at = _at(stack)
                stack.append(_Open(at, isinstance(event, yaml.SequenceStartEvent), bool(event.flow_style), Span.of(event)))
            elif isinstance(event, yaml.NodeEvent):
                last = Span.of(event) if getattr(event, "value", "x") else last
                _scalar(found, stack, event, Span.of(event))
    except (yaml.YAMLError, ValueError, OverflowError):
        pass
    return found


def _scalar(found: dict[KeyPath, Entry], stack: list[_Open], event: yaml.NodeEvent, span: Span) -> None:
    """Take a key, or a value that is no collection."""
    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    quoted = isinstance(event, yaml.ScalarEvent) and event.style not in (None, "")
    if stack and not stack[-1].is_list and stack[-1].key is None:
        stack[-1].key = (text, span)
    else:
        _put(found, stack, _at(stack), span, is_quoted=quoted)


def _at(stack: list[_Open]) -> KeyPath:
    if not stack:
        return ()
    top = stack[-1]
    return (*top.at, top.count if top.is_list else (top.key or ("", top.start))[0])


def _put(
    found: dict[KeyPath, Entry], stack: list[_Open], at: KeyPath, value: Span, is_block: bool = False, is_quoted: bool = False
) -> None:
    """Note a finished value, and go on to the next key or item."""
    top = stack[-1] if stack else None
    key = top.key[1] if top is not None and top.key is not None else None
    if at in found:
        found[at] = dataclasses.replace(found[at], again=key)
    else:
        found[at] = Entry(key, value, top is not None and top.is_flow, is_block, is_quoted)
    if top is not None:
        top.count, top.key = top.count + 1, None


_A_READ = 1_000
"""What a read costs beside its characters."""


class Budget:
    """Characters that may be read again to try corrections: what is left of a large file's is soon spent."""

    def __init__(self, characters: int = 1_500_000) -> None:
        self._left = characters

    def spend(self, text: str, problems: int = 0) -> bool:
        """Whether a text may still be read; one with many problems takes longer."""
        self._left -= self._price(text, problems)
        return self._left > 0

    @staticmethod
    def _price(text: str, problems: int) -> int:
        return len(text) + _A_READ + 300 * problems

    def has_read(self, text: str, problems: int, tree: Mapping[str, object]) -> None:
        """Pay for what a text turned out to be: one of more than two arms is read once for each pair of them and for each by itself, and its errors
        are told apart, which costs as much again.
        """
        arms = tree.get("arms")
        if isinstance(arms, Mapping) and len(arms) > len(ARMS):
            self._left -= self._price(text, problems) * len(arms) * (len(arms) + 1)


@dataclass(frozen=True)
class Draft:
    """The lines of a file, each as the lines that stand in its place now (one more where a correction adds one)."""

    groups: tuple[tuple[str, ...], ...]
    written: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Draft:
        """The file as it was written."""
        lines = tuple(_BREAK.split(text))
        return cls(tuple((line,) for line in lines), lines)

    @cached_property
    def lines(self) -> list[str]:
        return [line for group in self.groups for line in group]

    @cached_property
    def text(self) -> str:
        return "\n".join(self.lines)

    @cached_property
    def entries(self) -> Mapping[KeyPath, Entry]:
        return _entries(self.text)

    @cached_property
    def _origins(self) -> list[int]:
        return [number for number, group in enumerate(self.groups) for _ in group]

    def origin(self, line: int) -> int:
        """The line of the file that a line of now stands for, both from 0."""
        return self._origins[min(line, len(self._origins) - 1)] if self._origins else 0

    def line(self, number: int) -> str:
        """A line of now; empty past the last one, where the parser puts what is not there."""
        return self.lines[number] if number < len(self.lines) else ""

    def piece(self, span: Span) -> str:
        """The text of a span, its lines joined by a space."""
        lines = self.lines[span.line : span.end_line + 1]
        if len(lines) <= 1:
            return "".join(lines)[span.column : span.end_column]
        inner = [lines[0][span.column :], *lines[1:-1], lines[-1][: span.end_column]]
        return " ".join(line.strip() for line in inner)

    def replaced(self, span: Span, new: str) -> Draft:
        """With another text in the place of a span; it may hold line ends."""
        before, after = self.line(span.line)[: span.column], self.line(span.end_line)[span.end_column :]
        return self.with_lines(span.line, span.end_line, (before + new + after).split("\n"))

    def with_lines(self, first: int, last: int, new: list[str]) -> Draft:
        """With other lines in the place of the lines `first` to `last` of now; line for line where their number stays."""
        if len(new) == last - first + 1 > 1:
            draft = self
            for line, text in zip(range(first, last + 1), new, strict=True):
                draft = draft.with_lines(line, line, [text])
            return draft
        groups = [list(group) for group in self.groups]
        places = [(number, place) for number, group in enumerate(groups) for place in range(len(group))]
        for number, place in reversed(places[first + 1 : last + 1]):
            del groups[number][place]
        number, place = places[first]
        groups[number][place : place + 1] = new
        return Draft(tuple(map(tuple, groups)), self.written)

    def is_changed(self, line: int) -> bool:
        """Whether a line of the file has been corrected."""
        return self.groups[line] != (self.written[line],)

    def instead_of(self, line: int) -> list[str]:
        """What stands in the place of a line of the file."""
        return list(self.groups[line])
