"""Audit family "joint": is there any life table that carries all printed survival numbers, and under which reading of the
estimators?
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from retrial.audit.check import Check, Consequence, Verdict
from retrial.errors import ReconstructionError
from retrial.reconstruct.ensemble import Ensemble, ReadingResult
from retrial.reconstruct.readings import RatioReading, Reading, TestReading
from retrial.reconstruct.targets import Targets

FAMILY = "joint"
_SHOWN = 6
"""Readings named in a check's text."""


def joint_checks(targets: Mapping[str, Targets], ensembles: Mapping[str, Ensemble | ReconstructionError]) -> list[Check]:
    """One check per endpoint, one per reading of it that was tried, and one for all endpoints together."""
    found: list[Check] = []
    for endpoint, outcome in ensembles.items():
        if isinstance(outcome, ReconstructionError) or outcome.relaxed:
            found.append(_failed(targets[endpoint], outcome))
            continue
        found.append(_attained(targets[endpoint], outcome))
        found += [_reading_check(targets[endpoint], result) for result in outcome.results]
    whole = {key: item for key, item in ensembles.items() if isinstance(item, Ensemble) and not item.relaxed}
    if len(whole) > 1:
        found.append(_common(targets, whole))
    return found


def _printed(targets: Targets) -> str:
    parts = (targets.find("hazard_ratio"), targets.find("chi_square") or targets.find("p"))
    return ", ".join(f"{item.statistic} {item.printed}" for item in parts if item is not None) or "survival numbers"


def _claim(targets: Targets) -> str:
    return (
        f"{targets.endpoint}: {len(targets.targets)} printed survival numbers ({_printed(targets)}) come from one set of patients"
    )


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
    best = ", ".join(f"{result.reading.name} ({result.share:.0%})" for result in attained[:_SHOWN])
    text = f"{len(ensemble.weights)} different tables carry them all; attained under {len(attained)} of {tried} readings"
    return _check(
        targets,
        Verdict.CONSISTENT if everything else Verdict.CONSISTENT_ONLY_IF,
        text,
        reading="" if everything else best,
        note="" if everything else f"most probable readings: {best}; {_ruled_out(ensemble)}",
    )


def _ruled_out(ensemble: Ensemble) -> str:
    """In words, which estimators can and cannot have made the numbers."""
    used = {result.reading.ratio for result in ensemble.attained}
    tested = {result.reading.test for result in ensemble.attained}
    out = [str(ratio) for ratio in RatioReading if ratio not in used and any(r.reading.ratio is ratio for r in ensemble.results)]
    gone = [str(test) for test in TestReading if test not in tested and any(r.reading.test is test for r in ensemble.results)]
    words = [f"no table was found with the hazard ratio by {', '.join(out)}"] if out else []
    words += [f"none with χ² by {', '.join(gone)}"] if gone else []
    return "; ".join(words) or "every estimator occurs in some attained pair, but not every pair is attained"


def _reading_check(targets: Targets, result: ReadingResult) -> Check:
    verdicts = {"attained": Verdict.CONSISTENT, "not attained": Verdict.INCONSISTENT, "impossible": Verdict.INCONSISTENT}
    if result.status == "attained":
        text = f"attained; log evidence {result.log_evidence:.1f}, share {result.share:.2g}"
    elif result.status == "impossible":
        text = "impossible by arithmetic on the printed numbers"
    else:
        text = f"not attained by {result.chains_started} chains; the closest table misses {', '.join(result.violated)} by up to"
        text += f" {result.miss:.2g} tolerances"
    check = _check(targets, verdicts[result.status], text, reading=result.reading.name, note=result.reason)
    claim = f"{targets.endpoint}: the printed numbers under the reading {result.reading.name}"
    return dataclasses.replace(check, claim=claim, numbers=0)


def common_readings(ensembles: Mapping[str, Ensemble]) -> list[Reading]:
    """Readings attained by every endpoint, most probable first (product of shares, so one paper uses one set of estimators)."""
    shares = [{result.reading: result.share for result in ensemble.attained} for ensemble in ensembles.values()]
    common = [reading for reading in shares[0] if all(reading in other for other in shares[1:])]

    def product(reading: Reading) -> float:
        value = 1.0
        for share in shares:
            value *= share[reading]
        return value

    return sorted(common, key=product, reverse=True)


def _common(targets: Mapping[str, Targets], ensembles: Mapping[str, Ensemble]) -> Check:
    common = common_readings(ensembles)
    names = ", ".join(ensembles)
    text = ", ".join(reading.name for reading in common[:_SHOWN])
    return Check(
        family=FAMILY,
        claim=f"{names}: one set of estimators made the hazard ratios, χ² and medians' intervals of all endpoints",
        where="",
        path="endpoints",
        printed="; ".join(_printed(targets[key]) for key in ensembles),
        recomputed=f"{len(common)} readings are attained by every endpoint",
        verdict=Verdict.CONSISTENT_ONLY_IF if common else Verdict.INCONSISTENT,
        reading=text,
        note=f"readings that serve all endpoints, most probable first: {text}"
        if common
        else "no single reading serves all endpoints",
        consequence=Consequence.AS_PRINTED,
        numbers=0,
    )
