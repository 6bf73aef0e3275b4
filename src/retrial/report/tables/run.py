"""Tables of what the models were given: priors, and the fidelity of the reconstruction."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first, variant_label, words
from retrial.report.table import Column, Row, Table, from_frame, text_row
from retrial.study.study import Study

_RATIO_SCALES = ("hazard ratio", "odds ratio", "risk ratio", "ratio", "ratio of shapes", "events per patient-month")
_CI = re.compile(r" ci\b")


def prior_table(priors: pd.DataFrame | None) -> Table | None:
    """Each prior with its source and what it implies on the clinical scale."""
    if priors is None or priors.empty:
        return None
    shown = priors.copy()
    records = priors.to_dict(orient="records")
    shown["implies"] = [_implied(record) for record in records]
    shown["parameter"] = [_parameter(record) for record in records]
    shown["prior"] = [
        f"{model_label(model)}: own" if model else prior_label(prior)
        for model, prior in zip(priors["model"].fillna(""), priors["prior"], strict=True)
    ]
    shown["worth"] = [_worth(record) for record in records]
    columns = (
        Column("prior", "Prior", str),
        Column("parameter", "Parameter"),
        Column("distribution", "Distribution"),
        Column("implies", "Implies"),
        Column("worth", "Worth"),
        Column("source", "Source"),
    )
    caption = (
        "What each prior implies on the clinical scale: prior median (central 95 % interval). Worth: effective sample size; of log"
        " ratios the expected local information ratio (Neuenschwander et al. 2020; 4 / variance events for a normal prior of a log hazard"
        " ratio), of an arm's probability a + b of the Beta distribution with its mean and variance."
    )
    return from_frame(shown, columns, key="priors", title="Every prior and its source", caption=caption)


def _parameter(record: Mapping[Any, Any]) -> str:
    """The parameter, and the endpoint where the prior is that endpoint's own."""
    endpoint = record.get("endpoint")
    name = words(str(record["parameter"]))
    return f"{name} ({endpoint})" if isinstance(endpoint, str) and endpoint else name


def _worth(record: Mapping[Any, Any]) -> str:
    size = _float(record.get("effective_size"))
    if size != size:
        return fmt.MISSING
    return f"{fmt.decimal(size, 0 if size >= 10 else 1 if size >= 0.1 else 2)} {record['effective_unit']}"


def _implied(record: Mapping[Any, Any]) -> str:
    scale = str(record.get("scale") or "")
    write = fmt.months if scale == "months" else fmt.ratio if scale in _RATIO_SCALES else _three
    numbers = [float(record.get(f"implied_{name}", float("nan"))) for name in ("median", "lower", "upper")]
    if all(number != number for number in numbers):
        return fmt.MISSING
    limits = fmt.interval(numbers[1], numbers[2], write)
    text = f"{write(numbers[0])} ({limits})" if limits else write(numbers[0])
    return f"{text} {scale}" if scale == "months" else f"{scale} {text}".strip()


def _three(value: float) -> str:
    """Probabilities, logits and SDs to three decimals: a prior is known no better."""
    return fmt.decimal(value, 3)


def fidelity_table(study: Study, fidelity: pd.DataFrame | None) -> Table | None:
    """Printed statistics beside those of the reconstructed tables."""
    if fidelity is None or fidelity.empty:
        return None
    shown = _curves_in_one_row(fidelity)
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
        Column("strict_agreement", "To the last digit", fmt.share, numeric=True),
    )
    caption = (
        "Reconstructed: the tables' median; smallest and largest over all tables. “Stands for” is the interval of values"
        " that count as agreement: counts and whole-month times exactly; ratios, χ² and limits of medians within their rounding or 0.5 %"
        " (of the value; for medians, of the interval's width), whichever is wider; a curve's readings within 0.01."
        " “To the last digit” is the share of tables that"
        " also print as the paper does. No interval estimates here."
    )
    return from_frame(
        shown, columns, key="fidelity", title="Printed and reconstructed numbers", caption=caption, mark=_fidelity_mark
    )


