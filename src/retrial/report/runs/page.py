"""The page of two runs held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.labels import estimate_label, models_called, upper_first
from retrial.report.page import environment, read_resource
from retrial.report.runs.difference import BEYOND, FAILED, ONLY_BASE, ONLY_OTHER, SAME, TABLES_TOO, UNKNOWN, VERDICTS, WITHIN
from retrial.report.section import Section
from retrial.report.table import Row, Table, text_cell, text_row
from retrial.store.artefacts import COMPARISON, path_of

_TEMPLATE = "runs.html.j2"
_MOST_ROWS, _LONGEST = 400, 300
"""Rows of a table and characters of a setting that the page shows; the CSV files hold all."""
_NOT_SHOWN = (SAME, WITHIN)
_HOW = (
    "Rows of the same endpoint, quantity, contrast, method, model, prior and question are held against each other. The errors are the Monte Carlo"
    " standard errors that the runs state for their draws. A row is called different where its point or one of its limits differs by more of them"
    " than the largest of all differences would by chance in one of twenty comparisons of equal runs (Bonferroni).",
    "These errors hold the life tables fixed: where two runs sampled other tables, a difference may come from the tables, and the row says so."
    " Published and frequentist numbers and posteriors in closed form have no Monte Carlo error: any difference of theirs is listed.",
)


@dataclass(frozen=True, eq=False)
class OneRun:
    """A run folder as read: its path as it was given, its manifest, its estimates, and what of its files is missing or changed, in words."""

    folder: str
    manifest: Mapping[str, Any]
    estimates: pd.DataFrame
    damage: str = ""

    def told(self, key: str) -> str:
        """An entry of the manifest in words, "not recorded" where there is none."""
        value = self.manifest.get(key)
        return "not recorded" if value in (None, "") else shortened(value)


def shortened(value: Any) -> str:
    """A value of a manifest on one line of bounded length."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def write_comparison(base: OneRun, other: OneRun, rows: pd.DataFrame, settings: pd.DataFrame, folder: Path) -> None:
    """Write report.html into `folder`; `rows` and `settings` have the columns of estimates_compared.csv and settings_compared.csv."""
    macros = read_resource("page.html.j2").partition("<!DOCTYPE html>")[0]
    with models_called({}):
        text = (
            environment()
            .from_string(macros + read_resource(_TEMPLATE))
            .render(
                style=Markup(read_resource("style.css")),  # noqa: S704 - the style sheet is ours
                sections=[section for section in _sections(base, other, rows, settings) if not section.is_empty],
            )
        )
    path_of(folder, "report").write_text(text.lstrip() + "\n", encoding="utf-8", newline="\n")


def _sections(base: OneRun, other: OneRun, rows: pd.DataFrame, settings: pd.DataFrame) -> Iterator[Section]:
    yield Section("runs", "The two runs", (_runs(base, other), _counts(rows)), cautions=tuple(_cautions(base, other)))
    tables = (
        _moved(rows, BEYOND, "beyond", "Beyond Monte Carlo error"),
        _moved(rows, TABLES_TOO, "tables", "Beyond the draws' error, on other life tables"),
        _moved(rows, UNKNOWN, "unknown", "Different, without a Monte Carlo error"),
        _moved(rows, FAILED, "failed", "Failed in a run: not compared"),
        _moved(rows, ONLY_BASE, "only_base", "Only in base"),
        _moved(rows, ONLY_OTHER, "only_other", "Only in other"),
    )
    found = tuple(table for table in tables if table is not None)
    said = () if found else ("No number differs by more than its Monte Carlo error, and both runs have the same rows.",)
    yield Section("numbers", "Numbers", found, paragraphs=(*said, *_HOW))
    yield Section("settings", "Settings, program and files", _settings(settings))


def _cautions(base: OneRun, other: OneRun) -> Iterator[str]:
    studies = base.told("study"), other.told("study")
    if studies[0] != studies[1]:
        yield f"These are runs of different studies ({studies[0]} and {studies[1]}): rows of the same name need not mean the same."
    for name, run in (("base", base), ("other", other)):
        if run.damage:
            yield f"The folder of {name} is not as its run left it: {shortened(run.damage)}."


def _runs(base: OneRun, other: OneRun) -> Table:
    told = (
        *(("study", "Study"), ("study_sha256", "SHA-256 of the study file"), ("verb", "Made by"), ("folder", "Run")),
        *(("commit", "Commit of the program"), ("source_sha256", "SHA-256 of the program")),
        *(("plan_sha256", "SHA-256 of the plan"), ("seed", "Seed"), ("wall_seconds", "Seconds")),
    )
    rows = [text_row(("Folder", shortened(base.folder), shortened(other.folder)))]
    rows += [text_row((title, base.told(key), other.told(key))) for key, title in told]
    rows += [text_row(("Failed results", _failures(base), _failures(other)))]
    return Table("runs", "", "What is held against each other.", ("", "base", "other"), tuple(rows), wide=True)


