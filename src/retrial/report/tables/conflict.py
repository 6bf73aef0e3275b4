"""Which prior fights the data: Box's prior predictive p, mixture weights and power-scaling, in one table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from retrial.frequentist.rows import RATIO
from retrial.priors.implied.conflict import CONFLICT, LEANING
from retrial.report import format as fmt
from retrial.report.data import ReportData, of_models
from retrial.report.labels import contrast_label, endpoint_label, model_label, prior_label, quantity_label, upper_first
from retrial.report.table import Line, Row, Table, text_row

_LARGEST_K = 0.7
"""Pareto k up to which weights are trusted (Kallioinen et al. 2024)."""
_WORDS = {CONFLICT: "fights", LEANING: "leans away"}
"""The conflict table's verdicts in the words of the summary."""

_CAPTION = (
    "Box's p: prior predictive probability of an estimate as improbable as this one (small: the prior did not expect it). Vague part: weight"
    " of a mixture's widest part before and after the data, and its Bayes factor against the rest. Sensitivity: how fast the posterior"
    " moves when the prior, or the likelihood, is raised to a power near 1 (Kallioinen et al. 2024; 0.05 and more counts). Both sensitive:"
    " prior and data pull apart; only the prior: it is strong, or the data say little. k: the largest Pareto k of the weights, to be trusted"
    " up to 0.7."
)


def conflict_tables(data: ReportData) -> list[Table]:
    """A summary of every prior over the main effects, and the numbers behind it."""
    conflict = _treatment(data.conflict)
    scaling = data.power_scaling if data.power_scaling is not None else pd.DataFrame()
    if conflict.empty and scaling.empty:
        return []
    return [_summary(data, conflict, scaling), _details(data, conflict, scaling)]


