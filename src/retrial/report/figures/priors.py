"""Pictures of prior densities: effects as ridges on the axis of their ratio, and each model's own priors in their units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from retrial.report.data import ReportData, of_models
from retrial.report.figures.picture import INK, METHOD_COLOURS, QUIET, RULE, WIDTH, Picture, finish, safe, style
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first, words

_ROW = 0.42
_TOP, _BOTTOM, _LEFT, _RIGHT = 0.5, 0.74, 0.165, 0.99
_OVERLAP = 1.25
"""Height of a ridge in rows."""
_RATIO_RANGE = (0.18, 5.5)
_RATIO_TICKS = (0.2, 0.5, 1.0, 2.0, 5.0)
_PANEL_TITLES = {"log_hazard_ratio": "hazard ratio", "log_odds_ratio": "odds ratio of a benefit"}
_ACROSS = 3
_MOST_EFFECTS = 4
"""Columns of the picture of effects that have room for their names."""
_DECADES = 100.0
"""Ends of a logarithmic axis whose ratio is less are told by 1, 2 and 5, not by powers of ten alone."""
_POINTS = 100
"""Points of a ridge: more than a screen or paper shows."""


def effect_picture(data: ReportData) -> Picture | None:
    """Every set a row, every kind of effect a column; one for each endpoint where the sets differ by endpoint."""
    frame = data.prior_densities
    if frame is None:
        return None
    named = frame[~of_models(frame)]
    every = _effect_panels(data, named)
    if not every:
        return None
    panels = every[:_MOST_EFFECTS]
    names = list(dict.fromkeys(str(name) for _, part in panels for name in part["prior"]))
    height = _TOP + _BOTTOM + _ROW * len(names)
    with style():
        figure = Figure(figsize=(WIDTH, height))
        width = (_RIGHT - _LEFT) / len(panels)
        letters = int(80 / len(panels))
        for index, (title, part) in enumerate(panels):
            axes = figure.add_axes((_LEFT + index * width + 0.01, _BOTTOM / height, width - 0.02, _ROW * len(names) / height))
            _ratio_axis(axes, len(names), safe(f"{title.partition(': ')[2] or title} (log scale)", letters, 2))
            for position, name in enumerate(names):
                _ridge(axes, len(names) - position - 1, part[part["prior"] == name], data, name)
            axes.set_title(safe(upper_first(title.partition(": ")[0]), letters, 2), fontsize=8, pad=9, parse_math=False)
        for position, name in enumerate(names):
            y = (_BOTTOM + _ROW * (len(names) - position - 0.72)) / height
            figure.text(0.008, y, safe(upper_first(prior_label(name)), 18, 2), va="center", fontsize=8, parse_math=False)
        caption = (
            "Prior densities of the treatment effect, per unit of the log ratio, each scaled to its own height; dots and bars are the median"
            " and the central 95 % interval (arrows: beyond the picture). A vague prior looks flat. The odds ratio is that of a benefit: a harm"
            " takes the mirror."
        )
        if len(every) > len(panels):
            caption += f" {len(every) - len(panels)} more outcomes in prior_densities.csv."
        alt = f"Densities of {len(names)} priors on {', '.join(title for title, _ in panels)}. The table below holds their medians and intervals."
        return finish(figure, "prior_effects", "Priors of the treatment effect", caption, alt)


def _effect_panels(data: ReportData, frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(title, densities) of each column; a set without an entry for the endpoint has an empty row."""
    panels = []
    for parameter, words_of in _PANEL_TITLES.items():
        mine = frame[frame["parameter"] == parameter]
        if mine.empty:
            continue
        own = mine["endpoint"].fillna("")
        special = [str(key) for key in dict.fromkeys(own) if key and not _is_part(data, str(key))]
        for endpoint in special or [""]:
            here = mine[own.isin(["", endpoint])]
            label = f"{endpoint_label(data.study, endpoint)}: {words_of}" if endpoint else words_of
            panels.append((label, here))
    return panels


def _is_part(data: ReportData, key: str) -> bool:
    """Whether it is a category of a response whose rates have columns of their own."""
    response = data.study.response
    return response is not None and bool(response.composites) and key in response.categories


