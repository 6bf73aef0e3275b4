"""The printed multivariable model again: all ratios shrunken together, and what the tables say of multicollinearity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import covariate_label, endpoint_label, is_treatment, quantity_label, upper_first
from retrial.report.section import Section
from retrial.report.tables.multivariable import (
    COLLINEAR,
    FACTORS,
    SHIFT,
    covariates_of,
    covariates_table,
    main_values,
    multivariable_pictures,
    shrunken_tables,
    with_limits,
)


def multivariable_section(data: ReportData) -> Iterator[Section]:
    """Table and forest plot of the ratios, treatment first; sentences with the numbers that judge them. Nothing where no model is printed."""
    rows = [row for row in data.estimates if data.is_joint(row)]
    if not rows:
        return
    lists = [(upper_first(endpoint_label(data.study, key)), tuple(_said(data, key, rows))) for key in _endpoints(rows)]
    tables = (*shrunken_tables(data, rows), *covariates_table(data))
    yield Section(
        "multivariable",
        "The multivariable model, all ratios together",
        tables,
        tuple(multivariable_pictures(data, rows, press=True)),
        tuple((name, said) for name, said in lists if said),
    )


def _endpoints(rows: Sequence[Estimate]) -> list[str]:
    return list(dict.fromkeys(row.endpoint for row in rows))


def _said(data: ReportData, endpoint: str, rows: Sequence[Estimate]) -> Iterator[str]:
    """Contradictions first: where they fail the model nothing else is said of it."""
    frame = covariates_of(data)
    mine = frame[frame["endpoint"] == endpoint]
    values = [row for row in main_values(data, rows) if row.endpoint == endpoint]
    if len(mine):
        failed = any(row.failed for row in values)
        yield from _contradictions(mine, failed=failed)
        if failed:
            return
        yield from _inflation(mine)
        yield from _claimed(data, mine)
    yield from _moved(values)


def _contradictions(mine: pd.DataFrame, *, failed: bool) -> Iterator[str]:
    words = [str(text) for text in mine["contradiction"].fillna("") if text]
    if words:
        much = "and the model's numbers are shown as failed" if failed else "by little"
        yield f"The printed tables contradict each other, {much}: {'; '.join(words)}."


def _inflation(mine: pd.DataFrame) -> Iterator[str]:
    """Variance inflation of the treatment and the largest one, beside what would be called multicollinearity."""
    treatment = mine[mine["contrast"] == "experimental / control"]
    others = len(mine) - 1
    for _, row in treatment.iterrows():
        if math.isfinite(row["variance_ratio"]):
            yield (
                f"As printed, adjustment multiplies the variance of the treatment's log ratio by {fmt.decimal(row['variance_ratio'], 2)}"
                f" (standard errors {fmt.decimal(row['se_adjusted'], 3)} adjusted, {fmt.decimal(row['se_unadjusted'], 3)} unadjusted)."
            )
        yield (
            f"Over the information matrices that the printed tables allow, the other {others} covariates inflate it by the factor"
            f" {_of(row, 'inflation')}; textbooks speak of multicollinearity from {COLLINEAR:g} or 10. An inflation of {COLLINEAR:g} needs"
            f" a multiple correlation of {fmt.decimal(_multiple(COLLINEAR), 2)} with the others; {fmt.decimal(row['inflation'], 2)} is one of"
            f" {fmt.decimal(_multiple(row['inflation']), 2)}."
        )
    sizes = np.nan_to_num(np.abs(mine["correlation"].to_numpy(dtype=float)), nan=-1.0)
    if sizes.max() >= 0:
        strongest = mine.iloc[int(sizes.argmax())]
        yield (
            f"The covariate whose estimate is most correlated with the treatment's is {covariate_label(str(strongest['covariate']))}:"
            f" {_of(strongest, 'correlation')}."
        )
    largest = mine.iloc[int(mine["inflation_by_others"].to_numpy(dtype=float).argmax())]
    yield f"The largest variance inflation is that of {covariate_label(str(largest['covariate']))}: {_of(largest, 'inflation_by_others')}."
    silent = [
        covariate_label(str(row["covariate"])) for _, row in mine.iterrows() if isinstance(row["note"], str) and row["note"]
    ]
    if silent:
        yield (
            f"The inflation of {', '.join(silent)} rests on the prior, under which strong collinearity is rare: the printed tables carry much"
            " larger ones too."
        )


def _multiple(inflation: float) -> float:
    """The multiple correlation R of a variance inflation 1 / (1 - R²)."""
    return math.sqrt(max(1 - 1 / inflation, 0.0))


def _of(row: pd.Series, name: str) -> str:
    return with_limits(row[name], row[f"{name}_lower"], row[f"{name}_upper"])


def _claimed(data: ReportData, mine: pd.DataFrame) -> Iterator[str]:
    """What the paper says of multicollinearity with the treatment, judged by the treatment's inflation and their correlations."""
    section = data.study.multivariable.get(str(mine["key"].iloc[0]))
    treatment = mine[mine["contrast"] == "experimental / control"]
    if section is None or not section.collinear_with or treatment.empty:
        return
    named = mine[mine["covariate"].isin(section.collinear_with)]
    each = ", ".join(f"{covariate_label(str(row['covariate']))} {_of(row, 'correlation')}" for _, row in named.iterrows())
    low, high = (float(treatment[f"inflation_{end}"].iloc[0]) for end in ("lower", "upper"))
    needed = _multiple(COLLINEAR)
    size = float(np.abs(named[["correlation_lower", "correlation_upper"]].to_numpy(dtype=float)).max())
    verdict = "leave it open"
    if high < COLLINEAR and size < needed:
        verdict = "are against it: neither correlations nor inflation come near"
    elif low >= COLLINEAR:
        verdict = "bear it out"
    yield (
        f"The paper speaks of multicollinearity of the treatment with {' and '.join(covariate_label(key) for key in section.collinear_with)}."
        f" Correlations of their estimates with the treatment's: {each}; with one of them alone {fmt.decimal(needed, 2)} would be needed."
        f" The printed tables {verdict}."
    )


def _moved(values: Sequence[Estimate]) -> Iterator[str]:
    """What adjustment moves, and what shrinkage of the factors gives back to the treatment."""
    mine = [row for row in values if is_treatment(row) and not row.failed]
    ratios = [row for row in mine if row.unit == "ratio"]
    if not ratios:
        return
    full = max((row.adjusted_for for row in ratios), key=lambda text: text.count(","))
    adjusted = {row.variant: row for row in ratios if row.adjusted_for == full}
    alone = next((row for row in ratios if not row.adjusted_for), None)
    shift = next((row for row in mine if row.quantity == SHIFT and row.variant == "from unadjusted"), None)
    if shift is not None and alone is not None and "" in adjusted:
        yield (
            f"Adjustment for all covariates moves the treatment's log ratio by {with_limits(shift.point, shift.lower, shift.upper)}: the"
            f" {quantity_label(alone.quantity)} goes from {fmt.estimate_text(alone)} to {fmt.estimate_text(adjusted[''])}."
        )
    shrunken = {name.removeprefix(FACTORS): row for name, row in adjusted.items() if name.startswith(FACTORS)}
    if shrunken:
        each = ", ".join(f"{fmt.estimate_text(row)} ({name})" for name, row in shrunken.items())
        yield f"With the prognostic factors' ratios shrunken together the treatment's is {each}."
