"""Rows of every count that a study compares between its arms: response, binary outcomes, adverse events."""

from __future__ import annotations

import dataclasses
import math

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import DataError
from retrial.estimate import FROM_PERCENT, Estimate
from retrial.frequentist.rows import CONFIDENCE_LEVEL, DIFFERENCE, RATIO, RowMaker
from retrial.frequentist.two_by_two import (
    NUMBERS_NEEDED,
    TwoByTwo,
    fisher_exact_p,
    newcombe,
    number_needed_to_treat,
    odds_ratio,
    pearson_chi_square,
    risk_ratio,
    through_infinity,
    wilson,
)
from retrial.study.fields import CountRow, Interval, OneLimit, Tested
from retrial.study.reported import Quantity
from retrial.study.study import Study

PERCENT = 100.0
EVERYBODY = "all patients, those not evaluable without the event"
"""Variant of an analysis whose main one is of evaluable patients."""


def outcome_key(path: str) -> str:
    """Endpoint name of a count row's key path.

    "response.composites.ORR" is "ORR", "adverse_events.terms.rash.grades.any" is "adverse_events.rash.any".
    """
    parts = path.split(".")
    if parts[0] == "adverse_events":
        return ".".join(part for part in parts if part not in ("terms", "grades"))
    return parts[-1]


def benefit_sign(study: Study, path: str) -> int:
    """+1 where more events are better for the patient, -1 where worse, 0 where the study's text does not order them.

    Adverse events are harms and a binary outcome says so itself (`good`). Response categories run from best to worst: a rate
    of the first ones (CR; CR + PR) is good, a rate of the last ones (PD) is bad, and one of the middle alone (SD) is neither.
    """
    parts = path.split(".")
    if parts[0] == "binary":
        return 1 if study.binary[parts[-1]].good else -1
    if parts[0] == "adverse_events" or study.response is None:
        return -1
    order = list(study.response.categories)
    inside = [parts[-1]] if parts[1] == "categories" else study.response.composites[parts[-1]].of
    member = [name in inside for name in order]
    best, worst = member == sorted(member, reverse=True), member == sorted(member)
    return int(best) - int(worst)


def two_by_two(study: Study, path: str, row: CountRow, *, everybody: bool = False) -> TwoByTwo:
    """The counts of one row over its evaluable patients, or over `everybody` of the arms.

    Raises `DataError` naming the key that is missing or too large.
    """
    sizes = {arm: study.n(arm) if everybody else study.patients(path, arm) for arm in ARMS}
    for arm, n in sizes.items():
        if n is None:
            raise DataError(f"cannot compare {path}", [f"arms.{arm}.n: missing; needed for a proportion"])
        if int(getattr(row, arm).n) > n:
            raise DataError(
                f"cannot compare {path}",
                [f"{path}.{arm}: got {getattr(row, arm).n} of {n} patients; allowed is at most arms.{arm}.n"],
            )
    return TwoByTwo(int(row.control.n), int(sizes[CONTROL] or 0), int(row.experimental.n), int(sizes[EXPERIMENTAL] or 0))


def has_second_analysis(study: Study, path: str) -> bool:
    """Whether an outcome is counted among fewer patients than its arms have, so that all of them can be analysed beside these.

    Not for adverse events, which patients without the treatment cannot have.
    """
    if study.one_arm:
        return False
    known, every = ([size(arm) for arm in ARMS] for size in (lambda arm: study.evaluable(path, arm), study.n))
    fewer = [size is not None and n is not None and size < n for size, n in zip(known, every, strict=True)]
    more = [size is not None and n is not None and size > n for size, n in zip(known, every, strict=True)]
    return any(fewer) and not any(more) and not path.startswith("adverse_events.")


def patients_note(study: Study, path: str) -> str:
    """Whose counts a row's are, where not of all patients; else empty."""
    if study.one_arm or all(study.evaluable(path, arm) in (None, study.n(arm)) for arm in ARMS):
        return ""
    control, experimental = (study.patients(path, arm) for arm in ARMS)
    return f"of {control} v {experimental} evaluable patients (control v experimental), not of all {study.n(ARMS[0])} v {study.n(ARMS[1])}"


