"""Pictures of sensitivity: maps of tipping priors, P(ratio < x) over all x, bias, and hazards after censoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.picture import FAILED, INK, METHOD_COLOURS, QUIET, RULE, WIDTH, Picture, finish, lay_out, safe, style
from retrial.report.labels import adjusted_briefly, adjusted_label, endpoint_label, model_label, prior_label, upper_first
from retrial.report.sensitivity.contours import label_contours

_MOST = 8
"""Panels of one picture."""
_ACROSS, _LEGEND_ACROSS = 2, 4
_HEIGHT = 2.6
_LEVELS = (0.025, 0.05, 0.5, 0.95, 0.975)
_LABELLED = (0.025, 0.5, 0.975)
_RATIO_TICKS = (0.2, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 5.0)
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7a5195")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
"""Lines of many priors: Okabe and Ito's colours (and one more), again in dashes."""
_SD_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0)
_AFTER_CENSORING = (
    (
        "hazard_ratio",
        "censoring",
        "Hazards after censoring: hazard ratio",
        "Probability of a hazard ratio below 1 (Cox, tables completed by imputation)",
    ),
    (
        "rmst_difference",
        "censoring_means",
        "Hazards after censoring: restricted mean",
        "Probability of a longer restricted mean under treatment",
    ),
)
"""Quantity of censoring.csv, key, title, and what is mapped."""
_AS_IT_IS, _NONE_MISSING = (1.0, 1.0), (0.0, 0.0)
_WHOSE = ["endpoint", "model", "adjusted_for"]
Last = Callable[[], None]
"""What is left to do once the figure is laid out."""
Draw = Callable[[Axes, pd.DataFrame], Last | None]


def sensitivity_pictures(data: ReportData) -> Iterator[Picture]:
    """Each that a run has the numbers for."""
    if data.prior_grid is not None:
        caption = (
            "Probability of a ratio below 1 under a normal prior of every mean and SD; lines: at 0.975, 0.5 and 0.025, thinner 0.95 and 0.05."
            " At 0.975 the 95 % interval touches 1; between 0.975 and 0.025 it holds 1. White: too few draws to tell."
        )
        yield _panels(data, data.prior_grid, _map, "tipping_map", "Priors at which the conclusion tips", caption)
    if data.probability_curve is not None:
        caption = "Posterior probability of a ratio below every x, a line a prior; the thicker one is the main prior's."
        yield _panels(data, data.probability_curve, _curves, "probability_curve", "P(ratio < x)", caption)
    if data.bias is not None:
        caption = _bias_words(data, data.bias)
        yield _panels(data, data.bias, _bias, "bias", "The effect without a bias", caption)
    if data.censoring is not None:
        where = (
            "where those censored have a hazard of so many times that of those who stay, in either arm; 1 and 1 (cross) is the analysis as it is."
            " Lines: 0.975, 0.5 and 0.025, thinner 0.95 and 0.05."
        )
        for quantity, key, title, words in _AFTER_CENSORING:
            part = data.censoring[data.censoring["quantity"] == quantity]
            if len(part):
                yield _panels(data, part, _censoring, key, title, f"{words} {where}", file="censoring")
    if data.early_deaths is not None:
        part = data.early_deaths[data.early_deaths["quantity"] == "hazard_ratio"]
        part = part[part["model"] == part.groupby("endpoint")["model"].transform("first")]
        caption = (
            "Probability of a hazard ratio below 1 (Cox, the same for all models) where so many patients of either arm are missing who had the event"
            " before they could be in the study; 0 and 0 (cross) is the analysis as it is. Lines: 0.975, 0.5 and 0.025, thinner 0.95 and 0.05."
        )
        yield _panels(data, part, _early, "early_deaths", "Early deaths that are missing: hazard ratio", caption)


