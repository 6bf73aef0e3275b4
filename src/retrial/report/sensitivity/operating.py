"""Errors of stated rules of decision in simulated studies: a table of the main prior's, and claims against the true ratio under every prior."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.picture import RULE, WIDTH, Picture, finish, style
from retrial.report.labels import adjusted_briefly, adjusted_label, endpoint_label, model_label, upper_first
from retrial.report.section import Section
from retrial.report.sensitivity.pictures import about, legend_below, line_of, name_panel
from retrial.report.table import Table, text_row

KEY, TITLE = "operating", "Errors of stated rules"
_WHOSE = ["endpoint", "model", "adjusted_for"]
_MOST, _ACROSS, _HEIGHT = 8, 2, 2.6


def operating_section(data: ReportData) -> Iterator[Section]:
    """The section, where a run has the numbers."""
    if data.operating is not None and not data.operating.empty:
        frame = _clean(data.operating)
        yield Section(
            KEY,
            TITLE,
            (_table(data, frame),),
            tuple(operating_pictures(data)),
            tuple(_in_words(data, frame)),
            (_how_made(frame),),
        )


def _in_words(data: ReportData, frame: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A paragraph an endpoint: its first analysis under the main prior, judged by the first rule."""
    main = frame[(frame["prior"] == (data.main_prior or frame["prior"].iloc[0])) & (frame["status"] == "ok")]
    for key, part in main.groupby("endpoint", sort=False):
        first = part[(part[_WHOSE] == part[_WHOSE].iloc[0]).all(axis=1) & (part["rule"] == part["rule"].iloc[0])]
        first = first[first["drift"].isna() & first["control_hazard"].fillna(1.0).eq(1.0)]
        none, some = first[first["kind"] == "type I error"], first[first["kind"] == "power"]
        sentences = [
            f"Where nothing differs, {_percent(row['claims'])} of studies of this size claim an effect by the rule {row['rule']} (type I error)."
            for row in none.to_dict("records")[:1]
        ]
        for row in some.to_dict("records"):
            said = f"With a true ratio of {row['true_ratio']:.3g}, {_percent(row['claims'])} do (power)"
            far = (
                ""
                if pd.isna(row["type_m"])
                else f"; effects that are claimed are then {row['type_m']:.2f} times too large on the log scale"
            )
            sentences.append(f"{said}{far}.")
        if sentences:
            about = ", ".join(
                text
                for text in (model_label(str(first["model"].iloc[0])), adjusted_label(str(first["adjusted_for"].iloc[0])))
                if text
            )
            yield f"{upper_first(endpoint_label(data.study, str(key)))}, {about}", tuple(sentences)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}{fmt.NBSP}%"


def _how_made(frame: pd.DataFrame) -> str:
    """Whether studies were simulated, and what does it."""
    if (frame["claims_error"].nunique() > 1) or frame["control_hazard"].notna().any():
        return "Studies were simulated by `retrial simulate`; of printed ratios the shares are exact but for half a study."
    return (
        "These are shares over all estimates that a study with the printed standard error could have had: exact but for half a study, by the"
        " normal model. Simulated patients, fitted by the survival models as this study's tables are: `retrial simulate` with the same settings."
    )


def _clean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(adjusted_for=frame["adjusted_for"].fillna(""))


def _table(data: ReportData, frame: pd.DataFrame) -> Table:
    main = frame[frame["prior"] == (data.main_prior or frame["prior"].iloc[0])]
    rows = []
    for row in main.to_dict("records"):
        borrowing = "" if pd.isna(row["drift"]) else f", weight {row['robust_weight']:g} of no borrowing, drift {row['drift']:+g}"
        about = ", ".join(text for text in (model_label(str(row["model"])), adjusted_label(str(row["adjusted_for"]))) if text)
        told = [upper_first(endpoint_label(data.study, str(row["endpoint"]))), about + borrowing]
        told += [f"{row['true_ratio']:.3g}", str(row["rule"]), str(row["kind"])]
        told += [_with_error(row[name], row[f"{name}_error"]) for name in ("claims", "coverage", "type_s", "type_m")]
        rows.append(text_row([*told, "" if row["status"] == "ok" else str(row["status"])]))
    caption = (
        "Simulated studies of this study's size under a known true ratio, each judged by the same rule under the main prior. Claims: the share of"
        " studies that claim an effect, a type I error where the true ratio is not what is claimed, else power. Coverage: of the interval. Type S:"
        " of the claims of an effect or a harm, the share with the wrong sign. Type M: by how many times the claimed effect is too large on the log"
        " scale, in the mean. After ±: Monte Carlo standard errors. Every prior: operating.csv."
    )
    columns = ("Endpoint", "Analysis", "True ratio", "Rule", "Kind", "Claims", "Coverage", "Type S", "Type M", "Status")
    return Table(KEY, TITLE, caption, columns, tuple(rows), frozenset({2, 5, 6, 7, 8}), folded=True, wide=True)


def _with_error(value: float, error: float) -> str:
    if pd.isna(value):
        return fmt.MISSING
    return f"{value:.3f}" if pd.isna(error) else f"{value:.3f} ± {error:.3f}"


def operating_pictures(data: ReportData) -> Iterator[Picture]:
    """Claims of the first rule against the true ratio, a line a prior."""
    if data.operating is None or data.operating.empty:
        return
    frame = _clean(data.operating)
    frame = frame[frame["drift"].isna() & (frame["status"] == "ok")]
    frame = frame[frame["rule"].isin(frame.groupby("endpoint")["rule"].first()) & frame["control_hazard"].fillna(1.0).eq(1.0)]
    parts = list(frame.groupby(_WHOSE, sort=False))
    if not parts:
        return
    rows = -(-min(len(parts), _MOST) // _ACROSS)
    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT * rows), layout="constrained")
        grid, names = figure.subplots(rows, _ACROSS, squeeze=False), []
        for axes in list(grid.flat)[len(parts[:_MOST]) :]:
            axes.set_axis_off()
        for axes, ((endpoint, model, adjusted), part) in zip(grid.flat, parts[:_MOST], strict=False):
            names.append(about(data, str(endpoint), str(model), adjusted_label(str(adjusted))))
            name_panel(axes, about(data, str(endpoint), str(model), adjusted_briefly(str(adjusted))))
            _claims(axes, part)
        legend_below(figure, grid.flat[0])
        rule = frame["rule"].iloc[0]
        caption = (
            f"Share of simulated studies that claim an effect by the rule {rule}, at every true ratio: type I error at 1, power elsewhere. A line a"
            " prior, the thicker one the main prior's; bars: two Monte Carlo standard errors. Dotted: 0.025."
        )
        left = len(parts) - len(parts[:_MOST])
        told = f"{caption} {left} more in operating.csv." if left else caption
        alt = f"{TITLE}, for {'; '.join(names)}. The numbers are in operating.csv."
        yield finish(figure, "sensitivity_operating", TITLE, told, alt)


def _claims(axes: Axes, part: pd.DataFrame) -> None:
    for position, (name, line) in enumerate(part.groupby("prior", sort=False)):
        line = line.sort_values("true_ratio")
        errors = 2 * line["claims_error"] if position == 0 else None
        axes.errorbar(line["true_ratio"], line["claims"], yerr=errors, capsize=2, **line_of(position, str(name)))
    axes.axhline(0.025, color=RULE, linewidth=0.6, linestyle=":")
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("true ratio")
    axes.set_ylabel("studies that claim an effect")