_MOST_OF_A_CURVE = 0.95
"""Share of a curve's readings whose disagreement is the grid's steps and errors of reading."""


def _curves_in_one_row(fidelity: pd.DataFrame) -> pd.DataFrame:
    """The readings of an arm's digitised curve as one row with their mean agreement; each is in fidelity.csv."""
    of_curve = fidelity["statistic"].astype(str).str.startswith("survival at ")
    rows = []
    for (endpoint, arm), part in fidelity[of_curve].groupby(["endpoint", "arm"], sort=False):
        shares = {name: float(part[name].mean()) for name in ("agreement", "strict_agreement") if name in part}
        rows.append({"endpoint": endpoint, "arm": arm, "statistic": f"curve, {len(part)} readings", "printed": "", **shares})
    return pd.concat([fidelity[~of_curve], pd.DataFrame(rows)], ignore_index=True) if rows else fidelity.copy()


def _allowed(low: float, high: float) -> str:
    if math.isnan(low):
        return fmt.MISSING
    return fmt.general(low) if low == high else fmt.interval(low, high, fmt.general)


def _fidelity_mark(record: Mapping[str, Any]) -> str:
    of_curve = str(record.get("statistic")).startswith("curve, ")
    return "failed" if _float(record.get("agreement")) < (_MOST_OF_A_CURVE if of_curve else 1) else ""


def statistic_label(statistic: str) -> str:
    """ "median_ci_upper" to "median, CI upper"."""
    return _CI.sub(", CI", words(statistic))


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


_MOST_ROWS = 40
"""Fits that a reader may still go through one by one."""
FITS = ["endpoint", "model", "prior", "variant"]


