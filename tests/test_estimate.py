"""Rows say what they are in fields: contradictions are refused, and a file gives back every row to its last digit."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from retrial.errors import DataError, StoreError
from retrial.estimate import COLUMNS, Estimate, to_frame
from retrial.store.tables import read_rows, write_table

BASE: dict[str, Any] = {"endpoint": "os", "quantity": "hazard_ratio", "contrast": "experimental / control", "point": 0.5}


def bayes(**more: Any) -> Estimate:
    return Estimate(**{**BASE, "method": "bayes", **more})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lower": 0.9, "upper": 0.8}, "limits 0.9 > 0.8"),
        ({"statistic": "median"}, "statistic: got 'median'"),
        ({"method": "frequent"}, "method: got 'frequent'"),
        ({"interval_kind": "hdi", "level": 0.9}, "interval_kind: got 'hdi'"),
        ({"time": -1.0}, "time: got -1.0"),
        ({"event": "below", "threshold": 1.0}, "event: got 'below' with the statistic value"),
        ({"statistic": "probability"}, "event: got '' with the statistic probability"),
        ({"threshold": 1.0}, "threshold: got 1.0 with the event ''"),
        ({"statistic": "probability", "event": "below"}, "threshold: got nan with the event 'below'"),
        ({"statistic": "probability", "event": "between", "threshold": 1.0, "threshold_upper": 0.9}, "threshold_upper: got 0.9"),
        ({"statistic": "probability", "event": "below", "threshold": 1.0, "threshold_upper": 2.0}, "threshold_upper: got 2.0"),
        ({"statistic": "probability", "event": "below", "threshold": 1.0, "point": 1.2}, "point: got the probability 1.2"),
        ({"interval_kind": "credible_equal_tailed"}, "without a level"),
        ({"statistic": "range", "interval_kind": "confidence", "level": 0.95}, "of a range"),
        ({"method": "frequentist", "prior": "flat"}, "prior or draws of a row that is not bayes"),
        ({"method": "frequentist", "draws": 10}, "prior or draws of a row that is not bayes"),
        ({"printed": "0.470"}, "printed, converted or path of a row that is not published"),
        ({"mcse_point": 0.01}, "a Monte Carlo error without draws"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        bayes(**fields)
    assert any(said in line for line in caught.value.problems), caught.value.problems


def test_a_range_asks_what_its_value_asks_and_no_other_row_does() -> None:
    value, spread = (Estimate(**BASE, method="frequentist", statistic=name) for name in ("value", "range"))
    assert (value.subject, value.asks) == (spread.subject, spread.asks)
    assert value.subject == bayes(time=math.nan).subject
    assert value.subject != bayes(time=6.0).subject
    assert value.subject != bayes(adjusted_for="age").subject


def test_a_file_gives_every_row_back(tmp_path: Path) -> None:
    interval = {"lower": 0.1, "upper": math.inf, "level": 0.95, "interval_kind": "credible_equal_tailed"}
    rows = [
        bayes(point=1 / 3, sd=2 / 7, draws=24_000, mcse_point=1e-17, mcse_lower=0.1 + 0.2, **interval, prior="flat"),
        bayes(statistic="probability", event="between", threshold=0.91, threshold_upper=1.1, variant="pooling scale x 2"),
        Estimate(**BASE, method="published", printed="<0.001, “quoted”\nin lines", path="effects.os", converted="inverted"),
        Estimate(**{**BASE, "point": math.nan}, method="frequentist", time=12.5, status="failed: nothing"),
    ]
    path = tmp_path / "estimates.csv"
    write_table(tmp_path, "estimates", to_frame(rows))
    assert path.read_text(encoding="utf-8").splitlines()[0].split(",") == list(COLUMNS)
    assert [repr(dataclasses.astuple(row)) for row in read_rows(tmp_path, "estimates", Estimate)] == [
        repr(dataclasses.astuple(row)) for row in rows
    ]


def test_another_version_s_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "estimates.csv"
    path.write_text("endpoint,quantity\nos,p_hazard_ratio_below_1\n", encoding="utf-8")
    with pytest.raises(StoreError, match="other columns than this version writes"):
        read_rows(tmp_path, "estimates", Estimate)
    with pytest.raises(StoreError, match="no estimates.csv in"):
        read_rows(tmp_path / "none", "estimates", Estimate)


def test_the_docstring_names_every_column_in_order() -> None:
    """It is where docs/outputs.md takes the columns from."""
    lines = [line.strip() for line in (Estimate.__doc__ or "").splitlines()]
    heads = [line.partition("   ")[0] for line in lines if "   " in line]
    assert [name.strip() for head in heads for name in head.split(",")] == list(COLUMNS)
