"""The section on what the printed survival numbers allow: readings in words, spread over the tables, what each number contributes,
strict against default agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from retrial.audit.check import Check
from retrial.dims import TOTAL
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import contrast_label, endpoint_label, model_label, prior_label, quantity_label, upper_first, words
from retrial.report.section import Section
from retrial.report.table import Row, Table, text_row
from retrial.report.tables.audit import note_sentences
from retrial.study.study import Study
from retrial.tables.findings.joint import UNSETTLED
from retrial.tables.findings.words import DESIGNS, MEDIANS, RATIOS, TESTS, misses

_NAMES = {
    "log_hazard_ratio_cox_efron": "log hazard ratio by Cox regression (Efron's ties)",
    "posterior_mean_log_hazard_ratio": "posterior mean of the log hazard ratio",
    "posterior_sd_log_hazard_ratio": "posterior SD of the log hazard ratio",
    "posterior_probability_of_a_hazard_ratio_below_1": "P(HR < 1)",
}
_DECIMALS = {"events": 1, "rmst": 2, "rmst_difference": 2}
_OTHER_DECIMALS = 3


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as mappings."""
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict(orient="records")]


def grouped(study: Study, frame: pd.DataFrame, row: Callable[[Mapping[str, Any]], Row]) -> tuple[Row, ...]:
    """A row a record under its endpoint's heading."""
    rows: list[Row] = []
    for endpoint, mine in frame.groupby("endpoint", sort=False):
        rows.append(text_row([upper_first(endpoint_label(study, str(endpoint)))], "group"))
        rows += [row(record) for record in records(mine)]
    return tuple(rows)


def quantity_name(record: Mapping[str, Any]) -> str:
    """A quantity in words."""
    name = str(record["quantity"])
    return upper_first(_NAMES.get(name) or quantity_label(name, float(record["time"])))


def arm_name(record: Mapping[str, Any]) -> str:
    """An arm in words."""
    if record["arm"] != TOTAL:
        return words(str(record["arm"]))
    if record["quantity"] in _NAMES:
        return RATIO
    return contrast_label(DIFFERENCE) if record["quantity"] in _DIFFERENCES else "both"


def written(record: Mapping[str, Any], column: str) -> str:
    """A number as shown."""
    return fmt.decimal(float(record[column]), _DECIMALS.get(str(record["quantity"]), _OTHER_DECIMALS))


_DIFFERENCES = ("rmst_difference", "survival_difference")
_CONTRASTS = (*_DIFFERENCES, "log_hazard_ratio_cox_efron")
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
    caption = (
        "First row: mean (SD) over the tables that carry every number. Others: shift of the mean, and SD as a multiple of the first row's, when"
        f" one printed statistic is left out; * where the shift exceeds {_MOVED:g} Monte Carlo standard errors or the SD grows by"
        f" {_WIDER:g} or more: the answer rests on that number. A median is left out with its interval."
    )
    told = frame.assign(label=[_statistic(name) if name else "Nothing" for name in frame["left_out"].fillna("")])
    return _against_the_tables(study, told, "leave_one_out", "What each printed number contributes", caption, "Left out")


def choices_table(study: Study, frame: pd.DataFrame) -> Table:
    """A row for every choice of ours made otherwise, with shift and widening of the contrasts between the arms."""
    caption = (
        "First row: mean (SD) over the tables. Others: shift of the mean, and SD as a multiple of the first row's, when one choice of ours is"
        f" made otherwise; * where the shift exceeds {_MOVED:g} Monte Carlo standard errors or the SD grows by {_WIDER:g} or more."
        " Another prior of the tables is a weight of the same ones; other rows are of small samplers. choices.csv has the Monte Carlo errors and the"
        " effective tables. Log Bayes factor: of a hypothesis about who was eligible, against the tables as they"
        " are, with its standard error, equally probable beforehand; under the rule nobody can be censored until its time."
    )
    labels = [_choice(record) for record in records(frame.fillna({"choice": "", "words": "", "settled": ""}))]
    title = "What our own choices about the tables contribute"
    return _against_the_tables(study, frame.assign(label=labels), "choices", title, caption, "Choice")


def _choice(record: Mapping[str, Any]) -> str:
    if not record["choice"]:
        return "As they are"
    factor = float(record["log_bayes_factor"])
    evidence = f"log Bayes factor {fmt.decimal(factor, 1)} (SE {fmt.decimal(float(record['log_bayes_factor_se']), 1)})"
    settled = str(record["settled"]).partition(":")[0]
    return upper_first("; ".join(filter(None, (record["words"], "" if pd.isna(factor) else evidence, settled))))


def _against_the_tables(study: Study, frame: pd.DataFrame, key: str, title: str, caption: str, column: str) -> Table:
    """A row for every `label`, the first being the tables themselves."""
    told = frame.fillna({"quantity": ""})
    kept = told[told["quantity"].isin(["", *_CONTRASTS])]
    quantities = list(dict.fromkeys(quantity_name(record) for record in records(kept[kept["quantity"] != ""])))
    rows: list[Row] = []
    for endpoint, mine in kept.groupby("endpoint", sort=False):
        rows.append(text_row([upper_first(endpoint_label(study, str(endpoint)))], "group"))
        parts = list(mine.groupby("label", sort=False))
        rows += [_other_row(str(label), part, quantities, first=place == 0) for place, (label, part) in enumerate(parts)]
    columns = (column, *quantities)
    return Table(key, title, caption, columns, tuple(rows), frozenset(range(1, len(columns))), wide=True)


