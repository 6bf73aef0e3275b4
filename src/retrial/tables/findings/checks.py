"""Audit family "joint": is there any life table that carries all printed survival numbers, and under which reading of the
estimators?
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

from retrial.audit.check import Check, Consequence, Verdict
from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, ReadingResult
from retrial.tables.findings.spread import unsettled
from retrial.tables.findings.words import (
    UNKNOWN_SE,
    about,
    certainty,
    crowded,
    dominated,
    estimators,
    misses,
    reading_words,
    ruled_out,
    share_of,
)
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets

_PARTS = ("ratio", "test", "median", "design")


def common(endpoints: Sequence[Sequence[ReadingResult]]) -> list[ReadingResult]:
    """Readings attained by every endpoint, most probable first.

    Evidences multiply, because one paper uses one set of estimators: share ∝ Π_e share_e; log evidences and their variances
    add. An endpoint that prints no ratio (test, interval of a median) leaves that part of the reading to the others.
    """
    found = [ReadingResult(Reading(None, None, None), "attained", 0.0, 0.0, 1.0)]
    for results in endpoints:
        attained = [item for item in results if item.status == "attained"]
        found = [both for one, two in product(found, attained) if (both := _both(one, two)) is not None]
    total = sum(item.share for item in found)
    scaled = [_result(item.reading, item.log_evidence, item.log_evidence_se, item.share / total) for item in found if total > 0]
    return sorted(scaled, key=lambda item: -item.share)


def _both(one: ReadingResult, two: ReadingResult) -> ReadingResult | None:
    reading = _merged(one.reading, two.reading)
    if reading is None:
        return None
    errors = [item.log_evidence_se if math.isfinite(item.log_evidence_se) else UNKNOWN_SE for item in (one, two)]
    return _result(reading, one.log_evidence + two.log_evidence, math.hypot(*errors), one.share * two.share)


def _result(reading: Reading, log_evidence: float, se: float, share: float) -> ReadingResult:
    return ReadingResult(reading, "attained", log_evidence, se, share)


def _merged(one: Reading, two: Reading) -> Reading | None:
    """The reading that agrees with both; None where there is none."""
    merged = []
    for part in _PARTS:
        values = {getattr(one, part), getattr(two, part)} - {None}
        if len(values) > 1:
            return None
        merged.append(next(iter(values), None))
    return Reading(*merged)


FAMILY = "joint"
_SHOWN = 3
"""Readings named in a check's text."""


def joint_checks(
    targets: Mapping[str, Targets], ensembles: Mapping[str, Ensemble | ReconstructionError], *, each_reading: bool = True
) -> list[Check]:
    """One check per endpoint, with `each_reading` one per reading of it that was tried, and one for all endpoints together."""
    found: list[Check] = []
    for endpoint, outcome in ensembles.items():
        if isinstance(outcome, ReconstructionError) or outcome.relaxed:
            found.append(_failed(targets[endpoint], outcome))
            continue
        found.append(_attained(targets[endpoint], outcome))
        if each_reading:
            found += [_reading_check(targets[endpoint], result) for result in outcome.results]
    whole = {key: item for key, item in ensembles.items() if isinstance(item, Ensemble) and not item.relaxed}
    if len(whole) > 1:
        found.append(_common(targets, whole))
    return found


def _main_numbers(targets: Targets) -> str:
    parts = (targets.find("hazard_ratio"), targets.find("chi_square") or targets.find("p"))
    return ", ".join(f"{item.statistic} {item.printed}" for item in parts if item is not None)


def _printed(targets: Targets) -> str:
    return _main_numbers(targets) or "survival numbers"


def _claim(targets: Targets) -> str:
    without = f", apart from what the audit refuses ({'; '.join(targets.left_out)})," if targets.left_out else ""
    main = f" ({named})" if (named := _main_numbers(targets)) else ""
    return f"{targets.endpoint}: {len(targets.targets)} printed survival numbers{main}{without} come from one set of patients"


def _check(targets: Targets, verdict: Verdict, recomputed: str, reading: str = "", note: str = "") -> Check:
    where = "; ".join(dict.fromkeys(item.where for item in targets.targets if item.where))
    return Check(
        family=FAMILY,
        claim=_claim(targets),
        where=where,
        path=f"endpoints.{targets.endpoint}",
        printed=_printed(targets),
        recomputed=recomputed,
        verdict=verdict,
        consequence=Consequence.AS_PRINTED if verdict is not Verdict.INCONSISTENT else Consequence.NONE,
        numbers=len(targets.targets),
        reading=reading,
        note=note,
    )


