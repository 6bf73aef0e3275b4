"""Step curves of life tables: all of them thin over each other, their mean where asked for."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from retrial.dims import ARM, RECONSTRUCTION, TIME
from retrial.report.data import SurvivalCurves
from retrial.report.picture import ARM_COLOURS

_MOST_POINTS = 20_000
"""Vertices beyond which step curves go into the SVG as a picture: a data set of 10,000 distinct times stays a small file."""


def draw_steps(axes: Axes, curves: SurvivalCurves, arm: str, *, mean: bool) -> None:
    """Every table's step curve, up to its last patient; thin over each other when there are many. With `mean`, their weighted mean."""
    survival = curves.kaplan_meier.sel({ARM: arm}).transpose(RECONSTRUCTION, TIME).to_numpy()
    at_risk = curves.at_risk.sel({ARM: arm}).transpose(RECONSTRUCTION, TIME).to_numpy()
    lines = [step_line(curves.times, one, present) for one, present in zip(survival, at_risk, strict=True)]
    many = len(lines) > 1
    collection = LineCollection(
        lines,
        colors=ARM_COLOURS[arm],
        linewidths=0.5 if many else 0.9,
        alpha=max(0.1, min(0.5, 8 / len(lines))) if many else 0.9,
        zorder=2,
        rasterized=sum(len(line) for line in lines) > _MOST_POINTS,
        clip_on=False,
    )
    axes.add_collection(collection)
    if mean:
        middle = step_line(curves.times, *mean_curve(survival, at_risk, curves.weights))
        axes.plot(*middle.T, color=ARM_COLOURS[arm], linewidth=1.6, zorder=3, solid_joinstyle="miter")


def mean_curve(survival: np.ndarray, at_risk: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean S(t) (time,) of (table, time) curves, each kept at its last value, and whether half of the weight still has patients."""
    share = np.full(len(survival), 1 / len(survival)) if weights is None else weights / weights.sum()
    return share @ survival, (share @ (at_risk > 0) >= 0.5).astype(int)


def step_line(times: np.ndarray, survival: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """Vertices of a right-continuous step curve that starts at (0, 1) and ends with the last patient; only where it steps."""
    last = int(np.flatnonzero(at_risk > 0)[-1]) if (at_risk > 0).any() else 0
    level = np.concatenate([[1.0], survival[: last + 1]])
    steps = np.flatnonzero(np.diff(level) != 0)
    x = np.concatenate([[0.0], np.repeat(times[steps], 2), [times[last]]])
    y = np.concatenate([[1.0], np.column_stack([level[steps], level[steps + 1]]).ravel(), [level[-1]]])
    return np.column_stack([x, y])
