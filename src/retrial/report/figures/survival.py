"""Survival figures with captions that say what the curves are and how far the tables are from the printed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from retrial.dims import RECONSTRUCTION
from retrial.report import format as fmt
from retrial.report.data import ReportData, SurvivalCurves
from retrial.report.figures.kaplan_meier import kaplan_meier_picture, shows_mean
from retrial.report.figures.picture import Picture
from retrial.report.labels import INTERVALS, endpoint_label, model_label, prior_label
from retrial.report.tables.run import statistic_label

_NAMED = 4
"""Printed numbers that a caption names; the table names all."""


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