def _treatment(frame: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the treatment's effects."""
    if frame is None or frame.empty:
        return pd.DataFrame(
            columns=["endpoint", "contrast", "adjusted_for", "prior", "box_p", "vague_weight_prior", "vague_weight_posterior"]
        )
    return frame[frame["contrast"] == RATIO].fillna({"adjusted_for": ""})


def _unadjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows whose contrast names no covariates."""
    return frame if frame.empty else frame[frame["adjusted_for"].fillna("") == ""]


def _summary(data: ReportData, conflict: pd.DataFrame, scaling: pd.DataFrame) -> Table:
    """Priors down, unadjusted main effects across."""
    plain = _unadjusted(conflict)
    # hierarchical and borrowing models scale more than the effect's prior: they have their rows in the details
    near = scaling[scaling["model"].isin(_first_models(scaling))] if not scaling.empty else scaling
    endpoints = _shown_endpoints(data, [*plain["endpoint"], *(near["endpoint"] if not near.empty else [])])
    names = list(dict.fromkeys([*data_priors(data), *conflict["prior"], *(scaling["prior"] if not scaling.empty else [])]))
    rows = []
    for name in names:
        cells = [_cell(plain, near, endpoint, name) for endpoint in endpoints]
        if any(line.text != fmt.MISSING for cell in cells for line in cell):
            rows.append(Row(((Line(upper_first(prior_label(name))),), *cells)))
    columns = ("Prior", *(upper_first(endpoint_label(data.study, key)) for key in endpoints))
    caption = (
        "Against the unadjusted effects of the treatment. Fights: the estimate lies where the prior expected none (Box's p below 0.05), or the"
        " data give up what a mixture states for its vague part (Bayes factor above 10; leans away: above 3). Pulls:"
        " the posterior is sensitive to the prior and to the data, which disagree. Dominates: sensitive to the prior only. Quiet: neither. "
        + _CAPTION
    )
    return Table("conflict", "Which prior fights the data", caption, columns, tuple(rows))


def _first_models(scaling: pd.DataFrame) -> list[str]:
    """Models whose only scaled prior is that of the effect on that endpoint."""
    return [model for model in dict.fromkeys(scaling["model"]) if "hierarchical" not in model and "borrowing" not in model]


def data_priors(data: ReportData) -> list[str]:
    """Prior sets in the order of the run, as far as the table of priors has them."""
    return [] if data.priors is None else list(dict.fromkeys(data.priors["prior"][~of_models(data.priors)]))


def _shown_endpoints(data: ReportData, keys: Iterable[str]) -> list[str]:
    """Survival endpoints, composite responses (categories where there are none) and yes/no outcomes."""
    response = data.study.response
    categories = set(response.categories) if response is not None and response.composites else set()
    left_out = {*categories, "adverse_events", "response"}
    met = [key for key in dict.fromkeys(keys) if key not in left_out]
    order = list(data.study.endpoints)
    return sorted(met, key=lambda key: order.index(key) if key in order else len(order))


def _cell(conflict: pd.DataFrame, scaling: pd.DataFrame, endpoint: str, prior: str) -> tuple[Line, ...]:
    """Verdict and its numbers of one prior against one endpoint."""
    here = conflict[(conflict["endpoint"] == endpoint) & (conflict["prior"] == prior)]
    moved = scaling[(scaling["endpoint"] == endpoint) & (scaling["prior"] == prior)] if not scaling.empty else scaling
    moved = _unadjusted(moved)
    if here.empty and moved.empty:
        return (Line(fmt.MISSING),)
    box = float(here["box_p"].iloc[0]) if not here.empty else math.nan
    told = list(moved["diagnosis"]) if not moved.empty else []
    said = str(here["verdict"].iloc[0]) if not here.empty else ""
    lines = [Line(_verdict(said, told), "")]
    if math.isfinite(box):
        lines.append(Line(fmt.p_value(box), "Box's p"))
    if not moved.empty:
        first = moved.iloc[0]
        lines.append(
            Line(f"{fmt.decimal(first['psense_prior'], 2)} / {fmt.decimal(first['psense_likelihood'], 2)}", "prior / data")
        )
    if not here.empty and math.isfinite(float(here["vague_weight_posterior"].iloc[0])):
        weights = (float(here[f"vague_weight_{when}"].iloc[0]) for when in ("prior", "posterior"))
        lines.append(Line(" → ".join(fmt.decimal(weight, 2) for weight in weights), "vague part"))
    return tuple(lines)


def _verdict(said: str, diagnoses: list[str]) -> str:
    """A word or two for a prior against an estimate: the conflict table's own verdict first."""
    if said in _WORDS:
        return _WORDS[said]
    if any("conflict" in text for text in diagnoses):
        return "pulls"
    return "dominates" if any("strong" in text for text in diagnoses) else "quiet"


def _details(data: ReportData, conflict: pd.DataFrame, scaling: pd.DataFrame) -> Table:
    """Every effect, model and prior; the strongest conflicts first within an effect."""
    rows: list[Row] = []
    for (endpoint, contrast, adjusted_for, orientation, model, quantity), frame in _groups(conflict, scaling):
        compared = ", ".join(part for part in (contrast_label(contrast, adjusted_for), orientation) if part)
        heading = [upper_first(endpoint_label(data.study, endpoint)), compared, quantity_label(quantity)]
        rows.append(text_row([", ".join([*heading, model_label(model) if model else "printed or counted estimate"])], "group"))
        rows += [_detail(record) for record in frame.to_dict("records")]
    columns = ("Prior", "Box's p", "Vague part, before → after", "Sensitivity to the prior", "to the data", "Pareto k", "Says")
    return Table(
        "conflict_details",
        "Conflict and power-scaling, every effect and model",
        _CAPTION,
        columns,
        tuple(rows),
        frozenset(range(1, 6)),
        folded=True,
    )


_GROUP = ["endpoint", "contrast", "adjusted_for", "orientation", "model", "quantity"]


def _groups(conflict: pd.DataFrame, scaling: pd.DataFrame) -> list[tuple[list[str], pd.DataFrame]]:
    """Values of `_GROUP` and their rows: conflicts, which have no model, before power-scaling."""
    parts = (
        (conflict.assign(model="").rename(columns={"measure": "quantity"}), "box_p", True),
        (scaling.assign(orientation=""), "psense_prior", False),
    )
    return [
        ([str(name) for name in names], frame.sort_values(by, ascending=rising, kind="stable"))
        for part, by, rising in parts
        if not part.empty
        for names, frame in part.fillna({"adjusted_for": "", "orientation": ""}).groupby(_GROUP, sort=False)
    ]


def _detail(record: dict[Any, Any]) -> Row:
    def number(key: str, write: fmt.Formatter) -> str:
        value = float(record.get(key, math.nan))
        return write(value) if math.isfinite(value) else fmt.MISSING

    def three(value: float) -> str:
        return fmt.decimal(value, 3)

    after = number("vague_weight_posterior", three)
    factor = number("vague_bayes_factor", fmt.ratio)
    weights = fmt.MISSING if after == fmt.MISSING else f"{number('vague_weight_prior', three)} → {after}"
    weights += "" if factor == fmt.MISSING else f" (Bayes factor {factor})"
    says = str(record.get("diagnosis") or record.get("verdict") or "")
    sensitivities = (number("psense_prior", three), number("psense_likelihood", three))
    cells = (
        prior_label(str(record["prior"])),
        number("box_p", fmt.p_value),
        weights,
        *sensitivities,
        number("pareto_k", three),
        says,
    )
    untrusted = float(record.get("pareto_k", 0.0)) > _LARGEST_K
    return text_row([*cells[:-1], "not to be trusted: k above 0.7" if untrusted else cells[-1]], "failed" if untrusted else "")
