"""Convergence of the fits on the page: what failed always in full, many fits together in one row per model and prior."""

from __future__ import annotations

import pandas as pd

from retrial.report import format as fmt
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first
from retrial.report.table import Column, Row, Table, from_frame, text_row
from retrial.study.study import Study

_MOST_ROWS = 40
"""Fits that a reader may still go through one by one."""
FITS = ["endpoint", "model", "prior"]


def failed_fits(diagnostics: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the diagnostics whose status is not "ok"."""
    return pd.DataFrame() if diagnostics is None or diagnostics.empty else _filled(diagnostics[diagnostics["status"] != "ok"])


def of_fit(diagnostics: pd.DataFrame | None, fit: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of one endpoint, model and prior."""
    if diagnostics is None:
        return pd.DataFrame()
    return diagnostics[(_filled(diagnostics)[FITS] == list(fit)).all(axis=1)]


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Names that a CSV reader took for missing are empty texts again."""
    return frame.assign(**{name: frame[name].fillna("") for name in FITS})


def diagnostics_tables(study: Study, diagnostics: pd.DataFrame | None, thresholds: str) -> list[Table]:
    """Few fits: the failed ones, then the others. Many: a row per endpoint, model and prior, then every failed fit folded away."""
    if diagnostics is None or diagnostics.empty:
        return []
    caption = f"A fit passes with {thresholds}. R-hat is the largest, the effective sample sizes (ESS) the smallest over all parameters."
    failed = failed_fits(diagnostics)
    named = f"{len(failed)} failed fit{'s' * (len(failed) != 1)}"
    if len(diagnostics) > _MOST_ROWS:
        whole = [_summary(study, _filled(diagnostics), caption)]
        return [*whole, _fits(study, failed, "diagnostics_failed", named, caption, folded=True)] if len(failed) else whole
    passed = _filled(diagnostics[diagnostics["status"] == "ok"])
    parts = ((failed, "diagnostics_failed", named), (passed, "diagnostics_passed", "Fits that passed"))
    return [_fits(study, frame, key, title, caption) for frame, key, title in parts if not frame.empty]


def _fits(study: Study, frame: pd.DataFrame, key: str, title: str, caption: str, *, folded: bool = False) -> Table:
    columns = (
        Column("endpoint", "Endpoint", lambda name: upper_first(endpoint_label(study, name))),
        Column("model", "Model", model_label),
        Column("prior", "Prior", prior_label),
        Column("reconstruction", "Life table", numeric=True),
        Column("rhat_max", "R-hat", lambda value: fmt.decimal(value, 4), numeric=True),
        Column("ess_bulk_min", "Bulk ESS", fmt.count, numeric=True),
        Column("ess_tail_min", "Tail ESS", fmt.count, numeric=True),
        Column("divergences", "Divergences", fmt.count, numeric=True),
        Column("draws", "Draws", fmt.count, numeric=True),
        Column("status", "Status"),
    )
    return from_frame(
        frame,
        columns,
        key=key,
        title=title,
        caption=caption,
        mark=lambda record: "" if record["status"] == "ok" else "failed",
        folded=folded,
    )


def _summary(study: Study, diagnostics: pd.DataFrame, caption: str) -> Table:
    columns = (
        "Endpoint",
        "Model",
        "Prior",
        "Fits",
        "Failed",
        "Largest R-hat",
        "Smallest bulk ESS",
        "Smallest tail ESS",
        "Divergences",
    )
    rows = [_summary_row(study, (str(e), str(m), str(p)), fits) for (e, m, p), fits in diagnostics.groupby(FITS, sort=False)]
    note = f"{caption} Every fit is in tables/diagnostics.csv."
    return Table("diagnostics_fits", f"{len(diagnostics):,} fits", note, columns, tuple(rows), frozenset(range(3, 9)), wide=True)


def _summary_row(study: Study, names: tuple[str, str, str], fits: pd.DataFrame) -> Row:
    failed = int((fits["status"] != "ok").sum())
    cells = [
        upper_first(endpoint_label(study, names[0])),
        model_label(names[1]),
        prior_label(names[2]),
        fmt.count(len(fits)),
        fmt.count(failed),
        fmt.decimal(float(fits["rhat_max"].max()), 4),
        fmt.count(float(fits["ess_bulk_min"].min())),
        fmt.count(float(fits["ess_tail_min"].min())),
        fmt.count(float(fits["divergences"].sum())),
    ]
    return text_row(cells, "failed" if failed else "")
