"""What the hierarchical models of counts are fitted to: a study's categories, graded events and historical controls, and their priors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from retrial.data.chains import ANY_GRADE, OTHER_GRADES, CategoryCounts, GradedEvents, category_counts, graded_events
from retrial.data.cohorts import BorrowedCounts
from retrial.data.two_arms import TwoArms
from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.frequentist.counts import benefit_sign, two_by_two
from retrial.priors.historical import HistoricalControls
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.outcomes import AdverseEventTerm
from retrial.study.study import Study

EFFECT = "log_odds_ratio"
IN_NO_CATEGORY = "in no category"
POOLING_FACTORS = (0.5, 2.0)
"""Under the main prior the pooling scale's own prior is halved and doubled, to show what it decides."""


def outcome_of(spec: ModelSpec) -> str:
    """Endpoint of what a hierarchical model says of all its steps or terms together."""
    return "response" if spec.data == "categories" else "adverse_events"


def complete_sets(run: RunConfig, spec: ModelSpec, benefit: int) -> dict[str, PriorSet]:
    """Prior sets with the model's own priors and nothing else, `log_odds_ratio` turned to the outcome; then the main one's variants.

    By label: a set's name, and its variant where it is one.
    """
    sets = {}
    for name, given in run.sets_for(spec).items():
        if EFFECT not in given.priors:
            continue
        effect = given[EFFECT] if benefit > 0 else given[EFFECT].mirrored
        own = given.over(spec.priors)
        sets[name] = PriorSet(name, {**{key: own[key] for key in spec.priors}, EFFECT: effect})
    main = run.main_prior if run.main_prior in sets else next(iter(sets), "")
    for factor in POOLING_FACTORS if main and "effect_sd" in spec.priors else ():
        variant = f"pooling scale x {factor:g}"
        scaled = {key: _scaled(prior, factor) if key.endswith("effect_sd") else prior for key, prior in sets[main].priors.items()}
        sets[f"{main}, {variant}"] = PriorSet(main, scaled, variant=variant)
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
    """Every term in its exclusive grade groups, worst first. None without terms or arm sizes.

    "Any" beside printed groups is their sum: it gives a group that alone is missing, and what else it holds beyond them ends the term's chain
    as a group of its own ("any" where no other is printed).
    """
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    sizes = [study.n(arm) for arm in ARMS]
    if not terms or None in sizes:
        return None
    split = sorted({grade for term in terms.values() for grade in term.grades if grade != ANY_GRADE}, reverse=True)
    groups = {key: _groups(term, split) for key, term in terms.items()}
    met = {grade for found in groups.values() for grade in found}
    grades = [*split, *(grade for grade in (OTHER_GRADES, ANY_GRADE) if grade in met)]
    counts = [[[found.get(grade, (0, 0))[arm] for grade in grades] for found in groups.values()] for arm in range(len(ARMS))]
    known = [[grade in found for grade in grades] for found in groups.values()]
    return graded_events(list(terms), grades, counts, [int(size or 0) for size in sizes], known)


def _groups(term: AdverseEventTerm, split: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Patients (control, experimental) of one term by exclusive group, as far as they can be told."""
    printed = {grade: (int(row.control.n), int(row.experimental.n)) for grade, row in term.grades.items()}
    found = {grade: counts for grade, counts in printed.items() if grade != ANY_GRADE}
    if ANY_GRADE not in printed:
        return found
    rest = tuple(whole - sum(counts[arm] for counts in found.values()) for arm, whole in enumerate(printed[ANY_GRADE]))
    missing = [grade for grade in split if grade not in found]
    if min(rest) < 0 or not (missing or not found or (len(split) == 1 and any(rest))):
        return found
    ends = ANY_GRADE if not found else missing[0] if len(missing) == 1 else OTHER_GRADES
    return {**found, ends: (rest[0], rest[1])}


def left_out(study: Study, events: GradedEvents) -> str:
    """Terms whose any grade is printed but cannot be analysed, in words; empty where there are none."""
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    names = [
        key for key, whole in zip(events.terms, events.with_any, strict=True) if ANY_GRADE in terms[key].grades and not whole
    ]
    return f"{', '.join(names)}: any grade left out, it has fewer patients than the grades beside it" if names else ""


def borrowing_data(study: Study, path: str, controls: HistoricalControls) -> BorrowedCounts:
    """Both arms' counts of an outcome beside the cohorts', shifted by their criteria."""
    counts = two_by_two(study, path, study.count_rows()[path])
    criteria = study.response.criteria if study.response is not None and path.startswith("response.") else ""
    events, sizes = (counts.control, counts.experimental), (counts.n_control, counts.n_experimental)
    arms = TwoArms(events, sizes, benefit=benefit_sign(study, path) >= 0)
    return BorrowedCounts(arms, controls.events, controls.n, controls.offsets(criteria), controls.robust_weight)
