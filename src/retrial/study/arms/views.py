"""The tree of a study file as the tree of two of its arms: sections restricted to them, their names turned into roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.study.arms.names import ArmNames
from retrial.study.arms.schema import below, entries, has_arms, is_section, names_an_arm, options, section_for
from retrial.study.sections import Arms, BaselineVariable, Effect, TestRow, UnadjustedTest
from retrial.study.study import Study

GONE = object()
"""Stands for an entry that says nothing of the two arms."""
_TESTS = ("p", "chi_square", "sides")
_PAIR = re.compile(r"\s*(?P<first>\S+)\s*(?:/|\bvs?\.?(?=\s))\s*(?P<second>\S+)\s*")
_NOBODY = "0"
"""Patients of the arm that a study of one arm does not have."""
_NO_ARM = " (no arm)"
UNLABELLED = {role: f"arm {role}" for role in ARMS}
"""What an arm that is called like a role, but may have another, is called where it has no label."""


@dataclass(frozen=True)
class View:
    """Two arms of a study's tree.

    arms      every arm of the file in its order
    names     which of them have the roles; in a study of one arm `experimental` is empty, and its counts are 0 of 0
    first     whether what belongs to no pair (a covariate's effects, their tests) is told here
    whole     whether tests and totals of all arms are kept although there are more than these two
    """

    arms: tuple[str, ...]
    names: ArmNames
    first: bool = True
    whole: bool = False

    @property
    def one_arm(self) -> bool:
        return not self.names.experimental

    @property
    def many(self) -> bool:
        return len(self.arms) > len(ARMS)

    @property
    def only_pair(self) -> bool:
        """Whether tests and totals of all arms are left out: they are not of one arm, and not of two of more."""
        return self.one_arm or (self.many and not self.whole)

    def tree(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """The file's tree, of these two arms."""
        found = self._section(tree, Study)
        return _without_models_of_others(found, tree) if isinstance(found, dict) else {}

    def _value(self, node: Any, kind: Any) -> Any:
        if kind is None:
            return node
        if isinstance(node, dict):
            section = section_for(kind, [self.names.roles.get(str(key), str(key)) for key in node])
            if section is None:
                return node
            return self._section(node, section) if is_section(section) else self._mapping(node, section)
        if isinstance(node, list) and (entry := entries(kind)) is not None:
            return [value for item in node if (value := self._value(item, entry)) is not GONE]
        if any(names_an_arm(one) for one in options(kind)) and node in self.arms:
            return self.names.roles.get(node, GONE)
        return node

    def _mapping(self, node: dict[str, Any], kind: Any) -> Any:
        """A mapping of names of the file's own; gone where all of its entries are."""
        entry = below(kind, "")
        found = {key: value for key, item in node.items() if (value := self._value(item, entry)) is not GONE}
        return GONE if node and not found else found

    def _section(self, node: Mapping[str, Any], kind: Any) -> Any:
        node = self._tests(node, kind)
        if node is GONE or (kind is Effect and (node := self._effect(node)) is GONE):
            return GONE
        found: dict[str, Any] = {}
        for key, item in node.items():
            role = self.names.roles.get(key) if has_arms(kind) else None
            if role is None and has_arms(kind) and (key in self.arms or (key == TOTAL and self.only_pair)):
                continue  # another arm, or the sum of all
            # a role's word that is no arm of this study must not be taken for one: it becomes a key that nobody knows
            name = role or (f"{key}{_NO_ARM}" if has_arms(kind) and key in ARMS else key)
            value = self._value(item, below(kind, name))
            if value is not GONE:
                found[name] = value
            elif is_section(kind) and key in kind.model_fields and kind.model_fields[key].is_required():
                return GONE
        return self._completed(node, found, kind)

    def _completed(self, node: Mapping[str, Any], found: dict[str, Any], kind: Any) -> Any:
        """With the second arm of a study that has one, and gone where a pair needs both arms and the file has one of them."""
        if kind is Study and self.only_pair:
            found.pop(TOTAL, None)
        if not has_arms(kind):
            return found
        if self.one_arm:
            return self._with_nobody(node, found, kind)
        if kind is Arms and not (self.names.are_roles and not self.many):
            for role in ARMS:
                _label(found, role, self.names.of(role))
        needed = [arm for arm in ARMS if kind.model_fields[arm].is_required() or kind is BaselineVariable]
        absent = [arm for arm in needed if arm not in found]
        given = sum(arm in node for arm in self.arms)
        # one arm's number alone, or a key that is no arm, is refused as in a study of two arms
        if self.many and absent and given >= len(ARMS) and not any(key.endswith(_NO_ARM) for key in found):
            return GONE if kind is not BaselineVariable or "levels" not in found else found
        return found

    def _with_nobody(self, node: Mapping[str, Any], found: dict[str, Any], kind: Any) -> Any:
        if kind is BaselineVariable and "levels" not in found:
            return GONE  # a mean of nobody does not exist
        if kind is Arms:
            found[EXPERIMENTAL] = {"n": _NOBODY}
            _label(found, CONTROL, self.names.control)
        elif kind.model_fields[EXPERIMENTAL].is_required():
            if CONTROL not in found and any(arm in node for arm in self.arms):
                return GONE
            found[EXPERIMENTAL] = _NOBODY
        return found

    def _tests(self, node: Mapping[str, Any], kind: Any) -> Any:
        """Without tests that compare other arms than these: one arm's, or all arms' where there are more than two."""
        if kind is TestRow and (self.many or self.one_arm):
            if not self.first:
                return GONE
            groups = {"groups": str(len(self.arms))} if node.get("treatment") is True and self.many else {}
            return {**groups, **{key: item for key, item in node.items() if key != "treatment"}}
        if not (has_arms(kind) or kind is UnadjustedTest):
            return node
        of_two = not self.only_pair or (
            not self.one_arm and kind is not UnadjustedTest and sum(arm in node for arm in self.arms) == len(ARMS)
        )
        mine = {key: self._test(node[key], of_two) for key in ("chi_square", "p") if key in node}
        if "sides" in node and (mine.get("p", GONE) is not GONE or of_two):
            mine["sides"] = node["sides"]
        kept = {key: mine.get(key, GONE) if key in _TESTS else item for key, item in node.items()}
        return {key: item for key, item in kept.items() if item is not GONE}

    def _test(self, item: Any, of_two: bool) -> Any:
        if _pairs(item):
            return GONE if self.whole else self.test_of_pair(item)
        return item if of_two else GONE

    def test_of_pair(self, item: Any) -> Any:
        """Of {arm / arm: number} the number of these two; gone where the pair has none."""
        wanted = {self.names.control, self.names.experimental}
        return next((value for pair, value in _pairs(item).items() if set(pair) == wanted), GONE)

    def _effect(self, node: Mapping[str, Any]) -> Any:
        """A treatment effect in the pair that it is of, any other in the first."""
        numerator, denominator = sides_of(node, self.arms)
        roles = self.names.roles
        if numerator in roles and denominator in roles:
            return {**node, "numerator": roles[numerator], "denominator": roles[denominator]}
        if not self.first or {numerator, denominator} <= set(self.arms):
            return GONE
        strange = numerator in self.arms or denominator in self.arms
        # arms that are not both there are refused elsewhere; what else is wrong with the effect is found here
        return {key: item for key, item in node.items() if key not in ("numerator", "denominator")} if strange else node


def _without_models_of_others(found: dict[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """Without multivariable models one of whose ratios compares other arms: what is left of them is no model of the paper."""
    models, written, mine = (part.get(key) for part, key in ((found, "multivariable"), (tree, "effects"), (found, "effects")))
    if not isinstance(models, dict) or not isinstance(written, dict):
        return found
    gone = set(written) - set(mine if isinstance(mine, dict) else {})
    kept = {key: model for key, model in models.items() if not gone & set(_effects_of(model))}
    return {key: kept if key == "multivariable" else item for key, item in found.items()}


def _effects_of(model: Any) -> Iterator[str]:
    """Keys of the ratios that a multivariable model names, as far as it is well formed."""
    covariates = model.get("covariates") if isinstance(model, dict) else None
    for item in covariates.values() if isinstance(covariates, dict) else ():
        yield from (name for key in ("effect", "unadjusted") if isinstance(item, dict) and isinstance(name := item.get(key), str))


def _label(arms: dict[str, Any], role: str, name: str) -> None:
    """An arm without a label is called by its name."""
    if isinstance(arms.get(role), dict) and not arms[role].get("label"):
        arms[role] = {**arms[role], "label": UNLABELLED.get(name, name)}


def _pairs(item: Any) -> dict[tuple[str, str], Any]:
    """Of a mapping whose places are comparisons ("a / b", "a vs b") the pairs of names; empty for other values."""
    if not isinstance(item, dict):
        return {}
    found = {key: _PAIR.fullmatch(key) for key in item}
    return {(match["first"], match["second"]): item[key] for key, match in found.items() if match is not None}


def comparisons_of(item: Any, arms: Sequence[str]) -> Iterator[str]:
    """Keys of a mapping of comparisons that name what is no arm, where another key of it names two arms."""
    pairs = _pairs(item)
    if any(set(pair) <= set(arms) for pair in pairs):
        yield from (key for key in item if (match := _PAIR.fullmatch(key)) is None or not {*match.groups()} <= set(arms))


def sides_of(node: Mapping[str, Any], arms: Sequence[str]) -> tuple[Any, Any]:
    """Numerator and denominator of an effect; in a study of two arms the second over the first where the file does not say."""
    # what is no text is no arm: it stays in the file's tree, and is refused there
    said = (node.get("numerator"), node.get("denominator"))
    numerator, denominator = (side if side is None or isinstance(side, str) else str(side) for side in said)
    if len(arms) != len(ARMS):
        return numerator, denominator
    if numerator is None:
        numerator = arms[1] if denominator != arms[1] else arms[0]
    if denominator is None:
        denominator = arms[0] if numerator != arms[0] else arms[1]
    return numerator, denominator
