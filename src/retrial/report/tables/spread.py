"""Tables beside the treatment effects: agreement with the published ratio, and where a pooled posterior's spread comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from retrial.answers.agreement import MOVED
from retrial.frequentist.rows import RATIO
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import adjusted_label, endpoint_label, model_label, prior_label, quantity_label, upper_first
from retrial.report.table import Column, Table, from_frame

_AGREES = "agrees"
_OK = "ok"


def spread_tables(data: ReportData) -> list[Table]:
    """Both tables, each where a run has its rows."""
    return [*_agreement(data, data.agreement), *_variance(data, data.variance)]


def _first_columns(data: ReportData) -> tuple[Column, ...]:
    return (
        Column("endpoint", "Endpoint", lambda key: upper_first(endpoint_label(data.study, str(key)))),
        Column("model", "Model", lambda key: upper_first(model_label(str(key)))),
        Column("prior", "Prior", lambda key: prior_label(str(key))),
    )


def _agreement(data: ReportData, frame: pd.DataFrame | None) -> list[Table]:
    if frame is None or frame.empty:
        return []
    shown = frame[frame["contrast"] == RATIO].copy()
    if shown.empty:
        return []
    shown["adjusted_for"] = [adjusted_label(str(covariates)) for covariates in shown["adjusted_for"].fillna("")]
    fine = shown["status"] == _OK
    shown.loc[~fine, "verdict"] = "✗ " + shown.loc[~fine, "status"].astype(str)
    agree, judged = int((shown["verdict"] == _AGREES).sum()), int((fine & (shown["verdict"] != MOVED)).sum())
    columns = (
        *_first_columns(data),
        *((Column("adjusted_for", "", str),) if (shown["adjusted_for"] != "").any() else ()),
        Column("published", "Published", fmt.ratio, numeric=True),
        Column("judged_against", "Judged against", fmt.ratio, numeric=True),
        Column("posterior", "Posterior", fmt.ratio, numeric=True),
        Column(
            "difference", "Standardised difference", lambda value: f"{float(value):.2f}".replace("-", fmt.MINUS), numeric=True
        ),
        Column("verdict", "Agreement"),
    )
    caption = (
        "Judged against the published ratio as the audit lets it be used, under the prior of answers.agreement; other priors are meant to differ."
        " Rules set beforehand: posterior median inside the published interval, published hazard ratio inside the credible interval, the"
        " same conclusion on 1 (both intervals exclude it on the same side, or both hold it), ratios within the factor and standardised"
        " difference within the bound of answers.agreement. Both rest on the same patients: agreement is not replication."
    )
    title = f"Agreement with the published hazard ratio: {agree} of {judged} posteriors"
    return [from_frame(shown, columns, key="agreement", title=title, caption=caption, mark=_mark, folded=True)]


def _variance(data: ReportData, frame: pd.DataFrame | None) -> list[Table]:
    """The split under the main prior: of the others only the log hazard ratio is in the files."""
    if frame is None or frame.empty or not (frame["tables"] > 1).any():
        return []
    main = data.main_prior if data.main_prior in set(frame["prior"]) else str(frame["prior"].iloc[0])
    shown = frame[frame["prior"] == main].copy()
    shown["quantity"] = [
        upper_first(quantity_label(str(name), float(time))) + (f"; {design}" if design else "")
        for name, time, design in zip(shown["quantity"], shown["time"], _designs(shown), strict=True)
    ]
    columns = (
        *_first_columns(data),
        Column("quantity", "Quantity", str),
        Column("total_sd", "Posterior SD", lambda value: f"{float(value):.2f}", numeric=True),
        Column("within_share", "Within a table", fmt.share, numeric=True),
        Column("between_models_share", "Between models", fmt.share, numeric=True),
        Column("between_tables_share", "Between tables", fmt.share, numeric=True),
        Column("between_readings_share", "Between readings", fmt.share, numeric=True),
        Column("between_designs_share", "Between designs", fmt.share, numeric=True),
    )
    caption = (
        "Shares of the pooled posterior's variance: within a life table (what patients with known times would leave open as well), between"
        " the models of an average over them (weighed by their probabilities), between tables that carry the printed numbers under one reading"
        " of the paper's estimators, between the readings, and between what the study's design may mean for the tables (who was left out)."
        " Entry: of the model fitted to who was there at the first time at which one of them left, another estimand;"
        " early deaths: with so many more in one arm (the ratio by Cox); neither has a share. Of the other priors in tables/variance.csv."
    )
    title = "What the reconstruction leaves open"
    return [from_frame(shown, columns, key="variance", title=title, caption=caption, mark=_mark)]


def _designs(frame: pd.DataFrame) -> list[str]:
    """Reading of the design of each row; empty: as it is."""
    return [str(design) for design in frame["design"].fillna("")] if "design" in frame else [""] * len(frame)


def _mark(record: Mapping[str, Any]) -> str:
    return "" if record.get("status") == _OK else "failed"
