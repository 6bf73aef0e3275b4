"""Slips that make a file no YAML: each is told at its line, and mended so that the rest of the file can be checked too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from retrial.study.corrections.draft import Budget, Draft
from retrial.study.problems import Problem, one_line
from retrial.study.yaml_text import parse_yaml_text

_MAX_MENDS = 40
_ENTRY = re.compile(r"(?P<indent>\s*(?:- +)?)(?P<key>[^\s:#'\"{}\[\],][^:#'\"{}\[\],]*?)(?P<colon>\s*:)(?P<value>\s.*)?$")
"""A line with one entry: its indentation, key and value."""
_NO_COLON = re.compile(r"(?P<indent>\s*)(?P<key>[A-Za-z][\w-]*)(?P<gap>\s*=\s*|\s+|\s*)(?P<value>.*)$")
_BAD_START = re.compile(r"(?P<before>[:,\[{]\s+|[\[{])(?P<value>[>%@`|&*!][^,\]}]*?)(?P<after>\s*(?:[,\]}].*)?)$")
"""A value that starts with a character that means something else to YAML."""
_INDENT = "  "

Mend = tuple[Draft, str]
"""A corrected draft, and what was wrong in words."""
Judge = Callable[[str], int]
"""How many problems a text that is YAML has."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Where the parser stopped (lines from 0), where what it was reading began, and its words."""

    line: int
    column: int
    begun: int
    words: str
    is_mark: bool = True


def mended(draft: Draft, judge: Judge, budget: Budget) -> tuple[Draft, list[tuple[int, Problem]], bool]:
    """The draft as YAML, as far as it can be made so; each slip with its line (from 0), and whether the parser reads the rest."""
    found: list[tuple[int, Problem]] = []
    for _ in range(_MAX_MENDS):
        fault = _fault(draft.text)
        if fault is None:
            return draft, found, True
        chosen = _best(draft, fault, judge, budget)
        if chosen is None:
            where = f"line {draft.origin(fault.line) + 1}, column {fault.column + 1}"
            told = Problem((), f"not plain YAML: {fault.words}" + (f" ({where})" if fault.is_mark else ""), of_text=True)
            return draft, [*found, (draft.origin(fault.line), told)], False
        after, words = chosen
        changed = [number for number, (old, new) in enumerate(zip(draft.groups, after.groups, strict=True)) if old != new]
        found += [(number, Problem((), f"not plain YAML: {words}", of_text=True)) for number in changed]
        draft = after
    return draft, found, False


def _fault(text: str) -> _Fault | None:
    try:
        parse_yaml_text(text)
    except yaml.MarkedYAMLError as error:
        mark, context = error.problem_mark, error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        return _Fault(line, column, context.line if context is not None else line, str(error.problem))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return _Fault(0, 0, 0, one_line(error), is_mark=False)
    return None


def _best(draft: Draft, fault: _Fault, judge: Judge, budget: Budget) -> Mend | None:
    """The mend after which the parser gets furthest, and which leaves the fewest problems; the first of several."""
    if not fault.is_mark:
        return None
    best: tuple[tuple[int, int, int], Mend] | None = None
    for after, words in _candidates(draft, fault):
        if not budget.spend(after.text):
            break
        left = _fault(after.text)
        if left is not None and (not left.is_mark or (left.line, left.column) <= (fault.line, fault.column)):
            continue
        score = (1, -judge(after.text), 0) if left is None else (0, left.line, left.column - len(after.line(left.line)))
        if best is None or score > best[0]:
            best = score, (after, words)
    return None if best is None else best[1]


def _candidates(draft: Draft, fault: _Fault) -> Iterator[Mend]:
    yield from _indentation_marks(draft)
    last = len(draft.lines) - 1
    near = dict.fromkeys(line for line in (fault.line, fault.line - 1, fault.begun, fault.begun - 1) if 0 <= line <= last)
    for line in near:
        text = draft.lines[line]
        if text.strip() and not text.lstrip().startswith("#"):
            for new, words in _line_mends(text):
                if new != text:
                    yield draft.with_lines(line, line, [new]), words
    for line in near:
        yield from _reindented(draft, line)


def _indentation_marks(draft: Draft) -> Iterator[Mend]:
    """Tabs and the wide spaces of web pages before the first word of a line."""
    for width in (2, 4, 8):
        new = [_plain_indent(text, width) for text in draft.lines]
        if new != draft.lines:
            told = "got a tab or a wide space in the indentation; allowed are spaces"
            yield Draft(_regrouped(draft, new), draft.written), told


def _plain_indent(text: str, width: int) -> str:
    body = text.lstrip()
    indent = text[: len(text) - len(body)]
    return "".join(" " * width if mark == "\t" else " " for mark in indent) + body


