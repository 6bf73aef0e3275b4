"""The section on what the printed survival numbers allow: readings in words, spread over the tables, what each number contributes,
strict against default agreement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from retrial.audit.check import Check
from retrial.reconstruct.words import MEDIANS, RATIOS, TESTS
from retrial.report import format as fmt
from retrial.report.audit_tables import note_sentences
from retrial.report.data import ReportData
from retrial.report.labels import endpoint_label, upper_first, words
from retrial.report.reconstruction_probes import left_out_table, strict_table
from retrial.report.reconstruction_rows import arm_name, grouped, quantity_name, written
from retrial.report.sections import Section
from retrial.report.table import Row, Table, text_row
from retrial.study.study import Study

KEY, TITLE = "reconstruction", "What the printed survival numbers allow"
_FAMILY = "joint"
_ALL = 1 - 1e-9
"""A share of the tables above this is all of them."""
_SPREAD_COLUMNS = (
    "Quantity",
    "Arm",
    "Mean (Monte Carlo error)",
    "SD over the tables",
    "95 % of the tables",
    "Variance between readings",
    "Prior of the tables",
)
_SPREAD_CAPTION = (
    "Kaplan-Meier quantities of the life tables that carry all printed numbers, weighted by the evidence of their readings: what the paper"
    " leaves open about its own patients. No sampling uncertainty, which the models add. Variance between readings: share of the variance that"
    " lies between the readings of the paper's estimators; the rest lies between tables of one reading. Log hazard ratio: Cox with Efron's"
    " ties on every table. Restricted means and times in months. Prior of the tables: median (95 % interval) over tables with the printed"
    " patients, events, extremes and numbers at risk that no median, ratio or test has touched."
)
_READING_COLUMNS = (
    "Hazard ratio",
    "Test",
    "Intervals of medians",
    "Outcome",
    "Share (SE)",
    "Log evidence (SE)",
    "Effective tables",
)
_READING_CAPTION = (
    "Every combination of estimators that may have made hazard ratio, test and intervals of medians, each equally likely beforehand. Log"
    " evidence: of the printed numbers, given the structure of the tables, under the prior of the tables; SE: standard error. Not attained:"
    " no sampler found a table; the closest one misses the numbers named, in units of the tolerance. Impossible: whatever the table."
)


def reconstruction_section(data: ReportData) -> Section | None:
    """The section, or nothing where no table was reconstructed."""
    makers = (
        (data.spread, _spread),
        (data.leave_one_out, left_out_table),
        (data.strict_comparison, strict_table),
        (data.readings, _readings),
    )
    tables = [make(data.study, frame) for frame, make in makers if frame is not None and not frame.empty]
    lists = [_list(data.study, check) for check in data.checks if check.family == _FAMILY]
    return Section(KEY, TITLE, tuple(tables), (), tuple(lists)) if tables else None


def _list(study: Study, check: Check) -> tuple[str, tuple[str, ...]]:
    """A check of all survival numbers at once: whose, and its sentences."""
    key = check.path.partition(".")[2]
    name = upper_first(endpoint_label(study, key)) if key else "All endpoints together"
    return name, tuple(f"{upper_first(part)}." for part in (check.recomputed, *note_sentences(check.note)) if part)


def _spread(study: Study, frame: pd.DataFrame) -> Table:
    rows = grouped(study, frame, _spread_row)
    return Table(
        "data_spread", "Spread over the tables", _SPREAD_CAPTION, _SPREAD_COLUMNS, rows, frozenset(range(2, 7)), wide=True
    )


def _spread_row(record: Mapping[str, Any]) -> Row:
    between = float(record["between_readings"])
    numbers = [
        f"{written(record, 'mean')} ({written(record, 'monte_carlo_error')})",
        written(record, "sd"),
        f"{written(record, 'lower')} to {written(record, 'upper')}",
        fmt.share(between),
        f"{written(record, 'prior_median')} ({written(record, 'prior_lower')} to {written(record, 'prior_upper')})",
    ]
    reached = float(record.get("tables", 1.0))
    name = quantity_name(record) + (
        "" if reached > _ALL else f" (the {fmt.share(reached)} of the tables that are followed so far)"
    )
    return text_row([name, arm_name(record), *numbers])


def _readings(study: Study, frame: pd.DataFrame) -> Table:
    rows = grouped(study, frame, _reading_row)
    title = f"All {len(frame)} readings"
    return Table("readings", title, _READING_CAPTION, _READING_COLUMNS, rows, frozenset(range(4, 7)), folded=True, wide=True)


def _reading_row(record: Mapping[str, Any]) -> Row:
    parts = ((RATIOS, "hazard_ratio"), (TESTS, "chi_square"), (MEDIANS, "median_ci"))
    named = [upper_first(names.get(str(record[column]), "any")) for names, column in parts]
    attained = record["status"] == "attained"
    share = _with_error(fmt.share(float(record["share"])), fmt.share(float(record.get("share_se", float("nan")))))
    evidence = _with_error(fmt.decimal(float(record["log_evidence"]), 1), fmt.decimal(float(record["log_evidence_se"]), 1))
    size = fmt.decimal(float(record["effective_tables"]), 0)
    numbers = [share, evidence, size] if attained else [fmt.MISSING] * 3
    return text_row([*named, _outcome(record), *numbers])


def _with_error(number: str, error: str) -> str:
    return number if error == fmt.MISSING else f"{number} ({error})"


def _outcome(record: Mapping[str, Any]) -> str:
    if record["status"] == "impossible":
        return f"impossible: {record['reason']}"
    if record["status"] == "attained":
        return "attained"
    missed = ", ".join(dict.fromkeys(words(part.strip()) for part in str(record["violated"]).split(",")))
    return f"not attained: {missed} missed by up to {float(record['miss']):.2g} tolerances"
