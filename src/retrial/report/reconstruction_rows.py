"""What the tables of the reconstruction's section share: rows under their endpoint, names and decimals of quantities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from retrial.dims import CONTROL, EXPERIMENTAL, TOTAL
from retrial.report import format as fmt
from retrial.report.labels import endpoint_label, quantity_label, upper_first, words
from retrial.report.table import Row, text_row
from retrial.study.study import Study

_NAMES = {
    "log_hazard_ratio_cox_efron": "log hazard ratio by Cox regression (Efron's ties)",
    "posterior_mean_log_hazard_ratio": "posterior mean of the log hazard ratio",
    "posterior_sd_log_hazard_ratio": "posterior SD of the log hazard ratio",
}
_DECIMALS = {"events": 1, "rmst": 2, "rmst_difference": 2}
_OTHER_DECIMALS = 3


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict(orient="records")]


def grouped(study: Study, frame: pd.DataFrame, row: Callable[[Mapping[str, Any]], Row]) -> tuple[Row, ...]:
    """A row a record under its endpoint's heading."""
    rows: list[Row] = []
    for endpoint, mine in frame.groupby("endpoint", sort=False):
        rows.append(text_row([upper_first(endpoint_label(study, str(endpoint)))], "group"))
        rows += [row(record) for record in records(mine)]
    return tuple(rows)


def quantity_name(record: Mapping[str, Any]) -> str:
    name, horizon = str(record["quantity"]), record.get("horizon")
    if name in _NAMES:
        return upper_first(_NAMES[name])
    to_horizon = name.startswith("rmst") and isinstance(horizon, float) and horizon == horizon
    return upper_first(quantity_label(f"{name}_at_{horizon:g}" if to_horizon else name))


def arm_name(record: Mapping[str, Any]) -> str:
    if record["arm"] != TOTAL:
        return words(str(record["arm"]))
    if "hazard_ratio" in str(record["quantity"]):
        return f"{EXPERIMENTAL} / {CONTROL}"
    return f"{EXPERIMENTAL} {fmt.MINUS} {CONTROL}" if "difference" in str(record["quantity"]) else "both"


def written(record: Mapping[str, Any], column: str) -> str:
    return fmt.decimal(float(record[column]), _DECIMALS.get(str(record["quantity"]), _OTHER_DECIMALS))
