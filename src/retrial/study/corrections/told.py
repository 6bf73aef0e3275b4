"""All that is wrong with a study file, in the order of its lines; where it can be told, with the line as it should be."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from retrial.study.corrections.draft import Budget, Draft, Entry
from retrial.study.corrections.keys import NAME, allowed_keys, belongs, elsewhere, interval_level, kind_at, nearest, nearest_names
from retrial.study.corrections.values import described, names, sections, values, with_more
from retrial.study.corrections.yaml_slips import mended
from retrial.study.problems import UNKNOWN_KEY, KeyPath, Problem, printable

MAX_CORRECTED = 100
"""Problems for which a correction is looked for; no more are shown."""
_UNREADABLE = 10_000
"""Taken for the number of problems of a text that cannot be read."""
_MAX_SHOWN = 160
_LARGE = 10_000
_NAMES = {"endpoints": "os", "binary": "response"}
"""A name that is proposed where the file has none."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SAID = (re.compile(r"the interval is then (\[[^\]]*\])"), re.compile(r"allowed is (\S+) \((?:or|the file says) decimal"))
"""What a message about decimal marks says to type: for an interval all of it."""
_ALLOWED = re.compile(r"; allowed (?:is|are|here are) (?P<words>[^;(]+)")

Check = Callable[[str], tuple[Sequence[Problem], Mapping[str, Any]] | None]
"""Problems of a text and its tree; None where the text is no YAML."""


@dataclass(frozen=True, slots=True)
class Told:
    """A problem, its line and column (from 1; None: it has none), and the lines to write in the place of that line."""

    problem: Problem
    line: int | None = None
    column: int | None = None
    instead: tuple[str, ...] = ()

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        where = f"line {self.line}{column}: " if self.line else ""
        shown = [line if len(line) <= _MAX_SHOWN else line[:_MAX_SHOWN] + "..." for line in self.instead]
        lines = [f"    write: {line}" if number == 0 else f"           {line}" for number, line in enumerate(shown)]
        return "\n".join([f"{where}{self.problem}", *(line for line in lines if line.strip().isprintable())])


def told(text: str, root: type[BaseModel], check: Check) -> list[Told]:
    """Every problem of a study file's text; `root` is the schema, `check` reads a text again."""

    budget = Budget()

    def judge(candidate: str) -> int:
        found = check(candidate)
        if found is None:
            return _UNREADABLE
        budget.has_read(candidate, len(found[0]), found[1])
        return len(found[0])

    draft, slips, readable = mended(Draft.of(text), judge, budget)
    start = [_Placed(problem, line) for line, problem in slips]
    found = _of_draft(draft, check) if readable else None
    if found is None:
        return _shown(start, draft)
    work = _Work(draft, list(found[0]), found[1], root, check)
    work.see(work.left)
    work.correct()
    return _shown([*start, *(place for problem, place in work.seen.items() if problem not in work.followed)], work.draft)


def _of_draft(draft: Draft, check: Check) -> tuple[list[Problem], Mapping[str, Any]] | None:
    """Problems of a draft, the lines that they name being those of the file."""
    found = check(draft.text)
    if found is None:
        return None

    def named(match: re.Match[str]) -> str:
        return f"on line {draft.origin(int(match[1]) - 1) + 1}"

    problems = [dataclasses.replace(item, message=re.sub(r"on line (\d+)", named, item.message)) for item in found[0]]
    return list(dict.fromkeys(problems)), found[1]


@dataclass(frozen=True, slots=True)
class _Placed:
    problem: Problem
    line: int | None
    column: int | None = None


def _shown(placed: Iterable[_Placed], draft: Draft) -> list[Told]:
    """In the order of lines; the last problem of a corrected line shows it."""
    ordered = sorted(placed, key=lambda item: (-1 if item.line is None else item.line, item.column or 0))
    last = {item.line: number for number, item in enumerate(ordered)}
    found = []
    for number, item in enumerate(ordered):
        line = item.line
        is_last = line is not None and last[line] == number and draft.is_changed(line)
        instead = tuple(draft.instead_of(line)) if is_last and line is not None else ()
        found.append(Told(item.problem, None if line is None else line + 1, item.column, instead))
    return found


@dataclass(slots=True)
class _Work:
    """The draft, and the problems that it has left.

    `seen` are all that there were, with their places; `followed` went away with the correction of another one.
    """

    draft: Draft
    left: list[Problem]
    tree: Mapping[str, Any]
    root: type[BaseModel]
    check: Check
    budget: Budget = field(default_factory=Budget)
    seen: dict[Problem, _Placed] = field(default_factory=dict)
    followed: set[Problem] = field(default_factory=set)
    unit: str = field(init=False)

    def __post_init__(self) -> None:
        unit = self.tree.get("time_unit")
        self.unit = unit if isinstance(unit, str) and unit else "months"

    def see(self, problems: Iterable[Problem]) -> None:
        """Note problems at the places where they are now."""
        for problem in problems:
            if problem not in self.seen:
                self.seen[problem] = self.placed(problem)

    def placed(self, problem: Problem) -> _Placed:
        """A problem with its place in the file."""
        entry = self._nearest_entry(problem.at)
        span = None if entry is None else (entry.key or entry.value)
        hinted = dataclasses.replace(problem, message=problem.message + self._hint(problem))
        if span is None:
            return _Placed(hinted, None)
        shows_column = entry is not None and entry.is_flow and problem.at in self.draft.entries
        return _Placed(hinted, self.draft.origin(span.line), span.column + 1 if shows_column else None)

    def _nearest_entry(self, at: KeyPath) -> Entry | None:
        """The entry at a path, or the nearest one around it."""
        return next((self.draft.entries[at[:size]] for size in range(len(at), 0, -1) if at[:size] in self.draft.entries), None)

    def _hint(self, problem: Problem) -> str:
        """Where a key that does not belong here would belong; the count that a percentage stands for."""
        if not self._is_unknown(problem):
            return self._count_of(problem.at)
        key, section = str(problem.at[-1]), problem.at[:-1]
        entry = self.draft.entries.get(problem.at)
        if entry is not None and next(self._comma_split(key, entry), None) is not None:
            return "; a comma begins the next entry: write the number before it without the comma"
        found = nearest(key, self._free_keys(section))
        home = belongs(self.root, key, _value(self.tree, problem.at), section, self.tree)
        if home and not (found and found[0].lower() == key.lower()):
            return f"; {printable(key)} belongs below {home}"
        if found:
            return f"; did you mean {found[0]}?"
        other = elsewhere(self.root, key, self.tree)
        return f"; did you mean {other}?" if other else ""

    def _count_of(self, at: KeyPath) -> str:
        """The count that a percentage of an arm is, where there is only one."""
        value, arm = _value(self.tree, at), str(at[-1]) if at else ""
        size = _value(self.tree, ("arms", arm, "n"))
        match = re.fullmatch(r"(\d+(?:\.(\d+))?)\s*%", value.strip()) if isinstance(value, str) else None
        if match is None or not isinstance(size, str) or not size.isdigit() or not 0 < int(size) < _LARGE:
            return ""
        decimals = len(match[2] or "")
        counts = [
            n for n in range(int(size) + 1) if abs(round(100 * n / int(size), decimals) - float(match[1])) < 10**-decimals / 2
        ]
        if len(counts) != 1:
            return "; needed is the number of patients, with the percentage beside it: {n: 12, percent: 27.8}"
        return f"; {match[1]} % of {size} patients is {counts[0]}: {{n: {counts[0]}, percent: {match[1]}}}, if the paper prints no count"

    def _free_keys(self, section: KeyPath) -> list[str]:
        """Keys that a section takes and does not have yet."""
        return [name for name in allowed_keys(self.root, section) if (*section, name) not in self.draft.entries]

    def _is_unknown(self, problem: Problem) -> bool:
        return bool(problem.at) and problem.message.startswith(UNKNOWN_KEY) and bool(allowed_keys(self.root, problem.at[:-1]))

    def correct(self) -> None:
        """Correct what can be, one problem after the other; a correction is kept when the file reads better with it."""
        tried: set[Problem] = set()
        while len(tried) < MAX_CORRECTED:
            problem = next((item for item in self.left if item not in tried), None)
            if problem is None:
                return
            tried.add(problem)
            self._correct(problem)

    def _correct(self, problem: Problem) -> None:
        for at, draft in self._drafts(problem):
            found = _of_draft(draft, self.check) if self.budget.spend(draft.text, len(self.left)) else None
            if found is None:
                continue
            self.budget.has_read(draft.text, len(found[0]), found[1])
            if problem in found[0]:
                continue
            new = [item for item in found[0] if item not in self.left]
            if at == problem.at and any(item.at[: len(at)] == at for item in new):
                continue
            self.followed |= {item for item in self.left if item not in found[0]} - {problem}
            self.draft, self.left, self.tree = draft, list(found[0]), found[1]
            self.see(new)
            return

    def _drafts(self, problem: Problem) -> Iterator[tuple[KeyPath, Draft]]:
        """Drafts that may be without the problem, and the path at which they may have another one."""
        at, entry = problem.at, self.draft.entries.get(problem.at)
        if not at or entry is None or entry.again is not None:
            return
        if self._is_unknown(problem):
            yield from self._other_keys(at, entry)
        elif entry.key is not None and isinstance(at[-1], str) and not _NAME.fullmatch(at[-1]):
            yield from ((at, self.draft.replaced(entry.key, name)) for name in names(at[-1]) if _NAME.fullmatch(name))
        yield from ((at, draft) for draft in self._other_values(problem, entry))
        yield from ((at[:-1], draft) for draft in self._under_a_name(at))

    def _under_a_name(self, at: KeyPath) -> Iterator[Draft]:
        """`effects: {hazard_ratio: 0.7}` with a name between the two."""
        section, entry = at[:-1], self.draft.entries.get(at[:-1])
        fields = allowed_keys(self.root, (*section, NAME)) if section and kind_at(self.root, section) else []
        if entry is None or entry.key is None or at[-1] not in fields or allowed_keys(self.root, section):
            return
        name = (
            next(iter(_value(self.tree, ("endpoints",)) or ()), "os")
            if section == ("effects",)
            else _NAMES.get(str(section[0]), "first")
        )
        name = name if _NAME.fullmatch(name) and name not in fields else "os"
        if not entry.is_block:
            yield self.draft.replaced(entry.value, f"{{{name}: {self.draft.piece(entry.value)}}}")
            return
        first, last = entry.value.line, entry.value.end_line
        lines = self.draft.lines[first : last + 1]
        yield self.draft.with_lines(first, last, [" " * entry.value.column + f"{name}:", *(f"  {line}" for line in lines)])

    def _other_keys(self, at: KeyPath, entry: Entry) -> Iterator[tuple[KeyPath, Draft]]:
        key, section = str(at[-1]), at[:-1]
        if entry.key is None:
            return
        yield from ((section, draft) for draft in self._comma_split(key, entry))
        name, colon, rest = key.partition(":")
        if colon and rest.strip():
            yield section, self.draft.replaced(entry.key, f"{name.strip()}: {rest.strip()}")
        behind = re.fullmatch(r"(?P<name>[A-Za-z][A-Za-z _-]*?)\s*(?:=|(?=[<>≤≥]))\s*(?P<value>.+)", key)
        if behind is not None:
            for found in nearest(behind["name"], self._free_keys(section)):
                yield section, self.draft.replaced(entry.key, f"{found}: {behind['value']}")
        level = interval_level(key)
        for found in nearest(key, self._free_keys(section)):
            draft = self.draft.replaced(entry.key, found)
            if level not in ("", "95") and found == "ci" and "level" in self._free_keys(section):
                renamed = draft.entries.get((*section, found))
                if renamed is not None and not renamed.is_block:
                    more = self._further(renamed, {"level": f"{level}%"})
                    draft = draft.replaced(renamed.value, draft.piece(renamed.value) + more)
            yield (*section, found), draft

    def _comma_split(self, key: str, entry: Entry) -> Iterator[Draft]:
        """`{hazard_ratio: 0,67}` is read as 0 and a key 67: the number with its point, or without the mark of thousands."""
        if entry.key is None or not re.fullmatch(r"\d+%?", key):
            return
        line, column = self.draft.line(entry.key.line), entry.key.column
        before = re.search(r"(\d+),$", line[:column])
        if before is None:
            return
        joined = (f"{before[1]}.{key}", f"{before[1]}{key}")
        ways = joined[::-1] if len(key) == 3 and before[1] != "0" else joined
        for number in ways:
            span = dataclasses.replace(entry.key, column=column - len(before[0]))
            yield self.draft.replaced(span, number)

    def _other_values(self, problem: Problem, entry: Entry) -> Iterator[Draft]:
        at, source = problem.at, self.draft.piece(entry.value)
        if entry.is_block:
            return
        text = source[1:-1] if entry.is_quoted else source
        kind = kind_at(self.root, at)
        is_list = getattr(kind, "__origin__", None) is list
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        if (said := next(filter(None, (form.search(problem.message) for form in _SAID)), None)) is not None:
            yield self.draft.replaced(entry.value, said[1])
            return
        words = _allowed_words(problem.message)
        if source[:1] not in "[{":
            yield from (
                self.draft.replaced(entry.value, name) for name in (*self._labelled(text, words), *nearest_names(text, words))
            )
        elif source[:1] == "[" and words:
            yield from self._items(at, words)
        found = (self._of_arm(at, value) for value in values(text, source, self.unit, at[-1] == "ci", is_list))
        yield from (self.draft.replaced(entry.value, value) for value in dict.fromkeys(found) if value not in (source, ""))
        if is_section and source[:1] not in "[{":
            yield from (self.draft.replaced(entry.value, value) for value in sections(text, self.unit))
            if at[0] in ("arms", "citation"):
                yield from (self.draft.replaced(entry.value, value) for value in described(text))
        for value, more in with_more(text, self.unit):
            yield self.draft.replaced(entry.value, value + self._further(entry, more))

    def _of_arm(self, at: KeyPath, value: str) -> str:
        """A count without its denominator where that is the whole arm."""
        size = _value(self.tree, ("arms", at[-1], "n"))
        return value.replace(f", evaluable: {size}", "") if isinstance(size, str) else value

    def _labelled(self, text: str, words: Sequence[str]) -> list[str]:
        """The endpoint of a label."""
        labels = {name: _value(self.tree, ("endpoints", name, "label")) for name in words}
        return [name for name, label in labels.items() if isinstance(label, str) and label.lower() == text.strip().lower()]

    def _items(self, at: KeyPath, words: Sequence[str]) -> Iterator[Draft]:
        """A list with one of its names as it is spelt elsewhere."""
        items = [path for path in self.draft.entries if path[:-1] == at]
        for path in items:
            span = self.draft.entries[path].value
            name = self.draft.piece(span)
            if name not in words:
                yield from (self.draft.replaced(span, found) for found in nearest_names(name, words))

    def _further(self, entry: Entry, more: Mapping[str, str]) -> str:
        """Entries beside one, as it is written."""
        column = entry.key.column if entry.key is not None else 0
        joint = ", " if entry.is_flow else "\n" + " " * column
        return "".join(f"{joint}{key}: {value}" for key, value in more.items())


def _value(tree: Any, at: KeyPath) -> Any:
    """What stands at a path of a tree; None where nothing does."""
    for part in at:
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


def _allowed_words(message: str) -> list[str]:
    """The names that a message lists as allowed."""
    found = _ALLOWED.search(message)
    words = re.split(r",\s*|\s+or\s+", found["words"]) if found is not None else []
    return [word.strip().strip("'\"") for word in words if _NAME.fullmatch(word.strip().strip("'\""))]
