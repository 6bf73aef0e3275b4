"""A study file to a `Study`, or one error that lists everything wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from retrial.errors import StudyError
from retrial.study.arms.many import MultiArmStudy, read_arms
from retrial.study.consistency import problems_of
from retrial.study.corrections.keys import allowed_keys
from retrial.study.problems import UNKNOWN_KEY, Clash, KeyPath, Problem, shown
from retrial.study.study import Study
from retrial.study.text.files import read_text
from retrial.study.text.plain import text_problems
from retrial.study.yaml_text import not_a_mapping, not_yaml, parse_yaml_text

_ALLOWED = {
    "model_type": "a mapping of keys to values; leave the key out when there is nothing to say",
    "dict_type": "a mapping of names to values; leave the key out when there is nothing to say",
    "list_type": "a list, such as [a, b]",
    "string_type": "text; put quotes around true, false and null, and leave the key out when there is nothing to say",
    "string_pattern_mismatch": "a name of up to 64 letters, digits, _ and -, first a letter or digit (print it in label)",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""Words for the kinds of error that pydantic reports; its own words serve for the others (literals and whole numbers)."""


def problem_of(item: Any, at: KeyPath) -> Problem:
    """One item of pydantic's report as a `Problem`."""
    kind = item["type"]
    if kind == "missing":
        return Problem(at, "missing; this key is needed")
    if kind == "extra_forbidden":
        return Problem(at, f"{UNKNOWN_KEY}; allowed here are {', '.join(allowed_keys(Study, at[:-1]) or ['no others'])}")
    if kind == "value_error":
        return Problem(at, str(item["ctx"]["error"]))
    allowed = _ALLOWED.get(kind)
    if kind == "too_short":
        least = int(item["ctx"]["min_length"])
        allowed = "at least one entry" if least == 1 else f"at least {least} entries"
    if kind == "literal_error":
        allowed = item["ctx"]["expected"]
    got = shown(item.get("input"))
    return Problem(
        at, f"got {got}; allowed is {allowed}" if allowed else f"got {got}; {item['msg'][:1].lower()}{item['msg'][1:]}"
    )


_MAX_ROUNDS = 40
"""Each round drops what the last one refused, so that the checks behind it are reached too."""
_MAX_LISTED = 100
"""Problems that an error lists; a file with more of them is not a study file."""
_STAND_INS = {"title": "untitled", "control": "0", "experimental": "0"}
"""Put where a needed value was refused, so that its neighbours are still checked; never part of a study that is returned."""


def load_study(path: Path) -> Study | MultiArmStudy:
    """Read and check a study file, of whatever arms. Raises `StudyError` that names every problem with its key path."""
    path = Path(path)
    text = read_text(path)
    try:
        read = _read(text, path.parent)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problems: list[object] = [not_yaml(error)]
    else:
        if read.study is not None and not read.problems:
            return read.study.read_from(path)
        problems = list(read.problems)
    title = f"cannot use the study file {path}"
    raise StudyError(title, _listed(problems), lambda: _listed(_told(text, path.parent)))


def _told(text: str, folder: Path) -> Iterable[object]:
    """The problems of a text with their lines and corrections."""
    # imported here: a file that is right needs no corrections
    from retrial.study.corrections.told import told

    def check(candidate: str) -> tuple[list[Problem], dict[str, Any]] | None:
        try:
            read = _read(candidate, folder)
        except (yaml.YAMLError, ValueError, OverflowError):
            return None
        return read.problems, read.tree

    return told(text, Study, check)


def _listed(items: Iterable[object]) -> list[str]:
    """Each once, the first of them."""
    lines = list(dict.fromkeys(str(item) for item in items))
    return lines[:_MAX_LISTED] + [f"... and {len(lines) - _MAX_LISTED} more"] * (len(lines) > _MAX_LISTED)


@dataclass(frozen=True, slots=True)
class _Read:
    """What a text gives: the study made of its valid parts, all problems, and its tree."""

    study: Study | MultiArmStudy | None
    problems: list[Problem]
    tree: dict[str, Any]


def _read(text: str, folder: Path) -> _Read:
    """A text as a study; raises `yaml.YAMLError` or `ValueError` where it is no YAML."""
    tree, problems = parse_yaml_text(text)
    wrong = not_a_mapping(tree)
    if wrong or not isinstance(tree, dict):
        return _Read(None, [*problems, Problem((), wrong, of_text=True)], {})
    study, problems = _checked(tree, problems, folder)
    return _Read(study, list(dict.fromkeys(problems)), tree)


