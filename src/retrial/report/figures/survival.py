"""Survival figures with captions that say what the curves are and how far the tables are from the printed numbers; the hazard ratio over time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from retrial.data.sampled_hazards import OF_THE_TABLES
from retrial.dims import RECONSTRUCTION
from retrial.estimate import Estimate
from retrial.frequentist.rows import RATIO
from retrial.report import format as fmt
from retrial.report.data import ReportData, SurvivalCurves
from retrial.report.figures.kaplan_meier import kaplan_meier_picture, shows_mean
from retrial.report.figures.picture import FAILED, INK, METHOD_COLOURS, METHOD_MARKERS, QUIET, WIDTH, Picture, finish, safe, style
from retrial.report.labels import INTERVALS, endpoint_label, is_ratio_at, model_label, months_label, prior_label, upper_first
from retrial.report.tables.results import interval_words, written
from retrial.report.tables.run import statistic_label

_NAMED = 4
"""Printed numbers that a caption names; the table names all."""
_LINES = (("#D55E00", "o", "-"), ("#0072B2", "^", "--"), ("#009E73", "v", "-."), ("#CC79A7", "D", ":"))
"""Of models whose ratio varies: Okabe and Ito's colours, each with a mark and a line of its own."""
_TICKS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
_HEIGHT, _NAME = 3.4, 22


def survival_pictures(data: ReportData) -> list[Picture]:
    """One figure per endpoint that has curves."""
    pictures = []
    for key, curves in data.curves.items():
        caption = curves_caption(curves, fidelity_words(key, data.fidelity))
        pictures.append(kaplan_meier_picture(data.study, key, endpoint_label(data.study, key), curves, caption))
    return pictures


def curves_caption(curves: SurvivalCurves, fidelity: str) -> str:
    """What the curves are, how far from the printed numbers, and whose posterior the band is."""
    n = curves.kaplan_meier.sizes[RECONSTRUCTION]
    if curves.from_patients:
        steps = "Step curves: Kaplan-Meier estimates of the study's file of patients."
    else:
        made = "a life table" if n == 1 else f"{n} life tables (one over the other)"
        steps = f"Step curves: Kaplan-Meier estimates of {made} reconstructed from printed numbers. They are not patient data."
    steps += (
        " Heavy steps: their mean, weighted as the tables are, as long as half of them follow the arm."
        if shows_mean(curves)
        else ""
    )
    medians = "Diamonds: medians as printed." if curves.printed_medians else ""
    ranges = "Numbers under the figure: smallest–largest over the tables." if n > 1 else ""
    return " ".join(part for part in (steps, fidelity, _band_words(curves), medians, ranges, *curves.notes) if part)


def _band_words(curves: SurvivalCurves) -> str:
    if curves.status != "ok":
        return f"No posterior band is drawn: this fit must not be used ({curves.status})."
    if curves.band is None:
        return ""
    fit = ", ".join(
        part for part in (model_label(curves.model), f"{prior_label(curves.prior)} prior" if curves.prior else "") if part
    )
    interval = f"{fmt.level(curves.level)} {INTERVALS[curves.interval_kind]}"
    return f"Smooth curves and shading: posterior median and {interval} at each time" + (f" ({fit})." if fit else ".")


def fidelity_words(endpoint: str, fidelity: pd.DataFrame | None) -> str:
    """How many printed numbers of an endpoint every table carries, and by how much the others are missed."""
    mine = fidelity[fidelity["endpoint"] == endpoint] if fidelity is not None and not fidelity.empty else pd.DataFrame()
    if mine.empty:
        return ""
    missed = [_missed(row) for row in mine[mine["agreement"] < 1].to_dict(orient="records")]
    if not missed:
        return f"Every table agrees with all {len(mine)} printed numbers, within the tolerances of the fidelity table{_to_the_digit(mine)}."
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    met = len(mine) - len(missed)
    return f"Of {len(mine)} printed numbers {met} are met by every table; not: {'; '.join(missed[:_NAMED])}{more}."


def _to_the_digit(mine: pd.DataFrame) -> str:
    """How often the tables also print the last digit, where that is known."""
    if "strict_agreement" not in mine:
        return ""
    always = int((mine["strict_agreement"] >= 1).sum())
    return f"; {always} of them to the last digit in every table"


def _missed(row: Mapping[Any, Any]) -> str:
    arm = f"{row['arm']}, " if isinstance(row.get("arm"), str) and row["arm"] else ""
    numbers = f"printed {fmt.general(row['printed'])}, reconstructed {fmt.general(row['reconstructed'])}"
    some = f", {fmt.share(float(row['agreement']))} of the tables agree" if 0 < row["agreement"] < 1 else ""
    return f"{statistic_label(str(row['statistic']))} ({arm}{numbers}{some})"


def ratio_pictures(data: ReportData) -> list[Picture]:
    """The hazard ratio over time, of every endpoint to which a model was fitted that lets it vary."""
    pictures = []
    for key in data.study.endpoints:
        mine = [row for row in data.estimates if row.endpoint == key and _is_drawn(data, row)]
        if any(is_ratio_at(row) for row in mine):
            pictures.append(_ratios(data, key, mine))
    return pictures


