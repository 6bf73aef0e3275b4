"""Response under every model: how far the hierarchical and the borrowing model move from the independent analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from retrial.audit.run import apply_decisions
from retrial.dims import ARMS
from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first, variant_label
from retrial.report.table import Cell, Line, Row, Table, text_row
from retrial.report.tables.results import written

_DIFFERENCE = ("risk_difference", "value")
_CHANCE = ("risk_difference", "probability")
_ROBUST = ("posterior_weight_robust", "value")
Fit = tuple[str, str]
"""Prior and variant."""
Found = dict[tuple[str, str, Fit, tuple[str, str]], Estimate]
"""By endpoint, model, fit, and quantity and statistic."""


def response_tables(data: ReportData) -> list[Table]:
    """Nothing where only one model of responses was fitted: its numbers are in the table of all numbers."""
    outcomes = {key for keys in _outcomes(data) for key in keys}
    found: Found = {
        (row.endpoint, row.model, (row.prior, row.variant), (row.quantity, row.statistic)): row
        for row in data.estimates
        if row.method == "bayes" and row.endpoint in outcomes and (row.quantity, row.statistic) in (_DIFFERENCE, _CHANCE, _ROBUST)
    }
    models = list(dict.fromkeys(model for _, model, *_ in found))
    if len(models) < 2 or data.study.response is None:
        return []
    return [_categories(data, found, models), _priors(data, found, models)]


def _outcomes(data: ReportData) -> tuple[list[str], list[str]]:
    """Composites and categories, best first."""
    response = data.study.response
    return ([], []) if response is None else (list(response.composites), list(response.categories))


def _categories(data: ReportData, found: Found, models: Sequence[str]) -> Table:
    """Every category and rate under the main prior, beside the printed p and Fisher's."""
    composites, categories = _outcomes(data)
    tests = {
        (row.endpoint, row.method, row.model): row for row in data.estimates if row.quantity == "p_value" and not row.variant
    }
    rows: list[Row] = []
    for heading, keys in (("Rates", composites), ("Categories", categories)):
        if keys:
            rows.append(text_row([heading], "group"))
        for key in keys:
            printed, fisher = tests.get((key, "published", "")), tests.get((key, "frequentist", "fisher_exact"))
            p = (Line(_p(printed), "printed"), Line(_p(fisher), "Fisher"))
            alone = next((row for row in data.estimates if _is_counted(row, key)), None)
            cells: list[Cell] = [(Line(endpoint_label(data.study, key)),), _patients(data, found, key), p]
            cells.append((Line(fmt.estimate_text(alone) if alone is not None else fmt.MISSING),))
            rows.append(Row((*cells, *(_difference(found, key, model, _main(data, found, model)) for model in models))))
    columns = ("Outcome", "Patients", "p", "Counted (Newcombe)")
    caption = (
        f"Risk differences, experimental − control, with 95 % intervals; P is the posterior probability of a difference above 0. Bayesian columns"
        f" under the {prior_label(_main(data, found, models[0])[0])} prior: each outcome by itself; hierarchical, all categories at once with"
        " partially pooled effects, so that rates and categories add up; borrowing, where the control arm learns from earlier cohorts."
        " The distance from the first Bayesian column is the shrinkage."
    )
    names = (*columns, *(upper_first(model_label(model)) for model in models))
    return Table("response_shrinkage", "Independent, hierarchical and borrowing", caption, names, tuple(rows))


def _is_counted(row: Estimate, key: str) -> bool:
    return row.endpoint == key and row.method == "frequentist" and row.quantity == "risk_difference" and not row.variant


def _p(row: Estimate | None) -> str:
    """A p as the paper prints it ("<0.001" is a bound, not a number)."""
    return fmt.MISSING if row is None or not math.isfinite(row.point) else written(row)


def _note(found: Found, key: str) -> str:
    """What to know of an outcome's counts before reading its posteriors; empty where nothing."""
    return next((row.note for (endpoint, *_), row in found.items() if endpoint == key and row.note), "")


def _patients(data: ReportData, found: Found, key: str) -> Cell:
    """Patients with the outcome of each arm's patients, and a note where an arm has none, or nobody else."""
    rows = {path.split(".")[-1]: (path, row) for path, row in data.study.count_rows().items() if path.startswith("response.")}
    if key not in rows:
        return (Line(fmt.MISSING),)
    path, counted = rows[key]
    study = apply_decisions(data.study, [check for check in data.checks if check.path.endswith(".evaluable")])
    counts = tuple(Line(f"{int(getattr(counted, arm).n)} of {study.patients(path, arm)}", arm) for arm in reversed(ARMS))
    note = _note(found, key)
    return (*counts, Line("", note)) if note else counts


def _main(data: ReportData, found: Found, model: str) -> Fit:
    """The prior quoted for a model: the main one where it was fitted with it."""
    fits = list(dict.fromkeys(fit for _, name, fit, kind in found if name == model and kind == _DIFFERENCE))
    main = (data.main_prior, "")
    return main if main in fits else next(iter(fits), ("", ""))


def _difference(found: Found, key: str, model: str, fit: Fit) -> Cell:
    """Risk difference, its probability, and the weight of the part that borrows nothing."""
    row = found.get((key, model, fit, _DIFFERENCE))
    if row is None:
        return (Line(fmt.MISSING),)
    failure = row.status.partition(";")[0] if row.failed else ""
    lines = [Line(fmt.estimate_text(row), failed=failure, struck=row.failed)]
    chance, robust = found.get((key, model, fit, _CHANCE)), found.get((key, model, fit, _ROBUST))
    if chance is not None and not row.failed:
        lines.append(Line(fmt.probability(chance.point), "P(> 0)"))
    if robust is not None:
        lines.append(Line(fmt.decimal(robust.point, 2), "robust part"))
    return tuple(lines)


def _priors(data: ReportData, found: Found, models: Sequence[str]) -> Table:
    """The rates under every prior set, models beside each other."""
    composites, categories = _outcomes(data)
    rows: list[Row] = []
    fits = list(dict.fromkeys(fit for _, _, fit, _ in found))
    ordered = sorted(fits, key=lambda fit: fit[1] != "")
    for key in composites or categories:
        heading = ", ".join(part for part in (endpoint_label(data.study, key), _note(found, key)) if part)
        rows.append(text_row([heading], "group"))
        for prior, variant in ordered:
            cells = [_difference(found, key, model, (prior, variant)) for model in models]
            named = ", ".join(part for part in (upper_first(prior_label(prior)), variant_label(variant)) if part)
            if any(line.text != fmt.MISSING for cell in cells for line in cell):
                rows.append(Row(((Line(named),), *cells)))
    caption = (
        "Risk differences, experimental − control, with 95 % intervals, under every prior set that speaks of the outcome: a set for independent"
        " arms has no common effect for the hierarchical model, evidence on one rate none for the steps between categories. Robust part:"
        " posterior weight of the part of the control arm's prior that borrows nothing (before the data: `historical.robust_weight`). Pooling"
        " scale × 0.5 and × 2: the prior of the effects' SD changed by the factor."
    )
    columns = ("Prior", *(upper_first(model_label(model)) for model in models))
    return Table("response_priors", "Differences under every prior", caption, columns, tuple(rows))
