"""The survival figure of an endpoint: step curves, posterior band, printed medians, numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from retrial.dims import ARM, ARMS, LOWER, POINT, RECONSTRUCTION, TIME, TIME_FINE, UPPER
from retrial.report import format as fmt
from retrial.report.data import PrintedAtRisk, SurvivalCurves
from retrial.report.figures.picture import ARM_COLOURS, ARM_TEXT, INK, QUIET, WIDTH, Picture, finish, safe, style
from retrial.report.labels import arm_label, named, upper_first
from retrial.study.study import Study

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


def followed(curves: SurvivalCurves) -> tuple[str, ...]:
    """The arms that have patients."""
    return tuple(arm for arm in ARMS if bool((curves.at_risk.sel({ARM: arm}) > 0).any()))


def printed_columns(printed: PrintedAtRisk) -> slice:
    """Which of the printed times have room: all of them, or every second, third, ..."""
    return slice(None, None, -(-len(printed.times) // _MOST_COLUMNS))


def risk_rows(curves: SurvivalCurves, ticks: Sequence[float]) -> list[RiskRow]:
    """Of each arm the numbers at risk at the axis' ticks, the printed ones (whose times the ticks then are), and events and censorings so far."""
    printed = curves.printed_at_risk
    times = tuple(float(time) for time in ticks)
    rows = []
    for arm in reversed(followed(curves)):
        rows.append(RiskRow(upper_first(named(arm)), arm, times, _at_risk(curves, arm, times)))
        if printed is not None and arm in printed.counts:
            counts = tuple(str(int(count)) for count in printed.counts[arm][printed_columns(printed)])
            rows.append(RiskRow("    as printed", arm, times, counts, printed=True))
        for label, found in (("    events", curves.events), ("    censored", curves.censored)):
            if found is not None:
                rows.append(RiskRow(label, arm, times, _so_far(found, arm, times)))
    return rows


def _at_risk(curves: SurvivalCurves, arm: str, times: Sequence[float]) -> tuple[str, ...]:
    """Patients with a time of each of `times` or more."""
    counts = curves.at_risk.sel({ARM: arm}).transpose(TIME, RECONSTRUCTION).to_numpy()
    return _ranges(np.vstack([counts, np.zeros_like(counts[:1])]), curves.times, times)


def _so_far(found: xr.DataArray, arm: str, times: Sequence[float]) -> tuple[str, ...]:
    """How many there were before each of `times`."""
    counts = found.sel({ARM: arm}).transpose(TIME, RECONSTRUCTION).to_numpy()
    return _ranges(np.vstack([np.zeros_like(counts[:1]), counts.cumsum(axis=0)]), found[TIME].to_numpy(), times)


def _ranges(counts: np.ndarray, grid: np.ndarray, times: Sequence[float]) -> tuple[str, ...]:
    """ "24", or "23–25" over the tables (columns): the rows of counts (grid + 1, table) that stand before the first grid time of `time` or more."""
    found = []
    for time in times:
        row = counts[int(np.searchsorted(grid, time - 1e-9))].astype(int)
        low, high = int(row.min()), int(row.max())
        found.append(str(low) if low == high else f"{low}–{high}")
    return tuple(found)


def draw_risk_table(axes: Axes, title: str, rows: Sequence[RiskRow], below: float, height: float) -> None:
    """Write the rows `below` inches under the axes of `height` inches, each number under its time; printed ones in italics."""
    y = -below / height
    left = -axes.get_position().x0 / axes.get_position().width + 0.02
    axes.text(left, y, title, transform=axes.transAxes, fontsize=8, weight="bold", va="center")
    for row in rows:
        y -= ROW / height
        look: dict[str, Any] = {
            "fontsize": 8,
            "color": ARM_TEXT[row.arm],
            "va": "center",
            "style": "italic" if row.printed else "normal",
        }
        axes.text(left, y, row.label, transform=axes.transAxes, **look)
        for time, text in zip(row.times, row.texts, strict=True):
            axes.text(time, y, text, transform=axes.get_xaxis_transform(), ha="center", **look)


_LEFT, _RIGHT = 0.175, 0.765
"""The axis starts behind the at-risk table's row names and ends before the arms' names."""
_PLOT_HEIGHT, _TOP = 3.1, 0.38
_BELOW_AXIS = 0.46
_FEWEST_APART = 0.115
"""Arm names beside the curves' ends keep this distance, in units of survival."""
_TICKS = 8
_ROOM = 1.02
"""The axis goes on a little after the last time, so that a last step stands clear of its edge."""


