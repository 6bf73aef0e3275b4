"""The printed multivariable model: its forest plot again with shrunken ratios, what its tables say of the covariates, what adjustment moves."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence

import pandas as pd

from retrial.estimate import Estimate
from retrial.multivariable.summary import CovariateSummary, carried_words
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.forest import ForestRow, ForestText, forests
from retrial.report.figures.picture import Picture
from retrial.report.labels import (
    SYMBOLS,
    covariate_label,
    covariates_label,
    endpoint_label,
    is_chance,
    is_treatment,
    model_label,
    prior_label,
    quantity_label,
    upper_first,
)
from retrial.report.table import Column, Line, Row, Table, from_frame, text_cell
from retrial.report.tables.results import audit_note

SHIFT, FACTORS, FROM = "adjustment_shift", "factors ", "from "
"""Quantity of what adjustment moves; starts of the variants that say another prior of the factors, and what a shift is from."""
COLLINEAR = 5.0
"""Variance inflation from which textbooks speak of multicollinearity (5 or 10: Belsley, Kuh and Welsch 1980)."""


def multivariable_tables(data: ReportData, rows: Sequence[Estimate]) -> list[Table]:
    """The covariates, their shrunken ratios, and what adjustment moves, for every endpoint."""
    tables = covariates_table(data)
    for endpoint, mine in _by_endpoint(main_values(data, rows)):
        tables += [_shrunken(data, endpoint, mine), *_adjusted(data, endpoint, mine, rows)]
    return tables


def covariates_table(data: ReportData) -> list[Table]:
    """What the printed tables say of the covariates, of all endpoints."""
    frame = covariates_of(data)
    return [] if frame.empty else [_covariates(data, frame)]


def covariates_of(data: ReportData) -> pd.DataFrame:
    """The rows of multivariable.csv."""
    columns = [item.name for item in dataclasses.fields(CovariateSummary)]
    return pd.DataFrame(columns=columns) if data.multivariable is None else data.multivariable


def shrunken_tables(data: ReportData, rows: Sequence[Estimate]) -> list[Table]:
    """Printed, independent and jointly shrunken ratios, treatment first, a table an endpoint."""
    return [_shrunken(data, endpoint, mine) for endpoint, mine in _by_endpoint(main_values(data, rows))]


def main_values(data: ReportData, rows: Sequence[Estimate]) -> list[Estimate]:
    """Ratios and shifts under the main prior of the treatment."""
    return [row for row in rows if row.statistic == "value" and not row.quantity.startswith("log_") and _is_main(data, row)]


def multivariable_pictures(data: ReportData, rows: Sequence[Estimate], *, press: bool = False) -> list[Picture]:
    """Published, independent and jointly shrunken ratios of every covariate, the treatment first; `press`: for a printer too."""
    found: list[Picture] = []
    values = [row for row in rows if row.statistic == "value" and row.unit == "ratio" and _is_main(data, row)]
    for endpoint, mine in _by_endpoint(values):
        lines: list[ForestRow] = []
        for contrast, group in _covariate_groups(mine):
            lines.append(ForestRow(upper_first(_named(contrast))))
            lines += [ForestRow("Published", row, fmt.estimate_text(row)) for row in _published(data, group[0])]
            lines += [ForestRow(_factors(row), row, "failed" if row.failed else fmt.estimate_text(row)) for row in group]
        if lines:
            found += forests(lines, dataclasses.replace(_words(data, endpoint, mine[0]), press=press))
    return found


def _is_main(data: ReportData, row: Estimate) -> bool:
    """Rows under the main prior of the treatment; a factor's are named after the prior of the factors."""
    return row.prior.startswith(FACTORS) or row.prior == (data.main_prior or row.prior)


def _by_endpoint(rows: Sequence[Estimate]) -> Iterator[tuple[str, list[Estimate]]]:
    for endpoint in dict.fromkeys(row.endpoint for row in rows):
        yield endpoint, [row for row in rows if row.endpoint == endpoint]


def _covariate_groups(rows: Sequence[Estimate]) -> list[tuple[str, list[Estimate]]]:
    """Ratios adjusted for all other covariates, by contrast, the treatment first."""
    full = [row for row in rows if (row.variant == "" or row.variant.startswith(FACTORS)) and row.adjusted_for == _all(rows, row)]
    contrasts = sorted(dict.fromkeys(row.contrast for row in full), key=lambda name: name != "experimental / control")
    return [(name, [row for row in full if row.contrast == name]) for name in contrasts]


