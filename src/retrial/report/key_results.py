"""The treatment effects in plain words, and what no model here repairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retrial.data.direction import good_endpoints
from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import (
    INTERVALS,
    RATIOS,
    arm_label,
    endpoint_label,
    estimate_label,
    is_chance,
    is_comparison,
    is_spread,
    model_label,
    prior_label,
    quantity_label,
    upper_first,
)
from retrial.report.tables.results import Group, audit_note, groups_of, written
from retrial.study.study import Study

_IN_WORDS = (*RATIOS, "risk_difference")
_OF_ONE_ARM = ("median_survival", "proportion")
_MODELS_IN_WORDS = 3
"""Models quoted in the sentences of an endpoint; the table holds all."""


@dataclass(frozen=True, slots=True)
class KeyResult:
    """One endpoint's sentences."""

    heading: str
    sentences: tuple[str, ...]


def key_results(data: ReportData) -> list[KeyResult]:
    """Unadjusted treatment effects (adjusted ones where there are no others), endpoint by endpoint; of one arm medians and rates."""
    if data.study.one_arm:
        return _of_one_arm(data)
    groups = [
        group
        for group in groups_of(row for row in data.estimates if not data.is_joint(row))
        if group.main in _IN_WORDS and is_comparison(group.first) and group.fine
    ]
    results = []
    for endpoint in main_endpoints(data.study, groups):
        mine = [group for group in groups if group.endpoint == endpoint]
        chosen = [group for group in mine if not group.first.adjusted_for] or mine
        best = min(
            chosen,
            key=lambda group: (
                _IN_WORDS.index(group.quantity) if endpoint in data.study.endpoints else group.quantity != "risk_difference"
            ),
        )
        heading = upper_first(endpoint_label(data.study, endpoint))
        results.append(KeyResult(heading, tuple(_sentences(data, best))))
    return results


def _of_one_arm(data: ReportData) -> list[KeyResult]:
    """The median of every endpoint and every rate, in sentences."""
    groups = [group for group in groups_of(data.estimates) if group.main in _OF_ONE_ARM and group.fine]
    kept = set(main_endpoints(data.study, groups))
    return [
        KeyResult(upper_first(endpoint_label(data.study, group.endpoint)), tuple(_sentences(data, group)))
        for group in groups
        if group.endpoint in kept
    ]


def main_endpoints(study: Study, groups: Sequence[Group]) -> list[str]:
    """Endpoints and composite responses; other categories only where there are no composites; never adverse events."""
    names = list(dict.fromkeys(group.endpoint for group in groups))
    categories = set(study.response.categories) if study.response is not None and study.response.composites else set()
    return [
        name for name in names if not name.startswith(("adverse_events", "baseline")) and name.split(".")[-1] not in categories
    ]


def _sentences(data: ReportData, group: Group) -> Iterator[str]:
    what = quantity_label(group.quantity) + (" (adjusted)" if group.first.adjusted_for else "")
    for row in group.by("published")[:1]:
        note = audit_note(data, row)
        yield f"The paper prints a {what} of {_with_interval(row)}{f'; {note}' if note else ''}."
    medians = [row for row in group.by("frequentist") if not (row.failed or is_spread(row) or row.variant)]
    yield from _without_prior(data, what, medians)
    fine = [row for row in group.by("bayes") if not row.failed and not row.variant]
    for model in list(dict.fromkeys(row.model for row in fine))[:_MODELS_IN_WORDS]:
        yield " ".join(_bayes(data, group, what, [row for row in fine if row.model == model]))
    yield from dict.fromkeys(f"{upper_first(row.note)}." for row in fine if row.note)
    failed = sum(row.failed for row in group.rows)
    if failed:
        yield f"{failed} failed {'estimate is' if failed == 1 else 'estimates are'} left out of these sentences."


