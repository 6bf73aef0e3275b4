"""The priors before the data: densities, what each set implies on the clinical scale, and prior predictive checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData, of_models
from retrial.report.figures.picture import Picture
from retrial.report.figures.priors import baseline_picture, effect_picture
from retrial.report.labels import (
    contrast_label,
    endpoint_label,
    is_treatment,
    model_label,
    prior_label,
    quantity_label,
    upper_first,
)
from retrial.report.table import Line, Row, Table, text_row

_MOST_MONTHS = 1000.0
"""A median beyond this is said as such: nobody lives so long, which is what a vague prior does not know."""
_UNEXPECTED = 0.025
_ANY_RATE = (0.01, 0.99)
"""A prior whose central interval of a rate reaches beyond these says nothing of it."""
_PREDICTED = ("prior", "endpoint", "quantity", "contrast", "model", "lower", "upper")
"""Columns of the table of prior predictions that are read where there is none."""


def prior_pictures(data: ReportData) -> list[Picture]:
    """Densities of the effects' and of the models' own priors."""
    if data.prior_densities is None or data.prior_densities.empty or data.priors is None:
        return []
    pictures = (effect_picture(data), baseline_picture(data))
    return [picture for picture in pictures if picture is not None]


def implied_table(data: ReportData) -> Table | None:
    """Prior sets down; ratio, median survival and response that each implies, and its size in data, across."""
    if data.priors is None or not (endpoints := _endpoints(data)):
        return None
    frame = data.prior_predictive if data.prior_predictive is not None else pd.DataFrame(columns=list(_PREDICTED))
    names = list(dict.fromkeys(data.priors["prior"][~of_models(data.priors)]))
    rows = [
        Row(((Line(upper_first(prior_label(name))),), *(_implied(data, frame, name, key) for key in endpoints))) for name in names
    ]
    headings = ("Prior", *(upper_first(endpoint_label(data.study, key)) for key in endpoints))
    shown = "".join(line.note for row in rows for cell in row.cells for line in cell)
    told = [f"{word}: {model_label(model)}" for model, word in data.model_words.items() if f"rate, {word}" in shown]
    parts = (
        "Prior median (central 95 % interval), before any data.",
        "Medians and rates are those of the experimental arm under the models' priors of the baseline."
        * ("median" in shown or "rate" in shown),
        f"{upper_first('; '.join(told))}." if told else "",
        "Worth: the prior's effective sample size, the expected local information ratio (Neuenschwander et al. 2020): 4 / variance events"
        " for a normal prior of a log hazard ratio, the same integral for mixtures and t priors.",
    )
    return Table("priors_imply", "What each prior implies", " ".join(part for part in parts if part), headings, tuple(rows))


def _endpoints(data: ReportData) -> list[str]:
    """Endpoints with a hazard ratio of the treatment, and the first rate: the odds ratio is the same for all."""
    bayes = [row for row in data.estimates if row.method == "bayes"]
    predicted = data.prior_predictive
    seen = [] if predicted is None else list(zip(predicted["endpoint"], predicted["quantity"], strict=True))
    seen += [(row.endpoint, row.quantity) for row in bayes if is_treatment(row)]
    survival = dict.fromkeys(endpoint for endpoint, quantity in seen if quantity == "hazard_ratio")
    composites = list(data.study.response.composites) if data.study.response is not None else []
    rates = [key for key in dict.fromkeys(endpoint for endpoint, _ in seen) if key in composites or key in data.study.binary]
    return [*survival, *rates[:1]]


def _implied(data: ReportData, frame: pd.DataFrame, prior: str, endpoint: str) -> tuple[Line, ...]:
    """Ratio, its size in data, and what follows for the experimental arm."""
    survives = endpoint not in _counted(data)
    quantity, parameter = ("median_survival", "log_hazard_ratio") if survives else ("proportion", "log_odds_ratio")
    lines = _stated(data, prior, endpoint, parameter)
    here = frame[(frame["prior"] == prior) & (frame["endpoint"] == endpoint) & (frame["quantity"] == quantity)]
    rows = here[here["contrast"] == "experimental"]
    # beside other models, one that expects any rate of the control arm says nothing of a rate
    vague = here[(here["contrast"] == "control") & (here["lower"] < _ANY_RATE[0]) & (here["upper"] > _ANY_RATE[1])]["model"]
    told = rows[~rows["model"].isin(vague)] if not survives else rows
    for record in (told if len(told) else rows).to_dict("records"):
        model = str(record["model"])
        word = "median, months" if survives else f"rate, {data.model_words.get(model) or model_label(model)}"
        lines.append(Line(_interval(record), word))
    return tuple(lines) or (Line(fmt.MISSING),)


def _counted(data: ReportData) -> set[str]:
    """Keys of what is counted: responses and yes/no outcomes."""
    response = data.study.response
    return {*data.study.binary, *((*response.composites, *response.categories) if response is not None else ())}


def _stated(data: ReportData, prior: str, endpoint: str, parameter: str) -> list[Line]:
    """What the prior itself says, with its effective size, from the table of priors."""
    frame = data.priors if data.priors is not None else pd.DataFrame(columns=["model", "prior", "parameter"])
    own = frame["endpoint"].fillna("") if "endpoint" in frame else pd.Series("", index=frame.index)
    rows = frame[(frame["prior"] == prior) & (frame["parameter"] == parameter) & own.isin(["", endpoint]) & ~of_models(frame)]
    if rows.empty:
        return []
    record = rows.iloc[-1]
    limits = fmt.interval(record["implied_lower"], record["implied_upper"], fmt.ratio)
    lines = [Line(f"{fmt.ratio(record['implied_median'])} ({limits})", str(record["scale"]))]
    size = float(record.get("effective_size", math.nan))
    return [*lines, Line(f"{_size(size)} {record['effective_unit']}", "worth")] if math.isfinite(size) else lines


def _size(value: float) -> str:
    return fmt.decimal(value, 0 if value >= 10 else 1 if value >= 0.1 else 2)


def _interval(record: dict[Any, Any]) -> str:
    write = _writer(str(record["unit"]))
    return f"{write(float(record['median']))} ({fmt.interval(float(record['lower']), float(record['upper']), write)})"


def _writer(unit: str) -> fmt.Formatter:
    if unit == "months":
        return lambda value: f">{_MOST_MONTHS:.0f}" if value > _MOST_MONTHS else fmt.months(value)
    return fmt.ratio if unit == "ratio" else lambda value: fmt.decimal(value, 2)


def predictive_table(data: ReportData) -> Table | None:
    """Prior predictive checks under the main prior: what each model expects, and where what was seen lies in it."""
    frame = data.prior_predictive
    if frame is None or frame.empty:
        return None
    main = data.main_prior if data.main_prior in set(frame["prior"]) else str(frame["prior"].iloc[0])
    mine = frame[(frame["prior"] == main) & ~frame["quantity"].isin(["hazard_ratio"])]
    rows: list[Row] = []
    for (model, endpoint), part in mine.groupby(["model", "endpoint"], sort=False):
        heading = f"{_endpoint(data, str(endpoint))} ({model_label(str(model))})"
        rows.append(text_row([heading], "group"))
        rows += [_check(record) for record in part.to_dict("records")]
    columns = ("Quantity", "Prior median (95 % interval)", "Seen", "P(less than seen)")
    caption = (
        f"Prior predictive checks under the {prior_label(main)} prior: what the model expects before the data. “Seen” is the printed number, or"
        " the frequentist one where none is printed. A probability below 0.025 or above 0.975 says that the prior did not expect what was"
        " seen, one near 0.5 that it did; an interval over all that is possible says that the prior expects nothing in particular."
    )
    return Table("prior_predictive", "Prior predictive checks", caption, columns, tuple(rows), frozenset({1, 2, 3}), folded=True)


def _endpoint(data: ReportData, key: str) -> str:
    head, _, rest = key.partition(": ")
    return f"Adverse events, {rest}" if head == "adverse_events" and rest else upper_first(endpoint_label(data.study, key))


def _check(record: dict[Any, Any]) -> Row:
    write = _writer(str(record["unit"]))
    seen, below = float(record["observed"]), float(record["share_below"])
    label = upper_first(quantity_label(str(record["quantity"]), float(record["time"])))
    name: Sequence[Line] = (Line(label, contrast_label(str(record["contrast"]))),)
    unexpected = math.isfinite(below) and not _UNEXPECTED <= below <= 1 - _UNEXPECTED
    values = (
        _interval(record),
        write(seen) if math.isfinite(seen) else fmt.MISSING,
        fmt.probability(below) if math.isfinite(below) else fmt.MISSING,
    )
    return Row((tuple(name), *((Line(value),) for value in values)), "conditional" if unexpected else "")