def kaplan_meier_picture(study: Study, key: str, name: str, curves: SurvivalCurves, caption: str) -> Picture:
    """Figure of one endpoint (months on the x axis)."""
    end = _end(curves)
    ticks = _ticks(curves, end)
    rows = risk_rows(curves, ticks)
    below = _BELOW_AXIS + ROW * (len(rows) + 1.6)
    height = _TOP + _PLOT_HEIGHT + below
    with style():
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((_LEFT, below / height, _RIGHT - _LEFT, _PLOT_HEIGHT / height))
        _frame(axes, end, ticks, name)
        for arm in followed(curves):
            draw_steps(axes, curves, arm, mean=shows_mean(curves))
            _band(axes, curves, arm, end)
        _medians(axes, curves, end)
        _names(axes, study, key, curves, end)
        _legend(figure, curves, height)
        draw_risk_table(
            axes,
            _title(curves),
            rows,
            _BELOW_AXIS + 0.10,
            _PLOT_HEIGHT,
        )
        return finish(figure, f"kaplan_meier_{key}", upper_first(name), caption, _alt(study, name, curves, caption))


def _title(curves: SurvivalCurves) -> str:
    """Heading of the numbers under the axis."""
    what = "At risk" if curves.events is None else "At risk; events and censored so far"
    return what if curves.from_patients else f"{what} (reconstructed; least–most)"


def _end(curves: SurvivalCurves) -> float:
    """Right end of the axis: the last time with anybody at risk, or the last printed number at risk."""
    at_risk = curves.at_risk.max((RECONSTRUCTION, ARM))
    present = curves.at_risk[TIME].to_numpy()[at_risk.to_numpy() > 0]
    printed = [max(curves.printed_at_risk.times)] if curves.printed_at_risk is not None else []
    return float(max([*present[-1:], *printed, *curves.printed_medians.values(), 1e-6]))


def _ticks(curves: SurvivalCurves, end: float) -> list[float]:
    """Times with a tick: those of the printed numbers at risk where there are some, else round ones."""
    printed = curves.printed_at_risk
    if printed is not None:
        return [float(time) for time in printed.times[printed_columns(printed)]]
    locator = MaxNLocator(_TICKS, integer=end > _TICKS, steps=[1, 2, 2.5, 3, 4, 5, 6, 10])
    return [float(tick) for tick in locator.tick_values(0, end) if tick <= end]


def _frame(axes: Axes, end: float, ticks: Sequence[float], name: str) -> None:
    axes.set_xlim(0, _ROOM * end)
    axes.set_ylim(0, 1.0)
    axes.set_xticks(ticks)
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("Months", labelpad=2)
    axes.set_ylabel(safe(upper_first(name), 40), parse_math=False)
    axes.spines["left"].set_position(("outward", 4))
    axes.spines["bottom"].set_position(("outward", 4))


def _band(axes: Axes, curves: SurvivalCurves, arm: str, end: float) -> None:
    if curves.band is None or not shows_band(curves):
        return
    one = curves.band.sel({ARM: arm}).sel({TIME_FINE: slice(None, end)})
    time = one[TIME_FINE].to_numpy()
    axes.fill_between(
        time, one[LOWER].to_numpy(), one[UPPER].to_numpy(), color=ARM_COLOURS[arm], alpha=0.16, linewidth=0, zorder=1
    )
    axes.plot(time, one[POINT].to_numpy(), color=ARM_COLOURS[arm], linewidth=1.6, zorder=3)


