"""`MultiArmStudy`, and the arms that a file has: how many, which is the reference, which pairs are compared."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import StudyError
from retrial.study.arms.names import ArmNames
from retrial.study.arms.schema import below, has_arms, options, reserved, section_for
from retrial.study.arms.views import UNLABELLED, View, comparisons_of, sides_of
from retrial.study.problems import KeyPath, Problem, listed, shown
from retrial.study.study import Study

COMPARISONS = "comparisons"
MAX_ARMS = 12
"""More arms than that no paper compares; the pairs of them are all checked."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LIKE_A_ROLE = re.compile(rf"({CONTROL}|{EXPERIMENTAL})[_-]?\w*")


Check = Callable[[dict[str, Any], dict[str, Any]], tuple[Study | None, list[Problem]]]
"""Reads a tree of control and experimental; the second tree is the first as it was written."""


@dataclass(frozen=True)
class MultiArmStudy:
    """A study of three or more arms: views of two of them, each a `Study`.

    arms   names in the file's order, the reference first
    whole  the reference and the first other arm, with the totals and tests of all arms
    pairs  the comparisons, reference first; `every`: also those that the file does not ask for; `singles`: each arm by itself
    told   effects that do not say their arms, and the comparison that their own words tell
    """

    arms: tuple[str, ...]
    whole: Study
    pairs: tuple[Study, ...]
    every: tuple[Study, ...]
    singles: tuple[Study, ...]
    told: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None

    @property
    def title(self) -> str:
        return self.whole.title

    @property
    def endpoints(self) -> Mapping[str, Any]:
        """Endpoints by key, each with what the file says of the reference and the first other arm."""
        return self.whole.endpoints

    def comparisons(self) -> tuple[Study, ...]:
        """The two-arm studies that are analysed."""
        return self.pairs

    def read_from(self, path: Path) -> MultiArmStudy:
        """The same study, which remembers its file."""
        pairs, every, singles = (tuple(one.read_from(path) for one in some) for some in (self.pairs, self.every, self.singles))
        return replace(self, whole=self.whole.read_from(path), pairs=pairs, every=every, singles=singles, file=path)


Checked = tuple[Study | MultiArmStudy | None, list[Problem]]