def count_estimates(study: Study, level: float = CONFIDENCE_LEVEL) -> list[Estimate]:
    """Rows of every count row of a study (`Study.count_rows`).

    Proportions (Wilson), risk difference (Newcombe), risk ratio (Katz), odds ratio (Woolf), numbers needed to treat to benefit
    and to harm (Altman), Pearson's chi-square and p, Fisher's exact p. What a table does not determine (no event in either
    arm) is a row whose status says so. An outcome of evaluable patients has all patients as the variant `EVERYBODY`. Raises `DataError`
    where an arm's n is missing.
    """
    if study.one_arm:
        return [_of_one_arm(study, path, row, level) for path, row in study.count_rows().items()]
    found: list[Estimate] = []
    for path, row in study.count_rows().items():
        about = (outcome_key(path), benefit_sign(study, path), level, source_of(study, path, row))
        found += with_note(table_estimates(two_by_two(study, path, row), *about), patients_note(study, path))
        if has_second_analysis(study, path):
            other = table_estimates(two_by_two(study, path, row, everybody=True), *about)
            found += [dataclasses.replace(item, variant=EVERYBODY) for item in other]
    return found


def with_note(rows: list[Estimate], note: str) -> list[Estimate]:
    """Rows that say one thing more."""
    return [dataclasses.replace(row, note="; ".join(filter(None, (row.note, note)))) for row in rows] if note else rows


def table_estimates(
    table: TwoByTwo, endpoint: str, benefit: int = 0, level: float = CONFIDENCE_LEVEL, source: str = ""
) -> list[Estimate]:
    """Rows of one 2x2 table; `benefit` is +1 (events are good), -1 (harm) or 0 (no number needed to treat)."""
    maker = RowMaker(endpoint, source, level)
    return [
        *_proportions(table, maker),
        maker.row("risk_difference", DIFFERENCE, "newcombe", table.risk_difference, newcombe(table, level), unit="probability"),
        _ratio(table, "risk_ratio", maker),
        _ratio(table, "odds_ratio", maker),
        *(_numbers_needed(table, benefit, maker) if benefit else []),
        *count_tests(table, maker),
    ]


def _of_one_arm(study: Study, path: str, row: CountRow, level: float) -> Estimate:
    """The proportion of the one arm (Wilson), of its evaluable patients."""
    n = study.patients(path, CONTROL)
    if not n:
        raise DataError(f"cannot take a proportion of {path}", [f"arms.{CONTROL}.n: missing; needed for a proportion"])
    return _proportion(CONTROL, int(row.control.n), n, RowMaker(outcome_key(path), source_of(study, path, row), level))


def _proportions(table: TwoByTwo, maker: RowMaker) -> list[Estimate]:
    arms = ((CONTROL, table.control, table.n_control), (EXPERIMENTAL, table.experimental, table.n_experimental))
    return [_proportion(arm, events, n, maker) for arm, events, n in arms]


def _proportion(arm: str, events: int, n: int, maker: RowMaker) -> Estimate:
    limits = wilson(events, n, maker.level)
    return maker.row("proportion", arm, "wilson", events / n, limits, unit="probability", note=f"{events} of {n}")


def _ratio(table: TwoByTwo, quantity: str, maker: RowMaker) -> Estimate:
    make, name = (risk_ratio, "katz") if quantity == "risk_ratio" else (odds_ratio, "woolf")
    try:
        ratio = make(table, maker.level)
    except DataError as error:
        return maker.failed(quantity, RATIO, name, error.title, "ratio")
    note = "0.5 added to each cell because of a zero" if ratio.model != name else ""
    return maker.row(quantity, RATIO, ratio.model, ratio.point, (ratio.lower, ratio.upper), unit="ratio", note=note)