def _other_row(label: str, part: pd.DataFrame, quantities: Sequence[str], *, first: bool) -> Row:
    failed = [str(status) for status in part["status"] if status != "ok"]
    if failed:
        return text_row([f"{label}: {failed[0]}", *([fmt.MISSING] * len(quantities))], "failed")
    by_quantity = {quantity_name(record): record for record in records(part)}
    return text_row([label, *(_cell(by_quantity.get(quantity), first=first) for quantity in quantities)])


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
    """Answers on tables within the tolerances beside those on tables of every printed digit."""
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


def joint_table(study: Study, frame: pd.DataFrame) -> Table:
    """How far every model and the tables' own prior agree: effective tables of its joint posterior."""
    caption = (
        "A model's rows are of a cut posterior: tables from their own prior, parameters from the model given each table. Weighed by the model's"
        " evidence over that of the tables' prior the tables give the joint posterior, rows of the variant “joint posterior” where enough tables"
        " are left. SD: of the log ratio of both evidences over the tables."
    )
    columns = ("Model", "Prior", "Effective tables", "SD of the log ratio", "Joint posterior")
    rows = grouped(study, frame, _joint_row)
    title = "Models and the tables' own prior"
    return Table("joint_posteriors", title, caption, columns, rows, frozenset((2, 3)), folded=True, wide=True)


def _joint_row(record: Mapping[str, Any]) -> Row:
    numbers = [fmt.decimal(float(record["effective_tables"]), 0), fmt.decimal(float(record["log_ratio_sd"]), 1)]
    told = "shown" if record["status"] == "ok" else str(record["status"])
    return text_row([model_label(str(record["model"])), prior_label(str(record["prior"])), *numbers, told])


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
_READING_PARTS: dict[str, tuple[str, Mapping[str, str]]] = {
    "Hazard ratio": ("hazard_ratio", RATIOS),
    "Test": ("chi_square", TESTS),
    "Intervals of medians": ("median_ci", MEDIANS),
    "Design": ("design", DESIGNS),
}
"""Columns of a reading's parts; the design's where a study says what follow-up left patients out."""
_READING_NUMBERS = 5
"""Columns of numbers after the outcome."""
_READING_COLUMNS = (
    "Outcome",
    "Share (SE)",
    "Share in the paper (SE)",
    "With the software",
    "Log evidence (SE)",
    "Effective tables",
)
_READING_CAPTION = (
    "Every combination of estimators that may have made hazard ratio, test and intervals of medians, and of what a follow-up that left"
    " patients out means for the tables, each equally likely beforehand. Share in"
    " the paper: given the numbers of all endpoints, which one set of estimators made; not settled: below twice its standard error. With the"
    " software: the same where estimators that the programs named in the paper do not print are less likely beforehand. Log"
    " evidence: of the printed numbers, given the structure of the tables, under the prior of the tables; SE: standard error. Not attained:"
    " no sampler found a table; the closest one misses the numbers named, by multiples of the interval of values that count as agreement."
    " Impossible: whatever the table."
)


def reconstruction_section(data: ReportData) -> Section | None:
    """The section, or nothing where no table was reconstructed."""
    makers = (
        (data.spread, _spread),
        (data.choices, choices_table),
        (data.leave_one_out, left_out_table),
        (data.strict_comparison, strict_table),
        (data.joint_posteriors, joint_table),
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
    parts = dict(_READING_PARTS)
    if "design" not in frame or not frame["design"].fillna("").any():
        del parts["Design"]
    rows = grouped(study, frame, partial(_reading_row, tuple(parts.values())))
    columns, numbers = (*parts, *_READING_COLUMNS), frozenset(range(len(parts) + 1, len(parts) + 1 + _READING_NUMBERS))
    title = f"All {len(frame)} readings"
    return Table("readings", title, _READING_CAPTION, columns, rows, numbers, folded=True, wide=True)


def _reading_row(parts: Sequence[tuple[str, Mapping[str, str]]], record: Mapping[str, Any]) -> Row:
    named = [upper_first(names.get(str(record[column]), "any")) for column, names in parts]
    attained = record["status"] == "attained"
    share = _with_error(fmt.share(float(record["share"])), fmt.share(float(record.get("share_se", float("nan")))))
    evidence = _with_error(fmt.decimal(float(record["log_evidence"]), 1), fmt.decimal(float(record["log_evidence_se"]), 1))
    size = fmt.decimal(float(record["effective_tables"]), 0)
    numbers = [share, *_of_the_paper(record), evidence, size] if attained else [fmt.MISSING] * _READING_NUMBERS
    return text_row([*named, _outcome(record), *numbers])


def _of_the_paper(record: Mapping[str, Any]) -> tuple[str, str]:
    """Joint share with its error, and that under the prior of the programs named."""
    joint, se, software = (float(record.get(name, float("nan"))) for name in ("joint_share", "joint_share_se", "software_share"))
    told = _with_error(fmt.share(joint), fmt.share(se))
    return f"{told}, not settled" if joint < UNSETTLED * se else told, fmt.share(software)


def _with_error(number: str, error: str) -> str:
    return number if error == fmt.MISSING else f"{number} ({error})"


def _outcome(record: Mapping[str, Any]) -> str:
    if record["status"] == "impossible":
        return f"impossible: {record['reason']}"
    if record["status"] == "attained":
        return "attained"
    missed = [part.strip() for part in str(record["violated"]).split(",")]
    return f"not attained: the closest table misses {misses(missed, float(record['miss']))}"