def _failed(targets: Targets, outcome: Ensemble | ReconstructionError) -> Check:
    text = (
        str(outcome)
        if isinstance(outcome, ReconstructionError)
        else "only tables that miss some printed numbers (relaxed) were found"
    )
    return _check(targets, Verdict.INCONSISTENT, "no table in agreement", note=" ".join(text.split()))


def _attained(targets: Targets, ensemble: Ensemble) -> Check:
    tried, attained = len(ensemble.results), ensemble.attained
    everything = len(attained) == tried
    best = ", ".join(
        f"{result.reading.name} ({about(*share_of(attained, partial(_is, result)))})" for result in attained[:_SHOWN]
    )
    text = f"{len(ensemble.weights)} different tables carry all {len(targets.targets)} printed numbers; attained under {len(attained)} of"
    text += f" {tried} readings"
    parts = [] if tried == 1 else [*estimators(ensemble.results), *ruled_out(ensemble.results), certainty(ensemble.results)]
    strange = crowded(ensemble, targets)
    text += "".join(f"; {item}" for item in strange)
    left = [f"the audit is right in this: {item}" for item in targets.left_out]
    doubts = ["a misprint is likelier than patients so many of whom have the event at one time"] if strange else []
    return _check(
        targets,
        Verdict.CONSISTENT if everything and not (left or strange) else Verdict.CONSISTENT_ONLY_IF,
        text,
        reading="; ".join([*left, *strange, *([] if everything else [best])]),
        note=sentences([*doubts, *parts, *dominated(ensemble), *unsettled(ensemble), *targets.notes]),
    )


def _is(one: ReadingResult, other: ReadingResult) -> bool:
    return one is other


def sentences(parts: Sequence[str]) -> str:
    """Parts as sentences, each with a capital; the last without its full stop, as notes are."""
    return ". ".join(f"{part[:1].upper()}{part[1:]}" if part[:1].isascii() else part for part in parts)


def _reading_check(targets: Targets, result: ReadingResult) -> Check:
    verdicts = {"attained": Verdict.CONSISTENT, "not attained": Verdict.INCONSISTENT, "impossible": Verdict.INCONSISTENT}
    if result.status == "attained":
        text = f"attained; log evidence {result.log_evidence:.1f}, share {result.share:.2g}"
    elif result.status == "impossible":
        text = "impossible by arithmetic on the printed numbers"
    else:
        missed = misses(result.violated, result.miss)
        text = f"not attained by samplers with {result.chains_started} tables; the closest table misses {missed}"
    check = _check(targets, verdicts[result.status], text, reading=result.reading.name, note=result.reason)
    claim = f"{targets.endpoint}: the printed numbers under the reading {result.reading.name}"
    return dataclasses.replace(check, claim=claim, numbers=0)


def common_readings(ensembles: Mapping[str, Ensemble]) -> list[Reading]:
    """Readings attained by every endpoint, most probable first (one paper uses one set of estimators)."""
    return [result.reading for result in common([ensemble.results for ensemble in ensembles.values()])]


def _common(targets: Mapping[str, Targets], ensembles: Mapping[str, Ensemble]) -> Check:
    served = common([ensemble.results for ensemble in ensembles.values()])
    names = ", ".join(ensembles)
    counts = "; ".join(f"{len(ensemble.attained)} of {key}" for key, ensemble in ensembles.items())
    best = ", ".join(f"{result.reading.name} ({about(*share_of(served, partial(_is, result)))})" for result in served[:_SHOWN])
    note = (
        "no single reading serves all endpoints: the paper used several sets of estimators, or one of its numbers is misprinted"
    )
    if served:
        first = f"one set of estimators can have made all of them; most probable: {reading_words(served[0].reading)}"
        note = sentences([first, *estimators(served), certainty(served)])
    return Check(
        family=FAMILY,
        claim=f"{names}: one set of estimators made the hazard ratios, χ² and medians' intervals of all endpoints",
        where="",
        path="endpoints",
        printed="; ".join(_printed(targets[key]) for key in ensembles),
        recomputed=f"{len(served)} readings are attained by every endpoint ({counts})",
        verdict=Verdict.CONSISTENT_ONLY_IF if served else Verdict.INCONSISTENT,
        reading=best,
        note=note,
        consequence=Consequence.AS_PRINTED,
        numbers=0,
    )
