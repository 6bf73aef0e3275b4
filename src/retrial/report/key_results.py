"""The first things a reader sees: what failed, and the treatment effects in plain words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrial.audit.check import Verdict
from retrial.compare.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import (
    INTERVALS,
    RATIOS,
    arm_label,
    endpoint_label,
    is_adjusted,
    is_treatment,
    model_label,
    prior_label,
    quantity_label,
    threshold_of,
    upper_first,
)
from retrial.report.results import Group, groups_of, written
from retrial.report.run_tables import failed_fits
from retrial.study.study import Study

_IN_WORDS = (*RATIOS, "risk_difference")
_MODELS_IN_WORDS = 3
"""Models quoted in the sentences of an endpoint; the table holds all."""


@dataclass(frozen=True, slots=True)
class KeyResult:
    """One endpoint's sentences."""

    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What must not be overlooked: `failures` must not be used, `inconsistent` numbers cannot be right as printed."""

    failures: tuple[str, ...]
    inconsistent: tuple[str, ...]
    fits: int
    checks: int


def status_of(data: ReportData) -> Status:
    """Failed fits (by diagnostics, and by estimates), and checks that found an inconsistency."""
    fits = [_failed_fit(data.study, row) for row in failed_fits(data.diagnostics).to_dict(orient="records")]
    rows = [row for row in data.estimates if row.failed]
    for names, members in itertools.groupby(sorted(rows, key=_fit_name), key=_fit_name):
        count = len(list(members))
        numbers = f"{count} numbers are" if count > 1 else "1 number is"
        fits.append(f"{_fit_words(data.study, *names)}: {numbers} marked and must not be used")
    curves = [
        f"{upper_first(endpoint_label(data.study, key))}, posterior survival curves: {one.status}"
        for key, one in data.curves.items()
        if one.status != "ok"
    ]
    wrong = tuple(
        check.note or f"{check.claim}: {check.recomputed}" for check in data.checks if check.verdict is Verdict.INCONSISTENT
    )
    return Status((*fits, *curves), wrong, 0 if data.diagnostics is None else len(data.diagnostics), len(data.checks))


def _failed_fit(study: Study, row: Mapping[Any, Any]) -> str:
    table = row.get("reconstruction")
    names = [
        upper_first(endpoint_label(study, str(row["endpoint"]))),
        model_label(str(row["model"])),
        f"{prior_label(str(row['prior']))} prior",
    ]
    names += [f"life table {table}"] if table is not None and table == table else []
    return f"{', '.join(names)}: {row['status']}"


def _fit_name(row: Estimate) -> tuple[str, str, str, str]:
    return row.endpoint, row.model, row.prior, row.status


def _fit_words(study: Study, endpoint: str, model: str, prior: str, status: str) -> str:
    what = ", ".join(part for part in (model_label(model), f"{prior_label(prior)} prior" if prior else "") if part)
    return f"{upper_first(endpoint_label(study, endpoint))}, {what or 'estimate'} ({status})"


def key_results(data: ReportData) -> list[KeyResult]:
    """Unadjusted treatment effects (adjusted ones where there are no others), endpoint by endpoint."""
    groups = [
        group for group in groups_of(data.estimates) if group.quantity in _IN_WORDS and is_treatment(group.rows[0]) and group.fine
    ]
    results = []
    for endpoint in _main_endpoints(data.study, groups):
        mine = [group for group in groups if group.endpoint == endpoint]
        chosen = [group for group in mine if not is_adjusted(group.rows[0])] or mine
        best = min(
            chosen,
            key=lambda group: (
                _IN_WORDS.index(group.quantity) if endpoint in data.study.endpoints else group.quantity != "risk_difference"
            ),
        )
        heading = upper_first(endpoint_label(data.study, endpoint))
        results.append(KeyResult(heading, tuple(_sentences(data, best))))
    return results


def _main_endpoints(study: Study, groups: Sequence[Group]) -> list[str]:
    """Endpoints and composite responses; other categories only where there are no composites; never adverse events."""
    names = list(dict.fromkeys(group.endpoint for group in groups))
    categories = set(study.response.categories) if study.response is not None and study.response.composites else set()
    return [
        name for name in names if not name.startswith(("adverse_events", "baseline")) and name.split(".")[-1] not in categories
    ]


def _sentences(data: ReportData, group: Group) -> Iterator[str]:
    what = quantity_label(group.quantity) + (" (adjusted)" if is_adjusted(group.rows[0]) else "")
    for row in group.by("published")[:1]:
        yield f"The paper prints a {what} of {_with_interval(data.study, row)}."
    for row in [row for row in group.by("frequentist") if not row.failed][:1]:
        yield f"Recomputed without a prior ({model_label(row.model)}): {_with_interval(data.study, row)}."
    fine = [row for row in group.by("bayes") if not row.failed]
    models = list(dict.fromkeys(row.model for row in fine))
    for model in models[:_MODELS_IN_WORDS]:
        yield from _bayes(data, group, what, [row for row in fine if row.model == model])
    failed = sum(row.failed for row in group.rows)
    if failed:
        yield f"{failed} failed {'fit is' if failed == 1 else 'fits are'} left out of these sentences."


def _bayes(data: ReportData, group: Group, what: str, rows: Sequence[Estimate]) -> Iterator[str]:
    main = next((row for row in rows if row.prior == data.main_prior), rows[0])
    chances = {row.prior: row.point for row in _chances(data, group, main.model) if not row.failed}
    said = _direction(data, group, main.model)
    chance = f"; {said} with probability {fmt.probability(chances[main.prior])}" if main.prior in chances else ""
    fit = f"{upper_first(model_label(main.model))}, {prior_label(main.prior)} prior"
    yield f"{fit}: posterior median {what} {_with_interval(data.study, main)}{chance}."
    if len(rows) > 1:
        write = fmt.formatter_of(main)
        low, high = min(rows, key=lambda row: row.point), max(rows, key=lambda row: row.point)
        spread = (
            f", that probability from {fmt.probability(min(chances.values()))} to {fmt.probability(max(chances.values()))}"
            if len(chances) > 1
            else ""
        )
        yield (
            f"Over all {len(rows)} priors the posterior median runs from {write(low.point)} ({prior_label(low.prior)})"
            f" to {write(high.point)} ({prior_label(high.prior)}){spread}."
        )


def _chances(data: ReportData, group: Group, model: str) -> list[Estimate]:
    """Rows of the probability that the effect is on the experimental arm's side of no effect, for this group and model."""
    wanted = _threshold(group)
    return [
        row
        for row in data.estimates
        if (row.endpoint, row.contrast, row.model) == (group.endpoint, group.contrast, model)
        and (found := threshold_of(row.quantity)) is not None
        and (found.base, found.relation, *map(float, found.bounds)) == wanted
    ]


