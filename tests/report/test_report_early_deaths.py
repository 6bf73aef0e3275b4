"""The map of early deaths: one panel an endpoint, lines where the conclusion tips, words where none is crossed."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from retrial.report.sensitivity.pictures import _early


def grid(high: float, low: float) -> pd.DataFrame:
    pairs = [(i, j) for i in range(3) for j in range(4)]
    rows: list[dict[str, Any]] = [
        {"control_missing": i, "experimental_missing": j, "probability": high - (high - low) * (j + 2 - i) / 5, "status": "ok"}
        for i, j in pairs
    ]
    return pd.DataFrame(rows)


def test_the_range_is_said_where_no_line_is_crossed() -> None:
    axes = Figure().subplots()
    _early(axes, grid(0.999, 0.98))
    assert [text.get_text() for text in axes.texts] == ["0.980 to 0.999 everywhere"]
    axes = Figure().subplots()
    _early(axes, grid(0.99, 0.9))
    assert not axes.texts
    assert axes.get_xlabel() == "patients missing, experimental arm"
