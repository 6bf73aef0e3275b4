"""How far the conclusions depend on assumptions, in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import SYMBOLS, endpoint_label, prior_label, upper_first
from retrial.report.section import Section
from retrial.report.sensitivity.choices import choices_table
from retrial.report.sensitivity.conclusions import AS_IT_IS, PRIOR, WHOSE, analysis_label, conclusion_sentences
from retrial.report.sensitivity.pictures import sensitivity_pictures
from retrial.report.table import Table, text_row

KEY, TITLE = "sensitivity", "How far the conclusions depend on assumptions"
_HOLDS, _FAILS = "✓", "✗"


def conclusions_section(data: ReportData) -> Iterator[Section]:
    """The paragraphs, and which choices move the conclusion, for the first layer."""
    lists = conclusion_sentences(data.study, data.conclusions, data.tipping, data.under_priors, needed(data))
    if data.conclusions is not None and lists:
        table = choices_table(data, _clean(data.conclusions), needed(data))
        yield Section(KEY, TITLE, () if table is None else (table,), lists=tuple(lists))


def sensitivity_section(data: ReportData) -> Iterator[Section]:
    """The section, where a run has its tables."""
    frame = data.conclusions
    if frame is None or frame.empty:
        return
    tables = [_matrix(data, _clean(frame)), _tipping(data), _own(data), _assurance(data)]
    lists = conclusion_sentences(data.study, frame, data.tipping, data.under_priors, needed(data))
    pictures = tuple(sensitivity_pictures(data))
    yield Section(KEY, TITLE, tuple(table for table in tables if table is not None), pictures, tuple(lists))


def needed(data: ReportData) -> float:
    """Posterior probability from which a conclusion is said to hold, `sensitivity.claim` of the run."""
    settings = data.manifest.get("config", {}).get("sensitivity") or {}
    return float(settings.get("claim", 0.975))


def _clean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(adjusted_for=frame["adjusted_for"].fillna(""))


def _matrix(data: ReportData, frame: pd.DataFrame) -> Table:
    """Challenges down, analyses across."""
    analyses = list(dict.fromkeys(frame[WHOSE].itertuples(index=False, name=None)))
    columns = [
        f"{upper_first(endpoint_label(data.study, endpoint))}: {analysis_label({'model': model, 'adjusted_for': adjusted})}"
        for endpoint, model, adjusted in analyses
    ]
    rows = []
    for (challenge, what), part in frame.groupby(["challenge", "what"], sort=False):
        found = {tuple(row[name] for name in WHOSE): row for row in part.to_dict("records")}
        words = prior_label(str(what)) if challenge in (AS_IT_IS, PRIOR) else str(what)
        rows.append(
            text_row(
                [f"{words} prior" if challenge in (AS_IT_IS, PRIOR) else words, *(_chance(found.get(key)) for key in analyses)]
            )
        )
    caption = (
        "Posterior probability of the claim, a ratio on the side of 1 of the first row's median (after censoring: of the hazard ratio of imputed"
        f" tables on that side), under every challenge set beforehand. {_HOLDS}: at least {needed(data):g}, so that the"
        f" {fmt.level(2 * needed(data) - 1)} interval excludes 1; {_FAILS}: less. Shares of challenges are counts, not probabilities."
    )
    return Table(
        "conclusions", "Which conclusions survive which challenge", caption, ("Challenge", *columns), tuple(rows), wide=True
    )


def _chance(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return fmt.MISSING
    if row["status"] != "ok":
        return f"{_FAILS} {row['status']}"
    return f"{fmt.probability(row['probability'])} {_HOLDS if row['holds'] else _FAILS}"


def _tipping(data: ReportData) -> Table | None:
    if data.tipping is None:
        return None
    frame = _clean(data.tipping)
    frame = frame[frame["challenge"] != "prior mean"]
    rows = [
        text_row(
            [
                upper_first(endpoint_label(data.study, str(row["endpoint"]))),
                analysis_label(row),
                str(row["challenge"]).replace("_", " "),
                "" if pd.isna(row["criterion"]) else f"{row['criterion']:g}",
                "" if pd.isna(row["given"]) else f"{row['given']:.3g}",
                "none found" if pd.isna(row["value"]) else f"{row['value']:.3g}",
            ]
        )
        for row in frame.to_dict("records")
    ]
    caption = (
        "Where a conclusion ceases to hold. Criterion: the posterior probability at which it tips (0.975: the 95 % interval touches 1)."
        " Given: mean of the sceptical prior (a ratio), SD of the bias. Value: SD of the sceptical prior, bias as the ratio that it would give"
        " alone, hazard after censoring over that of those who stay. None found: no value undoes the conclusion, or it does not hold to begin"
        " with. Prior means at which it tips for every prior SD: tipping.csv and the map."
    )
    columns = ("Endpoint", "Analysis", "Challenge", "Criterion", "Given", "Tipping value")
    return Table("tipping", "Tipping values", caption, columns, tuple(rows), frozenset({3, 4, 5}), folded=True)


def _own(data: ReportData) -> Table | None:
    """Every prior's own probabilities, for the first ratio of each endpoint that it is used on."""
    if data.prior_probabilities is None:
        return None
    frame = _clean(data.prior_probabilities).fillna({"direction": ""})
    frame = frame[frame["adjusted_for"] == ""]
    frame = frame.assign(asked=[_event(row) for row in frame.to_dict("records")])
    asked = list(dict.fromkeys(frame["asked"]))
    rows = []
    for (endpoint, measure, prior), part in frame.groupby(["endpoint", "measure", "prior"], sort=False):
        chance = dict(zip(part["asked"], part["probability"], strict=True))
        about = part.iloc[0]
        kind = (
            f"{SYMBOLS.get(str(measure), str(measure))} of a {about['direction']} event" if about["direction"] else str(measure)
        )
        told = [upper_first(endpoint_label(data.study, str(endpoint))), kind, prior_label(str(prior)), str(about["used"])]
        rows.append(text_row([*told, *(fmt.probability(chance[item]) if item in chance else fmt.MISSING for item in asked)]))
    if not rows:
        return None
    caption = "What each prior says of a ratio before any data, and which way it is used: a belief in a benefit is a ratio below 1 for a bad event."
    columns = ("Endpoint", "Ratio", "Prior", "Used", *asked)
    numeric = frozenset(range(4, 4 + len(asked)))
    return Table(
        "prior_probabilities", "Each prior's own probabilities", caption, columns, tuple(rows), numeric, folded=True, wide=True
    )


def _event(row: Mapping[Any, Any]) -> str:
    if row["event"] == "between":
        return f"P({row['threshold']:g} to {row['threshold_upper']:g})"
    return f"P({'<' if row['event'] == 'below' else '>'} {row['threshold']:g})"


def _assurance(data: ReportData) -> Table | None:
    if data.future_trial is None:
        return None
    frame = _clean(data.future_trial)
    rows = [
        text_row(
            [
                upper_first(endpoint_label(data.study, str(row["endpoint"]))),
                analysis_label(row),
                prior_label(str(row["prior"])),
                f"{row['events']:.0f}",
                fmt.probability(row["after_same_effect"]),
                fmt.probability(row["assurance"]),
            ]
        )
        for row in frame.to_dict("records")
    ]
    caption = (
        "A further trial of so many events, arms of equal size. After the same effect: posterior probability of the present conclusion if it found"
        " the present posterior median. Assurance: probability, under what is now believed, that its own interval excludes 1 on that side."
    )
    columns = ("Endpoint", "Analysis", "Prior", "Events", "After the same effect", "Assurance")
    return Table("future_trial", "A further trial", caption, columns, tuple(rows), frozenset({3, 4, 5}), folded=True)
