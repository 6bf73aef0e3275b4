"""`EvidenceTable`: published effects or responses as rows with their source, what was left out and which papers hang together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy import stats

from retrial.errors import PriorError

VERIFIED = ("source", "secondary", "memory", "derived")
"""How a number was checked: read at its source, in a secondary source, quoted from memory, derived from printed numbers."""
STUDIES = "studies"
"""Key of a table, or of a prior set, whose evidence is about the treatment of certain studies only: their names."""
_KEYS = ("description", STUDIES, "rows", "dependent", "excluded")
_CI_LEVEL = 0.975
_ROW_KEYS = ("label", "source", "verified", "design", "note", "criteria", "n", "events")


@dataclass(frozen=True, slots=True)
class Effect:
    """A log ratio and its standard error, and how it came about."""

    log_ratio: float
    se: float
    note: str = ""


@dataclass(frozen=True)
class EvidenceRow:
    """One publication: log ratios by outcome, and counts (`events` of `n`) by outcome."""

    key: str
    label: str
    source: str
    verified: str
    effects: Mapping[str, Effect]
    counts: Mapping[str, tuple[int, int]]
    criteria: str = ""
    note: str = ""


@dataclass(frozen=True)
class Dependence:
    """Rows that share patients or authors: one is chosen, or they are merged as wholly dependent."""

    rows: tuple[str, ...]
    choose: str
    why: str


@dataclass(frozen=True)
class EvidenceTable:
    """A table of evidence. `excluded` maps a publication to the reason it is not used."""

    name: str
    description: str
    rows: Mapping[str, EvidenceRow]
    dependent: tuple[Dependence, ...]
    excluded: Mapping[str, str]

    def effects(self, outcome: str, place: str) -> dict[str, Effect]:
        """Independent effects of an outcome: of each dependent group the chosen one, or their merger.

        A merger is the inverse-variance mean with the standard error Σ w_i s_i of perfectly correlated estimates: never smaller than if the papers
        were one.
        """
        known = {name: row.effects[outcome] for name, row in self.rows.items() if outcome in row.effects}
        if not known:
            allowed = sorted({name for row in self.rows.values() for name in row.effects})
            raise PriorError(
                f"cannot use the prior {place}", [f"{place}.outcome: got {outcome!r}; the table has {', '.join(allowed)}"]
            )
        for group in self.dependent:
            inside = [name for name in group.rows if name in known]
            if len(inside) < 2:
                continue
            if group.choose == "merge":
                name, effect = " + ".join(inside), _merged([known[item] for item in inside])
            else:
                name = group.choose if group.choose in inside else inside[0]
                effect = known[name]
            known = {key: value for key, value in known.items() if key not in inside} | {name: effect}
        return known

    def counts(self, outcome: str) -> dict[str, tuple[int, int]]:
        """(events, n) of an outcome by publication."""
        return {name: row.counts[outcome] for name, row in self.rows.items() if outcome in row.counts}


def _merged(effects: list[Effect]) -> Effect:
    weights = [1 / effect.se**2 for effect in effects]
    total = sum(weights)
    mean = sum(w * e.log_ratio for w, e in zip(weights, effects, strict=True)) / total
    se = sum(w * e.se for w, e in zip(weights, effects, strict=True)) / total
    return Effect(mean, se, "merged as wholly dependent")


def parse_evidence(raw: Any, name: str, key: str) -> EvidenceTable:
    """Read a table from YAML; all problems at once (`PriorError`).

    studies: [NAME, ..], which the evidence is about (all where it is left out);
    rows: {KEY: {label, source, verified, effects: {OUTCOME: {ratio, ci: [low, high]} or {log_ratio, se}}, counts: {OUTCOME: [events, n]}}};
    dependent: [{rows: [..], choose: KEY or merge, why: ..}]; excluded: {KEY: reason}.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("rows"), Mapping) or not raw["rows"]:
        raise PriorError(f"cannot use the evidence {key}", [f"{key}.rows: missing; needed are publications by key"])
    problems: list[str] = [f"{key}.{item}: unknown; allowed are {', '.join(_KEYS)}" for item in raw if item not in _KEYS]
    named_studies(raw, key, problems)
    rows = {str(item): _row(str(item), value, f"{key}.rows.{item}", problems) for item, value in raw["rows"].items()}
    dependent = tuple(
        _dependence(item, f"{key}.dependent.{i}", rows, problems) for i, item in enumerate(raw.get("dependent") or [])
    )
    if problems:
        raise PriorError(f"cannot use the evidence {key}", problems)
    excluded = {str(item): str(why) for item, why in (raw.get("excluded") or {}).items()}
    return EvidenceTable(name, str(raw.get("description", "")), rows, dependent, excluded)