def failed_fits(diagnostics: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the diagnostics whose status is not "ok"."""
    return pd.DataFrame() if diagnostics is None or diagnostics.empty else _filled(diagnostics[diagnostics["status"] != "ok"])


def of_fit(diagnostics: pd.DataFrame | None, fit: tuple[str, ...]) -> pd.DataFrame:
    """Rows of one endpoint, model, prior and variant."""
    if diagnostics is None:
        return pd.DataFrame()
    return diagnostics[(_filled(diagnostics)[FITS] == list(fit)).all(axis=1)]


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Names that a CSV reader took for missing are empty texts again."""
    return frame.assign(**{name: frame[name].fillna("") if name in frame else "" for name in FITS})


def diagnostics_tables(study: Study, diagnostics: pd.DataFrame | None, thresholds: str) -> list[Table]:
    """Few fits: the failed ones, then the others. Many: a row per endpoint, model and prior, then every failed fit folded away."""
    if diagnostics is None or diagnostics.empty:
        return []
    caption = (
        f"A fit passes with {thresholds}. R-hat is the largest, the effective sample sizes (ESS) the smallest over all parameters."
        f" {_levels(diagnostics)}{_run_again(diagnostics)}"
    )
    failed = failed_fits(diagnostics)
    named = f"{len(failed)} failed fit{'s' * (len(failed) != 1)}"
    if len(diagnostics) > _MOST_ROWS:
        whole = [_summary(study, _filled(diagnostics), caption)]
        return [*whole, _fits(study, failed, "diagnostics_failed", named, caption, folded=True)] if len(failed) else whole
    passed = _filled(diagnostics[diagnostics["status"] == "ok"])
    parts = ((failed, "diagnostics_failed", named), (passed, "diagnostics_passed", "Fits that passed"))
    return [_fits(study, frame, key, title, caption) for frame, key, title in parts if not frame.empty]


_CHEAPER = {"importance": "importance sampling", "reweighted": "chains of NUTS reweighted from another prior"}
"""Ways of fits that are held against NUTS."""


def _levels(diagnostics: pd.DataFrame) -> str:
    """What gave the fits, and how those that are not by NUTS compare with it; empty where there are none, or of an earlier version."""
    if "method" not in diagnostics or not diagnostics["method"].isin(list(_CHEAPER)).any():
        return ""
    weighted = diagnostics[diagnostics["method"].isin(list(_CHEAPER))]
    counts = weighted["method"].value_counts()
    by = " and ".join(f"{counts[name]:,} by {words}" for name, words in _CHEAPER.items() if name in counts)
    checked = weighted["check"].dropna()
    k = fmt.decimal(float(weighted["pareto_k"].max()), 2)
    told = f"Of {len(diagnostics):,} fits {by} (largest Pareto k {k})"
    if checked.empty:
        return f"{told}. "
    return (
        f"{told}; {len(checked):,} of them, chosen at random, were held against NUTS: means, SDs and limits differ by at most"
        f" {fmt.decimal(float(checked.max()), 1)} Monte Carlo errors. "
    )


def _run_again(diagnostics: pd.DataFrame) -> str:
    """How many fits did not pass at once, and how they were run in the end: this is not to be seen from those that stand."""
    again = diagnostics[diagnostics["attempts"] > 1]
    if again.empty:
        return "Every fit was run once."
    runs, tune, draws = (fmt.count(float(again[name].max())) for name in ("attempts", "tune", "draws"))
    accept = fmt.decimal(float(again["target_accept"].max()), 2)
    return (
        f"{len(again):,} of {len(diagnostics):,} fits did not pass at first and were run again with another seed, longer and in smaller"
        f" steps, up to {runs} times in all (at most {tune} warm-up iterations a chain, {draws} draws, acceptance aimed at {accept});"
        " the last run is shown and used."
    )


def _fits(study: Study, frame: pd.DataFrame, key: str, title: str, caption: str, *, folded: bool = False) -> Table:
    columns = (
        Column("endpoint", "Endpoint", lambda name: upper_first(endpoint_label(study, name))),
        Column("model", "Model", model_label),
        Column("prior", "Prior", prior_label),
        Column("variant", "Variant", variant_label),
        Column("reconstruction", "Life table", numeric=True),
        Column("rhat_max", "R-hat", lambda value: fmt.decimal(value, 4), numeric=True),
        Column("ess_bulk_min", "Bulk ESS", fmt.count, numeric=True),
        Column("ess_tail_min", "Tail ESS", fmt.count, numeric=True),
        Column("divergences", "Divergences", fmt.count, numeric=True),
        Column("draws", "Draws", fmt.count, numeric=True),
        Column("attempts", "Runs", fmt.count, numeric=True),
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
        "Run again",
        "Largest R-hat",
        "Smallest bulk ESS",
        "Smallest tail ESS",
        "Divergences",
    )
    rows = [_summary_row(study, [str(name) for name in names], fits) for names, fits in diagnostics.groupby(FITS, sort=False)]
    note = f"{caption} Every fit is in tables/diagnostics.csv."
    return Table("diagnostics_fits", f"{len(diagnostics):,} fits", note, columns, tuple(rows), frozenset(range(3, 10)), wide=True)


def _summary_row(study: Study, names: Sequence[str], fits: pd.DataFrame) -> Row:
    failed = int((fits["status"] != "ok").sum())
    cells = [
        upper_first(endpoint_label(study, names[0])),
        model_label(names[1]),
        ", ".join(part for part in (prior_label(names[2]), variant_label(names[3])) if part),
        fmt.count(len(fits)),
        fmt.count(failed),
        fmt.count(int((fits["attempts"] > 1).sum())),
        fmt.decimal(float(fits["rhat_max"].max()), 4),
        fmt.count(float(fits["ess_bulk_min"].min())),
        fmt.count(float(fits["ess_tail_min"].min())),
        fmt.count(float(fits["divergences"].sum())),
    ]
    return text_row(cells, "failed" if failed else "")