def _regrouped(draft: Draft, lines: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Other lines in the groups of a draft."""
    rest = iter(lines)
    return tuple(tuple(next(rest) for _ in group) for group in draft.groups)


def _line_mends(text: str) -> Iterator[tuple[str, str]]:
    """A line as it may have been meant, and what is wrong with it."""
    wide = re.sub(r"[\u00a0\u2000-\u200a\u202f\u3000]", " ", text)
    yield wide, "got wide spaces of a web page or a document between the words; allowed are plain spaces"
    yield from _closed(text)
    bad = _BAD_START.search(text)
    if bad is not None:
        value = bad["value"].strip()
        said = f"a value may not start with {value[0]!r} without quotes"
        yield text[: bad.start()] + bad["before"] + f'"{value}"' + bad["after"], said
    entry = _ENTRY.match(text)
    if entry is not None and _may_be_text((entry["value"] or "").strip()):
        told = "got a text that needs quotes (it holds a colon, a bracket, a quotation mark or the like)"
        yield f"{entry['indent']}{entry['key']}: {_quoted(entry['value'].strip())}", told
    if entry is None:
        yield from _with_colon(text)


def _may_be_text(value: str) -> bool:
    """Whether a value can be a text without its quotation marks: not one that is a list or section with a slip inside."""
    return bool(value) and not (value[0] in "{[" and (value[-1] in "}]" or value.count(": ") > 0 or "," in value))


def _with_colon(text: str) -> Iterator[tuple[str, str]]:
    bare = _NO_COLON.match(text)
    if bare is None:
        return
    value = bare["value"].lstrip(":= ")
    told = "got a line without a colon; a line is key: value (a space after the colon)"
    yield f"{bare['indent']}{bare['key']}:{' ' * bool(value)}{value}", told
    if value:
        yield f"{bare['indent']}{bare['key']}: {_quoted(value)}", told


def _quoted(value: str) -> str:
    """A text within double quotes, those inside it made single."""
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value.strip("'\"")
    return '"' + bare.replace("\\", "\\\\").replace('"', "'") + '"'


_PAIRS = {"{": "}", "[": "]"}


def _closed(text: str) -> Iterator[tuple[str, str]]:
    """With the brackets and quotation marks closed that the line leaves open, without those closed too often, with missing commas."""
    open_now: list[str] = []
    quote, extra = "", None
    for position, mark in enumerate(text):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"" and (not text[:position].strip() or text[:position].rstrip()[-1:] in ":,[{"):
            quote = mark
        elif mark in _PAIRS:
            open_now.append(_PAIRS[mark])
        elif mark in "]}":
            if open_now and open_now[-1] == mark:
                open_now.pop()
            elif extra is None:
                extra = position
    if quote:
        yield text.rstrip() + quote, f"got an opening {quote} without a closing one"
    if open_now:
        ends = "".join(reversed(open_now))
        told = f"got an opening bracket without its {ends}"
        yield text.rstrip().rstrip(",") + ends, told
        for inner in re.finditer(r"[,}\]]", text):
            # a list or mapping within the line that was not closed before the next entry
            yield text[: inner.start()] + ends[0] + text[inner.start() :] + ends[1:], told
    if extra is not None:
        yield text[:extra] + text[extra + 1 :], f"got {text[extra]!r} without an opening bracket"
    commas = re.sub(r"(?<=[\w%\"'\])}]) +(?=[A-Za-z_][\w-]*: )", ", ", text) if re.search(r"[{\[]", text) else text
    head = text.find("{")
    if commas != text and head >= 0:
        yield (
            text[:head] + re.sub(r"(?<=[\w%\"'\])}]) +(?=[A-Za-z_][\w-]*: )", ", ", text[head:]),
            "got no comma between two entries",
        )


def _reindented(draft: Draft, line: int) -> Iterator[Mend]:
    """The line, and what hangs below it, moved to a depth that occurs nearby."""
    texts = draft.lines
    if not texts[line].strip():
        return
    depth = _depth(texts[line])
    end = line + 1
    while end < len(texts) and (not texts[end].strip() or _depth(texts[end]) > depth):
        end += 1
    around = [_depth(text) for text in (*texts[max(0, line - 12) : line], *texts[end : end + 1]) if text.strip()]
    depths = {*around, *(value + len(_INDENT) for value in around)} - {depth}
    for new in sorted(depths, key=lambda value: abs(value - depth)):
        told = f"got {depth} spaces before this line; lines of one section start at the same depth"
        yield draft.with_lines(line, line, [" " * new + texts[line].lstrip()]), told
        if end > line + 1:
            moved = [" " * max(0, _depth(text) + new - depth) + text.lstrip() for text in texts[line:end]]
            yield draft.with_lines(line, end - 1, moved), told


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
