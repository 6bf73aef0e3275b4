"""Specification curve of a multiverse: every combination's ratio in order, and below it what share of the variance each decision explains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retrial.report.data import ReportData
from retrial.report.figures.picture import INK, METHOD_COLOURS, QUIET, RULE, WIDTH, Picture, finish, safe, style
from retrial.report.labels import endpoint_label, upper_first
from retrial.report.sensitivity.pictures import ratio_axis

_SHOWN = 600
"""Specifications drawn of an endpoint, evenly spaced in their order: more are no wider than a line."""
_MOST, _HEIGHT = 4, 3.4


def specification_pictures(data: ReportData) -> Iterator[Picture]:
    """One figure, a column an endpoint, where a run has a multiverse."""
    if data.multiverse is None or data.decisions is None:
        return
    fine = data.multiverse[data.multiverse["status"] == "ok"]
    keys = list(dict.fromkeys(fine["endpoint"]))[:_MOST]
    if not keys:
        return
    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
        grid = figure.subplots(2, len(keys), squeeze=False, height_ratios=(2, 1))
        for column, key in enumerate(keys):
            title = upper_first(endpoint_label(data.study, str(key)))
            grid[0, column].set_title(safe(title, 30, 2), fontsize=8, parse_math=False)
            _curve(grid[0, column], fine[fine["endpoint"] == key])
            _shares(grid[1, column], data.decisions[data.decisions["endpoint"] == key])
        failed = len(data.multiverse) - len(fine)
        caption = (
            f"Above: the ratio with its interval under every combination of choices, in order; {_SHOWN} of them evenly spaced where there are more;"
            " cross: the base. Below: share of the variance of the log ratio that each decision alone explains; the rest is interactions. Shares of"
            f" specifications are counts of what was listed, not probabilities. Failed and not shown: {failed}."
        )
        alt = f"Specification curves of {', '.join(map(str, keys))}. The numbers are in multiverse.csv and decisions.csv."
        yield finish(figure, "specification_curve", "Specification curve", caption, alt)


def _curve(axes: Axes, part: pd.DataFrame) -> None:
    part = part.sort_values("median", kind="stable").reset_index(drop=True)
    rows = np.unique(np.linspace(0, len(part) - 1, min(len(part), _SHOWN)).round().astype(int))
    shown = part.iloc[rows]
    axes.fill_between(rows, shown["lower"], shown["upper"], color=QUIET, alpha=0.35, linewidth=0)
    axes.plot(rows, shown["median"], color=METHOD_COLOURS["bayes"], linewidth=1.4)
    base = part.index[part["differs"].fillna("") == ""]
    axes.plot(base, part.loc[base, "median"], "x", color=INK, markersize=6)
    axes.axhline(1.0, color=RULE, linewidth=0.6)
    ratio_axis(axes, [shown["lower"].min(), shown["upper"].max()], "ratio", along="y")
    axes.set_xlabel("specifications")


def _shares(axes: Axes, part: pd.DataFrame) -> None:
    part = part[part["decision"] != "all"]
    places = np.arange(len(part))[::-1]
    axes.barh(places, part["share_of_variance"], color=METHOD_COLOURS["bayes"], height=0.6)
    axes.set_yticks(places, [str(name).replace("_", " ") for name in part["decision"]])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the variance")