def _threshold(group: Group) -> tuple[str, str, float]:
    return (group.quantity, "above", 0.0) if group.quantity == "risk_difference" else (group.quantity, "below", 1.0)


def _direction(data: ReportData, group: Group, model: str) -> str:
    found = _chances(data, group, model)
    return (threshold_of(found[0].quantity).text.removeprefix("P(").removesuffix(")")) if found else ""  # type: ignore[union-attr]


def _with_interval(study: Study, row: Estimate) -> str:
    """ "0.470 (95 % confidence interval 0.252 to 0.879)"."""
    text = written(study, row)
    return (
        text.replace(" (", f" ({fmt.level(row.level)} {INTERVALS[row.interval_kind]} ", 1)
        if row.interval_kind != "none"
        else text
    )


def cautions(study: Study) -> list[str]:
    """What no model here repairs."""
    found = []
    if study.randomised is False:
        found.append(
            "The arms were not assigned at random. Every contrast here is between groups that may differ in prognosis;"
            " intervals and probabilities do not include that uncertainty unless a row says so."
        )
    if study.randomised is None:
        found.append("The study file does not say whether the arms were assigned at random.")
    names = f"{arm_label(study, 'experimental')} over {arm_label(study, 'control')}"
    if study.endpoints or study.effects:
        found.append(f"Ratios are experimental over control ({names}): a hazard ratio below 1 favours the experimental arm.")
    return found
