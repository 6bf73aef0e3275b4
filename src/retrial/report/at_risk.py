"""Rows of the numbers-at-risk table under a survival figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from retrial.dims import ARM, ARMS, RECONSTRUCTION, TIME
from retrial.report.data import PrintedAtRisk, SurvivalCurves
from retrial.report.picture import ARM_TEXT

ROW = 0.165
"""Inches from line to line."""
_MOST_COLUMNS = 12
"""More numbers than these run into each other."""


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One line: `texts` stand under `times`; `printed` for the paper's own numbers."""

    label: str
    arm: str
    times: tuple[float, ...]
    texts: tuple[str, ...]
    printed: bool = False


def printed_columns(printed: PrintedAtRisk) -> slice:
    """Which of the printed times have room: all of them, or every second, third, ..."""
    return slice(None, None, -(-len(printed.times) // _MOST_COLUMNS))


def risk_rows(curves: SurvivalCurves, ticks: Sequence[float]) -> list[RiskRow]:
    """Each arm's numbers at risk at the axis' ticks, and under them the printed ones (whose times the ticks then are)."""
    printed = curves.printed_at_risk
    times = tuple(float(time) for time in ticks)
    rows = []
    for arm in reversed(ARMS):
        rows.append(RiskRow(arm.capitalize(), arm, times, tuple(_text(curves, arm, time) for time in times)))
        if printed is not None and arm in printed.counts:
            counts = tuple(str(int(count)) for count in printed.counts[arm][printed_columns(printed)])
            rows.append(RiskRow("    as printed", arm, times, counts, printed=True))
    return rows


def _text(curves: SurvivalCurves, arm: str, time: float) -> str:
    """Patients with a time of `time` or more: "24", or "23–25" over several tables."""
    grid = curves.at_risk[TIME].to_numpy()
    at = int(np.searchsorted(grid, time - 1e-9))
    if at == grid.size:
        return "0"
    counts = curves.at_risk.sel({ARM: arm}).isel({TIME: at}).transpose(RECONSTRUCTION).to_numpy().astype(int)
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}–{high}"


def draw_risk_table(axes: Axes, title: str, rows: Sequence[RiskRow], below: float, height: float) -> None:
    """Write the rows `below` inches under the axes of `height` inches, each number under its time; printed ones in italics."""
    y = -below / height
    left = -axes.get_position().x0 / axes.get_position().width + 0.02
    axes.text(left, y, title, transform=axes.transAxes, fontsize=7.5, weight="bold", va="center")
    for row in rows:
        y -= ROW / height
        look: dict[str, Any] = {
            "fontsize": 7,
            "color": ARM_TEXT[row.arm],
            "va": "center",
            "style": "italic" if row.printed else "normal",
        }
        axes.text(left, y, row.label, transform=axes.transAxes, **look)
        for time, text in zip(row.times, row.texts, strict=True):
            axes.text(time, y, text, transform=axes.get_xaxis_transform(), ha="center", **look)