def _all(rows: Sequence[Estimate], row: Estimate) -> str:
    """The longest list of covariates that a contrast is adjusted for: all the others."""
    lists = [other.adjusted_for for other in rows if other.contrast == row.contrast]
    return max(lists, key=lambda text: text.count(","))


def _published(data: ReportData, like: Estimate) -> list[Estimate]:
    """The printed ratio of the multivariable model, by its key."""
    keys = {f"effects.{item.effect}" for model in data.study.multivariable.values() for item in model.covariates.values()}
    about = (like.endpoint, like.quantity, like.contrast)
    rows = [row for row in data.estimates if row.method == "published" and row.statistic == "value" and row.path in keys]
    return [row for row in rows if (row.endpoint, row.quantity, row.contrast) == about]


def _factors(row: Estimate) -> str:
    return f"Factors {row.variant.removeprefix(FACTORS) or 'independent'}"


def _named(contrast: str) -> str:
    return "Treatment" if contrast == "experimental / control" else contrast


def _words(data: ReportData, endpoint: str, row: Estimate) -> ForestText:
    title = upper_first(f"{endpoint_label(data.study, endpoint)}: the multivariable model")
    caption = (
        f"{upper_first(model_label(row.model))}. Squares: published; circles: posterior medians with equal-tailed intervals, the treatment under"
        f" the {prior_label(data.main_prior)} prior. Under the hierarchical prior and the horseshoe the factors' ratios shrink together."
    )
    return ForestText(
        key=re.sub(r"[^A-Za-z0-9_-]", "_", f"forest_multivariable_{endpoint}"),
        title=title,
        caption=caption,
        axis=f"{upper_first(quantity_label(row.quantity))} (log scale)",
        left="← less often in the first group",
        right="more often in the first group →",
        numbers="Estimate (interval)",
    )


def _covariates(data: ReportData, frame: pd.DataFrame) -> Table:
    shown = frame.copy()
    shown["endpoint"] = [upper_first(endpoint_label(data.study, str(key))) for key in shown["endpoint"]]
    for name in ("inflation", "inflation_by_others", "correlation", "implied_z"):
        ends = zip(shown[name], shown[f"{name}_lower"], shown[f"{name}_upper"], strict=True)
        shown[name] = [with_limits(*values) for values in ends]
    for name in ("within", "factor"):
        shown[name] = shown[name].fillna("")
    shown["carried"] = [carried_words(float(value)) for value in shown["carried"]]
    columns = (
        Column("endpoint", "Endpoint", str),
        Column("covariate", "Covariate", covariate_label),
        Column("se_adjusted", "SE, adjusted", lambda value: fmt.decimal(value, 3), numeric=True),
        Column("se_unadjusted", "SE, univariable", lambda value: fmt.decimal(value, 3), numeric=True),
        Column("variance_ratio", "Ratio of variances", lambda value: fmt.decimal(value, 2), numeric=True),
        Column("inflation", "Variance inflation", str, numeric=True),
        *(
            [Column("inflation_by_others", "by other covariates than its factor's levels", str, numeric=True)]
            if shown["factor"].any()
            else []
        ),
        Column("carried", "carried up to", str, numeric=True),
        Column("correlation", "Correlation with the treatment's estimate", str, numeric=True),
        Column("printed_z", "|z| printed", lambda value: fmt.decimal(value, 2), numeric=True),
        Column("implied_z", "|z| from the matrices", str, numeric=True),
        Column("within", "Within tolerance", str),
    )
    worst = float(frame["inflation_by_others"].max())
    judged = "no sign of multicollinearity" if frame["inflation_by_others_upper"].max() < COLLINEAR else "see the largest ones"
    caption = (
        "Medians and 95 % limits over information matrices that carry the printed standard errors, univariable tests and baseline numbers."
        " The ratio of variances is (SE adjusted / SE univariable)², of two printed models. Variance inflation, of the multivariable model alone,"
        " is 1 without any correlation with the other covariates; a covariate of inflation v shares 1 - 1/v of its"
        f" information with them (the levels of its own factor too, which share a reference and are no multicollinearity: of a factor the root"
        f" of its generalised inflation counts). The largest here is {worst:.2f} ({judged}: textbooks speak of it from {COLLINEAR:g} or 10)."
        " Carried: the largest inflation with which some matrix still carries every printed number, of 1.2, 1.5, 2, 3, 5 and 10 (“1.2 to 1.5”: 1.2 is"
        " carried, 1.5 is not); far above the limits it says that these rest"
        " on the prior, under which strong collinearity is rare."
    )
    return from_frame(
        shown, columns, key="multivariable_covariates", title="What the printed tables say of the covariates", caption=caption
    )


