"""Tables of the run itself: priors, fidelity of the reconstruction, diagnostics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first, words
from retrial.report.table import Column, Table, from_frame, text_row
from retrial.study.study import Study

_RATIO_SCALES = ("hazard ratio", "odds ratio", "risk ratio", "ratio")
_MOST_ROWS = 40
"""Fits that a reader may still go through one by one; more are shown as one row per model and prior."""
_CI = re.compile(r" ci\b")
_FITS = ["endpoint", "model", "prior"]
THRESHOLDS = "R-hat ≤ 1.01, bulk and tail effective sample size ≥ 400, no divergence"


def prior_table(priors: pd.DataFrame | None) -> Table | None:
    """Each prior with its source and what it implies on the clinical scale."""
    if priors is None or priors.empty:
        return None
    shown = priors.copy()
    shown["implies"] = [_implied(record) for record in priors.to_dict(orient="records")]
    columns = (
        Column("prior", "Prior", prior_label),
        Column("parameter", "Parameter", words),
        Column("distribution", "Distribution"),
        Column("implies", "Implies"),
        Column("source", "Source"),
    )
    caption = "What each prior implies on the clinical scale: prior median (central 95 % interval)."
    return from_frame(shown, columns, key="priors", title="", caption=caption)


def _implied(record: Mapping[Any, Any]) -> str:
    scale = str(record.get("scale") or "")
    write = fmt.ratio if scale in _RATIO_SCALES else fmt.months if "month" in scale or "median" in scale else fmt.general
    numbers = [float(record.get(f"implied_{name}", float("nan"))) for name in ("median", "lower", "upper")]
    if all(number != number for number in numbers):
        return fmt.MISSING
    limits = fmt.interval(numbers[1], numbers[2], write)
    text = f"{write(numbers[0])} ({limits})" if limits else write(numbers[0])
    return f"{text} {scale}" if scale == "months" else f"{scale} {text}".strip()


def fidelity_table(study: Study, fidelity: pd.DataFrame | None) -> Table | None:
    """Printed statistics beside those of the reconstructed tables."""
    if fidelity is None or fidelity.empty:
        return None
    shown = fidelity.copy()
    shown["allowed"] = [_allowed(_float(low), _float(high)) for low, high in zip(shown["low"], shown["high"], strict=True)]
    columns = (
        Column("endpoint", "Endpoint", lambda key: upper_first(endpoint_label(study, key))),
        Column("statistic", "Statistic", statistic_label),
        Column("arm", "Arm", words),
        Column("printed", "Printed", numeric=True),
        Column("allowed", "Stands for", numeric=True),
        Column("reconstructed", "Reconstructed", numeric=True),
        Column("minimum", "Smallest", numeric=True),
        Column("maximum", "Largest", numeric=True),
        Column("agreement", "Tables in agreement", fmt.share, numeric=True),
    )
    caption = (
        "Reconstructed: the tables' median; smallest and largest over all tables. “Stands for” is the interval of values"
        " in agreement with the printed number. No interval estimates here."
    )
    return from_frame(
        shown, columns, key="fidelity", title="Printed and reconstructed numbers", caption=caption, mark=_fidelity_mark
    )


def _allowed(low: float, high: float) -> str:
    return fmt.general(low) if low == high else fmt.interval(low, high, fmt.general)


def _fidelity_mark(record: Mapping[str, Any]) -> str:
    return "failed" if _float(record.get("agreement")) < 1 else ""


def statistic_label(statistic: str) -> str:
    """ "median_ci_upper" to "median, CI upper"."""
    return _CI.sub(", CI", words(statistic))


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def failed_fits(diagnostics: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the diagnostics whose status is not "ok"."""
    return pd.DataFrame() if diagnostics is None or diagnostics.empty else _filled(diagnostics[diagnostics["status"] != "ok"])


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Names that a CSV reader took for missing are empty texts again."""
    return frame.assign(**{name: frame[name].fillna("") for name in _FITS})


def diagnostics_tables(study: Study, diagnostics: pd.DataFrame | None) -> list[Table]:
    """Failed fits, always in full; then the fits that passed, one by one or (when many) per model and prior."""
    if diagnostics is None or diagnostics.empty:
        return []
    failed, passed = failed_fits(diagnostics), _filled(diagnostics[diagnostics["status"] == "ok"])
    caption = (
        f"A fit passes with {THRESHOLDS}. R-hat is the largest, the effective sample sizes the smallest over all parameters."
    )
    tables = []
    if not failed.empty:
        tables.append(
            _fits(
                study, failed, "diagnostics_failed", f"{len(failed)} failed fits" if len(failed) > 1 else "1 failed fit", caption
            )
        )
    if len(passed) > _MOST_ROWS:
        tables.append(_passed_summary(study, passed, caption))
    elif not passed.empty:
        tables.append(
            _fits(
                study,
                passed,
                "diagnostics_passed",
                f"{len(passed)} fits that passed" if len(passed) > 1 else "1 fit that passed",
                caption,
            )
        )
    return tables


def _fits(study: Study, frame: pd.DataFrame, key: str, title: str, caption: str) -> Table:
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
        frame, columns, key=key, title=title, caption=caption, mark=lambda record: "" if record["status"] == "ok" else "failed"
    )


def _passed_summary(study: Study, passed: pd.DataFrame, caption: str) -> Table:
    rows = []
    for names, fits in passed.groupby(_FITS, sort=False):
        endpoint, model, prior = (str(name) for name in names)
        worst = [fits["rhat_max"].max(), fits["ess_bulk_min"].min(), fits["ess_tail_min"].min()]
        cells = [fmt.decimal(worst[0], 4), *(fmt.count(float(number)) for number in worst[1:])]
        rows.append(
            text_row(
                [
                    upper_first(endpoint_label(study, endpoint)),
                    model_label(model),
                    prior_label(prior),
                    fmt.count(len(fits)),
                    *cells,
                ]
            )
        )
    columns = ("Endpoint", "Model", "Prior", "Fits", "Largest R-hat", "Smallest bulk ESS", "Smallest tail ESS")
    note = f"{caption} Every fit is in tables/diagnostics.csv."
    return Table("diagnostics_passed", f"{len(passed)} fits that passed", note, columns, tuple(rows), frozenset(range(3, 7)))