def _medians(axes: Axes, curves: SurvivalCurves, end: float) -> None:
    """Printed medians: a diamond at one half, a dotted line down to the axis, and the number there, outwards of the pair."""
    given = sorted((median, arm) for arm, median in curves.printed_medians.items() if np.isfinite(median) and median <= end)
    for position, (median, arm) in enumerate(given):
        first = position == 0 and len(given) > 1
        axes.plot([median, median], [0, 0.5], color=ARM_TEXT[arm], linewidth=0.8, linestyle=(0, (1, 2)), zorder=4)
        axes.plot(
            [median],
            [0.5],
            marker="D",
            markersize=5,
            color=ARM_COLOURS[arm],
            markeredgecolor="white",
            markeredgewidth=0.7,
            zorder=6,
            linestyle="none",
        )
        label = axes.text(
            median + (-0.008 if first else 0.008) * end,
            0.022,
            fmt.months(median),
            color=ARM_TEXT[arm],
            fontsize=8,
            ha="right" if first else "left",
            zorder=6,
        )
        label.set_bbox({"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6})


def _names(axes: Axes, study: Study, key: str, curves: SurvivalCurves, end: float) -> None:
    """The arms' names right of their curves' ends, pushed apart where these meet; a thin line leads to a posterior curve's end."""
    heights = _heights(curves, end)
    upper, lower = sorted(ARMS, key=lambda arm: -heights[arm])
    alone = followed(curves)
    middle, gap = (heights[upper] + heights[lower]) / 2, max(heights[upper] - heights[lower], 2 * _FEWEST_APART)
    low = min(max(middle - gap / 2, 0.07), 0.93 - gap)
    places = ((lower, low), (upper, low + gap)) if len(alone) > 1 else ((alone[0], min(max(heights[alone[0]], 0.07), 0.93)),)
    for arm, y in places:
        n = study.followed(key, arm)
        text = safe(arm_label(study, arm), 23) + (f"\n(n = {n})" if n is not None else "")
        lead = {"arrowstyle": "-", "color": ARM_COLOURS[arm], "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)}
        axes.annotate(
            text,
            (_last_time(curves, end), heights[arm]),
            (1.035, y),
            textcoords=axes.get_yaxis_transform(),
            color=ARM_TEXT[arm],
            fontsize=8,
            va="center",
            linespacing=1.15,
            annotation_clip=False,
            parse_math=False,
            arrowprops=lead if shows_band(curves) else None,
        )


def shows_band(curves: SurvivalCurves) -> bool:
    """Whether there is a posterior that may be drawn."""
    return curves.band is not None and curves.status == "ok"


def shows_mean(curves: SurvivalCurves) -> bool:
    """Whether the mean of many step curves is drawn: where no posterior leads the eye."""
    return curves.kaplan_meier.sizes[RECONSTRUCTION] > 1 and not shows_band(curves)


def _last_time(curves: SurvivalCurves, end: float) -> float:
    """Where the posterior curves end; the axis' end without any."""
    return float(curves.band[TIME_FINE].sel({TIME_FINE: slice(None, end)})[-1]) if curves.band is not None else end


def _heights(curves: SurvivalCurves, end: float) -> dict[str, float]:
    """Where each arm's name belongs: its posterior curve's end; without one, its median step curve over the later half of the axis."""
    if curves.band is not None and shows_band(curves):
        last = curves.band[POINT].sel({TIME_FINE: slice(None, end)}).isel({TIME_FINE: -1})
        return {arm: float(last.sel({ARM: arm})) for arm in ARMS}
    late = curves.kaplan_meier.sel({TIME: slice(end / 2, None)}).median((RECONSTRUCTION, TIME))
    return {arm: float(late.sel({ARM: arm})) for arm in ARMS}


def _legend(figure: Figure, curves: SurvivalCurves, height: float) -> None:
    """What the line kinds are, in grey above the plot: colour says the arm, the line its origin."""
    n = curves.kaplan_meier.sizes[RECONSTRUCTION]
    steps = (
        "Patients (Kaplan-Meier)"
        if curves.from_patients
        else "Reconstructed, not patients"
        if n == 1
        else f"{n} reconstructed tables, not patients"
    )
    handles: list[Line2D | Patch] = [Line2D([], [], color=QUIET, linewidth=0.8, drawstyle="steps-post", label=steps)]
    if shows_mean(curves):
        handles.append(Line2D([], [], color=QUIET, linewidth=1.6, drawstyle="steps-post", label="Their weighted mean"))
    if shows_band(curves):
        handles += [
            Line2D([], [], color=QUIET, linewidth=1.6, label="Posterior median"),
            Patch(facecolor=QUIET, alpha=0.25, label=f"{fmt.level(curves.level)} band"),
        ]
    if curves.printed_medians:
        handles.append(Line2D([], [], color=QUIET, marker="D", markersize=4.5, linestyle="none", label="Printed median"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - 0.02 / height),
        ncols=len(handles),
        fontsize=8,
        labelcolor=INK,
        columnspacing=1.0,
        handlelength=1.8,
        handletextpad=0.5,
        borderaxespad=0.2,
    )


def _alt(study: Study, name: str, curves: SurvivalCurves, caption: str) -> str:
    medians = ", ".join(f"{arm_label(study, arm)} {fmt.months(value)} months" for arm, value in curves.printed_medians.items())
    printed = f" Printed medians: {medians}." if medians else ""
    return f"Kaplan-Meier curves of {name} by arm with numbers at risk.{printed} {caption}"
