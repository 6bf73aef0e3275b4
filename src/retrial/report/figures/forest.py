"""Forest plots: published, frequentist and Bayesian estimates of one quantity over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from retrial.estimate import Estimate
from retrial.report.figures.picture import (
    FAILED,
    INK,
    METHOD_COLOURS,
    METHOD_MARKERS,
    QUIET,
    RULE,
    WIDTH,
    Picture,
    finish,
    safe,
    style,
)
from retrial.report.labels import (
    METHODS,
    RATIOS,
)

ROWS_PER_PICTURE = 44
"""At 0.19 inch a row with its headings, what fits a printed page."""
_ROW_HEIGHT = 0.19
_MARGIN_TOP, _MARGIN_BOTTOM = 0.42, 0.64
_LEFT, _RIGHT = 0.31, 0.685
"""Share of the width where the axis starts and ends; labels stand to its left, numbers to its right."""
_RATIO_TICKS = (
    (0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0),
    (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0),
    (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0),
)
"""From fine to coarse: the first set of which at most `_MOST_TICKS` are on the axis is used."""
_MOST_TICKS = 8
_ROWS_AS_WORDS = 12
_LONGEST_LABEL, _LONGEST_HEADING = 36, 92
"""Letters that fit left of the axis, and across the picture."""
_WIDEST_RATIO = 20.0
"""No axis beyond 1/20 to 20: an interval that leaves it ends in an arrow, and its limits stand beside it."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A line of the plot: what it is, the estimate, and its numbers as text. No estimate: a heading (`minor`: one below)."""

    label: str
    estimate: Estimate | None = None
    text: str = ""
    extra: str = ""
    minor: bool = False


@dataclass(frozen=True, slots=True)
class ForestText:
    """Words of a forest plot; `better` and `worse` say which side favours whom, left to right."""

    key: str
    title: str
    caption: str
    axis: str
    left: str = ""
    right: str = ""
    numbers: str = ""
    extra: str = ""
    press: bool = False


def forests(rows: Sequence[ForestRow], words: ForestText) -> list[Picture]:
    """One picture, or several of a page's height each; all on one axis, so that they can be compared."""
    with_numbers = [row.estimate for row in rows if row.estimate is not None and not row.estimate.failed]
    if not any(math.isfinite(row.point) for row in with_numbers):
        return []
    parts = _paged(rows)
    limits = _limits(with_numbers)
    return [_forest(part, words, limits, number if len(parts) > 1 else 0, len(parts)) for number, part in enumerate(parts, 1)]