def _failures(run: OneRun) -> str:
    found = run.manifest.get("failures")
    return str(len(found)) if isinstance(found, list) else "not recorded"


def _counts(rows: pd.DataFrame) -> Table:
    counts = rows["verdict"].value_counts()
    methods = list(dict.fromkeys(rows["method"]))
    by_method = rows.groupby(["verdict", "method"]).size()
    body = [
        text_row(
            (
                upper_first(verdict),
                fmt.count(counts[verdict]),
                *(fmt.count(by_method.get((verdict, name), 0)) for name in methods),
            )
        )
        for verdict in VERDICTS
        if verdict in counts
    ]
    caption = f"Rows of estimates.csv by verdict; all {fmt.count(len(rows))} are in estimates_compared.csv."
    columns = ("Verdict", "Rows", *(upper_first(str(name)) for name in methods))
    return Table("verdicts", "Verdicts", caption, columns, tuple(body), frozenset(range(1, len(columns))))


def _moved(rows: pd.DataFrame, verdict: str, key: str, title: str) -> Table | None:
    mine = rows[rows["verdict"] == verdict]
    if mine.empty:
        return None
    if verdict == BEYOND:
        mine = mine.sort_values("standardised", ascending=False, kind="stable")
    left = len(mine) - _MOST_ROWS
    caption = "Point (limits) of each run" + (
        "; the largest difference of point and limits in its Monte Carlo errors, largest first." if verdict == BEYOND else "."
    )
    caption += f" The first {_MOST_ROWS} of {fmt.count(len(mine))}; all are in estimates_compared.csv." if left > 0 else ""
    columns = ("Number", "base", "other", "Difference in errors")
    body = tuple(_row(record) for record in mine.head(_MOST_ROWS).to_dict("records"))
    return Table(key, title, caption, columns, body, frozenset({3}), folded=verdict not in (BEYOND, FAILED), wide=True)


def _row(record: Mapping[Any, Any]) -> Row:
    sizes = record["standardised"]
    return Row(
        (
            text_cell(_name(record)),
            *(text_cell(_written(record, which)) for which in ("base", "other")),
            text_cell(fmt.decimal(sizes, 1)),
        )
    )


def _estimate(record: Mapping[Any, Any], which: str) -> Estimate:
    """One run's number; only as far as it is written."""
    known = {name: record[name] for name in ("endpoint", "quantity", "time", "contrast", "adjusted_for", "statistic", "event")}
    known |= {name: record[name] for name in ("threshold", "threshold_upper", "method", "model", "prior", "variant", "unit")}
    numbers = {name: record[f"{which}_{name}"] for name in ("point", "lower", "upper")}
    return Estimate(**known, **numbers, status=record[f"{which}_status"] or "ok")


def _name(record: Mapping[Any, Any]) -> str:
    row = _estimate(record, "other" if record["verdict"] == ONLY_OTHER else "base")
    parts = [str(record.get(COMPARISON) or ""), row.endpoint, estimate_label(row), row.contrast]
    parts += [f"adjusted for {row.adjusted_for}" if row.adjusted_for else "", row.method, row.model]
    parts += [f"{row.prior} prior" if row.prior else "", row.variant]
    return ", ".join(part for part in parts if part)


def _written(record: Mapping[Any, Any], which: str) -> str:
    if record["verdict"] == (ONLY_OTHER if which == "base" else ONLY_BASE):
        return fmt.MISSING
    row = _estimate(record, which)
    write = fmt.formatter_of(row)
    limits = fmt.interval(row.lower, row.upper, write)
    text = f"{write(row.point)} ({limits})" if limits else write(row.point)
    return f"{text} [{row.status}]" if row.failed else text


def _settings(settings: pd.DataFrame) -> tuple[Table, ...]:
    if settings.empty:
        return (Table("settings", "", "Both runs have the same settings, program and files.", (), ()),)
    rows = tuple(text_row([shortened(value) for value in record]) for record in settings.head(_MOST_ROWS).itertuples(index=False))
    more = f" The first {_MOST_ROWS} of {len(settings)}." if len(settings) > _MOST_ROWS else ""
    caption = f"What differs; nothing stands where a run has no such entry. In full in settings_compared.csv.{more}"
    return (Table("settings", "", caption, ("Setting", "base", "other"), rows, wide=True),)