def _checked(tree: dict[str, Any], problems: list[Problem], folder: Path) -> tuple[Study | MultiArmStudy | None, list[Problem]]:
    """The study made of the valid parts, and all problems: of the text, of the schema, and between sections."""
    rest = copy.deepcopy(tree)
    refused: set[KeyPath] = set()
    problems = [*problems, *text_problems(tree)]
    for problem in problems:
        if not _touched(refused, problem.at):
            refused |= _drop(rest, problem.at)
    study, found = read_arms(rest, tree, lambda mine, named: _checked_pair(mine, named, refused, folder))
    return study, [*problems, *found]


def _checked_pair(
    rest: dict[str, Any], tree: dict[str, Any], refused: Set[KeyPath], folder: Path
) -> tuple[Study | None, list[Problem]]:
    """The study of the arms control and experimental, and its problems beside those that were `refused` before."""
    problems: list[Problem] = []
    gone = set(refused)
    study = _validated(rest, problems, gone)
    if study is not None:
        problems += [problem for problem in problems_of(study, tree, folder) if not _touched(gone, problem.at)]
    return study, problems


def _validated(rest: dict[str, Any], problems: list[Problem], refused: set[KeyPath]) -> Study | None:
    """Validate, dropping what is refused (it goes to `problems` and `refused`), until the rest of the tree is valid."""
    for _ in range(_MAX_ROUNDS):
        try:
            return Study.model_validate(rest, context={"decimal": _decimal(rest)})
        except ValidationError as error:
            items = error.errors(include_url=False)
        entries = [(item, *_entries(item, rest)) for item in items]
        problems += [
            problem_of(item, gone[0]) for item, gone, causes in entries if not any(_touched(refused, at) for at in causes)
        ]
        removed: set[KeyPath] = set()
        for item, gone, _ in entries:
            for at in gone:
                if not _touched(removed, at) and (item["type"] != "missing" or not _fill_in(rest, at)):
                    removed |= _drop(rest, at)
        refused |= removed
    return None


def _decimal(rest: dict[str, Any]) -> str:
    """The decimal mark that the file declares; empty where it declares none that is allowed."""
    declared = rest.get("decimal")
    return declared if declared in (",", ".") else ""


def _entries(item: Any, rest: dict[str, Any]) -> tuple[list[KeyPath], list[KeyPath]]:
    """Entries to give up for one item of pydantic's report, and those whose earlier refusal would have caused it."""
    location = tuple(part for part in item["loc"] if part != "[key]")
    clash = item.get("ctx", {}).get("error")
    if isinstance(clash, Clash):
        given = [(*location, key) for key in clash.at if len(_owners(rest, (*location, key))) > len(location)]
        return given or [location], [(*location, key) for key in (*clash.at, *clash.also)]
    if item["type"] != "missing":
        location = location[: len(_owners(rest, location))]
    return [location], [location]


def _touched(refused: Set[KeyPath], at: KeyPath) -> bool:
    """Whether this entry, or one that held it, was refused."""
    return any(at[:length] in refused for length in range(1, len(at) + 1))


def _owners(rest: dict[str, Any], at: KeyPath) -> list[Any]:
    """The mappings and lists along a key path, as far as the path exists."""
    owners: list[Any] = []
    node: Any = rest
    for part in at:
        is_there = (
            part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if not is_there:
            break
        owners.append(node)
        node = node[part]
    return owners


def _fill_in(rest: dict[str, Any], at: KeyPath) -> bool:
    """Put a stand-in where a needed entry is missing; False where there is none to put."""
    owners = _owners(rest, at[:-1])
    owner = owners[-1][at[-2]] if owners else rest
    if len(owners) < len(at) - 1 or not isinstance(owner, dict) or at[-1] not in _STAND_INS:
        return False
    owner[str(at[-1])] = _STAND_INS[str(at[-1])]
    return True


def _drop(rest: dict[str, Any], at: KeyPath) -> set[KeyPath]:
    """Remove the refused entry, or the nearest one around it that stands in a mapping, and mappings that this empties.

    Gives the paths removed, and the one asked for.
    """
    owners, gone = _owners(rest, at), {at}
    while owners:
        owner, entry = owners.pop(), at[: len(owners) + 1]
        if isinstance(owner, dict):
            del owner[entry[-1]]
            gone.add(entry)
            if owner:
                break
    return gone
