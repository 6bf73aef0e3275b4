"""Prior and posterior predictive Kaplan-Meier bands of one endpoint, a row a model, beside the curves of its life tables."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from retrial.dims import ARM, ARMS, MODEL, PREDICTIVE, PREDICTIVES, QUANTILE, RECONSTRUCTION, STATUS, SURVIVAL, TIME
from retrial.report.data import SurvivalCurves
from retrial.report.figures.picture import ARM_COLOURS, ARM_TEXT, FAILED, INK, QUIET, WIDTH, Picture, finish, safe, style
from retrial.report.labels import arm_label, endpoint_label, model_label, prior_label, upper_first
from retrial.study.study import Study

_ROW, _TOP, _BOTTOM = 1.55, 0.86, 0.45
"""Inches of a model's row, and above and below them."""
_LEFT, _RIGHT = 0.115, 0.99
_MOST_CURVES = 20
"""Life tables drawn in a panel: enough to see their spread, few enough to see through them."""
_SHADES = ((0, 4, 0.16), (1, 3, 0.26))
"""Positions of a band's limits among the quantiles, and how dark it is."""


def predictive_picture(study: Study, key: str, bands: xr.Dataset, curves: SurvivalCurves | None) -> Picture:
    """Panels: prior predictive (control, experimental), posterior predictive (control, experimental)."""
    models = [str(name) for name in bands[MODEL].to_numpy()]
    height = _TOP + _ROW * len(models) + _BOTTOM
    with style():
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(
            len(models),
            4,
            squeeze=False,
            sharex=True,
            sharey=True,
            gridspec_kw={
                "left": _LEFT,
                "right": _RIGHT,
                "top": 1 - _TOP / height,
                "bottom": _BOTTOM / height,
                "wspace": 0.08,
                "hspace": 0.22,
            },
        )
        for row, model in enumerate(models):
            for column, (predictive, arm) in enumerate((predictive, arm) for predictive in PREDICTIVES for arm in ARMS):
                _panel(grid[row, column], bands.sel({MODEL: model, PREDICTIVE: predictive, ARM: arm}), curves, arm)
            grid[row, 0].set_ylabel(safe(upper_first(model_label(model)), 22), parse_math=False)
        _headings(figure, grid, study, height)
        _legend(figure, curves, height)
        name = upper_first(endpoint_label(study, key))
        caption = _caption(bands, curves)
        return finish(
            figure,
            f"predictive_{key}",
            f"{name}: curves that the models predict",
            caption,
            f"Kaplan-Meier curves of simulated studies before and after the data, by model and arm. {caption}",
        )


def _panel(axes: Axes, one: xr.Dataset, curves: SurvivalCurves | None, arm: str) -> None:
    times = np.append(0.0, one[TIME].to_numpy())
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, times[-1])
    axes.tick_params(length=2)
    limits = one[SURVIVAL].transpose(QUANTILE, TIME).to_numpy()
    if np.isnan(limits).all():
        axes.text(0.5, 0.5, "failed fit,\nnot drawn", color=FAILED, ha="center", va="center", transform=axes.transAxes)
        return
    limits = np.column_stack([np.ones(limits.shape[0]), limits])
    for low, high, shade in _SHADES:
        axes.fill_between(times, limits[low], limits[high], step="post", color=ARM_COLOURS[arm], alpha=shade, linewidth=0)
    axes.plot(times, limits[2], drawstyle="steps-post", color=ARM_COLOURS[arm], linewidth=1.0)
    if curves is not None:
        _observed(axes, curves, arm)


def _observed(axes: Axes, curves: SurvivalCurves, arm: str) -> None:
    """Curves of some tables, each up to its last patient."""
    survival = curves.kaplan_meier.sel({ARM: arm}).transpose(RECONSTRUCTION, TIME).to_numpy()
    at_risk = curves.at_risk.sel({ARM: arm}).transpose(RECONSTRUCTION, TIME).to_numpy()
    rows = _drawn(len(survival))
    for row in rows:
        until = int(np.flatnonzero(at_risk[row] > 0).max(initial=-1)) + 1
        axes.plot(
            np.append(0.0, curves.times[:until]),
            np.append(1.0, survival[row, :until]),
            drawstyle="steps-post",
            color=INK,
            linewidth=0.4 if rows.size > 1 else 0.9,
            alpha=0.35 if rows.size > 1 else 1.0,
            rasterized=curves.times.size > 500,
        )


def _drawn(tables: int) -> np.ndarray:
    return np.unique(np.linspace(0, tables - 1, min(tables, _MOST_CURVES)).round().astype(int))


def _headings(figure: Figure, grid: np.ndarray, study: Study, height: float) -> None:
    for column in range(4):
        arm = ARMS[column % 2]
        grid[0, column].set_title(safe(arm_label(study, arm), 27, 2), color=ARM_TEXT[arm], fontsize=8, y=0.98, parse_math=False)
        grid[-1, column].set_xlabel("Months", labelpad=1)
    middle = (_LEFT + _RIGHT) / 2
    for x, text in (
        ((_LEFT + middle) / 2, "Before the data (prior predictive)"),
        ((middle + _RIGHT) / 2, "After (posterior predictive)"),
    ):
        figure.text(x, 1 - (_TOP - 0.42) / height, text, ha="center", fontsize=8, fontweight="bold")


def _legend(figure: Figure, curves: SurvivalCurves | None, height: float) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=QUIET, linewidth=1.0, label="Predicted median"),
        Patch(facecolor=QUIET, alpha=0.45, label="50\N{NO-BREAK SPACE}% band"),
        Patch(facecolor=QUIET, alpha=0.2, label="95\N{NO-BREAK SPACE}% band"),
    ]
    if curves is not None:
        label = "Patients (Kaplan-Meier)" if curves.from_patients else "Reconstructed tables, not patients"
        handles.append(Line2D([], [], color=INK, linewidth=0.6, label=label))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(_LEFT - 0.02, 1 - 0.02 / height),
        ncols=len(handles),
        fontsize=8,
        columnspacing=1.4,
        handlelength=1.8,
    )


def _caption(bands: xr.Dataset, curves: SurvivalCurves | None) -> str:
    studies = f"{int(bands.attrs.get('draws', 0)):,} new studies"
    prior = prior_label(str(bands.attrs.get("prior", "")))
    parts = [
        f"Shading: at each month, where the Kaplan-Meier estimates of 50 % and 95 % of {studies} lie, each simulated from one draw of the "
        f"parameters with the sizes of the arms and a censoring like the tables' own (reverse Kaplan-Meier by arm).",
        f"Left: parameters from the prior alone ({prior} prior on the effect, the model's own on the rest): what the model thinks possible. "
        "Right: from the posteriors of all tables: a model that fits has the observed curves inside its bands.",
        _curve_words(curves),
        *(
            f"{upper_first(model_label(str(model)))}: {status}; the failed fits are left out."
            for model, status in zip(bands[MODEL].to_numpy(), bands[STATUS].to_numpy(), strict=True)
            if status != "ok"
        ),
    ]
    return " ".join(part for part in parts if part)


def _curve_words(curves: SurvivalCurves | None) -> str:
    if curves is None:
        return ""
    tables = curves.kaplan_meier.sizes[RECONSTRUCTION]
    if tables == 1:
        return "Black: Kaplan-Meier estimate of the data." if curves.from_patients else "Black: the life table's curve."
    drawn = _drawn(tables).size
    return f"Black: {drawn} of the {tables} life tables." if drawn < tables else f"Black: the {tables} life tables."