def _ratio_axis(axes: Axes, rows: int, label: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*_RATIO_RANGE)
    axes.set_ylim(-0.15, rows + _OVERLAP - 1)
    axes.xaxis.set_major_locator(FixedLocator(list(_RATIO_TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in _RATIO_TICKS], fontsize=8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0, color=RULE, linewidth=0.7, zorder=0)
    axes.set_xlabel(upper_first(label), fontsize=8, parse_math=False)


def _ridge(axes: Axes, base: float, part: pd.DataFrame, data: ReportData, name: str) -> None:
    axes.axhline(base, color="#e3e3e3", linewidth=0.5, zorder=1)
    if part.empty:
        axes.text(1.0, base + 0.2, "says nothing", ha="center", va="bottom", fontsize=8, color=QUIET)
        return
    inside = part[(part["value"] >= _RATIO_RANGE[0]) & (part["value"] <= _RATIO_RANGE[1])]
    inside = inside.iloc[:: max(1, len(inside) // _POINTS)]
    colour = METHOD_COLOURS["bayes"] if name == data.main_prior else "#4a6d8c"
    # the height is that of what is seen: a prior too wide for the picture is flat, not low
    top = float(inside["density"].max())
    heights = inside["density"].to_numpy() / top * _OVERLAP * 0.72
    axes.fill_between(inside["value"], base, base + heights, color=colour, alpha=0.28, linewidth=0, zorder=2)
    axes.plot(inside["value"], base + heights, color=colour, linewidth=1.0, zorder=3)
    record = _implied(data, part)
    if record is not None:
        low, middle, high = (float(record[f"implied_{key}"]) for key in ("lower", "median", "upper"))
        ends = np.clip([low, high], *_RATIO_RANGE)
        axes.plot(ends, [base, base], color=INK, linewidth=1.3, zorder=4, solid_capstyle="butt", clip_on=False)
        axes.plot([middle], [base], marker="o", color=INK, markersize=3, zorder=5, clip_on=False)
        for end, limit, arrow in zip(ends, (low, high), "<>", strict=True):
            if end != limit:
                axes.plot([end], [base], marker=arrow, color=INK, markersize=3, zorder=5, clip_on=False)


def _implied(data: ReportData, part: pd.DataFrame) -> dict[Any, Any] | None:
    """The row of the table of priors that a curve belongs to."""
    if data.priors is None:
        return None
    first = part.iloc[-1]
    frame = data.priors
    own = frame["endpoint"].fillna("") if "endpoint" in frame else pd.Series("", index=frame.index)
    endpoint, model = ("" if first[name] != first[name] else first[name] for name in ("endpoint", "model"))
    same = (frame["prior"] == first["prior"]) & (frame["parameter"] == first["parameter"])
    rows = frame[same & (own == endpoint) & (frame["model"].fillna("") == model)]
    return None if rows.empty else rows.iloc[0].to_dict()


def baseline_picture(data: ReportData) -> Picture | None:
    """Each model's own priors: control median and shape in their units, scales of pooling, baseline levels."""
    frame = data.prior_densities
    if frame is None:
        return None
    mine = frame[of_models(frame)]
    panels = [(str(model), str(parameter), part) for (model, parameter), part in mine.groupby(["model", "parameter"], sort=False)]
    if not panels:
        return None
    rows = -(-len(panels) // _ACROSS)
    with style():
        figure = Figure(figsize=(WIDTH, 1.45 * rows + 0.1), layout="constrained")
        grid = np.atleast_1d(figure.subplots(rows, _ACROSS, squeeze=False)).ravel()
        for axes, (model, parameter, part) in zip(grid, panels, strict=False):
            title = data.parameter_labels.get(parameter, upper_first(words(parameter)))
            _baseline(axes, model, title, part, _implied(data, part))
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        caption = (
            "Priors of what is not the treatment effect, model by model, in the parameter's own unit; the dashed line is the median, the bar the"
            " central 95 % interval. Densities of positive parameters are per unit of their logarithm, on a logarithmic axis."
        )
        listed = ", ".join(f"{words(parameter)} ({model_label(model)})" for model, parameter, _ in panels)
        return finish(
            figure, "prior_baselines", "Priors of the baseline and of the scales", caption, f"Prior densities of {listed}."
        )


def _baseline(axes: Axes, model: str, title: str, part: pd.DataFrame, record: dict[Any, Any] | None) -> None:
    value, density = part["value"].to_numpy(), part["density"].to_numpy()
    if str(part["per"].iloc[0]) == "log unit":
        axes.set_xscale("log")
        narrow = value.max() < _DECADES * value.min()
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        title = upper_first(title.removeprefix("Log "))
    axes.fill_between(value, 0, density, color="#4a6d8c", alpha=0.28, linewidth=0)
    axes.plot(value, density, color="#4a6d8c", linewidth=1.0)
    axes.set_ylim(0, float(np.quantile(density, 0.995)) * 1.12)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=8)
    if record is not None:
        axes.axvline(float(record["implied_median"]), color=INK, linewidth=0.8, linestyle="--")
        limits = np.clip([record["implied_lower"], record["implied_upper"]], value.min(), value.max())
        axes.plot(limits, [0, 0], color=INK, linewidth=2.2, solid_capstyle="butt", clip_on=False)
    axes.set_title(title, fontsize=8)
    axes.set_xlabel(safe(model_label(model), 34, 1), fontsize=8, color=QUIET)
