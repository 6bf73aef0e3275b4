"""The section on model criticism: one table of predictive scores, predictive curves and LOO-PIT figures of each endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.loo_pit import pit_picture
from retrial.report.figures.picture import Picture
from retrial.report.figures.predictive import predictive_picture
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first
from retrial.report.section import Section
from retrial.report.table import Line, Row, Table, text_cell, text_row
from retrial.study.study import Study

KEY, TITLE = "criticism", "Model criticism"
_COLUMNS = (
    "Model",
    "Log predictive score (SE)",
    "Difference from the best (SE)",
    "Effective parameters",
    "Largest Pareto k",
    "Patients above its limit",
    "Stacking weight (SD over tables)",
    "Probability (SD over tables)",
    "Life tables",
)


def criticism_section(data: ReportData) -> Section | None:
    """The section, or nothing where no survival model was criticised."""
    table = criticism_table(data.study, data.criticism, data.model_probabilities)
    pictures = [*_predictive(data), *_pit(data)]
    if table is None and not pictures:
        return None
    return Section(KEY, TITLE, () if table is None else (table,), tuple(pictures))


def criticism_table(study: Study, criticism: pd.DataFrame | None, probabilities: pd.DataFrame | None = None) -> Table | None:
    """A row an endpoint and model: how well it predicts a patient that it has not seen."""
    if criticism is None or criticism.empty:
        return None
    rows: list[Row] = []
    for endpoint, models in criticism.groupby("endpoint", sort=False):
        rows.append(text_row([upper_first(endpoint_label(study, str(endpoint)))], "group"))
        for record in models.to_dict(orient="records"):
            row = {str(name): value for name, value in record.items()}
            rows.append(_row(row, _probability(row, probabilities)))
    return Table(
        "criticism",
        "Predicting a patient left out",
        _caption(criticism),
        _COLUMNS,
        tuple(rows),
        frozenset(range(1, 9)),
        wide=True,
    )


def _probability(record: Mapping[str, Any], probabilities: pd.DataFrame | None) -> str:
    """Of the model under the prior of the scores; missing where some model has no evidence."""
    if probabilities is None or probabilities.empty:
        return fmt.MISSING
    found = probabilities[
        (probabilities[["endpoint", "model", "prior"]] == [record[key] for key in ("endpoint", "model", "prior")]).all(axis=1)
    ]
    if found.empty:
        return fmt.MISSING
    one = found.iloc[0]
    return _with(one["probability"], one["probability_sd"] if one["tables"] > 1 else np.nan, 2)


def _row(record: Mapping[str, Any], probability: str) -> Row:
    """What a failed fit would have given is missing, never filled in; the model says why."""
    failed = "" if record["status"] == "ok" else str(record["status"])
    numbers = [
        _with(record["elpd_loo"], record["elpd_se"], 1),
        "best" if record["elpd_difference"] == 0 else _with(record["elpd_difference"], record["elpd_difference_se"], 1),
        fmt.decimal(record["p_loo"], 1),
        fmt.decimal(record["pareto_k_max"], 2),
        fmt.share(float(record["share_k_above_limit"])),
        # the weight of one table has no spread
        _with(record["stacking_weight"], record["stacking_weight_sd"] if record["tables_compared"] > 1 else np.nan, 2),
        probability,
        fmt.count(record["tables"]),
    ]
    name: tuple[Line, ...] = (Line(upper_first(model_label(str(record["model"])))),)
    if failed:
        consequence = "not scored" if pd.isna(record["elpd_loo"]) else "left out"
        name = (*name, Line(consequence, failed=failed.removeprefix("failed: ")))
    return Row((name, *(text_cell(number) for number in numbers)), "failed" if failed else "")


def _with(value: float, spread: float, decimals: int) -> str:
    """ "-165.8 (13.9)", the spread where there is one."""
    number = fmt.decimal(value, decimals)
    return number if pd.isna(value) or pd.isna(spread) else f"{number} ({fmt.decimal(spread, decimals)})"


def _caption(criticism: pd.DataFrame) -> str:
    tables, limit = int(criticism["tables"].max()), fmt.decimal(float(criticism["pareto_k_limit"].min()), 2)
    priors = ", ".join(dict.fromkeys(prior_label(str(name)) for name in criticism["prior"]))
    many = tables > 1
    parts = [
        "Log predictive score: sum over the patients of the log predictive density of a patient's time when the model is fitted without "
        "that patient (PSIS-LOO); higher is better.",
        f"Scores are compared within one life table, patient by patient, and then averaged over {tables} tables." if many else "",
        "A difference below about twice its standard error (SE) does not tell models apart; with small numbers of patients the SE is itself rough.",
        f"Pareto k above {limit}: the patient weighs so much that leaving it out could not be computed reliably.",
        "Stacking weight: the model's share in the mixture that predicts left-out patients best, found in each table"
        + (", mean (SD over tables); a large SD says that the tables do not agree which model is better." if many else "."),
        "A fit that failed its diagnostics is left out; a model that failed on most tables is neither scored nor weighed; models are "
        "compared on the tables where all of them passed.",
        "Probability: of the model given a table, all models of the endpoint equally probable beforehand, from its marginal likelihood under its"
        " own priors (wide ones cost it), averaged over the tables.",
        f"Prior: {priors}.",
    ]
    return " ".join(part for part in parts if part)


def _predictive(data: ReportData) -> list[Picture]:
    return [predictive_picture(data.study, key, bands, data.curves.get(key)) for key, bands in data.predictive.items()]


def _pit(data: ReportData) -> list[Picture]:
    if data.loo_pit is None or data.loo_pit.empty:
        return []
    return [pit_picture(data.study, str(key), frame) for key, frame in data.loo_pit.groupby("endpoint", sort=False)]