def _bias_words(data: ReportData, frame: pd.DataFrame) -> str:
    level = data.manifest.get("config", {}).get("answers", {}).get("level")
    kind = f"{fmt.level(float(level))} equal-tailed" if level else "equal-tailed"
    spread = " or ".join(f"{value:g}" for value in sorted(set(frame["bias_sd"])) if value > 0)
    said = (
        f"The ratio (thick: posterior median; thin: {kind} credible interval) once a bias is taken out; along the axis, the ratio that the bias"
        " alone would give."
    )
    return f"{said} Dashed: the log of that ratio is itself uncertain, by an SD of {spread}." if spread else said


def _panels(data: ReportData, frame: pd.DataFrame, draw: Draw, key: str, title: str, caption: str, file: str = "") -> Picture:
    """A panel an effect, at most `_MOST`; `file`: the table, where it is not the key."""
    frame = frame.assign(adjusted_for=frame["adjusted_for"].fillna(""))
    parts = list(frame.groupby(_WHOSE, sort=False))
    shown = parts[:_MOST]
    rows = -(-len(shown) // _ACROSS)
    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT * rows), layout="constrained")
        grid = figure.subplots(rows, _ACROSS, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        names, last = [], list[Last]()
        for axes, ((endpoint, model, adjusted), part) in zip(grid.flat, shown, strict=False):
            names.append(about(data, str(endpoint), str(model), adjusted_label(str(adjusted))))
            name_panel(axes, about(data, str(endpoint), str(model), adjusted_briefly(str(adjusted))))
            last.append(draw(axes, part) or _nothing)
        legend_below(figure, grid.flat[0])
        lay_out(figure)
        for label in last:
            label()
        left = len(parts) - len(shown)
        told = f"{caption} {left} more in {file or key}.csv." if left else caption
        return finish(
            figure,
            f"sensitivity_{key}",
            title,
            told,
            f"{title}, for {'; '.join(names)}. The numbers are in the table of the same name.",
        )


def about(data: ReportData, endpoint: str, model: str, adjusted: str) -> str:
    """What a panel is about: endpoint, model, and in words what is adjusted for."""
    words = ", ".join(text for text in (model_label(model), adjusted) if text)
    return f"{upper_first(endpoint_label(data.study, endpoint))}: {words}"


def name_panel(axes: Axes, words: str) -> None:
    """The title of a panel, on at most three lines."""
    axes.set_title(safe(words, 48, 3), fontsize=8, parse_math=False)


def legend_below(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, where their lines have names."""
    lines, names = axes.get_legend_handles_labels()
    if lines:
        rows = -(-len(lines) // _LEGEND_ACROSS)
        figure.set_figheight(figure.get_figheight() + 0.18 * rows + 0.1)
        figure.legend(lines, names, loc="outside lower center", ncols=_LEGEND_ACROSS)


def ratio_axis(axes: Axes, values: Sequence[float], label: str, *, along: str = "x") -> None:
    """A logarithmic axis of ratios between the ends of some values."""
    axis = axes.xaxis if along == "x" else axes.yaxis
    getattr(axes, f"set_{along}scale")("log")
    low, high = min(values), max(values)
    axis.set_major_locator(FixedLocator([tick for tick in _RATIO_TICKS if low * 0.999 <= tick <= high * 1.001]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
    getattr(axes, f"set_{along}lim")(low, high)
    getattr(axes, f"set_{along}label")(label)


def _surface(axes: Axes, part: pd.DataFrame, down: str, across: str, marks: Sequence[tuple[float, float]] = ()) -> Last:
    """Filled map of a probability with its contours; cells that failed are left white. Returns what labels the lines."""
    usable = part.assign(probability=part["probability"].where(part["status"] == "ok")) if "status" in part else part
    table = usable.pivot(index=down, columns=across, values="probability")
    x, y, z = table.columns.to_numpy(float), table.index.to_numpy(float), table.to_numpy(float)
    axes.contourf(x, y, np.ma.masked_invalid(z), levels=np.linspace(0, 1, 21), cmap="PuOr", alpha=0.55)
    levels = [level for level in _LEVELS if np.nanmin(z) < level < np.nanmax(z)]
    widths = [1.1 if level in _LABELLED else 0.6 for level in levels]
    if not levels:
        return _nothing
    lines = axes.contour(x, y, np.ma.masked_invalid(z), levels=levels, colors=INK, linewidths=widths)
    return lambda: label_contours(axes, lines, _LABELLED, marks)


def _nothing() -> None:
    """What is left to do once a figure without labels on its lines is laid out."""


def _map(axes: Axes, part: pd.DataFrame) -> Last:
    last = _surface(axes, part, "prior_sd", "prior_mean")
    ratio_axis(axes, part["prior_mean"].to_list(), "prior mean, as a ratio")
    axes.set_yscale("log")
    low, high = float(part["prior_sd"].min()), float(part["prior_sd"].max())
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _SD_TICKS if low <= tick <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_ylabel("prior SD of the log ratio")
    return last


def line_of(position: int, prior: str) -> dict[str, Any]:
    """How a prior's line looks, and its name: the main prior's, which comes first, is the thicker one."""
    label = safe(prior_label(prior), 24, 1)
    if position == 0:
        return {"color": INK, "linewidth": 1.8, "linestyle": "-", "label": label}
    round_, place = divmod(position - 1, len(_COLOURS))
    return {"color": _COLOURS[place], "linewidth": 0.8, "linestyle": _DASHES[round_ % len(_DASHES)], "label": label}


def _curves(axes: Axes, part: pd.DataFrame) -> None:
    for position, (name, line) in enumerate(part.groupby("prior", sort=False)):
        axes.plot(line["ratio"], line["probability"], **line_of(position, str(name)))
    axes.axvline(1.0, color=RULE, linewidth=0.6)
    for level in (0.95, 0.975):
        axes.axhline(level, color=RULE, linewidth=0.5, linestyle=":")
    axes.set_ylabel("P(ratio < x)")
    axes.set_ylim(0, 1.01)
    ratio_axis(axes, part["ratio"].to_list(), "x")


def _bias(axes: Axes, part: pd.DataFrame) -> None:
    for position, (_, line) in enumerate(part[part["status"] == "ok"].groupby("bias_sd", sort=True)):
        dashes: dict[str, Any] = {
            "linestyle": "-" if position == 0 else "--",
            "color": METHOD_COLOURS["bayes"] if position == 0 else QUIET,
        }
        axes.plot(line["bias_ratio"], line["median"], linewidth=1.4, **dashes)
        for limit in ("lower", "upper"):
            axes.plot(line["bias_ratio"], line[limit], linewidth=0.8, **dashes)
    axes.axhline(1.0, color=FAILED, linewidth=0.7)
    axes.axvline(1.0, color=RULE, linewidth=0.6)
    ratio_axis(axes, part["bias_ratio"].to_list(), "ratio that the bias alone would give")
    values = part[["lower", "upper"]].to_numpy(float)
    ratio_axis(axes, [max(float(np.nanmin(values)), 0.1), min(float(np.nanmax(values)), 10.0)], "ratio", along="y")


def _censoring(axes: Axes, part: pd.DataFrame) -> Last:
    last = _surface(axes, part, "control_ratio", "experimental_ratio", [_AS_IT_IS])
    axes.plot(*_AS_IT_IS, marker="+", color=INK, markersize=7)
    ratio_axis(axes, part["experimental_ratio"].to_list(), "experimental arm: hazard after censoring")
    ratio_axis(axes, part["control_ratio"].to_list(), "control arm", along="y")
    return last


def _early(axes: Axes, part: pd.DataFrame) -> Last:
    last = _surface(axes, part, "control_missing", "experimental_missing", [_NONE_MISSING])
    axes.plot(*_NONE_MISSING, marker="+", color=INK, markersize=7, clip_on=False)
    for along, label in (("x", "patients missing, experimental arm"), ("y", "control arm")):
        getattr(axes, f"{along}axis").set_major_locator(MaxNLocator(integer=True))
        getattr(axes, f"set_{along}label")(label)
    told = part.loc[part["status"] == "ok", "probability"]
    if len(told) and not any(told.min() < level < told.max() for level in _LEVELS):
        middle: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, f"{told.min():.3f} to {told.max():.3f} everywhere", fontsize=8, color=INK, **middle)
    return last