def _numbers_needed(table: TwoByTwo, benefit: int, maker: RowMaker) -> list[Estimate]:
    """The half of the number needed to treat that holds the estimate, and the far limit of an interval through infinity."""
    lower, upper = sorted(benefit * limit for limit in newcombe(table, maker.level))
    halves = number_needed_to_treat(benefit * table.risk_difference, lower, upper)
    note = through_infinity(*halves)
    model = "altman_newcombe"
    return [
        maker.row(quantity, RATIO, model, half.lower, unit="patients", note=note, statistic="far_limit")
        if math.isnan(half.point)
        else maker.row(quantity, RATIO, model, half.point, (half.lower, half.upper), unit="patients", note=note)
        for quantity, half in zip(NUMBERS_NEEDED, halves, strict=True)
        if half is not None
    ]


def count_tests(table: TwoByTwo, maker: RowMaker) -> list[Estimate]:
    """Pearson's chi-square and p, and Fisher's exact p, of one table."""
    fisher = maker.row("p_value", RATIO, "fisher_exact", fisher_exact_p(table), unit="p-value")
    name = "pearson_chi_square"
    try:
        statistic, p = pearson_chi_square(table)
    except DataError as error:
        return [maker.failed(quantity, RATIO, name, error.title) for quantity in ("chi_square", "p_value")] + [fisher]
    return [maker.row("chi_square", RATIO, name, statistic), maker.row("p_value", RATIO, name, p, unit="p-value"), fisher]


def source_of(study: Study, path: str, row: CountRow) -> str:
    """Table and row of a count row, "Table 6, Diarrhea, 1-2"."""
    parts = path.split(".")
    section, name = "", row.label or parts[-1]
    if parts[0] == "response" and study.response is not None:
        section = study.response.where
    elif parts[0] == "adverse_events" and study.adverse_events is not None:
        section = study.adverse_events.where
        name = f"{study.adverse_events.terms[parts[2]].label or parts[2]}, {parts[-1]}"
    return ", ".join(part for part in (row.where or section, name) if part)


def published_counts(study: Study) -> list[Estimate]:
    """Printed percentages (as proportions), chi-squares and p-values of every count row, with table, row and printed text."""
    rows = []
    for path, row in study.count_rows().items():
        endpoint, source = outcome_key(path), source_of(study, path, row)
        for arm in (*ARMS, TOTAL):
            cell = getattr(row, arm)
            if cell is not None and cell.percent is not None:
                printed = published(endpoint, "proportion", arm, cell.percent, source, f"{path}.{arm}", "probability")
                rows.append(dataclasses.replace(printed, point=printed.point / PERCENT, converted=FROM_PERCENT))
        if row.chi_square is not None:
            rows.append(published(endpoint, "chi_square", RATIO, row.chi_square, source, f"{path}.chi_square"))
        if row.p is not None:
            p = published(endpoint, "p_value", RATIO, row.p, source, f"{path}.p", "p-value")
            rows.append(dataclasses.replace(p, note=one_sided(row)))
    return rows


def one_sided(item: Tested) -> str:
    """What to know of a printed p before it is held against a two-sided one."""
    return "one-sided p" if item.sides == 1 else ""


def published(endpoint: str, quantity: str, contrast: str, printed: Quantity, source: str, path: str, unit: str = "") -> Estimate:
    """A printed number as a row: its value, its text ("<0.001" has the point 0.001), its place, and its key path in the study file."""
    place = printed.where()
    where = source if not place or place in source else f"{source} ({place})"
    return Estimate(
        endpoint=endpoint,
        quantity=quantity,
        contrast=contrast,
        method="published",
        point=printed.value,
        unit=unit,
        printed=printed.text,
        path=path,
        source=where,
    )


def with_interval(point: Quantity, ci: Interval | OneLimit | None) -> str:
    """A printed number and its interval, "0.470 (0.252 to 0.879)"."""
    if ci is None:
        return point.text
    return f"{point.text} ({ci})" if isinstance(ci, OneLimit) else f"{point.text} ({ci.lower} to {ci.upper})"