def _is_drawn(data: ReportData, row: Estimate) -> bool:
    """The treatment's hazard ratio: as printed, or posterior under the main prior or that of the tables."""
    kind = (row.quantity, row.contrast, row.adjusted_for, row.variant, row.unit) == ("hazard_ratio", RATIO, "", "", "ratio")
    whole = row.statistic == "value" and math.isfinite(row.lower) and math.isfinite(row.upper) and row.lower > 0
    return (
        kind
        and whole
        and (row.method == "published" or (row.method == "bayes" and row.prior in (data.main_prior, OF_THE_TABLES)))
    )


def _ratios(data: ReportData, endpoint: str, rows: Sequence[Estimate]) -> Picture:
    """One ratio for all times on the left, the ratio at each time on the right."""
    one, varying = ([row for row in rows if is_ratio_at(row) is wanted] for wanted in (False, True))
    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(max(1, len(one)), 4 + len(one)))
        for place, row in enumerate(one):
            _mark(left, place, row, INK if row.method == "published" else METHOD_COLOURS["bayes"], METHOD_MARKERS[row.method])
        left.set_xticks(range(len(one)), [_whose(row, _NAME) for row in one], rotation=90)
        left.set_xlim(-0.6, max(len(one), 1) - 0.4)
        left.set_ylabel("Hazard ratio (log scale)")
        left.set_title("One ratio for all times", fontsize=8)
        models = list(dict.fromkeys(row.model for row in varying))
        for place, (model, (colour, marker, line)) in enumerate(zip(models, itertools.cycle(_LINES), strict=False)):
            _course(right, [row for row in varying if row.model == model], colour, marker, line, place - (len(models) - 1) / 2)
        right.set_title("The ratio at each time", fontsize=8)
        right.set_xlabel("Months")
        right.set_xticks(sorted({row.time for row in varying}))
        _common_axis((left, right), rows)
        for label in (*left.get_xticklabels(), *figure.legend(loc="outside upper right", ncols=2).get_texts()):
            label.set_parse_math(False)
        return finish(figure, f"ratio_over_time_{endpoint}", *_ratio_words(data, endpoint, rows))


def _course(axes: Axes, rows: Sequence[Estimate], colour: str, marker: str, line: str, place: float) -> None:
    """A model's ratio at every time, joined for the eye."""
    rows = sorted(rows, key=lambda row: row.time)
    step = 0.02 * (max(row.time for row in rows) or 1.0)
    places = [row.time + step * place for row in rows]
    axes.plot(places, [row.point for row in rows], color=colour, linestyle=line, linewidth=0.8, label=_whose(rows[0], 40))
    for where, row in zip(places, rows, strict=True):
        _mark(axes, where, row, colour, marker)


def _mark(axes: Axes, place: float, row: Estimate, colour: str, marker: str) -> None:
    """A point and its interval; of a failed fit a cross in red."""
    shown = FAILED if row.failed else colour
    axes.plot([place, place], [row.lower, row.upper], color=shown, linewidth=1.2, linestyle=":" if row.failed else "-")
    axes.plot([place], [row.point], color=shown, marker="x" if row.failed else marker, markersize=4.5, linestyle="none")


def _whose(row: Estimate, letters: int) -> str:
    name = "Published" if row.method == "published" else upper_first(model_label(row.model))
    return safe(name, letters)


def _common_axis(both: Sequence[Axes], rows: Sequence[Estimate]) -> None:
    """The same logarithmic axis for all, no wider than anyone reads."""
    low, high = min(row.lower for row in rows), max(row.upper for row in rows)
    for axes in both:
        axes.set_yscale("log")
        axes.set_ylim(max(0.9 * low, _TICKS[0]), min(1.1 * high, _TICKS[-1]))
        axes.yaxis.set_major_locator(FixedLocator(list(_TICKS)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.axhline(1.0, color=QUIET, linewidth=0.6, zorder=0)


def _ratio_words(data: ReportData, endpoint: str, rows: Sequence[Estimate]) -> tuple[str, str, str]:
    """Title, caption and what a reader who cannot see it misses."""
    title = f"{upper_first(endpoint_label(data.study, endpoint))}: the hazard ratio over time"
    bayes = [row for row in rows if row.method == "bayes"]
    printed = [row for row in rows if row.method == "published"]
    kinds = [f"posterior median and {interval_words(bayes)}, {prior_label(data.main_prior)} prior"]
    kinds += [f"the published ratio with its {interval_words(printed)}"] if printed else []
    kinds += (
        ["of hazards sampled with the tables under the tables' own prior"]
        if any(row.prior == OF_THE_TABLES for row in bayes)
        else []
    )
    failed = " Red crosses: fits that failed and must not be used." if any(row.failed for row in rows) else ""
    caption = (
        f"Marks and bars: {'; '.join(kinds)}. Not adjusted. Lines join the marks of a model for the eye only.{failed}"
        " An interval that is wider later says that few patients are left, not that the ratio changes."
    )
    said = "; ".join(
        f"{_whose(row, 0)}{f' at {months_label(row.time)}' if is_ratio_at(row) else ''} {written(row)}" for row in rows
    )
    return title, caption, f"{title}. {said}."