def _paged(rows: Sequence[ForestRow]) -> list[list[ForestRow]]:
    """Split at a heading where one comes in time; a heading never ends a picture."""
    parts: list[list[ForestRow]] = []
    rest = list(rows)
    while len(rest) > ROWS_PER_PICTURE:
        cuts = [
            n
            for n in range(ROWS_PER_PICTURE // 2, ROWS_PER_PICTURE + 1)
            if _is_heading(rest[n]) and rest[n - 1].estimate is not None
        ]
        cut = cuts[-1] if cuts else ROWS_PER_PICTURE
        parts.append(rest[:cut])
        rest = rest[cut:]
    return [*parts, rest]


def _is_heading(row: ForestRow) -> bool:
    return row.estimate is None and not row.minor


def is_ratio(estimate: Estimate) -> bool:
    """Whether a quantity is a ratio, to be drawn on a log scale."""
    return estimate.quantity in RATIOS or estimate.unit == "ratio"


def _limits(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Axis limits around every point and most interval limits."""
    log = is_ratio(estimates[0])
    values = np.array([value for row in estimates for value in (row.point, row.lower, row.upper)], dtype=float)
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if log:
        low, high = (math.log(edge) for edge in (min(values.min(), 0.8), max(values.max(), 1.25)))
        low, high = max(low, -math.log(_WIDEST_RATIO)), min(high, math.log(_WIDEST_RATIO))
        room = 0.06 * (high - low)
        return math.exp(low - room), math.exp(high + room)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room


def _forest(rows: Sequence[ForestRow], words: ForestText, limits: tuple[float, float], number: int, total: int) -> Picture:
    log = is_ratio(next(row.estimate for row in rows if row.estimate is not None))
    height = _MARGIN_TOP + _MARGIN_BOTTOM + _ROW_HEIGHT * len(rows)
    with style():
        figure = Figure(figsize=(WIDTH, height))
        bottom, top = _MARGIN_BOTTOM / height, 1 - _MARGIN_TOP / height
        axes = figure.add_axes((_LEFT, bottom, _RIGHT - _LEFT, top - bottom))
        _frame(axes, limits, len(rows), log=log)
        for position, row in enumerate(rows):
            _row(axes, len(rows) - position - 0.5, row, limits)
        _texts(axes, figure, words, 1.0 if log else 0.0)
        key = f"{words.key}_{number}" if number else words.key
        title = f"{words.title} (part {number} of {total})" if number else words.title
        return finish(figure, key, title, words.caption, _alt(title, rows), press=words.press)


def _frame(axes: Axes, limits: tuple[float, float], n: int, *, log: bool) -> None:
    axes.set_xlim(*limits)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(*limits)
        sets = [[tick for tick in ticks if limits[0] <= tick <= limits[1]] for ticks in _RATIO_TICKS]
        ticks = next((ticks for ticks in sets if len(ticks) <= _MOST_TICKS), sets[-1])
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_ylim(0, n)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0 if log else 0.0, color=INK, linewidth=0.7, zorder=1)


def _row(axes: Axes, y: float, row: ForestRow, limits: tuple[float, float]) -> None:
    left, right, far = -_LEFT / (_RIGHT - _LEFT) + 0.03, 1.03, (1 - _LEFT) / (_RIGHT - _LEFT) - 0.03
    if row.estimate is None:
        look: dict[str, Any] = {"style": "italic", "color": QUIET} if row.minor else {"weight": "bold", "fontsize": 8}
        # a long heading may reach over the line of no effect
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        _beside(axes, left + 0.03 * row.minor, y - 0.05, _short(row.label, _LONGEST_HEADING), bbox=ground, zorder=5, **look)
        return
    colour = FAILED if row.estimate.failed else INK
    _beside(axes, left + 0.06, y, _short(row.label), color=colour)
    _beside(axes, right, y, safe(row.text), color=colour)
    if row.extra and not row.estimate.failed:
        _beside(axes, far, y, row.extra, ha="right", color=QUIET)
    if math.isfinite(row.estimate.point):
        _mark(axes, y, row.estimate, limits)


def _beside(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Text at a share `x` of the axis' width, on row `y`."""
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "clip_on": False, "parse_math": False}
    axes.text(x, y, text, **({"fontsize": 8} | place | look))


def _short(label: str, most: int = _LONGEST_LABEL) -> str:
    plain = safe(label)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _mark(axes: Axes, y: float, estimate: Estimate, limits: tuple[float, float]) -> None:
    """Interval and point; a failed fit is a red cross on a dotted line, so that nobody reads it as a result."""
    colour = FAILED if estimate.failed else METHOD_COLOURS[estimate.method]
    low, high = max(estimate.lower, limits[0]), min(estimate.upper, limits[1])
    if math.isfinite(estimate.lower) and math.isfinite(estimate.upper) and low < high:
        axes.plot(
            [low, high],
            [y, y],
            color=colour,
            linewidth=1.1,
            linestyle=":" if estimate.failed else "-",
            solid_capstyle="butt",
            zorder=2,
        )
        for edge, limit, marker in ((estimate.lower, limits[0], "<"), (estimate.upper, limits[1], ">")):
            if (edge < limit) if marker == "<" else (edge > limit):
                axes.plot([limit], [y], marker=marker, color=colour, markersize=4, clip_on=False, zorder=3, linestyle="none")
    if limits[0] <= estimate.point <= limits[1]:
        marker = "x" if estimate.failed else METHOD_MARKERS[estimate.method]
        rim = colour if estimate.failed else "white"
        axes.plot(
            [estimate.point],
            [y],
            marker=marker,
            color=colour,
            markersize=5,
            linestyle="none",
            zorder=4,
            markeredgecolor=rim,
            markeredgewidth=1.2 if estimate.failed else 0.5,
        )


def _texts(axes: Axes, figure: Figure, words: ForestText, no_effect: float) -> None:
    inches = figure.get_size_inches()[1]
    head = 1 - 0.24 / inches
    figure.text(_RIGHT + 0.009, head, words.numbers, va="center", fontsize=8, color=QUIET)
    if words.extra:
        figure.text(0.991, head, words.extra, va="center", ha="right", fontsize=8, color=QUIET)
    axes.set_xlabel(words.axis, labelpad=3)
    middle = figure.transFigure.inverted().transform(axes.transData.transform((no_effect, 0)))[0]
    low = 0.13 / inches
    figure.text(middle - 0.012, low, safe(words.left), va="center", ha="right", fontsize=8, color=QUIET, parse_math=False)
    figure.text(middle + 0.012, low, safe(words.right), va="center", ha="left", fontsize=8, color=QUIET, parse_math=False)
    figure.add_artist(_rule(head - 0.13 / inches))


def _rule(y: float) -> Line2D:
    return Line2D([0.012, 0.991], [y, y], color=RULE, linewidth=0.5)


def _alt(title: str, rows: Sequence[ForestRow]) -> str:
    """The rows as words where they are few; else what the picture holds and that its numbers stand in a table."""
    drawn = [row for row in rows if row.estimate is not None]
    if len(drawn) > _ROWS_AS_WORDS:
        failed = sum(row.estimate.failed for row in drawn if row.estimate is not None)
        headings = ", ".join(row.label for row in rows if _is_heading(row))
        under = f" under {headings}" if headings else ""
        return f"Forest plot, {title}: {len(drawn)} estimates{under}; {failed} failed. The tables hold the same numbers."
    parts, heading = [], ""
    for row in rows:
        if row.estimate is None:
            heading = heading if row.minor else row.label
            continue
        state = " (failed, not to be used)" if row.estimate.failed else ""
        parts.append(f"{heading}, {METHODS[row.estimate.method]}, {row.label}: {row.text}{state}".lstrip(", "))
    return f"Forest plot, {title}. " + "; ".join(parts) + "."
