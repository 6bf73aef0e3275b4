"""Tables of further reconstructions: what each printed number contributes, and strict against default agreement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retrial.dims import TOTAL
from retrial.report import format as fmt
from retrial.report.labels import endpoint_label, upper_first, words
from retrial.report.reconstruction_rows import arm_name, grouped, quantity_name, records, written
from retrial.report.table import Row, Table, text_row
from retrial.study.study import Study

_CONTRAST = re.compile(r"^(rmst_difference|survival_difference_at_[\d.]+|log_hazard_ratio_cox_efron)$")
"""Answers whose dependence on each printed number is shown."""
_WIDER, _MOVED = 1.5, 2.0
"""An answer that widens by this factor, or moves by so many Monte Carlo standard errors, rests on the number left out."""
_STATISTICS = {
    "median": "median and its interval",
    "median_ci": "interval of the median",
    "hazard_ratio": "hazard ratio, interval and p",
    "chi_square": "χ² and p",
    "at_risk": "numbers at risk",
}
_BY_ARM = ("median", "median_ci", "at_risk", "events")
_STRICT_COLUMNS = ("Quantity", "Arm", "Default", "Strict", "Difference (Monte Carlo error)", "z", "Verdict")


def left_out_table(study: Study, frame: pd.DataFrame) -> Table:
    """A row for every number left out, with shift and widening of the contrasts between the arms."""
    kept = frame[frame["quantity"].isna() | frame["quantity"].astype(str).str.match(_CONTRAST)].fillna({"left_out": ""})
    quantities = [str(name) for name in dict.fromkeys(kept["quantity"].dropna())]
    rows: list[Row] = []
    for endpoint, mine in kept.groupby("endpoint", sort=False):
        rows.append(text_row([upper_first(endpoint_label(study, str(endpoint)))], "group"))
        rows += [_left_out_row(str(name), part, quantities) for name, part in mine.groupby("left_out", sort=False)]
    caption = (
        "First row: mean (SD) over the tables that carry every number. Others: shift of the mean, and SD as a multiple of the first row's, when"
        f" one printed statistic is left out; * where the shift exceeds {_MOVED:g} Monte Carlo standard errors or the SD grows by"
        f" {_WIDER:g} or more: the answer rests on that number. A median is left out with its interval."
    )
    columns = ("Left out", *(quantity_name({"quantity": name}) for name in quantities))
    return Table(
        "leave_one_out",
        "What each printed number contributes",
        caption,
        columns,
        tuple(rows),
        frozenset(range(1, len(columns))),
        wide=True,
    )


def _left_out_row(name: str, part: pd.DataFrame, quantities: Sequence[str]) -> Row:
    label = _statistic(name) if name else "Nothing"
    failed = [str(status) for status in part["status"] if status != "ok"]
    if failed:
        return text_row([f"{label}: {failed[0]}", *([fmt.MISSING] * len(quantities))], "failed")
    by_quantity = {str(record["quantity"]): record for record in records(part)}
    return text_row([label, *(_cell(by_quantity.get(quantity), first=not name) for quantity in quantities)])


def _cell(record: Mapping[str, Any] | None, *, first: bool) -> str:
    if record is None:
        return fmt.MISSING
    if first:
        return f"{written(record, 'mean')} ({written(record, 'sd')})"
    shift, ratio = float(record["shift"]), float(record["sd_ratio"])
    star = "*" if abs(float(record["standardised"])) > _MOVED or ratio >= _WIDER else ""
    return f"{'+' if shift > 0 else ''}{written(record, 'shift')}, SD × {fmt.decimal(ratio, 1)}{star}"


def _statistic(name: str) -> str:
    """ "hazard_ratio.total + chi_square.total" to words."""
    parts = []
    for item in name.split(" + "):
        statistic, _, arm = item.partition(".")
        label = _STATISTICS.get(statistic, words(statistic))
        parts.append(f"{label} ({'both arms' if arm == TOTAL else arm})" if statistic in _BY_ARM else label)
    return upper_first("; ".join(parts))


def strict_table(study: Study, frame: pd.DataFrame) -> Table:
    counts = "; ".join(_table_counts(study, record) for record in records(frame.drop_duplicates("endpoint")))
    differ = int((frame["verdict"] == "differs").sum())
    caption = (
        f"Means over tables within the tolerances and over tables that carry every printed digit ({counts}), under the readings that both"
        " have and with the same shares of them. z: difference in Monte Carlo standard errors; verdict at 5 % over all rows of an"
        " endpoint (Bonferroni). Errors count independent samplers, whose tables share"
        " ancestors; a strict sampler counts as one table."
    )
    title = f"Strict and default agreement: {f'{differ} of {len(frame)} answers differ' if differ else 'no answer differs'}"
    rows = grouped(study, frame, _strict_row)
    return Table("strict_comparison", title, caption, _STRICT_COLUMNS, rows, frozenset(range(2, 6)), folded=True, wide=True)


def _strict_row(record: Mapping[str, Any]) -> Row:
    numbers = [
        written(record, "default"),
        written(record, "strict"),
        f"{written(record, 'difference')} ({written(record, 'monte_carlo_error')})",
        fmt.decimal(float(record["standardised"]), 1),
    ]
    return text_row(
        [quantity_name(record), arm_name(record), *numbers, record["verdict"]], "failed" if record["verdict"] == "differs" else ""
    )


def _table_counts(study: Study, record: Mapping[str, Any]) -> str:
    name = endpoint_label(study, str(record["endpoint"]))
    return f"{name}: {int(record['strict_tables'])} strict, {int(record['default_tables'])} default"
