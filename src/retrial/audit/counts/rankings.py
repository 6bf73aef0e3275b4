"""Part of the family `counts`: claims about the most common adverse events, and groups of a dichotomy that leave a gap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retrial.audit.check import Check, Verdict
from retrial.audit.counts.sums import FAMILY
from retrial.dims import ARMS, TOTAL
from retrial.study.reported import Reported
from retrial.study.sections import AdverseEvents, Ranking
from retrial.study.study import Study

_CUTS = re.compile(r"[≤<]\s*=?\s*(?P<below>\d+(?:\.\d+)?)[^0-9]*?vs\.?\s*(?P<relation>>=|≥|>)\s*(?P<above>\d+(?:\.\d+)?)?")


def checks(study: Study) -> Iterator[Check]:
    """Rankings of adverse events, and cut points in row labels."""
    if study.adverse_events is not None:
        for position, ranking in enumerate(study.adverse_events.rankings):
            yield _ranking(study.adverse_events, position, ranking)
    yield from _labels(study)


def counts_of(events: AdverseEvents, arm: str, grade: str) -> dict[str, int]:
    """Patients with each term at a grade group, in one arm or both."""
    arms = ARMS if arm == TOTAL else (arm,)
    return {
        name: sum(int(getattr(term.grades[grade], each).n) for each in arms)
        for name, term in events.terms.items()
        if grade in term.grades
    }


def _ranking(events: AdverseEvents, position: int, ranking: Ranking) -> Check:
    """Whether the named terms are a top k (nobody outside has more), whole (no tie is cut) and in falling order."""
    counts = counts_of(events, ranking.arm, ranking.grade)
    named = {name: counts[name] for name in ranking.terms if name in counts}
    least = min(named.values(), default=0)
    above = {name: n for name, n in counts.items() if name not in named and n > least}
    tied = {name: n for name, n in counts.items() if name not in named and n == least}
    ordered = all(first >= second for first, second in zip(named.values(), list(named.values())[1:], strict=False))
    verdict, reading, note = judged(events, named, above, tied, ordered=ordered)
    return Check(
        family=FAMILY,
        claim=f"most common, grade {ranking.grade}, {ranking.arm}: {', '.join(_label(events, name) for name in ranking.terms)}",
        where=ranking.where or events.where,
        path=f"adverse_events.rankings.{position}",
        printed=", ".join(_label(events, name) for name in ranking.terms),
        recomputed=_with_counts(events, dict(sorted((named | above | tied).items(), key=lambda item: -item[1]))),
        verdict=verdict,
        reading=reading,
        note=note,
        numbers=len(ranking.terms),
    )


def judged(
    events: AdverseEvents, named: dict[str, int], above: dict[str, int], tied: dict[str, int], *, ordered: bool
) -> tuple[Verdict, str, str]:
    """Verdict of a ranking, its reading and its note, from the terms with as many patients above those that are named, and tied with them."""
    if above:
        below = {name: n for name, n in named.items() if n < max(above.values())}
        return Verdict.INCONSISTENT, "", f"{_with_counts(events, above)} left out, above {_with_counts(events, below)}"
    if tied:
        return (
            Verdict.CONSISTENT_ONLY_IF,
            "ties at the last place are cut",
            f"{_with_counts(events, tied)} left out, as common as the last named",
        )
    if not ordered:
        return Verdict.CONSISTENT, "", f"right set, not in falling order: {_with_counts(events, named)}"
    return Verdict.CONSISTENT, "", ""


def _label(events: AdverseEvents, name: str) -> str:
    return events.terms[name].label or name if name in events.terms else name


def _with_counts(events: AdverseEvents, counts: dict[str, int]) -> str:
    return ", ".join(f"{_label(events, name)} {n}" for name, n in counts.items())


def _labels(study: Study) -> Iterator[Check]:
    """Cut points of "≤ 20 vs. > 22": the two groups must meet."""
    for table_key, table in study.tests.items():
        for name, row in table.rows.items():
            yield from _cut(row.label, table.where, f"tests.{table_key}.rows.{name}.label")
    for key, effect in study.effects.items():
        yield from _cut(effect.label, effect.where, f"effects.{key}.label")


def _step(number: str) -> float:
    """The step of a number's last digit: "≤ 40 vs. ≥ 41" meet where values are whole."""
    return Reported(number).unit_in_last_place


def _cut(label: str, where: str, path: str) -> Iterator[Check]:
    match = _CUTS.search(label)
    if match is None:
        return
    below, above = match["below"], match["above"]
    claim = f"groups of {label}"
    if above is None:
        missing = "the second group's cut point is missing"
        yield Check(FAMILY, claim, where, path, match[0], "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)
        return
    meet = float(below) == float(above) or (match["relation"] != ">" and float(above) - float(below) == _step(below))
    gap = float(above) > float(below)
    yield Check(
        family=FAMILY,
        claim=claim,
        where=where,
        path=path,
        printed=match[0].rstrip(") "),
        recomputed="",
        verdict=Verdict.CONSISTENT if meet else Verdict.CONSISTENT_ONLY_IF,
        reading="" if meet else "one of the two cut points is misprinted, or nobody lies between them",
        note="" if meet else f"values between {below} and {above} are in {'neither group' if gap else 'both groups'}",
        numbers=0,
    )
