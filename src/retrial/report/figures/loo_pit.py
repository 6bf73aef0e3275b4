"""LOO-PIT figure of one endpoint: by arm, how far the patients' predicted probabilities are from uniform under each model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from retrial.dims import ARMS
from retrial.report.figures.picture import ARM_TEXT, QUIET, RULE, WIDTH, Picture, finish, safe, style
from retrial.report.labels import arm_label, endpoint_label, model_label, upper_first
from retrial.study.study import Study

_HEIGHT, _TOP, _BOTTOM, _LEFT = 2.9, 0.5, 0.48, 0.105
_COLOURS = ("#000000", "#009E73", "#CC79A7", "#8a6d00", "#56B4E9")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Models differ by colour and by dashes."""
_ROOM = 1.08


def pit_picture(study: Study, key: str, pit: pd.DataFrame) -> Picture:
    """Panels: control, experimental; curves: models; 0 is what a right model gives."""
    models = [str(name) for name in dict.fromkeys(pit["model"])]
    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT))
        panels = figure.subplots(
            1,
            len(ARMS),
            sharey=True,
            gridspec_kw={"left": _LEFT, "right": 0.98, "top": 1 - _TOP / _HEIGHT, "bottom": _BOTTOM / _HEIGHT, "wspace": 0.09},
        )
        for axes, arm in zip(panels, ARMS, strict=True):
            _panel(axes, pit[pit["arm"] == arm], models)
            axes.set_title(safe(arm_label(study, arm), 50, 1), color=ARM_TEXT[arm], fontsize=8, parse_math=False)
            axes.set_xlabel("Predicted probability of an event by the patient's time", labelpad=2)
        shown = pit[pit["arm"].isin(ARMS)]
        reach = _ROOM * float(np.max([*(shown["observed"] - shown["predicted"]).abs(), *shown["band_half_width"], 0.01]))
        panels[0].set_ylim(-reach, reach)
        panels[0].set_ylabel("Observed − predicted share of patients")
        _legend(figure, models)
        name = upper_first(endpoint_label(study, key))
        caption = _caption(pit)
        title = f"{name}: are the predictions of left-out patients calibrated?"
        return finish(figure, f"loo_pit_{key}", title, caption, f"Differences from uniform, by arm and model. {caption}")


def _panel(axes: Axes, pit: pd.DataFrame, models: list[str]) -> None:
    # one band for all models: theirs differ only by who is at risk at a probability, the widest is drawn
    band = pit.groupby("predicted")["band_half_width"].max()
    axes.fill_between(band.index, -band.to_numpy(), band.to_numpy(), color=RULE, alpha=0.35, linewidth=0)
    axes.axhline(0.0, color=QUIET, linewidth=0.6)
    for position, model in enumerate(models):
        mine = pit[pit["model"] == model]
        axes.plot(mine["predicted"], mine["observed"] - mine["predicted"], **_look(position))
    axes.set_xlim(0, 1)


def _look(position: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[position % len(_COLOURS)],
        "linestyle": _DASHES[position % len(_DASHES)],
        "linewidth": 1.3,
    }


def _legend(figure: Figure, models: list[str]) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=safe(upper_first(model_label(model))), **_look(position)) for position, model in enumerate(models)
    ]
    handles.append(Patch(facecolor=RULE, alpha=0.35, label="95\N{NO-BREAK SPACE}% of right models"))
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - 0.02 / _HEIGHT),
        ncols=min(len(handles), 4),
        fontsize=8,
        columnspacing=0.7,
        handlelength=1.7,
        handletextpad=0.5,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _caption(pit: pd.DataFrame) -> str:
    tables = int(pit["tables"].max())
    parts = [
        "Each patient's time is turned into the probability that the model, fitted without that patient, gave to an event by then "
        "(LOO-PIT). Under a right model these probabilities are uniform.",
        "Curves: their distribution minus the uniform one; a censored patient's value is only known to be larger, which the Kaplan-Meier "
        "estimate takes into account, and a recorded time counts as its whole recording interval.",
        "Above 0, events come earlier than the model predicts; below, later.",
        f"Means over {tables} life tables, each judged by itself." if tables > 1 else "",
        "Grey: where a right model stays in 95 of 100 studies of this size at any one point, were the patients independent of the fit "
        "(a little too wide for that reason).",
        "A curve ends where fewer than five patients are left at risk.",
    ]
    return " ".join(part for part in parts if part)
