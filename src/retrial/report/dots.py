"""Dot plots: two analyses of the same numbers over each other, rows under each other, panels side by side on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from retrial.compare.estimate import Estimate
from retrial.report.picture import FAILED, INK, METHOD_COLOURS, QUIET, RULE, WIDTH, Picture, finish, safe, style

_ROW = 0.27
_TOP, _BOTTOM = 0.5, 0.62
_LEFT, _RIGHT = 0.165, 0.992
"""Share of the width where panels start and end; names of the rows stand to their left."""
_COUNTS, _NOTES = 0.235, 0.31
"""Shares of a panel for the counts before, and the numbers after the axis."""
_NOTE = 0.15
"""Share of a panel for one number after the axis."""
_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RANGE = (0.11, 9.0)
"""Ratios drawn: beyond, an interval ends in an arrow and the table has its limits."""
_APART = 0.17
"""Distance of the two analyses from the middle of their row."""
_SMALL = 6.2
_LONGEST = 24


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row of a panel: (first, second) estimate, counts as text, and numbers after the axis."""

    estimates: tuple[Estimate | None, Estimate | None]
    counts: str
    notes: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class DotPanel:
    title: str
    rows: Sequence[DotRow | None]


@dataclass(frozen=True, slots=True)
class DotText:
    """Words of the picture; `sides` say what left and right of no effect mean, `notes` head the numbers after the axis."""

    key: str
    title: str
    caption: str
    alt: str
    axis: str
    sides: tuple[str, str]
    notes: tuple[str, ...]
    legend: tuple[str, str] = ("", "")


def dots(labels: Sequence[str], panels: Sequence[DotPanel], text: DotText) -> Picture:
    """Ratios on logarithmic axes from 1/9 to 9."""
    height = _TOP + _BOTTOM + _ROW * len(labels)
    width = min((_RIGHT - _LEFT) / len(panels), 0.42)
    bottom, share = _BOTTOM / height, _ROW * len(labels) / height
    with style():
        figure = Figure(figsize=(WIDTH, height))
        for index, panel in enumerate(panels):
            start = _LEFT + index * width
            axes = figure.add_axes((start + _COUNTS * width, bottom, (1 - _COUNTS - _NOTES) * width, share))
            _frame(axes, len(labels), text)
            for position, row in enumerate(panel.rows):
                y = len(labels) - position - 0.5
                if position % 2:
                    _band(axes, y)
                if row is not None:
                    _draw(axes, y, row)
            _heads(figure, panel.title, text, (start, width), (height, bottom + share))
            if index == 0:
                for position, label in enumerate(labels):
                    y = bottom + share * (1 - (position + 0.5) / len(labels))
                    figure.text(0.008, y, safe(label, _LONGEST, 1), va="center", fontsize=7.5, parse_math=False)
        _legend(figure, text.legend, bottom + share, height)
        return finish(figure, text.key, text.title, text.caption, text.alt)


def _frame(axes: Axes, rows: int, text: DotText) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*_RANGE)
    axes.set_ylim(0, rows)
    shown = [tick for tick in _TICKS if tick in (0.2, 1.0, 5.0)]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in shown], fontsize=6.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0, color=INK, linewidth=0.6, zorder=1)
    axes.set_xlabel(f"{text.axis}\n← {text.sides[0]} | {text.sides[1]} →", fontsize=6.2, labelpad=2, color=QUIET)


def _band(axes: Axes, y: float) -> None:
    axes.axhspan(y - 0.5, y + 0.5, color="#f4f4f2", zorder=0, linewidth=0)


def _heads(figure: Figure, title: str, text: DotText, across: tuple[float, float], size: tuple[float, float]) -> None:
    start, width = across
    height, top = size
    figure.text(
        start + (_COUNTS + (1 - _COUNTS - _NOTES) / 2) * width,
        top + 0.32 / height,
        title,
        ha="center",
        fontsize=8.5,
        weight="bold",
    )
    for index, note in enumerate(text.notes):
        figure.text(_note_x(start, width, index), top + 0.08 / height, note, ha="right", fontsize=6.8, color=QUIET)
    figure.text(start + (_COUNTS - 0.02) * width, top + 0.08 / height, "n", ha="right", fontsize=6.8, color=QUIET)


def _legend(figure: Figure, names: tuple[str, str], top: float, height: float) -> None:
    """What the two markers are, above the names of the rows."""
    for index, (name, marker, colour, face) in enumerate(
        zip(names, ("D", "o"), (QUIET, METHOD_COLOURS["bayes"]), ("white", METHOD_COLOURS["bayes"]), strict=True)
    ):
        if not name:
            continue
        y = top + (0.3 - 0.18 * index) / height
        mark = Line2D(
            [0.014], [y], marker=marker, color=colour, markerfacecolor=face, markersize=3.9, linestyle="none", markeredgewidth=0.8
        )
        figure.add_artist(mark)
        figure.text(0.026, y, name, va="center", fontsize=6.8, color=QUIET)


def _note_x(start: float, width: float, index: int) -> float:
    return start + width * (1 - _NOTES + _NOTE * (index + 1))


def _draw(axes: Axes, y: float, row: DotRow) -> None:
    first, second = row.estimates
    span = 1 - _COUNTS - _NOTES
    axes.text(
        -0.02 / span, y, row.counts, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=_SMALL, color=QUIET
    )
    for index, note in enumerate(row.notes):
        heavy = row.strong and index == len(row.notes) - 1
        x = 1 + _NOTE * (index + 1) / span
        axes.text(
            x,
            y,
            note,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=_SMALL,
            weight="bold" if heavy else "normal",
        )
    if first is not None and second is not None and not second.failed:
        axes.plot([_inside(first.point), _inside(second.point)], [y + _APART, y - _APART], color=RULE, linewidth=0.8, zorder=2)
    if first is not None:
        _estimate(axes, y + _APART, first, QUIET, "D", filled=False)
    if second is not None:
        colour = FAILED if second.failed else METHOD_COLOURS["bayes"]
        _estimate(axes, y - _APART, second, colour, "x" if second.failed else "o", filled=True)


def _inside(value: float) -> float:
    return min(max(value, _RANGE[0]), _RANGE[1])


def _estimate(axes: Axes, y: float, row: Estimate, colour: str, marker: str, *, filled: bool) -> None:
    ends = [_inside(value) for value in (row.lower, row.upper) if math.isfinite(value) or math.isinf(value)]
    if len(ends) == 2:
        axes.plot(ends, [y, y], color=colour, linewidth=1.4 if filled else 0.8, zorder=3, solid_capstyle="butt")
        for limit, end, arrow in zip((row.lower, row.upper), ends, ("<", ">"), strict=True):
            if not np.isclose(limit, end):
                axes.plot([end], [y], marker=arrow, color=colour, markersize=2.6, linestyle="none", zorder=3, clip_on=False)
    face = colour if filled else "white"
    axes.plot(
        [_inside(row.point)],
        [y],
        marker=marker,
        markersize=3.9 if filled else 3.4,
        markerfacecolor=face,
        markeredgecolor=colour,
        markeredgewidth=0.8,
        linestyle="none",
        zorder=4,
    )
