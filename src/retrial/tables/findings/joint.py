"""Readings of the whole paper: one set of estimators made the numbers of all endpoints, so that their evidences multiply.

P(reading | paper) ∝ P(reading) Π_e Z_e(reading), Z_e the evidence of endpoint e. P(reading) is equal, or by the programs that the study file
names. An endpoint that prints no ratio (test, interval of a median) leaves that part of the reading to the others. What the study's design means for
the tables is a part of it too: patients were left out of all endpoints by one rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from retrial.tables.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.tables.findings.checks import common
from retrial.tables.findings.words import share_of
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.software import BY_SOFTWARE, JOINT, ReadingRules, Software, prior_odds
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.pool import reweighted

UNSETTLED = 2.0
"""A share below this multiple of its standard error is not settled (METHODS 4)."""


def of_the_paper(
    ensembles: Mapping[str, Ensemble],
    targets: Mapping[str, Targets],
    rules: ReadingRules,
    settings: ReconstructionSettings,
    software: str,
) -> dict[str, Ensemble]:
    """The ensembles with the shares of the whole paper beside their own, and their tables drawn by these where `rules.readings` is "joint".

    Where no reading serves all endpoints, each keeps its own. A program that the study file names changes the shares of one endpoint too.
    """
    programs = list(rules.programs(software).values())
    equal, by_program = (shares_of_all(ensembles, odds) for odds in (_equal, _odds(programs, rules.unlisted)))
    chosen = by_program if rules.reading_prior == BY_SOFTWARE else equal
    found = {}
    for key, ensemble in ensembles.items():
        results = tuple(
            dataclasses.replace(
                result,
                joint_share=equal[key].get(result.reading, (0.0, 0.0))[0] if equal else float("nan"),
                joint_share_se=equal[key].get(result.reading, (0.0, 0.0))[1] if equal else float("nan"),
                software_share=by_program[key].get(result.reading, (0.0, 0.0))[0] if by_program and programs else float("nan"),
            )
            for result in ensemble.results
        )
        ensemble = dataclasses.replace(ensemble, results=results)
        same = len(ensembles) == 1 and (rules.reading_prior != BY_SOFTWARE or not programs)
        if rules.readings == JOINT and chosen and not same:
            shares = {reading: share for reading, (share, _) in chosen[key].items() if share > 0}
            ensemble = reweighted(ensemble, targets[key], settings, shares)
        found[key] = ensemble
    return found


def _equal(_reading: Reading) -> float:
    """Every reading as likely beforehand."""
    return 1.0


def _odds(programs: Sequence[Software], unlisted: float) -> Callable[[Reading], float]:
    return lambda reading: prior_odds(reading, programs, unlisted)


def shares_of_all(
    ensembles: Mapping[str, Ensemble], odds: Callable[[Reading], float]
) -> dict[str, dict[Reading, tuple[float, float]]]:
    """By endpoint, the probability of each of its readings given the numbers of all, and its standard error; empty where no reading serves all."""
    served = common([ensemble.results for ensemble in ensembles.values()])
    weights = [item.share * odds(item.reading) for item in served]
    total = sum(weights)
    if not total > 0:
        return {}
    scaled = [dataclasses.replace(item, share=weight / total) for item, weight in zip(served, weights, strict=True)]
    return {key: _of_endpoint(ensemble.attained, scaled) for key, ensemble in ensembles.items()}


def _of_endpoint(attained: Sequence[ReadingResult], served: Sequence[ReadingResult]) -> dict[Reading, tuple[float, float]]:
    found = {}
    for result in attained:
        share, se = share_of(served, lambda item, own=result.reading: _restricted(item.reading, own) == own)  # type: ignore[misc]
        found[result.reading] = share, se * share * (1 - share)
    return found


def _restricted(reading: Reading, like: Reading) -> Reading:
    """The parts of a reading that another one has."""
    return Reading(
        reading.ratio if like.ratio is not None else None,
        reading.test if like.test is not None else None,
        reading.median if like.median is not None else None,
        reading.design if like.design is not None else None,
    )