def named_studies(raw: Mapping[str, Any], key: str, problems: list[str]) -> None:
    """Add a problem where `studies` is not a list of names."""
    said = raw.get(STUDIES)
    if said is not None and not (isinstance(said, (list, tuple)) and all(isinstance(item, str) for item in said)):
        problems.append(f"{key}.{STUDIES}: got {said!r}; allowed is a list of names of studies, or null for all")


def _row(name: str, raw: Any, key: str, problems: list[str]) -> EvidenceRow:
    if not isinstance(raw, Mapping):
        problems.append(f"{key}: got {raw!r}; allowed is a mapping with a source, and effects or counts")
        raw = {}
    allowed = (*_ROW_KEYS, "effects", "counts")
    problems += [f"{key}.{item}: unknown; allowed are {', '.join(allowed)}" for item in raw if item not in allowed]
    if not raw.get("source"):
        problems.append(f"{key}.source: missing; needed to trace the row")
    if raw.get("verified") not in VERIFIED:
        problems.append(f"{key}.verified: got {raw.get('verified')!r}; allowed are {', '.join(VERIFIED)}")
    effects = {str(item): _effect(value, f"{key}.effects.{item}", problems) for item, value in (raw.get("effects") or {}).items()}
    counts = {str(item): _count(value, f"{key}.counts.{item}", problems) for item, value in (raw.get("counts") or {}).items()}
    if not effects and not counts:
        problems.append(f"{key}: no effects and no counts; allowed is one of them at least (or move it to excluded)")
    label, source, verified = (str(raw.get(item, "")) for item in ("label", "source", "verified"))
    return EvidenceRow(
        name, label or name, source, verified, effects, counts, str(raw.get("criteria", "")), str(raw.get("note", ""))
    )


def _effect(raw: Any, key: str, problems: list[str]) -> Effect:
    raw = raw if isinstance(raw, Mapping) else {}
    note = str(raw.get("note", ""))
    if {"log_ratio", "se"} <= set(raw) and _numbers(raw["log_ratio"], raw["se"]) and raw["se"] > 0:
        return Effect(float(raw["log_ratio"]), float(raw["se"]), note)
    ci = raw.get("ci")
    if isinstance(ci, (list, tuple)) and len(ci) == 2 and _numbers(raw.get("ratio"), *ci) and 0 < ci[0] < raw["ratio"] < ci[1]:
        se = (math.log(ci[1]) - math.log(ci[0])) / (2 * float(stats.norm.ppf(_CI_LEVEL)))
        return Effect(math.log(raw["ratio"]), se, note)
    problems.append(
        f"{key}: got {dict(raw)!r}; allowed are {{ratio, ci: [low, high]}} with 0 < low < ratio < high, or {{log_ratio, se}} with se > 0"
    )
    return Effect(0.0, 1.0)


def _count(raw: Any, key: str, problems: list[str]) -> tuple[int, int]:
    if isinstance(raw, (list, tuple)) and len(raw) == 2 and all(type(item) is int for item in raw) and 0 <= raw[0] <= raw[1] > 0:
        return raw[0], raw[1]
    problems.append(f"{key}: got {raw!r}; allowed is [events, n], whole numbers with 0 <= events <= n")
    return 0, 1


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in values)


def _dependence(raw: Any, key: str, rows: Mapping[str, Any], problems: list[str]) -> Dependence:
    raw = raw if isinstance(raw, Mapping) else {}
    members = tuple(str(item) for item in raw.get("rows") or ())
    unknown = [item for item in members if item not in rows]
    if len(members) < 2 or unknown:
        problems.append(f"{key}.rows: got {list(members)}; allowed are two or more of {', '.join(rows)}")
    choice = str(raw.get("choose", ""))
    if choice not in (*members, "merge"):
        problems.append(f"{key}.choose: got {choice!r}; allowed are {', '.join(members)}, merge")
    return Dependence(members, choice, str(raw.get("why", "")))
