"""Contours of a map with their labels, each where it lies on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from numpy.typing import NDArray

Points = NDArray[np.float64]
SIZE = 8.0
"""Points of a label's letters."""
_HALF = 16.0
"""Points from a label's middle to its ends, with some air: five signs of `SIZE`."""
_ACROSS = 5.0
"""Points from a label's middle to its upper edge, with some air."""
_ENOUGH = 30.0
"""Points of air beyond which a place is no better for more of it."""
_STEPS = 60
"""Places tried along each line."""


def label_contours(axes: Axes, lines: ContourSet, levels: Sequence[float], marks: Sequence[tuple[float, float]] = ()) -> None:
    """Label the contours of some levels, of a figure that is laid out, each where it lies on no mark, edge or other label and far from other lines.

    `marks` are points in the axes' own units. A level without such a place stays without a label: the caption names the lines.
    """
    taken = [axes.transData.transform(mark) for mark in marks]
    paths = [
        [_spread(np.asarray(piece, dtype=float)) for piece in axes.transData.transform_path(path).to_polygons(closed_only=False)]
        for path in lines.get_paths()
    ]
    found = []
    for place, level in enumerate(lines.levels):
        if level not in levels or not paths[place]:
            continue
        others = [piece for other, pieces in enumerate(paths) if other != place for piece in pieces]
        best = max((_best(axes, piece, taken, others) for piece in paths[place]), key=lambda found: found[0])
        if best[0] >= 0:
            taken.append(best[1])
            found.append(axes.transData.inverted().transform(best[1]))
    if found:
        axes.clabel(lines, manual=[(x, y) for x, y in found], fmt="%g", fontsize=SIZE, inline_spacing=2)


def _best(axes: Axes, piece: Points, taken: Sequence[Points], others: Sequence[Points]) -> tuple[float, Points]:
    """The point of a line with the most air in points of print, below 0 where a label has no room; of equal ones the nearest to its middle."""
    edges, dot = axes.get_window_extent(), 72 / axes.figure.dpi
    x, y = piece.T
    room = np.min([x - edges.x0, edges.x1 - x, y - edges.y0, edges.y1 - y], axis=0) * dot - _HALF
    for point in taken:
        room = np.minimum(room, _distances(piece, point[None]) * dot - 2 * _HALF)
    for other in others:
        room = np.minimum(room, _distances(piece, other) * dot - _ACROSS)
    score = np.minimum(room, _ENOUGH) - np.abs(np.linspace(-1, 1, len(piece)))
    best = int(score.argmax())
    return float(room[best]), piece[best]


def _spread(piece: Points) -> Points:
    """Points along a line, evenly."""
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(piece, axis=0).T))))
    at = np.linspace(0, length[-1], _STEPS + 1)
    return np.column_stack([np.interp(at, length, piece[:, axis]) for axis in (0, 1)])


def _distances(points: Points, others: Points) -> Points:
    """From each point to the nearest of others."""
    least: Points = np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1)).min(axis=1)
    return least
