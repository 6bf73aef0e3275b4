"""What a belief becomes: prior, likelihood and posterior of a printed ratio side by side, and the probability of an effect of any size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from retrial.report.data import ReportData
from retrial.report.figures.picture import INK, METHOD_COLOURS, QUIET, RULE, SINGLE, WIDTH, Picture, finish, safe, style
from retrial.report.labels import adjusted_label, endpoint_label, named, prior_label, upper_first

_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_COLUMNS, _PANELS = 4, 8
_ROW, _EDGES = 1.25, 0.75
"""Inches a row of panels, and above and below them."""
_LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"), ("#000000", (0, (5, 1, 1, 1, 1, 1))))
"""Okabe and Ito's colours, each with a line of its own."""
_CURVES = len(_LINES)
_HEIGHT = 2.9


def belief_pictures(data: ReportData, endpoint: str, priors: tuple[str, ...]) -> list[Picture]:
    """Both pictures of an outcome's printed ratio; nothing where the run has none."""
    if data.beliefs is None:
        return []
    mine = data.beliefs[data.beliefs["endpoint"] == endpoint]
    if mine.empty:
        return []
    chosen = str(mine["adjusted_for"].iloc[0])
    shown = mine[mine["adjusted_for"] == chosen]
    names = [prior for prior in priors if prior in set(shown["prior"])]
    name = upper_first(endpoint_label(data.study, endpoint))
    about = f"{name}, {adjusted_label(chosen) or 'unadjusted'}"
    return (
        [_triptych(shown, names[:_PANELS], endpoint, about), _cumulative(shown, names[:_CURVES], endpoint, about)]
        if names
        else []
    )


def _triptych(frame: pd.DataFrame, priors: list[str], endpoint: str, about: str) -> Picture:
    """A panel a prior."""
    rows = -(-len(priors) // _COLUMNS)
    height = _ROW * rows + _EDGES
    top = float(frame[["likelihood", "posterior"]].to_numpy().max()) * 1.05
    with style():
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place >= len(priors):
                axes.set_axis_off()
                continue
            mine = frame[frame["prior"] == priors[place]]
            axes.fill_between(mine["value"], mine["prior_density"], color=RULE, alpha=0.6, linewidth=0, label="Prior")
            axes.plot(mine["value"], mine["likelihood"], color=INK, linestyle="--", linewidth=1.0, label="Likelihood")
            axes.plot(mine["value"], mine["posterior"], color=METHOD_COLOURS["bayes"], linewidth=1.5, label="Posterior")
            axes.set_title(safe(upper_first(prior_label(priors[place])), 24, 1), fontsize=8, parse_math=False)
            axes.set_ylim(0, top)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            _ratio_axis(axes)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        figure.supxlabel("Hazard ratio (log scale)", fontsize=8)
        title = f"{about}: what each prior makes of the printed ratio"
        caption = (
            "Densities per unit of the log hazard ratio. The likelihood, of the printed ratio as the audit lets it be used (normal model), is"
            " scaled to area 1: it is the posterior under a flat prior. The vertical line is no effect."
        )
        alt = f"{title}. Panels: {', '.join(prior_label(prior) for prior in priors)}. {caption}"
        return finish(figure, f"beliefs_{endpoint}", title, caption, alt, press=True)


def _cumulative(frame: pd.DataFrame, priors: list[str], endpoint: str, about: str) -> Picture:
    with style():
        figure = Figure(figsize=(SINGLE, _HEIGHT), layout="constrained")
        axes = figure.subplots()
        for (colour, line), prior in zip(_LINES, priors, strict=False):
            mine = frame[frame["prior"] == prior]
            axes.plot(
                mine["value"],
                mine["below"],
                color=colour,
                linestyle=line,
                linewidth=1.3,
                label=safe(upper_first(prior_label(prior)), 24, 1),
            )
        _ratio_axis(axes)
        axes.set_ylim(0, 1.01)
        axes.set_xlabel("Hazard ratio x (log scale)")
        axes.set_ylabel("P(hazard ratio < x)")
        for text in figure.legend(loc="outside upper left", ncols=2, handlelength=2.6, columnspacing=1.0).get_texts():
            text.set_parse_math(False)
        title = f"{about}: probability of a hazard ratio below any value"
        caption = "Posterior of the printed ratio as the audit lets it be used (normal model) under each prior. The vertical line is no effect."
        chances = [f"{prior_label(prior)} {_at_one(frame[frame['prior'] == prior]):.3f}" for prior in priors]
        return finish(figure, f"below_{endpoint}", title, caption, f"{title}. At 1: {', '.join(chances)}.", press=True)


def _at_one(mine: pd.DataFrame) -> float:
    return float(np.interp(0.0, np.log(mine["value"].to_numpy(dtype=float)), mine["below"].to_numpy(dtype=float)))


def _ratio_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_TICKS[0], _TICKS[-1])
    axes.xaxis.set_major_locator(FixedLocator(list(_TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([named(f"{tick:g}") for tick in _TICKS])
    axes.axvline(1.0, color=QUIET, linewidth=0.6, zorder=0)
