"""`EvidenceTable`: published effects or responses as rows with their source, what was left out and which papers hang together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy import stats

from retrial.errors import PriorError
from retrial.validate import as_list, as_mapping, as_text, is_number

VERIFIED = ("source", "secondary", "memory", "derived")
"""How a number was checked: read at its source, in a secondary source, quoted from memory, derived from printed numbers."""
STUDIES = "studies"
"""Key of a table, or of a prior set, whose evidence is about the treatment of certain studies only: their names."""
_KEYS = ("description", STUDIES, "rows", "dependent", "excluded")
_CI_LEVEL = 0.975
LARGEST_LOG_RATIO, SMALLEST_SE, LARGEST_SE = 20.0, 1e-5, 20.0
"""Of an effect: beyond these a number was mistyped, or is another number."""
MOST_PATIENTS = 10_000_000
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
        got = raw.get("rows") if isinstance(raw, Mapping) else raw
        raise PriorError(
            f"cannot use the evidence {key}", [f"{key}.rows: got {got!r}; needed is a mapping of publications by key"]
        )
    problems: list[str] = [f"{key}.{item}: unknown; allowed are {', '.join(_KEYS)}" for item in raw if item not in _KEYS]
    named_studies(raw, key, problems)
    rows = {str(item): _row(str(item), value, f"{key}.rows.{item}", problems) for item, value in raw["rows"].items()}
    dependent = tuple(
        _dependence(item, f"{key}.dependent.{i}", rows, problems)
        for i, item in enumerate(as_list(raw.get("dependent"), f"{key}.dependent", problems, "groups of rows"))
    )
    said = as_mapping(raw.get("excluded"), f"{key}.excluded", problems, "publications to reasons")
    excluded = {str(item): as_text(why, f"{key}.excluded.{item}", problems) for item, why in said.items()}
    description = as_text(raw.get("description"), f"{key}.description", problems)
    if problems:
        raise PriorError(f"cannot use the evidence {key}", problems)
    return EvidenceTable(name, description, rows, dependent, excluded)


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
    if not isinstance(raw.get("verified"), str) or raw["verified"] not in VERIFIED:
        problems.append(f"{key}.verified: got {raw.get('verified')!r}; allowed are {', '.join(VERIFIED)}")
    told = {part: as_mapping(raw.get(part), f"{key}.{part}", problems, "outcomes to numbers") for part in ("effects", "counts")}
    effects = {str(item): _effect(value, f"{key}.effects.{item}", problems) for item, value in told["effects"].items()}
    counts = {str(item): _count(value, f"{key}.counts.{item}", problems) for item, value in told["counts"].items()}
    if not effects and not counts:
        problems.append(f"{key}: no effects and no counts; allowed is one of them at least (or move it to excluded)")
    said = {item: as_text(raw.get(item), f"{key}.{item}", problems) for item in _ROW_KEYS}
    return EvidenceRow(
        key=name,
        label=said["label"] or name,
        source=said["source"],
        verified=said["verified"],
        effects=effects,
        counts=counts,
        criteria=said["criteria"],
        note=said["note"],
    )


def _effect(raw: Any, key: str, problems: list[str]) -> Effect:
    said = dict(as_mapping(raw, key, problems, "ratio and ci, or log_ratio and se, to numbers"))
    note = as_text(said.pop("note", None), f"{key}.note", problems)
    found = None
    if set(said) == {"log_ratio", "se"} and is_number(said["log_ratio"]) and is_number(said["se"]):
        found = float(said["log_ratio"]), float(said["se"])
    elif set(said) == {"ratio", "ci"} and _is_interval(said["ci"], said["ratio"]):
        low, high = said["ci"]
        found = math.log(said["ratio"]), (math.log(high) - math.log(low)) / (2 * float(stats.norm.ppf(_CI_LEVEL)))
    if found is None or abs(found[0]) > LARGEST_LOG_RATIO or not SMALLEST_SE <= found[1] <= LARGEST_SE:
        problems.append(
            f"{key}: got {said!r}; allowed are {{ratio, ci: [low, high]}} with 0 < low < ratio < high, or {{log_ratio, se}}, with a log"
            f" ratio from -{LARGEST_LOG_RATIO:g} to {LARGEST_LOG_RATIO:g} and a standard error from {SMALLEST_SE:g} to {LARGEST_SE:g}"
        )
        return Effect(0.0, 1.0)
    return Effect(*found, note)


def _is_interval(ci: Any, ratio: Any) -> bool:
    return isinstance(ci, (list, tuple)) and len(ci) == 2 and all(map(is_number, (*ci, ratio))) and 0 < ci[0] < ratio < ci[1]


def _count(raw: Any, key: str, problems: list[str]) -> tuple[int, int]:
    pair = raw if isinstance(raw, (list, tuple)) and len(raw) == 2 and all(type(item) is int for item in raw) else (0, 0)
    if 0 <= pair[0] <= pair[1] and 0 < pair[1] <= MOST_PATIENTS:
        return pair[0], pair[1]
    problems.append(f"{key}: got {raw!r}; allowed is [events, n], whole numbers with 0 <= events <= n <= {MOST_PATIENTS}")
    return 0, 1


def _dependence(raw: Any, key: str, rows: Mapping[str, Any], problems: list[str]) -> Dependence:
    raw = as_mapping(raw, key, problems, "rows, choose and why to values")
    problems += [f"{key}.{item}: unknown; allowed are rows, choose, why" for item in raw if item not in ("rows", "choose", "why")]
    members = tuple(str(item) for item in as_list(raw.get("rows"), f"{key}.rows", problems, "rows"))
    unknown = [item for item in members if item not in rows]
    if len(members) < 2 or unknown:
        problems.append(f"{key}.rows: got {list(members)}; allowed are two or more of {', '.join(rows)}")
    choice = as_text(raw.get("choose"), f"{key}.choose", problems)
    if choice not in (*members, "merge"):
        problems.append(f"{key}.choose: got {choice!r}; allowed are {', '.join(members)}, merge")
    return Dependence(members, choice, as_text(raw.get("why"), f"{key}.why", problems))