def with_limits(middle: float, low: float, high: float) -> str:
    """ "1.18 (1.14 to 1.20)"."""
    if not math.isfinite(middle):
        return fmt.MISSING
    return f"{fmt.decimal(middle, 2)} ({fmt.decimal(low, 2)} to {fmt.decimal(high, 2)})"


def _shrunken(data: ReportData, endpoint: str, rows: Sequence[Estimate]) -> Table:
    groups = _covariate_groups([row for row in rows if row.unit == "ratio"])
    heads = list(dict.fromkeys(_factors(row) for _, group in groups for row in group))
    lines = []
    for contrast, group in groups:
        published = _published(data, group[0])
        cells = [(_value(row),) for row in group]
        printed = (
            (Line(fmt.estimate_text(published[0]), note=audit_note(data, published[0])),) if published else text_cell(fmt.MISSING)
        )
        lines.append(Row((text_cell(_named(contrast)), printed, *cells)))
    caption = (
        "Ratios adjusted for all other covariates. Factors chosen by their univariable p are too far from 1 on average, which shrinkage answers;"
        " but what it takes from the factors it gives back to the treatment: the treatment's ratio goes part of the way to the unadjusted one."
    )
    title = upper_first(f"{endpoint_label(data.study, endpoint)}: coefficients shrunken together")
    key = f"multivariable_shrunken_{re.sub('[^A-Za-z0-9_-]', '_', endpoint)}"
    return Table(key, title, caption, ("Covariate", "Published", *heads), tuple(lines), frozenset(range(1, len(heads) + 2)))


def _value(row: Estimate) -> Line:
    return Line(fmt.estimate_text(row), failed=row.status if row.failed else "")


def _adjusted(data: ReportData, endpoint: str, rows: Sequence[Estimate], every: Sequence[Estimate]) -> list[Table]:
    """The treatment unadjusted, adjusted for some and for all, and with one more confounder."""
    mine = [row for row in rows if is_treatment(row)]
    ratios = [row for row in mine if row.unit == "ratio" and not row.variant.startswith(FACTORS)]
    if len(ratios) < 2:
        return []
    shifts = {row.variant.removeprefix(FROM).removeprefix("adjusted for "): row for row in mine if row.quantity == SHIFT}
    full = _all(ratios, ratios[0])
    common = _said_of_all([row.note for row in ratios])
    lines = []
    for row in sorted(ratios, key=lambda row: (bool(row.variant), row.adjusted_for != full, row.adjusted_for.count(","))):
        name = (
            row.variant or ("all covariates" if row.adjusted_for == full else covariates_label(row.adjusted_for)) or "unadjusted"
        )
        shift = shifts.get("unadjusted" if name == "unadjusted" else row.adjusted_for) if not row.variant else None
        moved = fmt.MISSING if shift is None else with_limits(shift.point, shift.lower, shift.upper)
        lines.append(
            Row(
                (
                    text_cell(name),
                    (_value(row),),
                    text_cell(_chance(every, row)),
                    text_cell(moved),
                    text_cell("; ".join(part for part in row.note.split("; ") if part not in common)),
                )
            )
        )
    symbol = SYMBOLS[ratios[0].quantity]
    caption = (
        f"Treatment: {prior_label(ratios[0].prior)} prior. What adjustment moves: log ratio adjusted for all covariates less the one of the row."
        " One more confounder moves the effect towards none by as much as leaving out the strongest (the median) measured covariate does."
    )
    caption += f" Of all rows: {'; '.join(common)}." if common else ""
    title = upper_first(f"{endpoint_label(data.study, endpoint)}: what adjustment moves")
    columns = ("Adjusted for", "Ratio", f"P({symbol} < 1)", "Moved by adjustment for all", "")
    key = f"multivariable_adjusted_{re.sub('[^A-Za-z0-9_-]', '_', endpoint)}"
    return [Table(key, title, caption, columns, tuple(lines), frozenset((1, 2, 3)))]


def _said_of_all(notes: Sequence[str]) -> list[str]:
    """Parts that every note has, once."""
    each = [note.split("; ") for note in notes]
    return [part for part in dict.fromkeys(each[0]) if part and all(part in other for other in each)]


def _chance(every: Sequence[Estimate], row: Estimate) -> str:
    same = (row.subject, row.model, row.prior, row.variant)
    found = [other for other in every if is_chance(other) and (other.subject, other.model, other.prior, other.variant) == same]
    return fmt.probability(found[0].point) if found and not found[0].failed else ""
