"""Dot plots: two analyses of the same numbers over each other, rows under each other, panels side by side on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, NullLocator

from retrial.estimate import Estimate
from retrial.report.figures.picture import (
    FAILED,
    INK,
    METHOD_COLOURS,
    QUIET,
    RULE,
    WIDTH,
    Picture,
    finish,
    safe,
    style,
    without_missing_glyphs,
)

_ROW = 0.33
_TOP, _BOTTOM = 0.5, 0.62
_EDGE, _GAP = 0.055, 0.07
"""Inches left free at the picture's edges, and between columns."""
_AXIS = 0.55
"""Inches of the narrowest axis; the picture grows where counts and notes leave less."""
_WIDEST = 3.0
"""Inches of the widest panel: one alone would stretch over the page."""
_TICKS = (0.2, 1.0, 5.0)
_RANGE = (0.11, 9.0)
"""Ratios drawn: beyond, an interval or a point ends in an arrow, and the point's number stands beside it."""
_APART = 0.17
"""Distance of the two analyses from the middle of their row."""
_NAME, _SMALL, _HEAD, _TINY = 8.0, 8.0, 8.0, 8.0
"""Points of names, numbers, heads of columns and numbers beside arrows."""
_LONGEST, _LINES = 22, 2
"""Letters of a line of a name, and its lines."""
_POINTS_AN_INCH = 72.0


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row of a panel: (first, second) estimate, counts as text, and numbers after the axis."""

    estimates: tuple[Estimate | None, Estimate | None]
    counts: str
    notes: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class DotPanel:
    """One panel of a dot plot."""

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


@dataclass(frozen=True, slots=True)
class _Columns:
    """Inches: where panels start, how wide one is, and in it the counts and each of the notes."""

    left: float
    panel: float
    counts: float
    notes: tuple[float, ...]

    @property
    def axis(self) -> tuple[float, float]:
        """Start in the panel, and width, of the axis."""
        return self.counts, self.panel - self.counts - sum(self.notes)

    def note(self, index: int) -> float:
        """Right edge of a note in the panel."""
        return self.panel - sum(self.notes[index + 1 :])


def dots(labels: Sequence[str], panels: Sequence[DotPanel], text: DotText) -> Picture:
    """Ratios on logarithmic axes from 1/9 to 9."""
    height = _TOP + _BOTTOM + _ROW * len(labels)
    names = [safe(label, _LONGEST, _LINES) for label in labels]
    with style():
        columns = _columns(names, panels, text)
        width = max(WIDTH, columns.left + columns.panel * len(panels) + _EDGE)
        figure = Figure(figsize=(width, height))
        bottom, share = _BOTTOM / height, _ROW * len(labels) / height
        for index, panel in enumerate(panels):
            start, (before, across) = columns.left + index * columns.panel, columns.axis
            axes = figure.add_axes(((start + before) / width, bottom, across / width, share))
            _frame(axes, len(labels), text)
            for position, row in enumerate(panel.rows):
                y = len(labels) - position - 0.5
                if position % 2:
                    _band(axes, y)
                if row is not None:
                    _draw(axes, y, row, columns)
            _heads(axes, panel.title, text, columns)
        for position, name in enumerate(names):
            y = bottom + share * (1 - (position + 0.5) / len(labels))
            figure.text(_EDGE / width, y, name, va="center", fontsize=_NAME, linespacing=1.0, parse_math=False)
        _legend(figure, text.legend, bottom + share)
        return finish(figure, text.key, text.title, text.caption, text.alt)


def _columns(names: Sequence[str], panels: Sequence[DotPanel], text: DotText) -> _Columns:
    """Every column as wide as its longest text, so that none runs into the next; the axes take what is left."""
    rows = [row for panel in panels for row in panel.rows if row is not None]
    lines = [line for name in names for line in name.split("\n")]
    left = max([_width(line, _NAME) for line in lines] + [_width(name, _HEAD) + 0.12 for name in text.legend]) + _EDGE + _GAP
    counts = max([_width(row.counts, _SMALL) for row in rows] + [_width("n", _HEAD)]) + 2 * _GAP
    notes = tuple(
        max([_width(row.notes[index], _SMALL, bold=True) for row in rows] + [_width(head, _HEAD)]) + _GAP
        for index, head in enumerate(text.notes)
    )
    room = (WIDTH - left - _EDGE) / len(panels)
    return _Columns(left, max(min(room, _WIDEST), counts + sum(notes) + _AXIS), counts, notes)


def _width(text: str, size: float, *, bold: bool = False) -> float:
    """Inches of a line of text."""
    look = FontProperties(size=size, weight="bold" if bold else "normal")
    with without_missing_glyphs():
        return float(text_to_path.get_text_width_height_descent(text, look, ismath=False)[0]) / _POINTS_AN_INCH if text else 0.0


def _frame(axes: Axes, rows: int, text: DotText) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*_RANGE)
    axes.set_ylim(0, rows)
    axes.xaxis.set_major_locator(FixedLocator(list(_TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in _TICKS], fontsize=8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0, color=INK, linewidth=0.6, zorder=1)
    axes.set_xlabel(f"{text.axis}\n← {text.sides[0]} | {text.sides[1]} →", fontsize=8, labelpad=2, color=QUIET)


def _band(axes: Axes, y: float) -> None:
    axes.axhspan(y - 0.5, y + 0.5, color="#f4f4f2", zorder=0, linewidth=0)


def _heads(axes: Axes, title: str, text: DotText, columns: _Columns) -> None:
    before, across = columns.axis
    head: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(title, (0.5, 1.0), (0, 0.32 * _POINTS_AN_INCH), ha="center", fontsize=8.5, weight="bold", **head)
    for index, note in enumerate(text.notes):
        x = (columns.note(index) - before) / across
        axes.annotate(note, (x, 1.0), (0, 0.08 * _POINTS_AN_INCH), ha="right", fontsize=_HEAD, color=QUIET, **head)
    axes.annotate("n", (-_GAP / across, 1.0), (0, 0.08 * _POINTS_AN_INCH), ha="right", fontsize=_HEAD, color=QUIET, **head)


def _legend(figure: Figure, names: tuple[str, str], top: float) -> None:
    """What the two markers are, above the names of the rows."""
    width, height = figure.get_size_inches()
    for index, (name, marker, colour, face) in enumerate(
        zip(names, ("D", "o"), (QUIET, METHOD_COLOURS["bayes"]), ("white", METHOD_COLOURS["bayes"]), strict=True)
    ):
        if not name:
            continue
        y = top + (0.3 - 0.18 * index) / height
        look: dict[str, Any] = {"markersize": 3.9, "linestyle": "none", "markeredgewidth": 0.8}
        figure.add_artist(Line2D([(_EDGE + 0.04) / width], [y], marker=marker, color=colour, markerfacecolor=face, **look))
        figure.text((_EDGE + 0.12) / width, y, name, va="center", fontsize=_HEAD, color=QUIET)


def _draw(axes: Axes, y: float, row: DotRow, columns: _Columns) -> None:
    first, second = row.estimates
    before, across = columns.axis
    small: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center", "fontsize": _SMALL}
    axes.text(-_GAP / across, y, row.counts, color=QUIET, **small)
    for index, note in enumerate(row.notes):
        heavy = row.strong and index == len(row.notes) - 1
        axes.text((columns.note(index) - before) / across, y, note, weight="bold" if heavy else "normal", **small)
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
    at = _inside(row.point)
    if np.isclose(at, row.point):
        arrow, size = marker, 3.9 if filled else 3.4
    else:
        arrow, size = "<" if row.point < at else ">", 4.4
        _beyond(axes, y, row, colour)
    face = colour if filled else "white"
    look: dict[str, Any] = {"markersize": size, "markerfacecolor": face, "markeredgecolor": colour, "markeredgewidth": 0.8}
    axes.plot([at], [y], marker=arrow, linestyle="none", zorder=4, clip_on=False, **look)


def _beyond(axes: Axes, y: float, row: Estimate, colour: str) -> None:
    """The number of a point that the axis does not reach, inside the axis beside its arrow."""
    low = row.point < _RANGE[0]
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.2, "alpha": 0.85}
    place: dict[str, Any] = {"xycoords": "data", "textcoords": "offset points", "va": "center", "ha": "left" if low else "right"}
    shift = (4.0 if low else -4.0, 0.0)
    axes.annotate(
        _number(row.point), (_inside(row.point), y), shift, fontsize=_TINY, color=colour, zorder=5, bbox=ground, **place
    )


def _number(ratio: float) -> str:
    """A ratio off the axis in two digits or so."""
    if ratio < 0.01:
        return "<0.01"
    if ratio > 1000:
        return ">1000"
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