def arms_of(tree: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the arms, the reference (`control`, else the first) in front; control and experimental where the file names none.

    A file that lists one of these two alone, counts its patients and says nothing of the other is of one arm.
    """
    listed_arms = tree.get("arms")
    names = list(listed_arms) if isinstance(listed_arms, dict) else []
    if not names or names == [EXPERIMENTAL, CONTROL]:
        return ARMS
    if len(names) == 1 and names[0] in ARMS:
        used = set(_used(tree, Study))
        endpoints = tree.get("endpoints")
        listed_endpoints = endpoints.values() if isinstance(endpoints, dict) else ()
        files = any(isinstance(item, dict) and item.get("patients") for item in listed_endpoints)
        return (names[0],) if used == {names[0]} and not files and not _treated(tree) else ARMS
    return tuple(sorted(names, key=lambda name: name != CONTROL))


def _treated(tree: Mapping[str, Any]) -> bool:
    effects = tree.get("effects")
    return any(
        isinstance(one, dict) and set(sides_of(one, ARMS)) & set(ARMS)
        for one in (effects.values() if isinstance(effects, dict) else ())
    )


def _used(node: Any, kind: Any) -> Iterator[str]:
    """Roles that a file counts patients of, outside `arms`."""
    if not isinstance(node, dict):
        return
    section = section_for(kind, list(node))
    if section is None:
        return
    for key, item in node.items():
        if has_arms(section) and key in ARMS:
            yield key
        for one in options(below(section, key)) if key != "arms" else ():
            yield from _used(item, one)


def problems_of_arms(tree: Mapping[str, Any], arms: Sequence[str]) -> list[Problem]:
    """What is wrong with the arms' names, the comparisons asked for, and the arms that effects and tests name."""
    found = [*_bad_names(arms), *_bad_comparisons(tree, arms)]
    effects = tree.get("effects")
    for key, node in (effects if isinstance(effects, dict) else {}).items():
        if isinstance(node, dict):
            found += [Problem(("effects", key, *at), words) for at, words in _bad_sides(node, arms)]
    found += [Problem(at, words) for at, words in _bad_tests(tree, arms, ())]
    return found


def _bad_names(arms: Sequence[str]) -> Iterator[Problem]:
    taken = {*reserved(), TOTAL}
    for name in arms:
        if not _NAME.fullmatch(name):
            words = "a name of up to 64 letters, digits, _ and -, first a letter or digit (print it in label)"
            yield Problem(("arms", name), f"got an arm called {shown(name)}; allowed is {words}")
        elif name in taken and len(arms) > 1:
            yield Problem(("arms", name), f"got {shown(name)}, a key of other things; allowed is another name of an arm")
    if len(arms) > MAX_ARMS:
        yield Problem(("arms",), f"got {len(arms)} arms; allowed are up to {MAX_ARMS}")


def _bad_comparisons(tree: Mapping[str, Any], arms: Sequence[str]) -> Iterator[Problem]:
    asked = tree.get(COMPARISONS)
    if asked is None and COMPARISONS not in tree:
        return
    allowed = f"a list of pairs, numerator first, such as [[{arms[-1]}, {arms[0]}]], of the arms {listed(arms)}"
    if not isinstance(asked, list) or not asked:
        yield Problem((COMPARISONS,), f"got {shown(asked)}; allowed is {allowed}")
        return
    for number, pair in enumerate(asked):
        names = [name for name in pair if isinstance(name, str)] if isinstance(pair, list) else []
        if not (isinstance(pair, list) and len(pair) == len(set(names)) == len(ARMS) and set(names) <= set(arms)):
            got = f"[{listed([str(name) for name in pair])}]" if isinstance(pair, list) else shown(pair)
            yield Problem((COMPARISONS, number), f"got {got}; allowed is {allowed}")


def _bad_sides(node: Mapping[str, Any], arms: Sequence[str]) -> Iterator[tuple[KeyPath, str]]:
    """An effect is of two arms of the study, or of two groups of which none is an arm."""
    numerator, denominator = sides_of(node, arms)
    allowed = f"two of the arms {listed(arms)}, or two names that are no arm"
    if len(arms) == 1 and (numerator is None or denominator is None):
        yield (
            (),
            f"got an effect of the treatment in a study of one arm ({arms[0]}); allowed are two names of groups that are no arm",
        )
        return
    for key, side in (("numerator", numerator), ("denominator", denominator)):
        if side is None:
            words = (
                f"missing; in a study of {len(arms)} arms an effect names its two: numerator and denominator of {listed(arms)}"
            )
            yield (key,), words
    if not (isinstance(numerator, str) and isinstance(denominator, str)):
        return
    strange = [side for side in (numerator, denominator) if side not in arms]
    if len(strange) == 1 or (len(arms) == 1 and not strange):
        got = strange[0] if strange else arms[0]
        key = "numerator" if got == numerator else "denominator"
        yield (key,), f"got {shown(got)}, which is no arm of the study, beside an arm; allowed are {allowed}"
    for key, side in (("numerator", numerator), ("denominator", denominator)):
        if len(strange) == len(ARMS) and _LIKE_A_ROLE.fullmatch(side):
            yield (key,), f"got {shown(side)}, which is no arm of the study; allowed are {allowed}"


def _bad_tests(node: Any, arms: Sequence[str], at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """{arm / arm: p} whose pairs are not all of the study's arms."""
    if not isinstance(node, dict):
        return
    for key, item in node.items():
        if key in ("p", "chi_square") and isinstance(item, dict):
            for pair in comparisons_of(item, arms):
                allowed = f"two of the arms {listed(arms)}, such as {arms[-1]} / {arms[0]}"
                yield (*at, key, pair), f"got {shown(pair)}; allowed are {allowed}"
        else:
            yield from _bad_tests(item, arms, (*at, key))


def nodes_of(tree: Mapping[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """What a tree has at each arm; None where the arm, or all of them, were refused."""
    nodes = tree.get("arms")
    return {arm: nodes.get(arm) if isinstance(nodes, dict) else None for arm in arms}


def with_sides(tree: dict[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """The tree whose effects say their arms, where their own words tell.

    In a study of more than two arms an effect without `numerator` and `denominator` is that of the arm whose own word (one that no other
    arm has) stands in the effect's key or label, over the reference: "os_10mg" of the arm "drug 10 mg". All such effects of one endpoint,
    measure and adjustment must be told apart, by the arms' labels or by their names; where neither does, or both do and differ, they stay
    as they are, and are refused.
    """
    effects = tree.get("effects")
    if len(arms) <= len(ARMS) or not isinstance(effects, dict):
        return tree
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, node in effects.items():
        if isinstance(node, dict) and "numerator" not in node and "denominator" not in node:
            measure = next((name for name in ("hazard_ratio", "odds_ratio", "risk_ratio") if name in node), "")
            groups.setdefault((str(node.get("endpoint")), measure, str(node.get("adjusted_for"))), []).append(key)
    nodes = nodes_of(tree, arms)
    labels = {arm: str(node.get("label", "")) if isinstance(node, dict) else "" for arm, node in nodes.items()}
    told: dict[str, str] = {}
    for keys in groups.values():
        asked = {key: _words(f"{key} {effects[key].get('label', '')}") for key in keys}
        found = [read for called in (labels, {arm: arm for arm in arms}) if (read := _told_apart(asked, called, arms[0]))]
        told |= found[0] if found and all(read == found[0] for read in found) else {}
    named = {key: {**effects[key], "numerator": arm, "denominator": arms[0]} for key, arm in told.items()}
    return {**tree, "effects": {**effects, **named}}


def _told_apart(asked: Mapping[str, set[str]], called: Mapping[str, str], reference: str) -> dict[str, str]:
    """The arm of each effect, beside the reference, by what the arms are called; empty where one has none or shares it."""
    words = {arm: _words(text) for arm, text in called.items()}
    own = {arm: words[arm] - set().union(*(words[other] for other in words if other != arm)) for arm in words}
    found = {key: [arm for arm in own if arm != reference and own[arm] & mine] for key, mine in asked.items()}
    clear = all(len(some) == 1 for some in found.values()) and len({some[0] for some in found.values()}) == len(found)
    return {key: some[0] for key, some in found.items()} if clear else {}


def _words(text: str) -> set[str]:
    return set(re.findall(r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]{2,}", text.lower()))


def own_texts(tree: Any) -> tuple[str, ...]:
    """Texts of the file in which a role's word stands, longest first."""
    found = {text for text in _texts(tree) if CONTROL in text or EXPERIMENTAL in text}
    # a report calls what has no label by its key, in words
    found |= {text for key in found for text in (key.replace("_", " "), key.replace("_", " ").capitalize())}
    return tuple(sorted({*found, *UNLABELLED.values()} - set(ARMS), key=lambda text: (-len(text), text)))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node
        for item in node.values():
            yield from _texts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, str):
        yield node


def read_arms(tree: dict[str, Any], written: dict[str, Any], check: Check) -> Checked:
    """The study of a tree, whatever its arms; `written` is the tree before parts of it were refused.

    `check` reads a tree of control and experimental; its second argument is the same of `written`.
    """
    arms = arms_of(written)
    if set(arms) == set(ARMS) and COMPARISONS not in tree:
        return check(tree, written)
    said, (tree, written) = tree, (with_sides(one, arms) for one in (tree, written))
    problems = problems_of_arms(tree, arms)
    if any(problem.at[0] in ("arms", COMPARISONS) for problem in problems):
        return None, problems
    asked, texts = tree.get(COMPARISONS), own_texts(written)
    tree, written = ({key: item for key, item in one.items() if key != COMPARISONS} for one in (tree, written))
    pairs = [(arms[0], "")] if len(arms) == 1 else list(itertools.combinations(arms, 2))
    names = [ArmNames(pair[0], pair[1], _called([arm for arm in arms if arm not in pair], tree), texts) for pair in pairs]
    views = [View(arms, mine, first=number == 0) for number, mine in enumerate(names)]
    many = len(arms) > len(ARMS)
    whole = [View(arms, names[0], whole=True)] if many else []
    alone = [View(arms, ArmNames(arm, "", (), texts), first=False) for arm in arms] if many else []
    read = []
    for view in [*views, *alone, *whole]:
        study, found = check(view.tree(tree), view.tree(written))
        seen = {problem.at for problem in problems}
        problems += [one for item in found if (one := _in_file(item, view)).at not in seen and not _of_view(item, view)]
        read += [] if study is None else [study.called(view.names)]
    if problems or len(read) < len(views) + len(alone) + len(whole):
        return None, problems
    if not whole:
        as_asked = len(arms) == 1 or _as_asked(names[0], asked)
        return read[0] if as_asked else _turned(names[0], tree, written, arms, check), []
    every, singles = tuple(read[: len(views)]), tuple(read[len(views) : -1])
    chosen = [study for study in every if asked is None or _is_asked(study.names, asked)]
    turned = [study if _as_asked(study.names, asked) else _turned(study.names, tree, written, arms, check) for study in chosen]
    return MultiArmStudy(arms, read[-1], tuple(turned), every, singles, _told(said, tree)), []


def _called(others: Sequence[str], tree: Mapping[str, Any]) -> tuple[str, ...]:
    """What arms are called: their names, their labels, and what files of patients have for them."""
    found = list(others)
    found += [str(node["label"]) for node in nodes_of(tree, others).values() if isinstance(node, dict) and node.get("label")]
    endpoints = tree.get("endpoints")
    for endpoint in endpoints.values() if isinstance(endpoints, dict) else ():
        patients = endpoint.get("patients") if isinstance(endpoint, dict) else None
        labels = patients.get("arms") if isinstance(patients, dict) else None
        found += [key for key, arm in labels.items() if arm in others] if isinstance(labels, dict) else []
    return tuple(dict.fromkeys(found))


def _told(said: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, str]:
    """Effects whose arms the program read from their words, each with its comparison."""
    effects, before = tree.get("effects") or {}, said.get("effects") or {}
    found = {key: node for key, node in effects.items() if node is not before[key]}
    return {key: f"{node['numerator']} / {node['denominator']}" for key, node in found.items()}


def _is_asked(names: ArmNames, asked: Sequence[Sequence[str]]) -> bool:
    return any({names.control, names.experimental} == set(pair) for pair in asked)


def _as_asked(names: ArmNames, asked: Sequence[Sequence[str]] | None) -> bool:
    return asked is None or [names.experimental, names.control] in [list(pair) for pair in asked]


def _turned(names: ArmNames, tree: dict[str, Any], written: dict[str, Any], arms: tuple[str, ...], check: Check) -> Study:
    """The comparison with the other arm as its reference."""
    turned = replace(names, control=names.experimental, experimental=names.control)
    view = View(arms, turned, first=False)
    study, problems = check(view.tree(tree), view.tree(written))
    if study is None:
        raise StudyError("cannot turn a comparison round", [str(problem) for problem in problems])
    return study.called(turned)


def _of_view(problem: Problem, view: View) -> bool:
    """Whether the problem is the view's alone: a number of all arms that does not suit two of them, nobody in the arm that is not there."""
    of_all = view.whole and " patients; allowed is at most " in problem.message
    return of_all or (view.one_arm and problem.at == ("arms", EXPERIMENTAL, "n"))


def _in_file(problem: Problem, view: View) -> Problem:
    """A problem of two arms as one of the file."""
    names = view.names
    path = names.path(".".join(str(part) for part in problem.at)).split(".") if problem.at else []
    at = tuple(part if isinstance(part, int) else new for part, new in zip(problem.at, path, strict=False))
    words = names.prose(problem.message)
    listed_pair = f"{names.control}, {names.experimental}".removesuffix(", ")
    return Problem(tuple(_known(part) for part in at), words.replace(listed_pair, ", ".join(view.arms)))


def _known(part: str | int) -> str | int:
    return part.removesuffix(" (no arm)") if isinstance(part, str) else part
