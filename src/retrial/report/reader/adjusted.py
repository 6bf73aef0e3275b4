"""Adjusted for the patients' own covariates: unadjusted, conditional and standardised answers side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retrial.data.covariates import COMPLETE, CONDITIONAL, MARGINAL
from retrial.estimate import Estimate
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import adjusted_label, endpoint_label, estimate_label, model_label, prior_label, upper_first
from retrial.report.section import Section
from retrial.report.table import Cell, Line, Row, Table, text_cell
from retrial.report.tables.results import interval_words

_RATIOS = ("hazard_ratio", "average_hazard_ratio")
_DIFFERENCES = ("rmst_difference", "survival_difference")


def adjusted_section(data: ReportData) -> Iterator[Section]:
    """A table of all endpoints whose patients have covariates, under the main prior; nothing where none has."""
    ours = [row for row in data.estimates if _is_adjusted(row) and row.prior in ("", _prior(data))]
    rows: list[Row] = []
    for endpoint in dict.fromkeys(row.endpoint for row in ours):
        mine = [row for row in ours if row.endpoint == endpoint]
        full = max((row.adjusted_for for row in mine), key=lambda names: names.count(","))
        rows.append(Row(((Line(f"{upper_first(endpoint_label(data.study, endpoint))}, {adjusted_label(full)}"),),), "group"))
        first = next((row.model for row in mine if row.method == "bayes"), "")
        rows += [_row(data, row) for row in mine if row.adjusted_for == full and (row.method != "bayes" or row.model == first)]
    if rows:
        columns = ("Quantity", "Unadjusted", "Adjusted")
        table = Table("adjusted_patients", "", _caption(data, ours), columns, tuple(rows), frozenset((1, 2)))
        yield Section("adjusted", "Adjusted for the patients' covariates", (table,))


def _prior(data: ReportData) -> str:
    return data.main_prior or next((row.prior for row in data.estimates if _is_adjusted(row) and row.prior), "")


def _is_adjusted(row: Estimate) -> bool:
    of_treatment = (row.quantity in _RATIOS and row.contrast == RATIO) or (
        row.quantity in _DIFFERENCES and row.contrast == DIFFERENCE
    )
    return of_treatment and row.statistic == "value" and row.variant in (CONDITIONAL, MARGINAL)


def _row(data: ReportData, row: Estimate) -> Row:
    way = "conditional" if row.variant == CONDITIONAL else "standardised"
    name = (Line(upper_first(estimate_label(row)), ", ".join((model_label(row.model), way))),)
    plain = _unadjusted(data.estimates, row)
    return Row((name, text_cell(fmt.MISSING) if plain is None else _cell(plain), _cell(row)), "failed" if row.failed else "")


def _cell(row: Estimate) -> Cell:
    text = f"{fmt.estimate_text(row)}"
    return (Line("failed", failed=row.status),) if row.failed else (Line(text),)


def _unadjusted(estimates: Sequence[Estimate], row: Estimate) -> Estimate | None:
    """The same of the same patients without covariates: rows of those with every covariate before those of all."""
    same = [
        other
        for other in estimates
        if (other.subject[:4], other.model, other.prior) == (row.subject[:4], row.model, row.prior)
        and other.statistic == "value"
        and not other.adjusted_for
        and other.variant in ("", COMPLETE)
    ]
    return max(same, key=lambda other: other.variant == COMPLETE, default=None)


def _caption(data: ReportData, rows: Sequence[Estimate]) -> str:
    prior, words = prior_label(_prior(data)), interval_words([row for row in rows if row.method == "bayes"])
    return (
        f"Bayesian: posterior median ({words}), {prior} prior; Cox: estimate (confidence interval). Other models are in"
        " estimates.csv. Restricted means in months, survival as probabilities."
        " Conditional: between patients with the same covariates. Standardised: everybody of the file in one arm against"
        " everybody in the other, averaged over their covariates. A conditional and an unadjusted hazard ratio differ even without"
        " confounding; differences in survival and standardised ratios do not for that reason."
    )
