"""What the hierarchical models of counts are fitted to: a study's categories, graded events and historical controls, and their priors."""

from __future__ import annotations

import dataclasses
from typing import Any

from retrial.config import ModelSpec, RunConfig
from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.frequentist.counts import benefit_sign, two_by_two
from retrial.inference.borrowing import BorrowedCounts
from retrial.inference.count_data import CategoryCounts, GradedEvents, category_counts, graded_events
from retrial.inference.two_arms import TwoArms
from retrial.priors.historical import HistoricalControls
from retrial.priors.prior_set import PriorSet
from retrial.study.study import Study

EFFECT = "log_odds_ratio"
ANY_GRADE = "any"
IN_NO_CATEGORY = "in no category"
POOLING_FACTORS = (0.5, 2.0)
"""Under the main prior the pooling scale's own prior is halved and doubled, to show what it decides."""
POOLING = ", pooling scale x "
"""Between the main prior's name and the factor."""


def outcome_of(spec: ModelSpec) -> str:
    """Endpoint of what a hierarchical model says of all its steps or terms together."""
    return "response" if spec.data == "categories" else "adverse_events"


def complete_sets(run: RunConfig, spec: ModelSpec, benefit: int) -> dict[str, PriorSet]:
    """Prior sets with the model's own priors and nothing else; `log_odds_ratio` turned to the outcome."""
    sets = {}
    for name, given in run.sets_for(spec).items():
        if EFFECT not in given.priors:
            continue
        effect = given[EFFECT] if benefit > 0 else given[EFFECT].mirrored
        own = given.over(spec.priors)
        sets[name] = PriorSet(name, {**{key: own[key] for key in spec.priors}, EFFECT: effect})
    main = run.main_prior if run.main_prior in sets else next(iter(sets), "")
    for factor in POOLING_FACTORS if main and "effect_sd" in spec.priors else ():
        name = f"{main}{POOLING}{factor:g}"
        scaled = {key: _scaled(prior, factor) if key.endswith("effect_sd") else prior for key, prior in sets[main].priors.items()}
        sets[name] = PriorSet(name, scaled)
    return sets


def _scaled(prior: Any, factor: float) -> Any:
    """A half-normal prior of a scale, wider or narrower; other families stay."""
    if prior.family != "half_normal":
        return prior
    return dataclasses.replace(prior, parameters=(prior.number("sigma") * factor,))


def categories_of(study: Study) -> CategoryCounts | None:
    """Patients of each arm by category, best first; None where there are fewer than two categories.

    Patients of an arm in no category (not evaluable) make a last one of their own, so that rates stay those of all patients. Raises `DataError`
    where an arm has fewer patients than its categories.
    """
    rows = study.response.categories if study.response is not None else {}
    if len(rows) < 2:
        return None
    counts = [[int(getattr(row, arm).n) for row in rows.values()] for arm in ARMS]
    sizes = [study.n(arm) for arm in ARMS]
    rest = [0 if size is None else size - sum(inside) for size, inside in zip(sizes, counts, strict=True)]
    for arm, size, inside in zip(ARMS, sizes, counts, strict=True):
        if size is not None and sum(inside) > size:
            said = f"response.categories: got {sum(inside)} patients over the categories of the {arm} arm; allowed is at most arms.{arm}.n, {size}"
            raise DataError("cannot model the response categories", [said])
    if not any(rest):
        return category_counts(list(rows), *counts)
    return category_counts([*rows, IN_NO_CATEGORY], *([*inside, left] for inside, left in zip(counts, rest, strict=True)))


def graded_of(study: Study) -> GradedEvents | None:
    """Terms that have every grade group, worst first; the column of any grade where no term is split. None without terms or arm sizes.

    Groups are exclusive, so "any" is their sum and is left out beside them.
    """
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    split = sorted({grade for term in terms.values() for grade in term.grades if grade != ANY_GRADE}, reverse=True)
    grades = split or [ANY_GRADE]
    complete = [key for key, term in terms.items() if set(grades) <= set(term.grades)]
    sizes = [study.n(arm) for arm in ARMS]
    if not complete or None in sizes:
        return None
    counts = [[[int(getattr(terms[key].grades[grade], arm).n) for grade in grades] for key in complete] for arm in ARMS]
    return graded_events(complete, grades, counts, [int(size or 0) for size in sizes])


def left_out(study: Study, events: GradedEvents) -> str:
    """Terms without every grade group, in words; empty where there are none."""
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    names = [key for key in terms if key not in events.terms]
    return f"{', '.join(names)}: left out, not every one of the grades {', '.join(events.grades)} is printed" if names else ""


def borrowing_data(study: Study, path: str, controls: HistoricalControls) -> BorrowedCounts:
    """Both arms' counts of an outcome beside the cohorts', shifted by their criteria."""
    counts = two_by_two(study, path, study.count_rows()[path])
    criteria = study.response.criteria if study.response is not None and path.startswith("response.") else ""
    events, sizes = (counts.control, counts.experimental), (counts.n_control, counts.n_experimental)
    arms = TwoArms(events, sizes, benefit=benefit_sign(study, path) >= 0)
    return BorrowedCounts(arms, controls.events, controls.n, controls.offsets(criteria), controls.robust_weight)