def _without_prior(data: ReportData, what: str, rows: Sequence[Estimate]) -> Iterator[str]:
    """The frequentist number, or from the smallest to the largest of several estimators."""
    if len(rows) == 1:
        yield f"{_basis(data, rows[0])} ({model_label(rows[0].model)}): {what} {_with_interval(rows[0])}."
    elif rows:
        low, high = (choose(rows, key=lambda row: row.point) for choose in (min, max))
        ends = " to ".join(f"{_with_interval(row)} by {model_label(row.model)}" for row in (low, high))
        yield f"{_basis(data, rows[0])} by {len(rows)} estimators: {what} from {ends}."


def _basis(data: ReportData, row: Estimate) -> str:
    """What a frequentist number of an endpoint with curves was computed from; the printed numbers elsewhere."""
    curves = data.curves.get(row.endpoint)
    if curves is None:
        return "Recomputed without a prior"
    return (
        "Without a prior, from the patients"
        if curves.from_patients
        else "Without a prior, the median over the reconstructed tables"
    )


def _bayes(data: ReportData, group: Group, what: str, rows: Sequence[Estimate]) -> Iterator[str]:
    main = next((row for row in rows if row.prior == data.main_prior), rows[0])
    found = [row for row in _chances(data, group, main.model) if not row.failed]
    chances = {row.prior: row.point for row in found}
    fit = ", ".join(part for part in (model_label(main.model), f"{prior_label(main.prior)} prior" if main.prior else "") if part)
    chance = f"; {estimate_label(found[0])} = {fmt.probability(chances[main.prior])}" if main.prior in chances else ""
    yield f"{upper_first(fit)}: posterior median {what} {_with_interval(main)}{chance}."
    if len(rows) > 1:
        write = fmt.formatter_of(main)
        low, high = min(rows, key=lambda row: row.point), max(rows, key=lambda row: row.point)
        yield f"Over {len(rows)} priors the median runs from {_under(low, write)} to {_under(high, write)}{_spread(chances)}."


def _under(row: Estimate, write: fmt.Formatter) -> str:
    return f"{write(row.point)} ({prior_label(row.prior)})"


def _spread(chances: dict[str, float]) -> str:
    if len(chances) < 2:
        return ""
    return f", that probability from {fmt.probability(min(chances.values()))} to {fmt.probability(max(chances.values()))}"


def _chances(data: ReportData, group: Group, model: str) -> list[Estimate]:
    """Rows of the probability that the effect is on the experimental arm's side of no effect, for this group and model."""
    return [
        row
        for row in data.estimates
        if row.model == model and not row.variant and row.subject == group.first.subject and is_chance(row)
    ]


def _with_interval(row: Estimate) -> str:
    """ "0.470 (95 % confidence interval 0.252 to 0.879)"."""
    text = written(row)
    return (
        text.replace(" (", f" ({fmt.level(row.level)} {INTERVALS[row.interval_kind]} ", 1)
        if row.interval_kind != "none"
        else text
    )


def cautions(study: Study) -> list[str]:
    """What no model here repairs."""
    if study.one_arm:
        return ["The study has one arm: its own survival and rates stand here. What compares arms is not run: one arm."]
    if study.randomised is False:
        return [
            "The arms were not assigned at random. Every contrast is between groups that may differ in prognosis;"
            " intervals and probabilities do not include that uncertainty."
        ]
    return ["The study file does not say whether the arms were assigned at random."] if study.randomised is None else []


def direction(study: Study) -> str:
    """How to read a ratio."""
    if study.one_arm:
        return ""
    named = study.arm("experimental").label or study.arm("control").label
    names = f" ({arm_label(study, 'experimental')} over {arm_label(study, 'control')})" if named else ""
    ratios = f"Ratios are experimental over control{names}"
    if not study.endpoints and not study.effects:
        return ""
    good = ", ".join(dict.fromkeys(endpoint_label(study, key) for key in good_endpoints(study)))
    above = f"; of a good event ({good}) one above 1 does" if good else ""
    return f"{ratios}: a hazard ratio below 1 favours the experimental arm{above}."
